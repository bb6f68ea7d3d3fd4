"""From scores of objects to the figures of a table: means, intervals over videos, paired differences.

Objects of one video stand or fall together, so the video is what is drawn in every bootstrap, with all its objects and
conditions: a cluster bootstrap by sequence. Videos that were cut from the same footage are drawn together, except where a mean
runs over classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustvos.evaluation.bootstrap import RESAMPLES, interval, resampled_sums
from robustvos.evaluation.protocol import Averaging
from robustvos.evaluation.records import CLUSTER_TAG, ObjectScore

CLASS_TAG = "class"


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty.

    Attributes:
        mean: In [0, 1]; NaN where no object defines the metric.
        low: Lower end of the 95 % bootstrap interval over videos; NaN for fewer than two, or if all are of one footage.
        high: Upper end.
        std: Sample standard deviation over videos, each the mean of its objects; NaN for fewer than two videos, or where
            the mean runs over classes.
        videos: Number of videos behind it.
        objects: Number of objects behind it.
        classes: Number of classes, where the mean runs over them; else 0.
        error: Standard error of the mean, the deviation of the bootstrap's means; NaN where the interval is.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    std: float = math.nan
    videos: int = 0
    objects: int = 0
    classes: int = 0
    error: float = math.nan

    @property
    def known(self) -> bool:
        """Whether any object defines it."""
        return self.objects > 0

    def to_json(self) -> dict[str, float | int | None]:
        """As ``results.json`` keeps it; what is not known is null."""
        numbers = {name: getattr(self, name) for name in ("mean", "low", "high", "std")}
        counts = {"videos": self.videos, "objects": self.objects, **({"classes": self.classes} if self.classes else {})}
        return {**{name: None if math.isnan(value) else value for name, value in numbers.items()}, **counts}


def aggregate(
    objects: Sequence[ObjectScore],
    metrics: Sequence[str],
    *,
    averaging: Averaging = "objects",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """The ``aggregates`` of ``results.json``: overall, and for each value of each tag.

    Args:
        objects: One record an object.
        metrics: Names of the metrics.
        averaging: What a mean runs over; see :func:`mean_of`.
        seed: Seed of the bootstrap; equal seeds and records give equal intervals, in whatever order records come.
        resamples: Number of bootstrap samples.

    Returns:
        ``{"overall": {metric: estimate}, "by": {tag: {value: {metric: estimate}}}, "sequences": {name: {metric: mean}},
        "sequence_means": {metric: estimate}}``; estimates as :meth:`Estimate.to_json` gives them. A sequence is a video
        under one condition (``boat@fog``), its score the mean over its objects, and in ``sequence_means`` every sequence
        weighs the same. With ``objects`` also ``flat``: ``{metric: mean}`` over all frames of all objects, each weighing
        the same. Where objects have the tag ``class``, also ``class_means``: ``{metric: estimate}`` of :func:`class_mean`.
    """

    def table(records: Iterable[ObjectScore], over: Averaging = averaging) -> dict[str, Any]:
        records = list(records)
        return {m: mean_of(records, m, averaging=over, seed=seed, resamples=resamples).to_json() for m in metrics}

    by: dict[str, dict[str, Any]] = {}
    for tag in sorted({tag for record in objects for tag in record.tags} - {CLUSTER_TAG}):
        by[tag] = {value: table(records) for value, records in group_by_tag(objects, tag).items()}
    sequences = _sequences(objects, metrics)
    aggregates: dict[str, Any] = {
        "overall": table(objects),
        "by": by,
        "sequences": {name: dict(record.scores) for name, record in sequences.items()},
        "sequence_means": table(sequences.values(), "objects"),
    }
    if averaging != "videos":  # amodal figures are no means over frames
        aggregates["flat"] = {metric: _flat_mean(objects, metric) for metric in metrics}
    if CLASS_TAG in by:
        means = {m: class_mean(objects, m, seed=seed, resamples=resamples) for m in metrics}
        aggregates["class_means"] = {metric: mean.to_json() for metric, mean in means.items()}
    return aggregates


def mean_of(
    objects: Iterable[ObjectScore],
    metric: str,
    *,
    averaging: Averaging = "objects",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The mean that the tables of a protocol show.

    Args:
        objects: Those whose score is None are left out.
        metric: Name of the metric.
        averaging: ``objects``: every object weighs the same (DAVIS). ``videos``: every video does, after the mean over its
            objects. ``sequences``: classes where objects have them (:func:`class_mean`, ACDC-Video), else videos; a video
            under several conditions is drawn with all of them.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap samples; 0: no interval.

    >>> scores = [("a", 1, 0.25), ("a", 2, 0.75), ("b", 1, 1.0)]
    >>> records = [ObjectScore(video, i, 1, {}, {"J": j}) for video, i, j in scores]
    >>> mean_of(records, "J").mean == 2 / 3, mean_of(records, "J", averaging="sequences").mean
    (True, 0.75)
    """
    objects = list(objects)
    if averaging == "sequences" and any(CLASS_TAG in record.tags for record in objects):
        return class_mean(objects, metric, seed=seed, resamples=resamples)
    sums, names, clusters = _video_sums(objects, metric)
    count = int(sums[:, 1].sum())
    if not names:
        return Estimate(math.nan)
    std = float(np.std(sums[:, 0] / sums[:, 1], ddof=1)) if len(names) > 1 else math.nan
    if averaging != "objects":
        sums = np.stack([sums[:, 0] / sums[:, 1], np.ones(len(names))], axis=1)
    mean = float(sums[:, 0].sum() / sums[:, 1].sum())
    low = high = error = math.nan
    together = _cluster_sums(sums, clusters)
    if len(together) > 1 and resamples:
        drawn = resampled_sums(together, seed, resamples)
        means = drawn[:, 0] / drawn[:, 1]
        (low, high), error = interval(means), float(means.std())
    return Estimate(mean, low, high, std, len(names), count, error=error)


def class_mean(objects: Iterable[ObjectScore], metric: str, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean over classes of the mean over all frames of a class, as the public RobustPVOS evaluator has it for ACDC.

    Each class weighs the same, however many objects it has.

    Args:
        objects: One of ``frames`` frames counts so many times. Those without the tag ``class`` or a score are left out.
        metric: Name of the metric.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap samples; 0: no interval.

    >>> scores = [("a", "car", 1.0), ("a", "car", 0.5), ("a", "pole", 0.25)]
    >>> class_mean([ObjectScore(v, 1, 1, {"class": k}, {"J": j}) for v, k, j in scores], "J").mean
    0.5
    """
    entries = [
        (record.video, record.tags[CLASS_TAG], score, record.frames)
        for record in objects
        if CLASS_TAG in record.tags and (score := record.scores.get(metric)) is not None
    ]
    if not entries:
        return Estimate(math.nan)
    videos, classes = (
        {name: i for i, name in enumerate(sorted({entry[column] for entry in entries}))} for column in (0, 1)
    )
    sums = np.zeros((len(videos), len(classes), 2))
    for video, name, score, frames in sorted(entries):
        sums[videos[video], classes[name]] += (score * frames, frames)
    low = high = error = math.nan
    if len(videos) > 1 and resamples:
        means = _mean_over_classes(resampled_sums(sums, seed, resamples))
        (low, high), error = interval(means), float(means.std())
    mean = float(_mean_over_classes(sums.sum(0)))
    return Estimate(mean, low, high, math.nan, len(videos), len(entries), len(classes), error)


def paired_records(
    objects_a: Iterable[ObjectScore], objects_b: Iterable[ObjectScore], metric: str
) -> list[ObjectScore]:
    """The objects for which both systems have a score, with a minus b for it; a mean of these is a paired difference.

    >>> a, b = ObjectScore("x", 1, 1, {}, {"J": 0.75}), ObjectScore("x", 1, 1, {}, {"J": 0.5})
    >>> mean_of(paired_records([a], [b], "J"), "J").mean
    0.25
    """
    theirs = {record.identity: record.scores.get(metric) for record in objects_b}
    pairs = []
    for record in objects_a:
        mine, other = record.scores.get(metric), theirs.get(record.identity)
        if mine is not None and other is not None:
            scores = {metric: mine - other}
            pairs.append(ObjectScore(record.video, record.object_id, record.frames, record.tags, scores))
    return pairs


def identities(objects: Iterable[ObjectScore]) -> set[tuple[str, int, str]]:
    """What tells objects apart: video, id and condition of each."""
    return {record.identity for record in objects}


def group_by_tag(objects: Iterable[ObjectScore], tag: str) -> dict[str, list[ObjectScore]]:
    """Records by their value of ``tag``, values in order; records without the tag are left out."""
    groups: dict[str, list[ObjectScore]] = {}
    for record in objects:
        if tag in record.tags:
            groups.setdefault(record.tags[tag], []).append(record)
    return dict(sorted(groups.items()))


def _flat_mean(objects: Iterable[ObjectScore], metric: str) -> float | None:
    """Mean over frames and objects; an object's score is the mean over its frames. None where no object defines it."""
    known = [(value, record.frames) for record in objects if (value := record.scores.get(metric)) is not None]
    frames = sum(count for _, count in known)
    return math.fsum(value * count for value, count in known) / frames if frames else None


def _sequences(objects: Iterable[ObjectScore], metrics: Sequence[str]) -> dict[str, ObjectScore]:
    """A record for each video under each condition: the mean over its objects; None where no object defines it."""
    groups: dict[tuple[str, str], list[ObjectScore]] = {}
    for record in objects:
        groups.setdefault((record.video, record.corruption), []).append(record)
    sequences: dict[str, ObjectScore] = {}
    for _, records in sorted(groups.items()):
        scores = {metric: _mean(record.scores.get(metric) for record in records) for metric in metrics}
        tags = {name: value for name, value in records[0].tags.items() if name == CLUSTER_TAG}
        sequences[records[0].sequence] = ObjectScore(records[0].video, 0, len(records), tags, scores)
    return sequences


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _video_sums(objects: Iterable[ObjectScore], metric: str) -> tuple[np.ndarray, list[str], list[str]]:
    """``(videos, 2)`` float64: sum and number of each video's scores; the videos, in order of name; the cluster of each."""
    videos: dict[str, list[float]] = {}
    clusters: dict[str, str] = {}
    for record in objects:
        score = record.scores.get(metric)
        if score is not None:
            videos.setdefault(record.video, []).append(score)
            clusters[record.video] = record.cluster
    # Sorted, so that neither sums nor resamples depend on the order in which objects were scored.
    names = sorted(videos)
    sums = [(sum(sorted(videos[n])), len(videos[n])) for n in names]
    return np.array(sums, dtype=np.float64).reshape(-1, 2), names, [clusters[n] for n in names]


def _cluster_sums(sums: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """``(videos, 2)`` to ``(clusters, 2)``, in order of name."""
    place = {name: i for i, name in enumerate(sorted(set(clusters)))}
    together = np.zeros((len(place), 2))
    for row, name in zip(sums, clusters, strict=True):
        together[place[name]] += row
    return together


def _mean_over_classes(sums: np.ndarray) -> np.ndarray:
    """``(..., K, 2)`` sums and weights to ``(...,)``; classes that a resample lacks are left out of its mean."""
    seen = sums[..., 1] > 0
    means = np.divide(sums[..., 0], sums[..., 1], out=np.zeros(seen.shape), where=seen)
    over_classes: np.ndarray = means.sum(-1) / seen.sum(-1)
    return over_classes
