"""Names on the command line: ``--data davis``, ``--model moga``, ``--sam2 nano``, ``--recipe nano`` are files in ``configs/``.

The file name is the registry. A name, a class or a path that replaces an earlier choice must also replace its
arguments: jsonargparse would otherwise keep the former dataset's root or the former adapter's rank. A ``null`` before
the new value makes it forget them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from robustvos.errors import UnknownName

KINDS = {"data": "dataset", "model": "system", "sam2": "SAM 2 base", "recipe": "recipe"}
VALUES = ("sam2", "recipe")  # plain settings: every field is set by the file, nothing to forget
EVALUATIONS = ("validate", "test", "predict")
DEFAULT_SYSTEM = "moga"
DEFAULT_DATA = "shapes"


def known_names(configs: Path, kind: str) -> list[str]:
    """Names that ``--kind`` takes, read off the folder."""
    return sorted(path.stem for path in (configs / kind).glob("*.yaml"))


def expand(argv: Sequence[str], configs: Path) -> list[str]:
    """Spell out the names in the arguments of a Lightning subcommand.

    Args:
        argv: Subcommand first; as typed.
        configs: Folder with ``data/``, ``model/``, ``sam2/`` and ``recipe/``.

    Returns:
        Arguments that LightningCLI understands. Without ``--config`` and ``--model``, evaluations measure the default
        system; without any data they use the embedded shapes.

    Raises:
        UnknownName: If a name is neither in the registry, nor a path, nor a class; suggests the nearest.
    """
    if not argv:
        return []
    spelt = [argv[0]]
    for flag, value in _pairs(argv[1:]):
        kind = flag.removeprefix("--") if flag else None
        if kind in KINDS and value is not None:
            spelt += _replacement(kind, value, configs)
        else:
            spelt += [token for token in (flag, value) if token is not None]
    return [spelt[0], *_defaults(argv, configs), *spelt[1:]]


def _pairs(tokens: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """Flags of :data:`KINDS` with their values; every other token alone, as ``(None, token)``."""
    rest = iter(tokens)
    for token in rest:
        flag, _, value = token.partition("=")
        if flag.removeprefix("--") in KINDS and flag.startswith("--"):
            yield flag, value if "=" in token else next(rest, None)
        else:
            yield None, token


def _replacement(kind: str, value: str, configs: Path) -> list[str]:
    if kind in VALUES:
        return [f"--{kind}={resolve(kind, value, configs)}"]
    return [f"--{kind}=null", f"--{kind}={resolve(kind, value, configs)}"]


def resolve(kind: str, value: str, configs: Path) -> str:
    """The file of a registered name; a path or a class stays as it is. Raises UnknownName for anything else."""
    registered = configs / kind / f"{value}.yaml"
    if registered.is_file():
        return str(registered)
    is_path = Path(value).is_file()
    is_class = kind not in VALUES and ("." in value or value[:1].isupper()) and not value.endswith((".yaml", ".yml"))
    if is_path or is_class or value == "null":
        return value
    raise UnknownName.of(KINDS[kind], value, known_names(configs, kind))


def _defaults(argv: Sequence[str], configs: Path) -> list[str]:
    """What an evaluation uses when nothing was said; put first, so that anything said later wins."""
    if argv[0] not in EVALUATIONS or any(token in ("-h", "--help") for token in argv):
        return []
    said = {token.partition("=")[0] for token in argv[1:]}
    if said & {"--config", "-c"}:
        return []
    defaults = []
    if "--model" not in said:
        defaults.append(f"--model={configs / 'model' / f'{DEFAULT_SYSTEM}.yaml'}")
    if "--data" not in said:
        defaults.append(f"--data={configs / 'data' / f'{DEFAULT_DATA}.yaml'}")
    return defaults
