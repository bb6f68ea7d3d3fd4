"""From scores per object to the figures of a table: means, intervals over clips, paired differences.

An object's record is a mapping ``{"clip", "object", "tags", "scores": {metric: float or None}}`` as in
``results.json``. Objects of one clip stand or fall together, so the clip is what is drawn in every bootstrap, with all
its objects and corruptions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from robustvos.metrics.class_means import CLASS_TAG, class_mean
from robustvos.seeding import numpy_rng

Unit = Literal["objects", "clips"]
Record = Mapping[str, Any]

RESAMPLES = 2000
_LEVELS = (0.025, 0.975)


def aggregate(
    objects: Sequence[Record],
    metrics: Sequence[str],
    *,
    unit: Unit = "objects",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """The ``aggregates`` of ``results.json``: overall, and for each value of each tag.

    Args:
        objects: One record per object.
        metrics: Names of the metrics.
        unit: What a mean runs over. ``objects``: every object weighs the same (DAVIS). ``clips``: every clip does,
            after the mean over its objects (amodal figures).
        seed: Seed of the bootstrap; equal seeds and records give equal intervals, in whatever order records come.
        resamples: Number of bootstrap samples.

    Returns:
        ``{"overall": {metric: estimate}, "by": {tag: {value: {metric: estimate}}}, "sequences": {name: {metric: mean}},
        "sequence_means": {metric: estimate}}``; see :func:`estimate`. A sequence is a clip under one corruption
        (``clip@fog``), its score the mean over its objects, and in ``sequence_means`` every sequence weighs the same.
        With ``objects`` also ``flat``: ``{metric: mean}`` over all frames of all objects, each weighing the same.
        Where objects have the tag ``class``, also ``class_means``: ``{metric: ...}`` of
        :func:`~robustvos.metrics.class_means.class_mean`.
    """

    def table(records: Iterable[Record]) -> dict[str, Any]:
        return {metric: estimate(records, metric, unit=unit, seed=seed, resamples=resamples) for metric in metrics}

    by: dict[str, dict[str, Any]] = {}
    for tag in sorted({tag for record in objects for tag in record["tags"]}):
        groups = group_by_tag(objects, tag)
        by[tag] = {value: table(records) for value, records in groups.items()}
    aggregates: dict[str, Any] = {"overall": table(objects), "by": by}
    sequences = _sequences(objects, metrics)
    aggregates["sequences"] = {name: record["scores"] for name, record in sequences.items()}
    aggregates["sequence_means"] = table(list(sequences.values()))
    if unit == "objects":  # amodal figures are no means over frames
        aggregates["flat"] = {metric: _flat_mean(objects, metric) for metric in metrics}
    if CLASS_TAG in by:
        aggregates["class_means"] = {m: class_mean(objects, m, seed=seed, resamples=resamples) for m in metrics}
    return aggregates


def estimate(
    objects: Iterable[Record], metric: str, *, unit: Unit = "objects", seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, float | int | None]:
    """Mean of one metric with its uncertainty.

    Returns:
        ``mean``; ``low`` and ``high``, its 95 % bootstrap interval over clips (None for fewer than two clips); ``std``,
        the sample standard deviation over clips, each the mean of its objects (None for fewer than two); ``clips`` and
        ``objects``, the numbers behind it. Objects whose score is None are left out; ``mean`` is None if none is left.

    >>> scores = {"a": 0.5, "b": 0.7, "c": None}
    >>> records = [{"clip": clip, "object": 1, "tags": {}, "scores": {"J": j}} for clip, j in scores.items()]
    >>> found = estimate(records, "J")
    >>> round(found["mean"], 3), found["clips"], found["objects"]
    (0.6, 2, 2)
    """
    clips = _clip_sums((record["clip"], record["scores"].get(metric)) for record in objects)
    mean, low, high = _interval(clips, unit, seed, resamples)
    std = float(np.std(clips[:, 0] / clips[:, 1], ddof=1)) if len(clips) > 1 else None
    return {"mean": mean, "low": low, "high": high, "std": std, "clips": len(clips), "objects": int(clips[:, 1].sum())}


def paired_records(objects_a: Iterable[Record], objects_b: Iterable[Record], metric: str) -> list[Record]:
    """The objects for which both systems have a score, with a minus b for it; a mean of these is a paired difference.

    Objects are the same if clip, id and the tag ``corruption`` agree.

    >>> a = [{"clip": "x", "object": 1, "tags": {}, "scores": {"J": 0.75}}]
    >>> b = [{"clip": "x", "object": 1, "tags": {}, "scores": {"J": 0.5}}]
    >>> estimate(paired_records(a, b, "J"), "J")["mean"]
    0.25
    """
    scores_b = {_identity(record): record["scores"].get(metric) for record in objects_b}
    pairs = ((record, record["scores"].get(metric), scores_b.get(_identity(record))) for record in objects_a)
    return [{**record, "scores": {metric: a - b}} for record, a, b in pairs if a is not None and b is not None]


def identities(objects: Iterable[Record]) -> set[object]:
    """What tells objects apart: clip, id and corruption of each."""
    return {_identity(record) for record in objects}


def protocol_mean(objects: Sequence[Record], metric: str, protocol: str) -> dict[str, float | int | None]:
    """The mean that the tables of a protocol's authors show, as :func:`estimate` gives it.

    ``release``: over classes where objects have them (ACDC-Video; then without ``std``), else over sequences, each the mean
    of its objects. ``realvas``: over clips. Otherwise over objects.

    >>> scores = [("a", 1, 0.25), ("a", 2, 0.75), ("b", 1, 1.0)]
    >>> records = [{"clip": clip, "object": i, "tags": {}, "scores": {"J": j}} for clip, i, j in scores]
    >>> protocol_mean(records, "J", "davis")["mean"] == 2 / 3, protocol_mean(records, "J", "release")["mean"]
    (True, 0.75)
    """
    if protocol == "release" and any(CLASS_TAG in record["tags"] for record in objects):
        return class_mean(objects, metric)
    return estimate(objects, metric, unit="clips" if protocol in ("release", "realvas") else "objects")


def group_by_tag(objects: Iterable[Record], tag: str) -> dict[str, list[Record]]:
    """Records by their value of ``tag``, values in order; records without the tag are left out."""
    groups: dict[str, list[Record]] = {}
    for record in objects:
        if tag in record["tags"]:
            groups.setdefault(record["tags"][tag], []).append(record)
    return dict(sorted(groups.items()))


def _flat_mean(objects: Iterable[Record], metric: str) -> float | None:
    """Mean over frames and objects; an object's score is the mean over its frames. None where no object defines it."""
    known = [(v, r.get("frames", 1)) for r in objects if (v := r["scores"].get(metric)) is not None]
    frames = sum(count for _, count in known)
    return math.fsum(value * count for value, count in known) / frames if frames else None


def _sequences(objects: Iterable[Record], metrics: Sequence[str]) -> dict[str, Record]:
    """A record for each clip under each corruption: the mean over its objects; None where no object defines it."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in objects:
        groups.setdefault((record["clip"], record["tags"].get("corruption", "clean")), []).append(record)
    sequences: dict[str, Record] = {}
    for (clip, corruption), records in sorted(groups.items()):
        known = {m: [v for r in records if (v := r["scores"].get(m)) is not None] for m in metrics}
        scores = {metric: sum(values) / len(values) if values else None for metric, values in known.items()}
        sequences[clip if corruption == "clean" else f"{clip}@{corruption}"] = {"clip": clip, "scores": scores}
    return sequences


def _identity(record: Record) -> tuple[Any, ...]:
    return record["clip"], record["object"], record["tags"].get("corruption")


def _clip_sums(scores: Iterable[tuple[str, float | None]]) -> np.ndarray:
    """``(clips, 2)`` float64: sum and number of each clip's scores, clips in order of name."""
    clips: dict[str, list[float]] = {}
    for clip, score in scores:
        if score is not None:
            clips.setdefault(clip, []).append(score)
    # Sorted, so that neither sums nor resamples depend on the order in which objects were scored.
    sums = [(sum(sorted(values)), len(values)) for _, values in sorted(clips.items())]
    return np.array(sums, dtype=np.float64).reshape(-1, 2)


def _interval(
    clips: np.ndarray, unit: Unit, seed: int, resamples: int
) -> tuple[float | None, float | None, float | None]:
    """Mean and the ends of its interval."""
    number = len(clips)
    if number == 0:
        return None, None, None
    if unit == "clips":
        clips = np.stack([clips[:, 0] / clips[:, 1], np.ones(number)], axis=1)
    mean = float(clips[:, 0].sum() / clips[:, 1].sum())
    if number == 1:
        return mean, None, None
    # How often each clip is drawn is all that a resample says; multinomial counts make it one matrix product.
    draws = numpy_rng("bootstrap", seed).multinomial(number, np.full(number, 1 / number), size=resamples)
    sums = draws @ clips
    low, high = np.quantile(sums[:, 0] / sums[:, 1], _LEVELS)
    return mean, float(low), float(high)
