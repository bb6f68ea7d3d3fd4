"""Prompt files of the RobustPVOS benchmark: which points are clicked for each object, in three schemas.

* MVSeg: ``{sequence: {id: {point_coords: [[x, y], ...], point_labels: [1, ...]}}}`` in native pixels;
* YouTube-VOS: ``{video: {id: [[x, y], ...]}}`` in native pixels, all points positive;
* ACDC: ``{metadata: {...}, prompts: {weather: {video: {first_gt_frame, objects: [{class_id, class_name, points, area,
  region_index}]}}}}`` in 1024 x 1024 pixels, all points positive.

Ids are grey levels (:mod:`datamodules.luma`), since that is how the public evaluator reads masks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustvos.errors import BadPrompt
from robustvos.files.names import check_name, check_relative, nfc
from robustvos.files.text_lists import read_text
from robustvos.types import Prompt

_ACDC_SIDE = 1024
_SCHEMAS = (
    "{sequence: {id: {point_coords, point_labels}}}, {video: {id: [[x, y], ...]}} or "
    "{metadata, prompts: {weather: {video: {objects: [...]}}}}"
)

Point = tuple[float, float]


@dataclass(frozen=True)
class FilePrompt:
    """What a file says of one object.

    Attributes:
        luma: The grey level that names the object.
        points: ``(x, y)`` of each click, in pixels of the file.
        labels: 1 inside the object, 0 outside; one for each point.
        class_name: What the object is; None where the file does not say.
        area: Pixels of the object, to choose among several regions of one class; 0 where unknown.
    """

    luma: int
    points: tuple[Point, ...]
    labels: tuple[int, ...]
    class_name: str | None = None
    area: float = 0.0

    def as_prompt(self, object_id: int, frame: int, size: tuple[int, int], side: int | None, where: str) -> Prompt:
        """The prompt in native pixels.

        Args:
            object_id: Id of the object in the masks.
            frame: Index of the frame that it is for.
            size: ``(H, W)`` of the frame.
            side: Both sides of the frame that the file's coordinates are in; None: native pixels.
            where: File and video, for messages.

        Raises:
            BadPrompt: If a point lies outside the frame.
        """
        height, width = size
        across, down = (1.0, 1.0) if side is None else (width / side, height / side)
        points = [(x * across, y * down) for x, y in self.points]
        for (x, y), point in zip(points, self.points, strict=True):
            if not (0 <= x < width and 0 <= y < height):
                raise BadPrompt(
                    f"{where}: point {point[0]:g},{point[1]:g} of object {self.luma} lies outside of the frame, which is "
                    f"{f'{side}x{side} in the file' if side else f'{width}x{height}'}; is the file for other frames?"
                )
        return Prompt(
            object_id,
            points=torch.tensor(points, dtype=torch.float32),
            labels=torch.tensor(self.labels, dtype=torch.int32),
            frame=frame,
        )


@dataclass(frozen=True)
class VideoPrompts:
    """What a file says of one video.

    Attributes:
        objects: One prompt an object, by grey level; of several regions of one class the largest.
        first_frame: File stem of the annotation that it was made from; None: the video's first.
        regions: Every entry as the file has them, in its order; only of ACDC, whose objects may be regions of a class.
    """

    objects: tuple[FilePrompt, ...]
    first_frame: str | None = None
    regions: tuple[FilePrompt, ...] = ()


@dataclass(frozen=True)
class PromptFile:
    """A prompt file that was read.

    Attributes:
        path: The file.
        videos: What it says of each video; videos of ACDC are named ``weather/video``.
        side: Both sides of the frames that its coordinates are in; None: native pixels.
    """

    path: Path
    videos: Mapping[str, VideoPrompts]
    side: int | None = None

    @property
    def follows_truth(self) -> bool:
        """Whether points belong to an object rather than to one frame: ACDC's file has one set for all splits."""
        return self.side is not None


def read_prompt_file(path: Path) -> PromptFile:
    """Read a prompt file of any of the three schemas.

    Raises:
        BadPrompt: If there is no such file, or it is no JSON or of another schema; says where.
        UnsafePath: If a name of a video would lead elsewhere.
    """
    try:
        content = json.loads(read_text(path))
    except OSError as error:
        raise BadPrompt(f"prompt file {path} cannot be read ({error.strerror}); check --data.test.prompt") from error
    except ValueError as error:
        raise BadPrompt(f"prompt file {path} is no JSON ({' '.join(str(error).split())}); copy it again") from error
    if not isinstance(content, dict) or not content:
        raise BadPrompt(f"prompt file {path} holds no prompts; expected {_SCHEMAS}")
    if "prompts" in content and "metadata" in content:
        return _read_acdc(path, content)
    videos = {}
    for video, objects in content.items():
        found = [
            _object(path, video, luma, content)
            for luma, content in _expect(objects, dict, f"{path}: '{video}'").items()
        ]
        videos[nfc(check_relative(video, str(path)))] = VideoPrompts(
            tuple(sorted(found, key=lambda prompt: prompt.luma))
        )
    return PromptFile(path, videos)


def _object(path: Path, video: str, luma: str, content: Any) -> FilePrompt:
    """An object in the schema of MVSeg, which has labels, or of YouTube-VOS."""
    where = f"{path}: object {luma} of '{video}'"
    points = content.get("point_coords") if isinstance(content, dict) else content
    labels = content.get("point_labels") if isinstance(content, dict) else None
    return _checked(where, luma, points, labels)


def _read_acdc(path: Path, content: Mapping[str, Any]) -> PromptFile:
    side = _expect(content["metadata"], dict, f"{path}: metadata").get("image_size", _ACDC_SIDE)
    if not isinstance(side, int) or side < 1:
        raise BadPrompt(f"{path}: metadata.image_size is {side}; expected the side of the frames in pixels, 1024")
    videos = {}
    for weather, videos_of in _expect(content["prompts"], dict, f"{path}: prompts").items():
        for video, entry in _expect(videos_of, dict, f"{path}: '{weather}'").items():
            name = nfc(f"{check_name(weather, str(path))}/{check_name(video, f'{path}: {weather}')}")
            videos[name] = _acdc_video(f"{path}: '{name}'", entry)
    return PromptFile(path, videos, side)


def _acdc_video(where: str, entry: Any) -> VideoPrompts:
    objects = _expect(_expect(entry, dict, where).get("objects"), list, f"{where}: objects")
    largest: dict[int, FilePrompt] = {}
    regions = []
    for content in objects:
        name = _expect(content, dict, f"{where}: an object").get("class_name")
        found = _checked(
            f"{where}: class {content.get('class_id')}", content.get("class_id"), content.get("points"), None
        )
        area = content.get("area") or 0
        found = FilePrompt(found.luma, found.points, found.labels, None if name == "unknown" else name, float(area))
        regions.append(found)
        if found.luma not in largest or found.area > largest[found.luma].area:
            largest[found.luma] = found
    first = entry.get("first_gt_frame")
    objects_found = tuple(largest[luma] for luma in sorted(largest))
    return VideoPrompts(objects_found, None if first is None else Path(first).stem, tuple(regions))


def _checked(where: str, luma: Any, points: Any, labels: Any) -> FilePrompt:
    try:
        number = int(luma)
        clicks = tuple((float(x), float(y)) for x, y in points)
        signs = tuple(int(label) for label in labels) if labels is not None else (1,) * len(clicks)
    except (TypeError, ValueError):
        raise BadPrompt(f"{where} is not a whole number with points [[x, y], ...]; expected {_SCHEMAS}") from None
    if not clicks or len(clicks) != len(signs) or not all(math.isfinite(v) for click in clicks for v in click):
        raise BadPrompt(
            f"{where} has {len(clicks)} points and {len(signs)} labels; expected some, finite, one label each"
        )
    return FilePrompt(number, clicks, signs)


def _expect(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise BadPrompt(f"{where} is of type {type(value).__name__}; expected {_SCHEMAS}")
    return value
