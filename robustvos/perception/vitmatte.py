"""ViTMatte: alpha by a vision transformer, from the frame and a trimap."""

from __future__ import annotations

import numpy as np
import torch

from robustvos.perception.matte import Matte
from robustvos.perception.transformers_models import PublishedModel
from robustvos.perception.weights import Published


class VitMatte(PublishedModel, Matte):
    """ViTMatte by ``transformers``. Needs the extra ``perception`` and the weights below.

    Args:
        checkpoint: See :mod:`robustvos.perception.weights`.
        erode: See :class:`Matte`; wider than for the classical ones, for the network decides more.
        dilate: See :class:`Matte`.
        device: Where it runs.

    Source: Yao et al., ViTMatte, Information Fusion 2024.
    """

    name = "vitmatte"
    margin = 64
    weights = Published(
        "ViTMatte small",
        "hustvl/vitmatte-small-composition-1k",
        ("config.json", "model.safetensors", "preprocessor_config.json"),
        103,
        "Apache-2.0",
        "vitmatte-small-composition-1k",
    )
    processor_class, model_class = "VitMatteImageProcessor", "VitMatteForImageMatting"

    def __init__(self, checkpoint: str = "auto", erode: int = 8, dilate: int = 8, device: str = "cpu") -> None:
        super().__init__(erode, dilate, checkpoint=checkpoint, device=device)

    def solve(self, pixels: np.ndarray, marks: np.ndarray, plate: np.ndarray | None) -> np.ndarray:
        """See the base class."""
        self.load()
        inputs = self._processor(images=pixels, trimaps=marks, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            alphas = self._model(**inputs).alphas
        height, width = marks.shape
        matte: np.ndarray = alphas[0, 0, :height, :width].float().cpu().numpy()
        return matte
