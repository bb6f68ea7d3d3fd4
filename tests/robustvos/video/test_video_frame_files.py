"""A folder of frames is one sequence of pictures, each as it is shown."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from robustvos.errors import BadMask, BadVideo, DataNotFound
from robustvos.files.naming import list_folders
from robustvos.video.frames import FrameFolder, open_frames
from robustvos.video.layouts import find_sequences
from robustvos.video.masks import read_indexed_mask

pytestmark = pytest.mark.fast


def picture(seed: int = 0, height: int = 16, width: int = 24) -> Image.Image:
    """Smooth, so that JPEG keeps it nearly."""
    small = np.random.default_rng(seed).integers(40, 200, (2, 3, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("suffix", ["webp", "bmp", "tif", "TIFF", "png"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    for number in range(3):
        picture(number).save(tmp_path / f"{number}.{suffix}", **options)
    frames = open_frames(tmp_path)
    assert [np.array_equal(f.permute(1, 2, 0), picture(t)) for t, f in enumerate(frames)] == [True] * 3


@pytest.mark.parametrize(
    "second",
    [
        *("00001.png", "00001.JPEG", "00001_mask.jpg", "00001 (1).jpg", "00001(2).jpg"),
        *("00001 copy.jpg", "00001 copy 2.jpg", "00001 - Copy.jpg", "00001 - Copy (2).jpg"),
    ],
)
def test_two_files_of_one_frame_are_refused(tmp_path: Path, second: str) -> None:
    folder = tmp_path / "JPEGImages" / "clip"
    folder.mkdir(parents=True)
    (tmp_path / "Annotations" / "clip").mkdir(parents=True)
    Image.fromarray(np.ones((16, 24), np.uint8)).save(tmp_path / "Annotations" / "clip" / "00000.png")
    for name in ("00000.jpg", "00001.jpg", "00002.jpg", second):
        picture().save(folder / name)
    with pytest.raises(BadVideo, match="two files of one frame") as caught:
        open_frames(folder)
    assert second in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(DataNotFound, match="two files of one frame"):
        find_sequences(tmp_path)


def test_names_that_only_look_alike_are_one_sequence(tmp_path: Path) -> None:
    names = ["shot (1)", "shot (2)", "shot (10)", "a_mask", "clip", "clip1", "clip_1"]
    for name in names:
        picture().save(tmp_path / f"{name}.png")
    assert set(open_frames(tmp_path).frame_names) == set(names)


def test_what_systems_leave_is_passed_over(tmp_path: Path) -> None:
    for number in range(2):
        picture(number).save(tmp_path / f"{number}.jpg")
    for name in ("._0.jpg", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"no picture")
    for name in ("@eaDir", "__MACOSX", ".thumbnails", "$RECYCLE.BIN", "clip"):
        (tmp_path / name).mkdir()
    assert open_frames(tmp_path).frame_names == ("0", "1")
    assert [folder.name for folder in list_folders(tmp_path)] == ["clip"]


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    picture().save(tmp_path / "0.jpg")
    (tmp_path / "0.jpg").rename(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
    with pytest.raises(DataNotFound, match=r"caf\\udce9\.jpg is not UTF-8; rename it") as caught:
        open_frames(tmp_path)
    str(caught.value).encode()  # can be printed anywhere


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_pictures_are_turned_as_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"0.{suffix}", exif=exif)
    pixels = np.array(stored).astype(np.float32)
    # Rows 1 to 8 of the EXIF specification's table: where the first row and the first column are.
    shown = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).swapaxes(0, 1),
        8: np.rot90(pixels, 1),
    }[orientation]
    frames = FrameFolder(tmp_path)
    assert frames.size == shown.shape[:2]
    found = frames[0].permute(1, 2, 0).float().numpy()
    assert np.abs(found - shown).mean() < 6
    assert ("EXIF orientation" in " ".join(frames.notes)) == (orientation != 1)
    assert ImageOps.exif_transpose(Image.open(tmp_path / f"0.{suffix}")).size == frames.size[::-1]


def test_a_file_of_several_pictures_is_refused(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "0.tif", save_all=True, append_images=[picture(1)])
    with pytest.raises(BadVideo, match=r"0\.tif: holds 2 pictures"):
        FrameFolder(tmp_path)[0]


def test_a_picture_that_unpacks_to_gigabytes_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    path = tmp_path / "0.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    with pytest.raises(BadVideo, match=r"0\.png: cannot be decoded \(more than \d+ million pixels\)"):
        FrameFolder(tmp_path)
    with pytest.raises(BadMask, match="million pixels"):
        read_indexed_mask(path)


def test_frames_are_own_memory(tmp_path: Path) -> None:
    picture().save(tmp_path / "0.png")
    frame = FrameFolder(tmp_path)[0]
    frame += 1
    assert not torch.equal(frame, FrameFolder(tmp_path)[0])
