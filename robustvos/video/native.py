"""Read amodal clips in the native format of Real-VAS, which is also that of TABE-51.

``<root>/<clip>/{frames/00000.jpg, gt_masks/00000.png, visible_masks/00000.png, annos.json}``: one query object, whose
whole (``gt_masks``, amodal) and visible (``visible_masks``, modal) masks are 0 and 255. Clips without ``gt_masks`` need
only the visible mask of the first frame; they can be tracked, not scored. ``annos.json`` is optional;
where it says ``"annotated": "some frames"``, some frames alone have whole and visible masks, and only these are scored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from robustvos.errors import BadMask, DataNotFound, UnknownName
from robustvos.files.names import check_listed, check_name, nfc
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.files.text_lists import read_text
from robustvos.video.frame_files import list_frames
from robustvos.video.frames import FrameFolder
from robustvos.video.masks import read_binary_mask
from robustvos.video.native_tree import AMODAL, ANNOTATED, ANNOTATIONS, FRAMES, MODAL, SOME_FRAMES
from robustvos.video.occlusion_levels import FrameOcclusion
from robustvos.video.sequence import MaskSequence

_TREE = f"<clip>/{{{FRAMES}, {AMODAL}, {MODAL}, {ANNOTATIONS}}}"


class QueryMasks(MaskSequence):
    """Lazy masks of the one object: item ``t`` is ``(1, H, W)`` bool, or None where frame ``t`` has no mask.

    Args:
        paths: One PNG per frame, or None.
        size: ``(H, W)`` of the frames.
    """

    def __init__(self, paths: Sequence[Path | None], size: tuple[int, int]) -> None:
        super().__init__(paths)
        self.size = size

    def _read(self, index: int, path: Path) -> Tensor:
        mask = read_binary_mask(path)
        if tuple(mask.shape) != self.size:
            (height, width), (rows, columns) = self.size, mask.shape
            raise BadMask(f"{path} is {columns}x{rows}, its frames are {width}x{height}; export the masks at that size")
        return mask[None]


@dataclass(frozen=True)
class NativeClip:
    """One clip on disk; nothing but the first frame's header and ``annos.json`` has been read.

    Attributes:
        name: Folder name.
        frames: Lazy frames.
        modal: Lazy visible masks.
        amodal: Lazy whole masks; None if the clip has none.
        occlusion: One entry per frame; None if ``annos.json`` does not say.
        category: ``occlusion``, ``surface``, ``articulated``, ``mobile``, ...; None if unknown, as in TABE-51.
        details: Whatever else ``annos.json`` holds: source, fps, camera, provenance, seeds.
    """

    name: str
    frames: FrameFolder
    modal: QueryMasks
    amodal: QueryMasks | None
    occlusion: tuple[FrameOcclusion, ...] | None = None
    category: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def find_native_clips(root: str | os.PathLike[str], clips: Sequence[str] | None = None) -> tuple[NativeClip, ...]:
    """The clips under ``root``, in natural order, or those named in ``clips`` in the order given.

    Raises:
        DataNotFound: If ``root`` is missing or holds no clip, or a clip is incomplete; says what was looked for.
        UnknownName: If a clip of ``clips`` is not there; suggests the nearest.
    """
    base = Path(root)
    if not base.is_dir():
        raise DataNotFound(f"looked for {_TREE} in {base}, which is no folder; give the folder that holds the clips")
    folders = {folder.name: folder for folder in list_folders(base) if _looks_like_clip(folder)}
    if not folders:
        held = name_some(sorted(entry.name for entry in base.iterdir())) or "nothing"
        advice = f"give its parent, {base.absolute().parent}" if _looks_like_clip(base) else "check the path"
        raise DataNotFound(f"looked for {_TREE} in {base}, which holds {held}; {advice}")
    check_listed(list(folders), str(base))
    spelt = {nfc(name): name for name in folders}
    for name in clips or ():
        if nfc(name) not in spelt:
            raise UnknownName.of(f"clip of {base}:", name, folders)
    return tuple(read_native_clip(folders[spelt[nfc(name)]]) for name in (folders if clips is None else clips))


def read_native_clip(folder: str | os.PathLike[str]) -> NativeClip:
    """Open one clip.

    Raises:
        DataNotFound: If frames, masks of some frames, or the first frame's visible mask are missing, there are masks of
            frames that do not exist, or ``annos.json`` is broken or tells of another number of frames.
        BadVideo: If the first frame cannot be read.
    """
    path = Path(folder)
    frames_at = path / FRAMES
    if not frames_at.is_dir():
        held = name_some(sorted(entry.name for entry in path.iterdir())) if path.is_dir() else "nothing"
        raise DataNotFound(f"looked for {frames_at}, but {path} holds {held or 'nothing'}; copy the clip again")
    files = list_frames(frames_at)
    names = tuple(file.stem for file in files)
    annotations = _read_annotations(path / ANNOTATIONS, len(files))
    fps = annotations.get("fps")
    frames = FrameFolder(frames_at, files=files, fps=float(fps) if fps else None)
    scored = (path / AMODAL).is_dir()
    sparse = annotations.get(ANNOTATED) == SOME_FRAMES
    whole = _masks_of(path / AMODAL, names, needed=() if sparse else names) if scored else None
    needed = [name for name, mask in zip(names, whole or (), strict=False) if mask is not None]
    modal = QueryMasks(_masks_of(path / MODAL, names, needed=list(dict.fromkeys([names[0], *needed]))), frames.size)
    amodal = None if whole is None else QueryMasks(whole, frames.size)
    known = ("occlusion", "category")
    return NativeClip(
        path.name,
        frames,
        modal,
        amodal,
        annotations.get("occlusion"),
        annotations.get("category"),
        {key: value for key, value in annotations.items() if key not in known},
    )


def _looks_like_clip(folder: Path) -> bool:
    return any((folder / name).exists() for name in (FRAMES, AMODAL, MODAL))


def _masks_of(folder: Path, frames: Sequence[str], needed: Sequence[str]) -> list[Path | None]:
    masks = {path.stem: path for path in list_files(folder, (".png",))} if folder.is_dir() else {}
    missing = [name for name in needed if name not in masks]
    strays = [name for name in masks if name not in set(frames)]
    if missing or strays:
        wrong = f"no mask of {name_some(missing)}" if missing else f"masks of no frame: {name_some(strays)}"
        raise DataNotFound(
            f"looked for {len(needed)} masks (.png) in {folder}, found {len(masks)} for {len(frames)} frames: {wrong}; "
            "the clip is half-copied: copy it again"
        )
    return [masks.get(name) for name in frames]


def _read_annotations(path: Path, frames: int) -> dict[str, Any]:
    """The content of ``annos.json``, its occlusion entries parsed; empty if there is no such file."""
    if not path.exists():
        return {}
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise DataNotFound(f"{path} is no JSON ({' '.join(str(error).split())}); copy it again") from error
    if not isinstance(content, dict):
        raise DataNotFound(
            f"{path} holds a {type(content).__name__}, expected an object with the key 'occlusion'; copy it again"
        )
    category = content.get("category")
    if category is not None:
        check_name(category, f"{path}: category")  # it groups results, whose figures are named after their group
    entries = content.get("occlusion")
    if entries is None:
        return content
    if not isinstance(entries, list) or len(entries) != frames:
        listed = len(entries) if isinstance(entries, list) else type(entries).__name__
        raise DataNotFound(f"{path} lists {listed} frames, {path.parent / FRAMES} holds {frames}; copy the clip again")
    return {
        **content,
        "occlusion": tuple(FrameOcclusion.parse(e, f"{path}, frame {t},") for t, e in enumerate(entries)),
    }
