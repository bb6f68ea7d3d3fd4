"""J and F of every frame, in a small file beside ``results.json``: ``frames.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.conditions import CLEAN
from robustvos.errors import UserError
from robustvos.evaluation.records import CLUSTER_TAG, VideoResult
from robustvos.evaluation.video_scores import by_object

FILE = "frames.json"
_SCHEMA = 2  # 1 was a list with a mapping for every frame, those that do not count included
_DIGITS = 4


@dataclass(frozen=True)
class FrameSeries:
    """The frames of one object that count, in order.

    Attributes:
        video: Name of the video.
        corruption: ``clean``, or the corruption.
        object_id: The object.
        frames: Frame indices, ascending.
        region: J of each, in [0, 1].
        contour: F of each.
        cluster: What of the footage it shares with other videos, see :data:`robustvos.evaluation.records.CLUSTER_TAG`; its own
            name where that is nothing.
    """

    video: str
    corruption: str
    object_id: int
    frames: tuple[int, ...]
    region: tuple[float, ...]
    contour: tuple[float, ...]
    cluster: str = ""

    def __post_init__(self) -> None:
        if not self.cluster:
            object.__setattr__(self, "cluster", self.video)


def frame_series(results: Iterable[VideoResult]) -> list[FrameSeries]:
    """The series of all objects that have a frame that counts, of each video in order of objects."""
    series = []
    for result in results:
        clusters = {record.object_id: record.cluster for record in result.objects}
        for object_id, scores in sorted(by_object(sorted(result.frames, key=lambda score: score.frame)).items()):
            frames, region, contour = (
                tuple(getattr(score, name) for score in scores) for name in ("frame", "region", "contour")
            )
            cluster = clusters.get(object_id, "")
            series.append(FrameSeries(result.video, result.corruption, object_id, frames, region, contour, cluster))
    return series


def by_condition(series: Iterable[FrameSeries]) -> dict[str, list[FrameSeries]]:
    """Series of ``clean`` and of ``corrupted`` videos, in this order; neither list is empty."""
    groups: dict[str, list[FrameSeries]] = {}
    for one in series:
        groups.setdefault("clean" if one.corruption == CLEAN else "corrupted", []).append(one)
    return dict(sorted(groups.items()))


def frames_text(series: Iterable[FrameSeries]) -> str:
    """The content of the file: one line for each object, scores to four digits."""
    lines = (
        json.dumps(
            {
                "video": one.video,
                "corruption": one.corruption,
                "object": one.object_id,
                "frames": one.frames,
                "J": [round(value, _DIGITS) for value in one.region],
                "F": [round(value, _DIGITS) for value in one.contour],
                **({CLUSTER_TAG: one.cluster} if one.cluster != one.video else {}),
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
        raise ValueError(f"{entry.get('video')}, object {entry['object']}: frames, J and F differ in number")
    name = str(entry.get("video", entry.get("clip")))
    cluster = str(entry.get(CLUSTER_TAG, ""))
    return FrameSeries(name, str(entry["corruption"]), int(entry["object"]), *columns, cluster)
