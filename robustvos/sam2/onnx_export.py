"""SAM 2's image encoder and its memory attention, with whatever adapter stands on them, as ONNX files.

Rotary embedding is complex arithmetic in SAM 2, which ONNX has not; here it is written in real numbers. The grid of features
is fixed by the image size. The numbers of objects, of remembered frames and of pointers are dynamic, each at least one:
a tracker's first frames have less to remember than later ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustvos.errors import UserError
from robustvos.files.atomic import atomic_path
from robustvos.optional import require
from robustvos.sam2.checkpoints import state_hash

WEIGHTS = "robustvos_weights"
"""Key of the metadata of a file: hash of the weights, the adapter's too, that it was written from."""
ENCODER, ATTENTION = "image_encoder.onnx", "memory_attention.onnx"
ATTENTION_INPUTS = ("features", "features_position", "memory", "memory_position", "pointers", "pointers_position")
_OPSET = 18


class ImageEncoderGraph(nn.Module):
    """``image (1, 3, S, S)``, normalised -> the features of each level ``(1, C, h, w)``, finest first, then their positions."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        found = self.model.forward_image(image)
        return (*found["backbone_fpn"], *found["vision_pos_enc"])


class MemoryAttentionGraph(nn.Module):
    """A frame's features, given what is remembered of each object.

    Inputs, for ``B`` objects: ``features`` and their positions ``(h w, B, C)``; ``memory`` of ``F`` frames and its positions
    ``(F h w, B, M)``; ``pointers`` and their positions ``(P C / M, B, M)``. Output ``(h w, B, C)``.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.attention = model.memory_attention

    def forward(
        self,
        features: Tensor,
        features_position: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        pointers: Tensor,
        pointers_position: Tensor,
    ) -> Tensor:
        """See the class."""
        found: Tensor = self.attention(
            curr=features,
            curr_pos=features_position,
            memory=torch.cat([memory, pointers]),
            memory_pos=torch.cat([memory_position, pointers_position]),
            num_obj_ptr_tokens=pointers.shape[0],
        )
        return found


def export_onnx(model: Any, folder: Path) -> list[Path]:
    """Write ``image_encoder.onnx`` and ``memory_attention.onnx``; each appears whole or not at all.

    Args:
        model: A ``SAM2Base`` in eval mode, on the CPU; an adapter that is attached comes with it.
        folder: Made if missing.

    Raises:
        MissingExtra: If the packages that write ONNX are missing.
        UserError: If this model keeps no object pointers, or cannot be written as a graph.
    """
    require("onnx", "onnx")
    require("onnxscript", "onnx")
    if not model.use_obj_ptrs_in_encoder:
        raise UserError(
            "this model keeps no object pointers in its memory, which the ONNX form of memory attention takes; choose another "
            "--sam2"
        )
    objects, pieces = torch.export.Dim("objects", min=1), model.hidden_dim // model.mem_dim
    grid = (model.image_size // 16) ** 2
    frames, pointers = torch.export.Dim("frames", min=1), torch.export.Dim("pointers", min=1)
    inputs = attention_example(model, objects=2, frames=3, pointers=3)
    lengths = (None, None, grid * frames, grid * frames, pieces * pointers, pieces * pointers)
    shapes = [{1: objects} if length is None else {0: length, 1: objects} for length in lengths]
    image = torch.zeros(1, 3, model.image_size, model.image_size)
    levels = len(ImageEncoderGraph(model)(image)) // 2
    names = [*(f"features_{i}" for i in range(levels)), *(f"position_{i}" for i in range(levels))]
    attention, weights = MemoryAttentionGraph(model), state_hash(model)
    with real_rotary(model.memory_attention):
        return [
            _write(ImageEncoderGraph(model), (image,), folder / ENCODER, ["image"], names, None, weights),
            _write(attention, inputs, folder / ATTENTION, [*ATTENTION_INPUTS], ["attended"], tuple(shapes), weights),
        ]


def attention_example(model: Any, objects: int, frames: int, pointers: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Inputs of :class:`MemoryAttentionGraph`, drawn, of the sizes that were asked for."""
    drawn = torch.Generator().manual_seed(seed)
    grid = (model.image_size // 16) ** 2
    wide, narrow, tokens = model.hidden_dim, model.mem_dim, pointers * model.hidden_dim // model.mem_dim
    sizes = [(grid, wide)] * 2 + [(frames * grid, narrow)] * 2 + [(tokens, narrow)] * 2
    return tuple(torch.randn(length, objects, channels, generator=drawn) for length, channels in sizes)


@contextmanager
def real_rotary(attention: nn.Module) -> Iterator[None]:
    """Within this context rotary attention computes the same in real numbers."""
    changed: list[Any] = [module for module in attention.modules() if hasattr(module, "freqs_cis")]
    for module in changed:
        angles = torch.view_as_real(module.freqs_cis.cpu())
        module.forward = partial(_rotary_attention, module, angles[..., 0].clone(), angles[..., 1].clone())
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _rotary_attention(
    module: Any, cosine: Tensor, sine: Tensor, q: Tensor, k: Tensor, v: Tensor, num_k_exclude_rope: int = 0
) -> Tensor:
    """Of a query grid to keys that are grids, one after the other, and tokens without a place behind them."""
    query, key, value = (
        module._separate_heads(project(x), module.num_heads)
        for project, x in ((module.q_proj, q), (module.k_proj, k), (module.v_proj, v))
    )
    placed = key.shape[-2] - num_k_exclude_rope
    grids = key[:, :, :placed].unflatten(2, (-1, query.shape[-2]))
    turned = _rotated(grids, cosine, sine).flatten(2, 3)
    key = torch.cat([turned, key[:, :, placed:]], dim=2)
    found = functional.scaled_dot_product_attention(_rotated(query, cosine, sine), key, value)
    out: Tensor = module.out_proj(module._recombine_heads(found))
    return out


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Pairs of channels ``(..., N, C)`` turned by the angles ``(N, C / 2)``."""
    even, odd = torch.unflatten(x, -1, (-1, 2)).unbind(-1)
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)


def _write(
    graph: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    names: list[str],
    outputs: list[str],
    shapes: Any,
    weights: str,
) -> Path:
    try:
        with torch.no_grad(), warnings.catch_warnings(), atomic_path(path) as partial_path:
            warnings.filterwarnings("ignore", message=".*The axis name.*")
            program = torch.onnx.export(
                graph.eval(),
                inputs,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=shapes,
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            program.model.metadata_props[WEIGHTS] = weights
            program.save(str(partial_path), external_data=False)
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path.name} cannot be written from this model: {reason}") from error
    return path
