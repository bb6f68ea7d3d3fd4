"""System: a SAM 2, an adapter, a restorer and trained weights, in plain PyTorch. A row of a results table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from robustvos.adapters import Adapter, GatedAdapter
from robustvos.errors import BadPrompt, CheckpointMismatch, UserError
from robustvos.restoration import Restorer
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import PromptSampling, Sam2Config
from robustvos.sam2.memory_policies import MemoryPolicy
from robustvos.sam2.provenance import Provenance, describe_unfit_shipped, find_shipped_adapter, read_adapter
from robustvos.sam2.tracker import Tracker
from robustvos.systems.folders import write_folder
from robustvos.types import Prompt, TrackedFrame

NO_ADAPTER = (
    "{} holds an adapter, but this system has none; choose the --model that was trained, which config.yaml beside its "
    "checkpoints folder names"
)


class System:
    """A base, what is added to it, and what is done to frames before it.

    Args:
        sam2: The base.
        adapter: What is added to it; None: nothing. Attached here.
        restorer: What frames pass before they are tracked; None: nothing. Its weights are loaded.
        weights: The adapter's trained weights, of a run or exported; None: untrained.
        name: Of the row in tables; None: after what it is made of, see :func:`system_name`.
        sampling: How prompts are drawn in training.
        ready: Load the weights of base and restorer; False only to look at modules and parameters.
        memory: Which masks are believed and which memories looked at; None: as SAM 2 has it.

    Attributes:
        sam2: The settings of the base.
        model: The SAM 2.
        base: Which base weights the adapter stands on.
        origin: Where the adapter's weights come from; None while it is untrained.

    Raises:
        CheckpointNotFound: If weights are missing.
        CheckpointMismatch: If they belong to something else.
    """

    def __init__(
        self,
        sam2: Sam2Config,
        adapter: Adapter | None = None,
        restorer: Restorer | None = None,
        *,
        weights: Path | str | None = None,
        name: str | None = None,
        sampling: PromptSampling | None = None,
        ready: bool = True,
        memory: MemoryPolicy | None = None,
    ) -> None:
        config = sam2 if ready else replace(sam2, checkpoint="random", trunk_weights=None)
        self.restorer = restorer.prepare() if restorer is not None and ready else restorer
        self.sam2 = sam2
        self.model: Any = build_sam2(config, sampling or PromptSampling())
        self.base = Provenance.of(sam2, self.model)
        self.adapter = adapter
        self.memory = memory
        self._name = name
        self.origin: str | None = None
        if adapter is None and weights is not None:
            raise CheckpointMismatch(NO_ADAPTER.format(weights))
        if adapter is not None:
            adapter.attach(self.model)
            if weights is not None:
                self.load_adapter(weights)

    @property
    def name(self) -> str:
        """Of the row in tables."""
        return self._name or system_name(self.adapter, self.restorer, self.memory)

    def name_with(self, completion: object | None) -> str:
        """Of the row in tables, where something makes whole masks of its visible ones; None: nothing does."""
        if completion is None:
            return self.name
        words = _words_of(type(completion).__name__)
        return words if self.name == "sam2" else f"{self.name}_{words}"

    def load_adapter(self, path: Path | str) -> None:
        """Load the adapter's trained weights, of a run or exported.

        Raises:
            CheckpointNotFound: If there is no such file.
            CheckpointMismatch: If they were trained on another base or with other settings, or do not fit.
        """
        if self.adapter is None:
            raise CheckpointMismatch(NO_ADAPTER.format(path))
        self.adapter.load_adapter_state_dict(read_adapter(Path(path), self.base, self.adapter))
        self.origin = str(path)

    def require_trained(self) -> None:
        """Load the adapter that is shipped for this base, if none is loaded: untrained, its numbers would be the base's.

        Raises:
            UserError: If none is shipped.
        """
        if self.adapter is None or not self.adapter.is_identity():
            return
        shipped = find_shipped_adapter(self.adapter, self.base)
        if shipped is not None:
            self.adapter.load_adapter_state_dict(shipped.state)
            self.origin = shipped.name
            return
        unfit = describe_unfit_shipped(self.adapter, self.base)
        if unfit is not None:
            raise UserError(f"{unfit}; or measure the frozen model with --model sam2")
        raise UserError(
            f"{type(self.adapter).__name__} on {self.sam2.variant} was never trained: its numbers would be those of the frozen "
            "model. Give --ckpt_path, train it with fit, or measure the frozen model with --model sam2"
        )

    def to(self, device: torch.device | str) -> Self:
        """Move everything to a device: an adapter is no part of the model that carries it."""
        for part in (self.model, self.adapter, self.restorer):
            if part is not None:
                part.to(device)
        return self

    def tracker(self, *, overlapping: bool = False, num_frames: int | None = None) -> Tracker:
        """A tracker for one video.

        Args:
            overlapping: Masks of several objects may overlap; else each pixel is given to one of them.
            num_frames: Of the video, if known; see :class:`robustvos.sam2.tracker.Tracker`.
        """
        if isinstance(self.adapter, GatedAdapter):
            self.adapter.object_to_clip = None
        moves = self.adapter is not None and self.adapter.cue is not None  # remembers places, which a window would move
        return Tracker(
            self.model,
            non_overlapping=not overlapping,
            num_frames=num_frames,
            policy=self.memory,
            view="frame" if moves else None,
        )

    def track(
        self, frames: Iterable[Tensor], prompts: Sequence[Prompt], *, overlapping: bool = False
    ) -> Iterator[TrackedFrame]:
        """Follow objects through frames as they come; memory does not grow with their number.

        Args:
            frames: ``(3, H, W)`` uint8 RGB each, all of one size; a list, a camera, anything that can be iterated.
            prompts: What is said of each object, on the frames that they name.
            overlapping: See :meth:`tracker`.

        Raises:
            BadPrompt: If a prompt lies outside of its frame; at the end, if a prompt's frame never came.
        """
        length = len(frames) if isinstance(frames, Sized) else None
        tracker = self.tracker(overlapping=overlapping, num_frames=length)
        for t, frame in enumerate(frames):
            seen = frame if self.restorer is None else self.restorer(frame)
            yield tracker.step(seen, [prompt for prompt in prompts if prompt.frame == t])
        missed = sorted({prompt.frame for prompt in prompts if not 0 <= prompt.frame < tracker.index})
        if missed:
            named = ", ".join(map(str, missed))
            raise BadPrompt(f"prompts for frames {named} were not used: the video has {tracker.index} frames")

    def merge(self) -> Self:
        """Fold the adapter into the base's own weights, for the last time: the system then is a plain SAM 2.

        Raises:
            UserError: If it has no adapter, or one that cannot be folded because gates act on it from frame to frame.
        """
        if self.adapter is None:
            raise UserError(f"{self.name} has no adapter to merge; load one that has, e.g. lora with its checkpoint")
        self.adapter.merge()
        self.adapter = None
        self.base = Provenance.of(self.sam2, self.model)
        return self

    def parameters(self) -> dict[str, int]:
        """Parameters in ``total``, and those that training changes (``trainable``)."""
        parts = [part for part in (self.model, self.adapter, self.restorer) if part is not None]
        parameters = [p for part in parts for p in part.parameters()]
        return {
            "total": sum(p.numel() for p in parameters),
            "trainable": sum(p.numel() for p in parameters if p.requires_grad),
        }

    def save_pretrained(self, folder: Path | str) -> Path:
        """Write the system to a folder that :func:`robustvos.load_system` reads; returns the folder.

        The adapter's weights, and what base they stand on; of a system without adapter the whole base in half precision.

        Raises:
            UserError: If the folder cannot be written.
        """
        return write_folder(
            Path(folder), self.name, self.sam2, self.model, self.base, self.adapter, self.restorer, self.memory
        )


_SHORT = {"full_finetuning": "finetune", "full_fine_tuning": "finetune", "layer_norm_tuning": "layernorm"}


def system_name(adapter: Any, restorer: Any = None, memory: Any = None) -> str:
    """A name after what runs, in the manner of ``configs/model``: restorer, then adapter, or the bare ``sam2``.

    Args:
        adapter: What is added to the base, or None. One that is switched off (``enabled`` is False) does nothing, and the
            name says so.
        restorer: What frames pass first, or None.
        memory: The memory policy, or None.

    >>> class URIE: ...
    >>> class MoGARelease: ...
    >>> system_name(None), system_name(None, URIE()), system_name(MoGARelease()), system_name(MoGARelease(), URIE())
    ('sam2', 'restored_urie', 'moga_release', 'restored_urie_moga_release')
    """
    classes = [None if part is None else type(part).__name__ for part in (adapter, restorer, memory)]
    is_off = getattr(adapter, "is_attached", False) and not getattr(adapter, "enabled", True)
    return name_of_parts(*classes, is_off=is_off)


def name_of_parts(
    adapter: str | None, restorer: str | None = None, memory: str | None = None, *, is_off: bool = False
) -> str:
    """:func:`system_name` by the names of classes alone; None: there is no such part.

    >>> name_of_parts("PointerBottleneck", memory="SAMURAI")
    'pointer_bottleneck_samurai'
    """
    parts = []
    if restorer is not None:
        parts.append(f"restored_{restorer.lower()}")
    if adapter is not None:
        parts.append(_adapter_name(adapter))
    if is_off:
        parts.append("off")
    if memory is not None:
        parts.append(memory.lower())
    return "_".join(parts) or "sam2"


def _adapter_name(kind: str) -> str:
    """A class's name in small letters: words apart, acronyms whole."""
    words = _words_of(kind)
    return _SHORT.get(words, words)


def _words_of(kind: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[A-Z]{2})(?=[A-Z][a-z])", "_", kind).lower()
