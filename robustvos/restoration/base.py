"""What every restorer is: a frame goes in, the same frame with less weather, noise or blur comes out.

Restorers work on the frames before anything is tracked, one at a time, and are never trained here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from robustvos.errors import BadVideo


class Restorer(nn.Module, ABC):
    """Restores single frames of any size; frozen, and always in eval mode.

    A plugin makes its network in the constructor, fills it in :meth:`load` and runs it in :meth:`enhance`.

    Attributes:
        multiple: The network is given sides that are multiples of this.
        smallest: And no side below this.
    """

    multiple: int = 1
    smallest: int = 1

    def __init__(self) -> None:
        super().__init__()
        self._ready = False

    @abstractmethod
    def enhance(self, images: Tensor) -> Tensor:
        """Restore ``(1, 3, H, W)`` float32 RGB in [0, 1]; the result has the same shape and is clipped afterwards."""

    def load(self) -> None:
        """Fill the network with its weights, if it has any. Raises CheckpointNotFound or CheckpointMismatch."""

    def prepare(self) -> Self:
        """Load the weights and freeze them, once. :meth:`restore` does it if nobody has; call it to fail early."""
        if not self._ready:
            self.load()
            self.eval().requires_grad_(False)
            self._ready = True
        return self

    def restore(self, frame: Tensor) -> Tensor:
        """Restore a frame, on the restorer's device and in float32, also under autocast.

        Args:
            frame: ``(3, H, W)`` uint8 RGB.

        Returns:
            ``(3, H, W)`` uint8 on the device of ``frame``; an ordinary tensor, which may be changed.

        Raises:
            BadVideo: If the frame is not uint8 RGB, or has no pixels.
            CheckpointNotFound: If the weights are missing.
            CheckpointMismatch: If they belong to another network.
        """
        if frame.dtype != torch.uint8 or frame.ndim != 3 or frame.shape[0] != 3 or 0 in frame.shape:
            seen = f"{frame.dtype} {tuple(frame.shape)}"
            raise BadVideo(f"a frame must be uint8 (3, H, W), got {seen}; convert it to 8-bit RGB")
        self.prepare()
        tensor = next(chain(self.parameters(), self.buffers()), frame)
        height, width = frame.shape[-2:]
        with torch.inference_mode(), torch.autocast(tensor.device.type, enabled=False):
            images = self._pad(frame.to(tensor.device)[None].float() / 255)
            found = self.enhance(images)[0, :, :height, :width]
            restored = found.clamp(0, 1).mul(255).round().to(frame.device, torch.uint8)
        return restored.clone()

    def forward(self, frame: Tensor) -> Tensor:
        """The same as :meth:`restore`."""
        return self.restore(frame)

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode: published statistics must not drift, whatever the module around it does."""
        return super().train(False)

    def _pad(self, images: Tensor) -> Tensor:
        """Repeat the last row and column until the network's sides are met."""
        height, width = (-(-max(side, self.smallest) // self.multiple) * self.multiple for side in images.shape[-2:])
        missing = (0, width - images.shape[-1], 0, height - images.shape[-2])
        return F.pad(images, missing, mode="replicate") if any(missing) else images
