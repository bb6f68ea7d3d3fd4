"""What a run says: libraries' long messages in one line, and their advertisements not at all."""

from __future__ import annotations

import errno
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from robustvos.errors import UserError

_NOISE = re.compile(
    r"^(Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Given value.*|- Expected a <class 'NoneType'>"
    r"|Problem with given class_path .*:)$"
)
_WARNINGS = (
    ".*LightningCLI's args parameter.*",
    ".*LeafSpec.*",
    ".*You have overridden `transfer_batch_to_device`.*",
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*is smaller than the logging interval.*",
    ".*The dirpath has changed from.*",
    ".*recommended to use `.*sync_dist=True.*",
    ".*during DDP. Use `self.trainer.use_distributed_sampler.*",
    ".*it is recommended to use `Trainer.devices=1, num_nodes=1.*",
    ".*find_unused_parameters=True was specified in DDP constructor.*",
    ".*predict returned None.*",
)
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.ENOTDIR)  # to read as well as to write
_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning_utilities")


def condense(message: str) -> str:
    """What a person needs of jsonargparse's message: which key, and what is wrong with it.

    >>> condense('''Parser key "data":
    ...   Does not validate against any of the Union subtypes
    ...   Errors:
    ...     - Problem with given class_path 'datamodules.Shapes':
    ...         unrecognized arguments: --sise=1
    ...     - Expected a <class 'NoneType'>''')
    'data: Problem with given class_path datamodules.Shapes: unrecognized arguments: --sise=1'
    """
    lines = [line.strip() for line in message.splitlines()]
    kept = [line.removeprefix("- ") for line in lines if line and not _NOISE.match(line)]
    given = [line.removeprefix("Given value: ") for line in lines if line.startswith("Given value: ")]
    text = " ".join(dict.fromkeys(kept)).replace("'", "")
    if given and "Got value" not in text:
        text += f" but got {given[-1][:80]}"
    return re.sub(r'Parser key "([^"]+)":', r"\1:", text)


def refuse(message: str, cause: Exception | None = None) -> NoReturn:
    """Turn a library's message into an error that the user can mend."""
    raise UserError(condense(message)) from cause


@contextmanager
def refusing(kind: type[Exception]) -> Iterator[None]:
    """Turn one kind of a library's errors into such that the user can mend."""
    try:
        yield
    except kind as error:
        refuse(str(error), error)


def user_error_in(error: BaseException) -> UserError | None:
    """What the user can mend, also where a parser that met it has wrapped it in an error of its own.

    A disk that is full, or a path that may not be read or written, is the user's to mend whoever has met it.

    >>> try:
    ...     try:
    ...         raise UserError("no such clip")
    ...     except UserError as error:
    ...         raise ValueError("Does not validate") from error
    ... except ValueError as error:
    ...     print(user_error_in(error))
    no such clip
    """
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for link in chain:
        if isinstance(link, UserError):
            return link
        if isinstance(link, OSError):
            where = f" {link.filename}" if link.filename else ""
            if link.errno in _NO_PLACE:
                return UserError(f"cannot write{where}: {link.strerror}; free space there, or run where you may write")
            if link.errno in _NO_ACCESS:
                return UserError(f"cannot use{where}: {link.strerror}; choose another path, or ask for access to it")
    return None


def one_line(error: BaseException) -> str:
    """The message of an error; of one that a loader's worker sent, the worker's.

    >>> sent = ["Caught DataNotFound in DataLoader worker process 0.", "...", "robustvos.errors.DataNotFound: no clip"]
    >>> one_line(ValueError(chr(10).join(sent)))
    'no clip'
    """
    text = str(error).strip()
    last = text.splitlines()[-1] if text else type(error).__name__
    return re.sub(r"^[\w.]+: ", "", last) if text.startswith("Caught ") else last


def next_step(checkpoint: str) -> str:
    """What a person does after training: the command that tests its last checkpoint.

    >>> print(next_step("runs/moga/version_0/checkpoints/last.ckpt"))
    trained: runs/moga/version_0/checkpoints/last.ckpt
    test it: python cli.py test --config runs/moga/version_0/config.yaml --ckpt_path runs/moga/version_0/checkpoints/last.ckpt
    """
    if not checkpoint:
        return "no checkpoint was written"
    config = Path(checkpoint).parent.parent / "config.yaml"
    test = ["python", "cli.py", "test", "--config", str(config), "--ckpt_path", checkpoint]
    return f"trained: {checkpoint}\ntest it: {shlex.join(test)}"


STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def exit_code(run: Callable[[], object], debug: bool = False) -> int:
    """Run a command; what a person can mend, and Ctrl-C, are answered in one line on stderr.

    Args:
        run: The command.
        debug: Let every error through, with its traceback.

    Returns:
        0; 2 for an error that the user can mend; 130 after Ctrl-C; or the code that the command itself has asked for.
    """
    try:
        run()
    except Exception as error:
        mendable = user_error_in(error)
        if debug or mendable is None:
            raise
        print(f"error: {one_line(mendable)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"\nstopped{': ' if str(stop) else ''}{stop}", file=sys.stderr)
        return STOPPED
    except SystemExit as end:  # --help, --print_config
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextmanager
def saying_how_to_go_on(saver: Any) -> Iterator[None]:
    """Turn Lightning's silent exit after Ctrl-C into a KeyboardInterrupt that says how to go on.

    Args:
        saver: A :class:`callbacks.InterruptionSaver`, whose ``saved`` is the checkpoint, or None.
    """
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            advice = f"the same command with --ckpt_path {shlex.quote(str(saver.saved))} goes on" if saver.saved else ""
            raise KeyboardInterrupt(advice) from None
        raise


def quieten_torch() -> None:
    """Silence torch's advice, unless the environment asks for it; of use only before torch is imported."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def quieten() -> None:
    """Silence what libraries say about themselves on every run: advertisements, and deprecations that are theirs."""
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
