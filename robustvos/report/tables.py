"""Build the tables of a section from the runs' aggregates and per-object scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from robustvos.conditions import CLEAN
from robustvos.evaluation.aggregate import Estimate, paired_records
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.results import RunRecord
from robustvos.evaluation.summary import figures_under
from robustvos.report.compare import averaged_over, averaging_of, cell_of, difference_cell, mean_cell
from robustvos.report.published import Published, published_for
from robustvos.report.sections import Section, reference_of
from robustvos.report.significance import holm, signed_rank_p
from robustvos.report.table import Cell, Row, Table
from robustvos.report.text import format_conditions, format_table

INPUTS_AND_RUN_TYPE = ("Inputs", "Run type")
"""Words about the systems of amodal tables, as in the Real-VAS paper's Table 4."""
CORRUPTED_MEAN = "corrupted mean"
ALL = "all"
# The paper tables its three kinds of containment as one.
CATEGORY_PARTS = {"containment": ("containment", "surface", "articulated", "mobile")}
_AMODAL_CAPTION = (
    "In percent: mean ± standard deviation over clips [95 % interval of the mean, bootstrap over clips]. mIoU: all frames; "
    "_fo: occluded frames; _ffo: fully occluded frames; _occ: hidden pixels only. A clip that does not define a metric is "
    "left out of it; clips behind each column are counted under its name."
)
_MEASURED = ("scores", "differences", "amodal")
_ALL_CLIPS = "All clips"
_GROUPS = {"category": "Category", "occlusion": "Occlusion", "frames_hidden": "Frames fully hidden"}
"""Tags that amodal figures are grouped by, and what tables call them."""


def terminal_text(section: Section, reference: str = "sam2", tables: Sequence[Table] | None = None) -> str:
    """The measured figures of a section, narrow enough for a terminal; amodal sections have one table per category.

    Args:
        section: The section.
        reference: System that the others are compared with.
        tables: Its :func:`section_tables`, where they are made already.
    """
    tables = section_tables(section, reference) if tables is None else tables
    measured = [table for table in tables if table.kind in _MEASURED]
    if section.amodal:
        return "\n\n".join(format_table(table) for table in measured)
    scores, differences = ([table for table in measured if table.kind == kind] for kind in ("scores", "differences"))
    heading = f"{section.title}\nmeans over {averaged_over(section.protocol)} in percent, 95 % intervals over videos"
    if differences:
        heading += f"; difference: from {reference}, paired"
    return f"{heading}\n{format_conditions(scores, differences)}"


def section_tables(section: Section, reference: str = "sam2") -> list[Table]:
    """Every table of a section: scores, paired differences against ``reference``, published rows.

    Amodal sections have one score table per category; the others one per metric.
    """
    if section.amodal:
        tables: list[Table | None] = [*amodal_tables(section), amodal_difference_table(section, reference)]
    else:
        tables = [score_table(section, metric) for metric in section.metrics]
        tables += [difference_table(section, metric, reference) for metric in section.metrics]
    return [table for table in [*tables, cost_table(section)] if table is not None] + published_tables(section)


def cost_table(section: Section) -> Table | None:
    """Parameters, and peak memory of training and test, as in the paper's Table 3; None where no run has kept them."""
    figures: dict[str, list[float | None]] = {
        "parameters": [run.parameters.get("total") for _, run in section.runs],
        "trained": [run.parameters.get("trainable") for _, run in section.runs],
    }
    for stage, prefix in (("fit", "fit_"), ("test", "")):
        for place, where in (("device", "GPU"), ("host", "host")):
            figures[f"{stage}, {where} MiB"] = [run.memory.get(f"{prefix}{place}") for _, run in section.runs]
    known = {name: found for name, found in figures.items() if any(value is not None for value in found)}
    if not known:
        return None
    return Table(
        kind="costs",
        title="Parameters and memory",
        caption="Parameters in all and trained; the most memory that one process held in training and in the test.",
        columns=tuple(known),
        rows=tuple(
            Row(name, tuple(None if (value := found[i]) is None else Cell(float(value)) for found in known.values()))
            for i, (name, _) in enumerate(section.runs)
        ),
        metrics=tuple(known),
        percent=False,
    )


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
            "videos)."
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
        pairs = []
        for column in columns:
            pairs.append(paired_records(_objects(section, run, column), _objects(section, other, column), metric))
        cells = [mean_cell(records, metric, averaging_of(section.protocol)) for records in pairs]
        rows.append(Row(name, _tested(metric, columns, pairs, cells)))
    if not rows:
        return None
    return Table(
        kind="differences",
        title=f"{metric}: difference from {reference}",
        caption=(
            f"{metric} minus that of {reference} on the same videos and objects, in points, with its 95 % interval "
            "(paired bootstrap over videos) and the p of Wilcoxon's signed-rank test over videos (Holm over conditions). "
            "Bold: the interval excludes zero."
        ),
        columns=columns,
        rows=tuple(rows),
        metrics=(metric,) * len(columns),
    )


def _tested(
    metric: str, columns: Sequence[str], pairs: Sequence[Sequence[ObjectScore]], cells: Sequence[Cell | None]
) -> tuple[Cell | None, ...]:
    """Differences with their p; means over conditions are no conditions of their own, and are not tested with them."""
    raw = [
        math.nan if column in (CORRUPTED_MEAN, ALL) and len(columns) > 1 else signed_rank_p(records, metric)
        for column, records in zip(columns, pairs, strict=True)
    ]
    return tuple(None if cell is None else replace(cell, p=p) for cell, p in zip(cells, holm(raw), strict=True))


def amodal_tables(section: Section) -> list[Table]:
    """Systems by amodal metrics: all clips, by category, severity and frames hidden; by condition, where there are several."""
    groups: list[tuple[str, list[Mapping[str, Estimate]]]] = [(_ALL_CLIPS, [run.overall for _, run in section.runs])]
    for tag, name in _GROUPS.items():
        for value in section.tag_values(tag):
            groups.append((f"{name}: {value}", [run.by.get(tag, {}).get(value, {}) for _, run in section.runs]))
    groups += _by_condition(section)
    metrics = section.metrics
    return [
        Table(
            kind="amodal",
            title=title,
            caption=_AMODAL_CAPTION if title == _ALL_CLIPS else "",
            columns=metrics,
            rows=tuple(
                Row(name, tuple(cell_of(group.get(metric)) for metric in metrics), about=about_run(run))
                for (name, run), group in zip(section.runs, estimates, strict=True)
            ),
            metrics=metrics,
            spread="both",
            about=INPUTS_AND_RUN_TYPE if title == _ALL_CLIPS else (),
        )
        for title, estimates in groups
    ]


def _by_condition(section: Section) -> list[tuple[str, list[Mapping[str, Estimate]]]]:
    """Each condition, over all clips and over those of each category; nothing where clips have one condition alone."""
    conditions = section.tag_values("corruption")
    if len(conditions) < 2:
        return []
    parts = [(f"Condition: {condition}", {"corruption": condition}) for condition in conditions]
    for category in section.tag_values("category"):
        for condition in conditions:
            parts.append((f"Category: {category}, {condition}", {"category": category, "corruption": condition}))
    return [(title, [figures_under(run, **tags) for _, run in section.runs]) for title, tags in parts]


def about_run(run: RunRecord) -> tuple[str, ...]:
    """Inputs and run type, for :attr:`robustvos.report.table.Row.about`; none where the run does not say."""
    return (run.inputs, run.run_type) if run.inputs or run.run_type else ()


def amodal_difference_table(section: Section, reference: str = "sam2") -> Table | None:
    """Each system minus the reference on the same objects, per amodal metric, over all clips."""
    rows = [
        Row(
            name,
            tuple(
                difference_cell(run.objects, other.objects, metric, averaging_of(section.protocol))
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
            f"Score minus that of {reference} on the same videos and objects, in points, with its 95 % interval "
            "(paired bootstrap over videos). Bold: the interval excludes zero."
        ),
        columns=section.metrics,
        rows=tuple(rows),
        metrics=section.metrics,
    )


def published_tables(section: Section) -> list[Table]:
    """What papers report on this dataset, each row marked; measured rows join only where the comparison is fair."""
    return [_published_table(section, published) for published in published_for(section.dataset)]


def _published_table(section: Section, published: Published) -> Table:
    objection = _objection(section, published)
    measured: tuple[Row, ...] = ()
    if published.main and not objection:
        measured = tuple(
            Row(name, tuple(_published_cell(run, published, m) for m in published.metrics), about=about_run(run))
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
        about=INPUTS_AND_RUN_TYPE if published.about else (),
    )


def _objection(section: Section, published: Published) -> str:
    """Why measured and published figures cannot stand in one table; empty if they can."""
    if section.protocol != published.protocol:
        return f"they were made with the protocol '{published.protocol}', those with '{section.protocol}'"
    clips = max(len({entry.video for entry in _part(run, published.category)}) for _, run in section.runs)
    if clips != published.clips:
        part = f" of category {published.category}" if published.category else ""
        return f"{clips} clips{part} were tested here, {published.clips} in the paper"
    return ""


def _part(run: RunRecord, category: str) -> Sequence[ObjectScore]:
    wanted = CATEGORY_PARTS.get(category, (category,))
    return [entry for entry in run.objects if not category or entry.tags.get("category") in wanted]


def _published_cell(run: RunRecord, published: Published, metric: str) -> Cell | None:
    return mean_cell(_part(run, published.category), metric, averaging_of(published.protocol))


def _columns(section: Section) -> tuple[str, ...]:
    tag = section.condition_tag
    if tag is None:
        return (ALL,)
    values = section.tag_values(tag)
    if tag != "corruption":
        return (*values, ALL)
    return values if len(set(values) - {CLEAN}) == 1 else (*values, CORRUPTED_MEAN)


def _score(section: Section, run: RunRecord, column: str, metric: str) -> Cell | None:
    if column == CORRUPTED_MEAN and CLEAN in run.by.get("corruption", {}):  # no run stores it
        return mean_cell(_objects(section, run, column), metric, run.averaging)
    if column in (ALL, CORRUPTED_MEAN):
        return cell_of(run.overall.get(metric))
    return cell_of(run.by.get(section.condition_tag or "", {}).get(column, {}).get(metric))


def _objects(section: Section, run: RunRecord, column: str) -> list[ObjectScore]:
    tag = section.condition_tag
    if column == ALL or tag is None:
        return list(run.objects)
    if column == CORRUPTED_MEAN:
        return [entry for entry in run.objects if entry.tags.get(tag, CLEAN) != CLEAN]
    return [entry for entry in run.objects if entry.tags.get(tag) == column]


def _pairs(section: Section, reference: str) -> list[tuple[str, RunRecord, RunRecord]]:
    """Every other system's name and run with the reference run it is compared with."""
    found = [(name, run, reference_of(section, run, reference)) for name, run in section.runs]
    return [(name, run, other[1]) for name, run, other in found if other is not None]
