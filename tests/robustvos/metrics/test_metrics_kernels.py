"""Kernels against definitions, pixel by pixel; and masks are scored without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from robustvos.metrics.kernels import (
    IdPlanes,
    amodal_counts,
    contour_accuracy,
    contour_bits,
    dilate,
    matching_radius,
    region_similarity,
    score_pair,
    union_box,
)

ROOT = Path(__file__).resolve().parents[3]


def unpacked(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bits as pixels."""
    rows = np.unpackbits(planes.view(np.uint8), axis=-1, bitorder="little")
    return rows.reshape(len(planes), planes.shape[1], -1)[:, :height, :width].astype(bool)


def disk(radius: float) -> np.ndarray:
    reach = np.arange(-int(radius), int(radius) + 1)
    return reach[:, None] ** 2 + reach**2 <= radius**2


def random_masks(seed: int, count: int, height: int, width: int) -> np.ndarray:
    """Noise, blobs, single pixels and empty ones."""
    generator = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(generator.random((count, height, width)), (0, 3, 3))
    masks = smooth > np.quantile(smooth, 0.7)
    masks[0] = generator.random((height, width)) < 0.3
    masks[1] = False
    masks[2] = False
    masks[2, generator.integers(height), generator.integers(width)] = True
    return masks


def slow_contour(mask: np.ndarray, kind: str) -> np.ndarray:
    if kind == "davis":
        edged = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
        return (mask ^ edged[:-1, 1:]) | (mask ^ edged[1:, :-1]) | (mask ^ edged[1:, 1:])
    structure = ndimage.generate_binary_structure(2, 2 if kind == "square" else 1)
    return mask & ~ndimage.binary_erosion(mask, structure)


SIZES = [(1, 1), (1, 70), (40, 3), (33, 64), (30, 63), (25, 130)]


@pytest.mark.parametrize("kind", ["davis", "cross", "square"])
@pytest.mark.parametrize("size", SIZES)
def test_contours_are_those_of_the_definition(size, kind):
    masks = random_masks(0, 6, *size)
    for pair in (masks[:2], masks[2:4], masks[4:]):
        found = unpacked(contour_bits(pair, 5, kind), *size)
        for contour, mask in zip(found, pair, strict=True):
            assert np.array_equal(contour, slow_contour(mask, kind))


@pytest.mark.parametrize("radius", [0, 1, 2, 3.5, 8, 12.25, 40])
def test_dilation_reaches_as_far_as_the_disk(radius):
    pair = random_masks(1, 4, 45, 90)[2:]
    contours = contour_bits(pair, int(radius), "cross")
    found = unpacked(dilate(contours, radius), 45, 90)
    for grown, mask in zip(found, pair, strict=True):
        assert np.array_equal(grown, ndimage.binary_dilation(slow_contour(mask, "cross"), disk(radius)))


@pytest.mark.parametrize("kind", ["davis", "cross", "square"])
@pytest.mark.parametrize("size", SIZES)
def test_scores_are_those_of_the_definition(size, kind):
    masks = random_masks(2, 8, *size)
    for predicted in masks:
        for true in masks[:4]:
            score = score_pair(predicted, true, 3, kind)
            union = (predicted | true).sum()
            assert score.region == ((predicted & true).sum() / union if union else 1.0)
            assert score.present == true.any()
            ours, theirs = slow_contour(predicted, kind), slow_contour(true, kind)
            near = [ndimage.binary_dilation(contour, disk(3)) for contour in (ours, theirs)]
            if not ours.any() or not theirs.any():
                expected = float(ours.any() == theirs.any())
            else:
                precision, recall = (ours & near[1]).sum() / ours.sum(), (theirs & near[0]).sum() / theirs.sum()
                expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
            assert score.contour == pytest.approx(expected, abs=1e-12)
            assert (score.region, score.contour) == (
                region_similarity(predicted, true),
                contour_accuracy(predicted, true, 3, kind),
            )


@pytest.mark.parametrize("signed", [False, True])
def test_amodal_counts_are_those_of_the_definition(signed):
    masks = random_masks(3, 6, 20, 30)
    for p in masks:
        for a in masks:
            for m in masks[:4]:
                visible = m if signed else m & a
                hidden_p, hidden = (p ^ m, a ^ m) if signed else (p & ~visible, a & ~visible)
                planes = (p & a, p | a, hidden_p & hidden, hidden_p | hidden, a, visible, hidden)
                assert amodal_counts(p, a, m, signed) == [int(plane.sum()) for plane in planes]


def test_box_of_two_masks_holds_both():
    one, other = np.zeros((2, 20, 30), dtype=bool)
    assert union_box(one, other) is None
    one[3, 4] = other[10, 29] = True
    assert union_box(one, other) == (slice(3, 11), slice(4, 30))


def test_planes_of_a_map_of_ids_are_made_when_asked_for():
    ids = np.array([[0, 2], [7, 2]], dtype=np.uint8)
    planes = IdPlanes(ids, (2, 5))
    assert planes.shape == (2, 2, 2) and len(planes) == 2
    assert np.array_equal(np.stack(list(planes)), [[[False, True], [False, True]], [[False, False], [False, False]]])
    assert np.array_equal(planes[0], ids == 2)


def test_radius_is_a_part_of_the_diagonal():
    assert matching_radius((480, 854), 0.008, True) == 8
    assert matching_radius((30, 40), 0.01, False) == pytest.approx(0.5)


def test_folders_are_scored_without_torch(tmp_path):
    for name, shift in (("gt", 0), ("pred", 1)):
        (tmp_path / name / "boat").mkdir(parents=True)
        for t in range(3):
            ids = np.zeros((20, 24), np.uint8)
            ids[4:12, 3 + t + shift : 12 + t] = 1
            Image.fromarray(ids).save(tmp_path / name / "boat" / f"{t:05d}.png")
    program = (
        "import sys, cli; code = cli.main(['score', 'pred', 'gt', '--workers', '2']); "
        "heavy = {'torch', 'numba', 'scipy', 'lightning'} & set(sys.modules); sys.exit(code or (repr(heavy) if heavy else 0))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("J&F")
