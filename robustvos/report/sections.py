"""Sort runs into sections that may be tabled together, and give every row a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from robustvos.report.results import RunResult

CLEAN = "clean"
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
    """Runs on one dataset under one protocol with one kind of prompt: the only runs that share a table.

    Attributes:
        dataset: Its name.
        protocol: The evaluation protocol.
        prompt: The kind of prompt.
        runs: Row name and run, the reference first, then by name.
        superseded: Older runs of a system, seed and checkpoint that was tested again; they are not shown.
    """

    dataset: str
    protocol: str
    prompt: str
    runs: tuple[tuple[str, RunResult], ...]
    superseded: tuple[RunResult, ...] = ()

    @property
    def title(self) -> str:
        """Dataset, protocol and prompt in one line."""
        return f"{self.dataset}, protocol {self.protocol}, prompt {self.prompt}"

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


def make_sections(runs: Sequence[RunResult], reference: str = "sam2") -> list[Section]:
    """One section per dataset, protocol, prompt and frames that count, that with most runs first; the reference leads it.

    A system tested twice with the same base, seed and checkpoint is shown once, by its newest run.
    """
    groups: dict[tuple[str, str, str, str], list[RunResult]] = {}
    for run in runs:
        groups.setdefault((run.dataset, run.protocol, run.prompt, str(run.skip_first_last)), []).append(run)
    sections = []
    for (dataset, protocol, prompt, _), members in sorted(groups.items()):
        newest, superseded = _newest(members)
        named = zip(_names(newest), newest, strict=True)
        ordered = sorted(named, key=lambda pair: (pair[1].system != reference, pair[0]))
        sections.append(Section(dataset, protocol, prompt, tuple(ordered), tuple(superseded)))
    return sorted(sections, key=lambda section: -len(section.runs))


def _newest(runs: Sequence[RunResult]) -> tuple[list[RunResult], list[RunResult]]:
    latest: dict[tuple[object, ...], RunResult] = {}
    for run in sorted(runs, key=lambda run: (run.created, str(run.path))):
        latest[(run.system, run.base, run.seed, run.checkpoint)] = run
    kept = list(latest.values())
    return kept, [run for run in runs if not any(run is other for other in kept)]


def _names(runs: Sequence[RunResult]) -> list[str]:
    """The system's name, and of base, seed and folder as many as are needed to tell rows apart."""
    details = (
        lambda run: run.system,
        lambda run: f"{run.system} ({run.base})",
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
