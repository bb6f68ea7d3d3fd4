"""Adapters know the base they belong to."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from robustvos.adapters import LoRA, MoGA
from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.sam2 import provenance
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.provenance import Provenance, find_shipped_adapter, read_adapter, save_adapter

CONFIG = Sam2Config("nano", "random", 64)


@pytest.fixture(scope="module")
def base() -> Any:
    torch.manual_seed(0)
    return build_sam2(CONFIG)


@pytest.fixture
def trained(base) -> tuple[MoGA, Provenance]:
    """An adapter that was changed at random, and what it stands on."""
    model = copy.deepcopy(base)
    origin = Provenance.of(CONFIG, model)
    adapter = MoGA(rank=4).attach(model)
    with torch.no_grad():
        for parameter in adapter.trainable_parameters():
            parameter.add_(torch.randn_like(parameter))
    return adapter, origin


def test_provenance_says_variant_size_and_weights(base):
    origin = Provenance.of(CONFIG, base)
    assert origin.as_dict() == {"variant": "nano", "image_size": 64, "hash": state_hash(base)}
    origin.check(origin.as_dict())


@pytest.mark.parametrize("form", ["exported", "run"])
def test_saved_adapter_is_read_back_bit_for_bit(tmp_path, base, trained, form):
    adapter, origin = trained
    path = tmp_path / ("moga.safetensors" if form == "exported" else "last.ckpt")
    if form == "exported":
        save_adapter(path, adapter, origin)
    else:
        torch.save({"state_dict": adapter.adapter_state_dict(), "base": origin.as_dict(), "epoch": 1}, path)
    fresh = MoGA(rank=4).attach(copy.deepcopy(base))
    fresh.load_adapter_state_dict(read_adapter(path, origin, fresh))
    for name, tensor in adapter.adapter_state_dict().items():
        assert torch.equal(fresh.adapter_state_dict()[name], tensor)


@pytest.mark.parametrize("form", ["exported", "run"])
def test_adapter_of_another_base_is_refused_by_name(tmp_path, base, trained, form):
    adapter, origin = trained
    other = copy.deepcopy(base)
    with torch.no_grad():
        other.no_mem_embed[0, 0, 0] += 1e-3
    here = Provenance.of(CONFIG, other)
    path = tmp_path / ("moga.safetensors" if form == "exported" else "last.ckpt")
    if form == "exported":
        save_adapter(path, adapter, origin)
    else:
        torch.save({"state_dict": adapter.adapter_state_dict(), "base": origin.as_dict()}, path)
    with pytest.raises(CheckpointMismatch) as caught:
        read_adapter(path, here, adapter)
    assert origin.hash in str(caught.value) and here.hash in str(caught.value) and "--sam2" in str(caught.value)


@pytest.mark.parametrize("form", ["exported", "run"])
def test_weights_trained_with_another_conditioning_are_refused(tmp_path, monkeypatch, base, trained, form):
    monkeypatch.setattr(provenance, "PACKAGE_WEIGHTS", tmp_path)
    adapter, origin = trained
    path = tmp_path / ("moga.safetensors" if form == "exported" else "last.ckpt")
    if form == "exported":
        save_adapter(path, adapter, origin)
    else:
        content = {"base": origin.as_dict(), "adapter": adapter.function_settings()}
        torch.save({"state_dict": adapter.adapter_state_dict(), **content}, path)
    other = MoGA(rank=4, conditioning="memory").attach(copy.deepcopy(base))
    with pytest.raises(
        CheckpointMismatch, match=r"trained with conditioning object.*--model.adapter.conditioning object"
    ):
        read_adapter(path, origin, other)
    assert find_shipped_adapter(other, origin) is None
    halved = MoGA(rank=4, scale=0.5, tau=0.1, evaluation_gates="open").attach(copy.deepcopy(base))
    assert read_adapter(path, origin, halved), "how much and which of it is used is free to choose"


@pytest.mark.parametrize("form", ["safetensors", "safetensors of others", "checkpoint", "list"])
def test_file_that_names_no_base_is_refused(tmp_path, trained, form):
    weights = {"adapter.x": torch.zeros(1)}
    path = tmp_path / ("x.safetensors" if form.startswith("safe") else "x.ckpt")
    if form.startswith("safe"):
        save_file(weights, path, metadata={"format": "pt"} if "others" in form else None)
    else:
        torch.save({"state_dict": weights} if form == "checkpoint" else [weights], path)
    with pytest.raises(CheckpointMismatch, match="does not say which base|is not the checkpoint of a run"):
        read_adapter(path, trained[1], trained[0])


@pytest.mark.parametrize("name", ["moga.safetensors", "last.ckpt"])
def test_missing_and_truncated_files_are_refused(tmp_path, trained, name):
    adapter, origin = trained
    path = tmp_path / name
    with pytest.raises(CheckpointNotFound, match=name):
        read_adapter(path, origin, adapter)
    if path.suffix == ".safetensors":
        save_adapter(path, adapter, origin)
    else:
        torch.save({"state_dict": adapter.adapter_state_dict(), "base": origin.as_dict()}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointMismatch, match="is not a readable"):
        read_adapter(path, origin, adapter)


def test_shipped_adapter_is_found_by_base_class_and_shape(tmp_path, monkeypatch, base, trained):
    monkeypatch.setattr(provenance, "PACKAGE_WEIGHTS", tmp_path)
    adapter, origin = trained
    save_adapter(tmp_path / "nano_moga.safetensors", adapter, origin)
    save_file({"no.metadata": torch.zeros(1)}, tmp_path / "nano.safetensors")

    def attached(kind: Any) -> Any:
        return kind.attach(copy.deepcopy(base))

    found = find_shipped_adapter(attached(MoGA(rank=4)), origin)
    assert found is not None and found.name == "nano_moga"
    assert found.state.keys() == adapter.adapter_state_dict().keys()
    assert find_shipped_adapter(attached(MoGA(rank=5)), origin) is None, "another rank"
    assert find_shipped_adapter(attached(LoRA(rank=4)), origin) is None, "another adapter"
    assert find_shipped_adapter(attached(MoGA(rank=4)), Provenance("nano", 64, "0" * 16)) is None, "another base"
