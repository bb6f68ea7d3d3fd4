"""A tracked frame as a picture that explains itself: masks with their ids, what was said, and the frame's number."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from robustvos.drawing.colours import object_colour
from robustvos.drawing.draw import INK, PAPER, font, overlay
from robustvos.types import Prompt

Canvas = ImageDraw.ImageDraw


def tracked_overlay(
    frame: Tensor, masks: Tensor, object_ids: Sequence[int], prompts: Sequence[Prompt] = (), caption: str = ""
) -> Tensor:
    """Paint masks over a frame, each with its id; prompts as clicks (a cross is one outside), boxes or the word ``mask``.

    Args:
        frame: ``(3, H, W)`` uint8.
        masks: ``(O, H, W)`` bool.
        object_ids: ``O`` ids.
        prompts: What was said on this frame.
        caption: Written in the upper left corner.

    Returns:
        ``(3, H, W)`` uint8 on the CPU.
    """
    painted = overlay(frame, masks, object_ids)
    image = Image.fromarray(np.ascontiguousarray(painted.permute(1, 2, 0).numpy()))
    draw, unit = ImageDraw.Draw(image), max(2.0, min(image.size) / 90)
    for prompt in prompts:
        _draw_prompt(draw, prompt, unit)
    by_mask = {prompt.object_id for prompt in prompts if prompt.mask is not None}
    for mask, object_id in zip(masks.cpu().numpy(), object_ids, strict=True):
        if mask.any():
            text = f"{object_id} mask" if object_id in by_mask else str(object_id)
            _plate(draw, text, _middle(mask), object_colour(object_id), unit * 2.4)
    if caption:
        _plate(draw, caption, None, INK, unit * 2.8)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _draw_prompt(draw: Canvas, prompt: Prompt, unit: float) -> None:
    colour, width = object_colour(prompt.object_id), max(1, round(unit / 3))
    if prompt.box is not None:
        corners = [float(v) for v in prompt.box]
        draw.rectangle(corners, outline=PAPER, width=width + 1)
        draw.rectangle(corners, outline=colour, width=width)
    if prompt.points is None or prompt.labels is None:
        return
    for (x, y), label in zip(prompt.points.tolist(), prompt.labels.tolist(), strict=True):
        if label:
            draw.ellipse((x - unit, y - unit, x + unit, y + unit), fill=colour, outline=PAPER, width=width)
        else:
            for ink, thick in ((PAPER, width + 2), (colour, width)):
                draw.line((x - unit, y - unit, x + unit, y + unit), fill=ink, width=thick)
                draw.line((x - unit, y + unit, x + unit, y - unit), fill=ink, width=thick)


def _middle(mask: np.ndarray) -> tuple[float, float]:
    """The pixel of a mask that lies deepest in it, which a label can cover."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    part = np.pad(mask[top : top + height, left : left + width], 1).view(np.uint8)
    y, x = np.unravel_index(cv2.distanceTransform(part, cv2.DIST_L2, 3).argmax(), part.shape)
    return float(left + x - 1), float(top + y - 1)


def _plate(
    draw: Canvas, text: str, middle: tuple[float, float] | None, colour: tuple[int, int, int], size: float
) -> None:
    """Text on a plate around ``middle``, or in the upper left corner."""
    face = font(max(8, round(size)))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=face)
    pad = max(1, round(size / 6))
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x, y = (0.0, 0.0) if middle is None else (middle[0] - width / 2, middle[1] - height / 2)
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    light = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] > 140
    draw.text((x + pad - left, y + pad - top), text, font=face, fill=INK if light else PAPER)
