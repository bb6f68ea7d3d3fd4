"""Some videos of a dataset, by name or pattern."""

from dataclasses import replace

import pytest

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.datasets.vos.videos import FolderEvaluation
from robustvos.errors import DataNotFound, UserError

pytestmark = pytest.mark.fast


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
def test_named_videos_alone_are_trained_on_and_tested(tree, videos, kept):
    train = TrainingClips(frames=2, frames_per_batch=2, size=32)
    chosen = FolderEvaluation(select=videos)
    data = CorruptedVOS(root=tree.root, train=replace(train, select=videos), test=chosen)
    assert names_tested(data) == [video.name for video in data.predict_dataloader()] == kept
    assert sorted(batch.names[0].split("/")[1] for batch in data.train_dataloader()) == kept


def test_filter_leaves_lists_and_their_order_alone_and_comes_before_the_limit(tree):
    tree.list("train.txt", "swan", "bear")
    tree.list("val.txt", "dog")
    data = CorruptedVOS(root=tree.root, train=TrainingClips(select=["b*"]), test=FolderEvaluation(select="d*"))
    assert [record.name for _, record in data.sets.of_training(data.train)] == ["bear"]
    assert names_tested(data) == ["dog"]
    with pytest.raises(DataNotFound, match="select: none of 1 in own is called 'swan'; there are dog"):
        CorruptedVOS(root=tree.root, test=FolderEvaluation(select="swan")).test_dataloader()
    first = FolderEvaluation(limit=1, image_set="train.txt", select="b*")
    assert names_tested(CorruptedVOS(root=tree.root, test=first)) == ["bear"]


def test_pattern_may_fit_one_of_several_sets_alone(tree, make_tree, moving_boxes):
    other = make_tree("other")
    other.video("cat", moving_boxes(2))
    roots = {"own": tree.root, "other": other.root}
    assert names_tested(CorruptedVOS(roots=roots, test=FolderEvaluation(select=["cat", "dog"]))) == [
        "own_dog",
        "other_cat",
    ]


def test_pattern_that_fits_nothing_says_what_is_there(tree):
    wrong = ["dog", "Bear"]
    data = CorruptedVOS(root=tree.root, train=TrainingClips(select=wrong), test=FolderEvaluation(select=wrong))
    for loader in (lambda: data.sets.of_training(data.train), data.test_dataloader):
        with pytest.raises(
            DataNotFound, match=r"none of 3 in own is called 'Bear'; there are bear, dog, swan"
        ) as caught:
            loader()
        assert "\n" not in str(caught.value)
    for nothing in ([], ""):
        with pytest.raises(UserError, match="names no video"):
            FolderEvaluation(select=nothing)


def test_rendered_copies_are_filtered_under_every_corruption(make_tree, moving_boxes, tmp_path):
    for corruption in ("fog", "rain"):
        made = make_tree(f"copies/{corruption}")
        for name in ("davis_bear", "mose_1a"):
            made.video(name, moving_boxes(2))
    settings = FolderEvaluation(conditions=("fog", "rain"), select="davis_*")
    data = CorruptedVOS(root=tmp_path / "copies", rendered=True, test=settings)
    assert [(video.corruption, video.name) for video in data.test_dataloader()] == [
        ("fog", "davis_bear"),
        ("rain", "davis_bear"),
    ]
