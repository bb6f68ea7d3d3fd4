"""Some videos of a dataset, by patterns of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from robustvos.errors import DataNotFound, UserError
from robustvos.files.naming import name_some


def patterns_of(select: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """One pattern or several, as they may be written; None: every video.

    Raises:
        UserError: If there is a list and nothing in it.

    >>> patterns_of("dog*"), patterns_of(["bear", "dog*"]), patterns_of(None)
    (('dog*',), ('bear', 'dog*'), None)
    """
    if select is None:
        return None
    patterns = (select,) if isinstance(select, str) else tuple(select)
    if not patterns or not all(patterns):
        raise UserError("select names no video; give names or patterns such as 'dog*', or null for every video")
    return patterns


def is_wanted(name: str, patterns: Sequence[str] | None) -> bool:
    """Whether a video's name is one of the patterns; ``*`` stands for any text, ``?`` for one character.

    >>> [is_wanted(name, ("dog*", "bear")) for name in ("dog-agility", "bear", "Bear", "hotdog")]
    [True, True, False, False]
    """
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)


def check_patterns(patterns: Sequence[str], names: Mapping[str, Sequence[str]]) -> None:
    """Refuse a pattern that no video fits.

    Args:
        patterns: All of them.
        names: Of the videos on disk, by set.

    Raises:
        DataNotFound: Naming the pattern, and videos that are there.
    """
    every = [name for own in names.values() for name in own]
    for pattern in patterns:
        if not any(is_wanted(name, (pattern,)) for name in every):
            raise DataNotFound(
                f"select: none of {len(every)} in {', '.join(names)} is called '{pattern}'; there are {name_some(every)}"
            )
