"""Exported weights: model cards, and the form of the public MoGA release in both directions."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.video.masks import read_indexed_mask

OF_LAYER = {
    f"{place}_{name}"
    for place in ("sa", "ca")
    for name in (
        *("gate.masklet_proj.weight", "gate.masklet_proj.bias", "gate.object_gate.0.weight"),
        *("gate.object_gate.0.bias", "gate.object_gate.2.weight", "gate.object_gate.2.bias"),
        *("lora_A.weight", "lora_B.weight"),
    )
}
"""The release's names within a layer of memory attention."""


@pytest.fixture(scope="session")
def base_state(tiny_base):
    return build_sam2(Sam2Config(**yaml.safe_load(tiny_base.read_text()))).state_dict()


@pytest.fixture(scope="session")
def trained_release(tiny_config, tmp_path_factory):
    """The checkpoint of a run of MoGARelease on the tiny base."""
    import cli

    content = yaml.safe_load(tiny_config.read_text())
    adapter = {"class_path": "MoGARelease", "init_args": {"rank": 3, "alpha": 3.0}}
    content["model"]["init_args"]["adapter"] = adapter
    folder = tmp_path_factory.mktemp("release")
    (folder / "release.yaml").write_text(yaml.safe_dump(content))
    (folder / "mine.yaml").write_text(
        yaml.safe_dump({"class_path": "PromptableVOS", "init_args": {"adapter": adapter}})
    )
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert cli.main(["fit", "--config", "release.yaml"]) == 0
    finally:
        os.chdir(before)
    return folder / "runs" / "tiny" / "version_0" / "checkpoints" / "last.ckpt"


@pytest.fixture
def named(trained_release, tiny_base):
    return ["--model", trained_release.parents[4] / "mine.yaml", "--sam2", tiny_base]


@pytest.fixture
def release(door, trained_release, tmp_path):
    assert door("export", trained_release, "--format", "release", "--out", "moga.pt").code == 0
    return tmp_path / "moga.pt"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "frames"
    path.mkdir()
    for t in range(3):
        image = np.full((48, 64, 3), 90, dtype=np.uint8)
        image[10:26, 8 + 4 * t : 24 + 4 * t] = [200, 40, 40]
        Image.fromarray(image).save(path / f"{t:05d}.png")
    return path


def test_release_holds_the_whole_base_and_the_table_of_keys(release, trained_release, base_state):
    content = torch.load(release, weights_only=True)
    added = {f"memory_attention.layers.{i}.{name}" for i in range(2) for name in OF_LAYER}
    assert set(content) == {"model"}
    assert set(content["model"]) == set(base_state) | added
    trained = torch.load(trained_release, weights_only=True)["state_dict"]
    for name, tensor in content["model"].items():
        owner = "adapter" if name in added else "sam2"
        assert torch.equal(tensor, trained.get(f"{owner}.{name}", base_state.get(name))), name
    assert any(not torch.equal(content["model"][name], base_state[name]) for name in base_state)  # the layer norms


def test_release_comes_back_as_it_was(door, release, trained_release, named, tmp_path):
    assert door("export", release, *named, "--out", "again.safetensors").code == 0
    trained = torch.load(trained_release, weights_only=True)["state_dict"]
    torch.testing.assert_close(load_file(tmp_path / "again.safetensors"), trained, atol=0, rtol=0)
    assert door("export", "again.safetensors", *named, "--format", "release", "--out", "again.pt").code == 0
    again, first = (torch.load(path, weights_only=True)["model"] for path in (tmp_path / "again.pt", release))
    torch.testing.assert_close(again, first, atol=0, rtol=0)


def test_release_tracks_as_the_run_does(door, release, trained_release, named, folder, tmp_path):
    for out, weights in (("run", trained_release), ("file", release)):
        answer = door("track", folder, "--box", "8,10,24,26", *named, "--ckpt_path", weights, "--out", out)
        assert answer.code == 0, answer.err
    for png in (tmp_path / "run" / "masks").iterdir():
        assert np.array_equal(read_indexed_mask(png), read_indexed_mask(tmp_path / "file" / "masks" / png.name))


def test_release_is_tested_as_weights_of_a_system(door, release, trained_release, tmp_path):
    config = trained_release.parents[4] / "release.yaml"
    answer = door("test", "--config", config, "--data.test.limit", 1, "--ckpt_path", release)
    assert answer.code == 0, answer.err
    assert list(tmp_path.rglob("results.json"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("no_mem_embed"), r"1 missing \(no_mem_embed\)"),
        (lambda m: m.update(extra=torch.zeros(1)), r"1 unexpected \(extra\)"),
        (lambda m: m["no_mem_embed"].add_(1e-3), r"1 of another value \(no_mem_embed\); .*--sam2"),
        (lambda m: m.update(no_mem_embed=torch.zeros(2)), r"no_mem_embed \(2,\) instead of \(1, 1, 64\)"),
        (
            lambda m: m.pop("memory_attention.layers.1.ca_lora_B.weight"),
            r"1 missing \(.*layers\.1\.ca_lora_B\.weight\)",
        ),
        (lambda m: m.update({"memory_attention.layers.2.sa_lora_A.weight": torch.zeros(3, 64)}), "1 unexpected"),
        (lambda m: m.update({"memory_attention.layers.0.sa_lora_A.weight": torch.zeros(9, 64)}), r"\(9, 64\) instead"),
    ],
    ids=["missing", "extra", "other base", "other shape", "adapter missing", "more layers", "rank"],
)
def test_release_that_differs_is_refused_with_what_differs(door, release, named, tmp_path, change, said):
    content = torch.load(release, weights_only=True)
    change(content["model"])
    torch.save(content, tmp_path / "other.pt")
    error = door("export", tmp_path / "other.pt", *named, "--out", "x.safetensors").error
    assert re.search(said, error), error
    assert not (tmp_path / "x.safetensors").exists()


def test_release_is_no_weights_of_another_adapter(door, release, tiny_base):
    error = door("export", release, "--model", "lora", "--sam2", tiny_base, "--out", "x.safetensors").error
    assert "LoRA" in error and "unexpected" in error


def test_slips_with_formats_are_one_line(door, trained, release, tmp_path):
    moga = trained / "checkpoints" / "last.ckpt"
    assert "MoGARelease" in door("export", moga, "--format", "release", "--out", "a.pt").error
    assert "must end in .pt" in door("export", moga, "--format", "release", "--out", "a.safetensors").error
    assert "must end in .safetensors" in door("export", moga, "--out", "a.pt").error
    assert "safetensors" in door("export", moga, "--format", "safetensor", "--out", "a.safetensors").error
    assert "--base" in door("export", moga, "--base", "--format", "release", "--out", "a.pt").error
    of_adapter = door("export", moga, "--base", "--out", "a.safetensors").error
    assert re.search(r"lacks \d+ of the \d+ tensors of nano, .* leave out --base", of_adapter)
    assert {path.name for path in tmp_path.iterdir()} == {release.name}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--push=me/mine", "--half"], "--push takes no --half"),
        (["--push=me/mine", "--out=x.safetensors"], "--push takes no --out x.safetensors"),
        (["--push=me/mine", "--onnx"], "--push takes no --onnx"),
        (["--onnx", "--out=graphs", "--base"], "--onnx takes no --base"),
        (["--onnx", "--out=graphs", "--format=release"], "--onnx takes no --format release"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(door, options, said):
    answer = door("export", "--model", "moga", *options)
    assert answer.code == 2 and said in answer.error


def test_card_says_what_the_weights_are_and_how_they_came_about(door, trained, base_state, tmp_path):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert door("export", checkpoint, "--out", "nano_moga.safetensors").code == 0
    card = (tmp_path / "nano_moga.md").read_text()
    trained_count = sum(t.numel() for t in load_file(tmp_path / "nano_moga.safetensors").values())
    assert f"weights {state_hash(base_state)}" in card and "64 px" in card
    assert "(MoGA)" in card and f"{trained_count:,} trained" in card
    assert "--ckpt_path nano_moga.safetensors" in card and "Apache-2.0" in card
    told = yaml.safe_load(re.search(r"```yaml\n(.*?)```", card, re.DOTALL)[1])
    assert told["adapter"]["init_args"]["rank"] == 4
    assert told["recipe"]["optimisation"]["learning_rate"] == 0.01
    assert told["data"]["init_args"]["train"]["frames"] == 2
    assert told["trainer"]["max_epochs"] == 2


def test_exported_weights_may_be_read_by_whom_other_files_may(door, trained, tmp_path):
    (tmp_path / "plain").touch()
    assert door("export", trained / "checkpoints/last.ckpt", "--out", tmp_path / "mine.safetensors").code == 0
    assert (tmp_path / "mine.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_card_does_not_replace_a_page_of_another_kind(door, trained, tmp_path):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    (tmp_path / "readme.md").write_text("# Mine\n")
    assert "left as it is" in door("export", checkpoint, "--out", "readme.safetensors").out
    assert (tmp_path / "readme.md").read_text() == "# Mine\n"
    for _ in range(2):  # a card is replaced
        assert "left as it is" not in door("export", checkpoint, "--out", "mine.safetensors").out
    assert (tmp_path / "mine.md").is_file()


def test_card_of_weights_from_elsewhere_says_that_their_training_is_unknown(door, release, named, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "checkpoints"  # an exported file that happens to lie in such a folder
    elsewhere.mkdir(parents=True)
    release.rename(elsewhere / "moga.pt")
    assert door("export", elsewhere / "moga.pt", *named, "--out", "x.safetensors").code == 0
    assert "No `config.yaml`" in (tmp_path / "x.md").read_text()


def test_release_on_base_plus_trains_what_the_public_code_trains(door):
    answer = door("inspect", "--model", "moga_release", "--sam2", "sam2_hiera_b+")
    total = next(line for line in answer.out.splitlines() if line.startswith("total"))
    assert total.split()[-1] == "1,094,112"
