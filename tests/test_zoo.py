"""The zoo says what is true of the weights: hashes, parameters; and what cannot be reached is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import read_state
from robustvos.sam2.config import VARIANTS, Sam2Config
from robustvos.systems.zoo import SHIPPED, base_notice, zoo, zoo_markdown

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("entry", [entry for entry in zoo() if entry.hash], ids=lambda entry: entry.name)
def test_what_is_shipped_is_what_the_zoo_says(entry):
    assert entry.where == SHIPPED and entry.hash_here() == entry.hash
    if entry.kind == "base":
        assert entry.parameters == sum(p.numel() for p in build_sam2(Sam2Config(entry.name, "random")).parameters())
    else:
        assert entry.parameters == sum(tensor.numel() for tensor in read_state(entry.file).values())


def test_a_published_base_has_the_parameters_that_the_zoo_says():
    entry = next(entry for entry in zoo() if entry.name == "sam2.1_hiera_t")
    assert entry.parameters == sum(p.numel() for p in build_sam2(Sam2Config(entry.name, "random")).parameters())


def test_every_base_is_in_the_zoo_and_on_its_page():
    named = {entry.name for entry in zoo() if entry.kind == "base"}
    assert named == {name for name in VARIANTS if not name.endswith("_tpos")}  # those have sam2_hiera_b+'s weights
    assert zoo_markdown(zoo()) in (ROOT / "docs/model_zoo.md").read_text(encoding="utf-8")


def test_a_base_says_what_it_has_seen_and_what_serves_better():
    assert base_notice("small").endswith("on real video --sam2 sam2.1_hiera_t serves better")
    assert "serves better" not in base_notice("sam2.1_hiera_l") and base_notice("timm:mine") == ""


def test_pushing_without_a_net_names_size_and_licence_first_and_fails_in_one_line(door, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    answer = door("export", "--model", "moga", "--push", "me/mine")
    assert "pushing 0.2 MB to hf://me/mine, licence apache-2.0" in answer.out
    assert "nothing was pushed to hf://me/mine" in answer.error
    assert "OWNER/NAME" in door("export", "--push", "mine").error


def test_track_says_what_its_base_has_seen_before_it_starts_and_takes_other_weights(door, tmp_path):
    from PIL import Image

    (tmp_path / "v").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "v/0.png")
    weights = VARIANTS["nano"].weights
    said = ["track", "v", "--sam2", "nano", "--box", "8,8,24,24", "--overlay", "false"]
    lines = door(*said, "--out", "a").out.splitlines()
    assert lines[0].startswith("nano has been trained on drawn shapes alone") and lines[-1].startswith("next: ")
    error = door(*said, "--out", "b", "--sam2.checkpoint", f"elsewhere/{weights}").error
    assert "no checkpoint at 'elsewhere/nano.safetensors'" in error and not (tmp_path / "b").exists()
