"""The records that flow between the parts.

Conventions, everywhere:

* A frame is ``uint8 (3, H, W)``, RGB, until the model's own preprocessing.
* A mask is ``bool (O, H, W)``; ``O`` runs over ``object_ids``: ints as stored in the file, immutable.
  Positions along ``O`` are temporary, ids are identity.
* Coordinates are ``(x, y)`` in pixels of the native frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from robustvos.errors import BadPrompt


@dataclass(frozen=True)
class Clip:
    """A short training clip, dense in memory.

    Attributes:
        name: Identity of the clip; part of every seed.
        frames: ``(T, 3, H, W)`` uint8.
        masks: ``(T, O, H, W)`` bool, modal (what is seen of each object).
        object_ids: ``O`` ids.
        amodal: ``(T, O, H, W)`` bool, whole objects whatever hides them; None where unknown.
        annotated: ``(T,)`` bool, frames that carry ground truth; None means all.
        corruption: Name of the corruption that was applied; ``"clean"`` if none.
    """

    name: str
    frames: Tensor
    masks: Tensor
    object_ids: tuple[int, ...]
    amodal: Tensor | None = None
    annotated: Tensor | None = None
    corruption: str = "clean"


@dataclass(frozen=True)
class ClipBatch:
    """Several training clips side by side; objects of all clips share one dimension, as SAM 2 wants them.

    Attributes:
        names: ``B`` clip names.
        frames: ``(B, T, 3, H, W)`` uint8.
        masks: ``(T, N, H, W)`` bool; ``N`` is the number of objects of all clips together.
        object_to_clip: ``(N,)`` int64, the clip that each object belongs to.
        object_ids: ``N`` ids.
        annotated: ``(T, N)`` bool.
        amodal: ``(T, N, H, W)`` bool, whole objects; None where a clip does not know them.
    """

    names: tuple[str, ...]
    frames: Tensor
    masks: Tensor
    object_to_clip: Tensor
    object_ids: tuple[int, ...]
    annotated: Tensor
    amodal: Tensor | None = None

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same batch on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> ClipBatch:
        """The same batch in page-locked memory; loaders call it if they pin memory, and copies to a GPU need not wait."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> ClipBatch:
        return replace(
            self,
            frames=change(self.frames),
            masks=change(self.masks),
            object_to_clip=change(self.object_to_clip),
            annotated=change(self.annotated),
            amodal=None if self.amodal is None else change(self.amodal),
        )


@dataclass(frozen=True)
class Prompt:
    """What a person says about one object on one frame: a mask, or a box and/or points.

    Attributes:
        object_id: The object meant.
        points: ``(N, 2)`` float, ``(x, y)`` in native pixels; may have no rows.
        labels: ``(N,)`` int, 1 inside the object, 0 outside.
        box: ``(4,)`` float ``x0, y0, x1, y1`` in native pixels.
        mask: ``(H, W)`` bool. Excludes points and box.
        frame: Index of the frame it belongs to.

    Raises:
        BadPrompt: If nothing is given, a mask comes with points or a box, points and labels differ in length, the
            mask is empty, or the box has no area.
    """

    object_id: int
    points: Tensor | None = None
    labels: Tensor | None = None
    box: Tensor | None = None
    mask: Tensor | None = None
    frame: int = 0

    def __post_init__(self) -> None:
        where = f"prompt for object {self.object_id} on frame {self.frame}"
        if self.mask is None and self.box is None and self.points is None:
            raise BadPrompt(f"{where} is empty: give a mask, a box or points")
        if self.mask is not None and (self.box is not None or self.points is not None):
            raise BadPrompt(f"{where} has a mask and also points or a box: give one kind")
        if self.mask is not None and not bool(self.mask.any()):
            raise BadPrompt(f"{where}: its mask is empty; mark at least one pixel, or prompt a frame where it is seen")
        if (self.points is None) != (self.labels is None) or (
            self.points is not None and self.labels is not None and len(self.points) != len(self.labels)
        ):
            raise BadPrompt(f"{where}: every point needs one label (1 inside, 0 outside)")
        if self.box is not None:
            x0, y0, x1, y1 = (float(v) for v in self.box)
            if not bool(self.box.isfinite().all()):
                raise BadPrompt(f"{where}: box {x0:g},{y0:g},{x1:g},{y1:g} holds something that is no number")
            if not (x1 > x0 and y1 > y0):
                raise BadPrompt(f"{where}: box {x0:g},{y0:g},{x1:g},{y1:g} has no area; order is x0,y0,x1,y1")


@dataclass(frozen=True)
class Video:
    """An evaluation video: frames and masks are read only when asked for.

    Attributes:
        name: Identity of the video; part of every seed.
        frames: Lazy sequence; item ``t`` is ``(3, H, W)`` uint8.
        object_ids: Every object of the ground truth.
        masks: Lazy sequence as long as ``frames``; item ``t`` is ``(O, H, W)`` bool (modal), or None where frame ``t``
            carries no ground truth. If no mask says which object of one frame is which of the next, its method
            ``matched_to(t, prediction)`` gives, in the same form, the truth that fits each predicted mask best. If some
            pixels are not known, its method ``void(t)`` tells them, ``(H, W)`` bool or None; no score counts them.
        amodal: The same for whole objects; None where the dataset has no amodal truth.
        prompts: What the tracker is given, sorted by frame.
        frame_names: File stems of the frames, for writing masks.
        size: ``(H, W)``.
        corruption: Name of the corruption the frames carry; ``"clean"`` if none.
        tags: Whatever the dataset groups results by (category, weather, class, ...).
    """

    name: str
    frames: Sequence[Tensor]
    object_ids: tuple[int, ...]
    masks: Sequence[Tensor | None]
    prompts: tuple[Prompt, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    amodal: Sequence[Tensor | None] | None = None
    corruption: str = "clean"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackedFrame:
    """What the tracker says about one frame.

    Attributes:
        index: Frame index.
        object_ids: ``O`` ids, in the order of the other fields.
        masks: ``(O, H, W)`` bool at native resolution, overlaps resolved unless the tracker was made not to.
        logits: ``(O, H, W)`` float at native resolution, before overlaps are resolved; above 0 is inside.
        presence: ``(O,)`` float, SAM 2's object score logits; above 0 means visible.
        predicted_iou: ``(O,)`` float, the model's own estimate of its mask's IoU.
    """

    index: int
    object_ids: tuple[int, ...]
    masks: Tensor
    logits: Tensor
    presence: Tensor
    predicted_iou: Tensor

    def masks_of(self, object_ids: Sequence[int], size: tuple[int, int]) -> np.ndarray:
        """``(O, H, W)`` bool in NumPy, in the order of ``object_ids``; objects not introduced yet are empty.

        Args:
            object_ids: Those asked for.
            size: ``(H, W)``, for where there is no object at all.
        """
        found = np.zeros((len(object_ids), *size), dtype=bool)
        position = {object_id: i for i, object_id in enumerate(object_ids)}
        for object_id, mask in zip(self.object_ids, self.masks.cpu(), strict=True):
            if object_id in position:
                found[position[object_id]] = mask.numpy()
        return found


def empty_masks(size: tuple[int, int]) -> Tensor:
    """A ``(0, H, W)`` bool mask stack: no objects."""
    return torch.zeros(0, *size, dtype=torch.bool)
