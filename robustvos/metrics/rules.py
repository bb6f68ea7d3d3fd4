"""Which frames count and how contours are matched: the rules of an evaluation protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from robustvos.errors import UnknownName
from robustvos.metrics.functional.contours import ContourMap

ReleaseContour = Literal["cross", "square"]


@dataclass(frozen=True)
class ScoringRules:
    """How J and F of one object's frames become its score.

    An object counts from the first frame in which its truth is not empty.

    Attributes:
        skip_first_last: Leave out the first and the last annotated frame of the clip (DAVIS, semi-supervised: the first
            is given, the last is not scored).
        skip_empty_truth: Leave out frames in which the object's truth is empty.
        tolerance: Distance at which contours match, as a part of the frame's diagonal.
        whole_pixels: Round that distance up to whole pixels.
        contour: Which pixels are a mask's contour.
        scores_ends: First and last frames count whatever a dataset says of its own protocol.
        overlapping: Masks of several objects may overlap, because several prompts may mean one region.
        first_objects: The objects are those of the first annotated frame that shows any; later ones are not tracked.
        max_objects: At most so many of a clip, those of the darkest colours; None: all. A dataset may have a rule of its
            own.
    """

    skip_first_last: bool = False
    skip_empty_truth: bool = False
    tolerance: float = 0.008
    whole_pixels: bool = True
    contour: ContourMap = "davis"
    scores_ends: bool = False
    overlapping: bool = False
    first_objects: bool = False
    max_objects: int | None = None


PROTOCOLS: dict[str, ScoringRules] = {
    "davis": ScoringRules(),
    # The public RobustPVOS evaluator: the prompted frame is scored, frames without the object are not. Its scripts for MVSeg
    # and ACDC erode by a cross, the one for YouTube-VOS by a square.
    "release": ScoringRules(
        skip_empty_truth=True,
        whole_pixels=False,
        contour="cross",
        scores_ends=True,
        overlapping=True,
        first_objects=True,
        max_objects=3,
    ),
}


def rules_of(protocol: str, release_contour: ReleaseContour = "cross") -> ScoringRules:
    """The rules of a protocol by name.

    Args:
        protocol: Key of :data:`PROTOCOLS`.
        release_contour: What ``release`` takes for a contour on this dataset; ``davis`` has its own.

    Raises:
        UnknownName: If there is no such protocol, or no such contour.

    >>> rules_of("davis").whole_pixels
    True
    """
    if protocol not in PROTOCOLS:
        raise UnknownName.of("protocol", protocol, PROTOCOLS)
    if release_contour not in get_args(ReleaseContour):
        raise UnknownName.of("contour", release_contour, get_args(ReleaseContour))
    rules = PROTOCOLS[protocol]
    return replace(rules, contour=release_contour) if protocol == "release" else rules
