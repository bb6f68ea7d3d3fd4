"""SIGTERM and SIGUSR1 end a command in good order: with a line that says how to go on, and an exit code that says why.

Clusters send SIGTERM to what is preempted or cancelled, and SIGUSR1 to what will soon reach its time limit.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""What :func:`stoppable` listens to; Windows has no SIGUSR1."""

JOB_FILE = "slurm_job.txt"
"""In the folder of a run: the SLURM job that it belongs to, so that the job finds it when it is requeued."""


class Stopped(BaseException):
    """The command was asked to end by a signal. Like KeyboardInterrupt it is no error, and nothing should swallow it.

    Args:
        signum: The signal.
        advice: How to go on, for people; empty if there is nothing to say.
    """

    def __init__(self, signum: int, advice: str = "") -> None:
        super().__init__(signum, advice)
        self.signum, self.advice = signum, advice

    @property
    def exit_code(self) -> int:
        """What shells and SLURM show for a process that the signal ended: 143 for SIGTERM, 138 for SIGUSR1 on Linux."""
        return 128 + self.signum

    def __str__(self) -> str:
        """One line.

        >>> print(Stopped(signal.SIGTERM, "the same command goes on"))
        stopped by SIGTERM: the same command goes on
        """
        return f"stopped by {signal.Signals(self.signum).name}{': ' if self.advice else ''}{self.advice}"


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` in the main thread of this process when one of :data:`SIGNALS` comes.

    A forked worker that inherits the handler ends without a word. Nothing changes outside of the main thread, where Python
    gives signals to nobody.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + signum)
        raise Stopped(signum)

    former = {signum: signal.signal(signum, stop) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


def slurm_job(environment: Mapping[str, str]) -> str:
    """Name of the SLURM job, or of the task of an array, which it keeps when it is requeued; empty outside of SLURM.

    >>> slurm_job({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "1"})
    '8_1'
    """
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environment.get("SLURM_JOB_ID", "")
