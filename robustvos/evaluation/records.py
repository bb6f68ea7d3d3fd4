"""What scoring leaves: a score an object and frame, a record an object, a result a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from robustvos.conditions import CLEAN
from robustvos.errors import UserError

CLUSTER_TAG = "footage"
"""Tag of videos that were cut from the same footage; see :attr:`ObjectScore.cluster`."""


class FrameScore(NamedTuple):
    """One object in one frame.

    Attributes:
        frame: Frame index.
        object_id: The object.
        region: J.
        contour: F.
        present: Whether the object's truth is not empty.
        counts: Whether the object's score is made of it.
    """

    frame: int
    object_id: int
    region: float
    contour: float
    present: bool
    counts: bool = True


@dataclass(frozen=True)
class ObjectScore:
    """One object of one video, as stored in ``results.json``.

    Attributes:
        video: Name of the video.
        object_id: The object.
        frames: Frames that its scores are made of.
        tags: What results are grouped by: corruption, category, weather, class, ...
        scores: Metric to score in [0, 1]; None where no frame defines it.
        measures: Of the amodal task, how the object is hidden, see :func:`robustvos.metrics.amodal_figures.occlusion_measures`.
    """

    video: str
    object_id: int
    frames: int
    tags: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def corruption(self) -> str:
        """The condition of its frames."""
        return self.tags.get("corruption", CLEAN)

    @property
    def sequence(self) -> str:
        """The video under its condition: ``boat``, ``boat@fog``."""
        return sequence_name(self.video, self.corruption)

    @property
    def cluster(self) -> str:
        """What stands or falls together and is drawn together by the bootstrap: the footage it was cut from, or the video."""
        return self.tags.get(CLUSTER_TAG, self.video)

    @property
    def identity(self) -> tuple[str, int, str]:
        """What two systems' scores of one object have in common."""
        return self.video, self.object_id, self.corruption

    def to_json(self) -> dict[str, Any]:
        """As ``results.json`` keeps it."""
        return {
            "video": self.video,
            "object": self.object_id,
            "frames": self.frames,
            "tags": dict(self.tags),
            "scores": dict(self.scores),
            **({"measures": dict(self.measures)} if self.measures else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ObjectScore:
        """What :meth:`to_json` gave; files of others are checked by :mod:`robustvos.evaluation.results`."""
        of_video = (content["video"], content["object"], content["frames"])
        return cls(*of_video, content["tags"], content["scores"], content.get("measures", {}))


@dataclass(frozen=True)
class VideoResult:
    """How one video was tracked.

    Attributes:
        video: Its name.
        corruption: The condition of its frames.
        objects: A record an object.
        frames: J and F of each annotated frame and object, by frame; empty for the amodal task.
        failure: Why it could not be tracked and scored to its end, in a line; empty if it was.
    """

    video: str
    corruption: str
    objects: tuple[ObjectScore, ...]
    frames: tuple[FrameScore, ...] = ()
    failure: str = ""

    @property
    def sequence(self) -> str:
        """The video under its condition: ``boat``, ``boat@fog``."""
        return sequence_name(self.video, self.corruption)

    def to_json(self) -> dict[str, Any]:
        """As processes tell each other, and as a test keeps it until it is done."""
        return {
            "video": self.video,
            "corruption": self.corruption,
            "objects": [record.to_json() for record in self.objects],
            "frames": self.frames,
            "failure": self.failure,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> VideoResult:
        """What :meth:`to_json` gave; scores come back to the last bit."""
        return cls(
            content["video"],
            content["corruption"],
            tuple(ObjectScore.from_json(record) for record in content["objects"]),
            tuple(FrameScore(*frame) for frame in content["frames"]),
            content["failure"],
        )


@dataclass(frozen=True)
class UnreadVideo:
    """A video that could not be read, under its condition, and why."""

    name: str
    corruption: str
    error: UserError


def sequence_name(video: str, corruption: str) -> str:
    """Name of a video under a condition, in results and of folders.

    >>> sequence_name("boat", "clean"), sequence_name("boat", "fog")
    ('boat', 'boat@fog')
    """
    return video if corruption == CLEAN else f"{video}@{corruption}"
