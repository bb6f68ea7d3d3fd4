"""``cli.py corrupt SRC DST``: corrupted copies of a dataset or of videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustvos.commands.tool import run_tool
from robustvos.errors import UserError
from robustvos.files.naming import name_some
from robustvos.files.paths import under


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
        corruption: Name of a corruption, or several at once such as fog+rain; repeat it for several copies. robustpvos8 (the
            default) stands for the benchmark's eight, all for those, night, and what plugins add.
        preset: intended (coherent in time), or release (what the published sets contain).
        severity: Above 0 and at most 5; 3 is the preset's own strength.
        seed: Of everything random; evaluation in this project uses 0.
        quality: Of the JPEG files, 1 to 100; 0 writes PNG, which loses nothing.
        shard: i/n does the i-th of n parts of the work, i from 0; for several machines, or a SLURM array.
        workers: Processes.
        link: Share annotations with SRC by hard links where possible; otherwise they are copied.
        dry_run: Only print what would be written.
    """
    from robustvos.commands.closing import after_corrupting
    from robustvos.commands.corrupting import clear_away, corruption_names, estimate, work
    from robustvos.corruptions import ClipSpec
    from robustvos.datasets.vos.corrupted_copy import Settings, begin_copy, check_apart, check_lengths, find_source

    names = corruption_names(corruption)
    ClipSpec("any", length=1, size=(1, 1), severity=severity, preset=preset)  # refuses what is not known
    if not 0 <= quality <= 100:
        raise UserError(f"--quality {quality} is not between 0 (PNG) and 100")
    if workers < 1:
        raise UserError(f"--workers {workers} does nothing; give at least 1")
    index, count = _shard(shard)
    source = find_source(src)
    copies = {dst / name: Settings(name, preset, severity, seed, quality) for name in names}
    check_apart(source, dst, list(copies))
    jobs = [
        (video, under(root, source.inside, video.name), settings)
        for root, settings in copies.items()
        for video in source.videos
    ][index::count]
    waiting = [job for job in jobs if not job[1].is_dir()]
    check_lengths((video, target) for video, target, _ in jobs if target.is_dir())
    print(estimate(source, names, jobs, waiting, shard))
    if source.passed_over:
        print(f"passed over, being neither video nor folder of frames: {name_some(source.passed_over, 20)}")
    if dry_run:
        return
    for root, settings in copies.items():
        begin_copy(source, root, settings, link)
    try:
        work(waiting, workers)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what is written stays, and the same command goes on") from None
    clear_away(source, list(copies), jobs)
    print(f"corrupted: {dst}")
    print(after_corrupting(source, dst, names))


def _shard(text: str) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        index, count = -1, 0
    if not 0 <= index < count:
        raise UserError(f"--shard {text} must be i/n with 0 <= i < n, e.g. 0/4")
    return index, count
