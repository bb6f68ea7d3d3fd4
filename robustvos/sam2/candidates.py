"""All masks that SAM 2 proposes on a frame, each with what it would be remembered by; for memory policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from robustvos.sam2.forward import Answer, FrameFeatures, Query, answer_of, track_step
from robustvos.sam2.memory_policies.base import Candidates

KeyWeights = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Proposals:
    """What SAM 2 proposes for ``B`` objects, ``M`` masks each.

    Attributes:
        low_res: ``(B, M, s, s)`` logits.
        high_res: ``(B, M, S, S)`` logits.
        ious: ``(B, M)`` predicted.
        pointers: ``(B, M, D)`` object pointers.
        presence: ``(B, 1)`` logits.
    """

    low_res: Tensor
    high_res: Tensor
    ious: Tensor
    pointers: Tensor
    presence: Tensor

    def of(self, row: int) -> Candidates:
        """Those for one object."""
        return Candidates(self.ious[row], self.low_res[row], float(self.presence[row, 0]))

    def chosen(self, answer: Answer, row: int, candidate: int) -> Answer:
        """The answer for one object with another of its masks."""
        if candidate == int(self.ious[row].argmax()):
            return answer.take_row(row)  # SAM 2's own, to the last bit
        only = slice(row, row + 1)
        return replace(
            answer,
            object_ids=(answer.object_ids[row],),
            low_res=self.low_res[only, candidate, None],
            high_res=self.high_res[only, candidate, None],
            pointers=self.pointers[only, candidate],
            presence=answer.presence[only],
            ious=self.ious[only, candidate],
            motion=answer.motion[only],
        )


def propose(
    model: Any, features: FrameFeatures, query: Query, weights: Sequence[KeyWeights | None]
) -> tuple[Answer, Proposals]:
    """:func:`robustvos.sam2.forward.ask`, with every mask that it had to choose from.

    Args:
        model: A ``SAM2Base``.
        features: Of the frame.
        query: As for ``ask``, without prompts.
        weights: Of each object, factors of the keys of each spatial memory and of each pointer, in the order in which SAM 2
            reads them; None: all 1.
    """
    caught: list[Tensor] = []
    catch = model.sam_mask_decoder.register_forward_hook(lambda module, args, output: caught.append(output[2]))
    try:
        with weighted_keys(model, weights):
            kept, heads = track_step(model, features, query)
    finally:
        catch.remove()
    low_res, high_res, ious, _, _, _, presence = heads
    tokens = caught[-1]
    tokens = tokens.expand(-1, ious.shape[1], -1) if tokens.shape[1] == 1 else tokens
    pointers = pointers_of(model, tokens, presence)
    return answer_of(query, kept, heads), Proposals(low_res, high_res, ious, pointers, presence)


def pointers_of(model: Any, tokens: Tensor, presence: Tensor) -> Tensor:
    """Object pointers ``(B, M, D)`` of mask tokens ``(B, M, D)``, as ``SAM2Base`` makes that of the mask it takes."""
    pointers: Tensor = model.obj_ptr_proj(tokens)
    if not model.pred_obj_scores:
        return pointers
    there = presence.sigmoid() if model.soft_no_obj_ptr else (presence > 0).to(pointers.dtype)
    there = there[:, :, None]
    if model.fixed_no_obj_ptr:
        pointers = there * pointers
    filled: Tensor = pointers + (1 - there) * model.no_obj_ptr
    return filled


@contextmanager
def weighted_keys(model: Any, weights: Sequence[KeyWeights | None]) -> Iterator[None]:
    """Within this context memory attention's keys are multiplied, each memory's by its weight."""
    if all(weight is None for weight in weights):
        yield
        return

    def scale(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        keys = kwargs["k"]  # (B, memories * h * w + pointers * k, C)
        rows = []
        for weight in weights:
            assert weight is not None
            spatial, pointers = weight
            behind = int(kwargs.get("num_k_exclude_rope", 0))
            tokens = (keys.shape[1] - behind) // len(spatial)
            each = torch.tensor(spatial).repeat_interleave(tokens)
            ends = torch.tensor(pointers).repeat_interleave(behind // len(pointers)) if behind else torch.zeros(0)
            rows.append(torch.cat([each, ends]))
        return args, kwargs | {"k": keys * torch.stack(rows).to(keys)[..., None]}

    handles = [
        layer.cross_attn_image.register_forward_pre_hook(scale, with_kwargs=True)
        for layer in model.memory_attention.layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
