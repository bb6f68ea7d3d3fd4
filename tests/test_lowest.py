"""The lowest versions that ``pyproject.toml`` allows: each is named, is published, and accepts the others.

``make test-lowest`` installs them and runs the fast tests on them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SOURCE_ALONE = {"sam2"}  # published as source: pip would have to build it to know what it needs
pytestmark = [pytest.mark.lowest]


@pytest.fixture(scope="module")
def lowest() -> dict[str, str | None]:
    spec = spec_from_file_location("lowest", ROOT / "tests" / "lowest.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lowest_versions((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_dependency_names_its_lowest_version(lowest):
    assert len(lowest) > 20
    assert not [name for name, version in lowest.items() if version is None]


@pytest.mark.timeout(1800)
def test_lowest_versions_are_published_and_accept_one_another(lowest, tmp_path):
    pins = {canonicalize_name(name): version for name, version in lowest.items()}
    wheels = [f"{name}=={version}" for name, version in pins.items() if name not in SOURCE_ALONE]
    command = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet")
    command += ("--only-binary=:all:", "--report", "report.json", *wheels)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1700)
    if any(
        word in done.stderr for word in ("Temporary failure in name resolution", "Failed to establish a new connection")
    ):
        pytest.skip("needs the package registry")
    assert done.returncode == 0, done.stderr[-3000:]
    found = [item["metadata"] for item in json.loads((tmp_path / "report.json").read_text())["install"]]
    assert len(found) == len(wheels)
    for metadata in found:
        for requirement in map(Requirement, metadata.get("requires_dist", ())):
            name = canonicalize_name(requirement.name)
            if name in pins and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                wanted = f"{metadata['name']} {metadata['version']} wants {requirement}, the lowest is {pins[name]}"
                assert requirement.specifier.contains(pins[name]), wanted
