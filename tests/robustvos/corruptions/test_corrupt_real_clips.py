"""``cli.py corrupt`` on real clips: the same bytes, however the work is divided."""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path

import pytest

import cli
from robustvos.corruptions import PRESETS, ROBUSTPVOS8

CLIPS, FRAMES = 2, 3
NEEDED = "set ROBUSTVOS_REALDATA to a folder that holds davis/JPEGImages to corrupt real clips"


@pytest.fixture
def some_frames(tmp_path: Path) -> Path:
    """The first frames of two clips, with their annotations."""
    root = os.environ.get("ROBUSTVOS_REALDATA")
    if not root:
        pytest.skip(NEEDED)
    davis = Path(root, "davis")
    clips = sorted(folder for folder in (davis / "JPEGImages/480p").iterdir() if folder.is_dir())[:CLIPS]
    assert len(clips) == CLIPS
    for clip in clips:
        for kind in ("JPEGImages", "Annotations"):
            (tmp_path / "davis" / kind / "480p" / clip.name).mkdir(parents=True)
            for file in sorted((davis / kind / "480p" / clip.name).iterdir())[:FRAMES]:
                shutil.copyfile(file, tmp_path / "davis" / kind / "480p" / clip.name / file.name)
    return tmp_path / "davis"


@pytest.mark.parametrize("preset", PRESETS)
def test_shards_with_workers_make_the_same_copies_as_one_run(some_frames, tmp_path, preset):
    def corrupt(out: str, *arguments: str) -> None:
        shared = ["--corruption", "all", "--preset", preset, *arguments]
        assert cli.main(["corrupt", str(some_frames), str(tmp_path / out), *shared]) == 0

    corrupt("whole")
    for shard in ("0/3", "1/3", "2/3"):
        corrupt("parts", "--shard", shard, "--workers", "2")
    names = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*")}
    assert names == {path.relative_to(tmp_path / "parts") for path in (tmp_path / "parts").rglob("*")}
    files = [str(name) for name in names if (tmp_path / "whole" / name).is_file()]
    assert sum(name.endswith(".jpg") for name in files) == len([*ROBUSTPVOS8, "night"]) * CLIPS * FRAMES
    same, differing, unread = filecmp.cmpfiles(tmp_path / "whole", tmp_path / "parts", files, shallow=False)
    assert (differing, unread) == ([], [])
    assert len(same) == len(files)
