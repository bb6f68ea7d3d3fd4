"""How far reviewers agree, how many known faults they notice, how long they take."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from robustvos.errors import DataNotFound
from robustvos.files.naming import count_of
from robustvos.reviewing.clips import clips_of
from robustvos.reviewing.controls import PREFIX
from robustvos.reviewing.verdicts import Verdict, read_reviews, standing


@dataclass(frozen=True)
class ReviewerFigures:
    """What one reviewer did.

    Attributes:
        judged: Clips with a verdict that stands, controls not counted.
        decisions: How many of each.
        median_seconds: Per verdict; None if there is none.
        controls: Controls judged.
        noticed: Of these, failed or flagged.
    """

    judged: int
    decisions: Mapping[str, int]
    median_seconds: float | None
    controls: int
    noticed: int

    @property
    def recall(self) -> float | None:
        """Share of the controls that were noticed; None if none was seen."""
        return self.noticed / self.controls if self.controls else None


@dataclass(frozen=True)
class PairFigures:
    """Two reviewers on the clips that both passed or failed.

    Attributes:
        clips: How many.
        agreed: Of them, with the same verdict.
        kappa: Cohen's; None where chance alone explains all.
    """

    clips: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """Figures by reviewer, and by pair of them; reasons of the failures."""

    reviewers: Mapping[str, ReviewerFigures]
    pairs: Mapping[tuple[str, str], PairFigures]
    reasons: Mapping[str, int]

    def text(self) -> str:
        """Lines for a terminal and the dataset's card."""
        lines = []
        for name, f in self.reviewers.items():
            decisions = ", ".join(f"{count} {what}" for what, count in sorted(f.decisions.items())) or "nothing"
            speed = "" if f.median_seconds is None else f", {f.median_seconds:.1f} s a verdict (median)"
            noticed = f"faults noticed: {f.noticed} of {f.controls} controls"
            lines.append(f"{name}: {count_of(f.judged, 'clip')} ({decisions}){speed}; {noticed}")
        for (a, b), p in self.pairs.items():
            kappa = "undefined" if p.kappa is None else f"{p.kappa:.2f}"
            lines.append(f"{a} and {b}: {p.agreed} of {count_of(p.clips, 'clip')} alike, Cohen's kappa {kappa}")
        for reason, count in sorted(self.reasons.items(), key=lambda item: (-item[1], item[0])):
            lines.append(f"failed: {reason}: {count}")
        return "\n".join(lines) or "no verdict yet"


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Agreement of two raters beyond chance.

    Args:
        first: A label for each item.
        second: As many, of the other rater.

    Returns:
        At most 1; None without items, or where both use one and the same label throughout.

    Source: J. Cohen, Educational and Psychological Measurement 20 (1960).

    >>> cohens_kappa(["y"] * 25 + ["n"] * 25, ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15)
    0.4
    """
    a, b = np.array(first), np.array(second)
    if len(a) == 0:
        return None
    observed = float((a == b).mean())
    expected = sum(float((a == label).mean() * (b == label).mean()) for label in np.union1d(a, b))
    return None if expected >= 1 else round((observed - expected) / (1 - expected), 12)


def agreement_of(root: str | os.PathLike[str]) -> Agreement:
    """Figures of the verdicts that stand; verdicts on clips that were made anew since do not."""
    try:
        fingerprints = {clip.key: clip.fingerprint for clip in clips_of(root)}
    except DataNotFound:
        fingerprints = {}
    reviews = read_reviews(root)
    by_clip = standing(reviews, fingerprints)
    by_reviewer = {name: {key: held[name] for key, held in by_clip.items() if name in held} for name in reviews}
    figures = {
        name: _figures(by_reviewer[name], [v for key, v in reviews[name].items() if _is_standing(key, v, fingerprints)])
        for name in reviews
    }
    pairs = {}
    for a, b in combinations(sorted(by_reviewer), 2):
        both = [
            (by_reviewer[a][key].decision, by_reviewer[b][key].decision)
            for key in sorted(by_reviewer[a].keys() & by_reviewer[b].keys())
        ]
        both = [pair for pair in both if "flag" not in pair]
        kappa = cohens_kappa([x for x, _ in both], [y for _, y in both])
        pairs[a, b] = PairFigures(len(both), sum(x == y for x, y in both), kappa)
    failed = Counter(v.reason for held in by_reviewer.values() for v in held.values() if v.decision == "fail")
    return Agreement(figures, pairs, dict(failed))


def _is_standing(key: str, verdict: Verdict, fingerprints: Mapping[str, str]) -> bool:
    """Whether it is a verdict on a control of a clip as it is now."""
    clip = key.removeprefix(PREFIX).partition(".")[2]
    return key.startswith(PREFIX) and fingerprints.get(clip) == verdict.fingerprint


def _figures(verdicts: Mapping[str, Verdict], controls: Sequence[Verdict]) -> ReviewerFigures:
    seconds = [v.seconds for v in [*verdicts.values(), *controls]]
    return ReviewerFigures(
        len(verdicts),
        dict(Counter(v.decision for v in verdicts.values())),
        float(np.median(seconds)) if seconds else None,
        len(controls),
        sum(v.decision != "pass" for v in controls),
    )
