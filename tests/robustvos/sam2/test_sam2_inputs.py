"""Frames, masks and prompts reach SAM 2 as its own code would bring them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from robustvos.errors import BadVideo
from robustvos.sam2.postprocessing import fill_holes
from robustvos.sam2.preprocess import IMAGENET_MEAN, IMAGENET_STD, preprocess, resize_masks
from robustvos.sam2.prompts import point_count, stack_masks, stack_points
from robustvos.types import Prompt

pytestmark = pytest.mark.fast


def grey_levels(normalised: torch.Tensor) -> torch.Tensor:
    return (normalised * torch.tensor(IMAGENET_STD).view(3, 1, 1) + torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) * 255


@pytest.mark.parametrize(("height", "width"), [(96, 160), (31, 200), (64, 64), (17, 23)])
def test_resize_agrees_with_pillow_within_one_grey_level(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = np.array(Image.fromarray(image).resize((64, 64)))  # what SAM 2 calls
    found = grey_levels(preprocess(torch.from_numpy(image).permute(2, 0, 1), 64))
    assert float((found - torch.from_numpy(expected).permute(2, 0, 1)).abs().max()) < 1.01


def test_preprocess_equals_the_predictors_loading(tmp_path):
    from sam2.utils.misc import load_video_frames

    smooth = np.random.default_rng(1).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    Image.fromarray(smooth).resize((150, 90)).save(tmp_path / "0.jpg")
    expected, height, width = load_video_frames(str(tmp_path), 64, True, compute_device=torch.device("cpu"))
    decoded = torch.from_numpy(np.array(Image.open(tmp_path / "0.jpg"))).permute(2, 0, 1)
    found = preprocess(decoded[None], 64)
    assert (height, width) == decoded.shape[-2:] and found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=1.01 / 255 / min(IMAGENET_STD))


def test_batches_and_clips_keep_their_leading_dimensions():
    frames = torch.randint(0, 256, (2, 3, 3, 20, 30), dtype=torch.uint8)
    found = preprocess(frames, 32)
    assert found.shape == (2, 3, 3, 32, 32)
    torch.testing.assert_close(found[1, 2], preprocess(frames[1, 2], 32))


@pytest.mark.parametrize(
    "frames", [torch.zeros(3, 8, 8), torch.zeros(8, 8, 3, dtype=torch.uint8), torch.zeros(3, 0, 8, dtype=torch.uint8)]
)
def test_what_is_not_an_rgb_frame_is_refused(frames):
    with pytest.raises(BadVideo, match="convert them to 8-bit RGB"):
        preprocess(frames, 32)


def test_masks_resize_to_where_they_cover_half():
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[0, 8:24, 16:48] = True
    expected = torch.zeros(1, 32, 32, dtype=torch.bool)
    expected[0, 4:12, 8:24] = True
    assert torch.equal(resize_masks(mask, 32), expected)
    assert torch.equal(resize_masks(mask, 64), mask)


def test_thin_mask_survives_and_empty_mask_stays_empty():
    masks = torch.zeros(2, 100, 100, dtype=torch.bool)
    masks[0, 50, 20] = True
    found = resize_masks(masks, 32)
    assert found[0].any() and not found[1].any()
    y, x = found[0].nonzero()[0].tolist()
    assert (y, x) == (50 * 32 // 100, 20 * 32 // 100)


def test_boxes_come_first_and_are_scaled_with_the_points():
    prompt = Prompt(1, points=torch.tensor([[40.0, 12]]), labels=torch.tensor([0]), box=torch.tensor([0.0, 6, 80, 24]))
    found = stack_points([prompt, prompt], (48, 80), 64, "cpu")
    assert found["point_coords"].tolist() == [[[0.0, 8.0], [64.0, 32.0], [32.0, 16.0]]] * 2
    assert found["point_labels"].tolist() == [[2, 3, 0]] * 2
    assert point_count(prompt) == 3


def test_mask_prompts_are_stacked_as_zeros_and_ones():
    prompt = Prompt(1, mask=torch.ones(48, 80, dtype=torch.bool))
    found = stack_masks([prompt, prompt], 32, "cpu")
    assert found.shape == (2, 1, 32, 32) and bool((found == 1).all())


def test_small_holes_are_filled_and_nothing_else():
    logits = torch.randn(3, 1, 40, 40, generator=torch.Generator().manual_seed(0)) + 0.7
    expected = logits.clone()
    for row in range(3):
        labels, count = ndimage.label((logits[row, 0] <= 0).numpy(), structure=np.ones((3, 3)))
        for region in range(1, count + 1):
            if (labels == region).sum() <= 4:
                expected[row, 0][torch.from_numpy(labels == region)] = 0.1
    torch.testing.assert_close(fill_holes(logits, 4), expected)
    assert bool((expected != logits).any()) and bool((expected <= 0).any())
    assert torch.equal(fill_holes(logits, 0), logits)
