"""Small videos whose frames carry their number in the pixels, so that a test need not believe a decoder."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

HEIGHT, WIDTH, BITS = 48, 96, 6


def numbered(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """``(H, W, 3)`` uint8: the number in white bars below, the lowest bit at the left; a red corner above left."""
    pixels = np.full((height, width, 3), 60, dtype=np.uint8)
    bar = width // BITS
    for bit in range(BITS):
        pixels[height // 2 :, bit * bar : (bit + 1) * bar] = 230 if number >> bit & 1 else 20
    pixels[: height // 4, : width // 4] = (220, 30, 30)
    return pixels


def number_of(frame: torch.Tensor) -> int:
    """The number in a frame, ``(3, H, W)``."""
    height, width = frame.shape[1:]
    bar = width // BITS
    middles = [frame[:, height * 3 // 4, bit * bar + bar // 2].float().mean() for bit in range(BITS)]
    return sum(int(middle > 128) << bit for bit, middle in enumerate(middles))


def write_numbered(
    path: Path,
    numbers: Iterable[int],
    codec: str = "libx264",
    *,
    times: Iterable[int] | None = None,
    gop: int = 12,
    b_frames: int = 3,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    streams: int = 1,
    stepped: Callable[[int, int], int] = lambda stream, number: number,
) -> Path:
    """Encode frames ``numbers``; ``times`` in tenths of a second, one after the other if None."""
    numbers = list(numbers)
    with av.open(str(path), "w") as container:
        made: list[Any] = []
        for _ in range(streams):
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.gop_size = WIDTH, HEIGHT, gop
            stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
            stream.options = options or {}
            if codec in ("libx264", "mpeg2video", "mpeg4"):
                stream.codec_context.max_b_frames = b_frames
            if codec == "libx264":
                stream.options = {"crf": "12", "sc_threshold": "0", "b-adapt": "0", **(options or {})}
            if aspect is not None:
                stream.sample_aspect_ratio = aspect
            made.append(stream)
        for number, time in zip(numbers, times or range(len(numbers)), strict=True):
            for index, stream in enumerate(made):
                frame = av.VideoFrame.from_ndarray(numbered(stepped(index, number)), format="rgb24")
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = time, Fraction(1, 10)
                container.mux(stream.encode(frame))
        for stream in made:
            container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, *, first: int = 0, shift: int = 0, options: dict[str, str] | None = None) -> Path:
    """Copy packets without encoding, from the ``first`` on, ``shift`` frames of a tenth of a second earlier."""
    with av.open(str(source)) as given, av.open(str(target), "w", options=options or {}) as container:
        stream = given.streams.video[0]
        copied = container.add_stream_from_template(stream)
        step = round(Fraction(1, 10) / stream.time_base)
        packets = [packet for packet in given.demux(stream) if packet.size]
        for packet in packets[first:]:
            packet.pts -= shift * step
            packet.dts -= shift * step
            packet.stream = copied
            container.mux(packet)
    return target


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write ``a b c d`` (1, 0 or -1) into the track header of an mp4 (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4
    version = content[place]
    place += 4 + (32 if version else 20) + 8 + 8  # times, ids and duration; reserved; layer, group, volume
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(content))
