"""Optional libraries: found, missing, or broken."""

from __future__ import annotations

import json
import sys

import pytest

from robustvos.errors import MissingExtra, UserError
from robustvos.optional import require

pytestmark = pytest.mark.fast


def test_installed_library_is_given():
    assert require("json", "dev") is json
    assert require("json.decoder", "dev").JSONDecoder is json.JSONDecoder


@pytest.mark.parametrize("module", ["no_such_library", "no_such_library.part"])
def test_missing_library_names_its_extra(module):
    with pytest.raises(MissingExtra, match=r"'no_such_library'; install it with: pip install 'robustvos\[matting\]'"):
        require(module, "matting")


def test_library_without_its_own_dependency_says_so(tmp_path, monkeypatch):
    (tmp_path / "halfthere.py").write_text("import not_there_either\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="'halfthere' is installed, but cannot be imported .*not_there_either"):
        require("halfthere", "matting")


def test_blocked_library_counts_as_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"robustvos\[perception\]"):
        require("transformers", "perception")
