"""Errors that are the user's to mend: what was expected, what was seen, where, and what to do.

The command line prints any :class:`UserError` as one line and exits with code 2; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend: a path, a file, an argument. Its text is one line that says what to do."""


class DataNotFound(UserError):
    """A dataset, clip, video or annotation is missing or incomplete."""


class CheckpointNotFound(UserError):
    """Weights that were asked for are not where they were looked for."""


class CheckpointMismatch(UserError):
    """Weights were found, but belong to another model, rank or base."""


class BadMask(UserError):
    """A mask has the wrong size, type or content."""


class BadVideo(UserError):
    """A video or image cannot be decoded, or holds no frames."""


class BadPrompt(UserError):
    """A prompt lies outside the frame, is empty, or names an unknown object."""


class UnsafePath(UserError):
    """A name or path would lead outside of the folder that it belongs to, or what is read would be written over."""


class UnknownName(UserError):
    """A name is not in the registry it was looked up in."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], classes: Iterable[str] = ()) -> UnknownName:
        """Build the error for ``name``, with the nearest known name if one is near, and the nearest of ``classes``.

        >>> str(UnknownName.of("dataset", "relvas", ["davis", "realvas"]))
        "unknown dataset 'relvas'; did you mean 'realvas'? known: davis, realvas"
        >>> str(UnknownName.of("dataset", "fish_tank", ["davis"], classes=["FishTank"]))
        "unknown dataset 'fish_tank'; did you mean 'FishTank'? known: davis"
        """
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        small = {one.lower(): one for one in classes if one.lower() not in [known.replace("_", "") for known in names]}
        near += [small[one] for one in difflib.get_close_matches(name.replace("_", "").lower(), small, n=1)]
        hint = f" did you mean {' or '.join(repr(one) for one in near)}?" if near else ""
        return cls(f"unknown {kind} '{name}';{hint} known: {', '.join(names)}")


class NotFinite(UserError):
    """A training has left the numbers: its loss or its weights are infinite or not a number."""


class MissingExtra(UserError):
    """An optional package is needed."""

    @classmethod
    def of(cls, package: str, extra: str) -> MissingExtra:
        """Build the error that names the extra which installs ``package``."""
        return cls(f"this needs the package '{package}'; install it with: pip install 'robustvos[{extra}]'")
