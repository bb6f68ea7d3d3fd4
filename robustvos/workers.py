"""What every worker process does first."""

from __future__ import annotations

import os
import signal
import sys

import cv2


def begin_loading(worker: int) -> None:
    """:func:`begin_worker`, as a loader calls it."""
    begin_worker()


def begin_worker() -> None:
    """One thread, as the others want theirs; and on Ctrl-C an end without a word, for the parent says what is to be said."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by torch, if it is imported later
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))
