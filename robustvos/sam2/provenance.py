"""Trained weights and the base they belong to: provenance, adapters shipped in the package, adapters on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from robustvos.adapters.base import Adapter
from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import PACKAGE_WEIGHTS, Sam2Config
from robustvos.state_dicts import differences, listed, read_checkpoint


@dataclass(frozen=True)
class Provenance:
    """Which base weights an adapter stands on.

    Attributes:
        variant: Name of the base.
        image_size: Side of its input.
        hash: Of its weights; see :func:`robustvos.sam2.checkpoints.state_hash`.
    """

    variant: str
    image_size: int
    hash: str

    @classmethod
    def of(cls, config: Sam2Config, model: Any) -> Provenance:
        """Of a base that no adapter has touched yet."""
        return cls(config.variant, int(model.image_size), state_hash(model))

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)

    def check(self, other: Mapping[str, Any] | None) -> None:
        """Refuse weights trained on another base.

        Raises:
            CheckpointMismatch: Naming both.
        """
        if not other or not other.get("hash"):
            raise CheckpointMismatch(
                "the checkpoint does not say which base it was trained on: it was written by another program, or is no "
                "adapter's; give one that a run or `export` has left"
            )
        if other["hash"] != self.hash:
            raise CheckpointMismatch(
                f"the checkpoint was trained on {other.get('variant')} with weights {other['hash']}, but this base is "
                f"{self.variant} with weights {self.hash}; choose the same --sam2 and its checkpoint"
            )


@dataclass(frozen=True)
class ShippedAdapter:
    """A trained adapter in the package."""

    name: str
    state: dict[str, Tensor]


def save_adapter(path: Path, adapter: Adapter, base: Provenance, half: bool = False) -> None:
    """Write an adapter as safetensors, if asked in half precision, with its class, settings and base in the metadata."""
    metadata = {
        "adapter": type(adapter).__name__,
        "settings": json.dumps(adapter.function_settings()),
        "variant": base.variant,
        "base_hash": base.hash,
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in adapter.adapter_state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    path.write_bytes(serialise(state, metadata))  # not save_file, whose files only their owner can read


def find_shipped_adapter(adapter: Adapter, base: Provenance) -> ShippedAdapter | None:
    """The adapter in the package that was trained on ``base`` and fits ``adapter``; None if there is none."""
    wanted = {name: tuple(tensor.shape) for name, tensor in adapter.adapter_state_dict().items()}
    for path in sorted(PACKAGE_WEIGHTS.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("adapter") != type(adapter).__name__ or metadata.get("base_hash") != base.hash:
                continue
            settings = adapter.function_settings()
            if settings != settings | json.loads(metadata.get("settings", "{}")):
                continue
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if {name: tuple(tensor.shape) for name, tensor in state.items()} == wanted:
            return ShippedAdapter(path.stem, state)
    return None


def describe_unfit_shipped(adapter: Adapter, base: Provenance) -> str | None:
    """What tells an adapter that is shipped for this very base from ``adapter``, its rank most often, and what to set.

    Args:
        adapter: Attached to the base.
        base: What it stands on.

    Returns:
        One clause for a message; None if no adapter of this class is shipped for this base, or it fits.
    """
    kind, own = type(adapter).__name__, adapter.adapter_state_dict()
    for path in sorted(PACKAGE_WEIGHTS.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("adapter") != kind or metadata.get("base_hash") != base.hash:
                continue
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        settings, mine = {"rank": _rank(state)}, {"rank": _rank(own)}
        settings |= json.loads(metadata.get("settings", "{}"))
        mine |= adapter.function_settings()
        there = f"the {kind} that is shipped for {base.variant}"
        for name, value in settings.items():
            if mine.get(name, value) != value:
                advice = f"set --model.adapter.{name} {value}, or give --ckpt_path"
                return f"{there} has {name} {value}, this one {mine[name]}: {advice}"
        if found := listed(differences(own, state)):
            return f"{there} trains other tensors than this one ({found}): set it as configs/model has it, or give --ckpt_path"
    return None


def _rank(state: Mapping[str, Tensor]) -> int | None:
    """Of the low-rank updates in a state, whose ``A`` is ``(R, in)``; None if there are none."""
    return next((len(state[name]) for name in sorted(state) if name.endswith(".A")), None)


def check_settings(adapter: Adapter, trained: Mapping[str, Any] | None) -> None:
    """Refuse weights that were trained with other settings than ``adapter`` has, where these change what weights compute.

    Args:
        adapter: What the weights are for.
        trained: What :meth:`Adapter.function_settings` gave then; None or empty: not known, and not checked.

    Raises:
        CheckpointMismatch: Naming the setting and both values.
    """
    for name, value in adapter.function_settings().items():
        if trained and name in trained and trained[name] != value:
            raise CheckpointMismatch(
                f"the checkpoint was trained with {name} {trained[name]}, but this {type(adapter).__name__} has {value}; "
                f"set --model.adapter.{name} {trained[name]}, or take the checkpoint's own config.yaml"
            )


def read_adapter(path: Path, base: Provenance, adapter: Adapter) -> dict[str, Tensor]:
    """Trained weights from a run's checkpoint or an exported file, after checking that they belong to ``base`` and ``adapter``.

    A file of the public MoGA release holds its whole SAM 2 instead of a base's hash. All of it is returned, under the
    release's names, and the adapter compares the frozen part with the base that it is attached to.

    Raises:
        CheckpointNotFound: If there is no file.
        CheckpointMismatch: If it cannot be read, or was trained on another base or with other settings.
    """
    if not path.is_file():
        raise CheckpointNotFound(
            f"no checkpoint at '{path}'; a run leaves it in runs/NAME/version_N/checkpoints/last.ckpt"
        )
    if path.suffix == ".safetensors":
        origin, state = _read_exported(path)
        base.check(origin)
        check_settings(adapter, origin["settings"])
        return state
    content = _read_run(path)
    if is_release(content):
        released: dict[str, Tensor] = content["model"]
        return released
    base.check(content.get("base"))
    check_settings(adapter, content.get("adapter"))
    trained: dict[str, Tensor] = content.get("state_dict", {})
    return trained


def is_release(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is in the form of the public MoGA release.

    >>> is_release({"model": {"memory_attention.layers.0.sa_lora_A.weight": Tensor()}}), is_release({"state_dict": {}})
    (True, False)
    """
    model = content.get("model")
    return (
        isinstance(model, dict)
        and all(isinstance(value, Tensor) for value in model.values())
        and any(str(name).endswith("sa_lora_A.weight") for name in model)
    )


def _read_exported(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Base and weights of a file that :func:`save_adapter` wrote."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointMismatch(f"{path} is not a readable safetensors file ({error}); export it again") from error
    settings = json.loads(metadata.get("settings", "{}"))
    return {"hash": metadata.get("base_hash"), "variant": metadata.get("variant"), "settings": settings}, state


def _read_run(path: Path) -> dict[str, Any]:
    """What a checkpoint holds that a run left."""
    content = read_checkpoint(path)
    if not isinstance(content, dict):
        raise CheckpointMismatch(
            f"{path} is not the checkpoint of a run; give one from runs/NAME/version_N/checkpoints"
        )
    return content
