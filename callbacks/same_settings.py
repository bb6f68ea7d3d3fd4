"""A training that goes on with other settings than it began with says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from callbacks.exact_resumption import is_between_epochs
from robustvos.errors import CheckpointMismatch

COURSE = ("data", "recipe", "seed_everything", "trainer.accumulate_grad_batches", "trainer.limit_train_batches")
"""Settings that decide what a training sees and does, by their names in ``config.yaml``."""
_HARMLESS = ("workers", "val", "test")  # parts of data that the course of a training does not depend on
_NOT_SET = "not set"


def course_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that decide its course, flat: ``data.init_args.train.batches`` and the like.

    >>> course_of({"data": {"class_path": "Shapes", "init_args": {"size": 64, "workers": 2}}, "run": "a"})
    {'data.class_path': 'Shapes', 'data.init_args.size': 64}
    """
    flat = dict(_flat(config))
    return {
        name: value
        for name, value in flat.items()
        if any(name == chosen or name.startswith(f"{chosen}.") for chosen in COURSE)
        and not (name.startswith("data.init_args.") and name.split(".")[2] in _HARMLESS)
    }


def compare_course(checkpoint: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Say on stderr in which settings a resumed run differs from the one that was saved.

    Args:
        checkpoint: Of a training; one that does not name its settings is not compared.
        now: :func:`course_of` the resumed run.

    Raises:
        CheckpointMismatch: If the data differ, and the checkpoint lies within an epoch: its place is one among other data.
    """
    former = checkpoint.get("course")
    if former is None:
        return
    names = [name for name in sorted({*former, *now}) if former.get(name, _NOT_SET) != now.get(name, _NOT_SET)]
    if not names:
        return
    listed = ", ".join(f"{_short(n)} {former.get(n, _NOT_SET)} -> {now.get(n, _NOT_SET)}" for n in names)
    if any(name.startswith("data.") for name in names) and not is_between_epochs(checkpoint):
        raise CheckpointMismatch(
            f"the checkpoint was saved within an epoch of other data: {listed}; resume with the settings of the run's "
            "config.yaml, or from a checkpoint of the end of an epoch"
        )
    print(f"the run goes on with other settings than it was saved with: {listed}", file=sys.stderr)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _short(name: str) -> str:
    """As the command line has it: without ``init_args``."""
    return name.replace(".init_args", "")
