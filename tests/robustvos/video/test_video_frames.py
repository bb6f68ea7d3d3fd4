"""Folders and video files as lazy sequences of frames, and what is said of broken ones."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import BadVideo, DataNotFound, UserError
from robustvos.video.frames import FrameFolder, VideoFile, open_frames
from robustvos.video.writer import VideoWriter

pytestmark = pytest.mark.fast


def grey(value: int, height: int = 32, width: int = 64) -> torch.Tensor:
    return torch.full((3, height, width), value, dtype=torch.uint8)


def write_images(folder: Path, names: list[str], height: int = 6, width: int = 8) -> list[np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in names]
    for name, image in zip(names, pixels, strict=True):
        Image.fromarray(image).save(folder / name)
    return pixels


def write_video(path: Path, values: list[int], codec: str = "mpeg4", gop: int = 4) -> None:
    """Flat grey frames, whose value says which frame it is."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 32, "yuv420p", gop
        container.start_encoding()
        for value in values:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(grey(value).permute(1, 2, 0).numpy(), format="rgb24"))
            )
        container.mux(stream.encode(None))


def one_line(error: UserError) -> bool:
    return "\n" not in str(error)


def test_folder_is_read_in_natural_order_pixel_by_pixel(tmp_path: Path) -> None:
    folder = tmp_path / "çlip with space"
    pixels = write_images(folder, ["10.png", "9.png", "100.png", "ß8.png"])
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("")
    frames = open_frames(folder)
    assert frames.frame_names == ("9", "10", "100", "ß8")
    assert (len(frames), frames.size, frames.fps) == (4, (6, 8), None)
    for t, k in enumerate((1, 0, 2, 3)):
        assert frames[t].dtype == torch.uint8
        assert np.array_equal(frames[t].permute(1, 2, 0).numpy(), pixels[k])
    assert torch.equal(frames[-1], frames[3])
    assert [torch.equal(a, frames[i]) for a, i in zip(frames[1:3], (1, 2), strict=True)] == [True, True]
    with pytest.raises(IndexError, match="4 frames"):
        frames[4]


def test_greyscale_and_alpha_images_become_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 77, dtype=np.uint8)).save(tmp_path / "0.png")
    Image.fromarray(np.full((4, 4, 4), 50, dtype=np.uint8)).save(tmp_path / "1.png")
    frames = FrameFolder(tmp_path)
    assert frames[0].tolist() == grey(77, 4, 4).tolist()
    assert frames[1].tolist() == grey(50, 4, 4).tolist()


def test_missing_empty_and_imageless_folders(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="does not exist"):
        open_frames(tmp_path / "nowhere")
    with pytest.raises(DataNotFound, match=r"no \.jpg, .* or \.tif frame, but nothing"):
        open_frames(tmp_path)
    (tmp_path / "clip.txt").write_text("")
    with pytest.raises(DataNotFound, match=r"but clip\.txt"):
        open_frames(tmp_path)


def test_a_truncated_jpeg_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, ["0.jpg", "1.jpg"], 40, 40)
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    frames = FrameFolder(tmp_path)
    frames[0]
    with pytest.raises(BadVideo, match=r"1\.jpg: cannot be decoded .*truncated") as caught:
        frames[1]
    assert one_line(caught.value)
    (tmp_path / "0.jpg").write_bytes(b"no image")
    with pytest.raises(BadVideo, match=r"0\.jpg: cannot be decoded \(not an image\)"):
        FrameFolder(tmp_path)


def test_frames_of_another_size_or_depth_are_named(tmp_path: Path) -> None:
    write_images(tmp_path, ["0.png"])
    write_images(tmp_path, ["1.png"], 7, 8)
    Image.fromarray(np.zeros((6, 8), dtype=np.uint16)).save(tmp_path / "2.png")
    frames = FrameFolder(tmp_path)
    with pytest.raises(BadVideo, match="frame 1 is 8x7, the first one 8x6"):
        frames[1]
    with pytest.raises(BadVideo, match="more than 8 bits"):
        frames[2]


VALUES = [3 + 9 * t for t in range(25)]


@pytest.mark.parametrize("name", ["clip.mp4", "ünï cödé clip.avi"])
def test_any_frame_of_a_video_can_be_read_in_any_order(tmp_path: Path, name: str) -> None:
    write_video(tmp_path / name, VALUES)
    frames = VideoFile(tmp_path / name)
    assert (len(frames), frames.size, frames.fps) == (25, (32, 64), 10.0)
    assert frames.frame_names[:2] == ("00000", "00001")
    for t in (*range(25), 24, 0, 11, 12, 3, 20, 7, -1):
        assert frames[t].shape == (3, 32, 64)
        assert abs(float(frames[t].float().mean()) - VALUES[t]) < 3, t


def test_frames_that_depend_on_later_ones_are_read_right(tmp_path: Path) -> None:
    """H.264 stores some frames after those they are shown before."""
    with VideoWriter(tmp_path / "a.mp4", fps=25) as writer:
        for value in VALUES:
            writer.add(grey(value))
    frames = VideoFile(tmp_path / "a.mp4")
    for t in (24, 0, 13, 12, 5, 6, 7):
        assert abs(float(frames[t].float().mean()) - VALUES[t]) < 3, t


def test_a_video_can_be_pickled_and_read_after_a_fork(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", VALUES)
    frames = open_frames(tmp_path / "a.mp4")
    expected = frames[4]
    assert torch.equal(pickle.loads(pickle.dumps(frames))[4], expected)
    loader: Any = torch.utils.data.DataLoader(frames, batch_size=None, num_workers=1, timeout=60)  # type: ignore[arg-type]
    assert torch.equal(list(loader)[4], expected)


def test_messages_of_decoder_threads_never_wait_for_the_interpreter(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", VALUES[:2])
    av.logging.set_level(av.logging.ERROR)  # as torchvision does when it is imported
    assert len(open_frames(tmp_path / "a.mp4")) == 2
    assert av.logging.get_level() is None


def test_narrow_videos_are_read_right(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=5) as writer:
        writer.add(grey(120, 34, 48))
    frames = open_frames(tmp_path / "a.mp4")
    assert frames[0].shape == (3, 34, 48)
    assert abs(float(frames[0].float().mean()) - 120) < 3


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(7, 200)) * 20])
def test_what_is_no_video_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(BadVideo, match=r"not a video that can be decoded .*convert it") as caught:
        open_frames(path)
    assert one_line(caught.value) and str(path) in str(caught.value)


def test_a_codec_that_nobody_knows_is_one_clear_line(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi", [120, 130])
    content = (tmp_path / "clip.avi").read_bytes()
    codec = next(name for name in (b"FMP4", b"MJPG", b"XVID", b"H264", b"mpg4") if name in content)
    (tmp_path / "clip.avi").write_bytes(content.replace(codec, b"QQZ9"))
    with pytest.raises(
        BadVideo, match=r"not a video that can be decoded \(no decoder for its codec\); convert it"
    ) as caught:
        open_frames(tmp_path / "clip.avi")
    assert one_line(caught.value)


def test_video_without_frames_or_pictures(tmp_path: Path) -> None:
    write_video(tmp_path / "zero.avi", [])
    with pytest.raises(BadVideo, match="no frames"):
        open_frames(tmp_path / "zero.avi")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(BadVideo, match="no video stream"):
        open_frames(tmp_path / "sound.wav")


def test_a_truncated_video_says_how_much_is_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(40):
            noise = rng.integers(0, 256, (32, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadVideo, match=r"truncated: .* of 40 frames"):
        open_frames(path)


def test_single_images_and_folders_with_video_names(tmp_path: Path) -> None:
    write_images(tmp_path, ["0.jpg"])
    with pytest.raises(BadVideo, match="single image; give its folder"):
        open_frames(tmp_path / "0.jpg")
    with pytest.raises(DataNotFound, match=r"nothing\.mp4 does not exist"):
        open_frames(tmp_path / "nothing.mp4")
    with pytest.raises(DataNotFound, match="is a file"):
        FrameFolder(tmp_path / "0.jpg")
