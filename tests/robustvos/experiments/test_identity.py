"""What decides the figures of a run, and what does not."""

from __future__ import annotations

from copy import deepcopy

import pytest

from robustvos.experiments.identity import differences, digest_of, identity_of

CONFIG = {
    "seed_everything": 0,
    "run": "a",
    "sam2": {"variant": "nano", "checkpoint": "auto"},
    "recipe": {"optimisation": {"learning_rate": 0.01}},
    "model": {"init_args": {"seed": 0}},
    "data": {
        "class_path": "CorruptedVOS",
        "init_args": {"root": None, "name": "davis", "workers": 0, "train": {"batches": 90}, "test": {"limit": 3}},
    },
    "trainer": {"accelerator": "cpu", "devices": 2, "max_epochs": 4, "precision": None, "log_every_n_steps": 10},
    "results": {"system": "moga", "frames": True},
    "checkpoint": {"save_last": True},
    "ckpt_path": None,
}


def changed(name: str, value: object) -> dict:
    config = deepcopy(CONFIG)
    *path, last = name.split(".")
    node = config
    for part in path:
        node = node[part]
    node[last] = value
    return config


def differing(name: str, value: object, loop: str) -> list[str]:
    return differences(identity_of(changed(name, value), loop), identity_of(CONFIG, loop))


@pytest.mark.parametrize(
    ("name", "value", "fit", "test"),
    [
        ("recipe.optimisation.learning_rate", 0.5, True, False),
        ("data.init_args.train", {"batches": 9000}, True, False),
        ("data.init_args.test", {"limit": 4}, False, True),
        ("model.init_args", {"seed": 1}, True, True),
        ("trainer.max_epochs", 5, True, False),
        ("trainer.devices", 1, True, False),  # batches are of each process
        ("trainer.precision", "bf16-mixed", True, True),
        ("results.system", "mine", False, True),
        ("trainer.accelerator", "gpu", False, False),
        ("trainer.log_every_n_steps", 1, False, False),
        ("data.init_args.workers", 8, False, False),
        ("run", "b", False, False),
        ("checkpoint.save_last", False, False, False),
    ],
)
def test_settings_count_where_figures_depend_on_them(name, value, fit, test):
    assert bool(differing(name, value, "fit")) == fit
    assert bool(differing(name, value, "test")) == test


def test_messages_name_the_setting_as_the_command_line_has_it():
    assert differing("data.init_args.train", {"batches": 9000}, "fit") == ["data.train.batches 90, now 9000"]


def test_a_place_does_not_count_but_what_lies_there(tmp_path):
    for copy in ("here", "there"):
        (tmp_path / copy / "JPEGImages/a").mkdir(parents=True)
        (tmp_path / copy / "JPEGImages/a/0.jpg").write_text("frame")
    here, there = (
        identity_of(changed("data.init_args.root", str(tmp_path / copy)), "test") for copy in ("here", "there")
    )
    assert differences(here, there) == []
    (tmp_path / "there/JPEGImages/a/1.jpg").write_text("frame")
    assert digest_of(tmp_path / "there") != digest_of(tmp_path / "here")


def test_data_that_are_found_by_name_count_too(tmp_path, monkeypatch):
    (tmp_path / "davis").mkdir()
    (tmp_path / "davis/a.jpg").write_text("frame")
    monkeypatch.setenv("ROBUSTVOS_DATA", str(tmp_path))
    before = identity_of(CONFIG, "test")
    assert before["data.files.davis"].startswith("1 files ")
    monkeypatch.delenv("ROBUSTVOS_DATA")
    assert differences(identity_of(CONFIG, "test"), before) == [], "data that are not on this machine are not compared"
    assert differences(before | {"data.files.davis": "2 files 0"}, before)


def test_links_that_lead_in_circles_end(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.txt").write_text("b")
    (tmp_path / "a/round").symlink_to(tmp_path)
    assert str(digest_of(tmp_path)).startswith("1 files ")


def test_weights_count_by_their_content(tmp_path):
    first, second = tmp_path / "1.pt", tmp_path / "2.pt"
    for path in (first, second):
        path.write_bytes(b"weights")
    assert differences(identity_of(CONFIG, "fit", first), identity_of(CONFIG, "fit", second)) == []
    second.write_bytes(b"others!")
    (said,) = differences(identity_of(CONFIG, "fit", second), identity_of(CONFIG, "fit", first))
    assert said.startswith("sam2.checkpoint content ")


def test_names_on_a_hub_count_and_weights_that_are_not_here_do_not():
    hub = [identity_of(changed("sam2.checkpoint", name), "fit") for name in ("facebook/sam2.1-hiera-tiny", "random")]
    assert differences(*hub) == ["sam2.checkpoint random, now facebook/sam2.1-hiera-tiny"]
    absent = identity_of(changed("sam2.checkpoint", "not/here.pt"), "fit")
    assert differences(absent, hub[0]) == []


def test_footage_of_hidden_objects_and_sets_of_a_hub_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTVOS_DATA", str(tmp_path))
    (tmp_path / "pasted").mkdir()
    hidden = changed("data", {"class_path": "datamodules.Hidden", "init_args": {"root": None}})
    before = identity_of(hidden, "test")
    (tmp_path / "pasted/a.jpg").write_text("frame")
    assert len(differences(identity_of(hidden, "test"), before)) == 1
    one, two = (identity_of(changed("data.init_args.root", f"hf://a/{name}"), "test") for name in "xy")
    assert differences(two, one) == ["data.root hf://a/x, now hf://a/y"]
