"""What a run took: CPU time and memory, for each minute of video."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robustvos.errors import DataNotFound
from robustvos.files.stage import open_results


@dataclass
class Used:
    """CPU seconds and wall seconds spent, and the largest resident memory of one process, in bytes."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0

    def text(self, video_s: float) -> str:
        """One line; for each minute of ``video_s`` seconds of video, if there are any."""
        each = f"; {self.cpu_s / video_s:.1f} CPU minutes for each minute of video" if video_s else ""
        peak = f"{self.peak_bytes / 2**20:.0f} MiB at most in one process"
        clock = f"{self.wall_s / 60:.1f} by the clock"
        return f"{self.cpu_s / 60:.1f} CPU minutes, {clock}, for {video_s:.0f} s of video{each}; {peak}"


@contextmanager
def measured() -> Iterator[Used]:
    """Measure what the block and the processes that it starts and waits for take."""
    used, began, before = Used(), time.monotonic(), _cpu()
    yield used
    used.cpu_s, used.wall_s = _cpu() - before, time.monotonic() - began
    unit = 1 if sys.platform == "darwin" else 1024
    used.peak_bytes = unit * max(resource.getrusage(who).ru_maxrss for who in _WHO)


def seconds_of_video(root: str | os.PathLike[str]) -> float:
    """Length of all shots that ``ingest`` looked at, rejected ones included."""
    try:
        results = open_results(Path(root), "ingest", complete=False).results
    except DataNotFound:
        return 0.0
    return float(sum(r.figures["frames"] / r.figures["fps"] for r in results if r.figures.get("fps")))


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu() -> float:
    return sum(u.ru_utime + u.ru_stime for u in (resource.getrusage(who) for who in _WHO))
