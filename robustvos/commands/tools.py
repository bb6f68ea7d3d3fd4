"""The tools by name, each imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from robustvos.commands.usage import LOOPS, TOOLS
from robustvos.errors import UnknownName


def tool(name: str) -> Callable[[list[str]], object]:
    """What runs a tool of :data:`robustvos.commands.usage.TOOLS`.

    Raises:
        UnknownName: If there is none of that name, nor a loop.
    """
    match name:
        case "annotate":
            from robustvos.commands.annotate import main
        case "corrupt":
            from robustvos.commands.corrupt import main
        case "experiment":
            from robustvos.commands.experiment import main
        case "export":
            from robustvos.commands.export import main
        case "external":
            from robustvos.commands.external import main
        case "inspect":
            from robustvos.commands.inspect import main
        case "realvas":
            from robustvos.commands.realvas import main
        case "report":
            from robustvos.commands.report import main
        case "review":
            from robustvos.commands.review import main
        case "score":
            from robustvos.commands.score import main
        case "track":
            from robustvos.commands.track import main
        case _:
            raise UnknownName.of("command", name, [*LOOPS, *TOOLS])
    return main
