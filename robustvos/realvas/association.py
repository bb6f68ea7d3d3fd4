"""Regions of neighbouring frames become tracks: who is who, who has merged with whom, who has come apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from robustvos.realvas.pictures import box_of

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class AssociationSettings:
    """When a region is taken for the continuation of a track.

    Attributes:
        reach: Largest distance of the centres, in diagonals of the track's box ...
        young_reach: ... and while the track is younger than three samples, so that its speed is not known.
        area_ratio: Smallest ratio of the areas.
        covered: Share of a track's predicted mask that a region must cover to hold it when several have merged, and of a
            region that a track's must cover for a part that has come off to be its own.
        max_gap: Samples for which a track may be unseen.
    """

    reach: float = 0.6
    young_reach: float = 1.0
    area_ratio: float = 0.25
    covered: float = 0.5
    max_gap: int = 2


@dataclass
class RawTrack:
    """One thing followed over the samples.

    Attributes:
        samples: Positions among the samples at which it was seen, ascending.
        regions: ``(H, W)`` bool each.
        sharing: Positions among all tracks of those with whom it shared a region, out of which its own was cut.
    """

    samples: list[int] = field(default_factory=list)
    regions: list[np.ndarray] = field(default_factory=list)
    sharing: list[frozenset[int]] = field(default_factory=list)
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))

    @property
    def merged(self) -> list[bool]:
        """Whether its region was cut out of one that it shared with another track."""
        return [bool(others) for others in self.sharing]

    def add(self, sample: int, region: np.ndarray, sharing: frozenset[int] = frozenset()) -> None:
        """Append what was seen at ``sample``."""
        if self.samples:
            steps = sample - self.samples[-1]
            moved = (_centre(_box(region)) - _centre(_box(self.regions[-1]))) / steps
            self.velocity = moved if len(self.samples) == 1 else 0.5 * self.velocity + 0.5 * moved
        self.samples.append(sample)
        self.regions.append(region)
        self.sharing.append(sharing)

    def predict(self, sample: int) -> np.ndarray:
        """Its last region, moved on."""
        shift = np.round(self.velocity * (sample - self.samples[-1]))
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        last = self.regions[-1]
        return cv2.warpAffine(last.astype(np.uint8), matrix, last.shape[::-1], flags=cv2.INTER_NEAREST).astype(bool)


class Associator:
    """Collects tracks sample by sample; ``tracks`` holds all of them, in the order of appearance."""

    def __init__(self, settings: AssociationSettings = AssociationSettings()) -> None:
        self.settings = settings
        self.tracks: list[RawTrack] = []

    def add(self, sample: int, mask: np.ndarray) -> None:
        """Take in the changed regions of the next sample, ``(H, W)`` bool."""
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        regions = [labels == label for label in range(1, count)]
        places = [k for k, t in enumerate(self.tracks) if sample - t.samples[-1] <= self.settings.max_gap + 1]
        active = [self.tracks[k] for k in places]
        predicted = [track.predict(sample) for track in active]
        shared = self._shared(predicted, regions)
        taken: dict[int, list[tuple[np.ndarray, frozenset[int]]]] = {}
        for number, holders in shared.items():
            for holder, part in zip(holders, _divide(regions[number], [predicted[h] for h in holders]), strict=True):
                others = frozenset(places[other] for other in holders if other != holder)
                taken.setdefault(holder, []).append((part, others))
        free = [number for number in range(len(regions)) if number not in shared]
        single = [index for index in range(len(active)) if index not in taken]
        for index, number in self._match(sample, active, predicted, regions, single, free):
            taken[index] = [(regions[number], frozenset())]
            free.remove(number)
        for number in list(free):
            owner = self._owner_of_part(regions[number], predicted, taken)
            if owner is not None:
                taken[owner].append((regions[number], frozenset()))
                free.remove(number)
        for index, parts in sorted(taken.items()):
            region = np.logical_or.reduce([part for part, _ in parts])
            if region.any():
                active[index].add(sample, region, frozenset[int]().union(*(others for _, others in parts)))
        for number in free:
            self.tracks.append(RawTrack())
            self.tracks[-1].add(sample, regions[number])

    def _shared(self, predicted: list[np.ndarray], regions: list[np.ndarray]) -> dict[int, list[int]]:
        """Regions that hold several tracks, and which."""
        holders: dict[int, list[int]] = {}
        for index, mask in enumerate(predicted):
            area = max(1, int(mask.sum()))
            covers = [int((mask & region).sum()) / area for region in regions]
            if covers and max(covers) > self.settings.covered:
                holders.setdefault(int(np.argmax(covers)), []).append(index)
        return {
            number: found
            for number, found in holders.items()
            if len(found) > 1 and regions[number].sum() > 1.15 * max(int(predicted[i].sum()) for i in found)
        }

    def _match(
        self,
        sample: int,
        active: list[RawTrack],
        predicted: list[np.ndarray],
        regions: list[np.ndarray],
        tracks: list[int],
        free: list[int],
    ) -> list[tuple[int, int]]:
        """One region for each track, at the least total distance."""
        if not tracks or not free:
            return []
        far = 1e6
        costs = np.full((len(tracks), len(free)), far)
        for row, index in enumerate(tracks):
            box = _box(active[index].regions[-1])
            centre = _centre(box) + active[index].velocity * (sample - active[index].samples[-1])
            reach = self.settings.young_reach if len(active[index].samples) < 3 else self.settings.reach
            for column, number in enumerate(free):
                area, other = int(active[index].regions[-1].sum()), int(regions[number].sum())
                distance = np.linalg.norm(_centre(_box(regions[number])) - centre) / _diagonal(box)
                if distance < reach and min(area, other) / max(area, other) > self.settings.area_ratio:
                    union = int((predicted[index] | regions[number]).sum())
                    costs[row, column] = distance + 1 - int((predicted[index] & regions[number]).sum()) / union
        rows, columns = linear_sum_assignment(costs)
        return [(tracks[r], free[c]) for r, c in zip(rows, columns, strict=True) if costs[r, c] < far]

    def _owner_of_part(
        self, region: np.ndarray, predicted: list[np.ndarray], taken: dict[int, list[tuple[np.ndarray, frozenset[int]]]]
    ) -> int | None:
        """The track that a left-over region has come off."""
        area = int(region.sum())
        shares = {index: int((region & predicted[index]).sum()) / area for index in taken}
        best = max(shares, key=lambda index: shares[index], default=None)
        return best if best is not None and shares[best] > self.settings.covered else None


def _divide(region: np.ndarray, masks: list[np.ndarray]) -> list[np.ndarray]:
    """Give each pixel of ``region`` to the nearest mask."""
    distances = np.stack([cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3) for mask in masks])
    nearest = distances.argmin(axis=0)
    return [region & (nearest == k) for k in range(len(masks))]


def _box(region: np.ndarray) -> Box:
    box = box_of(region)
    assert box is not None, "regions of tracks are not empty"
    return box


def _centre(box: Box) -> np.ndarray:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def _diagonal(box: Box) -> float:
    return float(np.hypot(box[2] - box[0], box[3] - box[1]))
