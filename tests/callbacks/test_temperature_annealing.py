"""Temperature annealing: the values a real training run sees, against closed forms."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from callbacks.temperature_annealing import TemperatureAnnealing
from robustvos.adapters import GaRA, MoGA
from robustvos.errors import UnknownName, UserError

pytestmark = pytest.mark.fast

BATCHES = 4


class Regression(L.LightningModule):
    """One weight, and an adapter that has a temperature; writes down the temperature of every batch."""

    def __init__(self, adapter):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.adapter = adapter
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append(getattr(self.adapter, "tau", None))
        return self.layer(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


GATED = MoGA(tau=9.0)


@pytest.fixture
def train(tmp_path):
    def fit(annealing, *, ckpt_path=None, callbacks=(), logger=False, adapter=GATED, **options):
        module = Regression(adapter)
        trainer = L.Trainer(
            accelerator="cpu",
            default_root_dir=tmp_path,
            logger=logger,
            callbacks=[annealing, *callbacks],
            enable_checkpointing=bool(callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
            **options,
        )
        trainer.fit(module, DataLoader(torch.ones(BATCHES, 1), batch_size=1), ckpt_path=ckpt_path)
        return module.seen

    return fit


def cosine(start, end, count):
    return end + (start - end) * (1 + np.cos(np.pi * np.arange(count) / (count - 1))) / 2


@pytest.mark.parametrize(
    ("schedule", "closed_form"), [("linear", np.linspace), ("exponential", np.geomspace), ("cosine", cosine)]
)
@pytest.mark.parametrize(("start", "end"), [(2.0, 0.3), (0.1, 0.7)])
def test_whole_run_goes_from_start_to_end(train, schedule, closed_form, start, end):
    seen = train(TemperatureAnnealing(start, end, schedule=schedule), max_epochs=3)
    np.testing.assert_allclose(seen, closed_form(start, end, 3 * BATCHES), rtol=1e-12)
    assert (seen[0], seen[-1]) == (start, end)


def test_a_temperature_that_its_method_fixes_stays(train):
    assert set(train(TemperatureAnnealing(1.0, 0.3), adapter=GaRA(tau=0.5), max_epochs=2)) == {0.5}
    assert len(set(train(TemperatureAnnealing(1.0, 0.3), adapter=MoGA(), max_epochs=2))) == 2 * BATCHES


def test_epochs_share_a_temperature(train):
    seen = train(TemperatureAnnealing(1.0, 0.4, unit="epoch"), max_epochs=3)
    np.testing.assert_allclose(seen, np.repeat([1.0, 0.7, 0.4], BATCHES))


def test_run_that_ends_within_an_epoch_still_reaches_the_end(train):
    seen = train(TemperatureAnnealing(1.0, 0.4, unit="epoch"), max_epochs=10, max_steps=2 * BATCHES + 1)
    np.testing.assert_allclose(seen, [1.0] * BATCHES + [0.7] * BATCHES + [0.4])


def test_whole_number_is_a_number_of_steps_and_the_end_stays(train):
    seen = train(TemperatureAnnealing(1.0, 0.5, duration=3), max_epochs=2)
    np.testing.assert_allclose(seen, [1.0, 0.75] + [0.5] * 6)


def test_decimal_is_a_share_of_the_run(train):
    seen = train(TemperatureAnnealing(1.0, 0.4, duration=0.5), max_epochs=2)
    np.testing.assert_allclose(seen, [1.0, 0.8, 0.6] + [0.4] * 5)


def test_duration_of_one_is_the_end_at_once(train):
    assert train(TemperatureAnnealing(1.0, 0.4, duration=1), max_epochs=1) == [0.4] * BATCHES


def test_batches_that_are_accumulated_share_a_temperature(train):
    seen = train(TemperatureAnnealing(1.0, 0.4), max_epochs=2, accumulate_grad_batches=2)
    np.testing.assert_allclose(seen, np.repeat(np.linspace(1.0, 0.4, 4), 2))


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_resumed_run_goes_on_where_it_stopped(train, tmp_path, unit):
    keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=BATCHES, save_top_k=-1)
    whole = train(TemperatureAnnealing(2.0, unit=unit), max_epochs=4, callbacks=[keep])
    rest = train(TemperatureAnnealing(2.0, unit=unit), max_epochs=4, ckpt_path=str(tmp_path / "step=8.ckpt"))
    assert rest == whole[8:]
    assert len(set(rest)) > 1


def test_temperature_is_logged_as_tau(train, tmp_path):
    seen = train(TemperatureAnnealing(1.0, 0.4), max_epochs=1, logger=CSVLogger(tmp_path, name="logs", version=0))
    with (tmp_path / "logs" / "version_0" / "metrics.csv").open() as file:
        logged = [float(row["tau"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(logged, seen, rtol=1e-6)


@pytest.mark.parametrize("adapter", [None, SimpleNamespace(rank=4)])
def test_system_without_temperature_is_left_alone(train, adapter):
    seen = train(TemperatureAnnealing(1.0), adapter=adapter, max_epochs=1)
    assert seen == [None] * BATCHES


@pytest.mark.parametrize(("unit", "duration"), [("step", None), ("epoch", 0.5)])
def test_endless_run_needs_a_duration(train, unit, duration):
    with pytest.raises(UserError, match=f"length of the run in {unit}s is unknown"):
        train(TemperatureAnnealing(1.0, unit=unit, duration=duration), max_epochs=-1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"start": 0.0},
        {"start": -1.0},
        {"start": float("nan")},
        {"start": 1.0, "end": 0.0},
        {"start": 1.0, "end": float("inf")},
        {"start": 1.0, "duration": 0},
        {"start": 1.0, "duration": -3},
        {"start": 1.0, "duration": True},
        {"start": 1.0, "duration": 0.0},
        {"start": 1.0, "duration": 1.5},
        {"start": 1.0, "duration": 100.0},
    ],
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(UserError, match="annealing: "):
        TemperatureAnnealing(**arguments)


@pytest.mark.parametrize("arguments", [{"schedule": "linaer"}, {"unit": "steps"}])
def test_unknown_names_are_refused_with_the_nearest(arguments):
    with pytest.raises(UnknownName, match=r"did you mean '(linear|step)'"):
        TemperatureAnnealing(1.0, **arguments)
