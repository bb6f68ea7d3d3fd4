"""``cli.py corrupt SRC DST``: corrupted copies of a dataset or of videos."""

from __future__ import annotations

import ctypes
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from tqdm import tqdm

from robustvos.commands.corrupted_copy import (
    Settings,
    Source,
    SourceVideo,
    begin_copy,
    bytes_of_a_frame,
    check_apart,
    check_lengths,
    find_source,
    write_video,
)
from robustvos.commands.tool import run_tool
from robustvos.corruptions import CORRUPTIONS, ClipSpec
from robustvos.errors import BadVideo, UnknownName, UserError
from robustvos.video.atomic_folder import remove_leftovers
from robustvos.workers import begin_worker

Job = tuple[SourceVideo, Path, Settings]
_GLANCE_S = 0.2
"""How often the frames of all workers are counted."""
_SAMPLES = 3
"""Videos that tell how large a corruption's frames are."""


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(corrupt, argv, positional=["src", "dst"])


def corrupt(
    src: Path,
    dst: Path,
    corruption: list[str] | None = None,
    preset: str = "intended",
    severity: float = 3.0,
    seed: int = 0,
    quality: int = 95,
    shard: str = "0/1",
    workers: int = 1,
    link: bool = True,
    dry_run: bool = False,
) -> None:
    """Write DST/CORRUPTION/..., a copy of SRC with corrupted frames, for each corruption.

    Training does not need it: `fit` corrupts clips as it reads them. It is for data that others shall read, or that
    several programs shall be compared on. Each DST/CORRUPTION can be given as --data.root like SRC itself. A run that was
    stopped goes on where it was; what is written depends on neither shards nor workers.

    Args:
        src: A dataset (the folder that holds JPEGImages), a folder of video files, a folder of folders of frames, or one video.
        dst: Folder for the copies.
        corruption: Name of a corruption; repeat it for several. By default all eight.
        preset: intended (coherent in time), or release (what the published sets contain).
        severity: Above 0 and at most 5; 3 is the preset's own strength.
        seed: Of everything random; evaluation in this project uses 0.
        quality: Of the JPEG files, 1 to 100; 0 writes PNG, which loses nothing.
        shard: i/n does the i-th of n parts of the work, i from 0; for several machines, or a SLURM array.
        workers: Processes.
        link: Share annotations with SRC by hard links where possible; otherwise they are copied.
        dry_run: Only print what would be written.
    """
    names = _names(corruption)
    ClipSpec("any", length=1, size=(1, 1), severity=severity, preset=preset)  # refuses what is not known
    if not 0 <= quality <= 100:
        raise UserError(f"--quality {quality} is not between 0 (PNG) and 100")
    if workers < 1:
        raise UserError(f"--workers {workers} does nothing; give at least 1")
    index, count = _shard(shard)
    source = find_source(src)
    check_apart(source, dst)
    copies = {dst / name: Settings(name, preset, severity, seed, quality) for name in names}
    jobs = [
        (video, root / source.inside / video.name, settings)
        for root, settings in copies.items()
        for video in source.videos
    ][index::count]
    waiting = [job for job in jobs if not job[1].is_dir()]
    check_lengths((video, target) for video, target, _ in jobs if target.is_dir())
    print(_plan(source, names, jobs, waiting, shard))
    if dry_run:
        return
    for root, settings in copies.items():
        begin_copy(source, root, settings, link)
    try:
        _work(waiting, workers)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what is written stays, and the same command goes on") from None
    _clear_away(source, list(copies), jobs)
    print(f"corrupted: {dst}")


def _names(chosen: Sequence[str] | None) -> list[str]:
    if not chosen or "all" in chosen:
        return list(CORRUPTIONS)
    for name in chosen:
        if name not in CORRUPTIONS:
            raise UnknownName.of("corruption", name, ["all", *CORRUPTIONS])
    return list(dict.fromkeys(chosen))


def _shard(text: str) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        index, count = -1, 0
    if not 0 <= index < count:
        raise UserError(f"--shard {text} must be i/n with 0 <= i < n, e.g. 0/4")
    return index, count


def _clear_away(source: Source, roots: Sequence[Path], jobs: Sequence[Job]) -> None:
    """Remove what killed runs have left, and nothing that another shard may still make use of."""
    for root in roots:
        folder = root / source.inside
        remove_leftovers(folder, of={target.name for _, target, _ in jobs if target.parent == folder})
    for root in roots:
        if all((root / source.inside / video.name).is_dir() for video in source.videos):
            remove_leftovers(root / source.inside)


def _plan(source: Source, names: Sequence[str], jobs: Sequence[Job], waiting: Sequence[Job], shard: str) -> str:
    """What will be done, in one line."""
    videos = [video for video, _, _ in waiting]
    about = "about " if any(video.is_estimate for video in videos) else ""
    frames = f"{about}{sum(video.frames for video in videos):,} frames"
    uncounted = sum(not video.frames for video in videos)
    if uncounted:
        frames += f" and those of {uncounted} video files whose headers do not say"
    mib = _estimated_bytes(waiting) / 2**20
    size = f"{mib:.3g} MiB" if mib < 1000 else f"{mib / 1024:,.1f} GiB"
    part = "" if shard.endswith("/1") else f" (shard {shard})"
    return (
        f"{source.root}: {len(source.videos)} videos, {len(names)} corruption(s){part}: "
        f"{len(waiting)} of {len(jobs)} copies of videos to write, {frames}, about {size} and the annotations"
    )


def _estimated_bytes(jobs: Sequence[Job]) -> float:
    """Of all frames, by the first ones of some videos under each corruption: noise takes ten times what blur takes."""
    total = 0.0
    for name in dict.fromkeys(settings.corruption for _, _, settings in jobs):
        alike = [(video, settings) for video, _, settings in jobs if settings.corruption == name]
        sizes = []
        for video, settings in alike[:: -(-len(alike) // _SAMPLES)]:
            with suppress(BadVideo):  # said when its turn comes
                sizes.append(bytes_of_a_frame(video, settings))
        total += sum(video.frames for video, _ in alike) * (fmean(sizes) if sizes else 0.0)
    return total


def _work(jobs: Sequence[Job], workers: int) -> None:
    if not jobs:
        return
    known = [video.frames for video, _, _ in jobs if video.frames]
    total = (
        round(fmean(known) * len(jobs)) if known else None
    )  # a file whose header is silent is taken to be as the others
    with tqdm(total=total, unit="frame", desc="corrupt", smoothing=0.05) as bar:
        for done in _alone(jobs) if workers == 1 else _together(jobs, workers):
            bar.update(done)
        bar.total = bar.n  # a header may be off by a frame or two


def _alone(jobs: Sequence[Job]) -> Iterator[int]:
    for job in jobs:
        yield from write_video(*job)


def _together(jobs: Sequence[Job], workers: int) -> Iterator[int]:
    # spawned, not forked: threads of torch do not survive a fork
    context = multiprocessing.get_context("spawn")
    written, told = context.RawArray("q", len(jobs)), 0  # frames of each job: no lock, which a killed worker would keep
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(written,)) as pool:
        waiting = {pool.submit(_whole, job, number) for number, job in enumerate(jobs)}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_GLANCE_S)
                for future in done:
                    future.result()
                now = sum(written)
                yield now - told
                told = now
        except BrokenProcessPool as error:
            raise UserError(
                "a worker was killed, for want of memory perhaps; run the command again, with fewer --workers: it goes on "
                "where it was"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_written: ctypes.Array[ctypes.c_longlong]  # the parent's


def _begin(written: ctypes.Array[ctypes.c_longlong]) -> None:
    global _written
    _written = written
    begin_worker()


def _whole(job: Job, number: int) -> None:
    for frames in write_video(*job):
        _written[number] += frames
