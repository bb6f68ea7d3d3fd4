"""Masks on disk: what a reader finds is what the tracker said."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from callbacks.mask_writer import MaskWriter
from robustvos.errors import UnsafePath
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
