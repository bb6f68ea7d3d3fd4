"""What every worker process does first."""

from __future__ import annotations

import os
import signal
import sys
import threading

import cv2

from robustvos.termination import SIGNALS

GRACE_S = 120
"""How long a loader's worker still serves after a signal."""


def begin_loading(worker: int) -> None:
    """What a loader's worker does first: :func:`begin_worker`, but signals that end the training do not end it at once.

    Ctrl-C and clusters signal all processes of a job; the one that trains still needs batches until its step is done and
    saved. A worker ends with its parent, at once when its parent says so, and by itself ``GRACE_S`` after the signal.
    """
    begin_worker()
    signals = (signal.SIGINT, *SIGNALS)
    if hasattr(signal, "sigwaitinfo"):  # Linux: it says who sent a signal
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        threading.Thread(target=_attend, args=(signals, os.getppid()), daemon=True).start()
    else:
        for signum in signals:
            signal.signal(signum, _end_later)


def _attend(signals: tuple[int, ...], parent: int) -> None:
    while True:
        came = signal.sigwaitinfo(signals)
        if came.si_signo == signal.SIGTERM and came.si_pid == parent:
            os._exit(0)
        _end_later()


def _end_later(*_: object) -> None:
    timer = threading.Timer(GRACE_S, os._exit, (1,))
    timer.daemon = True
    timer.start()


def begin_worker() -> None:
    """One thread, as the others want theirs; and on Ctrl-C an end without a word, for the parent says what is to be said."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by torch, if it is imported later
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))
