"""Who may import whom: walked with ``ast``, so that nothing needs to be installed or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[1]
LIGHTNING_FOLDERS = ("lightning_modules", "datamodules", "callbacks")
BASIS = {
    "types",
    "conditions",
    "errors",
    "seeding",
    "state_dicts",
    "termination",
    "workers",
    "files",
    "optional",
    "parsing",
    "program",
    "progress",
    "registry",
}

# Package of the library -> packages of the library that it may import, besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "conditions": set(),
    "program": set(),
    "progress": set(),
    "registry": {"errors"},
    "seeding": set(),
    "state_dicts": {"errors"},
    "termination": set(),
    "workers": {"termination"},
    "optional": {"errors"},
    "parsing": {"errors"},
    "types": {"errors"},
    "files": {"errors", "progress", "workers", "seeding"},
    **dict.fromkeys(("video", "scenes", "metrics", "corruptions", "adapters", "restoration"), BASIS),
    "perception": BASIS | {"video"},
    "drawing": BASIS | {"video"},
    "evaluation": BASIS | {"metrics", "video"},
    "datasets": BASIS | {"video", "corruptions", "scenes", "evaluation"},
    "sam2": BASIS | {"adapters.base"},
    "systems": BASIS | {"sam2", "adapters", "restoration"},
    "report": BASIS | {"evaluation", "drawing", "video", "metrics"},
    "containment": BASIS | {"systems", "video"},
    "realvas": BASIS | {"systems", "perception", "containment", "video", "drawing", "evaluation", "scenes"},
    "reviewing": BASIS | {"realvas", "video"},
    "publishing": BASIS | {"reviewing", "realvas", "video"},
    "external": BASIS | {"systems", "evaluation", "video"},
    "web": BASIS | {"systems", "realvas", "reviewing", "video", "drawing"},
    "experiments": BASIS | {"report", "evaluation"},
    "api": BASIS | {"systems", "datasets", "corruptions", "evaluation", "video"},
}
# Folders above the library -> packages of the library that they may import.
FOLDERS_MAY_IMPORT: dict[str, set[str]] = {
    "datamodules": BASIS | {"datasets", "evaluation", "corruptions", "video", "scenes"},
    "lightning_modules": BASIS | {"systems", "sam2", "adapters", "restoration", "evaluation"},
    "callbacks": BASIS | {"evaluation", "drawing", "video", "adapters"},
}
OPTIONAL = {"transformers", "nicegui", "fastapi", "uvicorn", "spandrel", "pymatting", "matplotlib", "pandas"}
UPSTREAM = {"sam2", "training"}
DYNAMIC = ("import_module", "resolve_name", "__import__")
MAY_BE_DYNAMIC = {
    "robustvos/optional.py",  # optional packages
    "robustvos/parsing.py",  # classes that configs name
    "robustvos/commands/inspect_data.py",
    "robustvos/commands/loop_help.py",
    "robustvos/commands/requirements.py",
}
"""Files that import what they are given the name of; none writes the name of a module of the tree itself."""


@dataclass(frozen=True)
class Import:
    """``module`` is imported at ``path:line``; ``at_top`` unless a function does it, or type checkers alone."""

    path: Path
    line: int
    module: str
    at_top: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def imports_of(path: Path, source: str | None = None) -> Iterator[Import]:
    """Every import of a file, also inside functions; ``from a import b`` counts as ``a.b``."""
    tree = ast.parse(path.read_text(encoding="utf-8") if source is None else source)
    for node, later in _statements(tree, False):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield Import(path, node.lineno, name, not later)


def dynamic_imports_of(path: Path, source: str | None = None) -> Iterator[str]:
    """Calls that import by name, as ``path:line imports NAME``; a name that is not written there is ``?``."""
    content = path.read_text(encoding="utf-8") if source is None else source
    if not any(name in content for name in DYNAMIC):  # most files: parsing takes longer
        return
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Call) and _called(node) in DYNAMIC:
            text = ast.unparse(node.args[0]) if node.args else "?"
            written = bool(node.args) and isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
            if written or path.relative_to(ROOT).as_posix() not in MAY_BE_DYNAMIC:
                yield f"{path.relative_to(ROOT)}:{node.lineno} imports {text}"


def _called(node: ast.Call) -> str | None:
    """The last name of what is called: ``b`` of ``a.b()``."""
    return getattr(node.func, "attr", getattr(node.func, "id", None))


def _statements(of: ast.AST, later: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every statement, and whether it is run later or never; expressions, most of a tree, are passed by."""
    for node in ast.iter_child_nodes(of):
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield node, later
            yield from _statements(node, later or _is_run_later(node))


def _is_run_later(node: ast.AST) -> bool:
    for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return for_types or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def all_imports(*folders: str) -> list[Import]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [found for path in [*files, *([ROOT / "cli.py"] if not folders else [])] for found in imports_of(path)]


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def broken_rules(found: Import) -> str | None:
    """What is wrong with an import, or None."""
    folder, *inner = found.path.relative_to(ROOT).with_suffix("").parts
    top = found.module.partition(".")[0]
    if top in OPTIONAL and found.at_top:
        return "optional libraries are imported in the function that needs them"
    if top in UPSTREAM and inner[:1] != ["sam2"]:
        return "only robustvos/sam2 imports the sam2 package"
    if top == "cli":
        return "nobody imports the door"
    if folder == "robustvos":
        package = inner[0]
        if top in ("lightning", "pytorch_lightning", *LIGHTNING_FOLDERS) and package != "commands":
            return "the library knows nothing of Lightning"
        if top == "robustvos" and package not in ("commands", "__init__"):
            if package not in MAY_IMPORT:
                return f"{package} has no floor yet: give it one here and in the architecture"
            if not within(found.module, *(f"robustvos.{name}" for name in MAY_IMPORT[package] | {package})):
                return f"{package} may import {sorted(MAY_IMPORT[package])} alone"
    elif folder in LIGHTNING_FOLDERS:
        if top in LIGHTNING_FOLDERS and top != folder:
            return "the three Lightning folders never import one another"
        if within(found.module, "robustvos.commands"):
            return "nothing but the door imports commands"
        allowed = FOLDERS_MAY_IMPORT[folder]
        if top == "robustvos" and not within(found.module, *(f"robustvos.{name}" for name in allowed)):
            return f"{folder} may import {sorted(allowed)} alone"
    return None


def test_every_import_goes_down():
    everything = [*all_imports(), *all_imports("robustvos", *LIGHTNING_FOLDERS)]
    assert len(everything) > 500
    broken = [f"{found}: {rule}" for found in everything if (rule := broken_rules(found))]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("robustvos/video/x.py", "from robustvos.metrics import regions"),
        ("robustvos/video/x.py", "def f():\n    import robustvos.report.text"),
        ("robustvos/perception/x.py", "from robustvos.sam2.tracker import Tracker"),
        ("robustvos/perception/x.py", "import pymatting"),
        ("robustvos/sam2/x.py", "from robustvos.adapters import MoGA"),
        ("robustvos/sam2/x.py", "import robustvos.adapters.moga"),
        ("robustvos/adapters/x.py", "import sam2.modeling"),
        ("lightning_modules/x.py", "from training.model.sam2 import SAM2Train"),
        ("robustvos/metrics/x.py", "import lightning as L"),
        ("robustvos/systems/x.py", "from callbacks import ALWAYS"),
        ("robustvos/types.py", "from robustvos.seeding import generator"),
        ("robustvos/files/x.py", "from robustvos.video.masks import VOID"),
        ("robustvos/novelty/x.py", "import robustvos.types"),
        ("callbacks/x.py", "from datamodules.base import Data"),
        ("callbacks/x.py", "from robustvos.sam2.tracker import Tracker"),
        ("robustvos/datasets/x.py", "from robustvos.sam2.tracker import Tracker"),
        ("datamodules/x.py", "from robustvos.commands.names import resolve"),
        ("robustvos/report/x.py", "import matplotlib.pyplot as plt"),
        ("cli.py", "import pandas"),
        ("robustvos/commands/x.py", "import cli"),
    ],
)
def test_walk_notices(path, source):
    (found,) = imports_of(ROOT / path, source)
    assert broken_rules(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("robustvos/sam2/x.py", "from robustvos.adapters.base import Adapter"),
        ("robustvos/sam2/x.py", "def f():\n    from training.model.sam2 import SAM2Train"),
        ("robustvos/report/x.py", "def f():\n    import matplotlib"),
        ("callbacks/x.py", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
        ("robustvos/commands/x.py", "from robustvos.sam2.build import build_sam2"),
        ("robustvos/metrics/x.py", "from robustvos.files.paths import under"),
        ("callbacks/x.py", "from robustvos.evaluation.aggregate import aggregate"),
        ("robustvos/commands/x.py", "from datamodules import Data"),
        ("cli.py", "import datamodules"),
    ],
)
def test_walk_allows(path, source):
    (found,) = imports_of(ROOT / path, source)
    assert broken_rules(found) is None


def test_nothing_is_imported_around_the_walk():
    files = [ROOT / "cli.py", *(f for name in ("robustvos", *LIGHTNING_FOLDERS) for f in (ROOT / name).rglob("*.py"))]
    assert not [found for file in files for found in dynamic_imports_of(file)]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("robustvos/report/x.py", "import_module('callbacks')"),
        ("robustvos/report/x.py", "def f(name):\n    return importlib.import_module(name)"),
        ("robustvos/optional.py", "resolve_name(f'datamodules.{name}')"),
        ("cli.py", "__import__('robustvos.commands.' + name)"),
    ],
)
def test_walk_notices_imports_by_name(path, source):
    assert list(dynamic_imports_of(ROOT / path, source))


def files_imported() -> dict[str, set[str]]:
    """Of each module the modules of this tree that it imports, anywhere in it."""
    files = [ROOT / "cli.py", *(f for name in ("robustvos", *LIGHTNING_FOLDERS) for f in (ROOT / name).rglob("*.py"))]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}

    def module_of(name: str) -> str | None:
        return name if name in names else module_of(name.rpartition(".")[0]) if "." in name else None

    return {
        name: {found for each in imports_of(file) if (found := module_of(each.module)) not in (None, name)}
        for name, file in names.items()
    }


def test_no_file_imports_itself_by_a_detour():
    graph = files_imported()
    assert sum(map(len, graph.values())) > 500
    list(TopologicalSorter(graph).static_order())  # names the circle, if there is one


def test_door_is_short():
    assert len((ROOT / "cli.py").read_text().splitlines()) <= 40
