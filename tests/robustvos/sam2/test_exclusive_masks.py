"""Overlaps are resolved as SAM 2 resolves them."""

from __future__ import annotations

import pytest
import torch
from sam2.modeling.sam2_base import SAM2Base

from robustvos.sam2.postprocessing import exclusive_masks

pytestmark = pytest.mark.fast


def of_sam2(logits: torch.Tensor) -> torch.Tensor:
    return SAM2Base._apply_non_overlapping_constraints(None, logits[:, None])[:, 0] > 0


@pytest.mark.parametrize("objects", [1, 2, 3, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_masks_are_those_of_sam2(objects, dtype):
    logits = torch.randn(objects, 61, 83, generator=torch.Generator().manual_seed(objects)).to(dtype)
    masks = exclusive_masks(logits)
    assert masks.dtype == torch.bool
    assert torch.equal(masks, of_sam2(logits))
    assert int(masks.sum(0).max()) == 1


def test_of_equal_logits_the_first_has_the_pixel():
    few_levels = torch.randint(-2, 3, (5, 61, 83), generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(exclusive_masks(few_levels), of_sam2(few_levels))


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_logits_that_are_not_finite(value):
    logits = torch.randn(4, 20, 30, generator=torch.Generator().manual_seed(1))
    logits[2, 5:10] = value
    logits[3, 8:12] = value
    assert torch.equal(exclusive_masks(logits), of_sam2(logits))


def test_logits_stay_as_they_are():
    logits = torch.randn(3, 20, 30)
    before = logits.clone()
    exclusive_masks(logits)
    assert torch.equal(logits, before)


def test_nothing_is_tracked():
    assert exclusive_masks(torch.zeros(0, 4, 5)).shape == (0, 4, 5)
