"""All callbacks in one training run and one test on the embedded dataset, with the report as their reader."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import lightning as L
import pytest
from lightning.pytorch.loggers import TensorBoardLogger

from callbacks.gate_monitor import GateMonitor
from callbacks.mask_writer import MaskWriter
from callbacks.overlay_logger import OverlayLogger
from callbacks.strip_writer import StripWriter
from callbacks.temperature_annealing import TemperatureAnnealing
from datamodules.shapes import Shapes
from robustvos.adapters import MoGA
from robustvos.datasets.shapes import ShapesEvaluation, TrainClips
from robustvos.report.curves import read_scalars
from robustvos.report.figures import find_strips


@pytest.fixture
def trainer(tmp_path):
    effects = [TemperatureAnnealing(1.0, 0.3), OverlayLogger(1, 2), GateMonitor(), MaskWriter(), StripWriter(1, 2)]
    return L.Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path, name="run"),
        callbacks=effects,
        max_epochs=2,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )


def test_fit_and_test_leave_what_the_report_reads(trainer, make_system, read_images):
    moga_system = make_system(MoGA(rank=4))
    clips = ShapesEvaluation(limit=1, frames=3, conditions=("clean", "fog"))
    data = Shapes(size=64, train=TrainClips(frames=3, frames_per_batch=3, batches=2), val=clips, test=clips)
    trainer.fit(moga_system, datamodule=data)
    folder = Path(trainer.log_dir)
    assert moga_system.adapter.tau == 0.3
    assert read_scalars(folder)["tau"].values == pytest.approx((1.0, 1.0 - 0.7 / 3, 1.0 - 1.4 / 3, 0.3))
    pictures = {tag: len(sizes) for tag, sizes in read_images(folder).items()}
    clip = "shapes_val_0000"
    # once a validation: the sanity check before the first epoch is not logged
    assert pictures == {f"overlay/{clip}": 2, f"gates/{clip}": 2, f"gates/{clip}@fog": 2}
    assert not (folder / "masks").exists()

    trainer.test(moga_system, datamodule=data, verbose=False)
    assert len(list((folder / "masks" / "shapes_test_0000@fog").glob("*.png"))) == 3
    strips = find_strips(SimpleNamespace(folder=folder))
    assert [(s.clip, s.corruption) for s in strips] == [("shapes_test_0000", "clean"), ("shapes_test_0000@fog", "fog")]
    assert {path.stem for path in (folder / "figures" / "gates").iterdir()} == {s.clip for s in strips}
