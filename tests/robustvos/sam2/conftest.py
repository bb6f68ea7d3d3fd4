"""A small SAM 2 whose answers depend on everything, a video, and SAM 2's own predictor with the same weights."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from PIL import Image

from robustvos.sam2.build import architecture, build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.preprocess import preprocess
from robustvos.types import Prompt

SIZE = (48, 80)
NANO = Sam2Config("nano", checkpoint="random", image_size=64)


@functools.cache
def lively_model(config: Sam2Config = NANO) -> Any:
    """Random weights, a few of them scaled up so that objects appear and memory changes their masks visibly."""
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = build_sam2(config)
    torch.random.set_rng_state(state)
    with torch.no_grad():
        for mlp in model.sam_mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight *= 10
        for layer in model.memory_attention.layers:
            layer.cross_attn_image.out_proj.weight *= 2
        score = model.sam_mask_decoder.pred_obj_score_head
        last = getattr(score, "layers", [score])[-1]
        last.weight *= 5
        last.bias += 1.0
        model.maskmem_tpos_enc *= 5
        for module in (model.memory_encoder.out_proj, model.obj_ptr_proj, model.obj_ptr_tpos_proj):
            for parameter in module.parameters():
                parameter *= 2
    return model


@functools.cache
def moving_squares(length: int = 20) -> list[torch.Tensor]:
    """Frames ``(3, 48, 80)`` uint8: three squares over a panning texture."""
    height, width = SIZE
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(1, 3, 9, 24, generator=generator) * 255
    wide = torch.nn.functional.interpolate(noise, (height, width + length), mode="bilinear")[0]
    frames = []
    for t in range(length):
        frame = wide[:, :, t : t + width].clone()
        frame[:, 10:25, 5 + t : 20 + t] = torch.tensor([250.0, 30, 20])[:, None, None]
        frame[:, 20:40, 50 - t : 65 - t] = torch.tensor([20.0, 240, 60])[:, None, None]
        frame[:, 30:38, 30:45] = torch.tensor([20.0, 40, 240])[:, None, None]
        frames.append(frame.to(torch.uint8))
    return frames


def prompts_of(kind: str, frame: int = 0) -> list[Prompt]:
    """One prompt per square of :func:`moving_squares`, all of one kind; ids 7, 3, 5."""
    boxes = {7: (5 + frame, 10, 19 + frame, 24), 3: (50 - frame, 20, 64 - frame, 39), 5: (30, 30, 44, 37)}
    prompts = []
    for object_id, (x0, y0, x1, y1) in boxes.items():
        mask = torch.zeros(SIZE, dtype=torch.bool)
        mask[y0 : y1 + 1, x0 : x1 + 1] = True
        box = torch.tensor([x0, y0, x1, y1], dtype=torch.float32)
        clicks = torch.tensor([[(x0 + x1) / 2, (y0 + y1) / 2], [x0 + 2.0, y0 + 1.0], [x1 + 3.0, y1 + 2.0]])
        labels = torch.tensor([1, 1, 0])
        what: dict[str, Any] = {
            "mask": {"mask": mask},
            "box": {"box": box},
            "point": {"points": clicks[:1], "labels": labels[:1]},
            "points": {"points": clicks, "labels": labels},
            "box+point": {"box": box, "points": clicks[:1], "labels": labels[:1]},
        }[kind]
        prompts.append(Prompt(object_id, frame=frame, **what))
    return prompts


class Reference:
    """SAM 2's own video predictor on the same weights and frames."""

    def __init__(self, model: Any, frames: list[torch.Tensor], config: Sam2Config = NANO, **options: Any) -> None:
        node = architecture(config)
        node.merge_with({"_target_": "sam2.sam2_video_predictor.SAM2VideoPredictor", **options})
        self.predictor = instantiate(node, _recursive_=True).eval()
        self.predictor.load_state_dict(model.state_dict())
        with tempfile.TemporaryDirectory() as folder:
            height, width = frames[0].shape[-2:]
            Image.new("RGB", (width, height)).save(Path(folder) / "0.jpg")
            self.state = self.predictor.init_state(folder)
        # JPEG would change the frames: hand them over as they are
        self.state["images"] = preprocess(torch.stack(frames), model.image_size)
        self.state["num_frames"] = len(frames)
        self.state["cached_features"] = {}

    def tell(self, prompt: Prompt) -> None:
        """Give the predictor a prompt."""
        if prompt.mask is not None:
            self.predictor.add_new_mask(self.state, prompt.frame, prompt.object_id, prompt.mask)
        else:
            self.predictor.add_new_points_or_box(
                self.state, prompt.frame, prompt.object_id, points=prompt.points, labels=prompt.labels, box=prompt.box
            )

    def run(self, start: int, stop: int) -> list[torch.Tensor]:
        """Logits ``(O, H, W)`` of frames ``start`` to ``stop - 1``."""
        steps = self.predictor.propagate_in_video(self.state, start, stop - 1 - start)
        return [logits[:, 0] for _, _, logits in steps]


@pytest.fixture
def build_lively() -> Any:
    """:func:`lively_model`, for other architectures; keep the result unchanged, it is shared."""
    return lively_model


@pytest.fixture
def model() -> Any:
    """The lively nano model at 64 px; shared, keep it unchanged."""
    return lively_model()


@pytest.fixture
def frames() -> list[torch.Tensor]:
    """Twenty frames of 48x80."""
    return moving_squares()


@pytest.fixture
def make_prompts() -> Any:
    """:func:`prompts_of`."""
    return prompts_of


@pytest.fixture
def reference() -> Any:
    """:class:`Reference`."""
    return Reference
