"""What decides the figures of a run: its settings as the parser resolved them, its weights, its data, the version.

A run leaves it as ``identity.json`` when it begins. An experiment compares it with what the same command would do now, so that
no run is tabled that was made of something else. Places and devices are no part of it: what lies at a place is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robustvos.experiments.overrides import leaves

Digest = Callable[[str | Path], str | None]
FILE = "identity.json"
CHECKPOINT = "ckpt_path"
_SPLITS = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}
_EVALUATED = ("seed_everything", "sam2", "model", "data", "results", "trainer.precision", "trainer.fast_dev_run")
_TRAINED = ("seed_everything", "sam2", "recipe", "model", "data", "trainer")
_OF_NO_MATTER = (
    *("data.init_args.workers", "results.frames"),
    *("trainer.accelerator", "trainer.strategy", "trainer.plugins", "trainer.default_root_dir", "trainer.max_time"),
    *("trainer.logger", "trainer.log_every_n_steps", "trainer.profiler", "trainer.barebones", "trainer.model_registry"),
    *("trainer.enable_checkpointing", "trainer.enable_progress_bar", "trainer.enable_model_summary"),
    *("trainer.enable_autolog_hparams", "trainer.num_sanity_val_steps", "trainer.detect_anomaly"),
    *("trainer.inference_mode", "trainer.limit_test_batches", "trainer.limit_predict_batches"),
)
_WEIGHTS = {".pt", ".pth", ".ckpt", ".bin", ".safetensors"}
_PLACES = {"root", "roots"}
_HUB = "hf://"
_LOOKED_FOR = {"hidden": "pasted"}  # clips of both are made of the same footage
_NOT_SET = "not set"
_UNKNOWN = None  # what could not be looked at where this was written: weights or data that are not on this machine


def identity_of(
    config: Mapping[str, Any], loop: str, weights: Path | None = None, digest: Digest | None = None
) -> dict[str, Any]:
    """What decides the figures of a run.

    Args:
        config: As the parser resolved it: ``config.yaml``, or what ``--print_config`` prints.
        loop: ``fit``, ``validate``, ``test`` or ``predict``.
        weights: The base's, if they are here.
        digest: :func:`digest_of`, or one that remembers what it has looked at.

    Returns:
        Dotted names of settings to their values. A file or folder is replaced by a digest of what it holds; None where it is
        not on this machine. Of a training, ``trainer.devices`` counts: batches are of each process.
    """
    look = digest or digest_of
    splits = _SPLITS[loop]
    chosen = _TRAINED if loop == "fit" else (*_EVALUATED, f"trainer.limit_{splits[0]}_batches")
    others = tuple(f"data.init_args.{split}" for split in ("train", "val", "test") if split not in splits)
    left_out = (*others, *(name for name in _OF_NO_MATTER if loop == "fit" or name not in chosen))
    flat = {
        name: _content(name, value, look)
        for name, value in leaves(config)
        if _within(name, chosen) and not _within(name, left_out)
    }
    said = str((config.get("sam2") or {}).get("checkpoint"))
    elsewhere = said == "auto" or Path(said).suffix in _WEIGHTS  # else `random`, or a name on a hub
    flat["sam2.checkpoint"] = look(weights) if weights is not None else _UNKNOWN if elsewhere else said
    flat |= _data_beside(config.get("data") or {}, look)
    if loop != "fit" and config.get(CHECKPOINT):
        flat[CHECKPOINT] = look(config[CHECKPOINT])
    identity: dict[str, Any] = json.loads(json.dumps({**flat, "robustvos": _version()}, default=str))
    return identity


def differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """In which settings two runs differ, in words; what is unknown to one of them is not compared.

    >>> differences({"data.init_args.train.batches": 9000, "base": None}, {"data.init_args.train.batches": 90, "base": "1f"})
    ['data.train.batches 90, now 9000']
    """
    found = []
    for name in sorted({*now, *then}):
        here, there = now.get(name, _NOT_SET), then.get(name, _NOT_SET)
        known = (here is not None and there is not None) or not _is_content(name)
        if here != there and known:
            found.append(f"{name.replace('.init_args', '')} {_word(there)}, now {_word(here)}")
    return found


def digest_of(path: str | Path) -> str | None:
    """Of a file's content, or of the names and sizes of all files in a folder; None if nothing is there."""
    place = Path(path).expanduser()
    try:
        found = place.stat()
    except (OSError, ValueError):
        return _UNKNOWN
    if place.is_dir():
        return _folder_digest(place)
    if not place.is_file():  # a pipe, a device: nothing to look at without taking from it
        return _UNKNOWN
    return _file_digest(str(place.absolute()), found.st_size, found.st_mtime_ns)


@cache
def _file_digest(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        digest = hashlib.blake2b(digest_size=8)
        while block := file.read(1 << 20):
            digest.update(block)
    return f"content {digest.hexdigest()}"


def _folder_digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    count = 0
    seen = {os.path.realpath(path)}
    for folder, folders, files in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if os.path.realpath(os.path.join(folder, name)) not in seen)
        seen.update(os.path.realpath(os.path.join(folder, name)) for name in folders)  # links may lead round in circles
        for name in sorted(files):
            count += 1
            line = f"{os.path.relpath(folder, path)}/{name} {_size(os.path.join(folder, name))}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return f"{count} files {digest.hexdigest()}"


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError:  # a link to nothing
        return -1


def _content(name: str, value: Any, digest: Digest) -> Any:
    """What lies at a place, if the value is one."""
    in_place = bool(_PLACES & set(name.split(".")))
    if in_place and value is None:
        return "by name"
    if not isinstance(value, str) or not value or "\0" in value:
        return value
    if in_place:
        return value if value.startswith(_HUB) else digest(value)
    is_path = os.sep in value or Path(value).suffix != ""
    return (digest(value) or value) if is_path else value


def _data_beside(data: Mapping[str, Any], digest: Digest) -> dict[str, Any]:
    """Data that are looked for by name in ``$ROBUSTVOS_DATA``."""
    arguments = data.get("init_args") or {}
    if arguments.get("root") is not None or not {"root", "roots"} & arguments.keys():
        return {}
    roots = arguments.get("roots") or {}
    names = [name for name, place in roots.items() if place is None] if roots else [arguments.get("name")]
    own = str(data.get("class_path", "")).rpartition(".")[2].lower()
    names = [name or _LOOKED_FOR.get(own, own) for name in names]
    folder = os.environ.get("ROBUSTVOS_DATA", "")
    return {f"data.files.{name}": digest(Path(folder, str(name))) if folder else _UNKNOWN for name in names}


def _within(name: str, chosen: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in chosen)


def _is_content(name: str) -> bool:
    return name in ("sam2.checkpoint", CHECKPOINT, "base") or bool({*_PLACES, "files"} & set(name.split(".")))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _version() -> str:
    try:
        return version("robustvos")
    except PackageNotFoundError:
        return "a checkout"
