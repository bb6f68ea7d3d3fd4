"""Local corruptions: they touch the things they should, follow from seed, clip and frame, and grow with severity."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.corruptions import CorruptedFrames, DepthLayers, Layers, corrupt_clip, names_of
from robustvos.corruptions.base import ClipSpec
from robustvos.corruptions.local import DepthFog, LensDrops, LocalBlur, LowLight, Mixed, random_part
from robustvos.errors import UnknownName, UserError

pytestmark = pytest.mark.fast

SIZE, LENGTH = (64, 80), 5
LOCAL = names_of(["local"])
every_kind = pytest.mark.parametrize("name", LOCAL)


@pytest.fixture(scope="module")
def layers():
    """A near square and a far bar over the background; the square moves."""
    masks = np.zeros((LENGTH, 2, *SIZE), bool)
    for t in range(LENGTH):
        masks[t, 0, 40:56, 4 + t : 24 + t] = True
        masks[t, 1, 4:14, 40:76] = True
    return Layers.from_masks(masks, np.array([0.1, 0.8], np.float32))


@pytest.fixture(scope="module")
def clip():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(40, 160, (LENGTH, 3, *SIZE)).astype(np.uint8))


def difference(one, other):
    return (one.float() - other.float()).abs().mean().item()


@every_kind
def test_equal_arguments_give_equal_bits_and_others_do_not(clip, layers, name):
    first = corrupt_clip(clip, name, layers=layers, clip_name="a", seed=3)
    assert torch.equal(first, corrupt_clip(clip, name, layers=layers, clip_name="a", seed=3))
    assert not torch.equal(first, corrupt_clip(clip, name, layers=layers, clip_name="b", seed=3))
    assert not torch.equal(first, corrupt_clip(clip, name, layers=layers, clip_name="a", seed=4))


@every_kind
def test_any_order_gives_the_same_frames_and_leaves_the_input(clip, layers, name):
    before = clip.clone()
    whole = corrupt_clip(clip, name, layers=layers, clip_name="a")
    order = [3, 0, 4]
    assert torch.equal(corrupt_clip(clip[order], name, layers=layers, clip_name="a", indices=order), whole[order])
    assert torch.equal(clip, before)
    assert whole.dtype == torch.uint8 and whole.shape == clip.shape


@every_kind
def test_severity_scales_the_change(clip, layers, name):
    changes = [
        np.mean(
            [difference(clip, corrupt_clip(clip, name, layers=layers, clip_name=f"{n}", severity=s)) for n in range(6)]
        )
        for s in (0.1, 1.0, 3.0, 5.0)
    ]
    assert changes == sorted(changes) and changes[0] < 0.5 * changes[2]


def test_fog_follows_the_law_of_depth(clip, layers):
    fog = DepthFog(ClipSpec("a", LENGTH, SIZE, layers=layers))
    got = fog.apply(clip)
    for name, (rows, columns), depth in (
        ("near", (slice(46, 50), slice(12, 18)), 0.1),
        ("far", (slice(7, 11), slice(50, 66)), 0.8),
        ("background", (slice(24, 34), slice(30, 50)), 1.0),
    ):
        clear = np.exp(-fog.density[0] * depth)
        wanted = clip[0][:, rows, columns].double() * clear + float(fog.light) * (1 - clear)
        assert torch.allclose(got[0][:, rows, columns].double(), wanted, atol=1.0), name


@pytest.mark.parametrize("kind", [LowLight, LocalBlur])
def test_what_is_far_from_a_hit_thing_stays_as_it_is(clip, layers, kind):
    spec = ClipSpec("a", LENGTH, SIZE, severity=1.0, layers=layers)
    got = kind(spec, np.array([False, True, False])).apply(clip)
    assert torch.equal(got[:, :, :20, 50:], clip[:, :, :20, 50:])
    assert difference(got[2, :, 42:54, 8:24], clip[2, :, 42:54, 8:24]) > 10


def test_darkness_is_the_gain_inside_a_thing(layers):
    flat = torch.full((LENGTH, 3, *SIZE), 200, dtype=torch.uint8)
    low = LowLight(ClipSpec("a", LENGTH, SIZE, layers=layers), np.array([False, True, False]))
    inside = low.apply(flat)[0, :, 44:52, 8:20].float()
    assert 0.12 <= float(low.gain) <= 0.3
    assert inside.mean().item() == pytest.approx(200 * float(low.gain), abs=2.0)
    assert inside.std().item() == pytest.approx(float(low.sigma), rel=0.2)


def test_blur_keeps_the_mean_and_takes_the_detail(clip, layers):
    got = LocalBlur(ClipSpec("a", LENGTH, SIZE, layers=layers), np.ones(3, bool)).apply(clip)
    assert got.float().mean().item() == pytest.approx(clip.float().mean().item(), abs=1.0)
    assert got.float().std().item() < 0.3 * clip.float().std().item()


def test_drops_leave_most_of_the_frame(clip, layers):
    drops = LensDrops(ClipSpec("a", LENGTH, SIZE, layers=layers))
    changed = (drops.apply(clip) != clip).any(1).float().mean().item()
    discs = float(np.pi * (drops.radius**2).sum() / (SIZE[0] * SIZE[1]))  # they may overlap, and leave the frame
    assert 0 < changed <= discs + 0.02


def test_fates_of_neighbours_differ():
    labels = np.zeros((1, 16, 16), np.uint8)
    layers = Layers(labels, np.linspace(1, 0, 4).astype(np.float32))
    for number in range(20):
        blur, dark, fog = Mixed(ClipSpec(f"{number}", 1, (16, 16), layers=layers)).parts[:3]
        fates = blur.hit.astype(int) + dark.hit.astype(int) + (fog.hit & (layers.depth > 0))
        assert blur.hit.sum() == dark.hit.sum() == 1 and fates.max() == 1


def test_a_part_is_never_all_or_nothing():
    parts = np.array([random_part(np.random.default_rng(n), 3) for n in range(50)])
    assert set(parts.sum(1)) == {1, 2}


def test_depth_maps_serve_as_layers(clip):
    depth = np.linspace(0, 1, SIZE[1], dtype=np.float32)[None, None].repeat(LENGTH, 0).repeat(SIZE[0], 1)
    foggy = corrupt_clip(torch.full_like(clip, 20), "depth_fog", layers=DepthLayers(depth), clip_name="a").float()
    columns = foggy.mean((0, 1, 2))
    assert columns[70] > columns[40] > columns[2]


def test_unfit_arguments_are_refused(clip, layers):
    with pytest.raises(UnknownName, match="lens_drops"):
        corrupt_clip(clip, "lens_drop", layers=layers, clip_name="a")
    with pytest.raises(UserError, match="severity 6"):
        corrupt_clip(clip, "mixed", layers=layers, clip_name="a", severity=6)
    with pytest.raises(ValueError, match="do not fit"):
        corrupt_clip(clip[:, :, :32], "mixed", layers=layers, clip_name="a")
    for make in (corrupt_clip, lambda frames, name, **of: CorruptedFrames(list(frames), name, **of)):
        with pytest.raises(UserError, match="'mixed' degrades each thing of a frame in its own way"):
            make(clip, "mixed", clip_name="a")
    with pytest.raises(ValueError, match="no depth"):
        Layers(np.full((1, 2, 2), 3, np.uint8), np.ones(3, np.float32))


def test_fog_follows_a_depth_map_pixel_by_pixel():
    """Layers are cut out of the map; the fog must not show where."""
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (1, 16, 1))
    foggy = DepthFog(ClipSpec("a", 1, (16, 64), layers=DepthLayers(ramp)))
    grey = torch.zeros(1, 3, 16, 64, dtype=torch.uint8)
    row = foggy.apply(grey)[0, 0, 8].double().numpy()
    clear = np.exp(-float(foggy.density[0]) * np.linspace(0, 1, 64))
    np.testing.assert_allclose(row, float(foggy.light) * (1 - clear), atol=1.0)


@pytest.mark.parametrize("name", ["low_light", "local_blur"])
def test_of_a_depth_map_with_few_levels_a_part_suffers_and_a_part_does_not(name):
    """Bands that no pixel has must not be drawn, or nothing would be degraded, or everything."""
    halves = np.zeros((1, 32, 64), np.float32)
    halves[..., 32:] = 1.0
    layers = DepthLayers(halves)
    assert sorted(layers.depth) == pytest.approx([1 / 16, 15 / 16])
    frames = torch.randint(60, 200, (1, 3, 32, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for number in range(30):
        out = corrupt_clip(frames, name, layers=layers, clip_name=f"{number}", severity=1.0)
        change = (out.float() - frames.float()).abs().mean((0, 1, 2))
        left, right = change[:24].mean(), change[40:].mean()
        assert max(left, right) > 4 and min(left, right) < 0.5 * max(left, right)


@pytest.mark.parametrize("name", LOCAL)
def test_frames_degraded_one_by_one_are_those_of_the_whole_clip(clip, layers, name):
    whole = corrupt_clip(clip, name, layers=layers, clip_name="a", severity=4.0)
    single = CorruptedFrames(list(clip), name, layers=layers, clip_name="a", severity=4.0)
    assert len(single) == len(clip)
    assert torch.equal(single[-1], whole[-1]) and torch.equal(torch.stack(single[1:3]), whole[1:3])
    with pytest.raises(ValueError, match="layers for the 1 frames"):
        CorruptedFrames(list(clip[:1]), name, layers=layers, clip_name="a")


def test_depth_maps_are_read_when_they_are_asked_for():
    asked: list[int] = []

    class Maps(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    maps = Maps(np.tile(np.linspace(0, 1, 16, dtype=np.float32), (8, 1)) for _ in range(50))
    frames = CorruptedFrames(
        [torch.zeros(3, 8, 16, dtype=torch.uint8)] * 50, "mixed", layers=DepthLayers(maps), clip_name="a"
    )
    assert asked == [0]
    frames[7]
    assert asked == [0, 7]
