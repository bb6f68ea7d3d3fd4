"""Region similarity against sets of pixels."""

from __future__ import annotations

import pytest
import torch

from robustvos.metrics.functional import region_similarity

pytestmark = pytest.mark.fast


def pixels(mask: torch.Tensor) -> set[tuple[int, ...]]:
    return {tuple(place) for place in mask.nonzero().tolist()}


def test_j_is_intersection_over_union_of_pixel_sets() -> None:
    random = torch.Generator().manual_seed(0)
    prediction, target = (torch.rand(2, 4, 3, 9, 7, generator=random) < 0.4).unbind()
    found = region_similarity(prediction, target)
    assert found.shape == (4, 3) and found.dtype == torch.float32
    for t in range(4):
        for o in range(3):
            ours, theirs = pixels(prediction[t, o]), pixels(target[t, o])
            assert float(found[t, o]) == pytest.approx(len(ours & theirs) / len(ours | theirs), abs=1e-6)


def test_j_of_two_empty_masks_is_one_and_of_one_empty_mask_zero() -> None:
    empty = torch.zeros(1, 1, 4, 5, dtype=torch.bool)
    assert region_similarity(empty, empty).tolist() == [[1.0]]
    assert region_similarity(empty, ~empty).tolist() == [[0.0]]
    assert region_similarity(~empty, empty).tolist() == [[0.0]]


def test_void_pixels_do_not_count() -> None:
    target = torch.tensor([[[True, True, False, False]]])
    prediction = torch.tensor([[[True, False, True, True]]])
    void = torch.tensor([[False, True, False, True]])
    assert region_similarity(prediction, target, void).tolist() == [0.5]
    assert region_similarity(prediction, target, torch.ones_like(void)).tolist() == [1.0]


def test_j_does_not_depend_on_memory_layout() -> None:
    random = torch.Generator().manual_seed(1)
    prediction, target = (torch.rand(2, 3, 2, 6, 8, generator=random) < 0.5).unbind()
    strided = [mask.transpose(-1, -2).contiguous().transpose(-1, -2) for mask in (prediction, target)]
    torch.testing.assert_close(region_similarity(*strided), region_similarity(prediction, target))


def test_unequal_shapes_are_refused() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"\(1, 4, 4\) and \(1, 4, 3\)"):
        region_similarity(mask, mask[..., :3])
