"""Stage ``camera``: emulated camera motion for clips of a still camera, where it keeps what the clip is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustvos.files.stage import Item, Outcome, Record, StageResults, Work
from robustvos.realvas.amounts import amounts_of, hidden_shares
from robustvos.realvas.camera_checks import CameraCheck, CameraLimits, check_path, mask_pixels
from robustvos.realvas.camera_paths import MOTIONS, CameraPath, PathSettings, random_path, static_path
from robustvos.realvas.camera_warp import warp_frame, warp_masks
from robustvos.realvas.item_clip import copy_item_clip, write_item_clip
from robustvos.seeding import numpy_rng
from robustvos.video.native import NativeClip, read_native_clip

CAMERA = "camera"
SOURCES = ("composite", "contain")
_MADE_ANEW = ("occlusion", "category")


@dataclass(frozen=True)
class CameraSettings:
    """Which camera motions are tried, and what they must keep.

    Attributes:
        seed: Of the drawn paths and of the choice.
        motions: Kinds of motion; see :data:`robustvos.realvas.camera_paths.MOTIONS`.
        draws: Paths drawn of each kind.
        paths: How far the camera moves.
        limits: What a view must keep.
    """

    seed: int = 0
    motions: tuple[str, ...] = MOTIONS
    draws: int = 4
    paths: PathSettings = field(default_factory=PathSettings)
    limits: CameraLimits = field(default_factory=CameraLimits)


@dataclass(frozen=True)
class Choice:
    """The camera of a clip.

    Attributes:
        path: The chosen one; the static one if no motion keeps what it must.
        check: What it keeps.
        refused: How many drawn paths were refused, by reason.
        passed: How many were not.
    """

    path: CameraPath
    check: CameraCheck
    refused: Mapping[str, int]
    passed: int


@dataclass
class Camera:
    """One item a clip of the stages ``composite`` and ``contain``; a clip lies in ``<root>/camera/<clip>``, moved or as it was.

    Attributes:
        root: Folder of the run.
        settings: Which motions are tried.
    """

    root: Path
    settings: CameraSettings = field(default_factory=CameraSettings)
    name = CAMERA
    version = 3
    unit = "clip"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Every clip that was made."""
        return [
            Item(
                result.key,
                {"stage": stage, "item": result.item, "made": result.fingerprint, **_said(result.figures)},
            )
            for stage in SOURCES
            if stage in inputs
            for result in inputs[stage].kept
        ]

    def run(self, item: Item, work: Work) -> Outcome | Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        folder = self.root / item.inputs["stage"] / item.inputs["item"]
        said = {name: item.inputs[name] for name in ("stage", "category", "needs_review", "made")}
        if item.inputs["moves"]:
            copy_item_clip(folder, work.folder)
            return Record(said | {"motion": "as recorded"})
        clip = read_native_clip(folder)
        choice = choose_path(clip, item.key, self.settings)
        figures = {
            "motion": choice.path.motion,
            "passed": choice.passed,
            "refused": dict(choice.refused),
            "visible": round(choice.check.visible, 3),
            "severity_kept": round(choice.check.severity, 3),
        }
        work.advance(0.3)
        if choice.path.motion == "static":
            copy_item_clip(folder, work.folder)
        else:
            write_moved_clip(work.folder, clip, choice.path, figures)
            figures |= _amounts(read_native_clip(work.folder))
        return Record(said | figures)


def _amounts(moved: NativeClip) -> dict[str, Any]:
    """Size of the view, and how much is hidden in it: what a record says of a clip that is published."""
    shares = [float(hidden_shares(*(mask[None] for mask in _pair(moved, t)))[0]) for t in range(len(moved.frames))]
    return {"size": list(moved.frames.size), **amounts_of(np.array(shares))}


def _said(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "moves": moves(figures),
        "category": figures.get("category"),
        "needs_review": bool(figures.get("needs_review")),
    }


def moves(figures: Mapping[str, Any]) -> bool:
    """Whether a clip's own camera moved, or may have, as its record says; composites are made of still cameras alone."""
    return figures.get("camera", "static") in ("moving", "undecided")


def choose_path(clip: NativeClip, name: str, settings: CameraSettings) -> Choice:
    """Draw paths of every kind, check them against the masks, and choose one that passes; all from the seed and the name.

    A kind is chosen first, then one of its paths, so that kinds which pass often are not chosen more often for it.
    """
    size, length = clip.frames.size, len(clip.frames)
    pixels = [mask_pixels(*_pair(clip, t)) for t in range(length)]
    passing: dict[str, list[tuple[CameraPath, CameraCheck]]] = {}
    refused: dict[str, int] = {}
    for motion in settings.motions:
        for draw in range(settings.draws):
            path = random_path(motion, length, size, (settings.seed, name, draw), settings.paths)
            check = check_path(path, pixels, settings.limits)
            if check.reason:
                refused[check.reason] = refused.get(check.reason, 0) + 1
            else:
                passing.setdefault(motion, []).append((path, check))
    count = sum(len(paths) for paths in passing.values())
    if not passing:
        path = static_path(length, size)
        return Choice(path, CameraCheck(1.0, 1.0, 1.0), refused, 0)
    rng = numpy_rng("camera choice", settings.seed, name)
    chosen = passing[list(passing)[rng.integers(len(passing))]]
    return Choice(*chosen[rng.integers(len(chosen))], refused, count)


def write_moved_clip(folder: Path, clip: NativeClip, path: CameraPath, figures: Mapping[str, Any]) -> None:
    """Write a clip as a virtual camera sees it; frames and masks are read, warped and forgotten one by one."""
    details = {key: value for key, value in clip.details.items() if key not in _MADE_ANEW}
    steps = range(len(clip.frames))
    moved = lru_cache(maxsize=1)(lambda t: _moved(clip, path, t))  # asked for twice, as visible and as whole mask
    write_item_clip(
        folder,
        (warp_frame(clip.frames[t], path.matrices[t], path.size) for t in steps),
        (moved(t)[0] for t in steps),
        (moved(t)[1] for t in steps),
        category=clip.category,
        **details
        | {
            "camera": {
                **figures,
                "matrices": np.round(path.matrices, 9).tolist(),
                "source_size": list(clip.frames.size),
            }
        },
    )


def _moved(clip: NativeClip, path: CameraPath, t: int) -> tuple[Tensor, Tensor]:
    modal, amodal = _masks(clip, t)
    warped = warp_masks(torch.cat([modal, amodal]), path.matrices[t], path.size)
    return warped[0], warped[1]


def _masks(clip: NativeClip, t: int) -> tuple[Tensor, Tensor]:
    modal, amodal = clip.modal[t], None if clip.amodal is None else clip.amodal[t]
    if modal is None or amodal is None:
        raise ValueError(f"{clip.name}: frame {t} has no masks")
    return modal, amodal


def _pair(clip: NativeClip, t: int) -> tuple[np.ndarray, np.ndarray]:
    modal, amodal = _masks(clip, t)
    return amodal[0].numpy(), modal[0].numpy()
