from __future__ import annotations

import pytest
from torch import nn

from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.errors import UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config

pytestmark = pytest.mark.fast


def test_presets_and_patterns_pick_layer_norms_alone(nano):
    parameters = dict(nano.named_parameters())
    everything = layer_norm_parameters(nano, "all")
    norms = {n for n, m in nano.named_modules() if type(m).__name__ in ("LayerNorm", "LayerNorm2d")}
    assert {name.rsplit(".", 1)[0] for name in everything} == norms
    assert set(everything) <= set(parameters)
    encoder = layer_norm_parameters(nano, "image_encoder")
    assert encoder == [n for n in everything if n.startswith("image_encoder.")]
    both = layer_norm_parameters(nano, ["image_encoder.*", "memory_attention.*", "memory_attention.norm"])
    assert both == encoder + layer_norm_parameters(nano, "memory_attention")
    assert layer_norm_parameters(nano, "none") == []
    assert layer_norm_parameters(nano, "memory_attention.norm") == [
        "memory_attention.norm.weight",
        "memory_attention.norm.bias",
    ]


def test_auto_is_the_image_encoder_or_where_it_has_none_memory_attention(nano):
    assert layer_norm_parameters(nano, "auto") == layer_norm_parameters(nano, "image_encoder")
    mobile = build_sam2(Sam2Config("small", checkpoint="random"))
    assert layer_norm_parameters(mobile, "auto") == layer_norm_parameters(mobile, "memory_attention") != []


def test_pattern_that_picks_nothing_says_where_norms_are():
    model = nn.ModuleDict({"head": nn.LayerNorm(2), "image_encoder": nn.BatchNorm2d(2)})
    with pytest.raises(UserError, match=r"'image_encoder\.\*'.*in: head"):
        layer_norm_parameters(model, "image_encoder")


def test_norms_without_parameters_are_passed_over():
    assert layer_norm_parameters(
        nn.Sequential(nn.LayerNorm(2, elementwise_affine=False), nn.LayerNorm(2, bias=False)), "all"
    ) == ["1.weight"]
