"""URIE: the published names and shapes, and its arithmetic written once more from them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.restoration import URIE

# Selective convolutions: prefix, channels in and out, size of the bottleneck.
SELECTIVE = [
    ("module.down2.maxpool_conv.1.", 32, 64, 64),
    ("module.down3.maxpool_conv.1.", 64, 64, 64),
    ("module.up1.conv.", 128, 32, 32),
    ("module.up2.conv.", 64, 16, 16),
]


def published_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"module.down1.weight": (32, 3, 9, 9), "module.down1.bias": (32,)}
    for prefix, channels, out, hidden in SELECTIVE:
        shapes |= {
            f"{prefix}conv1.weight": (out, channels, 3, 3),
            f"{prefix}conv2.weight": (out, channels, 3, 3),
            f"{prefix}selector.fc.0.weight": (hidden, 16 * out),
            f"{prefix}selector.att_conv1.weight": (16 * out, hidden),
            f"{prefix}selector.att_conv1.bias": (16 * out,),
            f"{prefix}selector.att_conv2.weight": (16 * out, hidden),
            f"{prefix}selector.att_conv2.bias": (16 * out,),
            f"{prefix}BN.num_batches_tracked": (),
        }
        shapes |= {f"{prefix}BN.{name}": (channels,) for name in ("weight", "bias", "running_mean", "running_var")}
    return shapes | {"module.up3.weight": (3, 16, 3, 3), "module.up3.bias": (3,)}


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Random weights under the published names; variances are positive, activations stay near 1."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in published_shapes().items():
        if name.endswith("tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith(("running_var", "BN.weight")):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            fan = max(1, int(torch.tensor(shape[1:]).prod()))
            state[name] = torch.randn(shape, generator=generator) / fan**0.5
    return state


@pytest.fixture
def file(published, tmp_path):
    torch.save(published, tmp_path / "urie.pt")
    return str(tmp_path / "urie.pt")


def selective(state: dict[str, Tensor], prefix: str, x: Tensor) -> Tensor:
    w = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    mean, var = (w[f"BN.running_{kind}"].view(-1, 1, 1) for kind in ("mean", "var"))
    batch = (x - mean) / (var + 1e-5).sqrt() * w["BN.weight"].view(-1, 1, 1) + w["BN.bias"].view(-1, 1, 1)
    centred = x - x.mean((2, 3), keepdim=True)
    instance = centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
    activated = [torch.where(y > 0, y, 0.01 * y) for y in (batch, instance)]
    one, two = (F.conv2d(y, w[f"conv{i}.weight"], padding=1) for i, y in enumerate(activated, start=1))
    pooled = F.adaptive_avg_pool2d(one + two, 4).flatten(1)
    hidden = (pooled @ w["selector.fc.0.weight"].T).clamp(min=0)
    logits = [hidden @ w[f"selector.att_conv{i}.weight"].T + w[f"selector.att_conv{i}.bias"] for i in (1, 2)]
    shares = torch.stack(logits).softmax(0).view(2, *one.shape[:2], 4, 4)
    rows, columns = (torch.arange(side) * 4 // side for side in one.shape[-2:])
    shares = shares[:, :, :, rows][..., columns]  # nearest
    return shares[0] * one + shares[1] * two


def reference(state: dict[str, Tensor], frame: Tensor) -> Tensor:
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((frame / 255 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1))[None]
    whole = F.conv2d(x, state["module.down1.weight"], state["module.down1.bias"], padding=4)
    half = selective(state, SELECTIVE[0][0], F.max_pool2d(whole, 2))
    deep = selective(state, SELECTIVE[1][0], F.max_pool2d(half, 2))
    for skip, (prefix, *_) in zip((half, whole), SELECTIVE[2:], strict=True):
        up = F.interpolate(deep, skip.shape[-2:], mode="bilinear", align_corners=True)
        deep = selective(state, prefix, torch.cat([skip, up], 1))
    x = x + F.conv2d(deep, state["module.up3.weight"], state["module.up3.bias"], padding=1)
    return 255 * (x[0] * deviation.view(3, 1, 1) + mean.view(3, 1, 1)).clamp(0, 1)


def frame(height: int, width: int) -> Tensor:
    drawn = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(1))
    return drawn.to(torch.uint8)


def test_stored_elements():
    assert sum(torch.Size(shape).numel() for shape in published_shapes().values()) == 672_439
    assert sum(value.numel() for value in URIE().network.state_dict().values()) == 672_439


def test_published_file_is_loaded_whole(published, file):
    loaded = URIE(file).prepare().network.state_dict()
    assert {f"module.{name}" for name in loaded} == published.keys()
    assert all(torch.equal(value, published[f"module.{name}"]) for name, value in loaded.items())


def test_names_without_the_prefix_are_as_good(published, tmp_path):
    torch.save({name.removeprefix("module."): value for name, value in published.items()}, tmp_path / "bare.pt")
    URIE(str(tmp_path / "bare.pt")).prepare()


def test_arithmetic(published, file):
    given = frame(24, 40)
    restored, expected = URIE(file).restore(given), reference(published, given)
    assert (restored - expected).abs().max() <= 0.501  # rounded to levels
    assert (restored.float() - given).abs().mean() > 5  # it does something


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (5, 9), (1, 1)])
def test_zero_residual_is_the_identity_at_any_size(published, tmp_path, size):
    still = {name: 0 * value if "up3" in name else value for name, value in published.items()}
    torch.save(still, tmp_path / "still.pt")
    given = frame(*size)
    assert torch.equal(URIE(str(tmp_path / "still.pt")).restore(given), given)


def test_odd_sizes_are_kept(file):
    restored = URIE(file).restore(frame(17, 31))
    assert restored.shape == (3, 17, 31)
    assert restored.dtype == torch.uint8


def test_file_of_another_network_is_refused_with_what_differs(published, tmp_path):
    other = {name: value for name, value in published.items() if name != "module.up3.bias"}
    torch.save(other | {"module.up4.bias": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointMismatch, match=r"missing \(up3\.bias\).*unexpected \(up4\.bias\)"):
        URIE(str(tmp_path / "other.pt")).prepare()


def test_missing_file_says_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound, match="github.com/taeyoungson/urie"):
        URIE().restore(frame(8, 8))
