"""``cli.py inspect``: the modules of a system in brief, and its parameters; or the size of a dataset; or the model zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robustvos.commands.tool import run_tool
from robustvos.errors import UserError
from robustvos.program import next_command
from robustvos.registry import DEFAULT_BASE, DEFAULT_SYSTEM


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(inspect, argv)


def inspect(
    model: str = DEFAULT_SYSTEM,
    sam2: str = DEFAULT_BASE,
    data: str | None = None,
    zoo: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Print a system's modules in brief and its parameters per part; or, with --data, how large a dataset is.

    A system needs no weights, but for networks whose shape is read from them (restored_spandrel). Of a dataset clips,
    frames and objects are counted as in Table 1 of the RobustPVOS paper, for what is on disk, beside the published
    numbers; masks are read for it, frames are not.

      cli.py inspect --model moga --model.adapter.rank 8 --sam2 sam2.1_hiera_t
      cli.py inspect --data acdc_video --data.root data/ACDC-Video
      cli.py inspect --zoo

    Args:
        model: A name in configs/model, or a YAML file.
        sam2: A name in configs/sam2, or a YAML file.
        data: A name in configs/data, or a YAML file; then no system is shown. Its folder is --data.root; by default that of
            the YAML file, or $ROBUSTVOS_DATA/NAME.
        zoo: Show every base and adapter that is shipped or can be loaded instead: what it has seen, figures, licence.
        settings: Of system, base and dataset, one by one.
    """
    if zoo:
        from robustvos.systems.zoo import zoo as entries
        from robustvos.systems.zoo import zoo_text

        print(zoo_text(entries()))
        print(next_command("inspect", "--model", "sam2", "--sam2", "small"))
        return
    of_data = {name: value for name, value in (settings or {}).items() if name.startswith("data.")}
    if data is not None:
        from robustvos.commands.inspect_data import inspect_data

        inspect_data(data, of_data)
    elif of_data:
        raise UserError(f"--{next(iter(of_data))} is of a dataset: say which with --data NAME")
    else:
        from robustvos.commands.inspect_system import inspect_system

        inspect_system(model, sam2, settings)
