"""``cli.py report --corruptions``: what the eight corruptions do to a clip, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robustvos.corruptions import PRESETS, ROBUSTPVOS8, ClipSpec, CorruptedFrames
from robustvos.drawing.grid import GridRow, labelled_grid
from robustvos.errors import UnknownName, UserError
from robustvos.files.naming import printable
from robustvos.files.paths import refuse_dataset_folders, refuse_inputs_as_output
from robustvos.program import next_command
from robustvos.report.corruption_page import PresetPictures, write_corruption_page
from robustvos.scenes.scene import SceneSpec, render_scene
from robustvos.seeding import numpy_rng
from robustvos.video.frames import open_frames

BOTH = "both"
SEVERITIES = (1, 2, 3, 4, 5)
_SHORT_SIDE = 192
_SCENE = SceneSpec(size=(_SHORT_SIDE, 336), frames=48, max_objects=5, radius=(0.14, 0.24))
_SCENE_NUMBER = 1
_LEADING = "release"


def picture_corruptions(
    out: Path,
    preset: str = BOTH,
    severity: float = 3.0,
    source: Path | None = None,
    frames: int = 6,
    seed: int = 0,
) -> None:
    """Picture the eight corruptions over time, and from severity 1 to 5.

    Writes OUT/corruptions_PRESET.png (clean and eight rows, frames to the right), OUT/severities_PRESET.png, and
    OUT/corruptions.html, which holds them all.

    Args:
        out: Folder for the pictures.
        preset: release (what the published sets contain), intended (coherent in time), or both.
        severity: Above 0 and at most 5; 3 is the preset's own strength.
        source: A video, or a folder of frames; by default a procedural scene. Frames are first reduced to 192 pixels on
            their short side, so that the noise that is seen is the noise that was drawn.
        frames: How many frames of the clip to show, evenly spread.
        seed: Of everything random.
    """
    refuse_inputs_as_output(out, [source])
    refuse_dataset_folders(out)
    if preset not in (*PRESETS, BOTH):
        raise UnknownName.of("preset", preset, [*PRESETS, BOTH])
    if frames < 1:
        raise UserError(f"--frames {frames} shows nothing; give at least 1")
    presets = sorted((p for p in PRESETS if preset in (p, BOTH)), key=lambda p: p != _LEADING)
    ClipSpec("any", length=1, size=(1, 1), severity=severity)  # refuses a severity that there is not
    clip, name = _clip(source)
    shown = sorted({round(t) for t in np.linspace(0, len(clip) - 1, frames)})
    pictures = [
        PresetPictures(p, over_time(clip, name, p, severity, shown, seed), over_severities(clip, name, p, seed))
        for p in presets
    ]
    for path in write_corruption_page(Path(out), pictures, clip=name, severity=severity):
        print(f"report: {path}")
    corrupt = [] if source is None else ["corrupt", source, out / "corrupted"]
    print(printable(next_command(*(corrupt or ["test", "--model", "sam2"]))))


def over_time(
    clip: Sequence[Tensor], name: str, preset: str, severity: float, shown: Sequence[int], seed: int = 0
) -> Tensor:
    """A row for the clean clip and for each corruption, a column for each frame in ``shown``; ``(3, H, W)`` uint8."""
    clean = [clip[t] for t in shown]
    rows = [GridRow("clean", clean)]
    for kind in ROBUSTPVOS8:
        corrupted = CorruptedFrames(clip, kind, clip_name=name, seed=seed, severity=severity, preset=preset)
        images = [corrupted[t] for t in shown]
        rows.append(GridRow(kind.replace("_", " "), images, _change(images, clean)))
    return labelled_grid(rows, [f"frame {t}" for t in shown], f"Preset {preset}, severity {severity:g}: {name}")


def over_severities(clip: Sequence[Tensor], name: str, preset: str, seed: int = 0) -> Tensor:
    """A row for each corruption, a column for the clean frame and for each severity from 1 to 5."""
    middle = len(clip) // 2
    clean = clip[middle]
    rows = []
    for kind in ROBUSTPVOS8:
        images = [
            CorruptedFrames(clip, kind, clip_name=name, seed=seed, severity=severity, preset=preset)[middle]
            for severity in SEVERITIES
        ]
        rows.append(GridRow(kind.replace("_", " "), [clean, *images]))
    headings = ["clean", *(f"severity {severity}" for severity in SEVERITIES)]
    return labelled_grid(rows, headings, f"Preset {preset}, severities 1 to 5: {name}, frame {middle}")


def _change(corrupted: Sequence[Tensor], clean: Sequence[Tensor]) -> str:
    change = (torch.stack(list(corrupted)).float() - torch.stack(list(clean)).float()).abs().mean()
    return f"change {float(change):.1f}"


def _clip(source: Path | None) -> tuple[Sequence[Tensor], str]:
    """Frames ``(3, H, W)`` uint8, reduced, read when asked for; and the clip's name."""
    if source is None:
        scene = render_scene(_SCENE, numpy_rng("corruption picture", _SCENE_NUMBER))
        return list(torch.from_numpy(scene.frames).permute(0, 3, 1, 2)), "procedural scene"
    return _Reduced(open_frames(source)), Path(source).stem


class _Reduced(Sequence[Tensor]):
    """Frames whose short side is at most that of the pictures; those that were asked for are kept."""

    def __init__(self, frames: Sequence[Tensor]) -> None:
        self.frames = frames
        self._kept: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        if index not in self._kept:
            self._kept[index] = _reduce(self.frames[index])
        return self._kept[index]


def _reduce(frame: Tensor) -> Tensor:
    factor = _SHORT_SIDE / min(frame.shape[-2:])
    if factor >= 1:
        return frame
    size = [round(side * factor) for side in frame.shape[-2:]]
    small = functional.interpolate(frame[None].float(), size=size, mode="bilinear", antialias=True)[0]
    return small.round().clamp(0, 255).to(torch.uint8)
