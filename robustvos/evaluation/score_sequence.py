"""Score one sequence of masks on disk: its truth and its predictions, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.errors import BadMask
from robustvos.evaluation.davis_statistics import davis_statistics
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.score_jobs import PredictedMasks, ScoringJob
from robustvos.evaluation.scorer import PredictedFrame, TruthFrame, evaluate
from robustvos.evaluation.video_scores import Masks, by_object
from robustvos.files.naming import name_some
from robustvos.metrics.kernels import IdPlanes
from robustvos.video.ids import ids_in
from robustvos.video.luma import lowest_by_luma
from robustvos.video.masks import BLACK_AND_WHITE, SOFT, VOID, read_binary_plane, read_indexed_mask, read_objects
from robustvos.video.native_tree import QUERY_ID

Scored = tuple[list[ObjectScore], list[dict[str, float]], tuple[str, ...]]
"""Records of a sequence's objects, DAVIS's statistics of those with a frame that counts, and how its masks had to be read."""


def score_sequence(job: ScoringJob) -> Scored:
    """J and F, or the amodal figures, of every object of a sequence.

    Where white (255) is all that the truth shows, in every frame, it is object 1, and not void; of soft edges, what is more
    white than black. A prediction in black and white is of the object, if there is one alone.

    Raises:
        BadMask: If a mask cannot be read, has another size than the truth, or holds ids that the truth does not know.
    """
    truth: FolderAmodalTruth | FolderTruth = FolderAmodalTruth(job) if job.amodal else FolderTruth(job)
    frames = [FolderFrame(index, masks, job.true[index]) for index, masks in enumerate(job.predicted)]
    result = evaluate(truth, frames, job.protocol)
    if isinstance(truth, FolderTruth):
        truth.check_ids(frames)
    counted = by_object(result.frames)
    records = sorted(result.objects, key=lambda record: record.object_id)
    notes = {note for part in (truth, *frames) for note in part.notes}
    return records, [davis_statistics(counted[object_id]) for object_id in sorted(counted)], tuple(sorted(notes))


class FolderTruth:
    """Indexed masks of a sequence; objects are scored from the frame that first shows them.

    Args:
        job: What is scored.
    """

    def __init__(self, job: ScoringJob) -> None:
        self.name, self.corruption, self.tags = job.name, job.corruption, job.tags
        self.object_ids: tuple[int, ...] = ()
        self._job = job
        self._known: set[int] = set()
        self.notes: set[str] = set()
        self._is_white = _is_black_and_white(job.true, self.notes)

    def frame(self, index: int, prediction: PredictedFrame) -> TruthFrame:
        """See :class:`robustvos.evaluation.scorer.Truth`."""
        path = self._job.true[index]
        ids = read_objects(path)[0] if self._is_white else read_indexed_mask(path)
        found = ids_in(ids)
        seen = sorted(found - {0, VOID})
        self._known.update(seen)
        prompting = self._job.protocol.prompting
        if prompting.first_frame_only:
            seen = [] if self.object_ids else list(lowest_by_luma(seen, path, prompting.max_objects))
        self.object_ids += tuple(object_id for object_id in seen if object_id not in self.object_ids)
        return TruthFrame(self.object_ids, IdPlanes(ids, self.object_ids), void=ids == VOID if VOID in found else None)

    def check_ids(self, frames: Sequence[FolderFrame]) -> None:
        """Refuse predictions with ids that no frame of the truth has.

        Raises:
            BadMask: Naming one such file.
        """
        for predicted in frames:
            unknown = sorted(predicted.found - self._known)
            if unknown and predicted.masks != self._job.true[predicted.index]:
                raise BadMask(
                    f"{predicted.place(unknown[0])}: holds the ids {name_some(map(str, unknown))}, but the truth of "
                    f"{self.name} knows only {name_some(map(str, sorted(self._known))) or 'none'}; save the object ids "
                    "themselves, not colours or 255"
                )


class FolderAmodalTruth:
    """Whole and visible black-and-white masks of a sequence's one object.

    Args:
        job: What is scored.
    """

    def __init__(self, job: ScoringJob) -> None:
        self.object_ids: tuple[int, ...] = (QUERY_ID,)
        self.notes: set[str] = set()
        self.name, self.corruption, self.tags = job.name, job.corruption, job.tags
        self._job = job

    def frame(self, index: int, prediction: PredictedFrame) -> TruthFrame:
        """See :class:`robustvos.evaluation.scorer.Truth`."""
        modal, amodal = (read_binary_plane(paths[index])[None] for paths in (self._job.true, self._job.amodal))
        if modal.shape != amodal.shape:
            raise BadMask(f"{self._job.true[index]} and {self._job.amodal[index]} differ in size; export them alike")
        return TruthFrame(self.object_ids, modal, amodal)


@dataclass
class FolderFrame:
    """The predicted masks of one frame on disk.

    Attributes:
        index: Of the frame.
        masks: An indexed mask; or a black and white one for each object, which may overlap.
        truth: The frame's true mask, for messages.
        found: Ids that the prediction holds; known once its masks were asked for.
        notes: How it had to be read; likewise.
    """

    index: int
    masks: PredictedMasks
    truth: Path
    found: frozenset[int] = frozenset()
    notes: frozenset[str] = frozenset()

    def masks_of(self, object_ids: Sequence[int], size: tuple[int, int]) -> Masks:
        """See :class:`robustvos.evaluation.scorer.PredictedFrame`.

        Raises:
            BadMask: If a mask cannot be read or has another size, or an object's is missing.
        """
        if isinstance(self.masks, Path):
            ids, note = read_objects(self.masks)
            if note is not None and len(object_ids) == 1:  # white is the one object
                ids *= np.uint8(object_ids[0])
                self.notes = frozenset({f"predictions are {note}"} if note == SOFT else ())
            elif note is not None:
                ids = read_indexed_mask(self.masks)
            _check_size(ids.shape, size, self.masks)
            self.found = frozenset(ids_in(ids) - {0})
            return IdPlanes(ids, object_ids)
        self.found = frozenset(self.masks)
        found = np.zeros((len(object_ids), *size), dtype=bool)
        for row, object_id in enumerate(object_ids):
            if object_id not in self.masks:
                folder = next(iter(self.masks.values())).parent.parent
                raise BadMask(
                    f"{folder} has no folder for object {object_id}; write its masks, black where it was not found"
                )
            mask = read_binary_plane(self.masks[object_id])
            _check_size(mask.shape, size, self.masks[object_id])
            found[row] = mask
        return found

    def place(self, object_id: int) -> Path:
        """The file that holds an object."""
        return self.masks if isinstance(self.masks, Path) else self.masks[object_id]


def _is_black_and_white(paths: Sequence[Path], notes: set[str]) -> bool:
    """Whether no frame shows anything but white; ordinary masks tell with the first that shows an object."""
    seen: set[str | None] = set()
    for path in paths:
        ids, note = read_objects(path)
        if note is None and ids.any():
            return False
        seen |= {f"ground truth is {note}"} if note == SOFT else {note}
    notes |= {text for text in seen if text is not None and text != BLACK_AND_WHITE}
    return seen != {None}


def _check_size(predicted: Sequence[int], true: Sequence[int], path: Path) -> None:
    if tuple(predicted) != tuple(true):
        (height, width), (true_height, true_width) = predicted, true
        raise BadMask(
            f"{path} is {width}x{height}, its ground truth {true_width}x{true_height}; resize the prediction with "
            "nearest neighbour, or give masks at the original resolution"
        )
