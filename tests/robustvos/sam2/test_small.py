"""The base for real video: what is shipped builds, is small, and follows real things that nano loses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import find_checkpoint
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.tracker import track
from robustvos.types import Prompt
from robustvos.video.frames import open_frames
from robustvos.video.masks import masks_from_ids, read_indexed_mask

REAL = os.environ.get("ROBUSTVOS_REALDATA")
FRAMES = 12


def test_shipped_weights_fill_the_model_and_are_small():
    model = build_sam2(Sam2Config("small"))
    assert model.image_size == 352
    assert sum(p.numel() for p in model.parameters()) == 4_485_090
    assert find_checkpoint(Sam2Config("small")).stat().st_size <= 10e6


@pytest.mark.skipif(REAL is None, reason="ROBUSTVOS_REALDATA names no folder of real clips")
@pytest.mark.parametrize("prompt", ["mask", "box"])
def test_real_animal_is_followed(prompt):
    """The swan of DAVIS, whose validation sequences no weights of ours have seen."""
    root = Path(REAL) / "davis"
    frames = open_frames(root / "JPEGImages/480p/blackswan")
    files = sorted((root / "Annotations/480p/blackswan").glob("*.png"))[:FRAMES]
    truth = torch.stack([masks_from_ids(read_indexed_mask(file), (1,))[0] for file in files])
    rows, columns = truth[0].nonzero().T
    box = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=torch.float32)
    said = Prompt(1, mask=truth[0]) if prompt == "mask" else Prompt(1, box=box)
    scores = {}
    for base in ("nano", "small"):
        found = torch.stack(
            [f.masks[0] for f in track(build_sam2(Sam2Config(base)), (frames[t] for t in range(FRAMES)), [said])]
        )
        union = (found | truth).flatten(1).sum(1)
        scores[base] = float(((found & truth).flatten(1).sum(1) / union)[1:].mean())
    assert scores["small"] > 0.7
    assert scores["small"] > scores["nano"]
