"""Prompts of evaluation videos: of which kind, and each object where it is first seen."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from robustvos.datasets.prompts.random_points import random_points
from robustvos.errors import BadMask, BadPrompt
from robustvos.evaluation.protocol import Prompting
from robustvos.seeding import derive_seed
from robustvos.types import Prompt, Video
from robustvos.video.luma import lumas_of_palette
from robustvos.video.palette import davis_palette
from robustvos.video.prompts import parse_prompt_kind, prompt_from_mask


def prompts_where_first_seen(
    name: str, masks: Sequence[Tensor | None], object_ids: Sequence[int], kind: str
) -> tuple[Prompt, ...]:
    """One prompt for each object, on the first annotated frame that shows it.

    Args:
        name: Of the video; seeds the clicks.
        masks: Ground truth of each frame, ``(O, H, W)`` bool or None; read only as far as needed.
        object_ids: ``O`` ids.
        kind: ``mask``, ``box`` or ``points:N``.

    Raises:
        BadPrompt: If an object is seen on no annotated frame.
    """
    waiting = dict(enumerate(object_ids))
    prompts: list[Prompt] = []
    for frame in range(len(masks)):
        if not waiting:
            break
        truth = masks[frame]
        if truth is None:
            continue
        for row in [row for row in waiting if bool(truth[row].any())]:
            prompts.append(prompt_from_mask(truth[row], waiting.pop(row), kind, frame, seed=derive_seed(name)))
    if waiting:
        raise BadPrompt(
            f"video '{name}': objects {sorted(waiting.values())} are seen on no annotated frame; nothing to prompt"
        )
    return tuple(prompts)


def prompt_video(video: Video, prompting: Prompting) -> Video:
    """A video with the prompts of a protocol, and the objects that have one.

    Args:
        video: With every object, and no prompts.
        prompting: ``mask``, ``box`` or ``points:N``. Of several objects those of the lowest ids are taken; where the protocol
            chooses by colour, those whose colour in DAVIS's palette is darkest.

    Raises:
        BadPrompt: If an object is seen on no annotated frame.
        BadMask: If no frame shows an object.
    """
    first = next((t for t in range(len(video.masks)) if (m := video.masks[t]) is not None and bool(m.any())), None)
    if first is None:
        raise BadMask(f"video '{video.name}': no object in its annotated frames; annotate it, or leave it out")
    shown = video.masks[first]
    assert shown is not None
    rows = [row for row in range(len(video.object_ids)) if bool(shown[row].any())]
    if prompting.first_frame_only:
        lumas = lumas_of_palette([channel for colour in davis_palette() for channel in colour])
        rows.sort(key=lambda row: (lumas[video.object_ids[row] % 256], video.object_ids[row]))
    else:
        rows = _rows_ever_seen(video.masks, len(video.object_ids), first, rows)
    rows = rows[: prompting.max_objects]
    chosen = sorted(rows, key=lambda row: video.object_ids[row])
    ids = tuple(video.object_ids[row] for row in chosen)
    masks: Sequence[Tensor | None] = Rows(video.masks, chosen)
    kind = parse_prompt_kind(prompting.kind)
    if prompting.random_points and kind.name == "points":
        prompts = random_points(shown[rows], [video.object_ids[row] for row in rows], kind.points, first)
    else:
        prompts = prompts_where_first_seen(video.name, masks, ids, prompting.kind)
    amodal = None if video.amodal is None else Rows(video.amodal, chosen)
    return replace(video, object_ids=ids, masks=masks, amodal=amodal, prompts=prompts)


def _rows_ever_seen(masks: Sequence[Tensor | None], count: int, first: int, seen: Sequence[int]) -> list[int]:
    """Objects that some frame shows, by position; no more frames are read than needed."""
    found = set(seen)
    for t in range(first + 1, len(masks)):
        if len(found) == count:
            break
        truth = masks[t]
        found |= set() if truth is None else {row for row in range(count) if bool(truth[row].any())}
    return sorted(found)


class Rows(Sequence["Tensor | None"]):
    """Masks of some objects of a lazy sequence.

    Args:
        masks: Item ``t`` is ``(O, H, W)`` bool, or None.
        rows: Which objects, by position.
    """

    def __init__(self, masks: Sequence[Tensor | None], rows: Sequence[int]) -> None:
        self._masks, self._rows = masks, list(rows)

    def __len__(self) -> int:
        return len(self._masks)

    def __getitem__(self, index: Any) -> Any:
        """Of one frame, or of the frames of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        masks = self._masks[index]
        return None if masks is None else masks[self._rows]

    def __getattr__(self, name: str) -> Any:  # void
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._masks, name)


def describe_prompt(prompt: str) -> str:
    """What results say of a prompt: its kind; or a file's name and the first digits of its SHA-256, whatever its folder.

    >>> describe_prompt("points:3")
    'points:3'
    """
    file = prompt_file_of(prompt)
    return prompt if file is None else f"file {file.name} ({hashlib.sha256(file.read_bytes()).hexdigest()[:8]})"


def prompt_file_of(prompt: str) -> Path | None:
    """The file that ``prompt`` names; None if it is ``mask``, ``box`` or ``points:N``.

    Raises:
        UnknownName: If it is neither one of these nor looks like a path.

    >>> prompt_file_of("points:3"), prompt_file_of("prompts.json").name
    (None, 'prompts.json')
    """
    if Path(prompt).suffix or os.sep in prompt:
        return Path(prompt).expanduser()
    parse_prompt_kind(prompt)
    return None
