"""Nothing that is read is written over, and nothing is written elsewhere: whatever names files give, for every command."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

QUICK = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
SIZE = (48, 64)


def contents(root: Path) -> dict[str, bytes]:
    """Every file beneath a folder, through links too."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def draw(root: Path, *names: str, frames: int = 3) -> Path:
    """A dataset in DAVIS layout: a square that moves, annotated on every frame."""
    for name in names:
        for t in range(frames):
            ids = np.zeros(SIZE, np.uint8)
            ids[8:24, 8 + 2 * t : 24 + 2 * t] = 1
            for kind, suffix, pixels in (("JPEGImages", "jpg", ids * 150 + 50), ("Annotations", "png", ids)):
                path = root / kind / name / f"{t:05d}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw(tmp_path / "data", "bear", "swan")


@pytest.fixture
def test_on(door, tiny_base) -> Callable:
    """``test_on(root, ...)`` tests the frozen tiny model on a dataset."""

    def run(root, *more, command="test"):
        model = ["--model", "sam2", "--sam2", tiny_base]
        return door(command, *model, "--data", "davis", "--data.root", root, *QUICK, *more)

    return run


# Names in lists


LINES = {
    "absolute": "{data}/Annotations/bear",
    "upwards": "../../data/Annotations/bear",
    "amid": "swan/../../Annotations/bear",
    "backslashes": "..\\Annotations\\bear",
    "drive": "C:bear",
    "control": "bear\x07",
    "list of frames": "/JPEGImages/480p/../00000.jpg /Annotations/480p/../00000.png",
}


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_of_a_list_that_leads_elsewhere_is_refused_before_anything_is_written(
    test_on, data, tmp_path, kind, encoding
):
    before = contents(data)
    (tmp_path / "val.txt").write_bytes(("\n" + LINES[kind].format(data=data)).encode(encoding))
    error = test_on(data, "--data.val_list", "val.txt").error
    assert "val.txt" in error and ("line 2" in error or kind == "control")
    assert contents(data) == before
    assert not list(tmp_path.rglob("masks")) and {p.name for p in tmp_path.iterdir()} == {"data", "val.txt", "runs"}


def test_lists_as_windows_and_macos_write_them_choose_the_videos(door, test_on, data, tmp_path):
    spelt = unicodedata.normalize("NFD", "bär")
    draw(data, spelt)
    (data / "ImageSets/2017").mkdir(parents=True)
    text = f"{unicodedata.normalize('NFC', 'bär')}\r\n\r\n swan \r\nswan\r\n"
    (data / "ImageSets/2017/val.txt").write_bytes(text.encode("utf-16"))
    answer = test_on(data, "--data.skip_first_last", "false", "--data.test.conditions", "[clean]", "--run", "wide")
    assert answer.code == 0, answer.err
    masks = tmp_path / "runs/wide/version_0/masks"
    assert sorted(p.name for p in masks.iterdir()) == sorted([spelt, "swan"])
    objects = json.loads((masks.parent / "results.json").read_text())["objects"]
    assert len(objects) == 2  # a line that comes twice counts once

    scores = {}
    (tmp_path / "mac.txt").write_bytes(("\ufeff" + text).encode("utf-8"))
    (tmp_path / "old.txt").write_bytes("bär\r\nswan\r\n".encode("latin-1"))
    for chosen in ("mac.txt", "old.txt"):
        answer = door("score", masks, data, "--sequences", chosen, "--out", "scored")
        assert answer.code == 0, answer.err
        scores[chosen] = (tmp_path / "scored/scores.csv").read_text()
    assert scores["mac.txt"] == scores["old.txt"]


def test_videos_that_other_systems_take_for_one_are_refused(test_on, data):
    draw(data, "Bear")
    assert "'Bear' and 'bear' differ by upper and lower case alone" in test_on(data).error


def test_a_name_of_another_case_is_pointed_out(test_on, data, tmp_path):
    (tmp_path / "val.txt").write_text("Bear\nswan\n")
    assert "there is Bear as bear" in test_on(data, "--data.val_list", "val.txt").error


@pytest.mark.parametrize("name", ["../bear", "/data/bear", "bear/../../x", "bear\\x"])
def test_a_prompt_file_that_names_another_place_is_refused(test_on, data, tmp_path, name):
    (tmp_path / "prompts.json").write_bytes(json.dumps({name: {"1": [[10, 10]]}}).encode("utf-8-sig"))
    assert "prompts.json" in test_on(data, "--data.test.prompt", "prompts.json").error
    acdc = {"metadata": {"image_size": 1024}, "prompts": {"fog": {name: {"objects": []}}}}
    (tmp_path / "prompts.json").write_text(json.dumps(acdc))
    assert "prompts.json: fog" in test_on(data, "--data.test.prompt", "prompts.json").error


# Output folders of runs


@pytest.mark.parametrize(
    "setting",
    [
        ("--run", "../data"),
        ("--run", "{data}"),
        ("--run", "a/../../data/Annotations"),
        ("--trainer.default_root_dir", "{data}"),
        ("--trainer.default_root_dir", "."),
        ("--trainer.default_root_dir", "data/Annotations/new"),
        ("--trainer.default_root_dir", "link"),
        ("--checkpoint.dirpath", "{data}/Annotations/bear"),
        ("--trainer.logger+=TensorBoardLogger", "--trainer.logger.save_dir={data}"),
        ("--trainer.logger+=CSVLogger", "--trainer.logger.save_dir=.", "--trainer.logger.name=data"),
    ],
)
@pytest.mark.parametrize("command", ["test", "fit"])
def test_a_run_is_not_left_in_what_it_reads(door, test_on, data, tmp_path, setting, command):
    (tmp_path / "link").symlink_to(data)
    before = contents(data)
    said = [part.format(data=data) for part in setting]
    more = ["--model", "moga", "--recipe", "nano"] if command == "fit" else []
    error = test_on(data, *more, *said, command=command).error
    assert any(word in error for word in ("what is read", "a dataset's own files", "absolute path", "another folder"))
    assert contents(data) == before and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("reads", ["weights", "list"])
def test_what_a_run_reads_besides_data_is_not_written_over_either(test_on, data, tmp_path, tiny_base, reads):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/val.txt").write_text("bear\n")
    more = ["--data.val_list", "mine/val.txt"]
    if reads == "weights":
        shutil.copy(tiny_base.with_name("base.safetensors"), tmp_path / "mine/base.safetensors")
        more = ["--sam2.checkpoint", "mine/base.safetensors"]
    error = test_on(data, *more, "--trainer.default_root_dir", "mine").error
    assert "--trainer.default_root_dir mine contains what is read (mine/" in error


def test_weights_of_an_earlier_version_are_read_by_a_later_one(door, trained, tiny_config, tmp_path):
    """``fit --run X`` that begins with what ``fit --run X`` left: versions never replace each other."""
    shutil.copytree(trained.parent, tmp_path / "runs" / "tiny")
    before = contents(tmp_path / "runs/tiny/version_0")
    weights = tmp_path / "runs/tiny/version_0/checkpoints/last.ckpt"
    answer = door("test", "--config", tiny_config, "--model.weights", weights, *QUICK)
    assert answer.code == 0, answer.err
    after = contents(tmp_path / "runs/tiny/version_0")
    assert after == before and (tmp_path / "runs/tiny/version_1/results.json").is_file()
    shutil.copy(weights, tmp_path / "runs/tiny/mine.ckpt")
    error = door("test", "--config", tiny_config, "--model.weights", tmp_path / "runs/tiny/mine.ckpt", *QUICK).error
    assert "--run runs/tiny contains what is read" in error and "choose another folder" in error


# Output folders of tools


@pytest.fixture
def tools(data, tmp_path, tiny_base, trained) -> dict[str, list]:
    """A command that works, by name, but for ``--out``."""
    frames = data / "JPEGImages/bear"
    shutil.copytree(trained, tmp_path / "kept")
    shutil.copytree(data / "Annotations", tmp_path / "found")
    return {
        "track": ["track", frames, "--box", "8,8,24,24", "--model", "sam2", "--sam2", tiny_base],
        "score": ["score", "found", data],
        "corruptions": ["report", "--corruptions", "--source", frames],
        "corrupt": ["corrupt", data, "--corruption", "fog"],
    }


@pytest.mark.parametrize("tool", ["track", "score", "corruptions", "corrupt"])
@pytest.mark.parametrize(
    "out", ["data", ".", "link", "data/JPEGImages", "data/JPEGImages/bear", "data/Annotations", "data/../data"]
)
def test_a_tool_does_not_write_into_what_it_reads(door, tools, data, tmp_path, tool, out):
    (tmp_path / "link").symlink_to(data)
    before = contents(tmp_path)
    argv = tools[tool]
    where = [out] if tool == "corrupt" else ["--out", out]
    error = door(*argv[:2], *where, *argv[2:]).error if tool == "corrupt" else door(*argv, *where).error
    assert "another folder" in error
    assert contents(tmp_path) == before


def test_scores_of_the_truth_itself_are_not_written_among_it(door, data):
    before = contents(data)
    for pred, gt in (
        (data / "Annotations", data),
        (data, data / "Annotations"),
        (data / "Annotations", data / "Annotations"),
    ):
        answer = door("score", pred, gt)
        if answer.code == 0:
            assert "J&F  1.0000" in answer.out and "nothing is written among the truth's files" in answer.out
        assert contents(data) == before


def test_scores_lie_beside_predictions_by_default_and_where_they_are_asked_for(door, tools, tmp_path):
    assert door(*tools["score"]).code == 0 and (tmp_path / "found/scores.csv").is_file()
    assert door(*tools["score"], "--out", "found").code == 0
    assert door(*tools["score"], "--out", "found/bear/new").code == 0


def test_a_report_may_lie_in_a_run_but_not_over_it(door, tiny_config, tmp_path):
    assert door("test", "--config", tiny_config, "--model", "sam2", "--data.test.limit", 1, "--run", "a").code == 0
    before = contents(tmp_path)
    for out in ("runs", "runs/a/version_0", "."):
        assert "what is read" in door("report", "runs/a/version_0", "--out", out).error
    assert contents(tmp_path) == before
    assert door("report", "runs", "--out", "runs/report").code == 0
    strip = next((tmp_path / "runs/a").rglob("strip.json"))
    facts = json.loads(strip.read_text())
    strip.write_text(json.dumps(facts | {"corruption": "../../../../escaped"}))
    assert "strip.json: corruption: " in door("report", "runs/a", "--out", "page").error
    strip.write_text(json.dumps(facts))
    results = tmp_path / "runs/a/version_0/results.json"
    content = json.loads(results.read_text())
    content["objects"][0]["video"] = "/etc/passwd"
    results.write_text(json.dumps(content))
    assert (
        "results.json: objects[0].video: '/etc/passwd' is an absolute path"
        in door("report", "runs/a", "--out", "page").error
    )
    assert not list(tmp_path.rglob("escaped*"))


def test_an_export_replaces_neither_its_checkpoint_nor_its_base(door, tools, tiny_base, tmp_path):
    checkpoint = tmp_path / "kept/checkpoints/last.ckpt"
    assert door("export", checkpoint, "--out", "a.safetensors").code == 0
    before = contents(tmp_path)
    named = ["--sam2", tiny_base, "--model", tmp_path / "system.yaml"]
    (tmp_path / "system.yaml").write_text(
        "class_path: PromptableVOS\ninit_args: {adapter: {class_path: MoGA, init_args: {rank: 4}}}"
    )
    os.link("a.safetensors", "b.safetensors")
    for out in ("a.safetensors", "b.safetensors"):
        assert "is what is read" in door("export", "a.safetensors", *named, "--out", out).error
    base = tiny_base.with_name("base.safetensors")
    weights = base.read_bytes()
    assert "is what is read" in door("export", checkpoint, "--out", base).error
    assert base.read_bytes() == weights
    assert all((tmp_path / name).read_bytes() == data for name, data in before.items())


# Copies inside of their original, and links


def test_copies_inside_of_a_folder_of_videos_are_no_videos_of_it(door, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(draw(tmp_path / "drawn", name) / "JPEGImages" / name, tmp_path / "clips" / name)
    for _ in range(2):
        answer = door("corrupt", "clips", "clips/out", "--corruption", "fog")
        assert answer.code == 0 and "clips: 2 videos" in answer.out, answer.err
    assert sorted(p.name for p in (tmp_path / "clips/out/fog/JPEGImages").iterdir()) == ["a", "b"]
    (tmp_path / "clips/out/fog/JPEGImages/a").rename(tmp_path / "clips/a copy")  # made by the same command
    shutil.copy(tmp_path / "clips/out/fog/corruption.json", tmp_path / "clips/a copy")
    assert "clips: 2 videos" in door("corrupt", "clips", "new", "--corruption", "rain", "--dry_run").out
    assert "choose another folder" in door("corrupt", "clips", "clips/a", "--corruption", "rain").error


def test_a_copy_is_corrupted_further_beside_itself_but_not_over_itself(door, data, tmp_path):
    assert door("corrupt", data, "copies", "--corruption", "fog").code == 0
    before = contents(tmp_path / "copies")
    for again in ("fog", "all"):
        assert (
            "choose another folder for the copies"
            in door("corrupt", "copies/fog", "copies", "--corruption", again).error
        )
    assert contents(tmp_path / "copies") == before
    assert door("corrupt", "copies/fog", "copies", "--corruption", "rain").code == 0
    assert {k: v for k, v in contents(tmp_path / "copies").items() if k.startswith("fog/")} == before


def test_a_folder_of_ones_own_that_holds_the_original_is_not_for_copies(door, data, tmp_path):
    (tmp_path / "mine").mkdir()
    data.rename(tmp_path / "mine/data")
    assert "contains what is read" in door("corrupt", "mine/data", "mine", "--corruption", "fog").error
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["data"]


def test_a_link_in_a_copy_does_not_lead_back_to_the_original(door, data, tmp_path):
    (tmp_path / "copies/fog").mkdir(parents=True)
    (tmp_path / "copies/fog/JPEGImages").symlink_to(data / "JPEGImages")
    before = contents(data)
    assert "lies outside of" in door("corrupt", data, "copies", "--corruption", "fog").error
    (tmp_path / "copies/fog/JPEGImages").unlink()
    (tmp_path / "copies/fog/Annotations").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert "lies outside of" in door("corrupt", data, "copies", "--corruption", "fog").error
    assert contents(data) == before and not list((tmp_path / "elsewhere").iterdir())


def test_a_note_of_a_copy_that_is_damaged_is_one_line(door, data, tmp_path):
    (tmp_path / "copies/fog").mkdir(parents=True)
    for text in ("{", "[]", "\x00"):
        (tmp_path / "copies/fog/corruption.json").write_text(text)
        assert "corruption.json" in door("corrupt", data, "copies", "--corruption", "fog").error


@pytest.mark.parametrize(
    ("dataset", "model", "said"),
    [
        ("../../data", "sam2", "sets: '../../data' is a path"),
        ("own", "../../data", "model of a row: '..' in '../../data'"),
    ],
)
def test_an_experiment_leaves_its_runs_below_its_folder(door, data, tmp_path, dataset, model, said):
    scale = f"fit: {{}}\nsets: {{'{dataset}': {{data: {{from: davis, root: {data}}}}}}}\n"
    (tmp_path / "scale.yaml").write_text(scale)
    plan = f"title: t\nsets: ['{dataset}']\nrows: {{row: {{model: '{model}'}}}}\n"
    (tmp_path / "plan.yaml").write_text(plan)
    argv = ["experiment", "plan.yaml", "--scale", "scale.yaml", "--dry_run"]
    assert said in door(*argv).error
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/sam2.yaml").write_text("class_path: PromptableVOS\n")
    (tmp_path / "plan.yaml").write_text(plan.replace(dataset, "own").replace(model, f"{tmp_path}/mine/sam2.yaml"))
    (tmp_path / "scale.yaml").write_text(scale.replace(f"'{dataset}'", "own"))
    assert "--run experiments/scale/test/own/sam2-" in door(*argv).out
