"""What the gates of a system did, in a sentence that is computed from what its test left beside each picture."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustvos.errors import UserError
from robustvos.evaluation.results import RunRecord
from robustvos.report.sections import Section


@dataclass(frozen=True)
class GateFacts:
    """Of one clip under one condition, as ``figures/gates/<video>.json`` has it.

    Attributes:
        video: Name of the file: clip and condition.
        active: Share of the components that are open, over objects and frames.
        lowest: The least of any object and frame.
        highest: The most.
        pattern: Which components are open, ``01`` each, where that is the same for all objects and frames; else empty.
    """

    video: str
    active: float
    lowest: float
    highest: float
    pattern: str


def gate_sentences(section: Section) -> list[str]:
    """One sentence for each system that left gates."""
    found = ((name, read_gate_facts(run)) for name, run in section.runs)
    return [f"{name}: {sentence_of(facts)}" for name, facts in found if facts]


def read_gate_facts(run: RunRecord) -> list[GateFacts]:
    """Of every clip whose gates a run recorded; runs of older versions left none.

    Raises:
        UserError: If a file cannot be read.
    """
    root = run.folder / "figures" / "gates"
    return [_read(path, root) for path in sorted(root.rglob("*.json"))]


def _read(path: Path, root: Path) -> GateFacts:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        active, lowest, highest = (float(facts[name]) for name in ("active", "lowest", "highest"))
        return GateFacts(
            path.relative_to(root).with_suffix("").as_posix(), active, lowest, highest, str(facts["pattern"])
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: expected what a test says of its gates, got {error!r}; test the system again"
        ) from error


def sentence_of(facts: Sequence[GateFacts]) -> str:
    """What holds for all the clips.

    >>> still = [GateFacts(name, 0.25, 0.25, 0.25, "0100") for name in ("boat", "boat@fog")]
    >>> sentence_of(still)
    'the same 25 % of components are open for every object and frame of all 2 clips and conditions'
    >>> sentence_of([*still, GateFacts("dog", 0.5, 0.25, 0.75, "")])
    'which components are open changes with object or frame in 1 of 3 clips and conditions, from 25 to 75 % of them'
    >>> sentence_of([*still, GateFacts("dog", 0.5, 0.5, 0.5, "0110")])
    'within each clip the same components are open for every object and frame, but 2 different sets over 3 clips and conditions'
    """
    changing = [one for one in facts if not one.pattern]
    if changing:
        low, high = min(one.lowest for one in changing), max(one.highest for one in changing)
        return (
            f"which components are open changes with object or frame in {len(changing)} of {len(facts)} clips and "
            f"conditions, from {100 * low:.0f} to {100 * high:.0f} % of them"
        )
    sets = Counter(one.pattern for one in facts)
    if len(sets) == 1:
        where = f"all {len(facts)} clips and conditions" if len(facts) > 1 else "this clip"
        return f"the same {100 * facts[0].active:.0f} % of components are open for every object and frame of {where}"
    return (
        f"within each clip the same components are open for every object and frame, but {len(sets)} different sets over "
        f"{len(facts)} clips and conditions"
    )
