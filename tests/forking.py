"""Forks of the test's process, so that real processes work and nobody waits for imports; given by the fixture ``forking``."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from robustvos.commands.messages import exit_code, quieten

_TRIES, _BEGINS_WITHIN_S = 5, 30.0


def fork() -> int:
    """``os.fork``, again where the child never begins: hooks that libraries run in it may wait without
    end for what a thread of this process held (filelock 4.3.1's was seen to)."""
    for _ in range(_TRIES):
        begun, say = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(say, b"!")
            os.close(begun)
            os.close(say)
            return 0
        os.close(say)
        ready, _, _ = select.select([begun], [], [], _BEGINS_WITHIN_S)
        os.close(begun)
        if ready:
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    raise AssertionError(f"{_TRIES} forks in turn did not begin")


def begun(said: Path, work: Callable[[], object]) -> int:
    """Process id of a fork that does ``work`` and writes what it says to ``said``."""
    child = fork()
    if child:
        return child
    code = 70
    try:
        with said.open("wb", buffering=0) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        torch.set_num_threads(1)  # the threads of this process are not in its fork, which would wait for them
        quieten()
        code = exit_code(work)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int, said: Path) -> tuple[int, str]:
    """Exit code (minus the signal) and output of a fork, once it has ended."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), said.read_text(errors="replace")


def forked(folder: Path, work: Callable[[], object]) -> tuple[int, str]:
    """Exit code (minus the signal) and output of ``work`` in a fork of this process."""
    folder.mkdir(exist_ok=True)
    said = folder / "said.txt"
    return ended(begun(said, work), said)
