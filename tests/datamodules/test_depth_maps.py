"""Depth maps beside a dataset: what is far and what is near suffers apart, on any video."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.corruptions import corrupt_clip, names_of
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.datasets.vos.depth_maps import depth_layers
from robustvos.datasets.vos.videos import FolderEvaluation
from robustvos.errors import BadVideo, DataNotFound, UserError

LOCAL = names_of(["local"])


def write_depth(folder: Path, tree, dtype=np.uint16) -> Path:
    """The left half of each frame is near, the right half far."""
    for frame in tree.root.glob("JPEGImages/*/*.jpg"):
        path = folder / frame.parent.name / f"{frame.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        depth = np.zeros((48, 64), dtype)
        depth[:, 32:] = np.iinfo(dtype).max
        cv2.imwrite(str(path), depth)
    return folder


def videos_of(tree, depth: Path | None, *conditions: str, video: str | None = None):
    """Videos by condition, the last of each; or the one of that name, under the last condition."""
    test = FolderEvaluation(conditions=("clean", *conditions), severity=5.0, select=video)
    found = list(CorruptedVOS(tree.root, test=test, depth=depth).test_dataloader())
    return found[-1] if video is not None else {one.corruption: one for one in found}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_fog_covers_what_is_far(tree, tmp_path, dtype):
    videos = videos_of(tree, write_depth(tmp_path / "depth", tree, dtype), "depth_fog", "fog")
    clean, foggy = (torch.stack(list(videos[name].frames)).float() for name in ("clean", "depth_fog"))
    change = (foggy - clean).abs().mean((0, 1, 2))
    assert change[40:].mean() > 4 * change[:24].mean()
    assert len(videos["fog"].frames) == 6, "the eight go on beside them"


def test_every_local_corruption_can_be_tested_and_trained_on(tree, tmp_path):
    depth = write_depth(tmp_path / "depth", tree)
    videos = videos_of(tree, depth, *LOCAL)
    clean = torch.stack(list(videos["clean"].frames))
    assert set(videos) == {"clean", *LOCAL}
    assert all(not torch.equal(torch.stack(list(videos[name].frames)), clean) for name in LOCAL)
    train = TrainingClips(frames=3, frames_per_batch=3, repeats=4, size=32, corruption=Corruption(names=("local",)))
    clips = CorruptedVOS(tree.root, train=train, depth=depth).train_dataloader().dataset
    seen = [clips[i] for i in range(len(clips))]
    assert {clip.corruption for clip in seen} > {"depth_fog"}
    assert torch.equal(clips[5].frames, seen[5].frames)


def test_without_depth_maps_they_are_refused_at_once(tree):
    with pytest.raises(UserError, match="'mixed' .*--data shapes, or give depth maps .*--data.depth FOLDER"):
        videos_of(tree, None, "mixed")
    train = TrainingClips(frames=3, size=32, corruption=Corruption(names=("all", "local")))
    with pytest.raises(UserError, match="--data.depth"):
        CorruptedVOS(tree.root, train=train).train_dataloader()


def test_a_missing_or_unfit_depth_map_is_named(tree, tmp_path):
    depth = write_depth(tmp_path / "depth", tree)
    victim = depth / "bear" / "00002.png"
    for content, said in (
        (cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes(), "uint8 with 3 channel.*grey PNG"),
        (cv2.imencode(".png", np.zeros((24, 32), np.uint8))[1].tobytes(), "32x24, but the frames are 64x48"),
        (b"no picture", "not readable"),
        (b"", "not readable"),
    ):
        victim.write_bytes(content)
        with pytest.raises(BadVideo, match=f"bear/00002.png is {said}"):
            list(videos_of(tree, depth, "depth_fog", video="bear").frames)
    victim.unlink()
    with pytest.raises(DataNotFound, match="depth maps of 6 frames in .*bear, 1 are missing: 00002.png; --data.depth"):
        videos_of(tree, depth, "depth_fog")


@pytest.mark.parametrize("reverse", [0.0, 1.0])
def test_a_training_clip_suffers_as_that_part_of_the_video(make_tree, moving_boxes, tmp_path, reverse):
    made = make_tree("square")
    made.video("walk", moving_boxes(24, (48, 48)), (48, 48))
    depth = tmp_path / "depth"
    for t in range(24):  # the near part grows from frame to frame
        path = depth / "walk" / f"{t:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.where(np.arange(48) < 2 * t, 0, 255).astype(np.uint8)[None].repeat(48, 0))
    fog = Corruption(names=("depth_fog",))
    train = TrainingClips(frames=4, frames_per_batch=4, size=48, corruption=fog, reverse=reverse)
    clip = CorruptedVOS(made.root, train=train, depth=depth).train_dataloader().dataset[0]
    shown = int(clip.name.split("/")[-2])
    places = [shown - t for t in range(4)] if reverse else [shown + t for t in range(4)]
    frames = torch.stack(list(next(iter(CorruptedVOS(made.root).test_dataloader())).frames))[places]
    layers = depth_layers(depth, [Path(f"walk/{t:05d}.jpg") for t in range(24)], (48, 48))
    expected = corrupt_clip(frames, "depth_fog", layers=layers, clip_name=clip.name, indices=places)
    assert torch.equal(clip.frames, expected)
