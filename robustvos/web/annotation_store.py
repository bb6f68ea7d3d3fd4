"""An annotation on disk: ``masks/FRAME.png``, ``prompts.jsonl``, and ``annotation.json`` for all else."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robustvos.errors import BadMask, UserError
from robustvos.files.atomic import atomic_write_text
from robustvos.files.paths import under
from robustvos.video.masks import VOID, read_indexed_mask, write_binary_mask, write_indexed_mask
from robustvos.video.prompt_file import PromptLine, write_prompt_lines
from robustvos.video.sequence import Frames
from robustvos.web.annotation import Mark, Place, Plane, State

MASKS, PROMPTS, PAINTED, RECORD = "masks", "prompts.jsonl", "painted", "annotation.json"
_VERSION = 1


class FolderStore:
    """Writes each change into a folder; a kill at any moment leaves every file whole.

    Args:
        folder: The folder.
        frames: The video.
    """

    def __init__(self, folder: Path, frames: Frames) -> None:
        self.folder, self.frames = folder, frames
        self._drawn: dict[Path, int] = {}  # checksums of the masks of prompts, as this session wrote them

    def save(self, before: State | None, now: State) -> None:
        """Write what differs; see :class:`robustvos.web.annotation.Store`."""
        past = State() if before is None else before
        every = past.planes.keys() | now.planes.keys()
        changed = {frame for frame in every if past.planes.get(frame) is not now.planes.get(frame)}
        for frame in changed:
            self._write_plane(frame, now.planes.get(frame))
        painted = any(_is_mask(mark) and frame in changed for (frame, _), mark in now.marks.items())
        if painted or past.marks != now.marks or before is None:
            self._write_prompts(now)
        if past.sureness is not now.sureness or past.marks != now.marks or past.names != now.names or before is None:
            self.write_record(now)

    def write_record(self, state: State) -> None:
        """Write ``annotation.json``."""
        height, width = self.frames.size
        record = {
            "version": _VERSION,
            "video": self.frames.path.name,
            "frames": len(self.frames),
            "size": [height, width],
            "objects": {str(i): name for i, name in sorted(state.names.items())},
            "marks": [self._mark(place, mark) for place, mark in sorted(state.marks.items(), key=lambda item: item[0])],
            "sureness": _by_object(state.sureness),
        }
        atomic_write_text(self.folder / RECORD, json.dumps(record, ensure_ascii=False) + "\n")

    def load(self) -> State | None:
        """What an earlier session left; None if nothing.

        Raises:
            UserError: If the record cannot be read or is of another video.
            BadMask: If a mask has another size than the frames.
        """
        path = self.folder / RECORD
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            length, size = int(record["frames"]), tuple(record["size"])
            names = {int(i): str(name) for i, name in record["objects"].items()}
            found = [_read_mark(value, self.folder) for value in record["marks"]]
            sureness = {(int(f), int(i)): float(v) for i, row in record["sureness"].items() for f, v in row.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is no record of an annotation; choose another --out, or remove it") from error
        if length != len(self.frames) or size != tuple(self.frames.size):
            raise UserError(
                f"{self.folder} holds an annotation of another video ({record['video']}, {length} frames of "
                f"{size[1]}x{size[0]}); choose another --out"
            )
        planes = read_planes(self.folder / MASKS, self.frames)
        seen = {i for plane in planes.values() for i in plane.ids}
        names |= {i: f"object {i}" for i in seen if i not in names}
        return State(planes, dict(found), names, sureness)

    def _write_plane(self, frame: int, plane: Plane | None) -> None:
        path = under(self.folder, MASKS, f"{self.frames.frame_names[frame]}.png")
        if plane is None:
            path.unlink(missing_ok=True)
            return
        ids = plane.array
        object_ids = [*plane.ids, *([VOID] if (ids == VOID).any() else [])]
        masks = np.stack([ids == i for i in object_ids]) if object_ids else np.zeros((0, *plane.shape), bool)
        write_indexed_mask(torch.from_numpy(masks), object_ids, path)

    def _write_prompts(self, state: State) -> None:
        lines = []
        for (frame, object_id), mark in sorted(state.marks.items(), key=lambda item: item[0]):
            mask = None
            if _is_mask(mark):
                plane = state.planes.get(frame)
                drawn = None if plane is None else plane.array == object_id
                if drawn is None or not drawn.any():  # the eraser took all of it
                    continue
                mask = self.folder / PAINTED / f"{frame:05d}_{object_id}.png"
                checksum = zlib.crc32(np.packbits(drawn).tobytes())
                if self._drawn.get(mask) != checksum or not mask.exists():
                    write_binary_mask(torch.from_numpy(drawn), mask)
                    self._drawn[mask] = checksum
            points, box = ((), None) if mask is not None else (mark.points, mark.box)
            lines.append(PromptLine(frame, object_id, self.frames.path, points, box, mask))
        write_prompt_lines(lines, self.folder / PROMPTS)

    def _mark(self, place: Place, mark: Mark) -> dict[str, Any]:
        frame, object_id = place
        value: dict[str, Any] = {"frame": frame, "object": object_id}
        value |= {"points": mark.points} if mark.points else {}
        value |= {"box": mark.box} if mark.box else {}
        value |= {"painted": True} if mark.painted else {}
        if mark.base is not None:
            name = f"{frame:05d}_{object_id}_{zlib.crc32(mark.base.data):08x}.png"
            path = self.folder / PAINTED / name
            if not path.exists():
                write_binary_mask(torch.from_numpy(mark.base.array > 0), path)
            value["base"] = name
        return value


def _is_mask(mark: Mark) -> bool:
    """Whether a mark stands for the mask that is there: painted, or a mask that clicks correct."""
    return mark.painted or mark.base is not None


def _read_mark(value: Mapping[str, Any], folder: Path) -> tuple[Place, Mark]:
    points = tuple((float(x), float(y), int(label)) for x, y, label in value.get("points", ()))
    box = value.get("box")
    corners = None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    base = value.get("base")
    plane = None if base is None else Plane.of((read_indexed_mask(under(folder / PAINTED, base)) > 0).astype(np.uint8))
    return (int(value["frame"]), int(value["object"])), Mark(points, corners, bool(value.get("painted")), plane)


def _by_object(sureness: Mapping[Place, float]) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for (frame, object_id), value in sorted(sureness.items()):
        rows.setdefault(str(object_id), {})[str(frame)] = round(value, 3)
    return rows


def read_planes(folder: Path, frames: Frames) -> dict[int, Plane]:
    """Masks of a folder, matched to frames by name, ``NAME.png`` or (MVSeg) ``NAMEl.png``, else by number.

    Raises:
        BadMask: If a mask has another size than the frames, is none, or belongs to no frame.
    """
    planes: dict[int, Plane] = {}
    if not folder.is_dir():
        return planes
    names = {name: index for index, name in enumerate(frames.frame_names)}
    numbers = {int(name): index for name, index in names.items() if name.isdecimal()}
    for file in sorted(folder.glob("*.png")):
        if file.name.startswith("."):
            continue
        index = names.get(file.stem, names.get(file.stem.removesuffix("l")))
        if index is None and file.stem.isdecimal():
            index = numbers.get(int(file.stem))
        if index is None:
            raise BadMask(f"{file} belongs to no frame of {frames.path}; name masks as frames are named")
        ids = read_indexed_mask(file)
        if ids.shape != tuple(frames.size):
            height, width = frames.size
            raise BadMask(
                f"{file} is {ids.shape[1]}x{ids.shape[0]}, the frames are {width}x{height}; export the masks at that size"
            )
        planes[index] = Plane.of(ids)
    return planes
