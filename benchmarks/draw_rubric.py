"""Drawn clips laid out as TCOW's Rubric is, to try its importer and `experiment realvas_table2` without the real videos.

``python benchmarks/draw_rubric.py DIR`` writes 12 of them below DIR/rubric: a query mask on the first frame, and masks
(``snitch``) of three frames on which the object is seen whole, after it was hidden where there are as many.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from robustvos.scenes.amodal import render_amodal_clip
from robustvos.scenes.stage import StageSpec
from robustvos.seeding import numpy_rng
from robustvos.video.writer import VideoWriter

GROUPS = ("2_drawn", "dmpt_cgt", "davis_2017")
SPEC = StageSpec((128, 192), 32)


def main() -> None:
    """Write the videos, a third of them as folders of frames, as Rubric's are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    args = parser.parse_args()
    for number in range(args.clips):
        clip = render_amodal_clip("occlusion", numpy_rng("rubric", number), SPEC)
        folder, name = args.out / "rubric" / GROUPS[number % 3], f"clip{number}"
        folder.mkdir(parents=True, exist_ok=True)
        if GROUPS[number % 3] == "davis_2017":
            folder = folder / name
            folder.mkdir()
            for t, frame in enumerate(clip.frames):
                Image.fromarray(frame).save(folder / f"{t:05d}.jpg", quality=95, subsampling=0)
        else:
            with VideoWriter(folder / f"{name}.mp4", fps=15, quality=10) as writer:
                for frame in clip.frames:
                    writer.add(torch.from_numpy(frame).permute(2, 0, 1).contiguous())
        write_masks(clip.modal[:, 0], clip.amodal[:, 0], folder, name)


def write_masks(modal: np.ndarray, amodal: np.ndarray, folder: Path, name: str) -> None:
    """The query, and three frames on which the object is seen whole."""
    hidden = (amodal & ~modal).sum((1, 2)) > 0.005 * np.maximum(1, amodal.sum((1, 2)))
    whole = np.flatnonzero(~hidden & amodal.any((1, 2)))
    after = whole[whole > (np.flatnonzero(hidden)[-1] if hidden.any() else 0)]
    chosen = after if len(after) >= 3 else whole[1:]
    save(amodal[0], folder / f"{name}_0_query.png")
    for t in chosen[np.linspace(0, len(chosen) - 1, 3).astype(int)]:
        save(amodal[t], folder / f"{name}_{t}_snitch.png")


def save(mask: np.ndarray, path: Path) -> None:
    """Black and white, in colours."""
    Image.fromarray(np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, 2)).save(path)


if __name__ == "__main__":
    main()
