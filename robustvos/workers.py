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
    saved. A worker ends with its parent, and by itself ``GRACE_S`` after the signal.
    """
    begin_worker()
    for signum in (signal.SIGINT, *SIGNALS):
        signal.signal(signum, _end_later)


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
