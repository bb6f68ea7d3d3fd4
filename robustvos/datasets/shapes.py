"""The embedded dataset: procedural clips, drawn on the fly, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch.utils.data import Dataset

from robustvos.corruptions import AnyLayers, Layers
from robustvos.datasets.corruption import Corruption, corrupt_training_clip
from robustvos.datasets.epochs import EPOCH
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.photometric import Photometric, augment_photometrically
from robustvos.errors import UserError
from robustvos.evaluation.protocol import Protocol
from robustvos.scenes import RenderedScene, SceneSpec, render_scene
from robustvos.seeding import numpy_rng
from robustvos.types import Clip, Video

SPLITS = {"train": 0, "val": 1_000_000_000, "test": 2_000_000_000}  # first seed of each; they never meet


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
class ShapesEvaluation(Evaluation):
    """Evaluation of drawn clips.

    Attributes:
        limit: Clips that are drawn; the same ones under each condition, so that conditions and systems can be paired.
        frames: Length of a clip.
        objects: Objects in a clip, at most.
    """

    limit: int | None = 25
    frames: int = 16
    objects: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("limit", "frames", "objects"):
            if not (getattr(self, name) or 0) >= 1:
                raise UserError(f"{name} is {getattr(self, name)}; clips are drawn, give 1 or more")

    def facts(self, protocol: Protocol) -> dict[str, str]:
        """See :meth:`robustvos.datasets.evaluation.Evaluation.facts`."""
        facts = super().facts(protocol)
        chosen = {"objects tracked up to": facts.pop("objects up to")} if "objects up to" in facts else {}
        return {"frames": str(self.frames), "objects up to": str(self.objects), **chosen, **facts}


class ShapesClips(Dataset[Clip]):
    """Training clips ``first`` to ``first + count - 1``; item ``i`` depends on nothing but ``first + i`` and the seed.

    Raises:
        UserError: If there are more clips than seeds of the epoch, or of the whole training.
    """

    def __init__(self, settings: TrainClips, size: int, frames: int, first: int, count: int, seed: int) -> None:
        self.settings = settings
        self.spec = SceneSpec(size=(size, size), frames=frames, max_objects=settings.max_objects)
        self.first, self.count, self.seed = first, count, seed
        if count > EPOCH or first + count > SPLITS["val"] - SPLITS["train"]:
            raise UserError(
                f"{count} clips from number {first} on are more than there are: {EPOCH} an epoch, {SPLITS['val'] // EPOCH} "
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


class ShapesVideos(VideoSet):
    """Drawn evaluation clips.

    Args:
        settings: How many, and of what.
        size: Side of the square frames, pixels.
        split: ``val`` or ``test``.
    """

    has_layers = True

    def __init__(self, settings: ShapesEvaluation, size: int, split: str) -> None:
        self.spec = SceneSpec(size=(size, size), frames=settings.frames, max_objects=settings.objects)
        self.split = split
        self.names = tuple(f"shapes_{split}_{number:04d}" for number in range(settings.limit or 0))

    def video(self, index: int) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        scene = self._scene(index)
        return Video(
            name=self.names[index],
            frames=list(frames_tensor(scene)),
            object_ids=scene.object_ids,
            masks=list(torch.from_numpy(scene.modal)),
            amodal=list(torch.from_numpy(scene.amodal)),
            prompts=(),
            frame_names=tuple(f"{t:05d}" for t in range(self.spec.frames)),
            size=self.spec.size,
        )

    def layers(self, index: int, video: Video) -> AnyLayers:
        """What is seen where, objects with and without ids."""
        return layers_of(self._scene(index)).first(len(video.frames))

    def _scene(self, index: int) -> RenderedScene:
        return render_scene(self.spec, numpy_rng("shapes", 0, SPLITS[self.split] + index))


def frames_tensor(scene: RenderedScene) -> torch.Tensor:
    """``(T, 3, H, W)`` uint8."""
    return torch.from_numpy(scene.frames).permute(0, 3, 1, 2).contiguous()


def layers_of(scene: RenderedScene) -> Layers:
    """What is seen where, objects with and without ids."""
    return Layers(scene.labels, scene.layer_depth)
