"""What a run says: libraries' long messages in one line, and their advertisements not at all."""

from __future__ import annotations

import errno
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robustvos.errors import UserError
from robustvos.files.naming import printable
from robustvos.parsing import plain
from robustvos.program import next_command
from robustvos.progress import is_watched
from robustvos.termination import Stopped, stoppable

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
    ".*The `srun` command is available on your system but is not used.*",
    ".*in eval mode at the start of training.*",  # batch norms that keep their statistics (small), on purpose
)
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.ENOTDIR)  # to read as well as to write
_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning_utilities")


@contextmanager
def refusing(kind: type[Exception]) -> Iterator[None]:
    """Turn one kind of a library's errors into such that the user can mend."""
    try:
        yield
    except kind as error:
        raise UserError(plain(str(error))) from error


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
    while chain[-1].__cause__ is not None and chain[-1].__cause__ not in chain:  # an error may be its own cause
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


_LONG = 240


def laid_out(text: str) -> str:
    """A long message that names several things as a short list, each on its line, and what to do on the last.

    >>> short = "no data: davis; give --data.root FOLDER"
    >>> laid_out(short) == short
    True
    >>> sets = " | ".join(f"{name} (so and so many videos; from a page): no folder was given" for name in "abcd")
    >>> print(laid_out(f"weights and data are missing: (1) no weights; (2) no data: {sets}; give the unpacked folders"))
    weights and data are missing:
      - no weights
      - no data:
        - a (so and so many videos; from a page): no folder was given
        - b (so and so many videos; from a page): no folder was given
        - c (so and so many videos; from a page): no folder was given
        - d (so and so many videos; from a page): no folder was given
        give the unpacked folders
    """
    if len(text) < _LONG:
        return text
    text, several = re.subn(r"[:;] \(\d\) ", "\n  - ", text)
    text = re.sub(r"^(.*)(?=\n)", r"\1:", text, count=1) if several else text
    indent = "    " if several else "  "
    head, found, rest = text.partition("no data: ")
    sets, _, advice = rest.partition("; give the unpacked")
    if not found or not advice:
        return text
    lines = [f"- {one}" for one in sets.split(" | ")] + [f"give the unpacked{advice}"]
    return f"{head}no data:" + "".join(f"\n{indent}{line}" for line in lines)


def next_step(checkpoint: str, no_step: bool = False, metrics: Mapping[str, Any] | None = None) -> str:
    """What a person does after training: the command that tests its last checkpoint.

    Args:
        checkpoint: The last one; empty if there is none.
        no_step: A run was resumed at its end, so that nothing was trained.
        metrics: What was logged last, by name; the figures of the last validation are shown, else the loss.

    >>> print(next_step("runs/moga/version_0/checkpoints/last.ckpt", metrics={"val/J&F": 0.812, "train/loss": 1.9}))
    trained: runs/moga/version_0/checkpoints/last.ckpt
    last validation, in percent: J&F 81.2
    next: python cli.py test --config runs/moga/version_0/config.yaml --ckpt_path runs/moga/version_0/checkpoints/last.ckpt
    """
    if not checkpoint:
        return "no checkpoint was written"
    config = Path(checkpoint).parent.parent / "config.yaml"
    test = ["test", "--config", str(config), "--ckpt_path", checkpoint]
    done = f"trained: {checkpoint}"
    if no_step:
        done = (
            f"no step was done, it was trained to its end before: {checkpoint} (a larger --trainer.max_epochs goes on)"
        )
    return "\n".join(filter(None, [done, _score_of(metrics or {}), next_command(*test)]))


_MAIN = ("J&F", "J", "F", "mIoU")
"""Metrics that come first."""


def _score_of(metrics: Mapping[str, Any]) -> str:
    """Of a training, in a line; nothing if it has logged none."""
    scores = {name.removeprefix("val/"): float(value) for name, value in metrics.items() if name.startswith("val/")}
    if scores:
        order = [*(name for name in _MAIN if name in scores), *(name for name in scores if name not in _MAIN)]
        figures = ", ".join(f"{name} {100 * scores[name]:.1f}" for name in order)
        return f"last validation, in percent: {figures}"
    loss = metrics.get("train/loss")
    return "" if loss is None else f"last loss: {float(loss):.3f}"


_LOST = {
    r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)": (
        "a process that reads data was killed, mostly because memory ran out; lower --data.workers"
    ),
    r"Connection (closed|reset) by peer|remote process (exited|has terminated)|ncclRemoteError": (
        "another process of this run was killed or has failed; its own message, if it has one, is above"
    ),
}
"""What libraries say when a process that they need is gone, and what a person needs to know."""
STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def exit_code(run: Callable[[], object], debug: bool = False) -> int:
    """Run a command; what a person can mend, and Ctrl-C, are answered in one line on stderr.

    Args:
        run: The command.
        debug: Let every error through, with its traceback.

    Returns:
        0; 2 for an error that the user can mend; 130 after Ctrl-C, 143 after SIGTERM, 138 after SIGUSR1; or the code that the
        command itself has asked for.
    """
    try:
        with stoppable():
            run()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        mendable = user_error_in(error)
        if debug or mendable is None:
            raise
        text = printable(one_line(mendable))
        print(f"error: {laid_out(text) if is_watched() else text}", file=sys.stderr)  # a log keeps it on its line
        return 2
    except KeyboardInterrupt as stop:
        print(f"\nstopped{': ' if str(stop) else ''}{stop}", file=sys.stderr)
        return STOPPED
    except Stopped as stop:
        print(f"\n{stop}", file=sys.stderr, flush=True)
        return stop.exit_code
    except SystemExit as end:  # --help, --print_config
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextmanager
def saying_how_to_go_on(saver: Any) -> Iterator[None]:
    """Let a loop that is stopped by a signal, or loses a process, say how to go on.

    Lightning's silent exit after Ctrl-C becomes a KeyboardInterrupt. Processes that another of the same run has started
    leave it to that one to speak, and end well: it would take another code for a failure, and kill them all.

    Args:
        saver: A :class:`callbacks.InterruptionSaver`, whose ``saved`` is the checkpoint, or None;
            ``was_testing`` says whether a test was stopped.
    """
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt(_how_to_go_on(saver)) from None
        raise
    except Stopped as stop:
        if saver.is_helper:
            raise SystemExit(0) from None
        raise Stopped(stop.signum, _how_to_go_on(saver)) from None
    except RuntimeError as error:
        lost = next((text for pattern, text in _LOST.items() if re.search(pattern, str(error))), None)
        if lost is None:
            raise
        raise UserError("; ".join(part for part in (lost, _how_to_go_on(saver)) if part)) from error


def _how_to_go_on(saver: Any) -> str:
    if saver.saved:
        return f"the same command with --ckpt_path {shlex.quote(str(saver.saved))} goes on"
    return "the same command with --resume goes on" if saver.was_testing else ""


def quieten_torch() -> None:
    """Silence torch's advice, unless the environment asks for it; of use only before torch is imported."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def quieten() -> None:
    """Silence what libraries say about themselves on every run: advertisements, and deprecations that are theirs."""
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
