"""Masks on disk: what a reader finds is what the tracker said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image

from callbacks.mask_writer import MaskWriter
from robustvos.errors import BadVideo, UnsafePath
from robustvos.video.masks import masks_from_ids, read_indexed_mask, read_overlapping_masks
from robustvos.video.palette import davis_palette

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_indexed_masks_read_back_as_tracked(run, moga_system, make_video, stage):
    videos = [make_video(objects=(2, 7)), make_video(objects=(2, 7), corruption="fog")]
    folder, witness = run(stage, moga_system, videos, [MaskWriter()])
    written = sorted(path.relative_to(folder / "masks").as_posix() for path in (folder / "masks").rglob("*"))
    names = [f"{5 * t:05d}.png" for t in range(5)]
    clips = ["clip", "clip@fog"]
    assert written == sorted([*clips, *(f"{clip}/{name}" for clip in clips for name in names)])
    for (_, corruption, t), found in witness.masks.items():
        path = folder / "masks" / ("clip@fog" if corruption == "fog" else "clip") / names[t]
        masks = masks_from_ids(read_indexed_mask(path), (2, 7))
        assert torch.equal(masks, torch.stack([found[2], found[7]]))


def test_colours_are_those_of_davis(run, moga_system, make_video):
    folder, _ = run("test", moga_system, [make_video(frames=1)], [MaskWriter()])
    with Image.open(folder / "masks" / "clip" / "00000.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[:9] == [channel for colour in davis_palette()[:3] for channel in colour]


def test_amodal_task_has_one_folder_per_object_on_every_frame(run, moga_system, make_video):
    video = make_video(prompted=(0, 2))
    video = make_video(prompted=(0, 2), amodal=video.masks)
    folder, witness = run("test", moga_system, [video], [MaskWriter()], task="amodal")
    assert sorted(p.name for p in (folder / "masks" / "clip").iterdir()) == ["1", "2"]
    for t, name in enumerate(video.frame_names):
        found = witness.masks["clip", "clean", t]
        masks = read_overlapping_masks(folder / "masks" / "clip", (1, 2), name)
        assert torch.equal(masks[0], found[1])
        assert torch.equal(masks[1], found[2] if t >= 2 else torch.zeros(video.size, dtype=torch.bool))


def test_nothing_is_written_in_validation_or_when_off(run, moga_system, make_video):
    for stage, writer in (("validate", MaskWriter()), ("test", MaskWriter(enabled=False))):
        folder, _ = run(stage, moga_system, [make_video(frames=2)], [writer])
        assert not (folder / "masks").exists()


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp/robustvos-elsewhere", ".."])
@pytest.mark.parametrize("of", ["video", "frame"])
def test_names_that_lead_out_of_the_run_are_refused_whatever_dataset_gives_them(run, moga_system, make_video, name, of):
    video = make_video(name, frames=1) if of == "video" else make_video(frames=1, frame_names=(f"{name}/x",))
    with pytest.raises(UnsafePath, match="lies outside of"):
        run("predict", moga_system, [video], [MaskWriter()])


class Told(list):
    """Frames that say when one of them is read."""

    def __init__(self, frames, index, say):
        super().__init__(frames)
        self.index, self.say = index, say

    def __getitem__(self, index):
        if index == self.index:
            self.say()
        return super().__getitem__(index)


def left(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("task", ["modal", "amodal"])
def test_a_video_that_fails_leaves_no_masks_and_the_others_theirs(run, moga_system, make_video, tmp_path, task):
    def named(name):
        video = make_video(name, frames=3)
        return replace(video, amodal=video.masks) if task == "amodal" else video

    seen = []

    def tear():
        seen.extend(tmp_path.rglob("*"))
        raise BadVideo("torn.mp4: frame 2 cannot be decoded")

    torn = named("torn")
    videos = [named("first"), replace(torn, frames=Told(torn.frames, 2, tear)), named("last")]
    folder, _ = run("test", moga_system, videos, [MaskWriter()], task=task)
    assert any(path.name == "00005.png" and "/." in str(path) for path in seen)  # half of it was there, out of sight
    assert not any("masks/torn" in str(path) for path in seen)
    objects = ("1/", "2/") if task == "amodal" else ("",)
    names = [f"{name}/{o}{5 * t:05d}.png" for name in ("first", "last") for o in objects for t in range(3)]
    assert left(folder / "masks") == names
    assert sorted(path.name for path in (folder / "masks").iterdir()) == ["first", "last"]


def test_a_prediction_that_is_stopped_leaves_no_half_of_a_video(run, moga_system, make_video, tmp_path):
    def stop():
        raise KeyError("stopped")

    torn = make_video("torn", frames=4)
    torn = replace(torn, frames=Told(torn.frames, 2, stop))
    with pytest.raises(KeyError):
        run("predict", moga_system, [make_video("whole", frames=2), torn], [MaskWriter()])
    (masks,) = tmp_path.rglob("masks")
    assert left(masks) == ["whole/00000.png", "whole/00005.png"]
    assert [path.name for path in masks.iterdir()] == ["whole"]


def test_masks_of_a_video_that_is_tracked_again_replace_those_that_were_there(run, moga_system, make_video, tmp_path):
    """As a test does that goes on, killed between the video's last mask and its entry in the journal."""

    def leave():
        (hidden,) = tmp_path.rglob(".*.tmp")
        (hidden.parent / "clip").mkdir()
        (hidden.parent / "clip" / "99999.png").touch()

    video = make_video(frames=2)
    folder, _ = run("test", moga_system, [replace(video, frames=Told(video.frames, 0, leave))], [MaskWriter()])
    assert left(folder / "masks") == ["clip/00000.png", "clip/00005.png"]
