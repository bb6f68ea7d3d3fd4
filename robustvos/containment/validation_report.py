"""What a validation of containment leaves: lines, figures, and a picture with the rows of the paper's Figure 8."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from robustvos.containment.containment import NotContained
from robustvos.containment.mask_warp import Mask
from robustvos.containment.validate_containment import PAPER, Validation
from robustvos.files.atomic import atomic_path, atomic_write_json
from robustvos.video.frames import Frames


def result_line(name: str, found: Validation) -> str:
    """One object in one line."""
    stop = "" if found.stop is None else f"; stopped at frame {found.stop.frame}: {found.stop.reason}"
    return (
        f"{name}: {found.category}, mean IoU {found.mean:.3f}, worst {found.worst:.3f} over {len(found.ious)} hidden frames"
        f" (print carried by {100 * found.surface:.0f} % surface, depth {found.found.depth:.3f}){stop}"
    )


def category_lines(done: dict[str, Validation]) -> list[str]:
    """Mean over the objects of each kind, and over all."""
    kinds: dict[str, list[float]] = {}
    for found in done.values():
        kinds.setdefault(found.category, []).append(found.mean)
    lines = [f"{kind}: mean IoU {sum(means) / len(means):.3f} ({len(means)})" for kind, means in sorted(kinds.items())]
    everything = [mean for means in kinds.values() for mean in means]
    return [*lines, f"all: mean IoU {sum(everything) / len(everything):.3f} (paper {PAPER})"]


def write_results(path: Path, done: dict[str, Validation], refused: dict[str, NotContained]) -> None:
    """Figures of every object, by frame; and why others were refused.

    Raises:
        UserError: If the file cannot be written.
    """
    kept = {
        name: {
            "category": found.category,
            "mean_iou": round(found.mean, 4),
            "worst_iou": round(found.worst, 4),
            "frames": {str(t): round(iou, 4) for t, iou in found.ious.items()},
            "surface_share": round(found.surface, 3),
            "depth": round(found.found.depth, 4),
            "stop": None if found.stop is None else {"frame": found.stop.frame, "reason": found.stop.reason},
        }
        for name, found in done.items()
    }
    left = {name: {"reason": error.reason, **error.figures} for name, error in refused.items()}
    atomic_write_json(path, {"validated": kept, "refused": left})


def write_picture(path: Path, frames: Frames, found: Validation) -> None:
    """Rows as in the paper's Figure 8: the video, painted, the truth, the prediction; five frames across."""
    shown = sorted({int(t) for t in np.linspace(0, len(found.found.amodal) - 1, 5)})
    rows: list[list[np.ndarray]] = [[], [], [], []]
    for t in shown:
        plain = frames[found.first + t].permute(1, 2, 0).numpy()
        hidden = found.painted[t].permute(1, 2, 0).numpy()
        pictures = [plain, hidden, _tinted(plain, found.truth[t]), _tinted(hidden, found.found.amodal[t])]
        for row, picture in zip(rows, pictures, strict=True):
            height = round(320 * picture.shape[0] / picture.shape[1])
            row.append(cv2.resize(picture, (320, height), interpolation=cv2.INTER_AREA))
    with atomic_path(path) as temporary:
        Image.fromarray(np.vstack([np.hstack(row) for row in rows])).save(temporary, format="PNG")


def _tinted(picture: np.ndarray, mask: Mask) -> np.ndarray:
    """A picture with a mask in yellow over it."""
    tint = np.where(mask[..., None], 0.45 * picture + 0.55 * np.array([255, 214, 0]), picture)
    return tint.astype(np.uint8)
