"""Evaluation protocols: what is prompted, which frames count, how contours match, over what a mean runs.

A protocol is one record, obeyed whole or refused: :meth:`Protocol.on` fits it to what a dataset fixes
(:class:`DatasetFacts`), and everything that prompts, scores, averages or tables asks the record that comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from robustvos.errors import UnknownName, UserError
from robustvos.metrics.amodal_figures import AMODAL_METRICS, OCCLUDED_ABOVE
from robustvos.metrics.kernels import ContourMap

Task = Literal["modal", "amodal"]
"""What is scored: what is seen of objects (J and F), or whole objects whatever hides them (the four mIoU)."""

Averaging = Literal["objects", "sequences", "videos"]
"""What a mean runs over: every object alike; classes, or else sequences, each the mean of its objects; videos."""

ReleaseContour = Literal["cross", "square"]

METRICS: dict[Task, tuple[str, ...]] = {"modal": ("J&F", "J", "F"), "amodal": AMODAL_METRICS}
"""Figures of each task, the main one first."""


@dataclass(frozen=True)
class DatasetFacts:
    """What a dataset fixes of its own evaluation, whatever the protocol.

    Attributes:
        task: What its truth is of.
        overlapping: Its objects may overlap, so that a pixel is not given to one of them alone (SA-V, BURST).
        skip_first_last: Its authors leave the first and the last annotated frame of a video out of J and F (DAVIS).
        contour: What the protocol ``release`` takes for a contour: the public scripts for MVSeg and ACDC-Video erode by a
            cross, the one for YouTube-VOS by a square.
        every_object: No protocol limits the number of its objects (``release`` on ACDC-Video).
    """

    task: Task = "modal"
    overlapping: bool = False
    skip_first_last: bool = False
    contour: ReleaseContour = "cross"
    every_object: bool = False


@dataclass(frozen=True)
class ModalScoring:
    """How J and F of one object's frames become its score.

    An object counts from the first frame in which its truth is not empty.

    Attributes:
        skip_first_last: Leave out the first and the last annotated frame of the video (DAVIS, semi-supervised: the first
            is given, the last is not scored).
        skip_empty_truth: Leave out frames in which the object's truth is empty.
        tolerance: Distance at which contours match, as a part of the frame's diagonal.
        whole_pixels: Round that distance up to whole pixels.
        contour: Which pixels are a mask's contour.
    """

    skip_first_last: bool = False
    skip_empty_truth: bool = False
    tolerance: float = 0.008
    whole_pixels: bool = True
    contour: ContourMap = "davis"


@dataclass(frozen=True)
class AmodalScoring:
    """How the pixel counts of one object's frames become its four figures.

    Attributes:
        pooled: Sum pixels over frames before dividing (Real-VAS); else a mean of the frames' IoU (TABE).
        signed_difference: Count a missed visible pixel as predicted hidden, as TABE's subtraction does.
        occluded_above: A frame is occluded if more than this part of the object is hidden.
    """

    pooled: bool = True
    signed_difference: bool = False
    occluded_above: float = OCCLUDED_ABOVE


@dataclass(frozen=True)
class Prompting:
    """Which objects are tracked, and from what.

    Attributes:
        kind: ``mask``, ``box`` or ``points:N`` where nothing else is asked for.
        first_frame_only: The objects are those of the first annotated frame that shows any; later ones are not tracked.
            Else every object, from the first frame that shows it.
        max_objects: At most so many of a video where nothing else is asked for, those of the darkest mask colours; None:
            all.
        random_points: Points are drawn as the public RobustPVOS evaluator draws them; else the first is the centre.
    """

    kind: str = "mask"
    first_frame_only: bool = False
    max_objects: int | None = None
    random_points: bool = False


@dataclass(frozen=True)
class Protocol:
    """Everything that decides the figures of an evaluation besides data and settings.

    Attributes:
        name: Key of :data:`PROTOCOLS`.
        scoring: Which frames count, and how; its type says the task.
        prompting: Objects and prompts.
        averaging: What the mean of a table runs over.
        overlapping: Masks of several objects may overlap; else each pixel is given to one object.
    """

    name: str
    scoring: ModalScoring | AmodalScoring
    prompting: Prompting = field(default_factory=Prompting)
    averaging: Averaging = "objects"
    overlapping: bool = False

    @property
    def task(self) -> Task:
        """What is scored."""
        return "modal" if isinstance(self.scoring, ModalScoring) else "amodal"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Its figures, the main one first."""
        return METRICS[self.task]

    @property
    def skip_first_last(self) -> bool:
        """Whether first and last annotated frames are left out."""
        return isinstance(self.scoring, ModalScoring) and self.scoring.skip_first_last

    @property
    def averaged_over(self) -> str:
        """What a mean runs over, in words."""
        return _AVERAGED_OVER[self.averaging]

    def on(self, facts: DatasetFacts) -> Protocol:
        """The protocol as it is on one dataset.

        Raises:
            UserError: If the dataset cannot obey it: its truth is of the other task.
        """
        if facts.task != self.task:
            fitting = ", ".join(name for name, one in PROTOCOLS.items() if one.task == facts.task)
            raise UserError(
                f"protocol '{self.name}' scores {_SCORED[self.task]}, but this dataset's truth is of {_SCORED[facts.task]}; "
                f"leave --model.protocol out, or take one of: {fitting}"
            )
        scoring = self.scoring
        if isinstance(scoring, ModalScoring) and self.name == "davis":
            scoring = replace(scoring, skip_first_last=facts.skip_first_last)
        elif isinstance(scoring, ModalScoring) and self.name == "release":
            scoring = replace(scoring, contour=facts.contour)
        prompting = replace(self.prompting, max_objects=None) if facts.every_object else self.prompting
        overlapping = self.overlapping or facts.overlapping
        return replace(self, scoring=scoring, prompting=prompting, overlapping=overlapping)


_SCORED: dict[Task, str] = {
    "modal": "what is seen of objects (J and F)",
    "amodal": "whole objects (mIoU)",
}
_AVERAGED_OVER: dict[Averaging, str] = {
    "objects": "objects",
    "sequences": "classes or, where there are none, sequences",
    "videos": "videos",
}

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("davis", ModalScoring()),
        # The public RobustPVOS evaluator: the prompted frame is scored, frames without the object are not.
        Protocol(
            "release",
            ModalScoring(skip_empty_truth=True, whole_pixels=False, contour="cross"),
            Prompting("points:3", first_frame_only=True, max_objects=3, random_points=True),
            averaging="sequences",
            overlapping=True,  # several prompts may mean one region
        ),
        # Real-VAS; a frame is occluded from half a percent of the object on, literally from one pixel on.
        Protocol("realvas", AmodalScoring(), averaging="videos", overlapping=True),
        Protocol("realvas_literal", AmodalScoring(occluded_above=0.0), averaging="videos", overlapping=True),
        # The public evaluation of TABE-51.
        Protocol("tabe", AmodalScoring(pooled=False, signed_difference=True), averaging="videos", overlapping=True),
    )
}


def run_columns(protocol: Protocol, true_masks: bool = False) -> dict[str, str]:
    """Inputs and run type of a system that streams, in the words of the Real-VAS paper's Table 4.

    Args:
        protocol: Of the evaluation; only the amodal task has these columns.
        true_masks: Whether it was given the true visible masks.

    >>> run_columns(PROTOCOLS["realvas"])
    {'inputs': '/', 'run_type': 'Online'}
    >>> run_columns(PROTOCOLS["davis"])
    {}
    """
    if protocol.task != "amodal":
        return {}
    return {"inputs": "GT Modal Seg." if true_masks else "/", "run_type": "Online"}


DEFAULT: dict[Task, str] = {"modal": "davis", "amodal": "realvas"}


def protocol_named(name: str) -> Protocol:
    """A protocol by name, as it is before it meets a dataset.

    Raises:
        UnknownName: If there is no such protocol.

    >>> protocol_named("davis").averaged_over
    'objects'
    """
    if name not in PROTOCOLS:
        raise UnknownName.of("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def protocol_for(name: str | None, facts: DatasetFacts) -> Protocol:
    """The protocol that a dataset is evaluated by.

    Args:
        name: Key of :data:`PROTOCOLS`; None: ``davis`` for what is seen, ``realvas`` for whole objects.
        facts: What the dataset fixes.

    Raises:
        UnknownName: If there is no such protocol.
        UserError: If the dataset cannot obey it.

    >>> protocol_for(None, DatasetFacts(task="amodal")).name
    'realvas'
    >>> protocol_for("davis", DatasetFacts(skip_first_last=True)).skip_first_last
    True
    """
    return protocol_named(name or DEFAULT[facts.task]).on(facts)
