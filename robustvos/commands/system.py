"""A system for the tools: base, adapter and restorer as their YAML files say, without a training loop around them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError, ArgumentParser

from robustvos.adapters import Adapter
from robustvos.commands.config_files import read_yaml
from robustvos.commands.messages import refuse
from robustvos.commands.names import DEFAULT_BASE, DEFAULT_SYSTEM, resolve
from robustvos.errors import UnknownName, UserError
from robustvos.restoration import Restorer
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.provenance import Provenance, find_shipped_adapter, read_adapter

_OF_LOOPS = ("protocol", "seed", "weights", "train_base")  # of a run, not of what it tracks with
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@dataclass(frozen=True)
class System:
    """A row of a results table, ready to track.

    Attributes:
        name: Of the system.
        base: Name of the SAM 2 it stands on.
        model: The SAM 2, with the adapter attached.
        adapter: What was added; None: nothing.
        base_hash: Of the base's weights, before anything was added.
        restorer: What frames pass before; None: nothing. Its weights are not loaded.
    """

    name: str
    base: str
    model: Any
    adapter: Adapter | None
    base_hash: str
    restorer: Restorer | None = None

    def to(self, device: torch.device | str) -> System:
        """Move everything to a device: an adapter is no part of the model that carries it."""
        for part in (self.model, self.adapter, self.restorer):
            if part is not None:
                part.to(device)
        return self


@dataclass(frozen=True)
class Settings:
    """What YAML files say about a system.

    Attributes:
        name: Of the system.
        adapter: Class and arguments of what is added; None: nothing.
        base: What it stands on.
        restorer: Class and arguments of what frames pass before; None: nothing.
    """

    name: str
    adapter: dict[str, Any] | None
    base: Sam2Config
    restorer: dict[str, Any] | None = None


def load_system(
    model: str | None = None, sam2: str | None = None, weights: bool = True, ckpt_path: Path | None = None
) -> System:
    """Build what ``--model`` and ``--sam2`` name.

    Args:
        model: A name in ``configs/model``, or a YAML file of that form; None: that of the run which left ``ckpt_path``,
            or MoGA.
        sam2: A name in ``configs/sam2``, or a YAML file of that form; None: that of the run, or nano.
        weights: Load the base's weights; without them the system can be looked at, not used.
        ckpt_path: Trained weights that the system is for.

    Raises:
        UserError: If a file cannot be read, or asks for more than a base, an adapter and a restorer.
    """
    settings = read_settings(model, sam2, ckpt_path)
    base = build_sam2(settings.base if weights else replace(settings.base, checkpoint="random"))
    adapter = None if settings.adapter is None else _instantiate(Adapter, "adapter", settings.adapter)
    restorer = None if settings.restorer is None else _instantiate(Restorer, "restorer", settings.restorer)
    return System(settings.name, settings.base.variant, base, adapter, state_hash(base), restorer)


def load_trained_system(model: str | None, sam2: str | None, ckpt_path: Path | None) -> System:
    """The same, with trained weights: the adapter's from ``ckpt_path``, or those shipped in the package; the restorer's.

    Raises:
        UserError: If the adapter was never trained.
        CheckpointNotFound: If there is no file, or none of the restorer's.
        CheckpointMismatch: If it cannot be read, or was trained on another base.
    """
    system = load_system(model, sam2, ckpt_path=ckpt_path)
    if system.restorer is not None:
        system.restorer.prepare()
    if system.adapter is None:
        if ckpt_path is not None:
            raise UserError(f"--model {system.name} has no adapter to load {ckpt_path} into; name another --model")
        return system
    provenance = Provenance(system.base, system.model.image_size, system.base_hash)
    system.adapter.attach(system.model)
    if ckpt_path is not None:
        system.adapter.load_adapter_state_dict(read_adapter(ckpt_path, provenance, system.adapter))
        return system
    shipped = find_shipped_adapter(system.adapter, provenance)
    if shipped is None:
        raise UserError(
            f"no trained {system.name} for this {system.base} is shipped: give --ckpt_path, or use --model sam2 for the "
            "frozen model"
        )
    system.adapter.load_adapter_state_dict(shipped.state)
    return system


def read_settings(model: str | None, sam2: str | None, ckpt_path: Path | None = None) -> Settings:
    """What was said, completed by the ``config.yaml`` of the run that left ``ckpt_path``, completed by the defaults."""
    run = {} if ckpt_path is None else config_of_run(ckpt_path)
    run = run if {"model", "sam2"} <= run.keys() else {}
    if model is None and run:
        where = f"config.yaml of {ckpt_path}"
        adapter, restorer = _parts_of(run["model"], where)
        name = (run.get("results") or {}).get("system") or _class_name(adapter)
    else:
        where = resolve("model", model or DEFAULT_SYSTEM, CONFIGS)
        (adapter, restorer), name = _parts_of(read_yaml(where), where), Path(where).stem
    if sam2 is None and run:
        return Settings(name, adapter, _base_of(run["sam2"], where), restorer)
    where = resolve("sam2", sam2 or DEFAULT_BASE, CONFIGS)
    return Settings(name, adapter, _base_of(read_yaml(where), where), restorer)


def config_of_run(ckpt_path: Path) -> dict[str, Any]:
    """``config.yaml`` in the folder above ``checkpoints/``; nothing if the file came from elsewhere."""
    folder = ckpt_path.absolute().parent
    path = folder.parent / "config.yaml"
    return read_yaml(str(path)) if folder.name == "checkpoints" and path.is_file() else {}


def _parts_of(node: dict[str, Any], file: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Adapter and restorer."""
    arguments = dict(node.get("init_args") or {})
    adapter, restorer = arguments.pop("adapter", None), arguments.pop("restorer", None)
    if not str(node.get("class_path", "")).endswith("PromptableVOS"):
        raise UserError(f"{file} is no system: its class_path must be PromptableVOS, as in configs/model/moga.yaml")
    unknown = [name for name, value in arguments.items() if name not in _OF_LOOPS and value is not None]
    if unknown:
        names = ", ".join(unknown)
        raise UserError(f"{file}: the tools know a base, an adapter and a restorer, not {names}; use test or predict")
    return adapter, restorer


def _base_of(node: dict[str, Any], file: str) -> Sam2Config:
    known = [field.name for field in fields(Sam2Config)]
    for name in node:
        if name not in known:
            raise UnknownName.of(f"setting of {file}", name, known)
    return Sam2Config(**node)


def _class_name(adapter: dict[str, Any] | None) -> str:
    return "sam2" if adapter is None else str(adapter["class_path"]).rpartition(".")[2].lower()


def _instantiate(kind: type, name: str, node: dict[str, Any]) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{name}", type=kind)
    try:
        return parser.instantiate_classes(parser.parse_object({name: node}))[name]
    except ArgumentError as error:
        refuse(str(error), error)
