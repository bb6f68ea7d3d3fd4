"""The command line: training and evaluation by LightningCLI, and the tools that share its flags; ``--help`` lists them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from robustvos.commands.loop import run_loop
from robustvos.commands.messages import exit_code
from robustvos.commands.tools import tool
from robustvos.commands.usage import LOOPS, usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code, see :func:`robustvos.commands.messages.exit_code`."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in argv
    argv = [token for token in argv if token != "--debug"]
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    return exit_code(lambda: command(argv[0])(argv), debug)


def command(name: str) -> Callable[[list[str]], object]:
    """What runs a subcommand, imported only now."""
    return run_loop if name in LOOPS else tool(name)


if __name__ == "__main__":
    sys.exit(main())
