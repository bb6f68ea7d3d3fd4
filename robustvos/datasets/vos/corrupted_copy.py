"""A corrupted copy of a dataset: what it consists of, and how one video of it is written.

A copy is one folder for each corruption, ``<root>/<corruption>/``, in the layout of the original, so that each can be read
as the original can. A video is written under a temporary name and renamed, so that one that is there is whole; what it contains
depends on its name, the seed, the severity and the preset alone, so that it does not matter which process writes it, or when.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from robustvos.corruptions import CorruptedFrames
from robustvos.errors import BadVideo, DataNotFound, UserError
from robustvos.files.atomic import atomic_path, atomic_write_json
from robustvos.files.atomic_folder import atomic_folder, remove_leftovers
from robustvos.files.names import check_listed
from robustvos.files.naming import check_name, is_visible, list_files, list_folders, name_some
from robustvos.files.paths import DATASET_FOLDERS, refuse_inputs_as_output, under
from robustvos.files.text_lists import read_text
from robustvos.video.container import VIDEO_SUFFIXES, open_container, video_stream
from robustvos.video.frame_files import list_frames
from robustvos.video.frames import IMAGE_SUFFIXES, Frames, open_frames
from robustvos.video.layouts import resolve_folder

SETTINGS = "corruption.json"
_BESIDE = ("Annotations", "ImageSets")
_CHROMA_KEPT = 0  # Pillow's name for JPEG without chroma subsampling: noise has colour in every pixel


@dataclass(frozen=True)
class Settings:
    """What decides every byte of a copy besides the original; kept in it as ``corruption.json``.

    Attributes:
        corruption: Key of :data:`robustvos.corruptions.CORRUPTIONS`.
        preset: ``intended`` or ``release``.
        severity: In (0, 5]; 3 is the preset's own strength.
        seed: Of everything random.
        quality: Of the JPEG files, 1 to 100; 0 for PNG.
    """

    corruption: str
    preset: str = "intended"
    severity: float = 3.0
    seed: int = 0
    quality: int = 95

    @property
    def suffix(self) -> str:
        """Of the frames' file names."""
        return ".jpg" if self.quality else ".png"


@dataclass(frozen=True)
class SourceVideo:
    """One video of the original.

    Attributes:
        name: Of the video; part of every seed.
        path: Folder of frames, or video file.
        frames: Number of frames; of a video file what its header says, 0 where that says nothing.
        is_estimate: The number of frames is only guessed, from duration and frame rate.
    """

    name: str
    path: Path
    frames: int
    is_estimate: bool = False


@dataclass(frozen=True)
class Source:
    """The original: its videos, and what goes with them.

    Attributes:
        root: Folder that was given.
        inside: Where videos lie beneath a copy's folder, e.g. ``JPEGImages/480p``.
        videos: In natural order.
        beside: Files beneath ``root`` that every copy has too: annotations, lists, ``meta.json``.
        passed_over: Names of visible files and folders that lie among the videos and are none.
    """

    root: Path
    inside: Path
    videos: tuple[SourceVideo, ...]
    beside: tuple[Path, ...]
    passed_over: tuple[str, ...] = ()


def find_source(root: Path) -> Source:
    """What there is to corrupt.

    Args:
        root: A dataset (``JPEGImages[/480p]/<video>/*.jpg`` and what lies beside), a folder of video files, a folder of
            folders of frames, a folder of frames, or a video file.
            Copies that lie in it are no videos of it.

    Raises:
        DataNotFound: If there is nothing of that kind.
        UnsafePath: If names of videos differ by case alone, or cannot be those of folders.
        BadVideo: If a folder holds two files of one frame.
        UserError: If two videos would have one name, or a folder holds pictures as well as videos.
    """
    if not root.exists():
        raise DataNotFound(f"{root} does not exist; give a dataset's folder, a folder of videos, or a video")
    if not (root / "JPEGImages").is_dir():
        loose = tuple(_loose_videos(root))
        check_listed([video.name for video in loose], str(root))
        return Source(root, Path("JPEGImages"), loose, (), _others(root, loose) if root.is_dir() else ())
    inside = resolve_folder(root, "JPEGImages").relative_to(root)
    videos = tuple(_video(folder) for folder in list_folders(root / inside))
    if not videos:
        raise DataNotFound(f"{root / inside} holds no folder of frames; copy the dataset again")
    check_listed([video.name for video in videos], str(root / inside))
    others = (file for name in _BESIDE for file in _files_beneath(root / name))
    beside = [path.relative_to(root) for path in (*others, root / "meta.json") if path.is_file()]
    return Source(root, inside, videos, tuple(beside), _others(root / inside, videos))


def _others(folder: Path, videos: Sequence[SourceVideo]) -> tuple[str, ...]:
    """What is seen in ``folder`` and belongs to no video."""
    read = {video.path.name for video in videos if video.path.parent.resolve() == folder.resolve()}
    if any(video.path.resolve() == folder.resolve() for video in videos):  # a folder of frames
        read = {path.name for path in list_frames(folder)}
    return tuple(sorted(path.name for path in folder.iterdir() if is_visible(path.name) and path.name not in read))


def check_apart(source: Source, target: Path, copies: Sequence[Path] = ()) -> None:
    """Refuse to write copies where they would be taken for videos of the original, or replace something of it.

    Args:
        source: The original.
        target: Folder of the copies.
        copies: The folder of each.

    Raises:
        UserError: If ``target`` is the original's folder, contains it, or lies in its frames or annotations. It may contain a
            copy that is corrupted further, but none of ``copies`` may be that one.
    """
    inputs = [source.root, *sorted({video.path.resolve().parent for video in source.videos})]
    advice = "choose another folder for the copies"
    refuse_inputs_as_output(target, inputs, "DST", marker=SETTINGS, advice=advice)
    for copy in copies:
        refuse_inputs_as_output(copy, inputs, "DST/CORRUPTION", advice=advice)
    place, root = target.resolve(), source.root.resolve()
    own = [(root / name).resolve() for name in DATASET_FOLDERS] + [video.path.resolve() for video in source.videos]
    inside = [folder for folder in own if place.is_relative_to(folder)]
    typed = Path(os.path.abspath(target))  # SRC may be such a folder itself, or reached by a link
    inside += [folder for path in (place, typed) for folder in (path, *path.parents) if folder.name in DATASET_FOLDERS]
    if inside:
        raise UserError(
            f"{target} lies in {inside[0]}, among a dataset's own files: choose another folder for the copies"
        )


def check_lengths(copies: Iterable[tuple[SourceVideo, Path]]) -> None:
    """Refuse copies that were made when a video had other frames: noise and weather depend on its length.

    Args:
        copies: Videos and the folders of their copies that are there. Video files, whose headers may be wrong, are not
            looked at.

    Raises:
        UserError: Naming the copies.
    """
    stale = []
    for video, target in copies:
        found = len(list_files(target, IMAGE_SUFFIXES)) if video.path.is_dir() else video.frames
        if found != video.frames:
            stale.append(f"{target} ({found} frames, now {video.frames})")
    if stale:
        raise UserError(
            f"{len(stale)} copies are of videos that had other frames when they were made: {name_some(stale)}; remove these "
            "folders, and run the command again"
        )


def _files_beneath(folder: Path) -> Iterator[Path]:
    """Every file, also in folders that are links, as lists of frames are read too; a link upwards leads nowhere."""
    for place, inside, names in os.walk(folder, followlinks=True):
        here = Path(place).resolve()
        inside[:] = [name for name in inside if is_visible(name) and not here.is_relative_to((here / name).resolve())]
        yield from (Path(place) / name for name in sorted(names) if is_visible(name))


def _loose_videos(root: Path) -> Iterator[SourceVideo]:
    if root.is_file():
        check_name(root)
        yield _video_file(root)
        return
    files, pictures = list_files(root, VIDEO_SUFFIXES), list_files(root, IMAGE_SUFFIXES)
    if files and pictures:
        raise UserError(
            f"{root} holds {len(pictures)} pictures, as a folder of frames does, and {len(files)} videos "
            f"({name_some(path.name for path in files)}): give one of the two, in a folder of its own"
        )
    if pictures:
        yield _video(root.resolve())
        return
    folders = [
        folder
        for folder in list_folders(root)
        if list_files(folder, IMAGE_SUFFIXES) and not (folder / SETTINGS).is_file()
    ]
    if not files and not folders:
        nested = [str(folder) for folder in list_folders(root) if (folder / "JPEGImages").is_dir()]
        hint = f"; did you mean {' or '.join(nested)}?" if nested else ""
        seen = name_some(sorted(entry.name for entry in root.iterdir())) or "nothing"
        raise DataNotFound(f"{root} holds neither JPEGImages nor videos nor folders of frames, but {seen}{hint}")
    names = [path.stem if path.is_file() else path.name for path in (*files, *folders)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UserError(f"several videos in {root} would have the same name: {name_some(sorted(twice))}; rename them")
    for path in files:
        yield _video_file(path)
    for folder in folders:
        yield _video(folder)


def _video(folder: Path) -> SourceVideo:
    files = list_frames(folder)
    if not files:
        raise DataNotFound(f"looked for frames in {folder}, found none; copy the dataset again")
    return SourceVideo(folder.name, folder, len(files))


def _video_file(path: Path) -> SourceVideo:
    """A video file, not decoded: a header is enough to say how long it will take, and a broken file is reported later."""
    frames, is_estimate = 0, False
    with suppress(OSError, ValueError, BadVideo), open_container(path) as container:
        stream = video_stream(container, path)
        frames = 0 if container.format.name == "avi" else stream.frames  # AVI counts ticks, H.264 has two a frame
        if not frames and container.duration and stream.average_rate:
            frames, is_estimate = round(container.duration / 1e6 * stream.average_rate), True
    return SourceVideo(path.stem, path, frames, is_estimate)


def begin_copy(source: Source, root: Path, settings: Settings, link: bool) -> None:
    """Make ``root``, note the settings in it, and put there what goes with the videos.

    Args:
        source: The original.
        root: The copy's folder.
        settings: Of the copy.
        link: Share the files' contents with the original (hard links) where the file system can; else copy them.

    Raises:
        UserError: If ``root`` holds a copy with other settings or of other videos, or cannot be written.
    """
    noted, wanted = root / SETTINGS, asdict(settings) | {"videos": _digest(source.videos)}
    if not noted.is_file():
        with _unless_another_was_faster(noted):
            atomic_write_json(noted, wanted)
    there = _read_note(noted)
    differing = [name for name, value in wanted.items() if there.get(name) != value]
    if differing == ["videos"]:
        raise UserError(
            f"{root} holds a copy of other videos than those of {source.root}: choose another folder for these"
        )
    if differing:
        texts = (f"{name} {there.get(name)}, not {wanted[name]}" for name in differing if name != "videos")
        raise UserError(f"{root} holds a copy with {'; '.join(texts)}: choose another folder, or remove it")
    for file in source.beside:
        if not (root / file).exists():
            _put(source.root / file, under(root, file), link)
    for folder in {root, *(root / file.parent for file in source.beside)}:
        remove_leftovers(folder)  # all files are there: what has a temporary name is nobody's


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({' '.join(str(error).split())}): remove the copy it is in") from error
    if not isinstance(note, dict):
        raise UserError(f"{path} is no note of a corrupted copy: choose another folder, or remove this one")
    return note


def _digest(videos: Sequence[SourceVideo]) -> str:
    """Of the names of all videos, so that two datasets are not mixed in one folder."""
    names = "\n".join(sorted(video.name for video in videos))
    return hashlib.blake2b(names.encode(), digest_size=8).hexdigest()


def _put(file: Path, target: Path, link: bool) -> None:
    if link:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file.resolve(), target)
        except FileExistsError:  # another process was faster
            return
        except OSError:  # another file system, or one without links
            pass
        else:
            return
    with _unless_another_was_faster(target), atomic_path(target) as temporary:
        shutil.copyfile(file, temporary)


@contextmanager
def _unless_another_was_faster(target: Path) -> Iterator[None]:
    """Bear it if what was to be written is there: whoever wrote it has cleared away what others had begun."""
    try:
        yield
    except UserError:
        if not target.exists():
            raise


def write_video(video: SourceVideo, target: Path, settings: Settings) -> Iterator[int]:
    """Corrupt a video into the folder ``target``; yields 1 after each frame.

    Nothing is done if ``target`` is there. Of two processes that write the same video at once, the first wins, and the
    other ends well too.

    Raises:
        BadVideo: If a frame cannot be decoded.
        UserError: If the system refuses to write.
    """
    if target.is_dir():
        return
    frames = open_frames(video.path)
    for note in frames.notes:
        tqdm.write(f"{video.path}: {note}", file=sys.stderr)
    with atomic_folder(target) as folder:
        for name, frame in zip(_names(frames), _corrupted(frames, video, settings), strict=True):
            _write(frame, folder / f"{name}{settings.suffix}", settings.quality)
            yield 1


def bytes_of_a_frame(video: SourceVideo, settings: Settings) -> int:
    """What the first frame will take on disk.

    Raises:
        BadVideo: If it cannot be decoded.
    """
    frame = _corrupted(open_frames(video.path), video, settings)[0]
    return len(_encode(frame, settings.quality))


def _corrupted(frames: Frames, video: SourceVideo, settings: Settings) -> CorruptedFrames:
    return CorruptedFrames(
        frames,
        settings.corruption,
        clip_name=video.name,
        seed=settings.seed,
        severity=settings.severity,
        preset=settings.preset,
    )


def _names(frames: Frames) -> Sequence[str]:
    return frames.frame_names if frames.path.is_dir() else [f"{i:05d}" for i in range(len(frames))]


def _write(frame: Tensor, path: Path, quality: int) -> None:
    path.write_bytes(_encode(frame, quality))


def _encode(frame: Tensor, quality: int) -> memoryview:
    """In memory: Pillow's JPEG writer does not always notice that a disk is full."""
    image = Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()))
    encoded = io.BytesIO()
    if quality:
        image.save(encoded, "JPEG", quality=quality, subsampling=_CHROMA_KEPT)
    else:
        image.save(encoded, "PNG")
    return encoded.getbuffer()
