"""Numbers of trained parameters on SAM 2 Hiera-B+, against the papers' and against sums done by hand."""

from __future__ import annotations

import pytest
import torch

from robustvos.adapters import FullFineTuning, GaRA, LayerNormTuning, LoRA, MoGA, MoGARelease
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config

pytestmark = pytest.mark.fast

LAYER_NORMS = 41_440
LOW_RANK = 4 * 4 * 128 * (256 + 256)
GATES = 4 * ((256 * 16 + 16) + (16 * 16 + 16) + (16 * 512 + 512))
RELEASE_LAYER = 2 * ((64 * 256 + 256) + (256 * 128 + 128) + (128 * 128 + 128) + 2 * 128 * 256)
# Width of the input and of q in every block of Hiera-B+; a stage's first block doubles the width.
BLOCKS = [
    *[(112, 112)] * 2,
    *[(112, 224), (224, 224), (224, 224)],
    *[(224, 448), *[(448, 448)] * 15],
    *[(448, 896), (896, 896), (896, 896)],
]


def gara(low, high):
    """Components; gate 1: width -> 64 -> 1; gates 2: width -> 16 -> 16 -> the components of q, k and v."""
    components = sum(3 * (low + high) * (width + out) for width, out in BLOCKS)
    gate_1 = sum(width * 64 + 64 + 64 + 1 for width, _ in BLOCKS)
    gates_2 = sum(width * 16 + 16 + 16 * 16 + 16 + 17 * 3 * rank for width, _ in BLOCKS for rank in (low, high))
    return components + gate_1 + gates_2


@pytest.fixture(scope="module")
def base_plus():
    return build_sam2(Sam2Config("sam2_hiera_b+", checkpoint="random"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (LayerNormTuning, LAYER_NORMS),
        (LoRA, LOW_RANK + LAYER_NORMS),
        (MoGA, 1_142_368),
        (lambda: MoGA(conditioning="memory"), LOW_RANK + GATES + LAYER_NORMS),
        (lambda: MoGA(conditioning="none"), LOW_RANK + LAYER_NORMS),
        (MoGARelease, 1_094_112),
        (lambda: MoGARelease(layer_norms="none"), 4 * RELEASE_LAYER),
        (GaRA, 3_128_904),
        (lambda: GaRA(16, 256), gara(16, 256)),
        (lambda: GaRA(1, 5, layer_norms="image_encoder"), gara(1, 5) + LAYER_NORMS),
        (FullFineTuning, 80_833_666),
    ],
    ids=[
        *["layer_norms", "lora", "moga", "moga_memory", "moga_none", "moga_release", "moga_release_alone"],
        *["gara", "gara_paper", "gara_norms", "full"],
    ],
)
def test_trained_parameters_on_base_plus(base_plus, make, expected):
    adapter = make().attach(base_plus)
    count = sum(p.numel() for p in adapter.trainable_parameters())
    requires = sum(p.numel() for m in (base_plus, adapter) for p in m.parameters() if p.requires_grad)
    adapter.detach()
    print(f"{type(adapter).__name__}: {count:,} trained")
    assert count == requires == expected


def test_release_keys_and_shapes(base_plus):
    adapter = MoGARelease().attach(base_plus)
    state = adapter.release_state_dict()
    adapter.detach()
    prefix = "memory_attention.layers.3."
    of_layer = {k.removeprefix(prefix): tuple(v.shape) for k, v in state.items() if k.startswith(prefix)}
    expected = {}
    for place in ("sa", "ca"):
        expected |= {
            f"{place}_gate.masklet_proj.weight": (256, 64),
            f"{place}_gate.masklet_proj.bias": (256,),
            f"{place}_gate.object_gate.0.weight": (128, 256),
            f"{place}_gate.object_gate.0.bias": (128,),
            f"{place}_gate.object_gate.2.weight": (128, 128),
            f"{place}_gate.object_gate.2.bias": (128,),
            f"{place}_lora_A.weight": (128, 256),
            f"{place}_lora_B.weight": (256, 128),
        }
    assert of_layer == expected
    others = {k for k in state if not k.startswith("memory_attention.")}
    assert others
    assert others <= set(base_plus.state_dict())
    assert all(k.startswith("image_encoder.trunk.") and torch.is_tensor(state[k]) for k in others)
