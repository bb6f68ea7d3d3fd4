"""Layers that somebody else's program has written: read back, and put together again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import BadVideo, DataNotFound
from robustvos.perception import GenerativeOmnimatte

pytestmark = pytest.mark.fast

HEIGHT, WIDTH, LENGTH = 12, 20, 3


def write(folder, channels: int, seed: int, length: int = LENGTH, size=(HEIGHT, WIDTH)) -> np.ndarray:
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (length, *size, channels), dtype=np.uint8)
    for t, frame in enumerate(pixels):
        Image.fromarray(frame).save(folder / f"{t:05d}.png")
    return pixels


@pytest.fixture
def video(tmp_path):
    """What the program leaves for a video with two objects: layers, and films to look at beside them."""
    folder = tmp_path / "boys-beach"
    written = {name: write(folder / name, 3 if name == "bg" else 4, i) for i, name in enumerate(["bg", "fg00", "fg01"])}
    (folder / "fg00_alpha.mp4").touch()
    (folder / "bg.mp4").touch()
    return folder, written


def over(layer: np.ndarray, below: np.ndarray) -> np.ndarray:
    alpha = layer[..., 3:].astype(float) / 255
    return layer[..., :3] * alpha + below * (1 - alpha)


def test_layers_are_read_as_written(video):
    folder, written = video
    layers = GenerativeOmnimatte().read(folder)
    assert layers.name == "boys-beach" and len(layers.background) == LENGTH and len(layers.objects) == 2
    for t in range(LENGTH):
        assert torch.equal(layers.background[t], torch.from_numpy(written["bg"][t]).permute(2, 0, 1))
        assert torch.equal(layers.objects[1][t], torch.from_numpy(written["fg01"][t]).permute(2, 0, 1))


def test_composite_is_back_to_front(video):
    folder, written = video
    layers = GenerativeOmnimatte().read(folder)
    expected = over(written["fg00"][1], over(written["fg01"][1], written["bg"][1].astype(float)))
    found = layers.composite(1).permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() <= 0.51
    alone = over(written["fg01"][1], written["bg"][1].astype(float))
    assert np.abs(layers.composite(1, [1]).permute(1, 2, 0).numpy() - alone).max() <= 0.51
    assert torch.equal(layers.composite(1, []), layers.background[1])


def test_another_order_is_obeyed(video):
    folder, written = video
    found = GenerativeOmnimatte(front_to_back=(1, 0)).read(folder).composite(0).permute(1, 2, 0).numpy()
    expected = over(written["fg01"][0], over(written["fg00"][0], written["bg"][0].astype(float)))
    assert np.abs(found - expected).max() <= 0.51


def test_detailed_versions_are_preferred_unless_refused(video):
    folder, written = video
    detailed = write(folder / "dt_fg01", 4, 9)
    chosen = GenerativeOmnimatte().read(folder).objects
    assert torch.equal(chosen[1][0], torch.from_numpy(detailed[0]).permute(2, 0, 1))
    assert torch.equal(chosen[0][0], torch.from_numpy(written["fg00"][0]).permute(2, 0, 1))
    plain = GenerativeOmnimatte(detailed=False).read(folder).objects
    assert torch.equal(plain[1][0], torch.from_numpy(written["fg01"][0]).permute(2, 0, 1))


def test_what_is_missing_or_unlike_is_named(video, tmp_path):
    folder, _ = video
    with pytest.raises(DataNotFound, match="looked for bg/ and fg00/.*which holds boys-beach"):
        GenerativeOmnimatte().read(tmp_path)
    with pytest.raises(DataNotFound, match="which holds no folder"):
        GenerativeOmnimatte().read(tmp_path / "nowhere")
    with pytest.raises(DataNotFound, match=r"objects \[0, 1\], front_to_back names \[0, 2\]"):
        GenerativeOmnimatte(front_to_back=(0, 2)).read(folder)
    write(folder / "fg02", 4, 5, length=2)
    with pytest.raises(BadVideo, match="fg02 has 2 frames of 20x12, .*bg 3 of 20x12"):
        GenerativeOmnimatte().read(folder)


def test_layer_without_alpha_is_refused(video):
    folder, _ = video
    write(folder / "fg02", 3, 5)
    with pytest.raises(BadVideo, match="needs an alpha channel, got mode RGB"):
        GenerativeOmnimatte().read(folder)


def test_broken_layer_is_named(video):
    folder, _ = video
    (folder / "fg01" / "00002.png").write_bytes(b"broken")
    layers = GenerativeOmnimatte().read(folder)
    with pytest.raises(BadVideo, match=r"00002\.png: cannot be decoded"):
        layers.objects[1][2]
