"""Videos are written frame by frame and appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from robustvos.errors import BadVideo, UserError
from robustvos.video.frames import VideoFile
from robustvos.video.writer import VideoWriter

pytestmark = pytest.mark.fast


def gradient(t: int, height: int, width: int) -> torch.Tensor:
    """A smooth picture that moves and is coloured, so that mixed up channels, rows or frames show."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([200 * y, 200 * x, torch.full_like(x, 20.0 * t)]).to(torch.uint8)


def test_frames_survive_a_round_trip_and_odd_sizes_gain_a_repeated_edge(tmp_path: Path) -> None:
    path = tmp_path / "my clips" / "a.mp4"
    with VideoWriter(path, fps=12.5, quality=5) as writer:
        for t in range(6):
            writer.add(gradient(t, 95, 127))
    video = VideoFile(path)
    assert (len(video), video.size, video.fps) == (6, (96, 128), 12.5)
    for t in range(6):
        difference = video[t][:, :95, :127].float() - gradient(t, 95, 127).float()
        assert float(difference.abs().mean()) < 2.5
    assert float((video[0][:, -1].float() - video[0][:, -2].float()).abs().mean()) < 2
    assert os.listdir(path.parent) == ["a.mp4"]


def test_nothing_is_left_of_a_failed_video(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="half way"), VideoWriter(tmp_path / "a.mp4", fps=10) as writer:
        writer.add(gradient(0, 32, 32))
        raise KeyError("half way")
    assert os.listdir(tmp_path) == []


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadVideo, match="32x34 cannot follow frames of 32x32"), VideoWriter(tmp_path / "a.mp4", 10) as w:
        w.add(gradient(0, 32, 32))
        w.add(gradient(0, 34, 32))
    assert os.listdir(tmp_path) == []


def test_a_video_needs_a_frame_and_a_rate(tmp_path: Path) -> None:
    with pytest.raises(BadVideo, match="no frame was added"), VideoWriter(tmp_path / "a.mp4", 10):
        pass
    with pytest.raises(ValueError, match="fps"):
        VideoWriter(tmp_path / "a.mp4", fps=0)
    assert os.listdir(tmp_path) == []


def test_a_target_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="cannot write"), VideoWriter(tmp_path / "taken" / "a.mp4", 10) as writer:
        writer.add(gradient(0, 32, 32))
