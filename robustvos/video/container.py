"""Video containers: which files are taken for videos, how one is opened, and which of its streams is the video."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from robustvos.errors import BadVideo

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".divx", ".mkv", ".webm", ".flv", ".f4v", ".wmv", ".asf"),
    *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".vob", ".mxf", ".ogv", ".gif", ".y4m"),
)
"""Endings, in lower case, of files that are taken for videos where a folder is searched for them."""


def quiet_av() -> Any:
    """PyAV, with FFmpeg's messages going nowhere: errors are raised, and say what they must.

    torchvision up to 0.24 sends the messages to Python. They come from threads of the decoder, each of which then waits for
    the interpreter's lock, and a thread that holds it while it waits for the decoder (a seek, a close) waits for ever.
    """
    import av

    av.logging.set_level(None)
    return av


def open_container(path: str | os.PathLike[str], options: Mapping[str, str] | None = None) -> Any:
    """Open a media file with PyAV.

    Args:
        path: Any file name: ``cam:1.mp4`` is a file too, though FFmpeg would take it for an address.
        options: FFmpeg's, of the demuxer.

    Returns:
        PyAV's input container, to be closed.

    Raises:
        OSError: If it is no media file (PyAV's errors are OSErrors or ValueErrors).
    """
    return quiet_av().open(f"file:{os.fspath(path)}", options=dict(options or {}))


def video_stream(container: Any, path: str | os.PathLike[str]) -> Any:
    """The video: FFmpeg's own choice (default track, then most pictures, then bit rate), but never a cover picture.

    Raises:
        BadVideo: If there is none.
    """
    streams = _moving(container)
    if not streams and any(stream.codec_context is None for stream in container.streams.video):
        raise BadVideo(
            f"{path}: not a video that can be decoded (no decoder for its codec); convert it, e.g. with ffmpeg, to H.264 mp4"
        )
    if not streams:
        what = "no video stream, only a cover picture" if container.streams.video else "no video stream"
        raise BadVideo(f"{path}: the file has {what}; give a video")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


def describe_choice(container: Any, chosen: Any) -> str | None:
    """One line if there were other videos in the file; None if there was no choice."""
    others = [stream.index for stream in _moving(container) if stream.index != chosen.index]
    if not others:
        return None
    return f"{len(others) + 1} video streams: stream {chosen.index} is read, {', '.join(map(str, others))} not"


def _moving(container: Any) -> list[Any]:
    """Video streams with a decoder that are no cover pictures: attached ones, and still formats beside others."""
    import av

    attached = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    known = [stream for stream in container.streams.video if stream.codec_context is not None]
    streams = [stream for stream in known if not stream.disposition & attached]
    is_still = [stream.codec_context.name in ("png", "mjpeg", "bmp", "gif", "webp") for stream in streams]
    if all(is_still):
        return streams
    return [stream for stream, still in zip(streams, is_still, strict=True) if not still]
