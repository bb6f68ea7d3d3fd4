"""Motion cues: where an object was a moment ago, where it would be by now, and what it looked like when it was pointed at.

SAM 2's memory is coarse (16 channels on a grid of stride 16), which is enough to find again what is seen, and too little to
keep the outline and the pace of what is hidden. So the mask decoder is shown three pictures besides, on every tracked frame::

    the last mask                                        it stays
    the last mask, moved on by its velocity              it goes on
    the first mask, put where the object would be now    it keeps its shape

Velocity is a running mean of how the centre of the object's own masks moved. What becomes of the pictures is learnt: two
convolutions turn them into what SAM 2's prompt encoder makes of a mask prompt, and the second begins at zero.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

STATE = 5
"""Numbers in an object's state: centre and velocity ``x, y`` (sides of the picture), in how many masks it was seen (to 2)."""
_PICTURES = 3
_NEWS = 0.3  # share of the newest step in the velocity


class MotionCue(nn.Module):
    """The pictures, and what the mask decoder is shown of them.

    Args:
        width: Channels of the prompt encoder's dense embedding.
        hidden: Channels in between.

    SAM 2 keeps what it found on a frame in its ``output_dict``; the state of an object goes there too, as ``motion``
    ``(B, 5)``, beside ``pred_masks``. A tracker that gives neither gets no cue.
    """

    def __init__(self, width: int, hidden: int = 16) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(_PICTURES, hidden, 2, stride=2)
        self.embed = nn.Conv2d(hidden, width, 2, stride=2)
        nn.init.zeros_(self.embed.weight)
        assert self.embed.bias is not None
        nn.init.zeros_(self.embed.bias)
        self._shown: Tensor | None = None

    @classmethod
    def beside(cls, model: nn.Module) -> MotionCue:
        """One that fits a SAM 2, on its device."""
        prompt_encoder: Any = model.get_submodule("sam_prompt_encoder")
        width = int(prompt_encoder.embed_dim)
        return cls(width).to(next(model.parameters()))

    def install(self, model: Any, enabled: Callable[[], bool]) -> list[RemovableHandle]:
        """Show the cues to ``model`` while ``enabled`` says so; the handles take them away again."""
        # Bound methods and a partial, not a closure: a deep copy of model and adapter has a cue of its own.
        model._track_step = partial(self._track_step, model._track_step, enabled)
        encoder = model.get_submodule("sam_prompt_encoder")
        return [_Restore(model, "_track_step"), encoder.register_forward_hook(self._add)]

    def forward(self, shown: Tensor) -> Tensor:
        """Pictures ``(B, 3, 4h, 4w)`` -> ``(B, C, h, w)``."""
        embedded: Tensor = self.embed(functional.gelu(self.reduce(shown)))
        return embedded

    def adds_nothing(self) -> bool:
        """Whether it was never trained."""
        return not bool(self.embed.weight.any()) and self.embed.bias is not None and not bool(self.embed.bias.any())

    def _track_step(
        self, track_step: Callable[..., Any], enabled: Callable[[], bool], *args: Any, **kwargs: Any
    ) -> Any:
        """SAM 2's method of this name, with the cue of what its memory holds."""
        if not enabled():
            return track_step(*args, **kwargs)
        asked = inspect.signature(track_step).bind(*args, **kwargs).arguments
        memory, state = last_seen(asked["output_dict"], asked["frame_idx"]), None
        if memory is not None:
            state = advanced(memory["pred_masks"].detach().float(), memory.get("motion"))
            if asked["point_inputs"] is None and asked["mask_inputs"] is None:
                self._shown = self(pictures(memory["pred_masks"], first_mask(asked["output_dict"]), state))
        try:
            answer = track_step(*args, **kwargs)
        finally:
            self._shown = None
        current, low_res = answer[0], answer[1][3]
        current["motion"] = low_res.new_zeros(len(low_res), STATE) if state is None else state
        return answer

    def _add(self, encoder: nn.Module, args: Any, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
        if self._shown is None:
            return None
        return output[0], output[1] + self._shown


class _Restore:
    """Takes an attribute of an object away, so that its class's own is seen again; a hook's handle in form."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name

    def remove(self) -> None:
        """Take it away."""
        self._owner.__dict__.pop(self._name, None)


def last_seen(memories: Mapping[str, Mapping[int, Mapping[str, Any]]], frame: int) -> Mapping[str, Any] | None:
    """What was found on the frame before ``frame``, if its mask is there."""
    for kind in ("non_cond_frame_outputs", "cond_frame_outputs"):
        found = memories.get(kind, {}).get(frame - 1)
        if found is not None and found.get("pred_masks") is not None:
            return found
    return None


def first_mask(memories: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Tensor:
    """``(B, 1, h, w)`` logits of the frame on which the objects were introduced."""
    prompted = memories["cond_frame_outputs"]
    first: Tensor = prompted[min(prompted)]["pred_masks"]
    return first


def advanced(logits: Tensor, state: Tensor | None) -> Tensor:
    """The state of ``B`` objects after their masks ``(B, 1, h, w)`` were found; ``state`` ``(B, 5)`` or None before.

    An object whose mask is empty goes on as it did.

    >>> a, b = torch.full((2, 1, 1, 8, 8), -20.0)
    >>> a[..., 2:4, 2:4], b[..., 2:4, 4:6] = 20.0, 20.0
    >>> moved = advanced(b, advanced(a, None))
    >>> [round(v, 3) for v in moved[0].tolist()]
    [0.625, 0.375, 0.25, 0.0, 2.0]
    """
    weight = logits.sigmoid() * (logits > 0)
    area = weight.sum((1, 2, 3))
    seen = area > 0
    height, width = logits.shape[-2:]
    x = (torch.arange(width, device=logits.device) + 0.5) / width
    y = (torch.arange(height, device=logits.device) + 0.5) / height
    safe = area.clamp(min=1e-6)
    centre = torch.stack([(weight * x).sum((1, 2, 3)) / safe, (weight * y[:, None]).sum((1, 2, 3)) / safe], 1)
    if state is None:
        state = logits.new_zeros(len(logits), STATE)
    before, velocity, known = state[:, :2], state[:, 2:4], state[:, 4]
    step = centre - before
    fresh = (known == 0)[:, None]
    # The first step that is known is all there is to go by; later ones are averaged.
    begun = (known == 1)[:, None]
    pace = torch.where(begun, step, velocity + _NEWS * (step - velocity))
    pace = torch.where(fresh, torch.zeros_like(pace), pace)
    centre = torch.where(seen[:, None], centre, before + velocity)
    pace = torch.where(seen[:, None], pace, velocity)
    count = torch.where(seen, known + 1, known).clamp(max=2)
    return torch.cat([centre, pace, count[:, None]], 1)


def pictures(last: Tensor, first: Tensor, state: Tensor) -> Tensor:
    """What is shown of ``B`` objects: ``(B, 3, h, w)`` in [0, 1], from logits ``(B, 1, h, w)`` and states ``(B, 5)``."""
    now, shape = last.detach().float().sigmoid(), first.detach().float().sigmoid()
    there = state[:, :2] + state[:, 2:4]
    origin = advanced(first.detach().float(), None)[:, :2]
    return torch.cat([now, moved(now, state[:, 2:4]), moved(shape, there - origin)], 1)


def moved(picture: Tensor, way: Tensor) -> Tensor:
    """``(B, 1, h, w)`` shifted by ``way`` ``(B, 2)``, ``x, y`` in sides of the picture; empty where nothing comes from."""
    turn = torch.eye(2, device=picture.device).expand(len(picture), 2, 2)
    affine = torch.cat([turn, -2 * way[..., None]], 2)
    grid = functional.affine_grid(affine, list(picture.shape), align_corners=False)
    return functional.grid_sample(picture, grid, align_corners=False)
