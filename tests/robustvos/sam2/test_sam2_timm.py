"""A timm backbone takes the trunk's place."""

from __future__ import annotations

import pytest
import torch

from robustvos.errors import UnknownName, UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import PromptSampling, Sam2Config
from robustvos.sam2.losses import segmentation_loss
from robustvos.sam2.timm_trunk import TimmTrunk
from robustvos.sam2.training import TrainingInput, forward_clips

MOBILE = "timm:mobilenetv4_conv_small"


def test_whole_training_step_on_a_mobile_trunk():
    torch.manual_seed(0)
    sampling = PromptSampling(conditioning_frames=1, corrected_frames=1, correction_clicks=1)
    model = build_sam2(Sam2Config(MOBILE, "random", 128), sampling).train()
    masks = torch.zeros(2, 1, 128, 128, dtype=torch.bool)
    masks[:, :, 30:90, 20:70] = True
    inputs = TrainingInput(torch.randn(2, 3, 128, 128), torch.tensor([[0], [1]]), masks, 2, 2)
    outputs = forward_clips(model, inputs, seed=0)
    assert outputs[1]["pred_masks_high_res"].shape == (1, 1, 128, 128)
    segmentation_loss(outputs, masks)["loss"].backward()
    trunk = model.image_encoder.trunk
    assert isinstance(trunk, TimmTrunk)
    assert any(p.grad is not None and bool(p.grad.any()) for p in trunk.parameters())


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "convnext_atto", "swin_tiny_patch4_window7_224"])
def test_maps_have_the_strides_and_channels_that_the_neck_expects(name):
    size = 128
    trunk = TimmTrunk(name, size).eval()
    with torch.no_grad():
        maps = trunk(torch.randn(1, 3, size, size))
    assert [tuple(x.shape) for x in maps] == [
        (1, c, size // s, size // s) for c, s in zip(trunk.channel_list[::-1], (4, 8, 16, 32), strict=True)
    ]


def test_swin_is_turned_even_where_its_maps_are_as_high_as_they_are_deep():
    name, size = "swin_tiny_patch4_window7_224", 384  # 96 channels at stride 4, and 384 / 4 = 96 rows
    torch.manual_seed(0)
    trunk = TimmTrunk(name, size).eval()
    image = torch.randn(1, 3, size, size)
    with torch.no_grad():
        for found, rows_first in zip(trunk(image), trunk.body(image), strict=True):
            assert torch.equal(found, torch.einsum("bhwc->bchw", rows_first))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "mixer_b16_224"])
def test_backbone_without_a_pyramid_is_refused(name):
    with pytest.raises(UserError, match=rf"'{name}' has features at strides \[16.*SAM 2 needs \[4, 8, 16, 32\]"):
        build_sam2(Sam2Config(f"timm:{name}", "random", 128))


def test_backbone_bound_to_another_size_is_refused_in_one_line():
    with pytest.raises(UserError, match="'efficientformer_l1' cannot take images of 128 px") as caught:
        TimmTrunk("efficientformer_l1", 128)
    assert "\n" not in str(caught.value)


def test_unknown_backbone_names_a_few_near_ones():
    with pytest.raises(UnknownName, match="did you mean 'mobilenetv4_conv_small") as caught:
        build_sam2(Sam2Config("timm:mobilenet4_conv_smal", "random", 128))
    assert len(str(caught.value)) < 300
