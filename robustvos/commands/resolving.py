"""What command lines of the loops come to, without running them: what decides the figures that they would give."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robustvos.errors import UserError
from robustvos.experiments.identity import CHECKPOINT

CLI = Path(__file__).resolve().parents[2] / "cli.py"
_EXPORTED = (".safetensors", ".pt")
_ALONE = """
import json, sys
sys.path[0] = sys.argv[1]
from robustvos.commands.identities import answers_to
print(json.dumps(answers_to(json.load(sys.stdin))))
"""


def identities_of(commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """What decides the figures of each command, see :mod:`robustvos.experiments.identity`.

    Args:
        commands: Arguments of ``cli.py``, a loop first. Weights, data and checkpoints need not be there.

    Raises:
        UserError: If one is not understood; names it.
    """
    if not commands:
        return []
    answers = _answers([_without_checkpoint(command) for command in commands])
    for command, answer in zip(commands, answers, strict=True):
        if "error" in answer:
            raise UserError(f"{answer['error']} (in: {' '.join(command)})")
    return [answer["identity"] for answer in answers]


def _answers(commands: list[tuple[list[str], str | None]]) -> list[dict[str, Any]]:
    """In this process where it has torch already, else in one of its own: planning itself imports no torch."""
    if "torch" in sys.modules:
        from robustvos.commands.identities import answers_to

        return answers_to(commands)
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(CLI.parent)],
        input=json.dumps(commands),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.returncode)  # its traceback is on stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _without_checkpoint(command: Sequence[str]) -> tuple[list[str], str | None]:
    """The command without its ``--ckpt_path``, which would be looked for, and that; exported weights are the model's own."""
    words = list(command)
    flag = f"--{CHECKPOINT}"
    if flag not in words:
        return words, None
    place = words.index(flag)
    path = words[place + 1]
    exported = path.endswith(_EXPORTED)
    words[place : place + 2] = [f"--model.weights={path}"] if exported else []
    return words, None if exported else path
