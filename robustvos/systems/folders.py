"""Systems as folders: what :meth:`System.save_pretrained` writes, and a hub keeps."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save as serialise

from robustvos.adapters import Adapter
from robustvos.errors import UserError
from robustvos.files.atomic import atomic_path, atomic_write_bytes, atomic_write_text
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.provenance import Provenance, save_adapter

SETTINGS, ADAPTER, BASE = "system.yaml", "adapter.safetensors", "base.safetensors"


def write_folder(
    folder: Path,
    name: str,
    sam2: Sam2Config,
    model: torch.nn.Module,
    base: Provenance,
    adapter: Adapter | None,
    restorer: torch.nn.Module | None,
    memory: object | None = None,
) -> Path:
    """See :meth:`robustvos.systems.system.System.save_pretrained`."""
    settings: dict[str, Any] = asdict(sam2)
    if adapter is None:
        state = {key: value.detach().cpu().half().contiguous() for key, value in model.state_dict().items()}
        atomic_write_bytes(folder / BASE, serialise(state))
        settings |= {"checkpoint": BASE, "trunk_weights": None}
    else:
        if Path(settings["checkpoint"]).is_file():
            settings["checkpoint"] = str(Path(settings["checkpoint"]).absolute())
        with atomic_path(folder / ADAPTER) as partial, adapter.disabled():
            save_adapter(partial, adapter, base)
    content = {
        "name": name,
        "sam2": settings,
        "base_hash": base.hash,
        "adapter": described(adapter),
        "restorer": described(restorer),
        "memory": described(memory),
    }
    atomic_write_text(folder / SETTINGS, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return folder


def described(plugin: object | None) -> dict[str, Any] | None:
    """Class and arguments of an adapter, a restorer or a memory policy, as YAML files have them.

    Raises:
        UserError: If it does not keep an argument of its constructor under the argument's name.
    """
    if plugin is None:
        return None
    kind = type(plugin)
    arguments: dict[str, Any] = {}
    for name in inspect.signature(kind).parameters:
        if not hasattr(plugin, name):
            raise UserError(
                f"{kind.__name__} does not keep its argument '{name}': make it an attribute, so that the system can be saved"
            )
        value = getattr(plugin, name)
        arguments[name] = str(value) if isinstance(value, Path) else value
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": arguments}
