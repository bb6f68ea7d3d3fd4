"""Sort runs into sections that may be tabled together, and give every row a name of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustvos.conditions import CLEAN
from robustvos.evaluation.aggregate import identities
from robustvos.evaluation.results import RunRecord

STRENGTH = ("preset", "severity", "copies")
"""Facts that say how strongly frames are corrupted."""

_CONDITION_TAGS = ("corruption", "weather")
_CORRUPTIONS = (
    "color_jitter",
    "gauss_noise",
    "iso_noise",
    "motion_blur",
    "resampling_blur",
    "fog",
    "rain",
    "snow",
)


@dataclass(frozen=True)
class Section:
    """Runs that may share a table: of one dataset, protocol and kind of prompt, one strength of corruption and so on.

    Attributes:
        dataset: Its name.
        protocol: The evaluation protocol.
        prompt: The kind of prompt.
        runs: Row name and run, the reference first, then by name.
        superseded: Older runs of a system, seed and weights that was tested again on all that they hold; they are not shown.
    """

    dataset: str
    protocol: str
    prompt: str
    runs: tuple[tuple[str, RunRecord], ...]
    superseded: tuple[RunRecord, ...] = ()

    @property
    def title(self) -> str:
        """Dataset, protocol, prompt and what else decides the figures, in one line."""
        return ", ".join([f"{self.dataset}, protocol {self.protocol}, prompt {self.prompt}", *self.facts])

    @property
    def facts(self) -> tuple[str, ...]:
        """What else decides the figures, in words; how strongly frames are corrupted only where they are."""
        corrupted = [run for _, run in self.runs if _strength_of(run)]
        stored = (corrupted or [run for _, run in self.runs])[0].facts
        hidden = () if corrupted else STRENGTH
        return tuple(f"{name} {value}" for name, value in stored.items() if name not in hidden)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric of the runs, in their order."""
        return tuple(dict.fromkeys(metric for _, run in self.runs for metric in run.metrics))

    @property
    def amodal(self) -> bool:
        """Whether whole objects were scored (mIoU and its kin) rather than what is seen of them (J and F)."""
        return any(metric.startswith("mIoU") for metric in self.metrics)

    @property
    def condition_tag(self) -> str | None:
        """The tag whose values are the columns of the score tables; None where nothing but clean frames was tested."""
        for tag in _CONDITION_TAGS:
            values = self.tag_values(tag)
            if values and values != (CLEAN,):
                return tag
        return None

    def tag_values(self, tag: str) -> tuple[str, ...]:
        """Values of ``tag`` over all runs: clean, then the eight corruptions in the paper's order, then the rest."""
        values = {value for _, run in self.runs for value in run.by.get(tag, {})}
        order = (CLEAN, *_CORRUPTIONS)
        return tuple(sorted(values, key=lambda v: (order.index(v) if v in order else len(order), v)))


def make_sections(runs: Sequence[RunRecord], reference: str = "sam2") -> list[Section]:
    """One section for each dataset, protocol, prompt and whatever else decides figures, that with most runs first.

    The reference leads each. A system tested again with the same base, seed and weights, on all that an earlier run holds,
    is shown by its newest run.
    """
    alike: dict[tuple[str, ...], dict[str, list[RunRecord]]] = {}
    for run in runs:
        others = {name: value for name, value in run.facts.items() if name not in STRENGTH}
        key = (run.dataset, run.protocol, run.prompt, str(run.skip_first_last), _as_text(others))
        alike.setdefault(key, {}).setdefault(_strength_of(run), []).append(run)
    sections = []
    for (dataset, protocol, prompt, *_), found in sorted(alike.items()):
        for members in _with_clean(found):
            newest, superseded = _newest(members)
            named = zip(_names(newest), newest, strict=True)
            ordered = sorted(named, key=lambda pair: (pair[1].system != reference, pair[0]))
            sections.append(Section(dataset, protocol, prompt, tuple(ordered), tuple(superseded)))
    return sorted(sections, key=lambda section: -len(section.runs))


def _strength_of(run: RunRecord) -> str:
    """Of its corruptions; empty if it has none."""
    strength = {name: value for name, value in run.facts.items() if name in STRENGTH}
    return _as_text(strength) if set(run.by.get("corruption", {})) - {CLEAN} else ""


def _with_clean(by_strength: Mapping[str, list[RunRecord]]) -> list[list[RunRecord]]:
    """Groups by strength; runs on clean frames alone join the others where these are of one strength."""
    if len(by_strength) == 2 and "" in by_strength:
        return [[run for group in by_strength.values() for run in group]]
    return [group for _, group in sorted(by_strength.items())]


def _as_text(facts: Mapping[str, str]) -> str:
    return json.dumps(dict(facts), sort_keys=True)


def reference_of(section: Section, run: RunRecord, reference: str) -> tuple[str, RunRecord] | None:
    """Name and run of the reference system that a run is compared with; None for the reference itself, or without one.

    It has the run's base and weights. Of several, that of the run's seed, then that with most objects in common.
    """
    if run.system == reference:
        return None
    mine = identities(run.objects)
    rivals = [
        (other.seed == run.seed, len(mine & identities(other.objects)), -place, name, other)
        for place, (name, other) in enumerate(section.runs)
        if other.system == reference and (other.base, other.base_hash) == (run.base, run.base_hash)
    ]
    return max(rivals)[3:] if rivals else None  # places differ, so that runs are never compared


def _newest(runs: Sequence[RunRecord]) -> tuple[list[RunRecord], list[RunRecord]]:
    kept: dict[tuple[object, ...], list[tuple[RunRecord, set[tuple[str, int, str]]]]] = {}
    superseded = []
    for run in sorted(runs, key=lambda run: (run.created, str(run.path)), reverse=True):
        newer = kept.setdefault((run.system, run.base, run.base_hash, run.restorer_hash, run.seed, run.checkpoint), [])
        objects = identities(run.objects)
        if any(objects <= others for _, others in newer):
            superseded.append(run)
        else:
            newer.append((run, objects))
    return [run for runs_of_one in kept.values() for run, _ in runs_of_one], superseded


def _weights(run: RunRecord) -> list[str]:
    """The first digits of what was loaded before any training: base and restorer."""
    return [hash_[:6] for hash_ in (run.base_hash, run.restorer_hash) if hash_]


def _names(runs: Sequence[RunRecord]) -> list[str]:
    """The system's name, and of base, weights, seed and folder as many as are needed to tell rows apart."""
    details = (
        lambda run: run.system,
        lambda run: f"{run.system} ({run.base})",
        lambda run: f"{run.system} ({run.base}, weights {'+'.join(_weights(run)) or 'unknown'})",
        lambda run: f"{run.system} ({run.base}, seed {run.seed})",
        lambda run: f"{run.system} ({run.base}, seed {run.seed}, {run.folder.parent.name}/{run.folder.name})",
    )
    names = [""] * len(runs)
    for system in {run.system for run in runs}:
        mine = [i for i, run in enumerate(runs) if run.system == system]
        for detail in details:
            texts = [detail(runs[i]) for i in mine]
            if max(Counter(texts).values()) == 1:
                break
        for i, text in zip(mine, texts, strict=True):
            names[i] = text
    return names
