"""What decides the figures of a loop's command line: what is parsed is what ``cli.py`` would run."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from robustvos.commands.loop import run_loop
from robustvos.commands.messages import one_line, user_error_in
from robustvos.commands.requirements import run_identity
from robustvos.experiments.identity import digest_of


def answers_to(commands: Iterable[tuple[Sequence[str], str | None]]) -> list[dict[str, Any]]:
    """``{"identity": ...}`` of each command, or ``{"error": line}`` where its arguments are not understood.

    Args:
        commands: Arguments of ``cli.py``, a loop first and without ``--ckpt_path``, and the checkpoint that it names.
    """
    digest = functools.cache(digest_of)
    return [_answer(list(argv), checkpoint, digest) for argv, checkpoint in commands]


def _answer(argv: list[str], checkpoint: str | None, digest: Any) -> dict[str, Any]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            run_loop([*argv, "--print_config"])
    except SystemExit:
        config = yaml.safe_load(said.getvalue())
        return {"identity": run_identity({**config, "ckpt_path": checkpoint}, argv[0], digest)}
    except Exception as error:
        mendable = user_error_in(error)
        if mendable is None:
            raise
        return {"error": one_line(mendable)}
    raise AssertionError("--print_config ends the program")
