"""Depth Anything V2: nearness of every pixel from a single frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from robustvos.errors import UserError
from robustvos.perception.depth import Depth, Order, aligned, check_masks
from robustvos.perception.frames import check_frame, to_pixels
from robustvos.perception.transformers_models import PublishedModel
from robustvos.perception.weights import Published

_FARTHEST_M = 1000.0  # metric depths beyond are one to us, and zero is no depth
_NEAREST_M = 1e-3


class DepthAnything(PublishedModel, Depth):
    """Depth Anything V2 by ``transformers``. Needs the extra ``perception`` and the weights below.

    Relative checkpoints answer with inverse depth of unknown scale and shift, metric ones with metres; both become nearness
    (inverse depth, larger is closer). Relative maps of different frames are not comparable as they are: call
    :meth:`set_reference` with the clean plate of a static camera, and every map is brought to its scale by its static pixels.

    Args:
        checkpoint: See :mod:`robustvos.perception.weights`. The small model is Apache-2.0; base and large are CC-BY-NC-4.0.
        dead_zone: Order is undecided if two tracks differ by less than this share of the reference's (or, without one, of
            both tracks' own) range of nearness. Not measured yet.
        device: Where it runs.

    Raises:
        UserError: If ``dead_zone`` is not in [0, 1).

    Source: Yang et al., Depth Anything V2, NeurIPS 2024.
    """

    name = "depth_anything"
    unit = "inverse depth"
    dense = True
    weights = Published(
        "Depth Anything V2 Small",
        "depth-anything/Depth-Anything-V2-Small-hf",
        ("config.json", "model.safetensors", "preprocessor_config.json"),
        99,
        "Apache-2.0",
        "Depth-Anything-V2-Small-hf",
    )
    processor_class, model_class = "DPTImageProcessor", "DepthAnythingForDepthEstimation"

    def __init__(self, checkpoint: str = "auto", dead_zone: float = 0.02, device: str = "cpu") -> None:
        if not 0 <= dead_zone < 1:
            raise UserError(f"depth_anything: dead_zone is {dead_zone:g}; give a share in [0, 1)")
        super().__init__(checkpoint=checkpoint, device=device)
        self.dead_zone = dead_zone
        self._reference: Tensor | None = None
        self._range: float | None = None

    def set_reference(self, plate: Tensor | None) -> None:
        """Make the nearness of ``plate``, ``(3, H, W)`` uint8, the scale of all later maps; None forgets it."""
        self._reference = None
        self._range = None
        if plate is not None:
            self._reference = self.nearness_map(plate)
            low, high = torch.quantile(_sparse(self._reference), torch.tensor([0.05, 0.95])).tolist()
            self._range = high - low

    def nearness_map(self, frame: Tensor, moving: Tensor | None = None) -> Tensor:
        """Nearness of every pixel, on the CPU.

        Args:
            frame: ``(3, H, W)`` uint8 RGB.
            moving: ``(H, W)`` bool, pixels that do not show what the reference shows; left out of the fit to it.

        Returns:
            ``(H, W)`` float32.
        """
        check_frame(frame)
        self.load()
        inputs = self._processor(images=to_pixels(frame), return_tensors="pt").to(self.device)
        with torch.inference_mode():
            depth = self._model(**inputs).predicted_depth.float()
        size = (frame.shape[-2], frame.shape[-1])
        native = F.interpolate(depth[:, None], size, mode="bicubic", align_corners=False)[0, 0].cpu().clone()
        if self._model.config.depth_estimation_type == "metric":
            return 1.0 / native.clamp(_NEAREST_M, _FARTHEST_M)
        if self._reference is None:
            return native
        static = torch.ones(size, dtype=torch.bool) if moving is None else ~moving.cpu()
        return aligned(native, self._reference, static)

    def objects(self, frame: Tensor, masks: Tensor) -> Tensor:
        """Median nearness inside each mask; NaN where a mask is empty."""
        check_masks(frame, masks)
        nearness = self.nearness_map(frame, masks.any(0))
        found = [nearness[mask.cpu()] for mask in masks]
        return torch.tensor([float(inside.median()) if len(inside) else float("nan") for inside in found])

    def order(self, first: Tensor, second: Tensor) -> Order:
        """By the median difference over frames where both are known."""
        both = ~(first.isnan() | second.isnan())
        if not bool(both.any()):
            return "undecided"
        gap = float((first[both] - second[both]).median())
        seen = torch.cat([first[both], second[both]])
        span = self._range if self._range is not None else float(seen.max() - seen.min())
        if abs(gap) <= self.dead_zone * span:
            return "undecided"
        return "first" if gap > 0 else "second"


def _sparse(values: Tensor) -> Tensor:
    """Every n-th value, few enough for ``torch.quantile``."""
    flat = values.flatten()
    return flat[:: max(1, len(flat) // 100_000)]
