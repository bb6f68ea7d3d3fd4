"""The embedded sample of Real-VAS: clips drawn once into a cache folder, in the dataset's own format."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import robustvos.scenes
from robustvos.datasets.published_sets import PUBLISHED
from robustvos.errors import UserError
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import atomic_folder, discard_folder
from robustvos.scenes.amodal import CATEGORIES, render_amodal_clip
from robustvos.scenes.stage import StageSpec
from robustvos.seeding import numpy_rng
from robustvos.video.native_tree import AMODAL, ANNOTATIONS, FRAMES, MODAL
from robustvos.video.native_writer import write_native_clip

MANIFEST = "sample.json"
_SHAPES = ((144, 176, 56), (128, 160, 48), (144, 192, 64), (128, 176, 52))  # height, width, frames; taken in turn


@dataclass(frozen=True)
class EmbeddedSample:
    """How many clips are drawn where no dataset is given.

    Attributes:
        occlusion: Clips of the category ``occlusion``.
        containment: Clips of each of ``surface``, ``articulated`` and ``mobile``.

    Raises:
        UserError: If there would be no clip.
    """

    occlusion: int = 8
    containment: int = 4

    def __post_init__(self) -> None:
        if min(self.occlusion, self.containment) < 0 or max(self.occlusion, self.containment) < 1:
            raise UserError(f"the sample needs a clip, got occlusion {self.occlusion}, containment {self.containment}")

    def clips(self, first: int = 0) -> tuple[SampleClip, ...]:
        """The clips, categories interleaved, so that the first few are of every kind; ``first`` gives others."""
        counts = {name: self.occlusion if name == "occlusion" else self.containment for name in CATEGORIES}
        places = [((k + 0.5) / count, name, k) for name, count in counts.items() for k in range(count)]
        places.sort(key=lambda place: (place[0], CATEGORIES.index(place[1])))
        return tuple(
            SampleClip(f"{i:02d}_{name}", name, first + k, *_SHAPES[k % len(_SHAPES)])
            for i, (_, name, k) in enumerate(places)
        )


@dataclass(frozen=True)
class SampleClip:
    """One clip of the sample; it depends on ``category``, ``seed`` and the sizes alone.

    Attributes:
        name: Folder name.
        category: What happens.
        seed: Which of the category.
        height: Pixels.
        width: Pixels.
        frames: Length.
    """

    name: str
    category: str
    seed: int
    height: int
    width: int
    frames: int


def cache_folder() -> Path:
    """``$ROBUSTVOS_CACHE``, else ``~/.cache/robustvos``."""
    return Path(os.environ.get("ROBUSTVOS_CACHE") or Path.home() / ".cache" / "robustvos").expanduser()


def sample_folder(clips: Sequence[SampleClip], cache: Path) -> Path:
    """Where a sample lives; its name changes with what is drawn and with the code that draws it."""
    digest = hashlib.blake2b(json.dumps([asdict(clip) for clip in clips]).encode(), digest_size=6)
    for source in sorted(Path(next(iter(robustvos.scenes.__path__))).glob("*.py")):
        digest.update(source.read_bytes())
    return cache / f"realvas-sample-{digest.hexdigest()}"


def describe_sample(clips: Sequence[SampleClip], cache: Path) -> str:
    """One line: that the sample is used, where it is, and how to have the released set instead."""
    kinds, released = {clip.category for clip in clips}, PUBLISHED["realvas"]
    return (
        f"realvas: no --data.root given; using the embedded sample ({len(clips)} rendered clips, {len(kinds)} categories) "
        f"in {_home_as_tilde(cache)}; the released set: --data.root hf://{released.hub} ({released.licence})"
    )


def ensure_sample(clips: Sequence[SampleClip], cache: Path) -> Path:
    """The folder that holds ``clips``; draws them unless an earlier call has, and again if files are missing.

    Several processes may call this at once: each draws into a folder of its own, and the first to finish wins.

    Raises:
        UserError: If the cache cannot be written.
    """
    folder = sample_folder(clips, cache)
    if is_complete(folder):
        return folder
    try:
        discard_folder(folder)
        with atomic_folder(folder) as temporary:
            for clip in clips:
                _draw(clip, temporary / clip.name)
            atomic_write_json(temporary / MANIFEST, {clip.name: clip.frames for clip in clips})
    except UserError as error:
        raise UserError(f"{error}; the environment variable ROBUSTVOS_CACHE names the folder for such files") from error
    return folder


def is_complete(folder: Path) -> bool:
    """Whether every file that the manifest promises is there; counts files, reads none."""
    try:
        promised: Mapping[str, int] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return all(
            (folder / name / ANNOTATIONS).is_file()
            and all(len(os.listdir(folder / name / kind)) == frames for kind in (FRAMES, MODAL, AMODAL))
            for name, frames in promised.items()
        )
    except (OSError, ValueError):
        return False


def _draw(clip: SampleClip, folder: Path) -> None:
    rng = numpy_rng("realvas-sample-1", clip.category, clip.seed)
    drawn = render_amodal_clip(clip.category, rng, StageSpec((clip.height, clip.width), clip.frames))
    write_native_clip(
        folder,
        torch.from_numpy(drawn.frames).permute(0, 3, 1, 2),
        torch.from_numpy(drawn.modal[:, 0]),
        torch.from_numpy(drawn.amodal[:, 0]),
        category=clip.category,
        fps=15,
        source="drawn by robustvos.scenes",
        seed=clip.seed,
    )


def _home_as_tilde(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
