"""Pictures of masks on frames. Every image is ``uint8 (3, H, W)`` RGB, every mask stack ``bool (O, H, W)``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from robustvos.drawing.colours import object_colour
from robustvos.drawing.paint import PaintedMask

INK = (28, 32, 38)
PAPER = (255, 255, 255)
_NO_GATE = (196, 216, 246)  # blue, as shades of grey are shares
_PANELS_PER_ROW = 3


def overlay(
    frame: Tensor, masks: Tensor, object_ids: Sequence[int], alpha: float = 0.5, contour: bool = True
) -> Tensor:
    """Paint each object's mask over the frame in the object's colour.

    Args:
        frame: ``(3, H, W)`` uint8.
        masks: ``(O, H, W)`` bool; overlapping (amodal) masks blend, a later object over an earlier one.
        object_ids: ``O`` ids; they decide the colours.
        alpha: Opacity of the paint in [0, 1].
        contour: Draw each mask's outline opaque, thicker on larger frames, above all paint.

    Returns:
        ``(3, H, W)`` uint8 on the CPU; the frame itself where no mask is set.

    Raises:
        ValueError: If sizes differ, or there is not one id per mask.
    """
    frame, masks = frame.detach().cpu(), masks.detach().cpu().bool()
    if frame.shape[-2:] != masks.shape[-2:]:
        raise ValueError(f"frame is {tuple(frame.shape[-2:])}, masks are {tuple(masks.shape[-2:])}: sizes must agree")
    if len(object_ids) != len(masks):
        raise ValueError(f"{len(masks)} masks but {len(object_ids)} object ids: give one id per mask")
    canvas = frame.numpy().copy(order="C")
    shown = [
        PaintedMask.of(mask, object_colour(i)) for mask, i in zip(masks.numpy(), object_ids, strict=True) if mask.any()
    ]
    for item in shown if alpha else ():
        item.paint(canvas, alpha)
    thickness = max(1, round(min(frame.shape[-2:]) / 160))
    for item in shown if contour else ():
        item.outline(canvas, thickness)
    return torch.from_numpy(canvas)


def upscale(image: Tensor, shortest: int = 240) -> Tensor:
    """Enlarge by a whole factor until the shorter side has at least ``shortest`` pixels; never shrinks.

    Args:
        image: ``(3, H, W)`` uint8 (bicubic), or ``(O, H, W)`` bool masks (nearest, so that no pixel is invented).
        shortest: Wanted length of the shorter side in pixels.

    Returns:
        The same dtype, ``(C, k H, k W)``.
    """
    factor = math.ceil(shortest / min(image.shape[-2:]))
    if factor <= 1:
        return image
    if image.dtype == torch.bool:
        return image.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
    large = F.interpolate(image[None].float(), scale_factor=factor, mode="bicubic", align_corners=False)[0]
    return large.round().clamp(0, 255).to(torch.uint8)


def strip(images: Sequence[Tensor], captions: Sequence[str] | None = None, gap: int = 4) -> Tensor:
    """Images of one height side by side in one row.

    Args:
        images: At least one ``(3, H, W_i)`` uint8.
        captions: A short text for each image, drawn in its upper left corner.
        gap: White pixels between neighbours.

    Returns:
        ``(3, H, sum W_i + gap (n - 1))`` uint8.

    Raises:
        ValueError: If there is no image, heights differ, or captions and images differ in number.
    """
    if not images:
        raise ValueError("a strip needs at least one image")
    if len({image.shape[-2] for image in images}) != 1:
        raise ValueError(f"heights differ: {[image.shape[-2] for image in images]}; a strip has one height")
    if captions is not None:
        if len(captions) != len(images):
            raise ValueError(f"{len(images)} images but {len(captions)} captions")
        images = [label(image, text) for image, text in zip(images, captions, strict=True)]
    spacer = torch.full((3, images[0].shape[-2], gap), 255, dtype=torch.uint8)
    parts = [part for image in images for part in (spacer, image.cpu())][1:]
    return torch.cat(parts, dim=-1)


def side_by_side(panels: Mapping[str, Tensor], gap: int = 8) -> Tensor:
    """Named images next to each other, each with its name on a band above it.

    Args:
        panels: Name to ``(3, H, W_i)`` uint8, one height, shown in the mapping's order.
        gap: White pixels between neighbours.

    Returns:
        ``(3, H + band, W)`` uint8.

    Raises:
        ValueError: If there is no image or heights differ.
    """
    return strip([_with_heading(image, name) for name, image in panels.items()], gap=gap)


def label(image: Tensor, text: str) -> Tensor:
    """Write ``text`` on a dark plate in the upper left corner of a ``(3, H, W)`` uint8 image."""
    if not text:
        return image
    height = image.shape[-2]
    canvas = Image.fromarray(_to_numpy(image))
    draw = ImageDraw.Draw(canvas)
    face, pad = font(max(10, height // 16)), max(2, height // 80)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=face)
    draw.rectangle((0, 0, right - left + 2 * pad, bottom - top + 2 * pad), fill=INK)
    draw.text((pad - left, pad - top), text, font=face, fill=PAPER)
    return _from_pillow(canvas)


def _with_heading(image: Tensor, text: str, widen: bool = False, size: int = 0) -> Tensor:
    """The image below a line of text of ``size`` pixels (0: by the image); ``widen`` makes it as wide as the text."""
    size = size or max(11, image.shape[-2] // 16)
    if widen:
        missing = int(font(size).getlength(text)) + 4 - image.shape[-1]
        image = torch.nn.functional.pad(image, (0, max(0, missing)), value=PAPER[0])
    band = Image.new("RGB", (image.shape[-1], round(size * 1.7)), PAPER)
    draw = ImageDraw.Draw(band)
    draw.text((2, round(size * 0.3)), text, font=font(size), fill=INK)
    return torch.cat([_from_pillow(band), image.cpu()], dim=-2)


def gate_image(gates: Mapping[int, Tensor], title: str = "", panel_width: int = 300) -> Tensor:
    """The gating masks of each object over time: which rank-1 components are switched on in which frame.

    Args:
        gates: Object id to ``(T, R)`` bool, or float in [0, 1]; frames in order. Active is dark, NaN (no gate
            at work) is blue.
        title: Written above the panels.
        panel_width: Width in pixels that a panel reaches at least.

    Returns:
        ``(3, H, W)`` uint8: one panel per object, three to a row, frames to the right, components downwards.

    Raises:
        ValueError: If there is no object, or a gate is not ``(T, R)`` with at least one frame and component.

    Source: the layout of Fig. 5 of the RobustPVOS paper.
    """
    if not gates:
        raise ValueError("no gates: give at least one object's (T, R) tensor")
    for object_id, gate in gates.items():
        if gate.ndim != 2 or 0 in gate.shape:
            raise ValueError(f"object {object_id}: gate is {tuple(gate.shape)}, expected (T, R), neither of them 0")
    panels = [_gate_panel(object_id, gate.detach().cpu().float(), panel_width) for object_id, gate in gates.items()]
    rows = [strip(panels[start : start + _PANELS_PER_ROW]) for start in range(0, len(panels), _PANELS_PER_ROW)]
    widest = max(row.shape[-1] for row in rows)
    picture = torch.cat([F.pad(row, (0, widest - row.shape[-1]), value=PAPER[0]) for row in rows], dim=-2)
    return _with_heading(picture, title, widen=True, size=16) if title else picture


def _gate_panel(object_id: int, gate: Tensor, panel_width: int) -> Tensor:
    frames, components = gate.shape
    cell_width, cell_height = max(1, -(-panel_width // frames)), max(1, round(256 / components))
    left, top, right, bottom = 46, 28, 10, 40
    width, height = frames * cell_width, components * cell_height
    canvas = Image.new("RGB", (left + width + right, top + height + bottom), PAPER)
    draw = ImageDraw.Draw(canvas)
    amount = gate.T.clamp(0, 1).numpy()[..., None]
    shade = np.where(np.isnan(amount), _NO_GATE, np.asarray(PAPER) + amount * (np.asarray(INK) - np.asarray(PAPER)))
    cells = Image.fromarray(shade.round().astype(np.uint8))
    canvas.paste(cells.resize((width, height), Image.Resampling.NEAREST), (left, top))
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=(150, 155, 165))
    draw.rectangle((left, 8, left + 10, 18), fill=object_colour(object_id))
    active = float(gate.nanmean()) * 100
    small = font(12)
    draw.text((left + 16, 5), f"object {object_id}: {active:.0f} % active", font=small, fill=INK)
    for frame in _ticks(frames):
        x = left + (frame + 0.5) * cell_width
        draw.line((x, top + height, x, top + height + 4), fill=INK)
        draw.text((x, top + height + 6), str(frame), font=small, fill=INK, anchor="mt")
    for component in _ticks(components):
        y = top + (component + 0.5) * cell_height
        draw.line((left - 5, y, left - 1, y), fill=INK)
        draw.text((left - 8, y), str(component), font=small, fill=INK, anchor="rm")
    draw.text((left + width / 2, top + height + bottom - 3), "frame", font=small, fill=INK, anchor="mb")
    _vertical_text(canvas, "component", (2, top + height // 2))
    return _from_pillow(canvas)


def _ticks(count: int, wanted: int = 5) -> range:
    """At most ``wanted`` + 1 round positions in [0, count)."""
    raw = max(1.0, count / wanted)
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(round(m * magnitude) for m in (1, 2, 5, 10) if m * magnitude >= raw)
    return range(0, count, max(1, step))


def _vertical_text(canvas: Image.Image, text: str, middle_left: tuple[int, int]) -> None:
    face = font(12)
    width = math.ceil(face.getlength(text))
    plate = Image.new("RGB", (width, 14), PAPER)
    ImageDraw.Draw(plate).text((0, 0), text, font=face, fill=INK)
    canvas.paste(plate.rotate(90, expand=True), (middle_left[0], middle_left[1] - width // 2))


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font at ``size`` pixels; no font file is looked for on the system."""
    return ImageFont.load_default(size)


def _to_numpy(image: Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.detach().cpu().permute(1, 2, 0).numpy())


def _from_pillow(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
