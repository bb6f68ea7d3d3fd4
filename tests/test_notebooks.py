"""Each notebook runs from top to bottom, in a kernel of its own, and its outputs say what its words promise."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.notebooks

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = ("load_system", "track", "corrupt", "evaluate")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """``run(name)`` executes a notebook and gives the text that it prints and its pictures' number."""
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def execute(name: str) -> tuple[str, int]:
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        client.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        pictures = sum("image/png" in output.get("data", {}) for output in outputs)
        return "".join(output.get("text", "") for output in outputs), pictures

    return execute


def test_track_and_correct(run):
    text, pictures = run("track_and_correct")
    before, after = map(int, re.search(r"corrected on frame \d+: (\d+) -> (\d+)", text).groups())
    assert after > before + 10 and pictures == 3


def test_adapt_to_own_videos(run):
    text, pictures = run("adapt_to_own_videos")
    assert re.search(r"clean \{'sam2': [\d.]+, 'lora': [\d.]+\}", text) and pictures == 2
    assert "written: index.html" in text and "Warning" not in text


@pytest.mark.parametrize("name", ["track_and_correct", "adapt_to_own_videos"])
def test_notebooks_are_kept_without_outputs_and_use_the_public_names(name):
    text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert '"outputs": []' in text and '"output_type"' not in text
    assert sum(f" {word}" in text or f", {word}" in text for word in PUBLIC) >= 3
