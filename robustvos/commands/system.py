"""A system for the tools: base and adapter as their YAML files say, without a training loop around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from robustvos.adapters import Adapter
from robustvos.commands.names import DEFAULT_SYSTEM, resolve
from robustvos.errors import UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.provenance import Provenance, find_shipped_adapter, read_adapter

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
    """

    name: str
    base: str
    model: Any
    adapter: Adapter | None
    base_hash: str


def load_system(model: str = DEFAULT_SYSTEM, sam2: str = "nano", weights: bool = True) -> System:
    """Build what ``--model`` and ``--sam2`` name.

    Args:
        model: A name in ``configs/model``, or a YAML file of that form.
        sam2: A name in ``configs/sam2``, or a YAML file of that form.
        weights: Load the base's weights; without them the system can be looked at, not used.
    """
    settings = yaml.safe_load(Path(resolve("model", model, CONFIGS)).read_text()).get("init_args") or {}
    config = Sam2Config(**yaml.safe_load(Path(resolve("sam2", sam2, CONFIGS)).read_text()))
    if not weights:
        config = replace(config, checkpoint="random")
    base = build_sam2(config)
    adapter = _instantiate(settings.get("adapter"))
    return System(Path(model).stem, config.variant, base, adapter, state_hash(base))


def load_trained_system(model: str, sam2: str, ckpt_path: Path | None) -> System:
    """The same, with the adapter's trained weights: from ``ckpt_path``, or those shipped in the package.

    Raises:
        UserError: If the adapter was never trained.
    """
    system = load_system(model, sam2)
    if system.adapter is None:
        if ckpt_path is not None:
            raise UserError(
                f"--model {system.name} has no adapter to load {ckpt_path} into; did you mean another --model?"
            )
        return system
    provenance = Provenance(system.base, system.model.image_size, system.base_hash)
    system.adapter.attach(system.model)
    if ckpt_path is not None:
        system.adapter.load_adapter_state_dict(read_adapter(ckpt_path, provenance))
        return system
    shipped = find_shipped_adapter(system.adapter, provenance)
    if shipped is None:
        raise UserError(
            f"no trained {system.name} for {system.base} is shipped: give --ckpt_path, or use --model sam2 for the frozen model"
        )
    system.adapter.load_adapter_state_dict(shipped.state)
    return system


def _instantiate(node: dict[str, Any] | None) -> Adapter | None:
    if node is None:
        return None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--adapter", type=Adapter)
    return parser.instantiate_classes(parser.parse_object({"adapter": node})).adapter
