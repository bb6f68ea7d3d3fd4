"""A SAM 2 whose image encoder and memory attention run in onnxruntime, from the files that ``export --onnx`` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.optional import require
from robustvos.program import program
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.onnx_export import ATTENTION, ATTENTION_INPUTS, ENCODER, WEIGHTS


@contextmanager
def running_files(model: Any, folder: Path, providers: Sequence[str] = ("CPUExecutionProvider",)) -> Iterator[None]:
    """Within this context the model computes both parts from the files; the rest of it stays in PyTorch.

    Args:
        model: The ``SAM2Base`` that was exported, on the CPU.
        folder: What :func:`robustvos.sam2.onnx_export.export_onnx` wrote.
        providers: Of onnxruntime, the preferred one first.

    Raises:
        MissingExtra: If onnxruntime is missing.
        CheckpointNotFound: If a file is not there.
        CheckpointMismatch: If a file was written from other weights.
    """
    runtime = require("onnxruntime", "onnx")
    for name in (ENCODER, ATTENTION):
        if not (folder / name).is_file():
            raise CheckpointNotFound(
                f"{folder} holds no {name}; write it with: {program()} export --onnx --out {folder}"
            )
    encoder, attention = (
        runtime.InferenceSession(str(folder / n), providers=[*providers]) for n in (ENCODER, ATTENTION)
    )

    own = state_hash(model)
    for name, session in ((ENCODER, encoder), (ATTENTION, attention)):
        if session.get_modelmeta().custom_metadata_map.get(WEIGHTS, own) != own:
            raise CheckpointMismatch(
                f"{folder / name} was written from other weights than those of this system; give the --model, --sam2 and "
                f"--ckpt_path that it was exported with, or write it anew: {program()} export --onnx --out FOLDER"
            )

    def encode(image: Tensor) -> dict[str, Any]:
        found = [torch.from_numpy(array) for array in encoder.run(None, {"image": image.float().numpy()})]
        levels, positions = found[: len(found) // 2], found[len(found) // 2 :]
        return {"vision_features": levels[-1], "vision_pos_enc": positions, "backbone_fpn": levels}

    def attend(curr: Any, memory: Tensor, curr_pos: Any, memory_pos: Tensor, num_obj_ptr_tokens: int = 0) -> Tensor:
        features, position = (x[0] if isinstance(x, list | tuple) else x for x in (curr, curr_pos))
        cut = memory.shape[0] - num_obj_ptr_tokens
        inputs = (features, position, memory[:cut], memory_pos[:cut], memory[cut:], memory_pos[cut:])
        named = {name: x.float().contiguous().numpy() for name, x in zip(ATTENTION_INPUTS, inputs, strict=True)}
        return torch.from_numpy(attention.run(None, named)[0])

    with _instead(model, "forward_image", encode), _instead(model.memory_attention, "forward", attend):
        yield


@contextmanager
def _instead(module: Any, name: str, function: Any) -> Iterator[None]:
    """A method of one object exchanged for a while, also where it was exchanged before."""
    own = vars(module).get(name)
    setattr(module, name, function)
    try:
        yield
    finally:
        if own is None:
            delattr(module, name)
        else:
            setattr(module, name, own)
