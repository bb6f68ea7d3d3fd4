"""Prompts of evaluation videos: of which kind, and each object where it is first seen."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from robustvos.errors import BadPrompt
from robustvos.seeding import derive_seed
from robustvos.types import Prompt
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


def told_prompt(prompt: str) -> str:
    """What results say of a prompt: its kind; or a file's name and the first digits of its SHA-256, whatever its folder.

    >>> told_prompt("points:3")
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
