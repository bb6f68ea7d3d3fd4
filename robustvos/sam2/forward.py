"""One forward pass of SAM 2 on one frame for several objects at once, through SAM 2's own methods.

Shapes: ``B`` objects; the image is encoded once, its features are views repeated over the objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LONG_VIDEO = 1 << 30
"""A number of frames no video reaches: stands for an unknown length."""


@dataclass(frozen=True)
class FrameFeatures:
    """Features of one image at each level, flattened, of one object: ``(h*w, 1, C)``."""

    vision: tuple[Tensor, ...]
    positions: tuple[Tensor, ...]
    sizes: tuple[tuple[int, int], ...]

    def repeated(self, count: int) -> dict[str, Any]:
        """The same features for ``count`` objects, named as SAM 2's methods name them; no copies."""
        return {
            "current_vision_feats": [level.expand(-1, count, -1) for level in self.vision],
            "current_vision_pos_embeds": [level.expand(-1, count, -1) for level in self.positions],
            "feat_sizes": list(self.sizes),
        }


@dataclass(frozen=True)
class Query:
    """What is asked of SAM 2 about several objects on one frame.

    Attributes:
        object_ids: ``B`` ids.
        frame: Index of the frame.
        frame_count: Length of the video.
        memories: SAM 2's ``output_dict`` for these objects; empty if ``introduces``.
        introduces: Whether the objects are new on this frame, so that there is no memory to look at.
        points: SAM 2's ``point_inputs``.
        masks: ``(B, 1, S, S)`` mask prompts.
        previous: ``(B, 1, h, w)`` logits of the same frame that the points correct.
    """

    object_ids: tuple[int, ...]
    frame: int
    frame_count: int
    memories: dict[str, dict[int, dict[str, Any]]]
    introduces: bool = False
    points: dict[str, Tensor] | None = None
    masks: Tensor | None = None
    previous: Tensor | None = None


@dataclass(frozen=True)
class Answer:
    """What SAM 2 says about several objects on one frame.

    Attributes:
        object_ids: ``B`` ids, in the order of the rows.
        low_res: ``(B, 1, S/4, S/4)`` float32 mask logits.
        high_res: ``(B, 1, S, S)`` float32 mask logits, those that are remembered.
        pointers: ``(B, D)`` object pointers.
        presence: ``(B, 1)`` object score logits.
        ious: ``(B,)`` predicted IoU of the mask chosen.
        motion: ``(B, K)`` what a motion cue keeps of the objects (:mod:`robustvos.adapters.motion`); K is 0 without one.
    """

    object_ids: tuple[int, ...]
    low_res: Tensor
    high_res: Tensor
    pointers: Tensor
    presence: Tensor
    ious: Tensor
    motion: Tensor

    def take(self, object_ids: Sequence[int]) -> Answer:
        """The rows of ``object_ids``, in that order; itself if that is what it holds."""
        if tuple(object_ids) == self.object_ids:
            return self
        rows = [self.object_ids.index(object_id) for object_id in object_ids]
        return Answer(tuple(object_ids), *(tensor[rows] for tensor in self._tensors()))

    def take_row(self, row: int) -> Answer:
        """One row; ids may stand in several."""
        return Answer((self.object_ids[row],), *(tensor[row : row + 1] for tensor in self._tensors()))

    def scored(self, object_id: int, presence: Tensor, iou: Tensor) -> Answer:
        """The same with presence and predicted IoU, numbers, of one object replaced."""
        row, presences, ious = self.object_ids.index(object_id), self.presence.clone(), self.ious.clone()
        presences[row], ious[row] = presence, iou
        return replace(self, presence=presences, ious=ious)

    @staticmethod
    def join(parts: Sequence[Answer]) -> Answer:
        """All rows of ``parts``, one after the other."""
        if len(parts) == 1:
            return parts[0]
        tensors = zip(*(part._tensors() for part in parts), strict=True)
        ids = tuple(object_id for part in parts for object_id in part.object_ids)
        return Answer(ids, *(torch.cat(rows) for rows in tensors))

    def _tensors(self) -> list[Tensor]:
        return [getattr(self, field.name) for field in fields(self)[1:]]


def encode_image(model: Any, image: Tensor) -> FrameFeatures:
    """Run the image encoder on ``image``, ``(1, 3, S, S)`` normalised."""
    _, vision, positions, sizes = model._prepare_backbone_features(model.forward_image(image))
    return FrameFeatures(tuple(vision), tuple(positions), tuple(sizes))


def ask(model: Any, features: FrameFeatures, query: Query) -> Answer:
    """Find several objects on a frame, without remembering anything yet.

    ``SAM2Base._track_step`` is called rather than ``track_step``, which the training class overrides with its sampling
    of correction clicks, and which would encode a memory before objects are compared with one another.
    """
    return answer_of(query, *track_step(model, features, query))


def track_step(model: Any, features: FrameFeatures, query: Query) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """What ``SAM2Base._track_step`` keeps of a frame, and what its heads give."""
    kept, heads, _, _ = model._track_step(
        frame_idx=query.frame,
        is_init_cond_frame=query.introduces,
        **features.repeated(len(query.object_ids)),
        point_inputs=query.points,
        mask_inputs=query.masks,
        output_dict=query.memories,
        num_frames=query.frame_count,
        track_in_reverse=False,
        prev_sam_mask_logits=query.previous,
    )
    return kept, heads


def answer_of(query: Query, kept: dict[str, Any], heads: tuple[Any, ...]) -> Answer:
    """The answer that SAM 2 settles on."""
    _, _, ious, low_res, high_res, pointers, presence = heads
    motion = kept.get("motion")
    if motion is None:
        motion = presence.new_zeros(len(presence), 0)
    # with several candidates SAM 2 keeps the one whose predicted IoU is highest
    return Answer(query.object_ids, low_res, high_res, pointers, presence, ious.amax(dim=-1), motion)


def upsample(low_res: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring ``(B, 1, h, w)`` mask logits to another size, as SAM 2 does."""
    return F.interpolate(low_res, size=size, mode="bilinear", align_corners=False)


def encode_memory(
    model: Any, features: FrameFeatures, answer: Answer, prompted: Sequence[bool]
) -> tuple[Tensor, Tensor]:
    """Turn masks into spatial memories.

    Args:
        model: A ``SAM2Base``.
        features: Of the frame.
        answer: Of ``B`` objects.
        prompted: Which of them a person prompted on this frame.

    Returns:
        ``(B, C, h, w)`` bfloat16 memories, as SAM 2's predictor keeps them, and ``(1, C, h, w)`` their positional
        encoding.
    """
    masks = answer.high_res
    if model.non_overlap_masks_for_mem_enc:  # among all objects, however they are split below
        masks = model._apply_non_overlapping_constraints(masks)
    is_prompted = torch.tensor(prompted, device=masks.device)
    if model.binarize_mask_from_pts_for_mem_enc and len(set(prompted)) == 2:
        rows = [is_prompted.nonzero()[:, 0], (~is_prompted).nonzero()[:, 0]]
        parts = [_encode_memory(model, features, masks[r], answer.presence[r], r is rows[0]) for r in rows]
        back = torch.cat(rows).argsort()
        return torch.cat([memory for memory, _ in parts])[back], parts[0][1]
    return _encode_memory(model, features, masks, answer.presence, all(prompted))


def _encode_memory(
    model: Any, features: FrameFeatures, masks: Tensor, presence: Tensor, prompted: bool
) -> tuple[Tensor, Tensor]:
    repeated = features.repeated(len(masks))
    memory, positions = model._encode_new_memory(
        current_vision_feats=repeated["current_vision_feats"],
        feat_sizes=repeated["feat_sizes"],
        pred_masks_high_res=masks,
        object_score_logits=presence,
        is_mask_from_pts=prompted,
    )
    return memory.to(torch.bfloat16), positions[-1][:1]
