"""Overlays in TensorBoard: which videos, and how large."""

from __future__ import annotations

import pytest

from callbacks.overlay_logger import OverlayLogger
from robustvos.errors import UserError


def test_first_videos_of_a_validation_are_logged(run, moga_system, make_video, read_images):
    videos = [make_video("a"), make_video("a", corruption="fog"), make_video("b")]
    folder, _ = run("validate", moga_system, videos, [OverlayLogger(videos=2, frames=3)])
    size = (3 * 5 * 64 + 2 * 4, 2 * 5 * 48 + 4)
    assert read_images(folder) == {"overlay/a": [size], "overlay/a@fog": [size]}


def test_next_validation_counts_anew_and_a_test_logs_nothing(run, moga_system, make_video, read_images):
    logger = OverlayLogger(videos=1, frames=1)
    for stage, expected in (("validate", 1), ("validate", 1), ("test", 0)):
        folder, _ = run(stage, moga_system, [make_video(frames=2)], [logger])
        assert len(read_images(folder)) == expected


def test_arguments_out_of_range_are_refused():
    for arguments in ({"videos": -1}, {"frames": 0}):
        with pytest.raises(UserError, match="OverlayLogger"):
            OverlayLogger(**arguments)
