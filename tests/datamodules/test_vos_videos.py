import json

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from datamodules.corrupted_vos import CorruptedVOS
from robustvos.corruptions import corrupt_clip
from robustvos.datasets.vos.videos import FolderEvaluation
from robustvos.errors import BadMask, BadPrompt, BadVideo, DataNotFound, UnknownName, UserError
from robustvos.video.frames import read_frame


def videos_of(root, stage: str = "test", binary: bool = False, **settings):
    data = CorruptedVOS(root=root, test=FolderEvaluation(**settings), val=FolderEvaluation(**settings), binary=binary)
    return list(getattr(data, f"{stage}_dataloader")())


def test_every_video_comes_under_every_condition(tree):
    videos = videos_of(tree.root, conditions=("clean", "fog", "gauss_noise"))
    assert [(video.corruption, video.name) for video in videos] == [
        (condition, name) for condition in ("clean", "fog", "gauss_noise") for name in ("bear", "dog", "swan")
    ]


@pytest.mark.parametrize("stage", ["val", "test", "predict"])
def test_clean_frames_and_masks_are_those_of_the_files(tree, stage):
    video = videos_of(tree.root, stage)[1]
    assert (video.name, video.size, video.object_ids, len(video.frames)) == ("dog", (48, 64), (1, 2), 6)
    assert video.frame_names == tuple(f"{t:05d}" for t in range(6))
    for t in (0, 5):
        assert torch.equal(video.frames[t], read_frame(tree.root / "JPEGImages" / "dog" / f"{t:05d}.jpg"))
        ids = np.asarray(Image.open(tree.root / "Annotations" / "dog" / f"{t:05d}.png"))
        assert torch.equal(video.masks[t], torch.from_numpy(np.stack([ids == 1, ids == 2])))


def test_corrupted_frames_are_those_of_the_corruption_on_the_whole_clip(tree):
    clean, snowy = (videos_of(tree.root, conditions=(name,), severity=2.0)[0] for name in ("clean", "snow"))
    frames = torch.stack(list(clean.frames))
    expected = corrupt_clip(frames, "snow", clip_name="bear", severity=2.0)
    assert torch.equal(torch.stack(list(snowy.frames)), expected)
    assert not torch.equal(expected, frames)


def test_each_object_is_prompted_where_it_is_first_seen(tree):
    video = videos_of(tree.root, prompt="box")[0]
    assert [(prompt.object_id, prompt.frame) for prompt in video.prompts] == [(1, 0), (2, 2)]
    assert video.prompts[1].box.tolist() == [30, 34, 49, 45]


def test_prompt_file_names_videos_and_objects_and_what_it_leaves_out_is_counted(
    make_tree, moving_boxes, capsys, tmp_path
):
    made = make_tree("own")
    for name in ("bear", "dog"):
        made.video(name, moving_boxes()[2:])
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"dog": {"2": [[35, 40], [36, 41], [45, 42]]}}))
    clean, foggy = videos_of(made.root, prompt=str(file), conditions=("clean", "fog"))
    for video in (clean, foggy):
        (prompt,) = video.prompts
        assert (video.name, video.object_ids, prompt.object_id, prompt.frame) == ("dog", (2,), 2, 0)
        assert prompt.points.tolist() == [[35, 40], [36, 41], [45, 42]]
        assert all(video.masks[0][0, int(y), int(x)] for x, y in prompt.points)
    said = capsys.readouterr().out
    assert "1 of 2 clips are not in prompts.json" in said and "dog (1)" in said
    file.write_text(json.dumps({"dog": {"9": [[1, 1]]}}))
    with pytest.raises(BadPrompt, match=r"'dog': objects \[9\] are not in"):
        videos_of(made.root, prompt=str(file))


def test_what_decides_figures_is_told(tree):
    data = CorruptedVOS(root=tree.root, test=FolderEvaluation(severity=1.5, max_objects=2, join_frames=9, limit=1))
    expected = {"objects up to": "2", "joined to frames": "9", "preset": "intended", "severity": "1.5"}
    assert data.evaluation_facts("test") == expected
    assert data.evaluation_facts("val") == {"preset": "intended", "severity": "3"}


def test_prompt_files_are_told_by_name_and_content_not_by_folder(tree, tmp_path):
    told = []
    for folder, point in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.json").write_text(json.dumps({"dog": {"1": [[point, 10]]}}))
        data = CorruptedVOS(root=tree.root, test=FolderEvaluation(prompt=str(tmp_path / folder / "p.json")))
        told.append(data.prompt_of("test"))
    assert told[0] == told[1] != told[2]
    assert told[0].startswith("file p.json (")


def test_empty_first_mask_moves_the_prompts_and_no_object_at_all_is_an_error(make_tree, moving_boxes):
    nothing = np.zeros((48, 64), np.uint8)
    own = make_tree("late")
    own.video("a", [nothing, *moving_boxes(2)])
    with pytest.warns(UserWarning, match="'a': the mask of frame 0 is empty; its objects are prompted from frame 1 on"):
        video = videos_of(own.root)[0]
    assert [(p.object_id, p.frame) for p in video.prompts] == [(1, 1)]
    with pytest.raises(BadMask, match="'a': no object in 1 annotated frame"):
        videos_of(own.root, max_frames=1)


def test_video_annotated_on_its_first_frame_alone_has_no_other_truth(make_tree, moving_boxes):
    own = make_tree("semi")
    own.video("a", [moving_boxes()[3], None, None])
    (video,) = videos_of(own.root, "predict")
    assert [mask is None for mask in video.masks] == [False, True, True]
    assert [(p.object_id, p.frame) for p in video.prompts] == [(1, 0), (2, 0)]
    assert len(list(video.frames)) == 3


def test_videos_and_frames_can_be_limited_and_chosen(tree):
    tree.list("few.txt", "swan", "dog")
    assert [video.name for video in videos_of(tree.root, image_set="few.txt")] == ["swan", "dog"]
    assert [video.name for video in videos_of(tree.root, image_set="few.txt", limit=1)] == ["swan"]
    video = videos_of(tree.root, max_frames=2)[0]
    assert (len(video.frames), len(video.masks), len(video.frame_names), video.object_ids) == (2, 2, 2, (1,))
    tree.list("wrong.txt", "swan", "goat")
    with pytest.raises(DataNotFound, match="goat"):
        videos_of(tree.root, image_set="wrong.txt")


def test_videos_of_several_sets_bear_their_names(tree, make_tree, moving_boxes):
    other = make_tree("other")
    other.video("bear", moving_boxes(2))
    roots = {"mine": tree.root, "yours": other.root}
    data = CorruptedVOS(roots=roots, val=FolderEvaluation(sets=("yours",)))
    videos = list(data.test_dataloader())
    assert [(v.name, v.tags["dataset"]) for v in videos][::3] == [("mine_bear", "mine"), ("yours_bear", "yours")]
    assert [video.name for video in data.val_dataloader()] == ["yours_bear"]
    assert data.name == "mine+yours"
    with pytest.raises(UnknownName, match="did you mean 'yours'"):
        CorruptedVOS(roots=roots, val=FolderEvaluation(sets=("your",))).val_dataloader()


def test_video_is_corrupted_and_prompted_alike_alone_among_other_sets_and_by_corrupt(
    tree, make_tree, moving_boxes, tmp_path
):
    other = make_tree("other")
    other.video("bear", moving_boxes(2))
    settings = FolderEvaluation(conditions=("gauss_noise",), prompt="points:2", limit=1)
    (alone,) = CorruptedVOS(root=tree.root, test=settings).test_dataloader()
    (among,) = CorruptedVOS(roots={"own": tree.root, "other": other.root}, test=settings).test_dataloader()
    assert (alone.name, among.name, among.corruption) == ("bear", "own_bear", "gauss_noise")
    assert torch.equal(torch.stack(list(among.frames)), torch.stack(list(alone.frames)))
    for one, same in zip(alone.prompts, among.prompts, strict=True):
        assert torch.equal(one.points, same.points)
    copy = ["corrupt", tree.root, tmp_path / "copies", "--corruption", "gauss_noise", "--quality", "0"]
    assert cli.main([str(token) for token in copy]) == 0
    assert torch.equal(among.frames[3], read_frame(tmp_path / "copies/gauss_noise/JPEGImages/bear/00003.png"))


def test_joined_videos_of_several_sets_are_corrupted_as_in_their_own(make_tree, moving_boxes):
    street = make_tree("street")
    for k in (1, 2):
        street.video(f"a.-{k}", moving_boxes(2))
    settings = FolderEvaluation(conditions=("gauss_noise",), join_frames=4)
    (alone,) = CorruptedVOS(root=street.root, test=settings).test_dataloader()
    both = CorruptedVOS(roots={"x": street.root, "y": street.root}, test=settings).test_dataloader()
    for video in both:
        assert torch.equal(torch.stack(list(video.frames)), torch.stack(list(alone.frames)))
    assert [video.name for video in both] == ["x_a.-1to2", "y_a.-1to2"]


def test_masks_that_are_white_alone_name_the_remedy_and_void_is_no_object(make_tree, moving_boxes):
    own = make_tree("davis2016")
    own.video("a", [np.where(ids > 0, 255, 0) for ids in moving_boxes()])
    with pytest.raises(BadMask, match=r"void; .* --data\.binary true"):
        videos_of(own.root)
    (video,) = videos_of(own.root, binary=True)
    assert video.object_ids == (1,)
    assert torch.equal(video.masks[3][0], torch.from_numpy(moving_boxes()[3] > 0))
    assert video.masks.void(3) is None


def test_broken_files_are_named_when_they_are_met(tree):
    tree.mask("dog", 3, np.ones((24, 32)))
    frame = tree.root / "JPEGImages" / "swan" / "00004.jpg"
    frame.write_bytes(frame.read_bytes()[:300])
    loader = CorruptedVOS(root=tree.root).test_dataloader()
    with pytest.raises(BadMask, match=r"dog/00003\.png is 32x24, but the frames are 64x48"):
        loader.dataset[1]
    video = loader.dataset[2]
    assert video.frames[3].shape == (3, 48, 64)
    with pytest.raises(BadVideo, match=r"swan/00004\.jpg: cannot be decoded"):
        video.frames[4]


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"conditions": ("smog",)}, UnknownName), ({"prompt": "finger"}, UnknownName), ({"limit": 0}, UserError)],
)
def test_unknown_conditions_prompts_and_limits_are_refused(settings, error):
    with pytest.raises(error):
        FolderEvaluation(**settings)


def test_truth_that_is_no_more_than_the_prompts_is_refused(make_tree, moving_boxes):
    """The annotations that YouTube-VOS publishes of its validation videos."""
    made = make_tree("first")
    for name in ("a", "b", "c"):
        made.video(name, [*moving_boxes(1), None, None])
    data = CorruptedVOS(root=made.root)
    for loader in (data.val_dataloader, data.test_dataloader):
        with pytest.raises(DataNotFound, match="3 of 3 videos have a mask on one frame alone.*a, b, c.*run predict"):
            loader()
    assert len(list(data.predict_dataloader())) == 3
    for name in ("d", "e", "f"):
        made.video(name, moving_boxes(3))
    assert len(list(CorruptedVOS(root=made.root).test_dataloader())) == 6


def test_white_of_an_indexed_mask_is_told_as_not_known(tree):
    (video, *_) = list(CorruptedVOS(root=tree.root).test_dataloader())
    assert video.masks.void(0) is None
    path = video.masks.paths[0]
    ids = np.array(Image.open(path))
    ids[:2, :3] = 255
    Image.fromarray(ids).save(path)
    assert video.masks.void(0).nonzero().tolist() == [[y, x] for y in (0, 1) for x in (0, 1, 2)]
