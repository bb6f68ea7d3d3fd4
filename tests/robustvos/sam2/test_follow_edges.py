"""Masks from a coarse grid are brought to the edges of the frame, and to nothing else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.postprocessing import UPSAMPLING, exclusive_masks, follow_edges
from robustvos.sam2.tracker import track
from robustvos.types import Prompt

SIZE = (150, 203)


def scene(size: tuple[int, int] = SIZE, noise: float = 0.02) -> tuple[torch.Tensor, torch.Tensor]:
    """A bright cross on dark ground: the frame ``(3, H, W)`` uint8 and its mask ``(H, W)``."""
    rows, columns = (torch.arange(n).float() / n for n in size)
    upright, across = (columns - 0.5).abs() < 0.04, (rows - 0.4).abs() < 0.06
    inside = (upright[None] & ((rows - 0.5).abs() < 0.35)[:, None]) | (
        across[:, None] & ((columns - 0.5).abs() < 0.3)[None]
    )
    levels = torch.where(inside, 0.7, 0.3) + noise * torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    return (255 * levels).round().clamp(0, 255).byte(), inside


def coarse(mask: torch.Tensor, cells: int = 16) -> torch.Tensor:
    """Logits as a decoder's grid gives them: ``(H, W)``."""
    share = F.interpolate(mask[None, None].float(), (cells, cells), mode="bilinear", antialias=True)
    return F.interpolate(12 * share - 5, mask.shape, mode="bilinear")[0, 0]


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("size", [SIZE, (480, 853)])
def test_masks_come_closer_to_what_is_seen(size):
    frame, mask = scene(size)
    logits = coarse(mask, 24)
    followed = follow_edges(logits[None], frame)[0]
    assert followed.shape == logits.shape and followed.dtype == logits.dtype
    before, after = iou(logits > 0, mask), iou(followed > 0, mask)
    assert before < 0.9 and after > 0.5 + 0.5 * before  # half of what was wrong


def test_each_object_is_filtered_by_itself_and_none_is_moved_elsewhere():
    frame, mask = scene()
    first, second = coarse(mask), coarse(mask.roll(40, 1))
    nothing = torch.full(SIZE, -1024.0)
    together = follow_edges(torch.stack([first, nothing, second]), frame)
    assert torch.equal(together[0], follow_edges(first[None], frame)[0])
    assert torch.equal(together[1], nothing)
    assert torch.equal(together[2], follow_edges(second[None], frame)[0])
    assert follow_edges(first[:0].reshape(0, *SIZE), frame).shape == (0, *SIZE)
    small = torch.full(SIZE, -9.0)
    small[60:66, 90:96] = 9.0
    far = follow_edges(small[None], frame)[0]
    assert torch.equal(far[:, :60], small[:, :60])  # far from the mask


def drawn(kind: str, radius: int, contrast: float, noise: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A small or thin thing of a 480p frame: frame, mask, and logits that come from 88 cells a side."""
    rows, columns = torch.arange(480)[:, None] - 240, torch.arange(854)[None] - 427
    mask = rows**2 + columns**2 <= radius**2 if kind == "disc" else (rows.abs() <= radius) & (columns.abs() < 150)
    cells = 20 * F.interpolate(mask[None, None].float(), (88, 88), mode="bilinear", antialias=True) - 10
    levels = 0.4 + contrast * mask + noise * torch.randn(3, 480, 854, generator=torch.Generator().manual_seed(0))
    return (255 * levels).clamp(0, 255).byte(), mask, F.interpolate(cells, (480, 854), mode="bilinear")[0, 0]


@pytest.mark.parametrize("kind", ["disc", "bar"])
@pytest.mark.parametrize("radius", [6, 10, 15, 25])
def test_small_and_thin_things_are_not_blurred_away(kind, radius):
    for contrast, noise, kept in ((0.0, 0.0, 0.98), (0.1, 0.05, 0.95), (0.2, 0.2, 0.8)):  # flat, weak, noisy
        frame, mask, logits = drawn(kind, radius, contrast, noise)
        before, after = iou(logits > 0, mask), iou(follow_edges(logits[None], frame)[0] > 0, mask)
        assert after >= kept * before, (contrast, noise)


def test_of_overlapping_objects_the_surer_keeps_what_it_had():
    frame = torch.randint(0, 255, (3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rows, columns = torch.arange(SIZE[0])[:, None], torch.arange(SIZE[1])[None]
    discs = [(rows - 75) ** 2 + (columns - x) ** 2 < 45**2 for x in (80, 110)]
    logits = torch.stack([torch.where(disc, sure, -10.0) for disc, sure in zip(discs, (8.0, 14.0), strict=True)])
    overlap = discs[0] & discs[1]
    before, after = exclusive_masks(logits), exclusive_masks(follow_edges(logits, frame))
    assert bool(before[1][overlap].all())
    assert float(after[0][overlap].float().mean()) < 0.02


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 200)])
def test_any_size_will_do(size):
    logits, frame = torch.ones(1, *size), torch.zeros(3, *size, dtype=torch.uint8)
    assert bool((follow_edges(logits, frame) > 0).all())


def test_rounded_logits_are_filtered_in_full_precision():
    frame, mask = scene()
    logits = coarse(mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = follow_edges(logits[None].bfloat16(), frame)
    assert rounded.dtype == torch.bfloat16
    assert iou(rounded[0] > 0, follow_edges(logits[None], frame)[0] > 0) > 0.97


def test_the_variant_says_how_unless_one_says_oneself():
    frame, mask = scene((128, 128))
    said = [Prompt(1, mask=mask)]
    assert getattr(build_sam2(Sam2Config("small", "random")), UPSAMPLING) == "guided"
    assert getattr(build_sam2(Sam2Config("small", "random", upsampling="bilinear")), UPSAMPLING) == "bilinear"
    plain, guided = (
        list(track(build_sam2(Sam2Config("nano", upsampling=kind)), [frame] * 3, said))[-1] for kind in (None, "guided")
    )
    assert torch.equal(guided.logits, follow_edges(plain.logits, frame))
    assert torch.equal(guided.masks, guided.logits > 0)
