"""Private members of SAM 2 and Lightning that the project uses: each is there, and takes what it is given.

Neither library promises them. Where a new version has changed one, the message names the file that relies on it.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("robustvos", "lightning_modules", "callbacks", "datamodules")
OF_SAM2 = {  # member -> arguments that it is called with
    "_prepare_backbone_features": ("backbone_out",),
    "_track_step": (
        *("frame_idx", "is_init_cond_frame", "current_vision_feats", "current_vision_pos_embeds", "feat_sizes"),
        *("point_inputs", "mask_inputs", "output_dict", "num_frames", "track_in_reverse", "prev_sam_mask_logits"),
    ),
    "_apply_non_overlapping_constraints": ("pred_masks",),
    "_encode_new_memory": (
        *("current_vision_feats", "feat_sizes", "pred_masks_high_res", "object_score_logits", "is_mask_from_pts"),
    ),
}
OF_LIGHTNING = {  # of the fit loop, or of its epoch loop
    "_combined_loader": "fit_loop",
    "_data_fetcher": "fit_loop",
    "_should_accumulate": "fit_loop",
    "_should_check_val_fx": "fit_loop.epoch_loop",
    "_batches_that_stepped": "fit_loop.epoch_loop",
}
USE = re.compile(r"\b(?:model|sam2|trainer|fit_loop|epoch_loop|loop|strategy)\.(_[a-z]\w+)")


@cache
def uses() -> dict[str, str]:
    """Private members of models and loops in the code, and where."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                for name in () if line.lstrip().startswith("#") else USE.findall(line):
                    found.setdefault(name, f"{path.relative_to(ROOT)}:{number}")
    return found


def test_every_private_member_in_use_is_checked_here():
    assert uses().keys() == OF_SAM2.keys() | OF_LIGHTNING.keys()


@pytest.mark.parametrize("name", OF_SAM2)
def test_sam2_has_it(name):
    from sam2.modeling.sam2_base import SAM2Base

    where = f"{uses()[name]} relies on sam2's private {name}"
    member: Any = getattr(SAM2Base, name, None)
    assert member is not None, f"{where}, which sam2 {version('sam2')} has not"
    absent = set(OF_SAM2[name]) - set(inspect.signature(member).parameters)
    assert not absent, f"{where}, which takes no {', '.join(sorted(absent))} in sam2 {version('sam2')}"


@pytest.mark.parametrize("name", OF_LIGHTNING)
def test_lightning_has_it(name, tmp_path):
    from lightning import Trainer

    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    owner: Any = Trainer(accelerator="cpu", default_root_dir=tmp_path, **quiet)
    for part in OF_LIGHTNING[name].split("."):
        owner = getattr(owner, part)
    where = f"{uses()[name]} relies on Lightning's private {OF_LIGHTNING[name]}.{name}"
    assert hasattr(owner, name), f"{where}, which lightning {version('lightning')} has not"
