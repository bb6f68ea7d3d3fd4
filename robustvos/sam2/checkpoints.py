"""Find, read and check SAM 2 weights: exact keys and shapes, or an error that lists what differs."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.sam2.config import PACKAGE_WEIGHTS, VARIANTS, Sam2Config
from robustvos.sam2.hub import HUB, fetch_file, repository_of
from robustvos.state_dicts import differences, listed, read_checkpoint, read_safetensors

HOST_PREFIX = "sam2."  # of a base inside the checkpoint of its own training run
WEIGHTS_VARIABLE = "ROBUSTVOS_WEIGHTS"
_HUB_FILES = ("model.safetensors", "base.safetensors")  # as the Hub has it, as System.save_pretrained has it
_FILE_SUFFIXES = {".pt", ".pth", ".ckpt", ".bin", ".safetensors"}


def load_checkpoint(model: nn.Module, config: Sam2Config) -> None:
    """Fill ``model`` with the weights that ``config.checkpoint`` names; ``random`` leaves it as it is.

    Raises:
        CheckpointNotFound: If the file is not there; says where it was looked for and where to fetch it.
        CheckpointMismatch: If keys or shapes differ, or a weight is not finite.
    """
    if config.checkpoint == "random":
        return
    path = find_checkpoint(config)
    load_exactly(model, read_state(path), str(path))


def find_checkpoint(config: Sam2Config) -> Path:
    """The file that ``config.checkpoint`` means. See :class:`Sam2Config` for the forms it takes."""
    name = config.checkpoint
    if name == "auto":
        return _find_published(config.variant)
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if name.startswith(HUB) or _is_hub_id(name):
        return _fetch_from_hub(repository_of(name), config.variant)
    raise CheckpointNotFound(
        f"no checkpoint at '{name}' (looked in {path.absolute().parent}); {_where_to_get(config.variant)}"
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors or from a torch file, without running code from it.

    SAM 2's files hold it under ``model``, Lightning's under ``state_dict``; both are opened. So is a run of ours that
    trained a base, whose names begin with ``sam2.``.

    Raises:
        CheckpointMismatch: If the file cannot be read, or holds anything but named tensors there.
    """
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    content: Any = read_checkpoint(path)
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    named = isinstance(content, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    if not named or not content:
        raise CheckpointMismatch(
            f"{path} holds no state dict, at its top or under 'model' or 'state_dict'; give another file"
        )
    if all(name.startswith(HOST_PREFIX) for name in content):
        content = {name.removeprefix(HOST_PREFIX): tensor for name, tensor in content.items()}
    state: dict[str, Tensor] = content
    return state


def load_exactly(model: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Copy ``state`` into ``model``; every key and shape must agree and every weight be finite.

    Raises:
        CheckpointMismatch: Listing what is missing, superfluous, of another shape or not finite.
    """
    own = model.state_dict()
    if found := listed(differences(own, state)):
        raise CheckpointMismatch(f"{origin} does not fit this model: {found}; check variant and version")
    model.load_state_dict({k: v.to(own[k].dtype) for k, v in state.items()})


def state_hash(model_or_state: nn.Module | dict[str, Tensor]) -> str:
    """Sixteen hex digits that identify weights: names, shapes and values (as fp32)."""
    state: dict[str, Any] = model_or_state.state_dict() if isinstance(model_or_state, nn.Module) else model_or_state
    digest = hashlib.blake2b(digest_size=8)
    for key in sorted(state):
        value = state[key].detach().cpu()
        digest.update(f"{key}{tuple(value.shape)}".encode())
        digest.update(value.float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _find_published(variant: str) -> Path:
    known = VARIANTS.get(variant)
    if known is None or known.weights is None:
        raise CheckpointNotFound(
            f"no weights are published for '{variant}'; give a path, or checkpoint: random to train it"
        )
    folders = [PACKAGE_WEIGHTS, Path("checkpoints")]
    if os.environ.get(WEIGHTS_VARIABLE):
        folders.insert(0, Path(os.environ[WEIGHTS_VARIABLE]).expanduser())
    for folder in folders:
        if (folder / known.weights).is_file():
            return folder / known.weights
    looked = ", ".join(str(f / known.weights) for f in folders if f != PACKAGE_WEIGHTS or known.url is None)
    raise CheckpointNotFound(f"no weights for {variant}: looked for {looked}; {_where_to_get(variant)}")


def _where_to_get(variant: str) -> str:
    known = VARIANTS.get(variant)
    if known is None or known.url is None:
        return "give the path of a checkpoint of this variant, or 'random'"
    return (
        f"fetch {known.url} ({known.megabytes} MB) into ./checkpoints/ or ${WEIGHTS_VARIABLE}, "
        f"or give --sam2.checkpoint {HUB}{known.hub_id}"
    )


def _is_hub_id(name: str) -> bool:
    """Whether ``name``, which is no file, reads as OWNER/REPOSITORY rather than as a path."""
    if any(name == known.hub_id for known in VARIANTS.values()):
        return True
    path = Path(name)  # a dot in the name does not make it a file: facebook/sam2.1-hiera-tiny
    return (
        bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name))
        and path.suffix not in _FILE_SUFFIXES
        and not path.parent.exists()
    )


def _fetch_from_hub(repository: str, variant: str) -> Path:
    """The file from the local cache, else from the net."""
    files = {v.hub_id: v.weights for v in VARIANTS.values() if v.hub_id and v.weights}
    known = files.get(repository)
    try:
        return fetch_file(repository, [known] if known else list(_HUB_FILES))
    except CheckpointNotFound as error:
        raise CheckpointNotFound(f"{error}; {_where_to_get(variant)}") from error
