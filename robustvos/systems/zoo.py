"""The model zoo: every base and adapter that is shipped or can be loaded, what it has seen, and what it is good for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from robustvos.errors import CheckpointNotFound
from robustvos.sam2.checkpoints import find_checkpoint, read_state, state_hash
from robustvos.sam2.config import PACKAGE_WEIGHTS, VARIANTS, Sam2Config

_FILE = Path(__file__).with_name("zoo.yaml")
SHIPPED = "in the package"


@dataclass(frozen=True)
class ZooEntry:
    """A model of the zoo.

    Attributes:
        name: What ``--sam2`` or, of an adapter, ``--model`` takes.
        kind: ``base`` or ``adapter``.
        parameters: Its own.
        seen: What it was trained on.
        licence: Of the weights.
        figures: Measured, or as published, in words.
        command: What gave the figures, or who published them.
        better: For real video: a base that serves better; empty if none is known.
        on: Of an adapter, the base it stands on.
        hash: Of weights in the package, see :func:`robustvos.sam2.checkpoints.state_hash`; empty for others.
    """

    name: str
    kind: str
    parameters: int
    seen: str
    licence: str
    figures: str
    command: str
    better: str = ""
    on: str = ""
    hash: str = ""

    @property
    def file(self) -> Path | None:
        """The weights where they are on this machine; None if they are not. Nothing is fetched for this."""
        if self.kind == "adapter":
            return PACKAGE_WEIGHTS / f"{self.on}_{self.name}.safetensors"
        try:
            return find_checkpoint(Sam2Config(self.name))
        except CheckpointNotFound:
            return None

    @property
    def where(self) -> str:
        """Where the weights are, or from where and how large they would be fetched."""
        file = self.file
        if file is not None:
            return SHIPPED if file.parent == PACKAGE_WEIGHTS else str(file)
        known = VARIANTS[self.name]
        return f"hf://{known.hub_id} ({known.megabytes} MB)"

    def hash_here(self) -> str:
        """Of the weights on this machine, read anew; empty if they are not here."""
        file = self.file
        return "" if file is None else state_hash(read_state(file))


def zoo() -> list[ZooEntry]:
    """Every entry: what is in the package first."""
    return [ZooEntry(**entry) for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]


def find_entry(base: str) -> ZooEntry | None:
    """The entry of a base; None for one of your own."""
    return next((entry for entry in zoo() if entry.kind == "base" and entry.name == base), None)


def base_notice(variant: str, adapted: bool = False) -> str:
    """What a base has been trained on and which would serve better on real video, in one line; empty for a base of your own.

    Args:
        variant: Name of the base.
        adapted: An adapter of one's own stands on it: then nothing else is advised.

    >>> base_notice("nano").partition(";")[0]
    'nano has been trained on drawn shapes alone'
    """
    entry = find_entry(variant)
    if entry is None:
        return ""
    sentence = f"{variant} has been trained on {entry.seen}"
    return (
        f"{sentence}; on real video --sam2 {entry.better} serves better" if entry.better and not adapted else sentence
    )


def zoo_text(entries: Sequence[ZooEntry]) -> str:
    """For a terminal: a block of lines each.

    A hash that is not in the list is that of the file on this machine.
    """
    blocks = []
    for entry in entries:
        stands = f", on {entry.on}" if entry.on else ""
        digest = entry.hash or entry.hash_here() or "known once the file is here"
        blocks.append(
            f"{entry.name}  ({entry.kind}{stands})  {entry.parameters / 1e6:.2f} M parameters, {entry.where}\n"
            f"  seen     {entry.seen}\n"
            f"  figures  {entry.figures}\n"
            f"  by       {entry.command}\n"
            f"  licence  {entry.licence}; hash {digest}"
        )
    return "\n\n".join(blocks)


def zoo_markdown(entries: Sequence[ZooEntry]) -> str:
    """The table of docs/model_zoo.md, which says nothing of this machine.

    >>> zoo_markdown(zoo()).splitlines()[0]
    '| model | parameters | has seen | figures, and the command that gave them | weights | licence |'
    """
    lines = [
        "| model | parameters | has seen | figures, and the command that gave them | weights | licence |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries:
        known = None if entry.kind == "adapter" else VARIANTS[entry.name]
        fetched = known is not None and known.hub_id is not None
        place = (
            f"`hf://{known.hub_id}`, {known.megabytes} MB" if known and fetched else f"in the package, `{entry.hash}`"
        )
        name = f"`--model {entry.name}` on `{entry.on}`" if entry.on else f"`--sam2 {entry.name}`"
        source = entry.command if fetched else f"`{entry.command}`"
        size = f"{entry.parameters / 1e6:.2f} M"
        cells = (name, size, entry.seen, f"{entry.figures}; {source}", place, entry.licence)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
