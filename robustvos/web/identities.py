"""Who is who: regions of class masks become objects; ids are split, merged, exchanged and renamed over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from robustvos.errors import BadPrompt, UserError
from robustvos.video.masks import VOID
from robustvos.web.annotation import MOST_OBJECTS, Annotation, Plane, State, free_id, ids_of

_SAME = 0.1  # IoU from which regions of two frames may be one object


def objects_of_classes(planes: Mapping[int, Plane], least_area: int) -> State:
    """Connected regions of class masks become objects, followed from one annotated frame to the next.

    Within a class regions are matched one to one so that the sum of their IoUs is highest (Hungarian method).

    Args:
        planes: Masks whose numbers are classes; void stays void.
        least_area: Regions of fewer pixels are dropped.

    Raises:
        UserError: If there are more regions than masks hold ids.
    """
    names: dict[int, str] = {}
    found: dict[int, Plane] = {}
    latest: dict[int, dict[int, np.ndarray]] = {}  # class -> object -> its region where it was last seen
    for frame in sorted(planes):
        classes = planes[frame].array
        ids = np.where(classes == VOID, VOID, 0).astype(np.uint8)
        for kind in planes[frame].ids:
            regions = regions_of(classes == kind, least_area)
            known = latest.setdefault(kind, {})
            for region, object_id in zip(regions, _matched(regions, known), strict=True):
                if object_id is None:
                    object_id = len(names) + 1
                    if object_id > MOST_OBJECTS:
                        raise UserError(
                            f"the masks hold more than {MOST_OBJECTS} regions; leave small ones out with a larger --least_area"
                        )
                    names[object_id] = f"class {kind}"
                known[object_id] = region
                ids[region] = object_id
        found[frame] = Plane.of(ids)
    return State(planes=found, names=names)


def _matched(regions: list[np.ndarray], known: Mapping[int, np.ndarray]) -> list[int | None]:
    if not regions or not known:
        return [None] * len(regions)
    object_ids = list(known)
    iou = np.array([[_iou(region, known[i]) for i in object_ids] for region in regions])
    answer: list[int | None] = [None] * len(regions)
    for row, column in zip(*linear_sum_assignment(-iou), strict=True):
        if iou[row, column] >= _SAME:
            answer[row] = object_ids[column]
    return answer


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    common = int((a & b).sum())
    return common / int((a | b).sum()) if common else 0.0


def regions_of(mask: np.ndarray, least_area: int = 1) -> list[np.ndarray]:
    """Connected regions of an ``(H, W)`` bool mask, corners connect; in the order of their first pixels.

    >>> [int(r.sum()) for r in regions_of(np.array([[1, 0, 0, 1], [0, 1, 0, 1]], dtype=bool), least_area=2)]
    [2, 2]
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return [labels == i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= least_area]


def relabel(annotation: Annotation, old: int, new: int, first: int, last: int) -> None:
    """On frames ``first`` to ``last``, what was ``old`` is ``new``; over all frames ``old`` is merged into it and gone.

    Raises:
        BadPrompt: If an object or frame is not there, or both are one.
    """
    _check(annotation, (old, new), first, last)
    if old == new:
        raise BadPrompt(f"object {old} cannot become itself")

    def change(state: State) -> State:
        moved = _renumbered(state, {old: new}, first, last)
        if any(old in plane.ids for plane in moved.planes.values()) or any(i == old for _, i in moved.marks):
            return moved
        return replace(moved, names={i: name for i, name in moved.names.items() if i != old})

    annotation.change(change)


def exchange(annotation: Annotation, a: int, b: int, first: int, last: int) -> None:
    """On frames ``first`` to ``last`` two objects change places: a tracker has mixed them up; raises as :func:`relabel`."""
    _check(annotation, (a, b), first, last)
    annotation.change(lambda state: _renumbered(state, {a: b, b: a}, first, last))


def remove(annotation: Annotation, object_id: int) -> None:
    """Delete an object, its masks and marks; raises as :func:`relabel`."""
    _check(annotation, (object_id,), 0, annotation.count - 1)

    def change(state: State) -> State:
        moved = _renumbered(state, {object_id: 0}, 0, annotation.count - 1)
        return replace(moved, names={i: name for i, name in moved.names.items() if i != object_id})

    annotation.change(change)


def split(annotation: Annotation, frame: int, x: float, y: float) -> int:
    """The connected region at a pixel becomes an object of its own, from this frame to the last; returns its id.

    On later frames each region of the old object goes to whichever of the two it overlaps more on the frame before.

    Raises:
        BadPrompt: If there is no object at the pixel, or it has but one region.
    """
    annotation.check_frame(frame)
    with annotation.lock:
        state = annotation.state
        ids = ids_of(state, frame, annotation.size)
        height, width = ids.shape
        if not (0 <= x < width and 0 <= y < height) or ids[int(y), int(x)] in (0, VOID):
            raise BadPrompt("no object is there: click on the region that shall be an object of its own")
        old = int(ids[int(y), int(x)])
        regions = regions_of(ids == old)
        if len(regions) < 2:
            raise BadPrompt(f"object {old} is in one piece on this frame: cut it with the eraser first")
        new = free_id(state)
        taken = next(region for region in regions if region[int(y), int(x)])
        kept = (ids == old) & ~taken
        planes = dict(state.planes)
        for index in sorted(f for f in planes if f >= frame):
            ids = planes[index].array
            if index > frame:
                taken, kept = _divided(ids == old, taken, kept)
            if (taken & (ids == old)).any():
                ids[taken] = new
                planes[index] = Plane.of(ids)
        names = {**state.names, new: f"{state.names.get(old, 'object')}, part"}
        annotation.change(lambda s: replace(s, planes=planes, names=names))
        return new


def _divided(mask: np.ndarray, taken: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A later mask in two; a part that is away stays where it was last seen."""
    new_taken = np.zeros_like(mask)
    for region in regions_of(mask):
        if int((region & taken).sum()) > int((region & kept).sum()):
            new_taken |= region
    new_kept = mask & ~new_taken
    return (new_taken if new_taken.any() else taken & ~mask), (new_kept if new_kept.any() else kept)


def _renumbered(state: State, numbers: Mapping[int, int], first: int, last: int) -> State:
    """Ids of frames ``first`` to ``last`` under other numbers; 0: gone. Where two marks meet the first is kept."""
    table = np.arange(256, dtype=np.uint8)
    for old, new in numbers.items():
        table[old] = new
    planes = {
        f: Plane.of(table[plane.array]) if first <= f <= last and set(plane.ids) & set(numbers) else plane
        for f, plane in state.planes.items()
    }

    def moved(place: tuple[int, int]) -> tuple[int, int]:
        frame, object_id = place
        return (frame, numbers.get(object_id, object_id)) if first <= frame <= last else place

    marks = {moved(p): mark for p, mark in reversed(list(state.marks.items())) if moved(p)[1]}
    sureness = {moved(p): sure for p, sure in reversed(list(state.sureness.items())) if moved(p)[1]}
    return replace(state, planes=planes, marks=marks, sureness=sureness)


def _check(annotation: Annotation, object_ids: tuple[int, ...], first: int, last: int) -> None:
    for object_id in object_ids:
        annotation.check_object(object_id)
    annotation.check_frame(first)
    annotation.check_frame(last)
    if first > last:
        raise BadPrompt(f"the first frame, {first}, lies after the last, {last}")
