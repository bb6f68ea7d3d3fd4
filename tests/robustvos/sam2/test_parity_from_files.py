"""From the same files, the tracker gives the logits of SAM 2's own predictor, which reads and resizes them by itself."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.preprocess import RESIZING, preprocess
from robustvos.sam2.tracker import track
from robustvos.video.frames import open_frames

NANO = Sam2Config("nano", checkpoint="random", image_size=64)


@pytest.fixture
def folder(frames, tmp_path):
    """The frames as JPEG files, in a size that is not the model's."""
    for index, frame in enumerate(frames[:8]):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(tmp_path / f"{index:05d}.jpg")
    return tmp_path


def largest_difference(model, folder, prompt, expected) -> float:
    found = list(track(model, open_frames(folder), [prompt]))
    return max(float((frame.logits - logits).abs().max()) for frame, logits in zip(found, expected, strict=True))


def test_official_resizing_gives_the_logits_of_the_predictor_from_the_same_files(
    model, frames, folder, make_prompts, reference
):
    prompt = make_prompts("box")[0]
    peer = reference(model, frames[:1])
    peer.state = peer.predictor.init_state(str(folder))
    peer.tell(prompt)
    expected = peer.run(0, 8)
    official = copy.deepcopy(model)
    setattr(official, RESIZING, "official")
    assert largest_difference(official, folder, prompt, expected) < 1e-3
    assert largest_difference(model, folder, prompt, expected) > 1e-3  # one grey level here and there


def test_the_setting_reaches_the_model():
    assert getattr(build_sam2(replace(NANO, resize="official")), RESIZING) == "official"
    assert getattr(build_sam2(NANO), RESIZING) == "fast"


def test_official_resizing_is_pillows():
    frames = torch.randint(0, 256, (2, 3, 3, 30, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = preprocess(frames, 64, resizing="official")
    assert found.shape == (2, 3, 3, 64, 64)
    image = Image.fromarray(frames[1, 2].permute(1, 2, 0).numpy()).resize((64, 64))
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = (torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255 - mean) / deviation
    torch.testing.assert_close(found[1, 2], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(preprocess(frames[1, 2], 64, resizing="official"), found[1, 2])
    assert (preprocess(frames, 64) - found).abs().max() <= 2.001 / 255 / 0.224  # grey levels, of noise
