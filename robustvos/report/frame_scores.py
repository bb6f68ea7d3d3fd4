"""J and F of every frame, in a small file beside ``results.json``: ``frames.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustvos.errors import UserError

if TYPE_CHECKING:
    from robustvos.types import VideoResult

FILE = "frames.json"
_SCHEMA = 2  # 1 was a list with a mapping for every frame, those that do not count included
_DIGITS = 4


@dataclass(frozen=True)
class FrameSeries:
    """The frames of one object that count, in order.

    Attributes:
        clip: Name of the clip.
        corruption: ``clean``, or the corruption.
        object_id: The object.
        frames: Frame indices, ascending.
        region: J of each, in [0, 1].
        contour: F of each.
    """

    clip: str
    corruption: str
    object_id: int
    frames: tuple[int, ...]
    region: tuple[float, ...]
    contour: tuple[float, ...]


def frame_series(results: Iterable[tuple[str, VideoResult]]) -> list[FrameSeries]:
    """The series of all objects that have a frame that counts.

    Args:
        results: Corruption and scores of each video. A frame says by ``counts`` whether it counts; if silent, it does.
    """
    series = []
    for corruption, result in results:
        of_object: dict[int, list[Mapping[str, Any]]] = {}
        for row in result.frames:
            if row.get("counts", True):
                of_object.setdefault(row["object"], []).append(row)
        for object_id, rows in sorted(of_object.items()):
            rows = sorted(rows, key=lambda row: row["frame"])
            frames, region, contour = (tuple(row[name] for row in rows) for name in ("frame", "J", "F"))
            series.append(FrameSeries(result.clip, corruption, object_id, frames, region, contour))
    return series


def by_condition(series: Iterable[FrameSeries]) -> dict[str, list[FrameSeries]]:
    """Series of ``clean`` and of ``corrupted`` clips, in this order; neither list is empty."""
    groups: dict[str, list[FrameSeries]] = {}
    for one in series:
        groups.setdefault("clean" if one.corruption == "clean" else "corrupted", []).append(one)
    return dict(sorted(groups.items()))


def frames_text(series: Iterable[FrameSeries]) -> str:
    """The content of the file: one line for each object, scores to four digits."""
    lines = (
        json.dumps(
            {
                "clip": one.clip,
                "corruption": one.corruption,
                "object": one.object_id,
                "frames": one.frames,
                "J": [round(value, _DIGITS) for value in one.region],
                "F": [round(value, _DIGITS) for value in one.contour],
            },
            separators=(",", ":"),
        )
        for one in series
    )
    return f'{{"schema":{_SCHEMA},"objects":[\n' + ",\n".join(lines) + "\n]}\n"


def read_frame_series(folder: Path) -> list[FrameSeries]:
    """What a run stored; nothing where it stored none, or an older version did.

    Raises:
        UserError: If the file is broken; the text names it.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
            return []
        return [_series(entry) for entry in data["objects"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not readable as scores of frames ({error!r}); test the system again") from error


def _series(entry: Mapping[str, Any]) -> FrameSeries:
    columns = (tuple(entry["frames"]), tuple(map(float, entry["J"])), tuple(map(float, entry["F"])))
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"{entry['clip']}, object {entry['object']}: frames, J and F differ in number")
    return FrameSeries(str(entry["clip"]), str(entry["corruption"]), int(entry["object"]), *columns)
