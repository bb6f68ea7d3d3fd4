"""The amodal IoU figures of one clip, gathered frame by frame; only pixel counts are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from robustvos.errors import UnknownName
from robustvos.metrics.functional.amodal import (
    AMODAL_AREA,
    OCCLUDED_ABOVE,
    amodal_counts,
    pooled_amodal_iou,
    tabe_amodal_iou,
)
from robustvos.metrics.object_tags import tags_of_object

AmodalProtocol = Literal["realvas", "tabe"]


class AmodalScores:
    """Scores one clip's amodal masks against whole and visible ground truth, frames in any order.

    Args:
        clip: Name of the clip.
        object_ids: The objects, in the order of the masks' first dimension.
        protocol: ``realvas`` pools pixels over frames; ``tabe`` reproduces the evaluation of TABE-51.
        occluded_above: A frame is occluded if the hidden part of the object exceeds this.
        tags: What results are grouped by, copied to each object.
    """

    def __init__(
        self,
        clip: str,
        object_ids: Sequence[int],
        *,
        protocol: AmodalProtocol = "realvas",
        occluded_above: float = OCCLUDED_ABOVE,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        if protocol not in ("realvas", "tabe"):
            raise UnknownName.of("amodal protocol", protocol, ("realvas", "tabe"))
        self.clip = clip
        self.object_ids = tuple(object_ids)
        self.protocol = protocol
        self.occluded_above = occluded_above
        self.tags = dict(tags or {})
        self._counts: dict[int, Tensor] = {}

    def update(self, frame: int, prediction: Tensor, amodal: Tensor, modal: Tensor) -> Tensor:
        """Count one annotated frame.

        Args:
            frame: Its index in the clip.
            prediction: ``(O, H, W)`` bool, predicted amodal masks.
            amodal: ``(O, H, W)`` bool, true amodal masks.
            modal: ``(O, H, W)`` bool, true visible masks.

        Returns:
            ``(O, 7)`` int64 counts; see :func:`~robustvos.metrics.functional.amodal.amodal_counts`.

        Raises:
            ValueError: If shapes differ, masks are not bool, the number of masks is not that of the objects, or the
                frame was scored before.
        """
        if frame in self._counts:
            raise ValueError(f"clip {self.clip}: frame {frame} was scored already")
        if len(amodal) != len(self.object_ids):
            raise ValueError(f"{len(self.object_ids)} objects need as many masks, got {len(amodal)}")
        counts = amodal_counts(prediction, amodal, modal, signed_difference=self.protocol == "tabe").cpu()
        self._counts[frame] = counts
        return counts

    def objects(self) -> list[dict[str, Any]]:
        """One record per object, as stored in ``results.json``; a figure that is undefined for the clip is None."""
        if not self._counts:
            counts = torch.zeros(0, len(self.object_ids), 7, dtype=torch.int64)
        else:
            counts = torch.stack([self._counts[frame] for frame in sorted(self._counts)])
        return [
            amodal_record(
                self.clip,
                object_id,
                counts[:, position],
                self.protocol,
                self.occluded_above,
                tags_of_object(self.tags, object_id),
            )
            for position, object_id in enumerate(self.object_ids)
        ]


def amodal_record(
    clip: str,
    object_id: int,
    counts: Tensor,
    protocol: AmodalProtocol,
    occluded_above: float,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The ``results.json`` record of an object from its ``(T, 7)`` counts; ``frames`` are those that hold it."""
    figures = tabe_amodal_iou if protocol == "tabe" else pooled_amodal_iou
    return {
        "clip": clip,
        "object": object_id,
        "frames": len(counts) if protocol == "tabe" else int((counts[:, AMODAL_AREA] > 0).sum()),
        "tags": dict(tags or {}),
        "scores": figures(counts, occluded_above=occluded_above),
    }
