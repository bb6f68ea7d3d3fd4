"""A tiny SAM 2, a tiny clip, and what is done with them."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config


@pytest.fixture(scope="session")
def built_nano():
    torch.manual_seed(0)
    return build_sam2(Sam2Config("nano", checkpoint="random", image_size=64))


@pytest.fixture
def make_nano(built_nano):
    """Gives the nano architecture with the same random weights, in eval mode; a fresh one at every call."""
    return lambda: copy.deepcopy(built_nano)


@pytest.fixture
def nano(make_nano):
    return make_nano()


@pytest.fixture(scope="session")
def make_batch():
    """Squares that move over noise: one clip of three frames per entry of ``objects``, which counts its objects."""

    def make(objects=(2,), frames=3, size=64, seed=0):
        random = torch.Generator().manual_seed(seed)
        clips, total = len(objects), sum(objects)
        masks = torch.zeros(frames, total, size, size, dtype=torch.bool)
        for t in range(frames):
            for o in range(total):
                top, left = 4 + 3 * t, 5 + 14 * o
                masks[t, o, top : top + 20 + 4 * o, left : left + 16] = True
        clip_of = torch.repeat_interleave(torch.arange(clips), torch.tensor(objects))
        return SimpleNamespace(
            num_frames=frames,
            masks=masks,
            flat_img_batch=torch.randn(clips * frames, 3, size, size, generator=random),
            flat_obj_to_img_idx=torch.stack([clip_of * frames + t for t in range(frames)]),
            object_to_clip=clip_of,
        )

    return make


@pytest.fixture
def clip(make_batch):
    return make_batch()


@pytest.fixture(scope="session")
def track():
    """Track without gradient from the first frame's masks: logits ``(T, N, 64, 64)``."""

    def run(model, batch):
        with torch.no_grad():
            outputs = model(batch)
        return torch.stack([frame["pred_masks_high_res"][:, 0] for frame in outputs])

    return run


@pytest.fixture(scope="session")
def loss_of():
    """A loss that every output enters."""

    def loss(outputs):
        logits = [x for frame in outputs for x in frame["multistep_pred_multimasks_high_res"]]
        return sum((x.sigmoid() * torch.linspace(0, 1, x.shape[-1])).mean() for x in logits)

    return loss


@pytest.fixture(scope="session")
def perturb():
    """Move every trained parameter a little, as training would."""

    def move(adapter, by=0.3, seed=1):
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in adapter.trainable_parameters():
                parameter.add_(torch.randn(parameter.shape, generator=random), alpha=by)

    return move


@pytest.fixture(scope="session")
def memory_call():
    """Arguments of memory attention for known pointers ``(P, B, C)``, cut into tokens as SAM 2 does it."""

    def make(model, pointers, tokens_of_maps=16, seed=2):
        random = torch.Generator().manual_seed(seed)
        _, objects, channels = pointers.shape
        cut = pointers.reshape(-1, objects, channels // model.mem_dim, model.mem_dim).permute(0, 2, 1, 3).flatten(0, 1)
        maps = torch.randn(tokens_of_maps, objects, model.mem_dim, generator=random)
        memory = torch.cat([maps, cut])
        frame = torch.randn(16, 1, channels, generator=random).expand(-1, objects, -1)
        return {
            "curr": frame,
            "curr_pos": torch.randn(16, objects, channels, generator=random),
            "memory": memory,
            "memory_pos": torch.randn(memory.shape, generator=random),
            "num_obj_ptr_tokens": len(cut),
        }

    return make
