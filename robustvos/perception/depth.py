"""What every source of depth is: how near the objects of a frame are, and which of two tracks is in front.

One convention everywhere: **nearness**, larger is closer. Its unit is the plugin's own (see ``unit``), so values of
different plugins are never compared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from robustvos.errors import BadMask
from robustvos.perception.frames import check_frame
from robustvos.perception.weights import Published
from robustvos.seeding import generator

Order = Literal["first", "second", "undecided"]
"""Which of two tracks is nearer to the camera."""

_PAIRS, _JUDGES = 300, 2000  # lines tried, and pixels that each is judged by


class Depth(ABC):
    """Nearness of objects, or of every pixel.

    Attributes:
        name: Key in the registry.
        unit: What nearness is measured in.
        dense: Whether :meth:`nearness_map` gives a map; else only objects have a nearness.
        weights: What it needs from elsewhere; None if nothing.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    dense: ClassVar[bool] = False
    weights: ClassVar[Published | None] = None

    @abstractmethod
    def objects(self, frame: Tensor, masks: Tensor) -> Tensor:
        """Nearness of each object.

        Args:
            frame: ``(3, H, W)`` uint8 RGB.
            masks: ``(O, H, W)`` bool.

        Returns:
            ``(O,)`` float32; NaN where it cannot be said (an empty mask, say).

        Raises:
            BadVideo: If the frame is not uint8 RGB.
            BadMask: If the masks are not bool, or of another size.
        """

    @abstractmethod
    def order(self, first: Tensor, second: Tensor) -> Order:
        """Which of two tracks is nearer, or that it cannot be said.

        Args:
            first: ``(T,)`` nearness of one object over the frames that count, NaN where unknown.
            second: ``(T,)`` of the other, on the same frames.
        """

    def nearness_map(self, frame: Tensor) -> Tensor:
        """``(H, W)`` float32, nearness of every pixel.

        Raises:
            NotImplementedError: If the plugin is not ``dense``.
        """
        raise NotImplementedError(f"{self.name} knows the depth of objects alone, not of pixels")


def check_masks(frame: Tensor, masks: Tensor) -> None:
    """Refuse masks that do not fit ``frame``.

    Raises:
        BadVideo: If the frame is not uint8 RGB.
        BadMask: If the masks are not bool ``(O, H, W)`` of its size.
    """
    check_frame(frame)
    if masks.dtype != torch.bool or masks.ndim != 3 or masks.shape[-2:] != frame.shape[-2:]:
        expected = f"bool (O, {frame.shape[-2]}, {frame.shape[-1]})"
        raise BadMask(
            f"masks must be {expected}, got {masks.dtype} {tuple(masks.shape)}; export them at the frames' size"
        )


def aligned(values: Tensor, reference: Tensor, static: Tensor) -> Tensor:
    """Bring a nearness map to the scale of a reference by the pixels that both show.

    A network's relative nearness is known up to scale and shift, anew on every frame. On the static part of a scene two maps
    must agree. Of the lines through pairs of static pixels the one with the smallest median error is taken (up to half of the
    pixels may show something else after all), then fitted again by least squares to what it explains.

    Args:
        values: ``(H, W)`` float, the map to change.
        reference: ``(H, W)`` float, e.g. that of the clean plate.
        static: ``(H, W)`` bool, pixels where both show the same thing.

    Returns:
        ``(H, W)`` float32. Where fewer than two different static values exist, or the fit would turn near and far around,
        ``values`` as they are.

    Source: least median of squares, Rousseeuw, JASA 1984.
    """
    x, y = values[static].double(), reference[static].double()
    if len(x) < 2:
        return values.float()
    rng = generator("aligned", len(x))
    some = torch.randint(len(x), (2, _PAIRS), generator=rng)
    apart = x[some[1]] != x[some[0]]
    first, second = some[0][apart], some[1][apart]
    if not len(first):
        return values.float()
    scales = (y[second] - y[first]) / (x[second] - x[first])
    shifts = y[first] - scales * x[first]
    judged = torch.randint(len(x), (_JUDGES,), generator=rng) if len(x) > _JUDGES else torch.arange(len(x))
    errors = (scales[:, None] * x[judged] + shifts[:, None] - y[judged]).abs().median(1).values
    best = int(errors.argmin())
    kept = (scales[best] * x + shifts[best] - y).abs() <= 3.0 * 1.48 * errors[best] + 1e-9
    centred = x[kept] - x[kept].mean()
    variance = float((centred * centred).sum())
    scale = float((centred * (y[kept] - y[kept].mean())).sum()) / variance if variance > 0 else float(scales[best])
    shift = float(y[kept].mean() - scale * x[kept].mean())
    return (scale * values + shift).float() if scale > 0 else values.float()
