"""One grammar: tools name systems, bases and data as the loops do, and import nothing heavy before they have read it all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from robustvos.commands.realvas_options import STAGES
from robustvos.commands.usage import LOOPS, TOOLS

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "lightning", "numba", "transformers", "matplotlib")
ACTIONS = (
    *([name] for name in TOOLS),
    ["realvas", "run"],
    ["realvas", "ingest"],
    ["realvas", "publish"],
    ["realvas", "validate_containment"],
    ["external", "export"],
    ["external", "import"],
)


def imported_by(*argv: str) -> tuple[set[str], str]:
    """Heavy packages that a command has imported when it ends, and what it said."""
    code = f"import sys, cli; cli.main(sys.argv[1:]); print('imported', *{{*{HEAVY!r}}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code, *argv], cwd=ROOT, capture_output=True, text=True, check=True)
    said, _, names = done.stdout.rpartition("imported")
    return set(names.split()), said + done.stderr


@pytest.mark.parametrize("argv", ACTIONS, ids=" ".join)
def test_help_of_a_tool_imports_nothing_heavy(argv):
    imported, said = imported_by(*argv, "--help")
    assert not imported
    assert said.startswith("usage: ")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["track", "a.mp4", "--boxes", "1,2,3,4"], "did you mean '--box'"),
        (["track", "a.mp4"], "needs --out"),
        (["track", "a.mp4", "--out"], "--out needs a value"),
        (["score", "a"], "needs GT"),
        (["score", "a", "b", "c"], "'c' stands alone"),
        (["corrupt", "a", "b", "--severity", "hard"], "--severity: expected a number, got 'hard'"),
        (["track", "a", "--out", "b", "--format", "gif"], "expected 'png', 'coco_rle', 'ytvos', got 'gif'"),
        (["track", "a", "--out", "b", "--overlay=perhaps"], "--overlay: expected true or false, got 'perhaps'"),
        (["inspect", "--root", "data"], "--root is now --data.root"),
        (["track", "a", "--out", "b", "--sam2_checkpoint", "c"], "--sam2_checkpoint is now --sam2.checkpoint"),
        (["report", "a", "--out", "b", "--model.adapter.rank", "8"], "unknown setting '--model.adapter.rank'"),
    ],
)
def test_a_slip_is_said_before_anything_heavy_is_imported(argv, said):
    imported, answer = imported_by(*argv)
    assert not imported
    assert said in answer
    assert answer.startswith("error: ") and answer.count("\n") == 1


def test_the_stages_are_those_of_the_pipeline():
    from robustvos.realvas.pipeline import STAGES as OF_THE_PIPELINE

    assert STAGES == OF_THE_PIPELINE


# Systems


def adapter_parameters(door, *argv) -> int:
    answer = door("inspect", *argv)
    assert answer.code == 0, answer.err
    (row,) = [line for line in answer.out.splitlines() if line.startswith(("MoGA  ", "LoRA  "))]
    return int(row.split()[1].replace(",", ""))


def test_single_settings_of_a_system_are_the_loops(door):
    plain = adapter_parameters(door, "--model", "lora")
    assert (
        4 * adapter_parameters(door, "--model", "lora", "--model.adapter.rank", 8) == plain
    )  # 32 in configs/model/lora.yaml
    alias = adapter_parameters(door, "--model", "lora", "--model.init_args.adapter.init_args.rank=8")
    assert adapter_parameters(door, "--model.adapter.rank", 8, "--model", "lora") == alias == plain // 4


def test_an_adapter_given_by_class_is_named_after_it(door):
    answer = door("inspect", "--model.adapter", "LoRA", "--model.adapter.rank", 2)
    assert answer.out.startswith("lora on nano, ")


def test_single_settings_of_the_base_are_the_loops(door):
    assert "moga on nano, 96 px" in door("inspect", "--sam2.image_size", 96).out
    assert "did you mean '--sam2.image_size'" in door("inspect", "--sam2.image_sice", 96).error


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--model.adapter.rnak", "8"], "did you mean '--model.adapter.rank'"),
        (["--model.adaptor.rank", "8"], "--model.adaptor.rank"),
        (["--model.adapter.rank", "many"], "--model.adapter.rank: expected a whole number or null, got 'many'"),
        (["--model.adapter", "MoGGA"], "did you mean 'MoGA'"),
        (["--model.protocol", "release"], "--model.protocol is of fit, validate, test and predict"),
        (["--data.root", "x"], "say which with --data NAME"),
    ],
)
def test_a_slip_in_a_system_is_one_line(door, argv, said):
    assert said in door("inspect", *argv).error


def test_a_run_is_inspected_by_its_config(door, trained):
    assert "moga on nano, 64 px" in door("inspect", "--config", trained / "config.yaml").out
    assert "lora on nano, 64 px" in door("inspect", "--config", trained / "config.yaml", "--model", "lora").out


def test_a_file_may_hold_every_setting_and_what_is_typed_counts_more(door, tmp_path):
    said = {"model": "lora", "model.adapter.rank": 8, "sam2": {"variant": "nano", "image_size": 64}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(said))
    assert "lora on nano, 64 px" in door("inspect", "--config", "mine.yaml").out
    typed = adapter_parameters(door, "--config", "mine.yaml", "--model.adapter.rank", 2)
    assert typed < adapter_parameters(door, "--config", "mine.yaml")
    (tmp_path / "mine.yaml").write_text("modle: lora")
    assert "did you mean '--model'" in door("inspect", "--config", "mine.yaml").error


@pytest.mark.parametrize(
    "of_a_run", ["trainer: {max_epochs: 1}", "data: {class_path: Shapes}", "recipe: recipe/nano.yaml"]
)
def test_a_file_of_fit_says_its_system_alone(door, tmp_path, of_a_run):
    (tmp_path / "mine.yaml").write_text(f"model: lora\n{of_a_run}\n")
    assert "lora on nano" in door("inspect", "--config", "mine.yaml").out


def test_a_file_of_a_tool_may_describe_its_system_in_full(door, tiny_base, tmp_path):
    frames, model = tmp_path / "frames", {"class_path": "PromptableVOS", "init_args": {"adapter": None}}
    frames.mkdir()
    for t in range(2):
        Image.fromarray(np.full((32, 48, 3), 60 + t, np.uint8)).save(frames / f"{t}.png")
    (tmp_path / "p.jsonl").write_text('{"frame": 0, "object": 1, "box": [8, 8, 24, 24]}\n')
    said = {"model": model, "sam2": str(tiny_base), "prompts": "p.jsonl", "format": "coco_rle", "overlay": False}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(said))
    answer = door("track", frames, "--config", "mine.yaml", "--out", "out")
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["masks.json", "scores.csv"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(said | {"prompt": said["prompts"]}))
    assert "did you mean '--prompts'" in door("track", frames, "--config", "mine.yaml", "--out", "more").error


def test_a_file_may_hold_what_is_required(door, tmp_path):
    (tmp_path / "mine.yaml").write_text("src: nowhere\ndst: copies\ncorruption: [fog, rain]\nworkers: 2\n")
    assert "nowhere" in door("corrupt", "--config", "mine.yaml").error


def test_plugins_are_known_to_tools(door, tmp_path, monkeypatch):
    package = tmp_path / "idle_adapters"
    package.mkdir()
    (package / "__init__.py").write_text("from robustvos.adapters import LoRA\n\n\nclass Idle(LoRA):\n    pass\n")
    about = tmp_path / "idle_adapters-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: idle-adapters\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[robustvos.plugins]\nidle = idle_adapters\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "idle on nano" in door("inspect", "--model.adapter", "Idle", "--model.adapter.rank", 2).out


# Help of the loops


def test_help_of_a_loop_is_a_page_that_begins_with_the_dataset_and_the_system(door):
    answer = door("fit", "--data", "davis", "--help")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 124
    order = [
        next(n for n, line in enumerate(lines) if line.startswith(start))
        for start in (
            "usage: ",
            "dataset CorruptedVOS:",
            "  --data.root null",
            "system PromptableVOS with MoGA:",
            "  --model.adapter.rank ",
            "base nano:",
        )
    ]
    assert order == sorted(order)
    assert sum("--trainer." in line for line in lines) < 10


def test_help_shows_the_values_that_a_run_would_have(door):
    out = door("test", "--model", "lora", "--model.adapter.rank", 3, "--data", "realvas", "--help").out
    assert "--model.adapter LoRA " in out
    assert "--model.adapter.rank 3 " in out
    assert "--data.test.conditions [clean] " in out
    assert "--data.val" not in out


@pytest.mark.parametrize("loop", LOOPS)
def test_every_loop_has_its_page(door, loop):
    out = door(loop, "--help").out
    assert f" {loop} [--config FILE]" in out
    assert "--GROUP.help" in out


def test_settings_of_a_group_are_listed_on_request(door):
    out = door("fit", "--trainer.help").out
    assert "--trainer.max_epochs 4 " in out
    assert "--data." not in out
    assert "--recipe.optimisation.learning_rate " in door("fit", "--recipe.help").out
    assert "trainer" in door("fit", "--trainr.help").error
    assert "--trainer.max_epochs MAX_EPOCHS" in door("fit", "--help_all").out
