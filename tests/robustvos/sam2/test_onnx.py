"""ONNX files compute what the model computes: for any number of objects, and inside of a tracker."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.adapters import MoGA
from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.onnx_export import (
    ATTENTION,
    ATTENTION_INPUTS,
    ENCODER,
    ImageEncoderGraph,
    MemoryAttentionGraph,
    attention_example,
    export_onnx,
    real_rotary,
)
from robustvos.sam2.onnx_files import running_files
from robustvos.sam2.tracker import track
from robustvos.systems.loading import load_system
from robustvos.types import Prompt
from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def moga():
    return load_system("moga").model


@pytest.fixture(scope="module")
def sessions(graphs):
    runtime = pytest.importorskip("onnxruntime")
    paths = [graphs.folder / name for name in (ENCODER, ATTENTION)]
    return [runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in paths]


def attend(session, inputs):
    named = {name: value.numpy() for name, value in zip(ATTENTION_INPUTS, inputs, strict=True)}
    return torch.from_numpy(session.run(None, named)[0])


def test_rotary_in_real_numbers_is_the_complex_one(moga):
    inputs = attention_example(moga, objects=2, frames=2, pointers=3)
    with torch.no_grad():
        before = MemoryAttentionGraph(moga)(*inputs)
        with real_rotary(moga.memory_attention):
            torch.testing.assert_close(MemoryAttentionGraph(moga)(*inputs), before, atol=1e-5, rtol=0)
        assert torch.equal(MemoryAttentionGraph(moga)(*inputs), before)  # and is put back


@pytest.mark.parametrize("objects,frames,pointers", [(1, 1, 1), (5, 4, 4)])
def test_attention_with_its_adapter_equals_eager(moga, sessions, objects, frames, pointers):
    inputs = attention_example(moga, objects, frames, pointers, seed=objects)
    with torch.no_grad():
        expected = MemoryAttentionGraph(moga)(*inputs)
    torch.testing.assert_close(attend(sessions[1], inputs), expected, atol=TOLERANCE, rtol=0)
    plain = build_sam2(Sam2Config("nano"))  # so that the adapter is known to be in the file
    with torch.no_grad():
        assert (MemoryAttentionGraph(plain)(*inputs) - expected).abs().max() > 10 * TOLERANCE


def test_gates_that_read_maps_are_in_the_file(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model, adapter = build_sam2(Sam2Config("nano")), MoGA(gate_bias=0.0, reads="maps")
    adapter.attach(model)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in adapter.trainable_parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=random))
    export_onnx(model, tmp_path)
    session = runtime.InferenceSession(str(tmp_path / ATTENTION), providers=["CPUExecutionProvider"])
    for objects, frames, pointers in ((1, 1, 1), (5, 4, 4)):
        inputs = attention_example(model, objects, frames, pointers, seed=objects)
        with torch.no_grad():
            expected = MemoryAttentionGraph(model)(*inputs)
        torch.testing.assert_close(attend(session, inputs), expected, atol=TOLERANCE, rtol=0)


def test_encoder_equals_eager(moga, sessions):
    image = torch.randn(1, 3, moga.image_size, moga.image_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = ImageEncoderGraph(moga)(image)
    for found, wanted in zip(sessions[0].run(None, {"image": image.numpy()}), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=TOLERANCE, rtol=0)


def compared(model, folder, frames, prompts):
    """Logits of a tracker on the model, and of one on the files."""
    eager = torch.cat([found.logits for found in track(model, frames, prompts)])
    with running_files(model, folder):
        files = torch.cat([found.logits for found in track(model, frames, prompts)])
    return eager, files


def test_a_tracker_on_the_files_gives_the_same_masks(moga, graphs):
    """Two objects that come at different times, so that memories of one frame and of several are read."""
    frames = torch.full((8, 3, 64, 64), 60, dtype=torch.uint8)
    for t in range(8):
        frames[t, 0, 10:26, 8 + 2 * t : 24 + 2 * t] = 230
        frames[t, 2, 40:56, 40 - 2 * t : 56 - 2 * t] = 230
    prompts = [
        Prompt(1, box=torch.tensor([8.0, 10.0, 23.0, 25.0])),
        Prompt(2, frame=2, box=torch.tensor([36.0, 40.0, 51.0, 55.0])),
    ]
    before = moga.memory_attention.forward
    eager, files = compared(moga, graphs.folder, frames, prompts)
    torch.testing.assert_close(files, eager, atol=20 * TOLERANCE, rtol=0)  # logits span tens
    assert torch.equal(files > 0, eager > 0) and not torch.equal(files, eager)
    assert moga.memory_attention.forward == before  # and all is put back


def test_a_real_clip_on_the_files(moga, graphs):
    root = os.environ.get("ROBUSTVOS_REALDATA")
    if root is None:
        pytest.skip("needs real clips: set ROBUSTVOS_REALDATA")
    frames = open_frames(Path(root, "davis", "JPEGImages", "480p", "blackswan"))[:10]
    ids = read_indexed_mask(Path(root, "davis", "Annotations", "480p", "blackswan", "00000.png"))
    eager, files = compared(moga, graphs.folder, frames, [Prompt(1, mask=torch.from_numpy(ids == 1))])
    assert (eager > 0).sum() > 10_000
    torch.testing.assert_close(files, eager, atol=20 * TOLERANCE, rtol=0)
    assert ((files > 0) != (eager > 0)).float().mean() < 1e-5


def test_files_that_are_not_there_are_named(moga, tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(CheckpointNotFound, match="image_encoder.onnx; write it with"), running_files(moga, tmp_path):
        pass


def test_the_command_says_what_to_do_with_the_files(graphs):
    lines = graphs.said.strip().splitlines()
    assert lines[0].startswith(f"{graphs.folder / ENCODER}: ") and lines[-1].startswith("next: ")


def test_files_of_other_weights_are_refused(graphs):
    pytest.importorskip("onnxruntime")
    frozen = load_system("sam2", sam2="nano").model
    with pytest.raises(CheckpointMismatch, match="written from other weights"), running_files(frozen, graphs.folder):
        pass


def test_small_in_files_equals_eager(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = load_system("sam2", sam2="small").model
    encoder, attention = (
        runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in export_onnx(model, tmp_path)
    )
    image = torch.randn(1, 3, model.image_size, model.image_size, generator=torch.Generator().manual_seed(0))
    inputs = attention_example(model, objects=3, frames=2, pointers=3, seed=1)
    with torch.no_grad():
        levels, attended = ImageEncoderGraph(model)(image), MemoryAttentionGraph(model)(*inputs)
    for found, wanted in zip(encoder.run(None, {"image": image.numpy()}), levels, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(attend(attention, inputs), attended, atol=TOLERANCE, rtol=0)


def test_track_runs_the_files(graphs, door, tmp_path):
    frames = tmp_path / "clip"
    frames.mkdir()
    for t in range(3):
        picture = np.full((48, 64, 3), 60, np.uint8)
        picture[10:26, 8 + 2 * t : 24 + 2 * t, 0] = 230
        Image.fromarray(picture).save(frames / f"{t:05d}.png")
    use = ["track", frames, "--box", "8,10,23,25", "--model", "moga", "--sam2", "nano", "--device", "cpu"]
    assert door(*use, "--out", tmp_path / "eager").code == 0
    assert door(*use, "--out", tmp_path / "files", "--onnx", graphs.folder).code == 0
    eager, files = ((tmp_path / name / "masks" / "00002.png").read_bytes() for name in ("eager", "files"))
    assert eager == files
    assert "holds no image_encoder.onnx" in door(*use, "--out", tmp_path / "no", "--onnx", frames).error
    assert not (tmp_path / "no").exists()
