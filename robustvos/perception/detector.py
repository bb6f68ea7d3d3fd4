"""What every detector is: a frame goes in, boxes of things that may move come out, with masks where it knows them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from typing_extensions import Self

from robustvos.perception.weights import Published

CLASSES = (
    *("person", "animal", "bird", "dog", "cat", "fish", "horse", "insect"),
    *("car", "bus", "motorcycle", "train", "boat", "ship", "airplane", "helicopter", "drone"),
    *("robot", "conveyor belt", "fan", "clock hands"),
    *("ball", "kite", "swing", "shopping cart"),
)
"""Classes of objects that move, as the Real-VAS paper asks for them."""
MOVING = "moving"
"""The label that detectors give which see motion and know no classes."""


@dataclass(frozen=True)
class Detections:
    """What was found on one frame, best first.

    Attributes:
        boxes: ``(N, 4)`` float32, ``x0, y0, x1, y1`` in native pixels; a box holds pixels ``x0 <= x < x1``.
        scores: ``(N,)`` float32 in [0, 1]; comparable within one detector only.
        labels: ``N`` class names, or :data:`MOVING`.
        masks: ``(N, H, W)`` bool; None from detectors that give boxes alone.
    """

    boxes: Tensor
    scores: Tensor
    labels: tuple[str, ...]
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


class Detector(ABC):
    """Finds objects on single frames of one clip.

    Use: ``detector.prepare(frames)`` once a clip, then :meth:`detect` for any of its frames, in any order: the result
    depends on the clip and the frame, not on what was asked before.

    Attributes:
        name: Key in the registry.
        weights: What it needs from elsewhere; None if nothing.
    """

    name: ClassVar[str]
    weights: ClassVar[Published | None] = None

    def prepare(self, frames: Sequence[Tensor]) -> Self:
        """Look at the whole clip, ``T`` frames ``(3, H, W)`` uint8, before single frames are asked for.

        Detectors that need no more than a frame do nothing here.
        """
        return self

    @abstractmethod
    def detect(self, frame: Tensor) -> Detections:
        """Detections on ``(3, H, W)`` uint8 RGB.

        Raises:
            BadVideo: If the frame is not uint8 RGB, or has another size than the clip.
            RuntimeError: If the detector needs :meth:`prepare` and was not prepared.
        """
