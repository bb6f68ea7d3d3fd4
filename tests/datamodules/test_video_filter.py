"""Some videos of a dataset, by name or pattern."""

import pytest

from datamodules.corrupted_vos import CorruptedVOS
from datamodules.set_size import sizes_of
from datamodules.vos_clips import TrainingClips
from datamodules.vos_videos import EvaluationVideos
from robustvos.errors import DataNotFound, UserError


def names_tested(data: CorruptedVOS) -> list[str]:
    return [video.name for video in data.test_dataloader()]


@pytest.mark.parametrize(
    ("videos", "kept"),
    [
        ("dog", ["dog"]),
        ("*a*", ["bear", "swan"]),
        (["swan", "b???"], ["bear", "swan"]),
        (None, ["bear", "dog", "swan"]),
    ],
)
def test_named_videos_alone_are_trained_on_tested_and_counted(tree, videos, kept):
    train = TrainingClips(frames=2, frames_per_batch=2, size=32)
    data = CorruptedVOS(root=tree.root, train=train, videos=videos)
    assert names_tested(data) == [video.name for video in data.predict_dataloader()] == kept
    assert sorted(batch.names[0].split("/")[1] for batch in data.train_dataloader()) == kept
    assert sizes_of(data)[0].clips == len(kept)


def test_filter_leaves_lists_and_their_order_alone_and_comes_before_the_limit(tree):
    tree.list("train.txt", "swan", "bear")
    tree.list("val.txt", "dog")
    data = CorruptedVOS(root=tree.root, videos=["bear", "d*"])
    assert [record.name for _, record in data.videos("train")] == ["bear"]
    assert names_tested(data) == ["dog"]
    alone = CorruptedVOS(root=tree.root, videos="swan")
    assert [record.name for _, record in alone.videos("train")] == ["swan"]
    with pytest.raises(DataNotFound, match="own: none of the videos for 'val' is called swan"):
        alone.test_dataloader()
    first = EvaluationVideos(limit=1, image_set="train.txt")
    assert names_tested(CorruptedVOS(root=tree.root, videos="b*", test=first)) == ["bear"]


def test_pattern_may_fit_one_of_several_sets_alone(tree, make_tree, moving_boxes):
    other = make_tree("other")
    other.video("cat", moving_boxes(2))
    roots = {"own": tree.root, "other": other.root}
    assert names_tested(CorruptedVOS(roots=roots, videos=["cat", "dog"])) == ["own_dog", "other_cat"]


@pytest.mark.parametrize("stage", ["fit", "test"])
def test_pattern_that_fits_nothing_says_what_is_there(tree, stage):
    data = CorruptedVOS(root=tree.root, videos=["dog", "Bear"])
    with pytest.raises(DataNotFound, match=r"none of 3 in own is called 'Bear'; there are bear, dog, swan") as caught:
        data.setup(stage)
    assert "\n" not in str(caught.value)
    for nothing in ([], ""):
        with pytest.raises(UserError, match="names no video"):
            CorruptedVOS(root=tree.root, videos=nothing)


def test_rendered_copies_are_filtered_under_every_corruption(make_tree, moving_boxes, tmp_path):
    for corruption in ("fog", "rain"):
        made = make_tree(f"copies/{corruption}")
        for name in ("davis_bear", "mose_1a"):
            made.video(name, moving_boxes(2))
    settings = EvaluationVideos(conditions=("fog", "rain"))
    data = CorruptedVOS(root=tmp_path / "copies", rendered=True, test=settings, videos="davis_*")
    assert [(video.corruption, video.name) for video in data.test_dataloader()] == [
        ("fog", "davis_bear"),
        ("rain", "davis_bear"),
    ]
