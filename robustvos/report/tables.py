"""Build the tables of a section from the runs' aggregates and per-object scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robustvos.report.compare import averaged_over, difference_by_protocol, estimate_by_protocol
from robustvos.report.published import Published, published_for
from robustvos.report.results import Estimate, RunResult
from robustvos.report.sections import CLEAN, Section, reference_of
from robustvos.report.table import Cell, Row, Table
from robustvos.report.text import format_conditions, format_table

CORRUPTED_MEAN = "corrupted mean"
ALL = "all"
# The paper tables its three kinds of containment as one.
_PARTS = {"containment": ("containment", "surface", "articulated", "mobile")}
_AMODAL_CAPTION = (
    "Mean ± standard deviation over clips: whole clip (mIoU), occluded frames (fo), fully occluded frames (ffo), "
    "hidden pixels only (occ). A clip that does not define a metric is left out of it; clips behind each column are "
    "counted under its name."
)


def terminal_text(section: Section, reference: str = "sam2") -> str:
    """The measured figures of a section, narrow enough for a terminal; amodal sections have one table per category."""
    if section.amodal:
        tables = [*amodal_tables(section), amodal_difference_table(section, reference)]
        return "\n\n".join(format_table(table) for table in tables if table is not None)
    scores = [score_table(section, metric) for metric in section.metrics]
    differences = [difference_table(section, metric, reference) for metric in section.metrics]
    heading = f"{section.title}\nmeans over {averaged_over(section.protocol)} in percent, 95 % intervals over clips"
    if any(differences):
        heading += f"; difference: from {reference}, paired"
    return f"{heading}\n{format_conditions(scores, [table for table in differences if table is not None])}"


def section_tables(section: Section, reference: str = "sam2") -> list[Table]:
    """Every table of a section: scores, paired differences against ``reference``, published rows.

    Amodal sections have one score table per category; the others one per metric.
    """
    if section.amodal:
        tables: list[Table | None] = [*amodal_tables(section), amodal_difference_table(section, reference)]
    else:
        tables = [score_table(section, metric) for metric in section.metrics]
        tables += [difference_table(section, metric, reference) for metric in section.metrics]
    return [table for table in tables if table is not None] + published_tables(section)


def score_table(section: Section, metric: str) -> Table:
    """Systems by conditions: mean and 95 % interval of ``metric``.

    Columns are clean, each corruption, and the mean over all corrupted objects; or each weather and all; or all alone.
    """
    columns = _columns(section)
    return Table(
        kind="scores",
        title=metric,
        caption=(
            f"{metric} in percent, mean over {averaged_over(section.protocol)}, with its 95 % interval (bootstrap over "
            "clips)."
        ),
        columns=columns,
        rows=tuple(Row(name, tuple(_score(section, run, c, metric) for c in columns)) for name, run in section.runs),
        metrics=(metric,) * len(columns),
    )


def difference_table(section: Section, metric: str, reference: str = "sam2") -> Table | None:
    """Each system minus the reference on the same objects, per condition; None without a reference or a rival.

    A system is compared with the reference of its own base and weights (and seed, where there are several).
    """
    columns = _columns(section)
    rows = []
    for name, run, other in _pairs(section, reference):
        cells = []
        for column in columns:
            mine, theirs = _objects(section, run, column), _objects(section, other, column)
            cells.append(difference_by_protocol(mine, theirs, metric, section.protocol))
        rows.append(Row(name, tuple(cells)))
    if not rows:
        return None
    return Table(
        kind="differences",
        title=f"{metric}: difference from {reference}",
        caption=(
            f"{metric} minus that of {reference} on the same clips and objects, in points, with its 95 % interval "
            "(paired bootstrap over clips). Bold: the interval excludes zero."
        ),
        columns=columns,
        rows=tuple(rows),
        metrics=(metric,) * len(columns),
    )


def amodal_tables(section: Section) -> list[Table]:
    """Systems by amodal metrics, mean and standard deviation over clips: all clips, then each category."""
    groups: list[tuple[str, list[Mapping[str, Estimate]]]] = [(ALL, [run.overall for _, run in section.runs])]
    for category in section.tag_values("category"):
        groups.append((category, [run.by.get("category", {}).get(category, {}) for _, run in section.runs]))
    metrics = section.metrics
    return [
        Table(
            kind="amodal",
            title="All clips" if category == ALL else f"Category: {category}",
            caption=_AMODAL_CAPTION if category == ALL else "",
            columns=metrics,
            rows=tuple(
                Row(name, tuple(_cell(group.get(metric)) for metric in metrics))
                for (name, _), group in zip(section.runs, estimates, strict=True)
            ),
            metrics=metrics,
            percent=False,
            spread="std",
        )
        for category, estimates in groups
    ]


def amodal_difference_table(section: Section, reference: str = "sam2") -> Table | None:
    """Each system minus the reference on the same objects, per amodal metric, over all clips."""
    rows = [
        Row(
            name,
            tuple(
                difference_by_protocol(run.objects, other.objects, metric, section.protocol)
                for metric in section.metrics
            ),
        )
        for name, run, other in _pairs(section, reference)
    ]
    if not rows:
        return None
    return Table(
        kind="differences",
        title=f"Difference from {reference}",
        caption=(
            f"Score minus that of {reference} on the same clips and objects, with its 95 % interval (paired bootstrap "
            "over clips). Bold: the interval excludes zero."
        ),
        columns=section.metrics,
        rows=tuple(rows),
        metrics=section.metrics,
        percent=False,
    )


def published_tables(section: Section) -> list[Table]:
    """What papers report on this dataset, each row marked; measured rows join only where the comparison is fair."""
    return [_published_table(section, published) for published in published_for(section.dataset)]


def _published_table(section: Section, published: Published) -> Table:
    objection = _objection(section, published)
    measured: tuple[Row, ...] = ()
    if published.main and not objection:
        measured = tuple(
            Row(name, tuple(_published_cell(run, published, metric) for metric in published.metrics))
            for name, run in section.runs
        )
    caption = f"Copied from the {published.paper}{'' if measured else '; not measured here'}."
    if measured and published.protocol == "release":
        caption += (
            " Means are over classes where objects have them, else over sequences, as that paper's code has them."
        )
    if objection:
        caption += f" Not comparable with the figures above: {objection}."
    return Table(
        kind="published",
        title=f"Published, Table {published.table}: {published.title}",
        caption=caption,
        columns=published.columns,
        rows=(*measured, *published.as_rows()),
        metrics=published.metrics,
        percent=published.percent,
        spread="std" if published.stds else "interval",
    )


def _objection(section: Section, published: Published) -> str:
    """Why measured and published figures cannot stand in one table; empty if they can."""
    if section.protocol != published.protocol:
        return f"they were made with the protocol '{published.protocol}', those with '{section.protocol}'"
    clips = max(len({entry["clip"] for entry in _part(run, published.category)}) for _, run in section.runs)
    if clips != published.clips:
        part = f" of category {published.category}" if published.category else ""
        return f"{clips} clips{part} were tested here, {published.clips} in the paper"
    return ""


def _part(run: RunResult, category: str) -> Sequence[Mapping[str, Any]]:
    wanted = _PARTS.get(category, (category,))
    return [entry for entry in run.objects if not category or entry["tags"].get("category") in wanted]


def _published_cell(run: RunResult, published: Published, metric: str) -> Cell | None:
    return estimate_by_protocol(_part(run, published.category), metric, published.protocol)


def _columns(section: Section) -> tuple[str, ...]:
    tag = section.condition_tag
    if tag is None:
        return (ALL,)
    values = section.tag_values(tag)
    if tag != "corruption":
        return (*values, ALL)
    return values if len(set(values) - {CLEAN}) == 1 else (*values, CORRUPTED_MEAN)


def _score(section: Section, run: RunResult, column: str, metric: str) -> Cell | None:
    corrupted_alone = column == CORRUPTED_MEAN and CLEAN in run.by.get("corruption", {})
    if corrupted_alone or section.protocol == "release":  # what is stored is over objects
        return estimate_by_protocol(_objects(section, run, column), metric, section.protocol)
    if column in (ALL, CORRUPTED_MEAN):
        return _cell(run.overall.get(metric))
    return _cell(run.by.get(section.condition_tag or "", {}).get(column, {}).get(metric))


def _objects(section: Section, run: RunResult, column: str) -> list[Mapping[str, Any]]:
    tag = section.condition_tag
    if column == ALL or tag is None:
        return list(run.objects)
    if column == CORRUPTED_MEAN:
        return [entry for entry in run.objects if entry["tags"].get(tag, CLEAN) != CLEAN]
    return [entry for entry in run.objects if entry["tags"].get(tag) == column]


def _pairs(section: Section, reference: str) -> list[tuple[str, RunResult, RunResult]]:
    """Every other system's name and run with the reference run it is compared with."""
    found = [(name, run, reference_of(section, run, reference)) for name, run in section.runs]
    return [(name, run, other[1]) for name, run, other in found if other is not None]


def _cell(estimate: Estimate | None) -> Cell | None:
    if estimate is None or not estimate.clips:
        return None
    return Cell(estimate.mean, estimate.low, estimate.high, estimate.std, estimate.clips, estimate.objects)
