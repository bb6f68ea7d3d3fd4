"""The embedded dataset: procedural clips, drawn on the fly, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from datamodules.base import Data
from datamodules.collate import collate_clips
from datamodules.corruption import Corruption, check_conditions, corrupt_training_clip, corrupted_video, strength
from datamodules.photometric import Photometric, augment_photometrically
from datamodules.prompting import prompts_where_first_seen
from datamodules.resumable import ResumableLoader
from robustvos.corruptions import Layers
from robustvos.errors import UserError
from robustvos.scenes import RenderedScene, SceneSpec, render_scene
from robustvos.seeding import numpy_rng
from robustvos.types import Clip, Video
from robustvos.video.prompts import parse_prompt_kind

SPLITS = {"train": 0, "val": 1_000_000_000, "test": 2_000_000_000}  # first seed of each; they never meet
_EPOCH = 1_000_000  # seeds of each epoch


@dataclass(frozen=True)
class TrainClips:
    """What an epoch of training clips is made of.

    Attributes:
        frames: Length of a clip; or ``{epoch: length}``, each holding from that epoch on (needs
            ``trainer.reload_dataloaders_every_n_epochs``).
        frames_per_batch: Clips in a batch are this over their length.
        batches: Batches in an epoch (of each process).
        max_objects: Objects in a clip, at most.
        photometric: Mild augmentation; None: none.
        corruption: What clips are corrupted by; None: nothing.
    """

    frames: int | dict[int, int] = 8
    frames_per_batch: int = 32
    batches: int = 100
    max_objects: int = 3
    photometric: Photometric | None = None
    corruption: Corruption | None = None


@dataclass(frozen=True)
class EvaluationClips:
    """What validation and test are made of.

    Attributes:
        clips: Clips for each condition; the same ones under each, so that conditions and systems can be paired.
        in_turn: Instead, ``clips`` clips in all, each under one condition, in turn: for the same time more clips, whose
            intervals are narrower; systems can still be paired.
        frames: Length of a clip.
        conditions: ``clean`` and names of corruptions, local ones too.
        severity: Strength of the corruptions, above 0 and at most 5.
        preset: ``release`` or ``intended``; see :mod:`robustvos.corruptions`.
        max_objects: Objects in a clip, at most.
        prompt: ``mask``, ``box`` or ``points:N`` on the first frame.

    Raises:
        UnknownName: If a condition, the preset or the prompt is not known.
        UserError: If the severity is out of range, or there are fewer clips in turn than conditions.
    """

    clips: int = 25
    frames: int = 16
    conditions: tuple[str, ...] = ("clean",)
    severity: float = 3.0
    preset: str = "intended"
    max_objects: int = 3
    prompt: str = "mask"
    in_turn: bool = False

    def __post_init__(self) -> None:
        check_conditions(self.conditions, self.severity, self.preset, layered=True)
        parse_prompt_kind(self.prompt)
        if self.in_turn and self.clips < len(self.conditions):
            raise UserError(
                f"{self.clips} clips in turn cannot have {len(self.conditions)} conditions; take more clips"
            )


class Shapes(Data):
    """Procedural clips of textured objects that move, cross, hide each other and reappear.

    Args:
        size: Side of the square frames, pixels.
        train: Training clips.
        val: Validation clips.
        test: Test clips; split by seed from the former two.
        seed: Of training clips' corruptions and augmentation. The clips of validation and test never change.
        workers: Processes that draw clips.
    """

    name = "shapes"
    skip_first_last = True  # the first frame is given, as in DAVIS's semi-supervised protocol

    def __init__(
        self,
        size: int = 128,
        train: TrainClips = TrainClips(),
        val: EvaluationClips = EvaluationClips(),
        test: EvaluationClips = EvaluationClips(),
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.size = size
        self.train, self.val, self.test = train, val, test
        self.seed = seed
        self.workers = workers

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has if the trainer reloads its loaders with each.

        Raises:
            UserError: If clips should change their length with the epochs, and the trainer does not reload then.
        """
        if self.workers:
            cv2.setNumThreads(1)  # a worker that is forked while OpenCV has threads may wait for them forever
        epoch = self.trainer.current_epoch if self.trainer else 0
        world = self.trainer.world_size if self.trainer else 1
        if self.trainer and isinstance(self.train.frames, Mapping):
            _check_reloading(self.train.frames, getattr(self.trainer, "reload_dataloaders_every_n_epochs", 0))
        frames = clip_length(self.train.frames, epoch)
        batch_size = max(1, self.train.frames_per_batch // frames)
        count = self.train.batches * batch_size * world
        dataset = ShapesClips(self.train, self.size, frames, first=epoch * _EPOCH, count=count, seed=self.seed)
        return ResumableLoader(
            dataset,
            batch_size=batch_size,
            collate_fn=collate_clips,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader:
        """One video an item."""
        return self._videos(self.val, "val")

    def test_dataloader(self) -> DataLoader:
        """One video an item."""
        return self._videos(self.test, "test")

    def predict_dataloader(self) -> DataLoader:
        """The test videos."""
        return self.test_dataloader()

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """Size and length of the clips, their objects, and how strongly they are corrupted."""
        clips = self.test if split == "test" else self.val
        facts = {"side": str(self.size), "frames": str(clips.frames), "objects up to": str(clips.max_objects)}
        return facts | strength(clips.preset, clips.severity) | ({"conditions": "in turn"} if clips.in_turn else {})

    def _videos(self, clips: EvaluationClips, split: str) -> DataLoader:
        return DataLoader(ShapesVideos(clips, self.size, split), batch_size=None, num_workers=0)


class ShapesClips(Dataset):
    """Training clips ``first`` to ``first + count - 1``; item ``i`` depends on nothing but ``first + i`` and the seed.

    Raises:
        UserError: If there are more clips than seeds of the epoch, or of the whole training.
    """

    def __init__(self, settings: TrainClips, size: int, frames: int, first: int, count: int, seed: int) -> None:
        self.settings = settings
        self.spec = SceneSpec(size=(size, size), frames=frames, max_objects=settings.max_objects)
        self.first, self.count, self.seed = first, count, seed
        if count > _EPOCH or first + count > SPLITS["val"] - SPLITS["train"]:
            raise UserError(
                f"{count} clips from number {first} on are more than there are: {_EPOCH} an epoch, {SPLITS['val'] // _EPOCH} "
                "epochs; take fewer batches, or another seed for a further run"
            )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = SPLITS["train"] + self.first + index
        scene = render_scene(self.spec, numpy_rng("shapes", self.seed, number))
        clip = Clip(
            name=f"shapes_train_{number:09d}",
            frames=frames_tensor(scene),
            masks=torch.from_numpy(scene.modal),
            object_ids=scene.object_ids,
            amodal=torch.from_numpy(scene.amodal),
        )
        if self.settings.photometric is not None:
            clip = augment_photometrically(clip, self.settings.photometric, self.seed)
        if self.settings.corruption is not None:
            clip = corrupt_training_clip(clip, self.settings.corruption, self.seed, partial(layers_of, scene))
        return clip


class ShapesVideos(Dataset):
    """Every clip under every condition, condition by condition; or each under one of them, clip by clip."""

    def __init__(self, clips: EvaluationClips, size: int, split: str) -> None:
        self.clips = clips
        self.spec = SceneSpec(size=(size, size), frames=clips.frames, max_objects=clips.max_objects)
        self.split = split

    def __len__(self) -> int:
        return self.clips.clips * (1 if self.clips.in_turn else len(self.clips.conditions))

    def __getitem__(self, index: int) -> Video:
        if not 0 <= index < len(self):
            raise IndexError(index)
        condition, number = divmod(index, self.clips.clips)
        if self.clips.in_turn:
            condition = number % len(self.clips.conditions)
        seed = SPLITS[self.split] + number
        scene = render_scene(self.spec, numpy_rng("shapes", 0, seed))
        masks = list(torch.from_numpy(scene.modal))
        name = f"shapes_{self.split}_{number:04d}"
        video = Video(
            name=name,
            frames=list(frames_tensor(scene)),
            object_ids=scene.object_ids,
            masks=masks,
            amodal=list(torch.from_numpy(scene.amodal)),
            prompts=prompts_where_first_seen(name, masks, scene.object_ids, self.clips.prompt),
            frame_names=tuple(f"{t:05d}" for t in range(self.clips.frames)),
            size=self.spec.size,
        )
        severity, preset = self.clips.severity, self.clips.preset
        return corrupted_video(video, self.clips.conditions[condition], severity, preset, layers_of(scene))


def clip_length(frames: int | Mapping[int, int], epoch: int) -> int:
    """Length of training clips in ``epoch``.

    >>> [clip_length({0: 2, 3: 8}, epoch) for epoch in (0, 2, 3, 9)]
    [2, 2, 8, 8]

    Raises:
        UserError: If the schedule does not start at epoch 0.
    """
    if isinstance(frames, int):
        return frames
    if 0 not in frames:
        raise UserError(f"the schedule of clip lengths {dict(frames)} must start at epoch 0")
    return frames[max(start for start in frames if start <= epoch)]


def _check_reloading(schedule: Mapping[int, int], every: int) -> None:
    """Refuse a schedule of clip lengths that would pass unnoticed."""
    missed = [start for start in schedule if start and (not every or start % every)]
    if missed:
        raise UserError(
            f"clips should change their length at epochs {missed}, but loaders are made anew every {every} epochs (0: never); "
            "set trainer.reload_dataloaders_every_n_epochs to 1"
        )


def frames_tensor(scene: RenderedScene) -> torch.Tensor:
    """``(T, 3, H, W)`` uint8."""
    return torch.from_numpy(scene.frames).permute(0, 3, 1, 2).contiguous()


def layers_of(scene: RenderedScene) -> Layers:
    """What is seen where, objects with and without ids."""
    return Layers(scene.labels, scene.layer_depth)
