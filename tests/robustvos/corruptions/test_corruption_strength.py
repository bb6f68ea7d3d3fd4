"""How strong the corruptions are, and that severity scales them."""

from __future__ import annotations

import pytest
import torch

from robustvos.corruptions import CORRUPTIONS, PRESETS, corrupt_clip

# Mean absolute difference in grey levels that the public renderer leaves on one smooth 360x640 image.
RELEASED = {
    "fog": 72.0,
    "gauss_noise": 54.0,
    "color_jitter": 43.0,
    "snow": 13.0,
    "rain": 10.0,
    "iso_noise": 7.4,
    "motion_blur": 1.3,
}


def smooth_image(height: int, width: int) -> torch.Tensor:
    """``(3, H, W)`` uint8: slow gradients of low saturation around 103, a soft ripple of 6 levels on them."""
    y, x = torch.meshgrid(torch.arange(height) / 360, torch.arange(width) / 360, indexing="ij")
    ripple = 6 * torch.sin(220 * x + 70 * y) + 6 * torch.sin(225 * y - 60 * x)
    slow = [108 + 19 * torch.sin(3 * x + 2 * y), 105 + 19 * torch.sin(3 * x + 2.2 * y + 0.2)]
    slow.append(101 + 19 * torch.sin(3.1 * x + 2 * y + 0.4))
    return (torch.stack(slow) + ripple).round().clamp(0, 255).to(torch.uint8)


def mean_change(image: torch.Tensor, name: str, preset: str, severity: float, clips: int) -> float:
    """Mean absolute difference over two frames of several clips."""
    changes = []
    for number in range(clips):
        corrupted = corrupt_clip(
            image.expand(2, *image.shape),
            name,
            clip_name=f"clip {number}",
            preset=preset,
            severity=severity,
            indices=[3, 15],
            length=24,
        )
        changes.append((corrupted.float() - image.float()).abs().mean())
    return float(torch.stack(changes).mean())


@pytest.mark.parametrize("name", RELEASED)
def test_release_is_as_strong_as_the_published_data(name):
    assert mean_change(smooth_image(360, 640), name, "release", 3.0, clips=40) == pytest.approx(
        RELEASED[name], rel=0.15
    )


def test_intended_gauss_noise_has_the_written_variance():
    assert mean_change(smooth_image(360, 640), "gauss_noise", "intended", 3.0, clips=10) == pytest.approx(8.3, rel=0.15)


def test_released_iso_noise_is_white_specks():
    image = smooth_image(360, 640)
    corrupted = corrupt_clip(image[None], "iso_noise", clip_name="a", preset="release")[0]
    changed = (corrupted != image).any(0)
    assert (corrupted[:, changed] == 255).all()
    assert (corrupted.float() - image.float()).std() == pytest.approx(29.0, rel=0.15)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_scales_strength(name, preset):
    image = smooth_image(120, 160)
    levels = [0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0]
    changes = [mean_change(image, name, preset, severity, clips=3) for severity in levels]
    assert changes == sorted(changes)
    assert len(set(changes)) == len(changes)
    assert changes[-1] > 1.2 * changes[1]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["rain", "snow", "fog", "color_jitter"])
def test_small_frames_are_as_strongly_corrupted_as_large_ones(name, preset):
    large = mean_change(smooth_image(360, 640), name, preset, 3.0, clips=12)
    small = mean_change(smooth_image(360, 640)[:, ::4, ::4], name, preset, 3.0, clips=12)
    assert small == pytest.approx(large, rel=0.25)
