"""Weights are loaded whole and right, or refused in one line that says what to do."""

from __future__ import annotations

import copy
import hashlib
import struct
import time
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import find_checkpoint, load_checkpoint, read_state, state_hash
from robustvos.sam2.config import VARIANTS, Sam2Config

FILES = {variant.hub_id: variant.weights for variant in VARIANTS.values() if variant.hub_id}


@pytest.fixture(scope="module")
def donor() -> Any:
    torch.manual_seed(1)
    return build_sam2(Sam2Config("nano", "random", 64))


@pytest.fixture
def state(donor) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in donor.state_dict().items()}


@pytest.fixture(scope="module")
def blank() -> Any:
    torch.manual_seed(2)
    return build_sam2(Sam2Config("nano", "random", 64))


@pytest.fixture
def receiver(blank) -> Any:
    return copy.deepcopy(blank)


def load(model: Any, path: Any) -> None:
    load_checkpoint(model, Sam2Config("nano", str(path)))


def refusal(call: Any, *arguments: Any) -> str:
    with pytest.raises((CheckpointMismatch, CheckpointNotFound)) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["SAM 2", "Lightning", "bare", "safetensors", "half precision", "our own run"])
def test_every_form_of_file_gives_the_same_weights(tmp_path, donor, state, receiver, form):
    path = tmp_path / "weights.pt"
    if form == "safetensors":
        path = tmp_path / "weights.safetensors"
        save_file(state, path)
    elif form == "half precision":
        path = tmp_path / "weights.safetensors"
        save_file({name: tensor.half() for name, tensor in state.items()}, path)
        donor = copy.deepcopy(donor)
        donor.load_state_dict({name: tensor.half().float() for name, tensor in state.items()})
    else:
        trained = {f"sam2.{name}": tensor for name, tensor in state.items()}
        content = {"SAM 2": {"model": state}, "Lightning": {"state_dict": state, "epoch": 3}, "bare": state}
        torch.save(content.get(form, {"state_dict": trained, "global_step": 7}), path)
    assert state_hash(receiver) != state_hash(donor)
    load(receiver, path)
    for name, tensor in donor.state_dict().items():
        assert torch.equal(receiver.state_dict()[name], tensor)
    assert all(p.dtype == torch.float32 for p in receiver.parameters())
    assert state_hash(receiver) == state_hash(donor)


def test_official_checkpoint_is_loaded_by_name_of_the_variant(tmp_path, monkeypatch):
    torch.manual_seed(3)
    source = build_sam2(Sam2Config("sam2.1_hiera_t", "random"))
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(tmp_path))
    torch.save({"model": source.state_dict()}, tmp_path / VARIANTS["sam2.1_hiera_t"].weights)
    found = build_sam2(Sam2Config("sam2.1_hiera_t", "auto", 512))
    assert state_hash(found) == state_hash(source)


def break_missing(state: dict[str, torch.Tensor]) -> str:
    del state["maskmem_tpos_enc"], state["no_mem_embed"]
    return "2 missing (maskmem_tpos_enc, no_mem_embed)"


def break_unexpected(state: dict[str, torch.Tensor]) -> str:
    state["surprise.weight"] = torch.zeros(1)
    return "1 unexpected (surprise.weight)"


def break_shape(state: dict[str, torch.Tensor]) -> str:
    state["no_mem_embed"] = torch.zeros(1, 1, 65)
    return "1 of another shape (no_mem_embed (1, 1, 65) instead of (1, 1, 64))"


def break_nan(state: dict[str, torch.Tensor]) -> str:
    state["no_mem_embed"][0, 0, 5] = float("nan")
    return "1 not finite (no_mem_embed)"


def break_many(state: dict[str, torch.Tensor]) -> str:
    for number in range(9):
        state[f"z{number}"] = torch.zeros(1)
    return "9 unexpected (z0, z1, z2, z3, ...)"


@pytest.mark.parametrize("damage", [break_missing, break_unexpected, break_shape, break_nan, break_many])
def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path, state, receiver, damage):
    expected = damage(state)
    path = tmp_path / "weights.pt"
    torch.save({"model": state}, path)
    before = state_hash(receiver)
    message = refusal(load, receiver, path)
    assert expected in message and str(path) in message
    assert state_hash(receiver) == before


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_truncated_file_is_refused(tmp_path, state, suffix, part):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"model": state}, path)
    else:
        save_file(state, path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    assert f"{path} is not a readable" in refusal(read_state, path)


class Trap:
    """Runs code when it is unpickled by a careless reader."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('code from a checkpoint was run')",))


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"model": {"weight": Trap()}}, tmp_path / "weights.pt")
    assert "not loaded for safety" in refusal(read_state, tmp_path / "weights.pt")


@pytest.mark.parametrize(
    "content", [torch.zeros(3), [torch.zeros(3)], {}, {"model": {"lr": 0.1}}, {1: torch.zeros(1)}], ids=repr
)
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "weights.pt")
    assert "holds no state dict" in refusal(read_state, tmp_path / "weights.pt")


def test_missing_published_weights_say_what_to_fetch_and_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(tmp_path / "shelf"))
    message = refusal(build_sam2, Sam2Config("sam2.1_hiera_b+"))
    for part in (
        "https://dl.fbaipublicfiles.com/segment_anything_2/092824/sam2.1_hiera_base_plus.pt",
        "324 MB",
        "checkpoints",
        str(tmp_path / "shelf" / "sam2.1_hiera_base_plus.pt"),
        "facebook/sam2.1-hiera-base-plus",
    ):
        assert part in message


def test_published_weights_are_found_in_either_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROBUSTVOS_WEIGHTS", raising=False)
    local, shelf = tmp_path / "checkpoints" / "sam2_hiera_tiny.pt", tmp_path / "shelf" / "sam2_hiera_tiny.pt"
    for path in (local, shelf):
        path.parent.mkdir()
        path.touch()
    config = Sam2Config("sam2_hiera_t")
    assert find_checkpoint(config).samefile(local)
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(shelf.parent))
    assert find_checkpoint(config).samefile(shelf)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", "~/shelf")
    assert find_checkpoint(config).samefile(shelf)


def test_timm_trunk_without_weights_says_how_to_go_on():
    assert "checkpoint: random" in refusal(find_checkpoint, Sam2Config("timm:mobilenetv4_conv_small"))


@pytest.mark.parametrize("name", ["nowhere.pt", "sub/nowhere.pt", "a/b/c", "checkpoints.d/x.safetensors"])
def test_missing_path_is_named(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    message = refusal(find_checkpoint, Sam2Config("nano", name))
    assert f"no checkpoint at '{name}'" in message and str(tmp_path) in message


@pytest.mark.parametrize("name", ["facebook/sam2.1-hiera-tiny", "facebook/sam2-hiera-large", "someone/their-sam2"])
def test_hub_id_without_a_net_fails_soon_and_in_one_line(tmp_path, monkeypatch, name):
    """No name resolves under .invalid; on a machine with a net this asks nobody either."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "https://hub.invalid/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    message = refusal(find_checkpoint, Sam2Config("sam2.1_hiera_t", name))
    assert f"could not fetch {FILES.get(name, 'model.safetensors')} of hf://{name}" in message
    assert time.monotonic() - started < 20


def test_hub_file_in_the_cache_needs_no_net(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--facebook--sam2.1-hiera-tiny"
    cached = repository / "snapshots" / "0123456789abcdef" / "sam2.1_hiera_tiny.pt"
    cached.parent.mkdir(parents=True)
    cached.touch()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123456789abcdef")
    assert find_checkpoint(Sam2Config("sam2.1_hiera_t", "facebook/sam2.1-hiera-tiny")).samefile(cached)


def test_hash_names_the_weights_and_nothing_else(state):
    known = state_hash(state)
    assert len(known) == 16 and int(known, 16) >= 0
    assert state_hash(dict(reversed(state.items()))) == known, "order"
    assert state_hash({name: tensor.double() for name, tensor in state.items()}) == known, "precision"
    nudged = dict(state)
    nudged["no_mem_embed"] = torch.nextafter(state["no_mem_embed"], torch.tensor(9.0))
    assert state_hash(nudged) != known, "one unit in the last place"
    assert state_hash({f"x{name}": tensor for name, tensor in state.items()}) != known, "names"
    assert state_hash({**state, "no_mem_embed": state["no_mem_embed"][0]}) != known, "shapes"


def test_hash_is_the_same_on_every_machine():
    expected = hashlib.blake2b(
        b"a(2,)" + struct.pack("<2f", 1, 0) + b"b(2, 2)" + struct.pack("<4f", 0, 1, 2, 3), digest_size=8
    )
    assert state_hash({"b": torch.arange(4).view(2, 2), "a": torch.tensor([True, False])}) == expected.hexdigest()
