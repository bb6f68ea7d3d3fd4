"""Networks that spandrel recognises, from files as their authors save them."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch, CheckpointNotFound, MissingExtra
from robustvos.restoration import Spandrel


def frame(height: int, width: int) -> Tensor:
    drawn = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(1))
    return drawn.to(torch.uint8)


@pytest.fixture(scope="module")
def nafnet():
    """A small NAFNet with random weights, made by spandrel's own class."""
    pytest.importorskip("spandrel")
    from spandrel.architectures.NAFNet import NAFNet

    torch.manual_seed(0)
    network = NAFNet(img_channel=3, width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.requires_grad_(False)


@pytest.fixture
def file(nafnet, tmp_path) -> str:
    torch.save({"params": nafnet.state_dict()}, tmp_path / "naf.pth")
    return str(tmp_path / "naf.pth")


def test_it_is_the_network_of_the_file(nafnet, file):
    given = frame(16, 32)
    expected = 255 * nafnet(given[None].float() / 255)[0].clamp(0, 1)
    restored = Spandrel(file).restore(given)
    assert (restored - expected).abs().max() <= 0.501  # rounded to levels
    assert (restored.float() - given).abs().mean() > 1  # it does something


def test_odd_sizes_are_kept(file):
    restored = Spandrel(file).restore(frame(13, 31))
    assert restored.shape == (3, 13, 31)
    assert restored.dtype == torch.uint8


def test_parameters_are_the_networks_and_frozen(nafnet, file):
    restorer = Spandrel(file).prepare()
    assert sum(p.numel() for p in restorer.parameters()) == sum(p.numel() for p in nafnet.parameters())
    assert not any(p.requires_grad for p in restorer.parameters())


def test_network_that_enlarges_is_refused(tmp_path):
    pytest.importorskip("spandrel")
    from spandrel.architectures.Compact import Compact

    torch.save(Compact(num_feat=8, num_conv=1, upscale=2).state_dict(), tmp_path / "sr.pth")
    with pytest.raises(CheckpointMismatch, match="scale 2"):
        Spandrel(str(tmp_path / "sr.pth"))


def test_unknown_network_is_refused(tmp_path):
    pytest.importorskip("spandrel")
    torch.save({"weight": torch.zeros(2, 2)}, tmp_path / "mine.pth")
    with pytest.raises(CheckpointMismatch, match="knows no such network"):
        Spandrel(str(tmp_path / "mine.pth"))


def test_weights_that_are_not_finite_are_refused(nafnet, tmp_path):
    state = {key: value.clone() for key, value in nafnet.state_dict().items()}
    state["intro.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "naf.pth")
    with pytest.raises(CheckpointMismatch, match=r"1 not finite \(intro.weight\)"):
        Spandrel(str(tmp_path / "naf.pth"))


def test_networks_of_the_extra_package_are_known(tmp_path):
    pytest.importorskip("spandrel_extra_arches")
    from spandrel_extra_arches.architectures.Restormer import Restormer

    network = Restormer(dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 1, 1, 1])
    torch.save({"params": network.state_dict()}, tmp_path / "restormer.pth")
    assert type(Spandrel(str(tmp_path / "restormer.pth")).network).__name__ == "Restormer"


def test_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    pytest.importorskip("spandrel")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound, match="checkpoints/restorer.pth"):
        Spandrel()


def test_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MissingExtra, match=r"robustvos\[restoration\]"):
        Spandrel("any.pth")
