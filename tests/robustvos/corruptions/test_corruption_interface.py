"""What goes in, what comes out, and what is refused."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
import torch

from robustvos.corruptions import (
    CORRUPTIONS,
    PRESETS,
    ROBUSTPVOS8,
    CorruptedFrames,
    Corruption,
    DepthLayers,
    corrupt_clip,
    names_of,
)
from robustvos.errors import UnknownName, UserError

pytestmark = pytest.mark.fast

EIGHT = {
    "color_jitter",
    "gauss_noise",
    "iso_noise",
    "motion_blur",
    "resampling_blur",
    "fog",
    "rain",
    "snow",
}


def grey(frames: int, height: int, width: int) -> torch.Tensor:
    return torch.full((frames, 3, height, width), 90, dtype=torch.uint8)


def test_the_benchmark_has_eight_and_a_plugin_is_not_among_them(monkeypatch):
    class Dusk(CORRUPTIONS["fog"]):
        name = "dusk"

    before = names_of(["local"])
    monkeypatch.setitem(CORRUPTIONS, "dusk", Dusk)
    assert set(ROBUSTPVOS8) == set(names_of(["robustpvos8"])) == EIGHT
    of_a_frame = {name for name, kind in CORRUPTIONS.items() if not kind.needs_layers}
    assert set(names_of(["all"])) == of_a_frame >= {*EIGHT, "night", "dusk"}
    assert names_of(["local"]) == before and set(names_of(["all", "local"])) == set(CORRUPTIONS)
    assert all(kind.name == name for name, kind in CORRUPTIONS.items())
    assert names_of(["fog", "robustpvos8", "what", "fog"])[0] == "fog" and names_of(["what"]) == ("what",)


def test_combination_is_its_parts_one_after_the_other():
    frames = torch.randint(0, 256, (4, 3, 40, 56), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    of = {"clip_name": "a", "seed": 3, "severity": 4.0, "preset": "release"}
    foggy = corrupt_clip(frames, "fog", **of)
    both = corrupt_clip(frames, "fog+rain", **of)
    assert torch.equal(both, corrupt_clip(foggy, "rain", **of))
    assert not torch.equal(both, foggy) and not torch.equal(both, corrupt_clip(frames, "rain+fog", **of))
    lazy = CorruptedFrames(list(frames), "fog+rain", **of)
    assert torch.equal(lazy[2], both[2]) and torch.equal(pickle.loads(pickle.dumps(lazy))[3], both[3])
    alone = corrupt_clip(frames[2:3], "fog+rain", **of, indices=[2], length=4)
    assert torch.equal(alone[0], both[2])


def test_combination_with_a_part_that_needs_layers():
    frames = torch.full((2, 3, 16, 16), 90, dtype=torch.uint8)
    layers = DepthLayers(np.linspace(0, 1, 16, dtype=np.float32)[None, None].repeat(2, 0).repeat(16, 1))
    both = corrupt_clip(frames, "rain+depth_fog", clip_name="a", layers=layers)
    rainy = corrupt_clip(frames, "rain", clip_name="a")
    assert torch.equal(both, corrupt_clip(rainy, "depth_fog", clip_name="a", layers=layers))
    with pytest.raises(UserError, match="'rain.depth_fog' degrades each thing"):
        corrupt_clip(frames, "rain+depth_fog", clip_name="a")


@pytest.mark.parametrize("name", ["fog+rian", "fog+", "+", "fog+clean", "clean+fog"])
def test_combination_of_what_is_not_known_is_refused(name):
    with pytest.raises(UnknownName, match=f"corruption in '{re.escape(name)}'"):
        CorruptedFrames([], name, clip_name="a")


def test_combination_names_each_part_once():
    with pytest.raises(UserError, match="'fog.rain.fog' names a corruption twice"):
        corrupt_clip(grey(1, 8, 8), "fog+rain+fog", clip_name="a")


def test_corruption_that_says_it_needs_layers_is_given_them():
    class Nearest(Corruption):
        name, needs_layers = "nearest", True

        def render(self, frame, index, out):
            out.copy_(frame * torch.from_numpy(self.clip.layers.depth_at(index) < 0.5))

    layers = DepthLayers(np.array([[[0.0, 1.0]]], np.float32))
    frames = torch.full((1, 3, 1, 2), 90, dtype=torch.uint8)
    got = Nearest.prepare("a", 1, (1, 2), layers=layers).apply(frames)
    assert got[0, 0].tolist() == [[90, 0]]
    with pytest.raises(ValueError, match="do not fit clip 'a' of 2 frames"):
        Nearest.prepare("a", 2, (1, 2), layers=layers)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [*ROBUSTPVOS8, "clean"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 3), (2, 31, 47), (1, 17, 200), (3, 96, 64)])
def test_type_and_shape_are_kept_at_any_size(name, preset, shape):
    frames = grey(*shape)
    before = frames.clone()
    corrupted = corrupt_clip(frames, name, clip_name="a", preset=preset, severity=5.0)
    assert corrupted.dtype == torch.uint8
    assert corrupted.shape == frames.shape
    assert torch.equal(frames, before)
    assert not corrupted.is_inference()


@pytest.mark.parametrize("name", [*ROBUSTPVOS8, "clean"])
def test_no_frames_give_no_frames(name):
    assert corrupt_clip(grey(0, 8, 8), name, clip_name="a").shape == (0, 3, 8, 8)
    assert list(CorruptedFrames([], name, clip_name="a")) == []


@pytest.mark.parametrize("name", sorted(EIGHT - {"color_jitter"}))
def test_extreme_frames_do_not_wrap_round(name):
    for level in (0, 255):
        frames = torch.full((2, 3, 48, 64), level, dtype=torch.uint8)
        corrupted = corrupt_clip(frames, name, clip_name="a", severity=5.0).float()
        # Fog and white particles may brighten black; nothing here may turn white dark.
        assert corrupted.mean() > 220 if level == 255 else corrupted.median() < 250


def test_clean_is_the_identity():
    frames = torch.randint(0, 256, (3, 3, 9, 11), dtype=torch.uint8)
    assert torch.equal(corrupt_clip(frames, "clean", clip_name="a"), frames)
    assert torch.equal(CorruptedFrames(list(frames), "clean", clip_name="a")[1], frames[1])


def test_unknown_corruption_is_named_with_the_nearest_known():
    with pytest.raises(UnknownName, match=r"unknown corruption 'fogg'; did you mean 'fog'\?"):
        corrupt_clip(grey(1, 8, 8), "fogg", clip_name="a")
    with pytest.raises(UnknownName, match="clean"):
        CorruptedFrames([], "sunshine", clip_name="a")


def test_unknown_preset_is_named():
    with pytest.raises(UnknownName, match="unknown preset 'released'"):
        corrupt_clip(grey(1, 8, 8), "fog", clip_name="a", preset="released")


@pytest.mark.parametrize("severity", [0.0, -1.0, 5.01, float("nan")])
def test_severity_outside_its_range_is_refused(severity):
    with pytest.raises(UserError, match="severity"):
        corrupt_clip(grey(1, 8, 8), "fog", clip_name="a", severity=severity)
    with pytest.raises(UserError, match="severity"):
        CorruptedFrames(list(grey(1, 8, 8)), "fog", clip_name="a", severity=severity)


@pytest.mark.parametrize(
    "frames",
    [torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)],
    ids=["float", "one channel", "no time"],
)
def test_frames_of_another_kind_are_refused(frames):
    with pytest.raises(ValueError, match="expects uint8 frames"):
        corrupt_clip(frames, "rain", clip_name="a")


def test_indices_must_fit():
    with pytest.raises(ValueError, match="as many indices"):
        corrupt_clip(grey(2, 8, 8), "rain", clip_name="a", indices=[0], length=5)
    for wrong in ([0, 5], [-1, 0]):
        with pytest.raises(ValueError, match="leave clip 'a' of 5"):
            corrupt_clip(grey(2, 8, 8), "rain", clip_name="a", indices=wrong, length=5)


def test_lazy_frames_end_where_the_video_ends():
    lazy = CorruptedFrames(list(grey(2, 8, 8)), "rain", clip_name="a")
    with pytest.raises(IndexError):
        lazy[2]


def test_lazy_frames_read_only_what_is_asked_for():
    class Film(list):
        read: list[int] = []  # noqa: RUF012

        def __getitem__(self, index):
            self.read.append(index)
            return super().__getitem__(index)

    film = Film(grey(5, 8, 8))
    _ = CorruptedFrames(film, "snow", clip_name="a")[3]
    assert film.read == [3]
