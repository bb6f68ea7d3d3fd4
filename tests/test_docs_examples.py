"""Every example in docs/extending.md runs as it stands."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from robustvos.systems.loading import load_system

PAGE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# file: (\S+)\n")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        named = _FILE.match(self.text)
        return named and named[1]


def blocks() -> list[Block]:
    page = PAGE.read_text(encoding="utf-8")
    return [Block(m[1], m[2], page[: m.start()].count("\n") + 2) for m in _FENCE.finditer(page)]


FILES = {block.file: block for block in blocks() if block.file}
SCRIPTS = [block for block in blocks() if block.language == "python" and not block.file]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The page's files, and what installing its pyproject.toml would leave."""
    folder = tmp_path_factory.mktemp("extending")
    for name, block in FILES.items():
        (folder / name).write_text(block.text, encoding="utf-8")
    project = tomllib.loads(FILES["pyproject.toml"].text)["project"]
    installed = folder / f"robustvos_extras-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {module}" for name, module in points.items())])
        for group, points in project["entry-points"].items()
    ]
    (installed / "entry_points.txt").write_text("\n".join(groups))
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder, monkeypatch):
    """Work in that folder, import from it, and leave neither modules nor corruptions behind."""
    from robustvos.corruptions import CORRUPTIONS

    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    known = dict(CORRUPTIONS)
    yield
    CORRUPTIONS.clear()
    CORRUPTIONS.update(known)
    for name in FILES:
        sys.modules.pop(Path(name).stem, None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: f"line_{block.line}")
def test_script_of_the_page_runs(block):
    exec(compile(block.text, f"{PAGE.name}:{block.line}", "exec"), {"__name__": "example"})


def test_system_file_of_the_page_builds_the_adapter_it_names():
    system = load_system("residual.yaml", sam2="nano", ready=False)
    assert type(system.adapter).__name__ == "Residual"
    assert system.adapter.scale == 1.0


def test_page_has_an_example_of_each_kind():
    assert {"residual.py", "residual.yaml", "dots.py", "dusk.py", "presence.py", "pyproject.toml"} == set(FILES)
    assert len(SCRIPTS) == 6
