"""Files appear whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from robustvos.errors import UserError
from robustvos.files.atomic import atomic_path, atomic_write_bytes, atomic_write_json, atomic_write_text

pytestmark = pytest.mark.fast


def test_written_file_holds_the_data_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "new" / "ünï cödé.txt"
    atomic_write_text(target, "später\n")
    assert target.read_bytes() == "später\n".encode()
    atomic_write_bytes(target, b"second")
    assert target.read_bytes() == b"second"
    assert os.listdir(target.parent) == [target.name]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), atomic_path(target) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.csv"]


def test_json_refuses_nan(tmp_path: Path) -> None:
    atomic_write_json(tmp_path / "a.json", {"name": "Übung", "score": None})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "Übung", "score": None}
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic_write_json(tmp_path / "b.json", float("nan"))
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_file_where_a_folder_is_needed_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*taken.*; free space there or choose another folder") as caught:
        atomic_write_text(tmp_path / "taken" / "a.txt", "x")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No space left on device"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"x" * 100)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write to read-only folders")
def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        atomic_write_text(tmp_path / "a.txt", "x")
