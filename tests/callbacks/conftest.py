"""Tiny videos, a tiny SAM 2, and real trainers that run one through the other."""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from pathlib import Path
from types import ModuleType

import cloudpickle
import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from callbacks.base import VideoCallback
from lightning_modules.promptable_vos import PromptableVOS
from robustvos.adapters import MoGA
from robustvos.evaluation.protocol import DatasetFacts
from robustvos.sam2.config import Sam2Config
from robustvos.types import Prompt, Video

SIZE = (48, 64)


@pytest.fixture(autouse=True)
def quiet():
    """Lightning's advice on workers and loggers is not what is tested here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def make_video():
    """A video of squares that move over noise; ``prompted`` says on which frame each object is introduced."""

    def make(name="clip", frames=5, objects=(1, 2), prompted=None, corruption="clean", size=SIZE, **fields):
        random = torch.Generator().manual_seed(len(name) + frames)
        masks = torch.zeros(frames, len(objects), *size, dtype=torch.bool)
        for t in range(frames):
            for row in range(len(objects)):
                masks[t, row, 4 + t : 20 + t, 6 + 26 * row : 22 + 26 * row] = True
        prompted = prompted or (0,) * len(objects)
        prompts = [
            Prompt(o, mask=masks[t, row], frame=t) for row, (o, t) in enumerate(zip(objects, prompted, strict=True))
        ]
        values = {
            "name": name,
            "frames": list(torch.randint(0, 256, (frames, 3, *size), generator=random, dtype=torch.uint8)),
            "object_ids": tuple(objects),
            "masks": list(masks),
            "prompts": tuple(sorted(prompts, key=lambda prompt: prompt.frame)),
            "frame_names": tuple(f"{5 * t:05d}" for t in range(frames)),
            "size": size,
            "corruption": corruption,
        }
        return Video(**{**values, **fields})

    return make


@pytest.fixture(scope="session")
def make_system():
    """PromptableVOS on an untrained nano; an adapter is given gates and updates that do something."""

    def make(adapter=None):
        torch.manual_seed(0)
        module = PromptableVOS(Sam2Config(checkpoint="random", image_size=64), adapter=adapter)
        if adapter is not None:
            with torch.no_grad():
                for parameter in adapter.parameters():
                    parameter.normal_(std=0.2)
        return module

    return make


@pytest.fixture(scope="session")
def moga_system(make_system):
    return make_system(MoGA(rank=4))


class Witness(VideoCallback):
    """Remembers what the callbacks beside it were told."""

    def __init__(self):
        self.masks = {}

    def on_tracked_frame(self, trainer, module, video, frame, tracked):
        found = zip(tracked.object_ids, tracked.masks.cpu().clone(), strict=True)
        self.masks[video.name, video.corruption, tracked.index] = dict(found)


class Videos(L.LightningDataModule):
    """Given videos, to validate, test or predict."""

    def __init__(self, videos, facts=None):
        super().__init__()
        self.videos, self.facts = videos, facts or DatasetFacts()

    def test_dataloader(self):
        return DataLoader(self.videos, batch_size=None)

    val_dataloader = predict_dataloader = test_dataloader


@pytest.fixture
def videos_of():
    """A datamodule of given videos."""
    return Videos


@pytest.fixture
def run(tmp_path):
    """``run("test", system, videos, [callbacks])`` -> the run's folder and a witness; the rest are facts of the data."""

    def run_stage(stage, system, videos, callbacks, **facts):
        witness, data = Witness(), Videos(videos, DatasetFacts(**facts))
        trainer = L.Trainer(
            accelerator="cpu",
            logger=TensorBoardLogger(tmp_path, name=stage),
            callbacks=[*callbacks, witness],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )
        options = {} if stage == "predict" else {"verbose": False}
        getattr(trainer, stage)(system, datamodule=data, **options)
        for logger in trainer.loggers:
            logger.finalize("success")
        return Path(trainer.log_dir), witness

    return run_stage


@pytest.fixture
def read_images():
    """TensorBoard images of a folder, by tag: ``(width, height)``."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder):
        events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
        tags = events.Tags()["images"]
        return {tag: [(image.width, image.height) for image in events.Images(tag)] for tag in tags}

    return read


@pytest.fixture
def two_processes(tmp_path):
    """``two_processes(callback, ...)``: a trainer of two processes on the CPU that leaves its files in ``tmp_path``."""
    if torch.cuda.is_initialized():
        pytest.skip("a process that uses CUDA cannot be forked")

    def make(*callbacks: L.Callback) -> L.Trainer:
        return L.Trainer(
            accelerator="cpu",
            devices=2,
            strategy="ddp_fork",
            default_root_dir=tmp_path,
            logger=False,
            callbacks=list(callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )

    return make


@pytest.fixture(scope="session")
def line() -> ModuleType:
    """``line_training.py`` beside this file, which closures take with them to another process."""
    spec = importlib.util.spec_from_file_location("line_training", Path(__file__).with_name("line_training.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module
