"""A foreign dataset as a tree in Real-VAS's native form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.datasets.amodal.convert import (
    coco_amodal,
    diffusion_vas,
    kins_video_car,
    movi_mc_ac,
    tcow_kubric,
    tcow_rubric,
)
from robustvos.datasets.amodal.convert.clip import ForeignClip, Frames, write_clip
from robustvos.errors import DataNotFound, UnknownName, UserError
from robustvos.files.atomic import atomic_write_json
from robustvos.files.names import check_name
from robustvos.progress import progress_bar
from robustvos.video.native_tree import FRAMES

_SETTINGS = ".conversion.json"


@dataclass(frozen=True)
class Format:
    """A form that is read.

    Attributes:
        clips: Gives the objects of a source.
        about: What it is and what its truth is, in a line.
        settings: Of ``--frames`` and ``--split`` those that it takes.
    """

    clips: Callable[..., Iterator[ForeignClip]]
    about: str
    settings: tuple[str, ...] = ()


FORMATS = {
    "movi_mc_ac": Format(movi_mc_ac.clips, "MOVi-MC-AC: drawn, several cameras, whole and visible masks"),
    "tcow_kubric": Format(tcow_kubric.clips, "TCOW Kubric: drawn, whole and visible masks"),
    "tcow_rubric": Format(
        tcow_rubric.clips, "TCOW Rubric: real videos, visible masks on a few frames, which alone are scored"
    ),
    "diffusion_vas": Format(
        diffusion_vas.clips,
        "Diffusion-VAS's JSON: SAIL-VOS, whole and visible masks; TAO-Amodal, visible masks and boxes",
        ("frames",),
    ),
    "kins_video_car": Format(kins_video_car.clips, "KINS-Video-Car: whole masks on the frames of KINS", ("split",)),
    "coco_amodal": Format(
        coco_amodal.clips, "COCO's form with whole and visible masks: COCOA, KINS, D2SA, videos", ("frames",)
    ),
}


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        written: Clips.
        left_out: Reason to the names of objects that gave none.
    """

    written: tuple[str, ...]
    left_out: dict[str, list[str]]


def _said(value: str | bool | None) -> str:
    return value if isinstance(value, str) else {True: "on", False: "off", None: "not given"}[value]


class _Settings:
    """What the clips of a tree were converted with; clips of other settings would be kept beside them.

    Raises:
        UserError: If there are clips of other settings.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self._file, self._settings, self._kept = out / _SETTINGS, settings, False
        if not any(out.glob(f"*/{FRAMES}")):
            return
        try:
            former = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # clips of other origin
            return
        other = [name for name, value in settings.items() if former.get(name) != value]
        if other:
            told = ", ".join(f"{name} {_said(former.get(name))}, now {_said(settings[name])}" for name in other)
            raise UserError(
                f"{out} holds clips that were converted with {told}; give another --out, or remove it first"
            )

    def keep(self) -> None:
        """Write them down, once."""
        if not self._kept:
            atomic_write_json(self._file, self._settings)
            self._kept = True


def convert(
    form: str, src: Path, out: Path, *, clean_start: bool = False, limit: int | None = None, **settings: Any
) -> Converted:
    """Write the clips of ``src`` under ``out``; those that are there already are kept, so that a second call goes on.

    Args:
        form: Key of :data:`FORMATS`.
        src: Folder or file of the dataset.
        out: Root of the tree.
        clean_start: Begin each clip where its object is seen whole, instead of where it is seen at all.
        limit: Write no more clips than this.
        settings: ``frames`` or ``split``, for formats that take them.

    Raises:
        UnknownName: If there is no such format; suggests the nearest.
        UserError: If the format does not take a setting, two objects have one name, or ``out`` holds clips that were
            converted with other settings.
        DataNotFound: If the source is not of that form, or gives no clip.
        BadMask: If a mask cannot be read.
        UnsafePath: If the source names a clip that would be written elsewhere.
    """
    if form not in FORMATS:
        raise UnknownName.of("format", form, FORMATS)
    chosen = FORMATS[form]
    given = {name: value for name, value in settings.items() if value is not None}
    wrong = [name for name in given if name not in chosen.settings]
    if wrong:
        takers = ", ".join(name for name, one in FORMATS.items() if wrong[0] in one.settings)
        raise UserError(f"--{wrong[0]} says nothing of {form}; it is for {takers}")
    if not src.exists():
        raise DataNotFound(f"{src} does not exist; give the folder or file of {chosen.about}")
    held = _Settings(out, {"format": form, "clean_start": clean_start, "split": given.get("split")})
    frames = Frames()
    written: list[str] = []
    left_out: dict[str, list[str]] = {}
    seen: set[str] = set()
    with progress_bar(unit="object", delay=1) as bar:
        for clip in chosen.clips(src, **given):
            if limit is not None and len(written) >= limit:
                break
            check_name(clip.name, f"{src}: name of a clip")
            if clip.name in seen:
                raise UserError(f"{src}: two objects would be clip {clip.name}; give each video or image its own name")
            seen.add(clip.name)
            held.keep()
            reason = "" if (out / clip.name).is_dir() else write_clip(clip, out, frames, clean_start)
            if reason:
                left_out.setdefault(reason, []).append(clip.name)
            else:
                written.append(clip.name)
            bar.update()
    if not written:
        told = "; ".join(f"{len(names)} {reason}" for reason, names in left_out.items())
        raise DataNotFound(f"{src} gives no clip: {told or 'it holds no object'}")
    return Converted(tuple(written), left_out)
