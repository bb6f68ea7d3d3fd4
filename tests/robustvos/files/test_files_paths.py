"""What is written stays beneath its folder; outputs are never inputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from robustvos.errors import UnsafePath
from robustvos.files.paths import existing_paths, lies_in, refuse_dataset_folders, refuse_inputs_as_output, under

pytestmark = pytest.mark.fast


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``data/video.mp4``, ``data/clips/a``, an empty ``out``, and a link ``shortcut`` to ``data``."""
    (tmp_path / "data/clips/a").mkdir(parents=True)
    (tmp_path / "data/video.mp4").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "shortcut").symlink_to(tmp_path / "data")
    return tmp_path


@pytest.mark.parametrize("part", ["../data/x", "/etc/x", "a/../../x", "..", ".", "way/x"])
def test_a_path_outside_of_its_root_is_refused(place, part):
    (place / "out/way").symlink_to(place / "data")
    with pytest.raises(UnsafePath, match="lies outside of"):
        under(place / "out", part)


def test_a_path_beneath_its_root_is_that_path(place):
    assert under(place / "out", "masks", "a b/0.png") == place / "out/masks/a b/0.png"
    assert under(place / "shortcut", "new/x") == place / "shortcut/new/x"  # a root may be a link itself
    (place / "out/inner").symlink_to(place / "out")
    assert under(place / "out", "inner/x")
    assert under("relative", "x") == Path("relative/x")


def test_a_sibling_with_a_longer_name_is_outside(place):
    (place / "output").mkdir()
    with pytest.raises(UnsafePath):
        under(place / "out", "../output/x")


@pytest.mark.parametrize("out", ["data", "shortcut", "out/../data", ".", "shortcut/../data/clips/.."])
def test_an_output_that_is_or_contains_an_input_is_refused(place, monkeypatch, out):
    monkeypatch.chdir(place)
    for given in ("data", "shortcut", place / "data"):
        with pytest.raises(UnsafePath, match=r"is what is read|contains what is read"):
            refuse_inputs_as_output(out, [None, given])
    with pytest.raises(UnsafePath, match="contains what is read"):
        refuse_inputs_as_output(out, ["shortcut/clips/a"])


def test_an_input_that_is_a_link_counts_where_it_lies_and_where_it_leads(place):
    (place / "out/link").symlink_to(place / "data/clips")
    for out in ("out", "data"):
        with pytest.raises(UnsafePath, match="contains what is read"):
            refuse_inputs_as_output(place / out, [place / "out/link/a"])


def test_an_output_file_that_is_an_input_is_refused_under_any_name(place):
    os.link(place / "data/video.mp4", place / "out/same.mp4")
    for name in ("data/video.mp4", "out/same.mp4", "shortcut/video.mp4"):
        with pytest.raises(UnsafePath, match="is what is read"):
            refuse_inputs_as_output(place / name, [place / "data/video.mp4"])


def test_outputs_elsewhere_or_inside_are_allowed(place):
    for out in ("out", "data/new", "data/clips/a/masks", "nowhere/yet", "data/video.mp4/x"):
        refuse_inputs_as_output(place / out, [place / "data", place / "data/video.mp4", "no/such/file", None])


def test_a_folder_of_the_commands_own_may_contain_an_input_but_not_be_it(place):
    with pytest.raises(UnsafePath):
        refuse_inputs_as_output(place / "data", [place / "data/clips"], marker="note.json")
    (place / "data/clips/note.json").touch()
    refuse_inputs_as_output(place / "data", [place / "data/clips/a"], marker="note.json")
    with pytest.raises(UnsafePath):  # what lies further out is another's
        refuse_inputs_as_output(place / "data/clips/a", [place / "data/clips/a"], marker="note.json")
    with pytest.raises(UnsafePath):
        refuse_inputs_as_output(place / "data", [place / "data/video.mp4"], marker="note.json")


def test_a_datasets_own_folders_receive_nothing(place):
    (place / "set/JPEGImages").mkdir(parents=True)
    (place / "frames").symlink_to(place / "set/JPEGImages")
    for out in ("set/JPEGImages", "set/JPEGImages/480p/new", "frames/new", "set/Annotations/x"):
        with pytest.raises(UnsafePath, match="among a dataset's own files"):
            refuse_dataset_folders(place / out)
    refuse_dataset_folders(place / "set/runs")


def test_paths_are_found_in_nested_settings(place, monkeypatch):
    monkeypatch.chdir(place)
    settings = {"a": "data", "b": [{"c": Path("out")}, "nowhere", None, 3], "d": "", "e": "x\0y"}
    assert list(existing_paths(settings)) == [Path("data"), Path("out")]


def test_where_a_path_lies_does_not_depend_on_links(place):
    assert lies_in(place / "shortcut/clips/new", place / "data") and lies_in(place / "data", place / "shortcut")
    assert not lies_in(place / "data", place / "out") and not lies_in(place / "out", place / "nowhere")
