"""AirNet: the published names and shapes, and its arithmetic written once more where nothing is deformed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.restoration import AirNet
from robustvos.restoration.airnet import Guidance

ENCODER = "E.E.encoder_q."


def with_bias(name: str, out: int, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, channels, 3, 3), f"{name}.bias": (out,)}


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": (channels,) for kind in kinds} | {f"{name}.num_batches_tracked": ()}


def restorer_shapes() -> dict[str, tuple[int, ...]]:
    shapes = with_bias("R.head.0", 64, 3) | with_bias("R.body.5", 64, 64) | with_bias("R.tail.0", 3, 64)
    for group in range(5):
        shapes |= with_bias(f"R.body.{group}.body.5", 64, 64)
        for block in (f"R.body.{group}.body.{b}." for b in range(5)):
            shapes |= with_bias(f"{block}conv1", 64, 64) | with_bias(f"{block}conv2", 64, 64)
            for guide in (f"{block}dgm1.", f"{block}dgm2."):
                shapes |= {f"{guide}dcn.weight": (64, 64, 3, 3)} | with_bias(f"{guide}dcn.conv_offset_mask", 27, 128)
                maps = (f"{guide}sft.conv_{kind}.{i}.weight" for kind in ("gamma", "beta") for i in (0, 2))
                shapes |= dict.fromkeys(maps, (64, 64, 1, 1))
    return shapes


def encoder_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, channels, out in (("E_pre", 3, 64), ("E.0", 64, 128), ("E.1", 128, 256)):
        block = f"{ENCODER}{name}."
        shapes |= {f"{block}backbone.0.weight": (out, channels, 3, 3), f"{block}backbone.3.weight": (out, out, 3, 3)}
        shapes |= {f"{block}shortcut.0.weight": (out, channels, 1, 1)}
        for layer in ("backbone.1", "backbone.4", "shortcut.1"):
            shapes |= norm(f"{block}{layer}", out)
    for layer in (0, 2):
        shapes |= {f"{ENCODER}mlp.{layer}.weight": (256, 256), f"{ENCODER}mlp.{layer}.bias": (256,)}
    return shapes


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Random weights under the published names; offsets are zero, so that nothing is deformed and every mask is 1/2."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in (restorer_shapes() | encoder_shapes()).items():
        if name.endswith("tracked"):
            state[name] = torch.tensor(3)
        elif "offset" in name:
            state[name] = torch.zeros(shape)
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            fan = max(1, int(torch.tensor(shape[1:]).prod()))
            state[name] = 0.3 * torch.randn(shape, generator=generator) / fan**0.5
    return state


@pytest.fixture(scope="module")
def file(published, tmp_path_factory) -> str:
    """As it is published, with what only training needs."""
    path = tmp_path_factory.mktemp("airnet") / "All.pth"
    keys = {name.replace("encoder_q", "encoder_k"): value for name, value in published.items() if "encoder_q" in name}
    torch.save(published | keys | {"E.E.queue": torch.zeros(256, 8), "E.E.queue_ptr": torch.zeros(1).long()}, path)
    return str(path)


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.1 * x)


def reference(w: dict[str, Tensor], frame: Tensor) -> Tensor:
    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), padding=w[f"{name}.weight"].shape[-1] // 2)

    def normed(name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            w[f"{name}.{k}"].view(-1, 1, 1) for k in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def guided(name: str, x: Tensor) -> Tensor:
        gamma, beta = (
            conv(f"{name}.sft.conv_{k}.2", leaky(conv(f"{name}.sft.conv_{k}.0", inter))) for k in ("gamma", "beta")
        )
        return x + 0.5 * conv(f"{name}.dcn", x) + x * gamma + beta

    def block(name: str, x: Tensor) -> Tensor:
        y = leaky(conv(f"{name}.conv1", leaky(guided(f"{name}.dgm1", x))))
        return x + conv(f"{name}.conv2", leaky(guided(f"{name}.dgm2", y)))

    image = frame[None] / 255
    pre = f"{ENCODER}E_pre."
    main = leaky(normed(f"{pre}backbone.1", conv(f"{pre}backbone.0", image)))
    main = normed(f"{pre}backbone.4", conv(f"{pre}backbone.3", main))
    inter = leaky(main + normed(f"{pre}shortcut.1", conv(f"{pre}shortcut.0", image)))
    x = head = conv("R.head.0", image)
    for group in range(5):
        before = x
        for number in range(5):
            x = block(f"R.body.{group}.body.{number}", x)
        x = before + conv(f"R.body.{group}.body.5", x)
    return 255 * conv("R.tail.0", head + conv("R.body.5", x))[0].clamp(0, 1)


def frame(height: int, width: int) -> Tensor:
    drawn = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(1))
    return drawn.to(torch.uint8)


def test_elements_of_encoder_and_restorer():
    network = AirNet().network
    assert sum(p.numel() for p in network.E.parameters()) == 1_319_936
    assert sum(p.numel() for p in network.R.parameters()) == 6_290_441
    assert sum(torch.Size(shape).numel() for shape in restorer_shapes().values()) == 6_290_441


def test_published_file_is_loaded_whole(published, file):
    loaded = AirNet(file).prepare().network.state_dict()
    assert loaded.keys() == published.keys()
    assert all(torch.equal(value, published[name]) for name, value in loaded.items())


def test_arithmetic_and_odd_sizes(published, file):
    restorer, given = AirNet(file), frame(16, 32)
    expected = reference(published, given)
    assert expected.std() > 1
    assert (restorer.restore(given) - expected).abs().max() <= 0.501  # rounded to levels
    assert restorer.restore(given[:, :13, :31]).shape == (3, 13, 31)


@pytest.mark.parametrize(("shift", "channels"), [((1, 0), slice(0, 18, 2)), ((0, 1), slice(1, 18, 2))])
def test_offsets_are_pairs_of_rows_and_columns(shift, channels):
    torch.manual_seed(0)
    guidance = Guidance()
    torch.nn.init.zeros_(guidance.dcn.conv_offset_mask.weight)
    torch.nn.init.zeros_(guidance.dcn.conv_offset_mask.bias)
    with torch.no_grad():
        guidance.dcn.conv_offset_mask.bias[channels] = 1.0
        guidance.dcn.conv_offset_mask.bias[18:] = 50.0  # masks of 1
        x = torch.randn(1, 64, 10, 10)
        moved = x.roll((-shift[0], -shift[1]), (2, 3))
        expected = F.conv2d(moved, guidance.dcn.weight, padding=1)
        found = guidance.dcn(x, torch.zeros_like(x))
    torch.testing.assert_close(found[..., 2:-3, 2:-3], expected[..., 2:-3, 2:-3], atol=1e-5, rtol=1e-4)


def test_file_of_another_network_is_refused_with_what_differs(published, tmp_path):
    torch.save({n: v for n, v in published.items() if not n.startswith("R.tail")}, tmp_path / "other.pth")
    with pytest.raises(CheckpointMismatch, match=r"2 missing \(R\.tail\.0\.weight, R\.tail\.0\.bias\)"):
        AirNet(str(tmp_path / "other.pth")).prepare()


def test_missing_file_says_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound, match="XLearning-SCU/2022-CVPR-AirNet"):
        AirNet().prepare()
