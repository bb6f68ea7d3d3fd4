"""Contour accuracy against a pixel-by-pixel evaluation of DAVIS's definition."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from robustvos.errors import UnknownName
from robustvos.metrics.functional import contour_accuracy

pytestmark = pytest.mark.fast


def slow_contour(mask: np.ndarray) -> set[tuple[int, int]]:
    """A pixel is on the contour if its right, lower or lower right neighbour differs; beyond the frame is none."""
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            neighbours = []
            if x + 1 < width:
                neighbours.append((y, x + 1))
            if y + 1 < height:
                neighbours.append((y + 1, x))
            if x + 1 < width and y + 1 < height:
                neighbours.append((y + 1, x + 1))
            if any(mask[y, x] != mask[neighbour] for neighbour in neighbours):
                found.add((y, x))
    return found


def slow_f(prediction: np.ndarray, target: np.ndarray, radius: float) -> float:
    ours, theirs = slow_contour(prediction), slow_contour(target)
    if not ours and not theirs:
        return 1.0
    if not ours or not theirs:
        return 0.0

    def matched(points: set[tuple[int, int]], others: set[tuple[int, int]]) -> float:
        near = [any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in points]
        return sum(near) / len(points)

    precision, recall = matched(ours, theirs), matched(theirs, ours)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blobs(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A union of ellipses, some cut by the frame's edge."""
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), dtype=bool)
    for _ in range(rng.integers(1, 4)):
        cy, cx = rng.uniform(-2, height + 2), rng.uniform(-2, width + 2)
        ry, rx = rng.uniform(2, height / 3, size=2)
        mask |= ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1
    return mask


def score(prediction: np.ndarray, target: np.ndarray, tolerance: float = 0.008, whole_pixels: bool = True) -> float:
    masks = torch.from_numpy(prediction), torch.from_numpy(target)
    return float(contour_accuracy(*masks, tolerance=tolerance, whole_pixels=whole_pixels))


@pytest.mark.parametrize("seed", range(12))
def test_f_is_that_of_the_definition_on_random_blobs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(18, 40, size=2)
    prediction, target = blobs(rng, height, width), blobs(rng, height, width)
    for tolerance in (0.008, 0.05, 0.12):
        radius = math.ceil(tolerance * math.hypot(height, width))
        assert score(prediction, target, tolerance=tolerance) == pytest.approx(
            slow_f(prediction, target, radius), abs=1e-6
        )


@pytest.mark.parametrize("seed", range(6))
def test_f_without_rounding_uses_the_distance_as_it_is(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    prediction, target = blobs(rng, 24, 33), blobs(rng, 24, 33)
    tolerance = rng.uniform(0.01, 0.2)
    expected = slow_f(prediction, target, tolerance * math.hypot(24, 33))
    assert score(prediction, target, tolerance=tolerance, whole_pixels=False) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_f_of_scattered_pixels_is_that_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    prediction, target = rng.random((2, 15, 21)) < 0.06
    radius = math.ceil(0.1 * math.hypot(15, 21))
    assert score(prediction, target, tolerance=0.1) == pytest.approx(slow_f(prediction, target, radius), abs=1e-6)


def release_f(prediction: np.ndarray, target: np.ndarray, tolerance: float, structure: np.ndarray | None) -> float:
    """As the public evaluator defines it: what an erosion takes away, and distances that are not rounded."""
    if not prediction.any() or not target.any():
        return float(prediction.any() == target.any())
    near = tolerance * float(np.linalg.norm(target.shape))
    ours, theirs = (mask ^ ndimage.binary_erosion(mask, structure=structure) for mask in (prediction, target))
    to_ours, to_theirs = (ndimage.distance_transform_edt(~rim) for rim in (ours, theirs))
    precision, recall = np.mean(to_theirs[ours] <= near), np.mean(to_ours[theirs] <= near)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize(("contour", "structure"), [("cross", None), ("square", np.ones((3, 3)))])
@pytest.mark.parametrize("seed", range(8))
def test_f_of_the_release_is_that_of_its_definition(seed: int, contour: str, structure: np.ndarray | None) -> None:
    rng = np.random.default_rng(300 + seed)
    pairs = [(blobs(rng, 31, 44), blobs(rng, 31, 44)), tuple(rng.random((2, 31, 44)) < 0.6)]
    pairs += [(a, b) for a in SHAPES.values() for b in SHAPES.values()] if seed == 0 else []
    for prediction, target in pairs:
        for tolerance in (0.008, 0.03, 0.07):
            masks = torch.from_numpy(prediction), torch.from_numpy(target)
            found = float(contour_accuracy(*masks, tolerance=tolerance, whole_pixels=False, contour=contour))
            assert found == pytest.approx(release_f(prediction, target, tolerance, structure), abs=1e-6)


EMPTY = np.zeros((12, 16), dtype=bool)
FULL = ~EMPTY
SQUARE = EMPTY.copy()
SQUARE[3:7, 4:9] = True
CORNER = EMPTY.copy()
CORNER[-1, -1] = True
BOTTOM = EMPTY.copy()
BOTTOM[-3:] = True
RIGHT = EMPTY.copy()
RIGHT[:, -2:] = True
TOP_LEFT = EMPTY.copy()
TOP_LEFT[0, 0] = True
SHAPES = {
    "empty": EMPTY,
    "full": FULL,
    "square": SQUARE,
    "corner": CORNER,
    "bottom": BOTTOM,
    "right": RIGHT,
    "top left": TOP_LEFT,
}


@pytest.mark.parametrize("first", SHAPES)
@pytest.mark.parametrize("second", SHAPES)
def test_f_at_the_edges_is_that_of_the_definition(first: str, second: str) -> None:
    expected = slow_f(SHAPES[first], SHAPES[second], math.ceil(0.008 * 20))
    assert score(SHAPES[first], SHAPES[second]) == pytest.approx(expected, abs=1e-6)


def test_f_is_one_without_any_contour_and_zero_with_one_contour() -> None:
    assert score(EMPTY, EMPTY) == 1
    assert score(FULL, EMPTY) == 1  # Neither the empty nor the full frame has a contour.
    assert score(SQUARE, EMPTY) == 0
    assert score(EMPTY, SQUARE) == 0


def test_f_keeps_frames_and_objects_apart() -> None:
    rng = np.random.default_rng(5)
    prediction = np.stack([[blobs(rng, 20, 25) for _ in range(3)] for _ in range(2)])
    target = np.stack([[blobs(rng, 20, 25) for _ in range(3)] for _ in range(2)])
    found = contour_accuracy(torch.from_numpy(prediction), torch.from_numpy(target))
    expected = [[slow_f(prediction[t, o], target[t, o], 1) for o in range(3)] for t in range(2)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_void_pixels_are_background_in_both_masks() -> None:
    rng = np.random.default_rng(6)
    prediction, target, void = blobs(rng, 20, 25), blobs(rng, 20, 25), blobs(rng, 20, 25)
    found = contour_accuracy(*(torch.from_numpy(mask) for mask in (prediction, target, void)))
    assert float(found) == pytest.approx(slow_f(prediction & ~void, target & ~void, 1), abs=1e-6)


def test_no_objects_give_no_scores() -> None:
    masks = torch.zeros(2, 0, 8, 8, dtype=torch.bool)
    assert contour_accuracy(masks, masks).shape == (2, 0)


def test_unequal_shapes_and_logits_are_refused() -> None:
    mask = torch.zeros(4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="equal shapes"):
        contour_accuracy(mask, mask[:3])
    with pytest.raises(ValueError, match="bool"):
        contour_accuracy(mask.float(), mask)
    with pytest.raises(UnknownName, match="square"):
        contour_accuracy(mask, mask, contour="squares")


def test_f_of_real_masks_is_that_of_a_full_frame_distance_transform() -> None:
    from scipy.ndimage import distance_transform_edt

    root = os.environ.get("ROBUSTVOS_REALDATA")
    if not root:
        pytest.skip("set ROBUSTVOS_REALDATA to a folder with davis/Annotations to compare on real masks")
    path = next(iter(sorted(Path(root, "davis", "Annotations").rglob("00010.png"))))
    target = np.array(Image.open(path)) == 1
    prediction = np.roll(target, (6, -9), axis=(0, 1)) | np.roll(target, (-3, 4), axis=(0, 1))

    def contour(mask: np.ndarray) -> np.ndarray:
        edged = np.pad(mask, ((0, 1), (0, 1)), mode="edge").astype(int)
        corners = np.stack([edged[:-1, :-1], edged[:-1, 1:], edged[1:, :-1], edged[1:, 1:]])
        return corners.max(0) != corners.min(0)

    ours, theirs = contour(prediction), contour(target)
    radius = math.ceil(0.008 * math.hypot(*target.shape))
    precision = (distance_transform_edt(~theirs)[ours] <= radius).mean()
    recall = (distance_transform_edt(~ours)[theirs] <= radius).mean()
    assert score(prediction, target) == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_f_is_that_of_the_davis_toolkit(seed: int) -> None:
    toolkit = pytest.importorskip("davis2017.metrics", reason="needs davis2017-evaluation: `make bench-peers` has it")
    rng = np.random.default_rng(200 + seed)
    empty = np.zeros((120, 160), dtype=bool)
    pairs = [(blobs(rng, 120, 160), blobs(rng, 120, 160)) for _ in range(8)]
    for prediction, target in [*pairs, (pairs[0][0], empty), (empty, pairs[0][1]), (empty, empty)]:
        assert score(prediction, target) == pytest.approx(toolkit.db_eval_boundary(target, prediction), abs=1e-6)


def test_f_of_real_masks_is_that_of_the_davis_toolkit() -> None:
    toolkit = pytest.importorskip("davis2017.metrics", reason="needs davis2017-evaluation: `make bench-peers` has it")
    root = os.environ.get("ROBUSTVOS_REALDATA")
    if not root:
        pytest.skip("set ROBUSTVOS_REALDATA to a folder with davis/Annotations to compare on real masks")
    for path in sorted(Path(root, "davis", "Annotations").rglob("00010.png")):
        ids = np.array(Image.open(path))
        for object_id in np.unique(ids[(ids > 0) & (ids < 255)]):
            target = ids == object_id
            prediction = np.roll(target, (6, -9), axis=(0, 1)) | np.roll(target, (-3, 4), axis=(0, 1))
            assert score(prediction, target) == pytest.approx(toolkit.db_eval_boundary(target, prediction), abs=1e-6)
