"""Names on the command line: ``--data davis``, ``--model moga``, ``--sam2 nano``, ``--recipe nano`` are files in ``configs/``.

The file name is the registry. A name, a class or a path that replaces an earlier choice must also replace its
arguments: jsonargparse would otherwise keep the former dataset's root or the former adapter's rank. A ``null`` (or the
settings' defaults) before the new value makes it forget them. So that no setting is forgotten that was typed before the
name it belongs to, names go first. What is said on the command line counts more than what a ``--config`` says,
whichever comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datamodules import Data
from robustvos.commands.config_files import check_settings, with_forgetting
from robustvos.commands.loop_config import check_checkpoint
from robustvos.errors import UserError
from robustvos.parsing import subclass_names
from robustvos.registry import DEFAULT_DATA, DEFAULT_SYSTEM, KINDS, VALUES, read_yaml, resolve, resolve_run
from robustvos.systems.parts import refuse_part

EVALUATIONS = ("validate", "test", "predict")
_CONFIG = ("--config", "-c")
_CHECKPOINT = "--ckpt_path"
_OF_MODEL = ("--model.init_args.", "--model.")
_PARTS = ("adapter", "restorer", "memory", "completion")
"""Classes that a system is made of, and named after where no file names it."""
_PLUGINS = tuple(f"{prefix}{part}" for part in _PARTS for prefix in _OF_MODEL)


def expand(argv: Sequence[str], configs: Path, defaults: Mapping[str, str] | None = None) -> list[str]:
    """Spell out the names in the arguments of a Lightning subcommand.

    Args:
        argv: Subcommand first; as typed.
        configs: Folder with ``data/``, ``model/``, ``sam2/`` and ``recipe/``.
        defaults: What ``sam2`` and ``recipe`` are unless something is said, as JSON.

    Returns:
        Arguments that LightningCLI understands, config files first. Without ``--config`` and ``--model``, evaluations
        measure the default system; without any data they use the embedded shapes. A system that is named gives its name
        to the results, unless a class that is given by flag replaces what its file says: then it is named after what runs.

    Raises:
        UnknownName: If a name is neither in the registry, nor a path, nor a class; suggests the nearest.
        CheckpointNotFound: If there is no checkpoint at the path that was said.
        CheckpointMismatch: If it cannot be read.
        UserError: If a file puts ``sam2`` or ``recipe`` where they would be overlooked, fit lacks a model or data, or a part
            of a system is given as one.
    """
    if not argv:
        return []
    said = [(_canonical(flag), value) for flag, value in _pairs(argv[1:])]
    files = [resolve_run(value, configs) for flag, value in said if flag in _CONFIG and value is not None]
    spelt: list[str] = []
    for flag, value in sorted(_defaults(argv[0], said, configs) + said, key=_turn):
        if flag not in _CONFIG:
            spelt += _spell(flag, value, configs, defaults or {})
    _require_a_task(argv[0], [flag for flag, _ in said])
    if not any(flag == "--results.system" for flag, _ in said):
        spelt += [f"--results.system={name}" for name in _system_name(said, files, configs)]
    return [argv[0], *with_forgetting(files, configs), *spelt]


def _turn(pair: tuple[str, str | None]) -> int:
    """When an argument is read: parts before what they are made of, these before settings, weights last."""
    flag, value = pair
    if value is None:
        return 2
    if flag.removeprefix("--") in KINDS:
        return 0
    if flag in _PLUGINS:
        return 1
    return 3 if flag == _CHECKPOINT else 2


def _pairs(tokens: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Flags that matter here with their values; every other token alone, as ``(token, None)``."""
    mine = {f"{prefix}{kind}" for kind in KINDS for prefix in ("--", *_OF_MODEL)}
    mine |= {*_CONFIG, *_PLUGINS, *(f"{flag}.class_path" for flag in _PLUGINS), _CHECKPOINT, "--results.system"}
    rest = iter(tokens)
    for token in rest:
        flag, equals, value = token.partition("=")
        if flag in mine:
            yield flag, value if equals else next(rest, None)
        else:
            yield token, None


def _canonical(flag: str) -> str:
    """``--model.sam2.variant`` is ``--sam2.variant``: base and recipe stand beside the system."""
    for prefix in _OF_MODEL:
        for kind in VALUES:
            if flag.startswith(f"{prefix}{kind}") and flag[len(prefix) + len(kind) :][:1] in ("", ".", "="):
                return f"--{flag.removeprefix(prefix)}"
    return flag


def _spell(flag: str, value: str | None, configs: Path, defaults: Mapping[str, str]) -> list[str]:
    if value is None:
        return [flag]
    if flag in _PLUGINS:
        return [f"{flag}=null", f"{flag}={value}"]
    if flag == _CHECKPOINT:
        check_checkpoint(value)
        if value.endswith((".safetensors", ".pt")):  # exported: without a run's state, which Lightning cannot read
            return [f"--model.weights={value}"]
    kind = flag.removeprefix("--")
    if kind not in KINDS:
        return [f"{flag}={value}"]
    new = resolve(kind, value, configs, subclass_names(Data) if kind == "data" else ())
    if kind == "model" and not Path(new).is_file():
        refuse_part(new)
    check_settings(kind, new)
    forget = defaults.get(kind) if kind in VALUES else "null"
    return [f"{flag}={text}" for text in (forget, new) if text is not None]


def _require_a_task(subcommand: str, flags: Sequence[str]) -> None:
    """Refuse a ``fit`` that does not say what to train, or on what."""
    asks = {flag.partition("=")[0] for flag in flags}
    if subcommand != "fit" or asks & {*_CONFIG, "-h", "--help"} or {"--model", "--data"} <= asks:
        return
    raise UserError(
        "fit does not know what to train: say --config configs/moga.yaml (MoGA on the embedded default, minutes on a CPU); "
        "--model, --data, --sam2 and --recipe then replace parts of it"
    )


def _defaults(subcommand: str, said: Sequence[tuple[str, str | None]], configs: Path) -> list[tuple[str, str | None]]:
    """What an evaluation uses when nothing was said; put first, so that anything said later wins."""
    flags = {flag for flag, _ in said}
    if subcommand not in EVALUATIONS or flags & {*_CONFIG, "-h", "--help"}:
        return []
    defaults = {"--model": DEFAULT_SYSTEM, "--data": DEFAULT_DATA}
    return [(flag, name) for flag, name in defaults.items() if flag not in flags]


def _system_name(said: Sequence[tuple[str, str | None]], files: Sequence[str], configs: Path) -> list[str]:
    """Stem of the last file that ``--model`` named; ``null``, also for a name in ``--config``, where that is not what runs."""
    named = [value for flag, value in said if flag == "--model" and value is not None]
    path = Path(resolve("model", named[-1], configs)) if named else None
    is_file = path is not None and path.suffix in (".yaml", ".yml")
    nodes = [read_yaml(str(path))] if is_file else [] if named else [read_yaml(file).get("model") for file in files]
    if any(_replaces(said, part, nodes) for part in _PARTS):
        return ["null"]
    return [path.stem] if path is not None and is_file else []


def _replaces(said: Sequence[tuple[str, str | None]], part: str, nodes: Sequence[Any]) -> bool:
    """Whether a flag gives another class than files do; ``null`` replaces what is there alone."""
    flags = [f"{prefix}{part}{end}" for prefix in _OF_MODEL for end in ("", ".class_path")]
    given = [value for flag, value in said if flag in flags]
    if not given or given[-1] != "null":
        return bool(given)
    arguments = [node.get("init_args") or {} for node in nodes if isinstance(node, dict)]
    return any(isinstance(own, dict) and own.get(part) is not None for own in arguments)
