"""In which order a reviewer sees clips: shuffled from a seed and the name, with controls that nothing tells apart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from robustvos.files.stage import Result
from robustvos.reviewing.clips import clips_of, needs_review
from robustvos.reviewing.controls import choose_controls
from robustvos.seeding import numpy_rng

CONTROL_SHARE = 0.1
_SHUFFLES = 100


@dataclass(frozen=True)
class Shown:
    """One thing to judge.

    Attributes:
        token: Names it towards the page; says nothing of what it is.
        key: Of its verdicts.
        clip: The record whose frames are shown.
        fault: Of its masks; empty if it is no control.
    """

    token: str
    key: str
    clip: Result
    fault: str = ""

    @property
    def fingerprint(self) -> str:
        """Of what is judged: the clip's record."""
        return self.clip.fingerprint


def blind_order(root: str | os.PathLike[str], reviewer: str, seed: int = 0, controls: int | None = None) -> list[Shown]:
    """What a reviewer sees, in order: the same at every start, another for every reviewer.

    Args:
        root: Folder of the run.
        reviewer: Name.
        seed: Of order and controls.
        controls: How many; None: one for ten clips, at least one, so that recall can be measured.

    Raises:
        DataNotFound: If no clips were made.
    """
    clips = clips_of(root)
    return arranged(clips, reviewer, seed, controls)


def arranged(clips: Sequence[Result], reviewer: str, seed: int, controls: int | None = None) -> list[Shown]:
    """:func:`blind_order` of given clips."""
    by_key = {clip.key: clip for clip in clips}
    sure = [clip.key for clip in clips if not needs_review(clip)] or list(by_key)
    count = min(len(sure), max(1, round(CONTROL_SHARE * len(clips)))) if controls is None else min(controls, len(sure))
    shown = [(clip.key, clip, "") for clip in clips]
    shown += [(c.key, by_key[c.clip], c.fault) for c in choose_controls(sure, count, seed)]
    rng = numpy_rng("review order", seed, reviewer)
    for _ in range(_SHUFFLES):
        order = [shown[i] for i in rng.permutation(len(shown))]
        if all(a.key != b.key for (_, a, _), (_, b, _) in pairwise(order)):  # side by side, a control would be known
            break
    return [Shown(_token(key, seed, reviewer), key, clip, fault) for key, clip, fault in order]


def _token(key: str, seed: int, reviewer: str) -> str:
    return hashlib.blake2b(f"{seed}/{reviewer}/{key}".encode(), digest_size=8).hexdigest()
