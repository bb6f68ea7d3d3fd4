"""A process of one thread that has imported what trainings need, and runs what it is given in forks of itself.

A fork of the test process would inherit the locks that its other threads hold, and may wait for them without end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

import cloudpickle

PATIENCE_S = 500.0


class ForkServer:
    """Started at its first request, stopped by ``close``."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, work: Callable[[], object], folder: Path) -> tuple[int, str]:
        """Exit code (minus the signal) and output of ``work``, a closure over what can be pickled."""
        if self._connection is None:
            self._connection, theirs = Pipe()
            with theirs:
                command = [sys.executable, __file__, str(theirs.fileno())]
                environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
                self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        cloudpickle.register_pickle_by_value(sys.modules[work.__module__])  # tests are no package
        said = folder / "said.txt"
        self._connection.send_bytes(cloudpickle.dumps((work, str(said), os.getcwd(), dict(os.environ))))
        assert self._connection.poll(PATIENCE_S), f"no end of {work} within {PATIENCE_S:.0f} s"
        return self._connection.recv(), said.read_text(errors="replace")

    def close(self) -> None:
        """End the process, which ends when nobody asks any more."""
        if self._connection is not None and self._process is not None:
            self._connection.close()
            self._process.wait(30)


def serve(connection: Connection) -> None:
    """Answer each request with the exit code of its fork, until the other end is closed."""
    import callbacks  # noqa: F401
    import lightning_modules  # noqa: F401  (and with them torch and Lightning)

    while True:
        try:
            request = connection.recv_bytes()
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            connection.close()
            run_and_exit(request)
        connection.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def run_and_exit(request: bytes) -> None:
    """Do what a command of the project does with its work, and end this process with its exit code."""
    from robustvos.commands.messages import exit_code, quieten

    code = 70
    try:
        work, said, folder, environment = cloudpickle.loads(request)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        with open(said, "wb", buffering=0) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        quieten()
        code = exit_code(work)
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
