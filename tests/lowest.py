"""The lowest versions that ``pyproject.toml`` allows, as pip's constraints: ``python tests/lowest.py > lowest.txt``."""

from __future__ import annotations

import re
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_REQUIREMENT = re.compile(r'^\s*"([\w.-]+)(?:\[[\w,]+\])?(?:>=([\w.]+))?[^"]*"', re.MULTILINE)


def lowest_versions(pyproject: str) -> dict[str, str | None]:
    """Of each package that the project itself needs, optional ones left out; None where no lowest version is given.

    >>> lowest_versions('dependencies = [\\n    "torch>=2.8", # why\\n    "numpy",\\n]\\n')
    {'torch': '2.8', 'numpy': None}
    """
    block = pyproject[pyproject.index("\ndependencies = [") if "\ndependencies" in pyproject else 0 :]
    return {name: version or None for name, version in _REQUIREMENT.findall(block[: block.index("\n]")])}


if __name__ == "__main__":
    for name, version in lowest_versions(PYPROJECT.read_text(encoding="utf-8")).items():
        if version:
            print(f"{name}=={version}")
