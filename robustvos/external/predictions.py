"""Masks that a system's authors have published: Diffusion-VAS's ``eval_outputs`` of SAIL-VOS."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustvos.errors import BadMask, DataNotFound, UserError
from robustvos.optional import require
from robustvos.video.native import NativeClip

_CODE = "diffvas_res_rle"
JOINED = "joined with the visible masks that it was given, as its own metric does"


class PublishedMasks:
    """``{"(image id, object id)": {"diffvas_res_rle": run-length code}}``, a frame each.

    Args:
        file: ``diffusion_vas_sailvos_eval_results*.json``.

    Raises:
        DataNotFound: If it is no such file.
        UserError: If it is that of TAO-Amodal, which has boxes to compare with and no whole masks.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            content: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
            self._codes = {ast.literal_eval(key): entry for key, entry in content.items()}
        except (OSError, ValueError, SyntaxError, AttributeError) as error:
            raise DataNotFound(f"{file} is no table of predictions ({error}); fetch eval_outputs again") from error
        if any(len(key) == 3 for key in self._codes):
            raise UserError(
                f"{file} is of TAO-Amodal, whose truth is boxes and no whole masks: there is nothing to score masks by; take "
                "the file of SAIL-VOS"
            )

    def of(self, clip: NativeClip) -> tuple[list[np.ndarray], list[str]] | None:
        """Masks ``(H, W)`` bool of every frame and what was done to them; None if there are none of the clip.

        Raises:
            DataNotFound: If the clip does not say which images it is made of.
            BadMask: If frames are missing, or a code cannot be read.
        """
        images, number = clip.details.get("image_ids"), clip.details.get("object")
        if images is None or number is None or len(images) != len(clip.frames):
            raise DataNotFound(
                f"clip {clip.name} does not say of which images it is; write the clips with: external convert diffusion_vas"
            )
        keys = [(int(image), int(number)) for image in images]
        lacking = [key for key in keys if key not in self._codes]
        if len(lacking) == len(keys):
            return None
        if lacking:
            raise BadMask(
                f"{self.file}: {len(lacking)} of {len(keys)} frames of {clip.name} are not there: {lacking[0]}, ...; "
                "fetch eval_outputs again"
            )
        planes = [self._decoded(key) for key in keys]
        changes = [JOINED]
        if planes[0].shape != clip.frames.size:
            (h, w), (rows, columns) = clip.frames.size, planes[0].shape
            changes.insert(0, f"masks brought from {columns}x{rows} to {w}x{h}, bilinear, as its own metric does")
        return [self._whole(plane, clip, t) for t, plane in enumerate(planes)], changes

    def _decoded(self, key: tuple[int, int]) -> np.ndarray:
        coder = require("pycocotools.mask", "coco")
        try:
            return np.asarray(coder.decode(self._codes[key][_CODE]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadMask(f"{self.file}: {key}: no run-length code ({error!r}); fetch eval_outputs again") from error

    @staticmethod
    def _whole(plane: np.ndarray, clip: NativeClip, t: int) -> np.ndarray:
        height, width = clip.frames.size
        mask = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) > 0
        seen = clip.modal[t]
        return np.asarray(mask if seen is None else mask | seen[0].numpy())
