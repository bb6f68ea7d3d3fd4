"""``report --corruptions``: the pictures show what corrupting the clip gives, and the page holds them."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.corruptions import ROBUSTPVOS8, corrupt_clip

SIZE = (48, 64)


@pytest.fixture
def clip(tmp_path):
    """A folder of ten frames; the frames."""
    folder = tmp_path / "boat"
    folder.mkdir()
    frames = torch.randint(0, 256, (10, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for t, frame in enumerate(frames):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(folder / f"{t:05d}.png")
    return folder, frames


def contains(picture: np.ndarray, frame: torch.Tensor) -> list[tuple[int, int]]:
    """Row and column of every place where ``frame`` stands in ``picture``."""
    wanted = frame.permute(1, 2, 0).numpy()
    height, width = wanted.shape[:2]
    corners = np.argwhere((picture == wanted[0, 0]).all(-1))
    return [(int(y), int(x)) for y, x in corners if np.array_equal(picture[y : y + height, x : x + width], wanted)]


def test_pictures_hold_the_corrupted_frames_in_order(door, clip, tmp_path):
    folder, frames = clip
    answer = door(
        "report", "--corruptions", "--source", folder, "--frames", 3, "--severity", 4, "--seed", 5, "--out", "o"
    )
    assert answer.code == 0, answer.err
    for preset in ("release", "intended"):
        picture = np.array(Image.open(tmp_path / "o" / f"corruptions_{preset}.png"))
        rows = []
        for name in ("clean", *ROBUSTPVOS8):
            expected = corrupt_clip(frames, name, clip_name="boat", seed=5, severity=4.0, preset=preset)
            places = [contains(picture, expected[t]) for t in (0, 4, 9)]
            assert all(len(found) == 1 for found in places), f"{preset} {name}: {places}"
            (y0, x0), (y1, x1), (y2, x2) = (found[0] for found in places)
            assert y0 == y1 == y2 and x0 < x1 < x2
            rows.append(y0)
        assert rows == sorted(rows)


def test_severities_stand_from_weak_to_strong(door, clip, tmp_path):
    folder, frames = clip
    assert door("report", "--corruptions", "--source", folder, "--preset", "release", "--out", "o").code == 0
    picture = np.array(Image.open(tmp_path / "o" / "severities_release.png"))
    places = []
    for severity in range(1, 6):
        fog = corrupt_clip(frames, "fog", clip_name="boat", severity=float(severity), preset="release")[5]
        ((y, x),) = contains(picture, fog)
        places.append((x, y))
    assert places == sorted(places)
    assert {path.name for path in (tmp_path / "o").iterdir()} == {
        "corruptions_release.png",
        "severities_release.png",
        "corruptions.html",
    }


def test_page_shows_both_presets_and_needs_nothing_beside_it(door, clip, tmp_path):
    answer = door("report", "--corruptions", "--source", clip[0], "--frames", 2, "--out", "o")
    assert answer.code == 0, answer.err
    assert "o/corruptions.html" in answer.out
    page = (tmp_path / "o" / "corruptions.html").read_text()
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 4
    for source in sources:
        head, body = source.split(",", 1)
        assert head.startswith("data:image/")
        assert Image.open(io.BytesIO(base64.b64decode(body))).width > 200
    assert 'id="release"' in page and 'id="intended"' in page
    assert not re.search(r"<script|<link|url\(|@import", page)


def test_without_a_source_a_scene_is_drawn(door, tmp_path):
    assert door("report", "--corruptions", "--preset", "intended", "--frames", 1, "--out", "o").code == 0
    picture = np.array(Image.open(tmp_path / "o" / "corruptions_intended.png"))
    assert picture.shape[0] > 9 * 192 and picture.shape[1] > 336


def test_large_frames_are_reduced_before_they_are_corrupted(door, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    for t in range(2):
        Image.new("RGB", (800, 600), (90, 100, 110)).save(folder / f"{t}.png")
    argv = ["--source", folder, "--preset", "intended", "--frames", 1, "--out", "o"]
    assert door("report", "--corruptions", *argv).code == 0
    picture = np.array(Image.open(tmp_path / "o" / "corruptions_intended.png"))
    same = (picture == (90, 100, 110)).all(-1)
    longest = max(same.sum(1))
    assert longest == 256  # the clean frame is 192 high
    assert (same.sum(1) == 256).sum() >= 192


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--preset", "relase"], "release"),
        (["--severity", "7"], "severity"),
        (["--frames", "0"], "--frames"),
        (["--source", "nowhere"], "nowhere"),
        (["runs/a"], "runs/a"),
    ],
)
def test_mistakes_are_told_in_one_line(door, argv, said):
    assert said in door("report", "--corruptions", *argv, "--out", "o").error


def test_help_names_the_flags(door):
    answer = door("report", "--corruptions", "--help")
    assert answer.code == 0
    assert all(flag in answer.out for flag in ("--preset", "--severity", "--source", "--frames", "--out"))
    assert "--corruptions" in door("report", "--help").out
