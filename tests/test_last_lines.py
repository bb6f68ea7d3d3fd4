"""Every command ends with what to type next, and that, typed as it stands, leads to the next result."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from robustvos.commands.realvas import ACTIONS as REALVAS
from robustvos.commands.usage import LOOPS, TOOLS

ROOT = Path(__file__).resolve().parents[1]
QUICK = ["--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.enable_progress_bar", "false"]
TINY = [
    *("--data.size", "64", "--data.test.limit", "1", "--data.test.frames", "3", "--data.test.conditions", "[clean]"),
    *("--data.val.limit", "1", "--data.val.frames", "3"),
]
HEIGHT, WIDTH = 48, 64


def following(answer, *more: object) -> list[str]:
    """The words of the last line, without the program and what is said behind a ``#``; ``more`` makes it quick."""
    assert answer.code == 0, answer.err
    last = answer.out.rstrip().splitlines()[-1]
    found = re.fullmatch(r"next: (?:python cli\.py|robustvos) ([^#]+?)(?:\s+#.*)?", last)
    assert found, f"the last line says no command: {last}"
    return [*shlex.split(found[1]), *map(str, more)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``data`` in DAVIS layout: three frames of a square that moves, with masks."""
    for t in range(3):
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids[8:24, 8 + t : 24 + t] = 1
        for kind, name, pixels in (
            ("JPEGImages", f"{t:05d}.jpg", 90 + 120 * ids),
            ("Annotations", f"{t:05d}.png", ids),
        ):
            path = tmp_path / "data" / kind / "v" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path / "data"


CHAINS = {
    "validate": ("validate --model sam2 --sam2 {base} {tiny}", ["report", "fit"]),
    "test": ("test --model sam2 --sam2 {base} {tiny}", ["report", "fit"]),
    "predict": ("predict --model sam2 --sam2 {base} {tiny}", ["test", "report", "fit"]),
    "track": ("track {video} --box 8,8,24,24 --out out", ["corrupt", "track", "corrupt"]),
    "corrupt": ("corrupt {data} copies --corruption fog", ["test", "report", "fit"]),
    "score": ("score {data}/Annotations {data} --out scored", ["report", "fit"]),
    "report": ("report --corruptions --source {video} --out page", ["corrupt", "track", "corrupt"]),
    "inspect": ("inspect --data davis --data.root {data}", ["test", "report", "fit"]),
    "inspect --zoo": ("inspect --zoo", ["inspect", "test"]),
    "inspect --model": ("inspect --model lora", ["fit"]),
    "external": ("external list", ["external"]),
    "realvas": ("realvas add {video} --out run", ["realvas"]),
}
"""What is typed first, and the commands of the last lines that follow from it; the last of them is not typed."""
ELSEWHERE = {
    "fit": "test_training_leads_to_a_test_a_report_and_weights_to_hand_on",
    "export": "test_training_leads_to_a_test_a_report_and_weights_to_hand_on",
    "experiment": "test_an_experiment_leads_to_what_it_trained",
    "annotate": "test_a_page_that_is_closed_says_what_to_do_with_what_was_made",
    "review": "tests/robustvos/reviewing/test_last_lines_of_clips.py",
}


def test_no_command_is_left_out():
    assert {key.split()[0] for key in CHAINS} | set(ELSEWHERE) == {*LOOPS, *TOOLS}
    here = Path(__file__)
    for where in ELSEWHERE.values():
        assert (ROOT / where).is_file() or f"def {where}(" in here.read_text(encoding="utf-8")


@pytest.mark.parametrize("first", CHAINS)
def test_each_last_line_is_a_command_that_leads_to_the_next(door, tiny_base, folder, monkeypatch, first):
    said, chain = CHAINS[first]
    tiny = shlex.join([*TINY, *QUICK])
    words = shlex.split(said.format(base=tiny_base, tiny=tiny, video=folder / "JPEGImages" / "v", data=folder))
    for expected in chain:
        quick = [*QUICK, "--data.test.conditions", "[clean]"] if words[0] == "test" else []
        monkeypatch.setattr(sys, "argv", ["cli.py", *words, *quick])  # what predict repeats
        words = following(door(*words, *quick))
        assert words[0] == expected


def test_the_report_after_a_score_replaces_no_other(door, folder):
    words = following(door("score", folder / "Annotations", folder, "--out", "scored"))
    assert words == ["report", "scored", "--out", "scored/report"]


def test_training_leads_to_a_test_a_report_and_weights_to_hand_on(door, tiny_config, tmp_path):
    words = following(door("fit", "--config", tiny_config))
    for command in ("test", "report", "export", "test"):
        assert words[0] == command
        answer = door(*words)
        words = following(answer)
    report = Path("runs", "tiny", "version_1", "report")
    assert (tmp_path / report / "index.html").is_file()
    assert f"test with weights {report / 'moga.safetensors'}" in answer.out


def test_an_experiment_leads_to_what_it_trained(door, tiny_base, tmp_path):
    """``--only fit`` leads to the tests, these to the table, and the table to the weights of its best row."""
    scale = {
        "fit": {
            "config": str(ROOT / "configs" / "moga.yaml"),
            "sam2": str(tiny_base),
            "trainer": {"devices": 1, "max_epochs": 1},
            "data": {
                "size": 64,
                "train": {"batches": 1, "frames": 2, "frames_per_batch": 2},
                "val": {"limit": 1, "frames": 2},
            },
        },
        "test": {"trainer": {"devices": 1}, "sam2": str(tiny_base)},
        "sets": {"shapes": {"data": {"from": "shapes", "size": 64, "test": {"limit": 1, "frames": 3}}}},
        "like": "embedded",
    }
    adapter = {"model": {"adapter": {"rank": 4}}}
    rows = {"MoGA+SAM2": {"model": "moga", "scales": {"embedded": adapter}, "fit": True}}
    table = {"title": "Tiny", "table": 4, "sets": ["shapes"], "reference": "MoGA+SAM2", "rows": rows}
    for name, content in (("scale", scale), ("tiny", table)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    words = ["experiment", "tiny.yaml", "--scale", "scale.yaml", "--only", "fit"]
    for expected in ("experiment", "experiment", "export"):
        words = following(door(*words))
        assert words[0] == expected
    assert following(door(*words))[:2] == ["test", "--config"]


def test_each_action_on_videos_without_a_clip_leads_on(door, folder):
    """Three frames are no shot: what was rejected is explained. Runs with clips: tests/robustvos/reviewing."""
    video = folder / "JPEGImages" / "v"
    words = following(door("realvas", "run", video, "--out", "run"))
    assert words[:2] == ["realvas", "explain"]
    for action in sorted({*REALVAS} - {"run", "publish", "reviews", "validate_containment"}):
        said = {"explain": words[2:3], "add": [video]}.get(action, [])
        found = following(door("realvas", action, *said, "--out", "run"))
        assert found[0] == "realvas" and found[1] in REALVAS, action


@pytest.mark.parametrize("first", [0, 2, None])
def test_the_copy_of_a_tracked_video_is_tracked_from_its_first_mask(door, folder, tmp_path, first):
    """In the folder of a ``track``; without a mask that shows something it is the middle of the frame, and is called so."""
    masks = tmp_path / "out" / "masks"
    masks.mkdir(parents=True)
    for t in range(3):
        ids = np.full((HEIGHT, WIDTH), t == first, np.uint8)
        Image.fromarray(ids).save(masks / f"{t:05d}.png")
    answer = door("corrupt", folder / "JPEGImages" / "v", "out/corrupted", "--corruption", "fog")
    words = following(answer)
    copy = ["track", "out/corrupted/fog/JPEGImages/v"]
    if first is None:
        assert words == [*copy, "--point", "32,24", "--out", "out/corrupted/tracked"]
        assert "on your object" in answer.out.splitlines()[-1]
    else:
        later = ["--frame", "2"] if first else []
        assert words == [*copy, "--mask", f"out/masks/{first:05d}.png", *later, "--out", "out/corrupted/tracked"]


@pytest.mark.parametrize("corrected", [False, True])
def test_a_page_that_is_closed_says_what_to_do_with_what_was_made(folder, tiny_base, tmp_path, corrected):
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    out = tmp_path / "made"
    if corrected:
        out.mkdir()
        (out / "prompts.jsonl").write_text('{"frame": 0, "object": 1, "box": [8, 8, 24, 24]}\n')
    said = [folder / "JPEGImages" / "v", "--sam2", tiny_base, "--out", out, "--port", 0, "--open", "false"]
    lines = lines_of_a_page("annotate", *said)
    assert lines[-1].startswith("next: python cli.py track " if corrected else "next: python cli.py annotate ")
    assert lines[-2] == f"annotated: {out}"
    assert [line for line in lines if "FutureWarning" in line] == []


def lines_of_a_page(*argv: object) -> list[str]:
    """What a page's command says, Ctrl-C once it listens."""
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, argv)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        first = process.stdout.readline()
        assert "open http" in first
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return [first, *rest.strip().splitlines()]


def test_fit_with_a_checkpoint_callback_of_ones_own_says_its_last_checkpoint(door, tiny_config, tmp_path):
    own = [
        "--trainer.callbacks+=ModelCheckpoint",
        "--trainer.callbacks.monitor=val/J&F",
        "--trainer.callbacks.mode=max",
    ]
    answer = door("fit", "--config", tiny_config, "--run", "best", *QUICK, *own)
    assert answer.code == 0, answer.err
    last = tmp_path / "runs" / "best" / "version_0" / "checkpoints" / "last.ckpt"
    assert last.is_file() and f"trained: {last.relative_to(tmp_path)}" in answer.out
    assert (last.parent.parent / "trained.json").is_file()
    curve = EventAccumulator(str(last.parent.parent))
    curve.Reload()
    scores = [event.value for event in curve.Scalars("val/J&F")]  # one headline: curve, checkpoints and last lines
    state = torch.load(last, weights_only=False)["callbacks"]
    best = next(float(one["best_model_score"]) for one in state.values() if one.get("monitor") == "val/J&F")
    assert len(scores) == 2 and best == pytest.approx(max(scores), abs=1e-7)
    assert f"last validation, in percent: J&F {100 * scores[-1]:.1f}" in answer.out
