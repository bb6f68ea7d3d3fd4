"""Make prompts from ground truth: what a benchmark tells the tracker about each object."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.errors import BadMask, BadPrompt, UnknownName
from robustvos.seeding import numpy_rng
from robustvos.types import Prompt

_KNOWN = ("mask", "box", "points:1", "points:N")


@dataclass(frozen=True)
class PromptKind:
    """A parsed prompt kind.

    Attributes:
        name: What is given to the tracker.
        points: Number of clicks; 0 unless ``name`` is ``points``.
    """

    name: Literal["mask", "box", "points"]
    points: int = 0


def parse_prompt_kind(text: str) -> PromptKind:
    """Read ``mask``, ``box`` or ``points:N`` with ``N`` of at least 1.

    Raises:
        UnknownName: If it is none of these.

    >>> parse_prompt_kind("points:3")
    PromptKind(name='points', points=3)
    """
    if text == "mask":
        return PromptKind("mask")
    if text == "box":
        return PromptKind("box")
    clicks = re.fullmatch(r"points:([1-9]\d*)", text)
    if clicks is None:
        raise UnknownName.of("prompt kind", text, _KNOWN)
    return PromptKind("points", int(clicks[1]))


def prompt_from_mask(mask: Tensor, object_id: int, kind: str = "mask", frame: int = 0, seed: int = 0) -> Prompt:
    """Make the prompt that a person who sees ``mask`` would give.

    Args:
        mask: ``(H, W)`` bool, the object in frame ``frame``.
        object_id: Its id.
        kind: ``mask``; ``box``, the tightest; or ``points:N``: the first click where the mask is thickest (SAM 2's
            "center" click), the others drawn from the mask without repetition as far as its pixels last.
        frame: Index of the frame.
        seed: Seed of the drawn clicks, which depend on it, the object and the frame; derive it from the clip's name.

    Raises:
        UnknownName: If the kind is not known.
        BadMask: If the mask is not a bool matrix.
        BadPrompt: If the mask is empty.

    >>> square = torch.zeros(9, 9, dtype=torch.bool)
    >>> square[2:7, 3:8] = True
    >>> prompt_from_mask(square, object_id=1, kind="points:1").points
    tensor([[5., 4.]])
    >>> prompt_from_mask(square, object_id=1, kind="box").box
    tensor([3., 2., 7., 6.])
    """
    parsed = parse_prompt_kind(kind)
    where = f"object {object_id} on frame {frame}"
    if mask.dtype != torch.bool or mask.ndim != 2:
        raise BadMask(f"the mask of {where} is {mask.dtype} {tuple(mask.shape)}; expected bool (H, W)")
    if not bool(mask.any()):
        raise BadPrompt(f"the mask of {where} is empty: it gives no {kind}; prompt on a frame where the object is seen")
    if parsed.name == "mask":
        return Prompt(object_id, mask=mask, frame=frame)
    seen = mask.cpu().numpy()
    if parsed.name == "box":
        return Prompt(object_id, box=_tightest_box(seen), frame=frame)
    points = _clicks(seen, parsed.points, numpy_rng(seed, object_id, frame))
    return Prompt(object_id, points=points, labels=torch.ones(len(points), dtype=torch.int32), frame=frame)


def _tightest_box(mask: np.ndarray) -> Tensor:
    """First and last pixels of the mask, as SAM 2 draws boxes; a mask one pixel wide gets a pixel more to have area."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x0, x1, y0, y1 = columns[0], columns[-1], rows[0], rows[-1]
    return torch.tensor([x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)], dtype=torch.float32)


def _clicks(mask: np.ndarray, count: int, rng: np.random.Generator) -> Tensor:
    first = _thickest(mask)
    others = np.flatnonzero(mask)
    others = others[others != first]
    if len(others) == 0:
        others = np.array([first])
    drawn = rng.choice(others, size=count - 1, replace=count - 1 > len(others))
    y, x = np.unravel_index([first, *drawn], mask.shape)
    return torch.from_numpy(np.stack([x, y], axis=1)).float()


def _thickest(mask: np.ndarray) -> int:
    """Flat index of the pixel farthest from the outside; the frame's border counts as outside."""
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return int(distance[1:-1, 1:-1].argmax())
