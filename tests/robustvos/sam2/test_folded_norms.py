"""Batch norms folded into convolutions: the same features and gradients, whatever is done to the weights."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from robustvos.sam2.folded_norms import FoldedNorm, FoldingConv, fold_norms
from robustvos.sam2.timm_trunk import TimmTrunk

IMAGE = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def body(name: str = "mobilenetv2_100", seed: int = 0) -> nn.Module:
    """A backbone whose norms do something."""
    made = timm.create_model(name, features_only=True, pretrained=False).eval()
    generator = torch.Generator().manual_seed(seed)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low in ((module.weight, 0.5), (module.bias, -0.5), (module.running_var, 0.5)):
                value.data.uniform_(low, low + 1, generator=generator)
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
    return made


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * b.detach().abs().max().item())


@pytest.mark.parametrize(
    "name", ["mobilenetv2_100", "mobilenetv3_small_050", "mobilenetv4_conv_small", "efficientnet_lite0"]
)
def test_features_and_gradients_are_those_of_the_norms(name):
    plain = body(name).double()  # in single precision a ReLU6 at its kink may go either way
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    assert not [m for m in folded.modules() if type(m).__name__ in ("BatchNorm2d", "BatchNormAct2d")]
    features = [model(IMAGE.double()) for model in (plain, folded)]
    torch.testing.assert_close(features[1], features[0])
    for maps in features:
        sum(x.square().mean() for x in maps).backward()
    expected = {key: parameter.grad for key, parameter in plain.named_parameters() if parameter.grad is not None}
    assert expected
    for key, parameter in folded.named_parameters():
        assert (parameter.grad is not None) == (key in expected)
        if key in expected:
            torch.testing.assert_close(parameter.grad, expected[key], msg=key)


def test_weights_are_loaded_copied_and_moved_as_before():
    plain, folded = body(seed=0), body(seed=1)
    fold_norms(folded)
    assert list(folded.state_dict()) == list(plain.state_dict())
    twin = copy.deepcopy(folded)
    folded.load_state_dict(plain.state_dict())
    assert_close(folded(IMAGE), plain(IMAGE))
    with pytest.raises(AssertionError):
        assert_close(twin(IMAGE), plain(IMAGE))  # a copy has weights and norms of its own
    assert_close(
        twin.double()(IMAGE.double()), folded.load_state_dict(twin.state_dict()) and folded.double()(IMAGE.double())
    )


def test_a_bias_before_a_norm_is_scaled_too():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    plain[1].running_mean.uniform_(), plain[1].weight.data.uniform_(1, 2)
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    assert isinstance(folded[0], FoldingConv) and isinstance(folded[1], FoldedNorm)
    torch.testing.assert_close(folded(IMAGE), plain(IMAGE))


def test_only_norms_that_are_fixed_are_folded():
    def folded(trunk: TimmTrunk) -> int:
        return sum(isinstance(module, FoldedNorm) for module in trunk.modules())

    assert folded(TimmTrunk("mobilenetv2_100", 64, fixed_norms=True)) == 51
    assert folded(TimmTrunk("mobilenetv2_100", 64)) == folded(TimmTrunk("resnet18", 64, fixed_norms=True)) == 0
