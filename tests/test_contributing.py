"""What contributors are given: the rooms that exist, hooks that are the project's own tools, a citation that can be read."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[1]


def test_every_room_is_named_in_the_contributing_page():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page[page.index("| room |") :]))
    rooms = {path.parent.name for path in (ROOT / "robustvos").glob("*/__init__.py")}
    assert rooms <= named


def test_links_of_the_contributing_page_lead_somewhere():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", page)
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_hooks_run_what_make_lint_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lint is not None
    of_make = {line.strip().removeprefix("$(BIN)/").removesuffix(" .") for line in lint[1].splitlines()}
    of_hooks = {h["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for h in hooks}
    assert of_hooks == of_make


def test_the_type_checker_is_overruled_ten_times_at_most():
    ignores = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in (ROOT / "robustvos").rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "# type: ignore" in line
    ]
    assert len(ignores) <= 10, "\n".join(ignores)


ROOMS = ("robustvos", "lightning_modules", "datamodules", "callbacks")


def test_benchmarks_import_what_there_is():
    for script in (ROOT / "benchmarks").glob("*.py"):
        tree = ast.parse(script.read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        for module in (name for name in modules if name.partition(".")[0] in ROOMS):
            assert find_spec(module), f"{script.name} imports {module}"


def test_citation_names_both_papers_and_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f'version = "{citation["version"]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    titles = " ".join(paper["title"] for paper in citation["references"])
    assert "Robust Promptable Video Object Segmentation" in titles and "Real-VAS" in titles
