"""Score a video from any stream of predicted frames: a tracker's, a folder's, another system's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from robustvos.errors import DataNotFound
from robustvos.evaluation.amodal_scores import AmodalScores
from robustvos.evaluation.protocol import ModalScoring
from robustvos.evaluation.protocol import Protocol as EvaluationProtocol
from robustvos.evaluation.records import VideoResult
from robustvos.evaluation.video_scores import Masks, VideoScores

if TYPE_CHECKING:
    from robustvos.types import Video


class TruthFrame(NamedTuple):
    """The ground truth of one frame.

    Attributes:
        object_ids: ``O`` ids that are scored from this frame on, those of earlier frames first.
        modal: ``(O, H, W)`` bool, what is seen of them.
        amodal: ``(O, H, W)`` bool, whole objects; None where unknown.
        void: ``(H, W)`` bool, pixels that no score counts; None: there are none.
    """

    object_ids: tuple[int, ...]
    modal: Masks
    amodal: np.ndarray | None = None
    void: np.ndarray | None = None


class Truth(Protocol):
    """The ground truth of one video, read frame by frame."""

    name: str
    corruption: str
    tags: Mapping[str, str]
    object_ids: tuple[int, ...]

    def frame(self, index: int, prediction: PredictedFrame) -> TruthFrame | None:
        """Of frame ``index``; None where it carries none. The prediction matters where truth has no identities."""
        ...


class PredictedFrame(Protocol):
    """What a system found on one frame."""

    @property
    def index(self) -> int:
        """Index of the frame."""
        ...

    def masks_of(self, object_ids: Sequence[int], size: tuple[int, int]) -> Masks:
        """``(O, H, W)`` bool; empty for objects that the system does not know yet."""
        ...


class VideoTruth:
    """The truth of an evaluation video.

    Args:
        video: Its masks may have a method ``void`` and a method ``matched_to``, see :class:`robustvos.types.Video`.
    """

    def __init__(self, video: Video) -> None:
        self.name, self.corruption, self.tags = video.name, video.corruption, video.tags
        self.object_ids, self.size = video.object_ids, video.size
        self._modal, self._amodal = video.masks, video.amodal
        self._void = getattr(video.masks, "void", None)
        self._matched_to = getattr(video.masks, "matched_to", None)

    @property
    def is_amodal(self) -> bool:
        """Whether whole objects are known."""
        return self._amodal is not None

    def frame(self, index: int, prediction: PredictedFrame) -> TruthFrame | None:
        """See :class:`Truth`."""
        modal = self._modal[index]
        if modal is None:
            return None
        if self._matched_to is not None:
            import torch

            modal = self._matched_to(index, torch.from_numpy(prediction.masks_of(self.object_ids, self.size)))
        amodal = None if self._amodal is None else self._amodal[index]
        void = None if self._void is None else self._void(index)
        return TruthFrame(
            self.object_ids,
            modal.numpy(),
            None if amodal is None else amodal.numpy(),
            None if void is None else void.numpy(),
        )


class Scorer:
    """Scores of one video, frame by frame.

    Args:
        truth: Of the video.
        protocol: As it is on the video's dataset.

    Raises:
        DataNotFound: If the protocol asks for whole objects, and the video has no amodal truth.
    """

    def __init__(self, truth: Truth, protocol: EvaluationProtocol) -> None:
        if protocol.task == "amodal" and getattr(truth, "is_amodal", True) is False:
            raise DataNotFound(f"video '{truth.name}' has no amodal masks to score against; choose data that have them")
        self.truth = truth
        tags = {**truth.tags, **({"corruption": truth.corruption} if truth.corruption else {})}
        scoring = protocol.scoring
        self.scores: VideoScores | AmodalScores
        if isinstance(scoring, ModalScoring):
            self.scores = VideoScores(truth.name, truth.object_ids, scoring=scoring, tags=tags)
        else:
            self.scores = AmodalScores(truth.name, truth.object_ids, scoring=scoring, tags=tags)

    def update(self, predicted: PredictedFrame) -> None:
        """Score a frame if it carries ground truth."""
        truth = self.truth.frame(predicted.index, predicted)
        if truth is None:
            return
        prediction = predicted.masks_of(truth.object_ids, truth.modal.shape[-2:])
        if isinstance(self.scores, VideoScores):
            for object_id in truth.object_ids:
                self.scores.add_object(object_id)
            self.scores.update(predicted.index, prediction, truth.modal, truth.void)
        elif truth.amodal is not None:
            self.scores.update(predicted.index, prediction, truth.amodal, truth.modal)  # type: ignore[arg-type]

    def result(self) -> VideoResult:
        """Scores of the whole video."""
        frames = tuple(self.scores.frame_scores()) if isinstance(self.scores, VideoScores) else ()
        return VideoResult(self.truth.name, self.truth.corruption, tuple(self.scores.objects()), frames)


def evaluate(truth: Truth, predictions: Iterable[PredictedFrame], protocol: EvaluationProtocol) -> VideoResult:
    """Score a video.

    Args:
        truth: Of the video.
        predictions: What a system found, in any order; each frame once, those without truth are passed over.
        protocol: As it is on the video's dataset (:func:`robustvos.evaluation.protocol.protocol_for`).

    Raises:
        DataNotFound: See :class:`Scorer`.
        ValueError: If a frame comes twice, or masks are not of the size of the truth.
    """
    scorer = Scorer(truth, protocol)
    for predicted in predictions:
        scorer.update(predicted)
    return scorer.result()
