"""Where weights are found, and what is said when they are not."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from robustvos.errors import CheckpointMismatch, CheckpointNotFound, DataNotFound, MissingExtra, UnknownName
from robustvos.perception import PLUGINS, DepthAnything, plugin_class
from robustvos.perception.weights import find_published

WITH_WEIGHTS = [
    (kind, name)
    for kind, plugins in PLUGINS.items()
    for name, plugin in plugins.items()
    if getattr(plugin, "weights", None)
]
PUBLISHED = DepthAnything.weights


def test_every_kind_has_a_plugin_without_weights_and_all_but_layers_one_with():
    assert {kind for kind, _ in WITH_WEIGHTS} == {"detector", "depth", "points", "matte"}
    for kind, plugins in PLUGINS.items():
        first = next(iter(plugins.values()))
        assert getattr(first, "weights", None) is None, kind
        assert all(name == plugin.name for name, plugin in plugins.items())


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownName, match="unknown matte plugin 'closedform'; did you mean 'closed_form'"):
        plugin_class("matte", "closedform")
    with pytest.raises(UnknownName, match="did you mean 'depth'"):
        plugin_class("dept", "x")


@pytest.mark.parametrize(("kind", "name"), WITH_WEIGHTS)
def test_missing_weights_name_files_size_licence_and_place(kind, name, tmp_path, monkeypatch):
    (tmp_path / "hubconf.py").touch()
    monkeypatch.setenv("ROBUSTVOS_COTRACKER", str(tmp_path))
    plugin = plugin_class(kind, name)()
    with pytest.raises(CheckpointNotFound) as caught:
        plugin.load()
    text, published = str(caught.value), plugin.weights
    assert "\n" not in text
    for said in (*published.files, published.licence, f"{published.megabytes} MB", "checkpoints", published.hub_id):
        assert said in text


@pytest.mark.parametrize("checkpoint", ["hf://depth-anything/Depth-Anything-V2-Small-hf", "hf://somebody/else"])
def test_unreachable_hub_names_the_files_to_place(checkpoint):
    with pytest.raises(CheckpointNotFound) as caught:
        find_published(checkpoint, PUBLISHED)
    text = str(caught.value)
    assert "could not fetch config.json, model.safetensors" in text and "99 MB, Apache-2.0" in text
    assert "checkpoints/Depth-Anything-V2-Small-hf" in text


def test_size_and_licence_are_said_before_anything_is_fetched(tmp_path, monkeypatch, capsys):
    said_before = []

    def download(repo_id: str, filename: str) -> str:
        said_before.append(capsys.readouterr().err)
        (tmp_path / filename).touch()
        return str(tmp_path / filename)

    metadata = SimpleNamespace(size=33_000_000)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *args, **kwargs: metadata)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_published(f"hf://{PUBLISHED.hub_id}", PUBLISHED) == tmp_path
    assert said_before[0] == f"fetching {PUBLISHED.hub_id} (99 MB, Apache-2.0) from Hugging Face\n"
    assert len(said_before) == len(PUBLISHED.files)


def test_cached_files_are_taken_without_asking_the_net(tmp_path, monkeypatch):
    for name in PUBLISHED.files:
        (tmp_path / name).touch()
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, name: str(tmp_path / name))
    assert find_published("auto", PUBLISHED) == find_published(f"hf://{PUBLISHED.hub_id}", PUBLISHED) == tmp_path


def test_folders_are_looked_through_in_order(depth_folder, tmp_path, monkeypatch):
    shutil.copytree(depth_folder, tmp_path / "checkpoints" / depth_folder.name)
    assert find_published("auto", PUBLISHED).parts[0] == "checkpoints"
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(depth_folder.parent))
    assert find_published("auto", PUBLISHED) == depth_folder
    assert find_published(str(depth_folder), PUBLISHED) == depth_folder


def test_half_copied_folder_names_what_is_missing(depth_folder, tmp_path):
    shutil.copytree(depth_folder, tmp_path / "mine")
    (tmp_path / "mine" / "model.safetensors").unlink()
    with pytest.raises(CheckpointNotFound, match=r"missing: model\.safetensors\)"):
        find_published(str(tmp_path / "mine"), PUBLISHED)


def broken_copy(folder, target, change):
    shutil.copytree(folder, target)
    state = load_file(target / "model.safetensors")
    change(state)
    save_file(state, target / "model.safetensors", metadata={"format": "pt"})
    return DepthAnything(str(target))


def drop(state):
    del state[sorted(state)[0]]


def reshape(state):
    state[sorted(state)[0]] = torch.zeros(1, 2, 3)


def spoil(state):
    state[sorted(state)[0]].view(-1)[0] = float("nan")


@pytest.mark.parametrize(
    ("change", "said"),
    [(drop, "1 missing"), (reshape, "of another shape|cannot be loaded"), (spoil, "1 not finite")],
)
def test_weights_that_do_not_fit_are_refused_rather_than_filled_up(change, said, depth_folder, tmp_path):
    with pytest.raises(CheckpointMismatch, match=said) as caught:
        broken_copy(depth_folder, tmp_path / "broken", change).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "preprocessor_config.json"])
def test_truncated_files_are_refused_in_one_line(file, depth_folder, tmp_path):
    shutil.copytree(depth_folder, tmp_path / "cut")
    content = (tmp_path / "cut" / file).read_bytes()
    (tmp_path / "cut" / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointMismatch) as caught:
        DepthAnything(str(tmp_path / "cut")).load()
    assert "\n" not in str(caught.value)


def test_missing_transformers_names_the_extra(depth_folder, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"robustvos\[perception\]"):
        DepthAnything(str(depth_folder)).load()


def test_missing_checkout_says_how_to_get_one():
    with pytest.raises(DataNotFound, match=r"\$ROBUSTVOS_COTRACKER is not set.*git clone.*non-commercial"):
        plugin_class("points", "cotracker")().load()
