"""What a parser found wrong with a setting, in one line: which one, the nearest that there are, what was expected.

Commands and systems are parsed by jsonargparse, whose messages nest as deep as the settings do and name its own classes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from inspect import isabstract
from pkgutil import resolve_name
from typing import Any

from robustvos.errors import UnknownName, UserError

_MOVED = {
    "limit": "--data.test.limit (or --data.val.limit)",
    "prompt": "--data.test.prompt (or --data.val.prompt)",
    "max_objects": "--data.test.max_objects (or --data.val.max_objects)",
    "join_frames": "--data.test.join_frames (or --data.val.join_frames)",
    "clips": "--data.test.select (or --data.val.select)",
    "videos": "--data.test.select (or --data.val.select, --data.train.select)",
    "test.clips": "--data.test.limit",
    "val.clips": "--data.val.limit",
}
"""Settings of datasets as version 0.1 spelt them."""
_UNKNOWN = re.compile(
    r"unrecognized arguments: (?P<typed>[^\s=]+)|Option '?(?P<option>[\w.]+)'? is not accepted"
    r"|Subcommand '?\w+'? does not accept option '?(?P<own>[\w.]+)"
    r"|Group '?(?P<group>[\w.]+)'? does not accept option '?(?P<inner>[\w.]+)|[kK]ey '?(?P<key>[\w.]+)'? is not expected"
)
_CLASS = re.compile(r"Expected a dot import path string: (\S+)|Import path (\S+) (?:not|does)|[cC]lass_path '([^']+)' ")
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "settings",
    "Path": "a path",
}
_SHOWN = 12


@dataclass
class _Found:
    """What a message comes to: keys from the outermost in, the class whose settings are meant, the base it may be of."""

    keys: list[str]
    owner: str | None = None
    base: str | None = None


def plain(message: str, known: Iterable[str] = ()) -> str:
    """A parser's message in one line.

    Args:
        message: Of jsonargparse, of any depth.
        known: Names of the outermost settings, with dots.

    >>> plain("unrecognized arguments: --dat.root=1", ["data.root", "run"])
    "unknown setting '--dat.root'; did you mean '--data.root'?"
    >>> plain('''Parser key "data":
    ...   Does not validate against any of the Union subtypes
    ...   Errors:
    ...     - Problem with given class_path 'datamodules.Shapes':
    ...         Parser key "test.limit":
    ...           Errors:
    ...             - Expected a <class 'int'>
    ...             - Expected a <class 'NoneType'>
    ...           Given value: few
    ...     - Expected a <class 'NoneType'>''')
    "--data.test.limit: expected a whole number or null, got 'few'"
    """
    found = _Found([])
    lines = [line.strip().removeprefix("- ") for line in message.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if key := re.match(r'Parser key "([^"]+)":\s*(.*)', line):
            found.keys.append(key[1])
            line = key[2]
        if owner := re.match(r"Problem with given class_path '([^']+)'", line):
            found.owner = owner[1]
        elif missing := re.match(r"the following arguments are required: (\w+)", line):
            return f"--{'.'.join([*found.keys, missing[1]])} needs a value"
        elif subtypes := re.match(r"Subtypes: \[(?:list\[|<class ')(\w+\.[\w.]+)", line):
            found.base = subtypes[1]
        elif unknown := _UNKNOWN.search(line):
            return _unknown(found, unknown, known)
        elif (given := _CLASS.search(line)) and found.keys and found.base:
            return _unknown_class(found, next(filter(None, given.groups())))
        elif "but is abstract" in line and found.keys and found.base:
            return (
                f"--{'.'.join(found.keys)}: {_given(lines[place:])} is abstract, others derive from it; {_known(found)}"
            )
        elif line.startswith("Expected a") and "a path but" not in line:
            return _expected(found, lines[place:])
    text = " ".join(
        dict.fromkeys(line for line in lines if not line.startswith(("Errors:", "Subtypes:", "Does not val")))
    )
    return text.replace("'", "")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Names that may have been meant: alike as a whole, or alike in their first part, or with the same last part.

    >>> known = ["adapter", "optimisation.learning_rate", "test.limit", "val.limit"]
    >>> [nearest(name, known) for name in ("tst.limit", "adaptor.rank", "limit")]
    [['test.limit'], ['adapter.rank'], ['test.limit', 'val.limit']]
    """
    names = list(dict.fromkeys(known))
    head, _, rest = name.partition(".")
    heads = {one.partition(".")[0] for one in names}
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not near and head not in heads:
        near = [f"{one}.{rest}" if rest else one for one in difflib.get_close_matches(head, heads, n=1)]
    return near or [one for one in names if one.rpartition(".")[2] == name.rpartition(".")[2]][:3]


def unknown_setting(name: str, known: Iterable[str], prefix: str = "--") -> UnknownName:
    """The error for a setting that is not there: what is nearest; where nothing is near, what there is beside it.

    Args:
        name: As it was meant, without ``prefix``.
        known: Names that there are, without it.
        prefix: Of all of them.
    """
    names = list(dict.fromkeys(known))
    near = nearest(name, names)
    text = f"unknown setting '{prefix}{name}'"
    if near:
        return UnknownName(f"{text}; did you mean {' or '.join(repr(prefix + one) for one in near)}?")
    group = f"{name.rpartition('.')[0]}."
    beside = sorted({one[len(group) :] for one in names if one.startswith(group)} if group != "." else set(names))
    if not beside or len(beside) > _SHOWN:
        return UnknownName(f"{text}; --help lists them")
    return UnknownName(f"{text}; known there: {', '.join(beside)}")


def names_of(path: str) -> list[str]:
    """Settings of a class, with dots for those of the settings within; ``path`` is its import path."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(resolve_name(path), fail_untyped=False)
    return list(parser.get_defaults().keys())


def make(kind: Any, key: str, node: Any, settings: Iterable[str] = ()) -> Any:
    """An object from its class and arguments, as every command makes them; short names of known classes will do.

    Args:
        kind: Its type.
        key: What the settings call it, e.g. ``model.adapter``.
        node: ``class_path`` and ``init_args``, or None.
        settings: ``KEY.NAME=VALUE`` to be set on top.

    Raises:
        UserError: If there is no such class or setting, or a value does not fit.
    """
    import json

    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{key}", type=kind)
    try:
        config = parser.parse_args([f"--{key}={json.dumps(node)}", *(f"--{setting}" for setting in settings)])
        return parser.instantiate_classes(config)[key]
    except ArgumentError as error:
        raise UserError(plain(str(error), parser.get_defaults().keys())) from error


def _unknown(found: _Found, unknown: re.Match[str], known: Iterable[str]) -> str:
    groups = unknown.groupdict()
    name = ".".join(filter(None, [groups["group"], groups["inner"]])) or next(
        filter(None, (groups[kind] for kind in ("typed", "option", "own", "key")))
    )
    if groups["typed"] and not name.startswith("-"):
        return f"'{name}' stands alone: which setting is it of?"
    name = name.lstrip("-").replace("init_args.", "").replace("dict_kwargs.", "")
    outermost = list(known)
    if found.keys == ["model"] and name.partition(".")[0] in {one.partition(".")[0] for one in outermost}:
        found = _Found([])  # handed on to the model from beside it: sam2, recipe
    names = outermost if found.owner is None else names_of(found.owner)
    if found.keys[:1] == ["data"] and name in _MOVED:
        return f"data.{name} is now {_MOVED[name]}"
    return str(unknown_setting(name, names, "--" + "".join(f"{key}." for key in found.keys)))


def _unknown_class(found: _Found, name: str) -> str:
    classes = subclass_names(resolve_name(str(found.base)))
    return f"--{'.'.join(found.keys)}: {UnknownName.of('class', name, classes)}"


def _known(found: _Found) -> str:
    return f"known: {', '.join(subclass_names(resolve_name(str(found.base))))}"


def _given(lines: Iterable[str]) -> str:
    values = (re.match(r"Given value: (.*)", line) for line in lines)
    return next((f"'{value[1][:80]}'" for value in values if value), "it")


def _expected(found: _Found, lines: list[str]) -> str:
    kinds, given = [], None
    for line in lines:
        if kind := re.match(r"Expected an? (?:<class '([\w.]+)'>|typing\.Literal\[(.*?)\])", line):
            name = (kind[1] or "").rpartition(".")[2]
            kinds.append(kind[2] or ("null" if name == "NoneType" else _KINDS.get(name, name)))
        if value := re.search(r"Got value: (.*)|Given value: (.*)", line):
            given = value[1] or value[2]
            break
    got = "" if given is None else f", got '{given[:80]}'"
    return f"--{'.'.join(found.keys)}: expected {' or '.join(dict.fromkeys(kinds)) or 'something else'}{got}"


def subclass_names(base: type) -> list[str]:
    """Short names of the classes that can be made and are ``base`` or derive from it, of all that is imported.

    ``base`` itself counts only where nothing derives from it.
    """
    classes = [one for one in subclasses(base) if not (isabstract(one) or one.__name__.startswith("_"))]
    return sorted({one.__name__ for one in classes or [base]})


def class_named(name: str, base: type) -> type | None:
    """The class that a short name of an imported one, or an import path, means; None unless it is or derives from ``base``."""
    for one in subclasses(base):
        if name == one.__name__:
            return one
    try:
        found = resolve_name(name) if "." in name else None
    except (ImportError, AttributeError, ValueError):
        return None  # the parser says so
    return found if isinstance(found, type) and issubclass(found, base) else None


def subclasses(base: type) -> Iterator[type]:
    """Every class that derives from ``base``, of all that is imported."""
    inner: type
    for inner in base.__subclasses__():
        yield inner
        yield from subclasses(inner)
