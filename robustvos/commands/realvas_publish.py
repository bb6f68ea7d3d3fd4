"""``cli.py realvas publish`` and ``reviews``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustvos.commands.tool import run_tool
from robustvos.files.naming import count_of
from robustvos.program import next_command, program

ACTIONS = ("publish", "reviews")


def main(named: Sequence[str]) -> None:
    """Run one of them; ``named`` begins with ``realvas ACTION``."""
    run_tool(publish if named[0].endswith("publish") else reviews, named, positional=["folder"])


def publish(
    folder: Path,
    out: Path | None = None,
    name: str | None = None,
    licence: str = "other",
    address: str = "https://example.org/not-published-yet",
    as_recorded: bool = False,
) -> None:
    """Write the clips of a run as a dataset: native tree, COCO-RLE, SA-V, YouTube-VOS, VideoFolder, Croissant, a card.

    Clips that need a review are left out until somebody passes them, and clips that somebody failed or flagged. Every layout is
    read back and compared before the folder appears. Licences of the sources: FOLDER/licences.yaml, a line a source.

    Args:
        folder: Of the run.
        out: Where. By default FOLDER/published; what was published there before is replaced.
        name: Of the dataset. By default the run's.
        licence: Of the clips, as SPDX has it, e.g. cc-by-4.0.
        address: Where the dataset will be found.
        as_recorded: Take the clips of the camera that stood still, also where the stage camera moved it.
    """
    from robustvos.publishing.card import LICENCES
    from robustvos.publishing.croissant import About
    from robustvos.publishing.publish import NATIVE, READERS
    from robustvos.publishing.publish import publish as publish_run

    about = About(name or folder.resolve().name, licence, address)
    made = publish_run(folder, folder / "published" if out is None else out, about, as_recorded)
    print(f"{count_of(len(made.clips), 'clip')} published: {made.folder}")
    print(f"read back and equal: {', '.join(READERS)}")
    for what, keys in (("waiting for a review", made.unreviewed), ("failed or flagged", made.refused)):
        if keys:
            print(f"left out, {what}: {len(keys)}")
    if made.unreviewed:
        print(f"to judge them: {program()} review {folder}")
    if made.unlicensed:
        print(f"no licence is stated of {', '.join(made.unlicensed)}; say it in {folder / LICENCES}, and publish again")
    real = ("--model", "sam2", "--sam2", "small")  # the base for real video
    print(next_command("test", "--data", "realvas", "--data.root", made.folder / NATIVE, *real))


def reviews(folder: Path) -> None:
    """Say how reviewers agree, how many known faults they noticed, and how long they took.

    Args:
        folder: Of the run.
    """
    from robustvos.commands.closing import after_reviewing
    from robustvos.reviewing.agreement import agreement_of
    from robustvos.reviewing.clips import clips_of

    clips_of(folder)
    print(agreement_of(folder).text())
    print(after_reviewing(folder))
