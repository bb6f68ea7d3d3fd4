"""Every YAML in ``configs/`` through the real door, on tiny data; files are found by globbing, so new ones are tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from robustvos.datasets.shapes import ShapesEvaluation
from robustvos.evaluation.results import load_result
from robustvos.sam2.config import PACKAGE_WEIGHTS, VARIANTS

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
MOGA = CONFIGS / "moga.yaml"

TRAINER = {
    "accelerator": "cpu",
    "devices": 1,
    "strategy": "auto",
    "precision": "32-true",
    "max_epochs": 1,
    "limit_train_batches": 2,
    "limit_val_batches": 1,
    "limit_test_batches": 1,
    "enable_progress_bar": "false",
}
SHAPES = {
    "size": 64,
    "train.frames": 2,
    "train.frames_per_batch": 2,
    "val.limit": 1,
    "val.frames": 3,
    "test.limit": 1,
    "test.frames": 3,
}
PICTURES = {
    "strips.per_condition": 0,
    "videos.per_condition": 0,
    "gates.per_condition": 0,
    "overlays.videos": 0,
}  # tested by themselves


def names(folder: str = "") -> list[str]:
    found = sorted(path.stem for path in (CONFIGS / folder).glob("*.yaml"))
    assert found
    return found


def read(*parts: str) -> dict[str, Any]:
    return yaml.safe_load(CONFIGS.joinpath(*parts).read_text())


def flags(prefix: str, settings: dict[str, Any]) -> list[str]:
    return [f"--{prefix}{name}={value}" for name, value in settings.items()]


TINY = [*flags("trainer.", TRAINER), *flags("", PICTURES)]


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_no_key_is_given_twice(path):
    """YAML takes the last of two, without a word."""

    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"{path}:{node.start_mark.line + 1}: {keys}"
        for child in node.value if isinstance(node.value, list) else ():
            for part in child if isinstance(child, tuple) else (child,):
                check(part)

    check(yaml.compose(path.read_text(encoding="utf-8")))


TINY_SHAPES = ["--data", "shapes", *flags("data.", SHAPES)]


def is_shapes(config: dict[str, Any]) -> bool:
    data = config.get("data") or {}  # settings, or the name of a file of them
    return isinstance(data, dict) and str(data.get("class_path")).endswith("Shapes")


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch, tmp_path_factory):
    """Neither datasets nor weights of this machine, and a cache of its own."""
    for name in ("ROBUSTVOS_DATA", "ROBUSTVOS_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROBUSTVOS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


# Whole runs


@pytest.mark.parametrize("name", names())
def test_run_config(door, tiny_base, tmp_path, name):
    """Fits, or tests if its name ends in ``_test``; other data than Shapes are replaced, and so is the base."""
    path = CONFIGS / f"{name}.yaml"
    config = read(path.name)
    data = flags("data.", SHAPES) if is_shapes(config) else TINY_SHAPES
    subcommand = "test" if name.endswith("_test") else "fit"
    model = [] if "model" in config else ["--model", "sam2" if subcommand == "test" else "moga"]
    base = ["--sam2", tiny_base]
    if config.get("model", {}).get("init_args", {}).get("adapter", "") is None:  # it trains a base
        base = flags("sam2.", {"checkpoint": "random", "image_size": 64})
    answer = door(subcommand, "--config", path, *base, *model, *data, *TINY)
    assert answer.code == 0, answer.err
    assert list(tmp_path.rglob("results.json" if subcommand == "test" else "last.ckpt"))


@pytest.mark.parametrize("name", names())
def test_run_config_runs_as_it_is_or_says_what_it_lacks(door, name):
    config = read(f"{name}.yaml")
    if is_shapes(config) or "data" not in config or name == "moga_amodal":  # drawn clips, too
        assert (
            door("fit" if "model" in config else "test", "--config", CONFIGS / f"{name}.yaml", "--print_config").code
            == 0
        )
    else:
        assert_says_what_is_missing(door("fit", "--config", CONFIGS / f"{name}.yaml", *TINY).error)


# Parts of runs


@pytest.mark.parametrize("name", names("sam2"))
def test_base(door, tmp_path, name):
    """Tracks with random weights of 64 px if it is small; else its missing weights are said, with their address."""
    base = read("sam2", f"{name}.yaml")
    variant = VARIANTS.get(base["variant"])
    said = ["test", "--model", "sam2", "--sam2", name, *TINY_SHAPES, *TINY]
    if variant is not None and variant.url is not None:
        assert variant.url in door(*said).error
        return
    if base["checkpoint"] == "auto" and not (PACKAGE_WEIGHTS / str(variant and variant.weights)).is_file():
        assert_says_what_is_missing(door(*said).error)
    answer = door(*said, "--sam2.checkpoint=random", "--sam2.image_size=64")
    assert answer.code == 0, answer.err
    assert load_result(next(tmp_path.rglob("results.json"))).base == base["variant"]


@pytest.mark.parametrize("name", names("data"))
def test_data(door, tiny_base, tmp_path, name):
    """Is tested on if it needs no download; else it says where it looked, and what to do."""
    class_name = read("data", f"{name}.yaml")["class_path"].rpartition(".")[2]
    tiny = {"Shapes": flags("data.", SHAPES), "RealVAS": ["--data.sample={occlusion: 1, containment: 0}"]}
    answer = door("test", "--model", "sam2", "--sam2", tiny_base, "--data", name, *tiny.get(class_name, []), *TINY)
    if class_name in tiny:
        assert answer.code == 0, answer.err
        result = load_result(next(tmp_path.rglob("results.json")))
        assert result.dataset == name
        assert result.objects
    else:
        assert_says_what_is_missing(answer.error)


@pytest.mark.parametrize("name", names("recipe"))
def test_recipe(door, tiny_base, name):
    answer = door("fit", "--config", MOGA, "--recipe", name, "--sam2", tiny_base, *flags("data.", SHAPES), *TINY)
    assert answer.code == 0, answer.err


def test_official_weights_are_where_every_base_says():
    """A comment names the file of the weights, which must be that of the variant."""
    for name in names("sam2"):
        variant = VARIANTS.get(read("sam2", f"{name}.yaml")["variant"])
        if variant is not None and variant.weights is not None and variant.url is not None:
            assert variant.weights in (CONFIGS / "sam2" / f"{name}.yaml").read_text()


def assert_says_what_is_missing(error: str) -> None:
    """Where it looked or would look, or what to install."""
    assert any(words in error for words in ("looked", "$ROBUSTVOS_DATA", "pip install")), error


def test_a_run_is_tested_as_a_test_of_its_own():
    """A run's config.yaml and ``test --model sam2`` test alike, so that the frozen model can be put beside what was trained."""
    said, own = (config["init_args"]["test"] for config in (read("moga.yaml")["data"], read("data", "shapes.yaml")))
    assert ShapesEvaluation(**said) == ShapesEvaluation(**own)
