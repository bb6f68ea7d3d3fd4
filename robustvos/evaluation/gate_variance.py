"""What gates vary with: shares of their variance that object, frame and condition explain.

A sequential analysis of variance (type I sums of squares) of nested and crossed labels, in this order:

1. ``condition``: what the frames are corrupted by;
2. ``object``: a video, and within it the object (objects are nested in videos);
3. ``frame``: a frame of a video, shared by its objects and by the conditions that it is seen under;
4. ``rest``: what is left, all interactions among it.

Each share is what its labels explain beyond those before it. The order matters where labels are not crossed evenly.
Condition comes first, because where every video is seen under one condition (``in_turn``) objects are nested in conditions and
would leave nothing to explain. Sums of squares are those of least squares, so that they are exact for unbalanced data too:
videos of different lengths, with different numbers of objects, some of which are introduced late.

Labels of many values explain much by chance: a clip with one object under one condition has a label for each of its frames.
So every share has beside it what it is when its own labels are shuffled, and those before it are left. Gates change slowly
within a clip, so whole clips change their condition (within their video, where every video has several), and whole stretches,
an object's gates in a clip, change their object: among those of a condition, or of the clip for what tells its objects apart.
Frames are shuffled within such a stretch. Where every object has one clip, object and clip cannot be told apart, and chance
explains as much as the object does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustvos.seeding import numpy_rng

PARTS = ("object", "frame", "condition", "rest")
WITHIN = "object within its video"
SHUFFLES = 10
_SINGULAR = 1e-9  # relative to the largest eigenvalue

Labels = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class GateRows:
    """Gates of objects on frames, a row each.

    Attributes:
        values: ``(N, C)`` float in [0, 1], of ``C`` components.
        videos: ``N`` names.
        objects: ``N`` ids, within the video.
        frames: ``N`` numbers, within the video.
        conditions: ``N`` names.
    """

    values: NDArray[np.floating]
    videos: Sequence[Hashable]
    objects: Sequence[Hashable]
    frames: Sequence[Hashable]
    conditions: Sequence[Hashable]


@dataclass(frozen=True)
class _Numbered:
    """The labels of each row as numbers from 0 on."""

    condition: Labels
    video: Labels
    object: Labels
    frame: Labels
    clip: Labels


def variance_shares(rows: GateRows, shuffles: int = SHUFFLES, seed: int = 0) -> dict[str, dict[str, float]] | None:
    """Shares of the variance of all components together, each component weighing by its variance.

    Args:
        rows: At least two.
        shuffles: How often labels are shuffled, to take the mean.
        seed: Of the shuffles.

    Returns:
        ``shares`` with :data:`PARTS`, which sum to 1, and :data:`WITHIN`, the part of ``object`` that tells objects of a
        video apart; and ``shuffled``, what each would be by chance, without ``rest``. None if no gate ever changes, so that
        there is nothing to explain.
    """
    values = np.asarray(rows.values, dtype=np.float64)
    values = values[:, np.ptp(values, axis=0) > 0] if len(values) else values
    if len(values) < 2 or not values.shape[1]:
        return None
    values = values - values.mean(0)
    total = float(np.square(values).sum())
    labels = _Numbered(
        _numbers(rows.conditions),
        _numbers(rows.videos),
        _numbers(zip(rows.videos, rows.objects, strict=True)),
        _numbers(zip(rows.videos, rows.frames, strict=True)),
        _numbers(zip(rows.videos, rows.conditions, strict=True)),
    )
    condition = _explained(values, labels.condition) / total
    video = _explained(values, labels.video, labels.condition) / total
    object_ = _explained(values, labels.object, labels.condition) / total
    frame = _explained(values, labels.frame, labels.condition, labels.object) / total
    shares = _parts(condition, object_ - condition, object_ - video, frame - object_)
    drawn = []
    for number in range(shuffles):
        rng = numpy_rng("shuffled labels", seed, number)
        between = _explained(values, _conditions_between_clips(labels, rng)) / total
        moved = _objects_between_stretches(labels, labels.condition, rng)
        of_object = _explained(values, moved, labels.condition) / total - condition
        moved = _objects_between_stretches(labels, labels.clip, rng)
        within = _explained(values, moved, labels.condition) / total - video
        moved = labels.frame[_shuffled_within(_pairs(labels.clip, labels.object), rng)]
        of_frame = _explained(values, moved, labels.condition, labels.object) / total - object_
        chance = _parts(between, of_object, within, of_frame)
        del chance["rest"]
        drawn.append(chance)
    shuffled = {name: float(np.mean([one[name] for one in drawn])) for name in drawn[0]} if drawn else {}
    return {"shares": shares, "shuffled": shuffled}


def _parts(condition: float, object_: float, within: float, frame: float) -> dict[str, float]:
    """Each at least 0 in exact arithmetic, and together 1."""
    found = {"object": max(0.0, object_), "frame": max(0.0, frame), "condition": condition}
    return {**found, "rest": max(0.0, 1.0 - sum(found.values())), WITHIN: max(0.0, within)}


def _explained(values: Values, groups: Labels, *others: Labels) -> float:
    """Sum of squares that additive effects of labels explain, of values whose mean is zero.

    The labels with most values (``groups``) are taken out by their means, of the values and of the others' indicators; what
    is left of these explains the rest (Frisch, Waugh and Lovell), so that only a matrix of the others' size is inverted.
    """
    left, explained = _without_means(values, groups)
    if not others:
        return explained
    indicators = np.concatenate([_indicators(labels) for labels in others], axis=1)
    indicators, _ = _without_means(indicators, groups)
    eigenvalues, vectors = np.linalg.eigh(indicators.T @ indicators)
    kept = eigenvalues > _SINGULAR * max(float(eigenvalues[-1]), 1.0)
    along = vectors[:, kept].T @ (indicators.T @ left)
    return explained + float((np.square(along).sum(1) / eigenvalues[kept]).sum())


def _without_means(values: Values, groups: Labels) -> tuple[Values, float]:
    """Values less the mean of their group, and the sum of squares of these means over all rows."""
    order = np.argsort(groups, kind="stable")
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    means = np.add.reduceat(values[order], starts, axis=0) / counts[:, None]
    left = np.empty_like(values)
    left[order] = values[order] - np.repeat(means, counts, axis=0)
    return left, float((counts[:, None] * np.square(means)).sum())


def _indicators(labels: Labels) -> Values:
    indicators: Values = (labels[:, None] == np.arange(int(labels.max()) + 1)).astype(np.float64)
    return indicators


def _numbers(labels: Iterable[Hashable]) -> Labels:
    place: dict[Hashable, int] = {}
    return np.array([place.setdefault(label, len(place)) for label in labels], dtype=np.int64)


def _pairs(first: Labels, second: Labels) -> Labels:
    return first * (int(second.max()) + 1) + second


def _shuffled_within(groups: Labels, rng: np.random.Generator) -> Labels:
    """Row numbers, each replaced by one of its group, every one once."""
    drawn = rng.random(len(groups))
    order = np.lexsort((np.arange(len(groups)), groups))
    to = np.lexsort((drawn, groups))
    moved = np.empty(len(groups), dtype=np.int64)
    moved[order] = to
    return moved


def _objects_between_stretches(labels: _Numbered, among: Labels, rng: np.random.Generator) -> Labels:
    """Objects of the rows when whole stretches, an object's in a clip, have changed theirs with others of one group."""
    _, first, of_row = np.unique(_pairs(labels.clip, labels.object), return_index=True, return_inverse=True)
    moved: Labels = labels.object[first][_shuffled_within(among[first], rng)][of_row]
    return moved


def _conditions_between_clips(labels: _Numbered, rng: np.random.Generator) -> Labels:
    """Conditions of the rows when whole clips have changed theirs: within a video, if every one has several, else all."""
    _, first, of_row = np.unique(labels.clip, return_index=True, return_inverse=True)
    videos, conditions = labels.video[first], labels.condition[first]
    together = videos if np.bincount(videos).min() > 1 else np.zeros_like(videos)
    moved: Labels = conditions[_shuffled_within(together, rng)][of_row]
    return moved
