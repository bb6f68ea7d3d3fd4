"""Find the videos of a dataset laid out as DAVIS is; YouTube-VOS, MOSE and most others follow it.

``<root>/JPEGImages[/480p]/<video>/*.jpg`` and ``<root>/Annotations[/480p]/<video>/*.png``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from robustvos.errors import BadVideo, DataNotFound
from robustvos.files.names import check_distinct, check_listed, check_relative, names_on_disk, nfc
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.files.text_lists import read_lines, read_names
from robustvos.video.frame_files import list_frames
from robustvos.video.pictures import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from robustvos.video.frames import FrameFolder

RESOLUTIONS = ("480p", "Full-Resolution", "1080p")


@dataclass(frozen=True)
class SequenceRecord:
    """Where one video's files are; nothing is decoded.

    Attributes:
        name: Folder name of the video.
        frame_paths: One image per frame, in order.
        annotation_paths: As long as ``frame_paths``; None where a frame has no annotation.
        corruption: Name of the corruption that the frames on disk carry; ``"clean"`` if none.
        parts: The clips that it was joined of, in order (:mod:`robustvos.datasets.vos.joining`); none if it is one on disk.
    """

    name: str
    frame_paths: tuple[Path, ...]
    annotation_paths: tuple[Path | None, ...]
    corruption: str = "clean"
    parts: tuple[SequenceRecord, ...] = ()

    @property
    def frame_names(self) -> tuple[str, ...]:
        """File stems of the frames; after the part's place and an underscore, 1 first, if there are parts."""
        stems = [path.stem for path in self.frame_paths]
        places = [place for place, part in enumerate(self.parts, 1) for _ in part.frame_paths]
        return (
            tuple(f"{place:02d}_{stem}" for place, stem in zip(places, stems, strict=True)) if places else tuple(stems)
        )

    def open_frames(self) -> FrameFolder:
        """The frames as a lazy sequence."""
        from robustvos.video.frames import FrameFolder  # torch is not needed to list files

        return FrameFolder(self.frame_paths[0].parent, files=self.frame_paths)


def find_sequences(
    root: str | os.PathLike[str],
    *,
    image_set: str | os.PathLike[str] | None = None,
    annotations: str | os.PathLike[str] | None = None,
) -> tuple[SequenceRecord, ...]:
    """Every video under ``root``, in natural order.

    Args:
        root: Folder that holds ``JPEGImages`` and ``Annotations``; each may have a ``480p`` folder in between.
        image_set: Text file with one video name per line, or one frame as DAVIS 2016 has them, that limits which videos
            are looked for and orders them. Absolute, or relative to ``root/ImageSets`` or ``root``, e.g. ``2017/val.txt``. As
            Windows and macOS write it, too: with a byte order mark, in UTF-16, with accents composed or not.
        annotations: Folder that holds ``Annotations``; None: ``root``. Copies with other frames may share them.

    Raises:
        DataNotFound: If a folder, a listed video, its frames or its annotations are missing, or annotations have no
            frames. The text says what was looked for, what was found, and what to do; of all videos that are not whole.
        UnsafePath: If a name of the list would lead elsewhere, or two videos have names that differ by case alone.
    """
    base = Path(root)
    frames_root = resolve_folder(base, "JPEGImages")
    truth = base if annotations is None else Path(annotations)
    masks_root = resolve_folder(truth, "Annotations")
    if image_set:
        names = names_on_disk(_read_image_set(base, image_set), frames_root)
        check_distinct(names, str(image_set))
    else:
        names = [folder.name for folder in list_folders(frames_root)]
        check_listed(names, str(frames_root))
    if not names:
        raise DataNotFound(f"{frames_root} holds no video folder; {_ADVICE}")
    missing = [name for name in names if not (frames_root / name).is_dir()]
    in_masks = names_on_disk(names, masks_root)
    found = [_record(name, frames_root, masks_root / spelt) for name, spelt in zip(names, in_masks, strict=True)]
    broken = {name: video for name, video in zip(names, found, strict=True) if isinstance(video, _Broken)}
    if broken and len(missing) == len(broken):
        raise DataNotFound(
            f"looked for {len(names)} video folders in {frames_root}, {len(missing)} are missing: "
            f"{name_some(missing)}; {_other_case(missing, frames_root) or _ADVICE}"
        )
    if len(broken) > 1:
        advice = "the copy is incomplete: copy it again"
        if all(video.is_named_otherwise for video in broken.values()):
            advice = _NAME_ALIKE
        raise DataNotFound(
            f"looked for frames in {frames_root} and annotations in {masks_root}, found {len(names) - len(broken)} of "
            f"{len(names)} videos whole, and {len(broken)} that are not: "
            f"{name_some(f'{name} ({video.what})' for name, video in broken.items())}; {advice}"
        )
    for video in broken.values():
        raise DataNotFound(video.message)
    return tuple(video for video in found if isinstance(video, SequenceRecord))


def resolve_folder(root: Path, kind: str) -> Path:
    """The folder of videos inside ``root/kind``: a resolution's folder such as ``480p`` is stepped into.

    Raises:
        DataNotFound: If ``root`` or ``root/kind`` does not exist.
    """
    folder = root / kind
    if not folder.is_dir():
        seen = name_some(sorted(entry.name for entry in root.iterdir())) if root.is_dir() else None
        found = "the root does not exist" if seen is None else f"the root holds {seen or 'nothing'}"
        raise DataNotFound(f"looked for {folder}, but {found}; {_ADVICE}")
    return next((folder / name for name in RESOLUTIONS if (folder / name).is_dir()), folder)


_ADVICE = "give the folder that holds JPEGImages and Annotations, or copy the dataset again"
_NAME_ALIKE = "an annotation is matched to its frame by name: give both the same one (00005.jpg and 00005.png)"


def _form(name: str) -> str:
    """What names of one kind have in common.

    >>> _form("frame0012"), _form("00012")
    ('frame0000', '00000')
    """
    return re.sub(r"\d", "0", name)


def _other_case(missing: Sequence[str], folder: Path) -> str | None:
    """Advice, if what is missing is there, but for upper and lower case."""
    spelt = {nfc(entry.name).casefold(): entry.name for entry in list_folders(folder)}
    near = [f"{name} as {spelt[key]}" for name in missing if (key := nfc(name).casefold()) in spelt]
    return f"there is {name_some(near)}: write the names as the folders are spelt" if near else None


def _read_image_set(root: Path, image_set: str | os.PathLike[str]) -> list[str]:
    candidates = (root / "ImageSets" / image_set, root / image_set)
    for path in candidates:
        if path.is_file():
            return _videos_of_frames(read_lines(path, "video")) or read_names(path, "video")
    looked = " and ".join(str(path) for path in dict.fromkeys(candidates))
    raise DataNotFound(f"image set not found: looked for {looked}; give a text file with one video name per line")


def _videos_of_frames(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Videos, in order, of a list of frames and their masks; none if it is no such list.

    Args:
        lines: Each line, and where it is.

    >>> _videos_of_frames([("/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png", "val.txt, line 1")])
    ['bear']
    >>> _videos_of_frames([("bear", "val.txt, line 1"), ("black swan", "val.txt, line 2")])
    []
    """
    frames = [(PurePosixPath(line.split()[0].lstrip("/")), where) for line, where in lines]
    if not all(path.parts[:1] == ("JPEGImages",) and path.suffix.lower() in IMAGE_SUFFIXES for path, _ in frames):
        return []
    videos = [PurePosixPath(check_relative(str(path), where)).parent.name for path, where in frames]
    return list(dict.fromkeys(videos))


@dataclass(frozen=True)
class _Broken:
    """A video that is not whole: what is wrong in a few words, among others; and alone, with what to do."""

    what: str
    message: str
    is_named_otherwise: bool = False  # every file may be there


def _record(name: str, frames_root: Path, folder: Path) -> SequenceRecord | _Broken:
    """The files of a video, whose annotations are in ``folder``."""
    try:
        frames = list_frames(frames_root / name) if (frames_root / name).is_dir() else []
    except BadVideo as error:
        return _Broken("two files of one frame", str(error))
    if not frames:
        return _Broken("no frames", f"looked for frames in {frames_root / name}, found none; {_ADVICE}")
    masks = {nfc(path.stem): path for path in list_files(folder, (".png",))} if folder.is_dir() else {}
    if not masks:
        return _Broken("no annotations", f"looked for annotations (.png) in {folder}, found none; {_ADVICE}")
    stems = [nfc(frame.stem) for frame in frames]
    strays = sorted(set(masks) - set(stems))
    if strays and not {_form(stray) for stray in strays} & {_form(stem) for stem in stems}:
        return _Broken(
            f"annotations called {strays[0]}, frames {stems[0]}",
            f"{len(strays)} of {len(masks)} annotations in {folder} are called {name_some(strays, 3)}, but the {len(frames)} "
            f"frames in {frames_root / name} {name_some(stems, 3)}: {_NAME_ALIKE}",
            is_named_otherwise=True,
        )
    if strays:
        return _Broken(
            f"{len(strays)} of {len(masks)} annotations without a frame",
            f"{folder} annotates {len(masks)} frames, {len(strays)} of which are not among the {len(frames)} "
            f"in {frames_root / name}: {name_some(strays)}; the copy is incomplete: copy the frames again",
        )
    return SequenceRecord(name, tuple(frames), tuple(masks.get(stem) for stem in stems))
