"""Disks that are full and folders that may not be written to: one line, and nothing half-written."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys

import pytest

import cli
from robustvos.commands.messages import user_error_in
from robustvos.errors import UserError


@pytest.mark.parametrize("subcommand", ["fit", "test"])
def test_runs_that_is_no_folder_is_one_line(door, tiny_config, tmp_path, subcommand):
    (tmp_path / "runs").write_text("")
    model = [] if subcommand == "fit" else ["--model", "sam2"]
    error = door(subcommand, "--config", tiny_config, *model).error
    assert "cannot use" in error and "runs" in error


def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_of_a_file(tiny_config, tmp_path):
    """A limit on the size of files does what a full disk does: every write beyond it fails."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    command = [sys.executable, cli.__file__, "fit", "--config", str(tiny_config)]
    ended = subprocess.run(command, cwd=tmp_path, preexec_fn=limited, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.strip().splitlines()[-1].startswith("error: cannot write")
    assert "Traceback" not in ended.stderr
    assert not [path for path in tmp_path.rglob("config.yaml")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_the_system_says_what_it_refuses(code):
    said = user_error_in(OSError(code, os.strerror(code), "/data/x.png"))
    assert isinstance(said, UserError)
    assert "/data/x.png" in str(said) and os.strerror(code) in str(said)


def test_what_may_not_be_read_is_not_said_to_be_written():
    for code in (errno.EACCES, errno.ENOTDIR):
        assert "write" not in str(user_error_in(OSError(code, os.strerror(code), "x")))
    assert "free space" in str(user_error_in(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x")))


def test_a_fault_of_ours_is_none_of_the_users():
    assert user_error_in(FileNotFoundError(errno.ENOENT, "no such file", "x")) is None
