"""Soft masks are told from maps of ids, black-and-white ones hold one object, and low bit depths keep their numbers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from robustvos.errors import BadMask
from robustvos.video.mask_kinds import is_soft
from robustvos.video.masks import read_black_and_white, read_indexed_mask, read_objects

pytestmark = pytest.mark.fast


def blob(height: int, width: int) -> np.ndarray:
    """``(H, W)`` uint8 of 0 and 255: a slanted ellipse."""
    mask = np.zeros((height, width), np.uint8)
    return cv2.ellipse(mask, (width // 2, height // 2), (width // 3, height // 4), 25, 0, 360, 255, -1)


def through_jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def convert(mask: np.ndarray) -> np.ndarray:
        encoded = io.BytesIO()
        Image.fromarray(mask).save(encoded, "JPEG", quality=quality)
        return np.array(Image.open(encoded))

    return convert


def resized(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    kind = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
    return lambda mask: cv2.resize(mask, None, fx=factor, fy=factor, interpolation=kind)


def blurred(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda mask: cv2.GaussianBlur(mask, (0, 0), sigma)


@pytest.mark.parametrize("size", [(64, 96), (480, 854)])
@pytest.mark.parametrize(
    "soften",
    [*map(through_jpeg, (50, 75, 95)), *map(resized, (0.5, 0.7, 2.3)), *map(blurred, (0.7, 2.0, 6.0))],
)
def test_soft_masks_are_told_and_cut_at_half(tmp_path: Path, size: tuple[int, int], soften: Callable) -> None:
    soft = soften(blob(*size))
    assert is_soft(soft)
    Image.fromarray(soft).save(tmp_path / "a.png")
    ids, note = read_objects(tmp_path / "a.png")
    assert np.array_equal(ids, soft >= 128)
    assert note is not None and "soft edges" in note
    assert np.array_equal(read_black_and_white(tmp_path / "a.png")[0], soft >= 128)
    with pytest.raises(BadMask, match=r"a\.png: \d+ grey levels that ring one another"):
        read_indexed_mask(tmp_path / "a.png")


@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("ids", [(1, 2, 3), tuple(range(1, 60)), tuple(range(1, 255)), (38, 75, 113, 150)])
def test_maps_of_ids_are_never_soft(tmp_path: Path, ids: tuple[int, ...], void: bool) -> None:
    rng = np.random.default_rng(len(ids))
    for height, width in ((64, 96), (480, 854)):
        plane = np.zeros((height, width), np.uint8)
        for object_id in ids:
            centre = int(rng.integers(width)), int(rng.integers(height))
            axes = int(rng.integers(3, width // 6)), int(rng.integers(3, height // 6))
            cv2.ellipse(plane, centre, axes, float(rng.integers(180)), 0, 360, object_id, -1)
        if void:
            border = cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
            plane[border] = 255
            plane[: height // 8] = 255
        assert not is_soft(plane)
        Image.fromarray(plane).save(tmp_path / "a.png")
        assert np.array_equal(read_indexed_mask(tmp_path / "a.png"), plane)


def test_white_alone_is_object_1_and_beside_ids_stays_255(tmp_path: Path) -> None:
    white = blob(40, 60)
    Image.fromarray(white).save(tmp_path / "white.png")
    ids, note = read_objects(tmp_path / "white.png")
    assert np.array_equal(ids, white > 0) and note is not None
    white[:5, :5] = 3
    Image.fromarray(white).save(tmp_path / "ids.png")
    ids, note = read_objects(tmp_path / "ids.png")
    assert np.array_equal(ids, white) and note is None


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_numbers_of_few_bits_are_kept(tmp_path: Path, bits: int) -> None:
    """Written by hand after the PNG specification: Pillow cannot."""
    stored = np.arange(16, dtype=np.uint8).reshape(2, 8) % 2**bits
    digits = ["".join(f"{value:0{bits}b}" for value in row) for row in stored]
    rows = b"".join(
        b"\0" + int(row, 2).to_bytes(bits, "big") for row in digits
    )  # eight numbers a row: a byte for each bit

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 8, 2, bits, 0, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    assert np.array_equal(read_indexed_mask(path), stored)
    assert np.array_equal(read_objects(path)[0], stored)
