"""Find the clips of ACDC-Video and MVSeg on disk; nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from robustvos.errors import DataNotFound, UnknownName
from robustvos.files.names import check_listed
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.video.frame_files import list_frames
from robustvos.video.layouts import SequenceRecord

Layout = Literal["acdc", "mvseg"]

WEATHERS = ("fog", "snow", "night", "rain")

TREES: dict[str, str] = {
    "acdc": "{fog,snow,night,rain}/<video>/{split_XXX/<n>.jpg, gt/<n>.png}",
    "mvseg": "<SOURCE>_<name>.-<k>/{visible/<n>v.jpg, label/<n>vl.png}",
}
"""What each layout looks like below the root."""


@dataclass(frozen=True)
class AdverseClip:
    """One clip on disk.

    Attributes:
        record: Its name, frames, and the annotations of its key frames.
        prompt_key: What prompt files call it; all splits of a video of ACDC share one.
        group: Weather (ACDC) or source (MVSeg).
    """

    record: SequenceRecord
    prompt_key: str
    group: str


@dataclass
class Findings:
    """What a search has found so far.

    Attributes:
        clips: Whole clips.
        problems: One phrase a thing that is missing or superfluous.
        unannotated: Names of clips without any key frame.
    """

    clips: list[AdverseClip] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unannotated: list[str] = field(default_factory=list)


def find_clips(root: Path, layout: Layout, subset: Sequence[str] | None = None) -> Findings:
    """Every clip under ``root``, in natural order; those without a key frame apart, since they cannot be scored.

    Args:
        root: Folder of the dataset.
        layout: ``acdc`` or ``mvseg``.
        subset: Weathers or sources to take; None: all, and for ACDC all four must be there.

    Raises:
        DataNotFound: If there is no clip, or something of a clip is missing: all of it in one message.
        UnknownName: If ``subset`` names a weather or source that does not exist.
    """
    search: Callable[[Path, Sequence[str] | None], Findings] = {"acdc": _find_acdc, "mvseg": _find_mvseg}[layout]
    found = search(root, subset)
    if found.problems:
        count = len(found.problems)
        raise DataNotFound(
            f"looked for {TREES[layout]} in {root}, found {len(found.clips)} whole clips, and {count} "
            f"thing{'s' * (count > 1)} missing: {name_some(found.problems)}; the copy is incomplete: copy it again"
        )
    if not found.clips:
        without = f", {len(found.unannotated)} clips without any annotation among it" if found.unannotated else ""
        raise DataNotFound(f"looked for {TREES[layout]} in {root}, which holds {_held(root)}{without}; copy it again")
    check_listed([clip.record.name for clip in found.clips], str(root))
    return found


def holds_any(root: Path, layout: Layout) -> bool:
    """Whether anything of the layout is in the folder ``root``."""
    if layout == "acdc":
        return any((root / weather).is_dir() for weather in WEATHERS)
    return any(_looks_like_mvseg(folder) for folder in list_folders(root))


# ACDC-Video


def _find_acdc(root: Path, subset: Sequence[str] | None) -> Findings:
    found = Findings()
    for name in subset or ():
        if name not in WEATHERS:
            raise UnknownName.of("weather", name, WEATHERS)
    for weather in WEATHERS if subset is None else subset:
        videos = list_folders(root / weather) if (root / weather).is_dir() else []
        if not videos:
            there = [other for other in WEATHERS if (root / other).is_dir() and list_folders(root / other)]
            found.problems.append(f"videos of {weather} (--data.subset [{','.join(there)}] does without)")
        for video in videos:
            _add_acdc_video(found, weather, video)
    return found


def _add_acdc_video(found: Findings, weather: str, video: Path) -> None:
    splits = [folder for folder in list_folders(video) if folder.name.startswith("split_")]
    truth_at = video / "gt"
    truth = {_number(file): file for file in list_files(truth_at, (".png",))} if truth_at.is_dir() else {}
    if not splits or not truth:
        found.problems.append(f"{weather}/{video.name}/{'split_XXX' if not splits else 'gt/*.png'}")
        return
    for split in splits:
        frames = list_frames(split)
        odd = [file.name for file in frames if _number(file) is None]
        if not frames or odd:
            what = f"numbers in the names of frames ({name_some(odd, 2)})" if odd else "frames"
            found.problems.append(f"{what} in {weather}/{video.name}/{split.name}")
            continue
        name = f"{weather}_{video.name}_{split.name}"
        annotations = tuple(truth.get(_number(file)) for file in frames)
        _add(found, name, frames, annotations, prompt_key=f"{weather}/{video.name}", group=weather)


def _number(file: Path) -> int | None:
    """Frames and annotations are matched by number: 761.jpg and 000761.png."""
    return int(file.stem) if file.stem.isdecimal() else None


# MVSeg and MVSeg-adv


def _find_mvseg(root: Path, subset: Sequence[str] | None) -> Findings:
    found = Findings()
    folders = [folder for folder in list_folders(root) if _looks_like_mvseg(folder)]
    sources = sorted({_source(folder) for folder in folders})
    for name in subset or ():
        if name not in sources:
            raise UnknownName.of("source", name, sources)
    for folder in folders:
        if subset is None or _source(folder) in subset:
            _add_mvseg_clip(found, folder)
    return found


def _add_mvseg_clip(found: Findings, folder: Path) -> None:
    parts = {}
    for part, listed in (("visible", list_frames), ("label", lambda at: list_files(at, (".png",)))):
        parts[part] = listed(folder / part) if (folder / part).is_dir() else []
        if not parts[part]:
            found.problems.append(f"{'frames' if part == 'visible' else 'masks'} in {folder.name}/{part}")
            return
    labels = {file.stem: file for file in parts["label"]}
    frames = parts["visible"]
    strays = sorted(set(labels) - {f"{file.stem}l" for file in frames})
    if strays:
        found.problems.append(f"frames of {folder.name}/label/{name_some(strays, 2)}")
        return
    annotations = tuple(labels.get(f"{file.stem}l") for file in frames)
    _add(found, folder.name, frames, annotations, prompt_key=folder.name, group=_source(folder))


def _looks_like_mvseg(folder: Path) -> bool:
    return (folder / "visible").is_dir() or (folder / "label").is_dir()


def _source(folder: Path) -> str:
    """INO, KAIST or RGBT234, as the folder's name begins."""
    return folder.name.partition("_")[0]


# Both


def _add(
    found: Findings,
    name: str,
    frames: Sequence[Path],
    annotations: tuple[Path | None, ...],
    *,
    prompt_key: str,
    group: str,
) -> None:
    if not any(annotations):
        found.unannotated.append(name)
        return
    found.clips.append(AdverseClip(SequenceRecord(name, tuple(frames), annotations), prompt_key, group))


def _held(root: Path) -> str:
    return name_some(sorted(entry.name for entry in root.iterdir())) or "nothing"
