"""``scores.csv``: what a tracker says of each object in each frame, a row each."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from robustvos.errors import DataNotFound
from robustvos.types import TrackedFrame

COLUMNS = ("frame", "object", "presence", "predicted_iou", "area", "x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class TrackScore:
    """One row.

    Attributes:
        frame: Index of the frame, from 0.
        object_id: The object.
        presence: Probability that it is seen, as the tracker has it, in [0, 1].
        predicted_iou: The tracker's estimate of its mask's IoU, in [0, 1].
        area: Pixels of the mask.
        box: First column and row of the mask, and those after its last; None where the mask is empty.
    """

    frame: int
    object_id: int
    presence: float
    predicted_iou: float
    area: int
    box: tuple[int, int, int, int] | None

    @property
    def sureness(self) -> float:
        """Presence times predicted IoU, in [0, 1]; 0 where nothing is marked.

        >>> TrackScore(0, 1, 1.0, 0.5, 10, (0, 0, 5, 2)).sureness, TrackScore(0, 1, 1.0, 0.5, 0, None).sureness
        (0.5, 0.0)
        """
        return self.presence * min(1.0, max(0.0, self.predicted_iou)) if self.area else 0.0


def scores_of(found: TrackedFrame, frame: int) -> list[TrackScore]:
    """The rows of one frame; masks may be on any device."""
    masks = found.masks.cpu().numpy()
    presence, iou = found.presence.tolist(), found.predicted_iou.tolist()
    return [
        TrackScore(frame, object_id, _sigmoid(presence[i]), iou[i], *area_and_box(masks[i]))
        for i, object_id in enumerate(found.object_ids)
    ]


def area_and_box(mask: np.ndarray) -> tuple[int, tuple[int, int, int, int] | None]:
    """Pixels of an ``(H, W)`` bool mask, and the box that holds them."""
    levels = np.ascontiguousarray(mask).view(np.uint8)
    area = int(cv2.countNonZero(levels))
    if not area:
        return 0, None
    left, top, width, height = cv2.boundingRect(levels)
    return area, (left, top, left + width, top + height)


class ScoreWriter:
    """Write rows as they come; a context manager.

    Args:
        path: The file. It is written in place: give one in a folder that is renamed when all is done.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115 (closed on exit)
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def add(self, rows: Iterable[TrackScore]) -> None:
        """Append rows."""
        for row in rows:
            frame, object_id, presence, iou, area, box = astuple(row)
            self._writer.writerow([frame, object_id, f"{presence:.4f}", f"{iou:.4f}", area, *(box or ("",) * 4)])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_scores(path: str | os.PathLike[str]) -> list[TrackScore]:
    """Read what :class:`ScoreWriter` wrote.

    Raises:
        DataNotFound: If there is no such file, or it is no table of scores.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [_row(line) for line in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise DataNotFound(f"{path} is no table of scores; expected the columns {','.join(COLUMNS)}") from error


def _row(line: dict[str, str]) -> TrackScore:
    corners = [line[name] for name in COLUMNS[5:]]
    box = None if corners[0] == "" else (int(corners[0]), int(corners[1]), int(corners[2]), int(corners[3]))
    presence, iou = float(line["presence"]), float(line["predicted_iou"])
    return TrackScore(int(line["frame"]), int(line["object"]), presence, iou, int(line["area"]), box)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
