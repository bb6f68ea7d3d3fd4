"""Verdicts on disk: ``<root>/reviews/<reviewer>.jsonl``, one file a reviewer, only ever appended to.

A line is on disk before :meth:`VerdictFile.add` returns and is whole or not there, whoever is killed. The last line of a clip
counts, as long as the clip is the one that was seen: a clip that is made anew is to be judged anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from robustvos.errors import DataNotFound, UserError
from robustvos.files.manifest import Manifest

REVIEWS = "reviews"
Decision = Literal["pass", "fail", "flag"]
DECISIONS: tuple[str, ...] = get_args(Decision)
REASONS = (
    "order undecided",
    "on top",
    "external occlusion",
    "merged regions",
    "no clean start",
    "too little occlusion",
    "truth not to be trusted",
    "shadow without object",
    "lost at native rate",
    "like another",
)
"""Why a clip fails, in the words of the funnel."""
OTHER = "other"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Verdict:
    """What one person said of one clip.

    Attributes:
        key: Of the clip, or of a control (:mod:`robustvos.reviewing.controls`).
        fingerprint: Of the clip's record when it was seen.
        decision: ``pass``, ``fail`` or ``flag`` (somebody else shall look).
        reason: One of :data:`REASONS` or :data:`OTHER`, if it fails; else empty.
        note: Free text.
        seconds: From the moment the clip was shown to the verdict.
        at: When, ISO 8601 in UTC.
    """

    key: str
    fingerprint: str
    decision: Decision
    reason: str = ""
    note: str = ""
    seconds: float = 0.0
    at: str = ""

    def __post_init__(self) -> None:
        if self.decision not in DECISIONS:
            raise UserError(f"{self.decision!r} is no verdict; expected one of {', '.join(DECISIONS)}")
        if self.decision == "fail" and self.reason not in (*REASONS, OTHER):
            raise UserError(f"{self.reason!r} is no reason to fail; expected one of {', '.join((*REASONS, OTHER))}")


class VerdictFile:
    """The verdicts of one reviewer; any number of processes may add to them.

    Args:
        root: Folder of the run.
        reviewer: Name: letters, digits, ``-`` and ``_``, at most 40.

    Raises:
        UserError: If the name is no such.
    """

    def __init__(self, root: str | os.PathLike[str], reviewer: str) -> None:
        if not _NAME.fullmatch(reviewer):
            raise UserError(f"--reviewer {reviewer!r}: give up to 40 letters, digits, - or _")
        self.reviewer = reviewer
        self.manifest = Manifest(Path(root) / REVIEWS / f"{reviewer}.jsonl")

    def add(self, verdict: Verdict) -> None:
        """Append a verdict.

        Raises:
            UserError: If it cannot be written.
        """
        self.manifest.add(asdict(verdict))

    def read(self) -> dict[str, Verdict]:
        """The last verdict on each clip, whatever became of the clip since.

        Raises:
            DataNotFound: If a whole line is no verdict.
        """
        return {key: self._parse(line) for key, line in self.manifest.read().items()}

    def _parse(self, line: Mapping[str, Any]) -> Verdict:
        try:
            return Verdict(**line)
        except (TypeError, UserError) as error:
            raise DataNotFound(
                f"{self.manifest.path}: the line of {line.get('key')!r} is no verdict; remove it"
            ) from error


def read_reviews(root: str | os.PathLike[str]) -> dict[str, dict[str, Verdict]]:
    """Verdicts by reviewer and key; empty if nobody has reviewed."""
    files = sorted((Path(root) / REVIEWS).glob("*.jsonl"))
    return {file.stem: VerdictFile(root, file.stem).read() for file in files if not file.name.startswith(".")}


def standing(
    reviews: Mapping[str, Mapping[str, Verdict]], fingerprints: Mapping[str, str]
) -> dict[str, dict[str, Verdict]]:
    """Verdicts on clips as they are now, by key and reviewer.

    Args:
        reviews: Of :func:`read_reviews`.
        fingerprints: Of the clips' records by key.
    """
    found: dict[str, dict[str, Verdict]] = {key: {} for key in fingerprints}
    for reviewer, verdicts in reviews.items():
        for key, verdict in verdicts.items():
            if fingerprints.get(key) == verdict.fingerprint:
                found[key][reviewer] = verdict
    return found


def is_passed(verdicts: Mapping[str, Verdict], needs_review: bool) -> bool:
    """Whether a clip may be published: nobody failed or flagged it, and where it needs a review somebody passed it."""
    decisions = {verdict.decision for verdict in verdicts.values()}
    return not decisions & {"fail", "flag"} and ("pass" in decisions or not needs_review)
