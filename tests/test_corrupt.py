"""``cli.py corrupt``: copies that do not depend on how they were made."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import cli
from robustvos.corruptions import ROBUSTPVOS8, corrupt_clip
from robustvos.datasets.vos.corrupted_copy import Settings, find_source, write_video
from robustvos.registry import CONFIGS
from robustvos.video.frames import FrameFolder
from robustvos.video.writer import VideoWriter

FRAMES = 3


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Two annotated videos laid out as DAVIS is, with a list and a ``meta.json``."""
    root = tmp_path / "clean set"
    rng = np.random.default_rng(0)
    for name in ("bear", "swan lake"):
        frames, masks = root / "JPEGImages" / "480p" / name, root / "Annotations" / "480p" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index in range(FRAMES):
            smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48))
            smooth.save(frames / f"{index:05d}.jpg")
            Image.fromarray(np.eye(48, 64, dtype=np.uint8)).save(masks / f"{index:05d}.png")
    (root / "ImageSets").mkdir()
    (root / "ImageSets" / "val.txt").write_text("bear\n")
    (root / "meta.json").write_text('{"videos": {}}')
    return root


def corrupt(*arguments: object) -> int:
    return cli.main(["corrupt", *(str(argument) for argument in arguments)])


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def everything(root: Path) -> set[str]:
    """Of files and folders, hidden ones too."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def run_until_killed(prelude: str, *arguments: object) -> None:
    """The command in a process of its own that ``prelude`` makes kill itself."""
    code, said = run_apart(prelude, *arguments)
    assert code == -signal.SIGKILL, said


def run_apart(prelude: str, *arguments: object) -> tuple[int, str]:
    """The command in a process of its own, after ``prelude``; exit code and what it said to stderr."""
    code = (
        "import os, signal, sys; import robustvos.datasets.vos.corrupted_copy as copy\n"
        "die = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{prelude}\nimport cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "corrupt", *(str(argument) for argument in arguments)]
    ended = subprocess.run(command, cwd=CONFIGS.parent, capture_output=True, check=False)
    return ended.returncode, ended.stderr.decode()


def begin_video(dataset: Path, name: str, out: Path) -> Iterator[int]:
    """Another process that is writing a video into ``out``: its first frame is written."""
    (video,) = (video for video in find_source(dataset).videos if video.name == name)
    writing = write_video(video, out / "JPEGImages/480p" / name, Settings("fog"))
    next(writing)
    return writing


def test_combinations_and_sets_are_copies_too(dataset, tmp_path):
    out = tmp_path / "out"
    assert corrupt(dataset, out, "--corruption", "fog+rain", "--corruption", "robustpvos8", "--dry_run") == 0
    assert corrupt(dataset, out, "--corruption", "fog+rain", "--quality", "0") == 0
    (copy,) = out.iterdir()
    assert copy.name == "fog+rain" and set(tree(copy)) >= {"corruption.json", "meta.json"}


def test_every_copy_has_the_layout_of_the_original(dataset, tmp_path):
    assert corrupt(dataset, tmp_path / "out") == 0
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == set(ROBUSTPVOS8)
    for name in ROBUSTPVOS8:
        copy = tree(tmp_path / "out" / name)
        assert set(copy) == {*tree(dataset), "corruption.json"}
        assert copy["meta.json"] == tree(dataset)["meta.json"]
        assert copy["Annotations/480p/bear/00001.png"] == tree(dataset)["Annotations/480p/bear/00001.png"]


def test_png_copies_hold_what_training_would_see(dataset, tmp_path):
    settings = ("--corruption", "rain", "--severity", 4, "--preset", "release", "--seed", 3, "--quality", 0)
    assert corrupt(dataset, tmp_path / "out", *settings) == 0
    clean = torch.stack(list(FrameFolder(dataset / "JPEGImages/480p/swan lake")))
    written = torch.stack(list(FrameFolder(tmp_path / "out/rain/JPEGImages/480p/swan lake")))
    expected = corrupt_clip(clean, "rain", clip_name="swan lake", seed=3, severity=4, preset="release")
    assert torch.equal(written, expected)
    noted = json.loads((tmp_path / "out/rain/corruption.json").read_text())
    assert noted.pop("videos")
    assert noted == {
        "corruption": "rain",
        "preset": "release",
        "severity": 4.0,
        "seed": 3,
        "quality": 0,
    }


def test_two_datasets_are_not_mixed_in_one_folder(dataset, tmp_path, capsys):
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    before = tree(tmp_path / "out")
    other = tmp_path / "other" / "JPEGImages" / "another"
    shutil.copytree(dataset / "JPEGImages/480p/bear", other)
    assert corrupt(tmp_path / "other", tmp_path / "out", "--corruption", "fog") == 2
    assert "a copy of other videos" in capsys.readouterr().err
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("link", [(), ("--link",)], ids=["copied", "linked"])
def test_folders_that_are_links_are_copied_whole(dataset, tmp_path, link):
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / "subset" / kind).mkdir(parents=True)
        (tmp_path / "subset" / kind / "bear").symlink_to(dataset / kind / "480p" / "bear")
    assert corrupt(tmp_path / "subset", tmp_path / "out", "--corruption", "fog", *link) == 0
    copy, whole = tree(tmp_path / "out/fog"), tree(dataset)
    masks = {name for name in whole if name.startswith("Annotations/480p/bear/")}
    assert masks
    for name in masks:
        assert copy[name.replace("480p/", "")] == whole[name]
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_copies_of_videos_that_have_grown_since_are_refused(dataset, tmp_path, capsys):
    last = sorted((dataset / "JPEGImages/480p/bear").glob("*.jpg"))[-1]
    aside = shutil.move(last, tmp_path / last.name)
    mask = dataset / "Annotations/480p/bear" / f"{last.stem}.png"
    mask_aside = shutil.move(mask, tmp_path / mask.name)
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    shutil.move(aside, last)
    shutil.move(mask_aside, mask)
    capsys.readouterr()
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 2
    error = capsys.readouterr().err
    stale = tmp_path / "out/fog/JPEGImages/480p/bear"
    assert "1 copies are of videos that had other frames" in error and f"{stale} (" in error and "remove these" in error
    shutil.rmtree(stale)
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    assert corrupt(dataset, tmp_path / "fresh", "--corruption", "fog") == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("", ""),
        ("", "JPEGImages"),
        ("", "JPEGImages/480p/new"),
        ("", "Annotations/480p"),
        ("JPEGImages/480p", "JPEGImages/480p/new"),
        ("JPEGImages/480p", "JPEGImages/480p/bear"),
        ("JPEGImages/480p/bear", "JPEGImages/480p/bear/new"),
    ],
)
@pytest.mark.parametrize("linked", [False, True])
def test_copies_are_not_written_among_the_originals_files(dataset, tmp_path, source, inside, linked, capsys):
    if linked:
        (dataset / "JPEGImages").rename(tmp_path / "frames")
        (dataset / "JPEGImages").symlink_to(tmp_path / "frames")
    before = tree(dataset)
    assert corrupt(dataset / source, dataset / inside, "--corruption", "fog") == 2
    assert "choose another folder for the copies" in capsys.readouterr().err
    assert tree(dataset) == before


def test_links_that_lead_upwards_are_not_followed(dataset, tmp_path):
    (dataset / "Annotations/480p/loop").symlink_to("..")
    (dataset / "Annotations/480p/bear/loop").symlink_to(dataset / "Annotations")
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    assert not list((tmp_path / "out").rglob("loop"))


def test_shards_and_workers_make_no_difference(dataset, tmp_path):
    some = ("--corruption", "fog", "--corruption", "iso_noise", "--corruption", "snow")
    assert corrupt(dataset, tmp_path / "whole", *some) == 0
    for shard in ("2/3", "0/3", "1/3"):
        assert corrupt(dataset, tmp_path / "parts", *some, "--shard", shard) == 0
    assert corrupt(dataset, tmp_path / "two", *some, "--workers", 2) == 0
    assert tree(tmp_path / "parts") == tree(tmp_path / "two") == tree(tmp_path / "whole")


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(dataset, tmp_path):
    assert corrupt(dataset, tmp_path / "whole", "--corruption", "fog") == 0
    amid_the_second = (
        "write, seen = copy._write, []\n"
        "def killed(*arguments):\n"
        "    write(*arguments); seen.append(1)\n"
        f"    if len(seen) == {FRAMES + 2}: die()\n"
        "copy._write = killed"
    )
    run_until_killed(amid_the_second, dataset, tmp_path / "killed", "--corruption", "fog")
    videos = tmp_path / "killed/fog/JPEGImages/480p"
    assert {path.name for path in videos.iterdir() if not path.name.startswith(".")} == {"bear"}
    written = (videos / "bear" / "00000.jpg").stat().st_mtime_ns
    time.sleep(0.01)
    assert corrupt(dataset, tmp_path / "killed", "--corruption", "fog") == 0
    assert (videos / "bear" / "00000.jpg").stat().st_mtime_ns == written  # not done again
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_ctrl_c_is_answered_in_one_line_and_the_same_command_goes_on(dataset, tmp_path):
    amid_the_second = (
        "write, seen = copy._write, []\n"
        "def stopped(*arguments):\n"
        "    write(*arguments); seen.append(1)\n"
        f"    if len(seen) == {FRAMES + 2}: os.kill(os.getpid(), signal.SIGINT)\n"
        "copy._write = stopped"
    )
    code, said = run_apart(amid_the_second, dataset, tmp_path / "stopped", "--corruption", "fog")
    assert code == 130 and "Traceback" not in said
    assert said.splitlines()[-1] == "stopped: what is written stays, and the same command goes on"
    assert [path.name for path in (tmp_path / "stopped/fog/JPEGImages/480p").iterdir()] == ["bear"]
    assert corrupt(dataset, tmp_path / "stopped", "--corruption", "fog") == 0
    assert corrupt(dataset, tmp_path / "whole", "--corruption", "fog") == 0
    assert tree(tmp_path / "stopped") == tree(tmp_path / "whole")


def test_a_killed_shard_leaves_nothing_and_disturbs_no_other(dataset, tmp_path):
    assert corrupt(dataset, tmp_path / "whole", "--corruption", "fog") == 0
    out, some = tmp_path / "parts", ("--corruption", "fog", "--shard")
    half_a_video = "write = copy._write\ncopy._write = lambda *arguments: (write(*arguments), die())"
    run_until_killed(half_a_video, dataset, out, *some, "0/2")
    other = begin_video(dataset, "swan lake", out / "fog")
    left = {path.name for path in (out / "fog/JPEGImages/480p").iterdir()}
    assert len(left) == 2
    assert corrupt(dataset, out, *some, "0/2") == 0
    videos = {path.name for path in (out / "fog/JPEGImages/480p").iterdir()}
    assert "bear" in videos
    assert len(videos & left) == 1  # what the other is writing
    assert len(list(other)) == FRAMES - 1
    assert corrupt(dataset, out, *some, "1/2") == 0
    assert everything(out) == everything(tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


def test_of_two_runs_at_once_the_first_wins_and_neither_fails(dataset, tmp_path):
    assert corrupt(dataset, tmp_path / "whole", "--corruption", "fog") == 0
    slow = begin_video(dataset, "bear", tmp_path / "out/fog")
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")
    assert list(slow) == []
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")


def test_a_run_killed_among_the_annotations_leaves_nothing(dataset, tmp_path):
    some = ("--corruption", "fog", "--link", "false")
    assert corrupt(dataset, tmp_path / "whole", *some) == 0
    half_a_file = "copy.shutil.copyfile = lambda file, target: (target.write_bytes(file.read_bytes()[:9]), die())"
    run_until_killed(half_a_file, dataset, tmp_path / "killed", *some, "--shard", "1/2")
    (tmp_path / "killed/fog/.0123456789abcdef0123456789abcdef.tmp").write_text("{")  # of corruption.json, half-written
    assert len([name for name in tree(tmp_path / "killed") if name.endswith(".tmp")]) == 2
    for shard in ("0/2", "1/2"):
        assert corrupt(dataset, tmp_path / "killed", *some, "--shard", shard) == 0
    assert everything(tmp_path / "killed") == everything(tmp_path / "whole")
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_a_full_disk_is_one_clear_line_and_leaves_no_picture(dataset, tmp_path):
    """As a limit on the size of files has it: Pillow writes such a JPEG to the limit, and is content."""
    pytest.importorskip("resource")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "corrupt",
        str(dataset),
        str(tmp_path / "out"),
        "--corruption",
        "gauss_noise",
    ]
    full = subprocess.run(command, cwd=CONFIGS.parent, capture_output=True, check=False, text=True)
    assert full.returncode == 2
    said = [line for line in full.stderr.splitlines() if line.strip() and "frame/s" not in line]
    assert len(said) == 1
    assert re.fullmatch(r"error: cannot write .*(bear|swan lake): File too large; free space there .*", said[0])
    assert list((tmp_path / "out/gauss_noise/JPEGImages/480p").iterdir()) == []


def test_annotations_are_linked_unless_copies_are_wanted(dataset, tmp_path):
    mask = "Annotations/480p/bear/00000.png"
    assert corrupt(dataset, tmp_path / "linked", "--corruption", "fog") == 0
    assert corrupt(dataset, tmp_path / "copied", "--corruption", "fog", "--link", "false") == 0
    assert os.path.samefile(tmp_path / "linked/fog" / mask, dataset / mask)
    assert not os.path.samefile(tmp_path / "copied/fog" / mask, dataset / mask)


def test_videos_become_folders_of_frames(tmp_path):
    (tmp_path / "videos").mkdir()
    with VideoWriter(tmp_path / "videos" / "walk.mp4", fps=10) as writer:
        for level in (40, 90, 140):
            writer.add(torch.full((3, 48, 64), level, dtype=torch.uint8))
    for source in (tmp_path / "videos", tmp_path / "videos" / "walk.mp4"):
        out = tmp_path / f"out of {source.name}"
        assert corrupt(source, out, "--corruption", "gauss_noise") == 0
        names = [path.name for path in sorted((out / "gauss_noise/JPEGImages/walk").iterdir())]
        assert names == ["00000.jpg", "00001.jpg", "00002.jpg"]


def test_frames_of_video_files_are_counted_as_their_headers_say(tmp_path, capsys):
    videos = tmp_path / "videos"
    videos.mkdir()
    with VideoWriter(videos / "walk.mp4", fps=10) as writer:
        for level in (40, 90, 140):
            writer.add(torch.full((3, 48, 64), level, dtype=torch.uint8))
    assert corrupt(videos, tmp_path / "out", "--corruption", "fog", "--dry-run") == 0
    assert "to write, 3 frames," in capsys.readouterr().out
    with av.open(str(videos / "run.mkv"), "w") as container:  # such a header has the duration alone
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for level in range(0, 200, 20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert corrupt(videos, tmp_path / "out", "--corruption", "fog", "--dry-run") == 0
    assert "to write, about 13 frames," in capsys.readouterr().out
    (videos / "broken.avi").write_bytes(b"no video")
    assert corrupt(videos, tmp_path / "out", "--corruption", "fog", "--dry-run") == 0
    assert "about 13 frames and those of 1 video files whose headers do not say" in capsys.readouterr().out


def test_a_worker_that_is_killed_is_one_line_and_the_next_run_goes_on(dataset, tmp_path):
    code = (
        "import os, sys; import robustvos.commands.corrupting as c\n"
        "def dies(job, number):\n    os._exit(9)\n"
        "c._whole = dies\n"
        "import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    script = tmp_path / "dies.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(CONFIGS.parent)!r})\n" + guarded(code))
    arguments = ["corrupt", str(dataset), str(tmp_path / "out"), "--corruption", "fog", "--workers", "2"]
    ended = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.strip().splitlines()[-1].startswith("error: a worker was killed")
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    assert corrupt(dataset, tmp_path / "whole", "--corruption", "fog") == 0
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")


def guarded(code: str) -> str:
    """For a script whose workers are spawned: they import it, too."""
    *setup, run = code.split("\nimport cli; ")
    return "\n".join(setup) + "\nif __name__ == '__main__':\n    import cli; " + run + "\n"


def test_dry_run_counts_and_writes_nothing(dataset, tmp_path, capsys):
    assert corrupt(dataset, tmp_path / "out", "--dry_run") == 0
    text = capsys.readouterr().out
    assert "2 videos, 8 corruption(s): 16 of 16" in text
    assert f"{2 * 8 * FRAMES} frames" in text
    assert not (tmp_path / "out").exists()


def test_the_size_that_is_told_is_about_that_on_disk(dataset, tmp_path, capsys):
    assert corrupt(dataset, tmp_path / "out") == 0
    told = float(re.search(r"about ([0-9.]+) MiB", capsys.readouterr().out).group(1))
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.jpg")) / 2**20
    assert told == pytest.approx(written, rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corruption", "fogg"], "did you mean 'fog'"),
        (["--preset", "intend"], "intended"),
        (["--severity", "6"], "severity"),
        (["--shard", "3/3"], "--shard 3/3 must be i/n"),
        (["--shard", "half"], "--shard half must be i/n"),
        (["--workers", "0"], "--workers 0"),
        (["--quality", "101"], "--quality 101"),
    ],
)
def test_bad_settings_end_in_one_line_before_anything_is_written(dataset, tmp_path, capsys, arguments, message):
    assert corrupt(dataset, tmp_path / "out", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_copy_with_other_settings_is_left_alone(dataset, tmp_path, capsys):
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 0
    before = tree(tmp_path / "out")
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog", "--severity", 5) == 2
    assert "severity 3.0, not 5.0" in capsys.readouterr().err
    assert tree(tmp_path / "out") == before


def test_sources_without_frames_say_what_is_there(dataset, tmp_path, capsys):
    nested = tmp_path / "nested"
    nested.mkdir()
    dataset.rename(nested / "train")
    for source, message in ((tmp_path / "nowhere", "does not exist"), (nested, f"did you mean {nested / 'train'}?")):
        assert corrupt(source, tmp_path / "out") == 2
        assert message in capsys.readouterr().err


def test_a_broken_frame_leaves_no_half_written_video(dataset, tmp_path, capsys):
    (dataset / "JPEGImages/480p/swan lake/00002.jpg").write_bytes(b"no image")
    assert corrupt(dataset, tmp_path / "out", "--corruption", "fog") == 2
    assert "00002.jpg" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out/fog/JPEGImages/480p").iterdir()] == ["bear"]
