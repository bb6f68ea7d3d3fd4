"""Load a system by name, from a run, from a folder, from the Hub: for commands, notebooks and pipelines alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Optional

from robustvos.adapters import Adapter
from robustvos.errors import CheckpointNotFound, UnknownName, UserError
from robustvos.parsing import make, unknown_setting
from robustvos.registry import CONFIGS, DEFAULT_BASE, DEFAULT_SYSTEM, known_names, read_yaml, resolve
from robustvos.restoration import Restorer
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.hub import HUB, announce
from robustvos.sam2.memory_policies import MemoryPolicy
from robustvos.systems.folders import ADAPTER, BASE, SETTINGS
from robustvos.systems.parts import refuse_part
from robustvos.systems.system import System, name_of_parts

_OF_LOOPS = ("protocol", "seed", "weights", "train_base", "target")  # of a run, not of what it tracks with
_OF_TESTS = ("completion", "masks")


@dataclass(frozen=True)
class Settings:
    """What files say of a system.

    Attributes:
        name: Of the system.
        adapter: Class and arguments of what is added; None: nothing.
        sam2: What it stands on.
        restorer: Class and arguments of what frames pass before; None: nothing.
        weights: The adapter's trained weights, if known.
        memory: Class and arguments of the memory policy; None: SAM 2's own.
    """

    name: str
    adapter: Mapping[str, Any] | None
    sam2: Sam2Config
    restorer: Mapping[str, Any] | None = None
    weights: Path | None = None
    memory: Mapping[str, Any] | None = None


def load_system(
    model: str | Path | Mapping[str, Any] | None = None,
    *,
    sam2: str | Mapping[str, Any] | None = None,
    sam2_checkpoint: str | None = None,
    checkpoint: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    trained: bool = True,
    ready: bool = True,
) -> System:
    """A system, ready to track.

    Args:
        model: A name in ``configs/model`` (``moga``, ``lora``, ``sam2``, ...) or a YAML file of that form; the folder of a
            run (``runs/x/version_0``), or one that :meth:`System.save_pretrained` wrote; or ``hf://owner/name``; or what such a
            file holds. None: what ``checkpoint`` was trained as, or MoGA.
        sam2: A name in ``configs/sam2``, a YAML file of that form, or what such a file holds; None: what ``model`` or
            ``checkpoint`` stands on, or nano.
        sam2_checkpoint: Weights of the base: a file, or ``hf://owner/name``; None: as the base says.
        checkpoint: Trained weights of the adapter, of a run or exported; None: those of the run, or those in the package.
        settings: Single settings by the names that the command line gives them: ``{"model.adapter.rank": 8,
            "sam2.image_size": 512}``; those of the base may be nested: ``{"sam2": {"image_size": 512}}``.
        trained: Require trained weights of an adapter; False leaves it as it is made.
        ready: Load the weights of base and restorer; False only to look at modules and parameters.

    Raises:
        UserError: If the adapter was never trained, or a file cannot be read or asks for more than a base, an adapter and a
            restorer.
        UnknownName: If there is no such system or base; suggests the nearest.
        CheckpointNotFound: If weights are missing.
        CheckpointMismatch: If weights cannot be read, or were trained on another base.

    >>> load_system("sam2").name
    'sam2'
    """
    found = read_settings(model, sam2, checkpoint)
    single = {**({"sam2.checkpoint": sam2_checkpoint} if sam2_checkpoint is not None else {}), **(settings or {})}
    base, adapter, restorer, memory = _made(found, single)
    if adapter is None and found.weights is not None:
        raise UserError(f"--model {found.name} has no adapter to load {found.weights} into; name another --model")
    weights = found.weights if ready else None
    name = (
        None if {"model.adapter", "model.restorer", "model.memory"} & single.keys() else found.name
    )  # of what runs, not of what it was
    system = System(base, adapter, restorer, weights=weights, name=name, ready=ready, memory=memory)
    if trained and ready:
        system.require_trained()
    return system


def _flat(single: Mapping[str, Any]) -> dict[str, Any]:
    """Single settings, those of the base by their full names."""
    base = single.get("sam2", {})
    if not isinstance(base, Mapping):
        example = "{'sam2.image_size': 512}"
        raise UserError(f"settings: sam2 takes single settings, e.g. {example}; name a base by sam2={base!r}")
    named = {name: value for name, value in single.items() if name != "sam2"}
    return named | {f"sam2.{name}": value for name, value in base.items()}


def _made(
    found: Settings, single: Mapping[str, Any]
) -> tuple[Sam2Config, Adapter | None, Restorer | None, MemoryPolicy | None]:
    """Base, adapter, restorer and memory policy, with single settings on top of what files say."""
    parts = {
        "sam2": asdict(found.sam2),
        "model.adapter": found.adapter,
        "model.restorer": found.restorer,
        "model.memory": found.memory,
    }
    said: dict[str, list[str]] = {part: [] for part in parts}
    for name, value in _flat(single).items():
        part = next((part for part in parts if f"{name}.".startswith(f"{part}.")), None)
        if part is None:
            raise _not_of_a_system(name, list(parts))
        replaced = [f"{part}=null"] if name == part else []
        said[part] += [*replaced, f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return (
        make(Sam2Config, "sam2", parts["sam2"], said["sam2"]),
        make(Optional[Adapter], "model.adapter", parts["model.adapter"], said["model.adapter"]),  # noqa: UP045
        make(Optional[Restorer], "model.restorer", parts["model.restorer"], said["model.restorer"]),  # noqa: UP045
        make(Optional[MemoryPolicy], "model.memory", parts["model.memory"], said["model.memory"]),  # noqa: UP045
    )


def _not_of_a_system(name: str, parts: Sequence[str]) -> UserError:
    if name.removeprefix("model.") in (*_OF_LOOPS, *_OF_TESTS):
        return UserError(
            f"--{name} is of fit, validate, test and predict; a system is a base, an adapter and a restorer"
        )
    return unknown_setting(name, parts)


def read_settings(
    model: str | Path | Mapping[str, Any] | None = None,
    sam2: str | Mapping[str, Any] | None = None,
    checkpoint: Path | str | None = None,
) -> Settings:
    """What was said, completed by the run or folder that it comes from, completed by the defaults; errors as above."""
    weights = None if checkpoint is None else Path(checkpoint)
    run = {} if weights is None else config_of_run(weights)
    run = run if {"model", "sam2"} <= run.keys() else {}
    if isinstance(model, Mapping):
        adapter, restorer, memory = _parts_of(model, "--config")
        name = _class_name(adapter, restorer, memory)
        return Settings(name, adapter, _base_under(run, sam2, weights), restorer, weights, memory)
    if model is not None and str(model).startswith(HUB):
        model = _fetch(str(model).removeprefix(HUB))
    if model is not None and Path(model).is_dir():
        found = _of_folder(Path(model))
        found = found if weights is None else replace(found, weights=weights)
        return found if sam2 is None else replace(found, sam2=_named_base(sam2))
    if model is None and run:
        found = _of_config(run, f"config.yaml of {weights}", weights)
        return found if sam2 is None else replace(found, sam2=_named_base(sam2))
    where = resolve("model", str(model or DEFAULT_SYSTEM))
    if not Path(where).is_file():
        raise _no_file_of_a_system(where)
    adapter, restorer, memory = _parts_of(read_yaml(where), where)
    return Settings(Path(where).stem, adapter, _base_under(run, sam2, weights), restorer, weights, memory)


def _no_file_of_a_system(name: str) -> UserError:
    """For a class: what a system is made of is said by a file, and single parts of it by flags."""
    if name.rpartition(".")[2] == "PromptableVOS":
        return UserError(f"{name} is the class of every system: give --model sam2 --model.adapter CLASS, or a file")
    refuse_part(name)
    return UnknownName.of("system", name, known_names(CONFIGS, "model"))


def config_of_run(checkpoint: Path) -> dict[str, Any]:
    """``config.yaml`` in the folder above ``checkpoints/``; nothing if the file came from elsewhere."""
    folder = checkpoint.absolute().parent
    path = folder.parent / "config.yaml"
    return read_yaml(str(path)) if folder.name == "checkpoints" and path.is_file() else {}


def _of_folder(folder: Path) -> Settings:
    """Of a run, or of a folder that was saved."""
    if (folder / SETTINGS).is_file():
        content = read_yaml(str(folder / SETTINGS))
        sam2 = dict(content.get("sam2") or {})
        if sam2.get("checkpoint") == BASE:
            sam2["checkpoint"] = str(folder / BASE)
        weights = folder / ADAPTER if content.get("adapter") else None
        base = _base_of(sam2, str(folder / SETTINGS))
        return Settings(
            str(content.get("name", folder.name)),
            content.get("adapter"),
            base,
            content.get("restorer"),
            weights,
            content.get("memory"),
        )
    last = folder / "checkpoints" / "last.ckpt"
    config = read_yaml(str(folder / "config.yaml"))
    if not {"model", "sam2"} <= config.keys():
        raise CheckpointNotFound(
            f"{folder} is neither the folder of a run (config.yaml, checkpoints/last.ckpt) nor a saved system ({SETTINGS})"
        )
    return _of_config(config, str(folder / "config.yaml"), last if last.is_file() else None)


def _of_config(config: Mapping[str, Any], where: str, weights: Path | None) -> Settings:
    """Of the ``config.yaml`` of a run."""
    adapter, restorer, memory = _parts_of(config["model"], where)
    name = (config.get("results") or {}).get("system") or _class_name(adapter, restorer, memory)
    base = _base_of(config["sam2"], where)
    if adapter is None and weights is not None:  # the run trained the whole base
        base = replace(base, checkpoint=str(weights), trunk_weights=None)  # those are where its training began
        return Settings(name, None, base, restorer, memory=memory)
    return Settings(name, adapter, base, restorer, weights if adapter is not None else None, memory)


def _parts_of(node: Mapping[str, Any], file: str) -> tuple[dict[str, Any] | None, ...]:
    """Adapter, restorer and memory policy."""
    arguments = dict(node.get("init_args") or {})
    adapter, restorer, memory = (arguments.pop(name, None) for name in ("adapter", "restorer", "memory"))
    if not str(node.get("class_path", "")).endswith("PromptableVOS"):
        raise UserError(f"{file} is no system: its class_path must be PromptableVOS, as in configs/model/moga.yaml")
    if arguments.get("masks") == "tracked":
        del arguments["masks"]
    unknown = [name for name, value in arguments.items() if name not in _OF_LOOPS and value is not None]
    if unknown:
        names = ", ".join(unknown)
        raise UserError(f"{file}: a system is a base, an adapter and a restorer, not {names}; use test or predict")
    return adapter, restorer, memory


def _named_base(sam2: str | Mapping[str, Any] | None) -> Sam2Config:
    if isinstance(sam2, Mapping):
        return _base_of(sam2, "--config")
    where = resolve("sam2", sam2 or DEFAULT_BASE)
    return _base_of(read_yaml(where), where)


def _base_under(run: Mapping[str, Any], sam2: str | Mapping[str, Any] | None, weights: Path | None) -> Sam2Config:
    """The base that was named, else that of the run that has left the weights, else the default."""
    return _base_of(run["sam2"], f"config.yaml of {weights}") if run and sam2 is None else _named_base(sam2)


def _base_of(node: Mapping[str, Any], file: str) -> Sam2Config:
    known = [field.name for field in fields(Sam2Config)]
    for name in node:
        if name not in known:
            raise UnknownName.of(f"setting of {file}", name, known)
    return Sam2Config(**node)


def _class_name(*parts: Mapping[str, Any] | None) -> str:
    """The name of a system that no file names."""
    return name_of_parts(*(None if part is None else str(part["class_path"]).rpartition(".")[2] for part in parts))


def _fetch(repository: str) -> Path:
    """A saved system from the Hugging Face Hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        announce(repository, SETTINGS)
        return Path(snapshot_download(repository, allow_patterns=[SETTINGS, ADAPTER, BASE]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        text = " ".join(str(error).split())[:160]
        raise CheckpointNotFound(
            f"{HUB}{repository} cannot be fetched ({text}); check the name and the network, or download the repository and "
            "give its folder"
        ) from error
