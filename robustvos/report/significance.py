"""A paired test beside each interval: Wilcoxon's signed-rank test over videos, Holm's correction over conditions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from robustvos.evaluation.records import ObjectScore


def signed_rank_p(differences: Sequence[ObjectScore], metric: str) -> float:
    """Two-sided p that differences lie around zero; NaN with fewer than two clips, 1 where none differs.

    Args:
        differences: Of objects, as :func:`robustvos.evaluation.aggregate.paired_records` gives them; a clip counts once, as
            the mean of its objects; so do clips that are of one footage, together.
        metric: Whose.

    Source: Wilcoxon, Biometrics Bulletin 1945; exact for small numbers of clips, by scipy.

    >>> clips = [ObjectScore(str(n), 1, 1, {}, {"J": n / 10}) for n in range(1, 7)]
    >>> signed_rank_p(clips, "J") == 2 / 2**6
    True
    """
    from scipy.stats import wilcoxon

    of_clip: dict[str, list[float]] = defaultdict(list)
    for record in differences:
        value = record.scores.get(metric)
        if value is not None:
            of_clip[record.cluster].append(value)
    means = [sum(values) / len(values) for values in of_clip.values()]
    if len(means) < 2:
        return math.nan
    return float(wilcoxon(means).pvalue) if any(means) else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """p-values of several conditions, each adjusted for the others; NaN stays and does not count.

    Source: Holm, Scandinavian Journal of Statistics 1979.

    >>> holm([0.01, 0.04, math.nan, 0.03])
    [0.03, 0.06, nan, 0.06]
    """
    known = sorted((value, place) for place, value in enumerate(values) if not math.isnan(value))
    adjusted, largest = list(values), 0.0
    for rank, (value, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * value))
        adjusted[place] = largest
    return adjusted


def p_text(value: float) -> str:
    """For a table: ``p .012``, ``p < .001``; empty where it is not known.

    >>> p_text(0.0123), p_text(0.0001), p_text(1.0), p_text(math.nan)
    ('p .012', 'p < .001', 'p 1', '')
    """
    if math.isnan(value):
        return ""
    return "p < .001" if value < 0.001 else "p 1" if value > 0.9995 else f"p {value:.3f}".replace("0.", ".", 1)
