"""From what a person says to the tensors SAM 2 takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robustvos.errors import BadMask, BadPrompt
from robustvos.sam2.preprocess import resize_masks
from robustvos.types import Prompt

_BOX_LABELS = (2, 3)  # SAM 2 reads a box as two points: upper left, lower right


def check_prompt(prompt: Prompt, size: tuple[int, int]) -> None:
    """Check one prompt against the frame it is for.

    Args:
        prompt: The prompt.
        size: ``(H, W)`` of the frame.

    Raises:
        BadPrompt: If points are misshapen, mislabelled or outside the frame, if the box leaves the frame, or if there
            is neither a point nor a box nor a mask.
        BadMask: If the mask is not bool or not of the frame's size.
    """
    where = f"prompt for object {prompt.object_id} on frame {prompt.frame}"
    if prompt.mask is not None:
        _check_mask(prompt.mask, size, where)
        return
    if prompt.points is not None and prompt.labels is not None:
        _check_points(prompt.points, prompt.labels, size, where)
    if prompt.box is not None and not _inside(prompt.box.reshape(2, 2), size, with_far_edge=True):
        raise BadPrompt(
            f"{where}: box {_numbers(prompt.box)} leaves the frame of {size[1]}x{size[0]}: part of it is outside; give corners "
            "within the frame"
        )
    if point_count(prompt) == 0:
        raise BadPrompt(f"{where} has no point: give at least one, or a box or a mask")


def check_prompts(prompts: Sequence[Prompt], index: int, size: tuple[int, int]) -> dict[int, Prompt]:
    """The prompts of frame ``index``, ``(H, W)``, by object.

    Raises:
        BadPrompt: As :func:`check_prompt`; if a prompt is for another frame, or is the second for its object.
        BadMask: As :func:`check_prompt`.
    """
    prompted: dict[int, Prompt] = {}
    for prompt in prompts:
        if prompt.frame != index:
            where = f"is for frame {prompt.frame}, but this is frame {index}; give it with its frame"
            raise BadPrompt(f"prompt for object {prompt.object_id} {where}")
        if prompt.object_id in prompted:
            raise BadPrompt(f"two prompts for object {prompt.object_id} on frame {index}; join them into one")
        check_prompt(prompt, size)
        prompted[prompt.object_id] = prompt
    return prompted


def point_count(prompt: Prompt) -> int:
    """Number of points SAM 2 gets for ``prompt``; a box counts as two, a mask as none."""
    points = 0 if prompt.points is None else len(prompt.points)
    return points + (0 if prompt.box is None else len(_BOX_LABELS))


def stack_points(
    prompts: Sequence[Prompt], size: tuple[int, int], image_size: int, device: torch.device | str
) -> dict[str, Tensor]:
    """Points and boxes of several objects as SAM 2's ``point_inputs``; each must have the same :func:`point_count`.

    Args:
        prompts: ``B`` prompts without masks.
        size: ``(H, W)`` of the native frame.
        image_size: Side of the model's square.
        device: Where the result is made.

    Returns:
        ``point_coords`` ``(B, P, 2)`` float32 in pixels of the square, ``point_labels`` ``(B, P)`` int32: 1 inside,
        0 outside, 2 and 3 the corners of a box, which come first.
    """
    height, width = size
    coords = torch.stack([_coordinates(prompt) for prompt in prompts])
    coords = coords / torch.tensor([width, height], dtype=torch.float32) * image_size
    labels = torch.stack([_labels(prompt) for prompt in prompts])
    return {"point_coords": coords.to(device), "point_labels": labels.to(device)}


def stack_masks(prompts: Sequence[Prompt], image_size: int, device: torch.device | str) -> Tensor:
    """Masks of several objects as SAM 2's ``mask_inputs``: ``(B, 1, S, S)`` float32 of zeros and ones."""
    masks = torch.stack([prompt.mask.to(device) for prompt in prompts if prompt.mask is not None])
    return resize_masks(masks, image_size)[:, None].float()


def _coordinates(prompt: Prompt) -> Tensor:
    box = torch.zeros(0, 2) if prompt.box is None else prompt.box.reshape(2, 2)
    points = torch.zeros(0, 2) if prompt.points is None else prompt.points
    return torch.cat([box.cpu().float(), points.cpu().float()])


def _labels(prompt: Prompt) -> Tensor:
    box = [] if prompt.box is None else list(_BOX_LABELS)
    points = [] if prompt.labels is None else [int(label) for label in prompt.labels]
    return torch.tensor(box + points, dtype=torch.int32)


def _check_mask(mask: Tensor, size: tuple[int, int], where: str) -> None:
    if mask.dtype != torch.bool:
        raise BadMask(f"{where}: its mask is {mask.dtype}; give bool, one mask per object")
    if tuple(mask.shape) != tuple(size):
        raise BadMask(f"{where}: its mask is {tuple(mask.shape)}, the frame {tuple(size)} (H, W); resize the mask")


def _check_points(points: Tensor, labels: Tensor, size: tuple[int, int], where: str) -> None:
    if points.ndim != 2 or points.shape[1] != 2:
        raise BadPrompt(f"{where}: points are {tuple(points.shape)}; expected (N, 2), x before y")
    if any(int(label) not in (0, 1) for label in labels):
        raise BadPrompt(f"{where}: labels are {_numbers(labels)}; each must be 1 (inside) or 0 (outside)")
    for point in points:
        if not _inside(point[None], size, with_far_edge=False):
            raise BadPrompt(f"{where}: point {_numbers(point)} is outside the frame of {size[1]}x{size[0]} (x, y)")


def _inside(points: Tensor, size: tuple[int, int], with_far_edge: bool) -> bool:
    height, width = size
    for x, y in points.tolist():
        within = 0 <= x <= width and 0 <= y <= height  # false for NaN too
        if not within or (not with_far_edge and (x == width or y == height)):
            return False
    return True


def _numbers(values: Tensor) -> str:
    return ",".join(f"{value:g}" for value in values.flatten().tolist())
