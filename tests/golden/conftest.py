"""``pytest tests/golden --renew`` writes the figures that it else compares."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the golden figures instead of comparing them")
