"""What a corruption is: an object prepared for one clip that renders any of its frames, alone or in any order.

Everything random is drawn from ``(seed, clip name, corruption, purpose)`` when the clip is prepared, or from those and
the frame index when a frame is rendered. Neither the severity nor the preset enters a seed, so that the same clip at
two severities shows the same drops, flakes and noise, only stronger.

Frames are rendered one by one even within a batch, and with arithmetic whose result does not depend on how a tensor is
split over vector lanes or threads (no fused multiply-add, no float reduction, matrix products of short fixed-point
numbers only). This is what makes frame ``t`` bit-equal however it is asked for. On a CPU the loops of
:mod:`robustvos.corruptions.compiled` do the work, on an accelerator torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from robustvos.corruptions.layers import AnyLayers
from robustvos.corruptions.profile import fourier_profile
from robustvos.errors import UnknownName, UserError
from robustvos.seeding import numpy_rng

if TYPE_CHECKING:
    from typing_extensions import Self

PRESETS = ("intended", "release")
MAX_SEVERITY = 5.0
PRESET_SEVERITY = 3.0
"""The severity at which a preset has its own strength."""
REFERENCE_HEIGHT = 480
"""Short side, in pixels, of the frames that sizes in pixels refer to."""


@dataclass(frozen=True)
class ClipSpec:
    """What a corruption may know of a clip before it sees a frame.

    Attributes:
        name: Identity of the clip; part of every seed.
        length: Number of frames of the whole clip, at least 1.
        size: ``(H, W)`` in pixels.
        seed: Seed of the experiment.
        severity: In (0, 5]; 3 is the preset's own strength. Need not be whole.
        preset: ``"intended"`` (parameters as written, coherent in time) or ``"release"`` (what the published data
            contain).
        layers: The things that the clip shows and how far they are, where known; only corruptions with ``needs_layers``
            ask.

    Raises:
        UserError: If the severity is outside (0, 5].
        UnknownName: If there is no such preset.
        ValueError: If the length or the size is not positive.
    """

    name: str
    length: int
    size: tuple[int, int]
    seed: int = 0
    severity: float = PRESET_SEVERITY
    preset: str = "intended"
    layers: AnyLayers | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.severity <= MAX_SEVERITY:
            raise UserError(
                f"severity {self.severity:g} is out of range: give a number above 0 and at most {MAX_SEVERITY:g} "
                f"({PRESET_SEVERITY:g} is the preset's own strength)"
            )
        if self.preset not in PRESETS:
            raise UnknownName.of("preset", self.preset, PRESETS)
        if self.length < 1 or min(self.size) < 1:
            raise ValueError(
                f"clip '{self.name}': need at least 1 frame of 1x1 pixels, got {self.length} of {self.size}"
            )

    @property
    def strength(self) -> float:
        """Factor on the preset's own strength: 1/3 at severity 1, 1 at 3, 5/3 at 5."""
        return self.severity / PRESET_SEVERITY

    @property
    def scale(self) -> float:
        """Pixels of this clip per pixel of a 480p frame."""
        return min(self.size) / REFERENCE_HEIGHT


class Corruption(ABC):
    """A corruption prepared for one clip.

    Attributes:
        name: Key in the registry; part of every seed.
        needs_layers: Whether the clip's layers must be known.
        clip: What it was prepared for.

    Raises:
        UserError: If layers are needed and not known.
        ValueError: If they do not fit the clip.
    """

    name: ClassVar[str]
    needs_layers: ClassVar[bool] = False

    def __init__(self, clip: ClipSpec) -> None:
        """Draw what stays the same over the clip."""
        self.clip = clip
        if self.needs_layers:
            check_layers(self.name, clip.layers)
            self._check_fit(clip)

    @classmethod
    def prepare(
        cls,
        clip_name: str,
        length: int,
        size: tuple[int, int],
        *,
        seed: int = 0,
        severity: float = PRESET_SEVERITY,
        preset: str = "intended",
        layers: AnyLayers | None = None,
    ) -> Self:
        """Draw the state of a whole clip; see :class:`ClipSpec` for the arguments and errors."""
        return cls(ClipSpec(clip_name, length, (size[0], size[1]), seed, severity, preset, layers))

    def apply(self, frames: Tensor, indices: Sequence[int] | None = None) -> Tensor:
        """Corrupt some frames of the clip.

        Args:
            frames: ``(N, 3, H, W)`` uint8, RGB, on any device.
            indices: Index in the clip of each frame; None means ``0 .. N - 1``.

        Returns:
            ``(N, 3, H, W)`` uint8 on the same device; the input is left as it is.

        Raises:
            ValueError: If type or shape do not fit the clip, or an index lies outside it.
        """
        indices = range(len(frames)) if indices is None else indices
        self._check(frames, indices)
        corrupted = _room_for(frames)
        with torch.inference_mode():  # spares every small operation the bookkeeping of gradients
            for position, index in enumerate(indices):
                self.render(frames[position], int(index), corrupted[position])
        return corrupted

    @abstractmethod
    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame.

        Args:
            frame: ``(3, H, W)`` uint8.
            index: Its number in the clip.
            out: ``(3, H, W)`` uint8, contiguous, where the corrupted frame goes; another memory than ``frame``.
        """

    def rng(self, *purpose: object) -> np.random.Generator:
        """A generator for one purpose of this clip; the same on every call."""
        return numpy_rng(self.clip.seed, self.clip.name, self.name, *purpose)

    def profile(self, parameter: str, centre: float, low: float = 0.0, high: float = np.inf) -> np.ndarray:
        """``(T,)`` float64, the course of one parameter over the clip, clamped to ``[low, high]``."""
        course: np.ndarray = np.clip(
            fourier_profile(centre, self.clip.length, self.rng("profile", parameter)), low, high
        )
        return course

    @staticmethod
    def _check_fit(clip: ClipSpec) -> None:
        if clip.layers is not None and clip.layers.shape != (clip.length, *clip.size):
            raise ValueError(
                f"layers {clip.layers.shape} do not fit clip '{clip.name}' of {clip.length} frames of {clip.size}"
            )

    def _check(self, frames: Tensor, indices: Sequence[int]) -> None:
        expected = (3, *self.clip.size)
        if frames.dtype != torch.uint8 or frames.ndim != 4 or tuple(frames.shape[1:]) != expected:
            raise ValueError(
                f"{self.name} of clip '{self.clip.name}' expects uint8 frames (N, {', '.join(map(str, expected))}), "
                f"got {frames.dtype} {tuple(frames.shape)}"
            )
        if len(indices) != len(frames):
            raise ValueError(f"{len(frames)} frames need as many indices, got {len(indices)}")
        if len(indices) and not 0 <= min(indices) <= max(indices) < self.clip.length:
            raise ValueError(
                f"indices {min(indices)}..{max(indices)} leave clip '{self.clip.name}' of {self.clip.length}"
            )


def _room_for(frames: Tensor) -> Tensor:
    """Uninitialised memory like that of some frames, contiguous."""
    if frames.device.type != "cpu":
        return torch.empty_like(frames, memory_format=torch.contiguous_format)
    # NumPy asks for large pages where torch does not: touching new memory is half of the cheapest corruption's time.
    return torch.from_numpy(np.empty(tuple(frames.shape), np.uint8))


def check_layers(name: str, layers: AnyLayers | None) -> AnyLayers:
    """``layers``, which the corruption ``name`` needs. Raises UserError if they are not known."""
    if layers is None:
        raise UserError(
            f"'{name}' degrades each thing of a frame in its own way and needs to know them: take --data shapes, or give depth "
            "maps of your frames with --data.depth FOLDER"
        )
    return layers


def as_float(pixels: Tensor) -> Tensor:
    """A contiguous float32 copy."""
    return pixels.to(torch.float32, memory_format=torch.contiguous_format)


def round_into(out: Tensor, pixels: Tensor) -> None:
    """Clamp and round float32 pixels, half to even, and store them as uint8; they may change in place."""
    out.copy_(pixels.clamp_(0.0, 255.0).round_())
