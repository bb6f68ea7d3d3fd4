"""A run with three drawn clips of a square that passes behind a bar; the third needs a review."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.files.stage import Item, Record
from robustvos.files.stage_runner import run_stage
from robustvos.realvas.item_clip import write_item_clip
from robustvos.realvas.sources import add_sources

SIZE, LENGTH = (48, 65), 12  # odd, as H.264 does not have it
DOUBTED = "street.2"


@dataclass(frozen=True)
class Drawing:
    """No settings: what changes is part of the items."""


@dataclass
class Drawn:
    """A stage in place of ``composite``."""

    seed: int
    settings = Drawing()
    name = "composite"
    version = 1
    unit = "clip"

    def items(self, inputs):
        return [Item(f"street.{k}", {"k": k, "seed": self.seed if k == 0 else 0}) for k in range(3)]

    def run(self, item, work):
        k = item.inputs["k"]
        whole = torch.zeros(LENGTH, *SIZE, dtype=torch.bool)
        for t in range(LENGTH):
            whole[t, 10 + 6 * k : 24 + 6 * k, 4 * t : 4 * t + 12] = True
        bar = torch.zeros(SIZE, dtype=torch.bool)
        bar[:, 28:38] = True
        frames = torch.full((LENGTH, 3, *SIZE), 90 + item.inputs["seed"], dtype=torch.uint8)
        frames[:, 0][whole] = 230
        frames[:, 2, bar] = 240
        details = {"fps": 12, "untrusted": [], "needs_review": k == 2, "doubts": []}
        write_item_clip(work.folder, frames, whole & ~bar, whole, category="occlusion", **details)
        figures = {
            "frames": LENGTH, "fps": 12, "size": list(SIZE), "category": "occlusion", "prevalence": 0.5, "severity": 0.6,
            "object": f"street.0.{k}", "occluder": "street.0.9", "needs_review": k == 2, "doubts": [], "rank": k,
        }  # fmt: skip
        return Record(figures)


def draw_run(root: Path, seed: int = 0) -> Path:
    """Make the run, or make anew what another seed changes: the first clip."""
    video = root.parent / "street"
    if not video.exists():
        video.mkdir(parents=True)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(video / "00000.png")
    add_sources(root, [video])
    run_stage(Drawn(seed), root, progress=False)
    return root


@pytest.fixture
def run(tmp_path) -> Path:
    return draw_run(tmp_path / "run")


@pytest.fixture(scope="session")
def draw():
    return draw_run
