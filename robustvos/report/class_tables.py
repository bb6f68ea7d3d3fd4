"""Scores by class of object, and by weather where that is not what the main tables are about."""

from __future__ import annotations

from robustvos.evaluation.aggregate import CLASS_TAG
from robustvos.evaluation.results import RunRecord
from robustvos.report.compare import cell_of, class_mean_cell
from robustvos.report.sections import Section
from robustvos.report.table import Cell, Row, Table

CLASS_MEAN = "mean over classes"
WEATHER_TAG = "weather"


def class_tables(section: Section) -> list[Table]:
    """For each metric: systems by classes, each class weighing the same in the last column; systems by weathers.

    Nothing where the results have no such tags; no weathers where they are already the columns of the score tables.
    """
    tables = [_class_table(section, metric) for metric in section.metrics] if section.tag_values(CLASS_TAG) else []
    weathers = section.tag_values(WEATHER_TAG)
    if weathers and section.condition_tag != WEATHER_TAG:
        tables += [_by_tag(section, metric, WEATHER_TAG, weathers) for metric in section.metrics]
    return tables


def _class_table(section: Section, metric: str) -> Table:
    table = _by_tag(section, metric, CLASS_TAG, section.tag_values(CLASS_TAG))
    rows = tuple(
        Row(row.name, (*row.cells, class_mean_cell(run.objects, metric)))
        for row, (_, run) in zip(table.rows, section.runs, strict=True)
    )
    caption = (
        f"{table.caption} The last column is the mean over classes, each the mean over all of its frames, as the public "
        "evaluator of ACDC-Video has it."
    )
    columns = (*table.columns, CLASS_MEAN)
    return Table("scores", table.title, caption, columns, rows, (metric,) * len(columns), table.percent)


def _by_tag(section: Section, metric: str, tag: str, values: tuple[str, ...]) -> Table:
    rows = tuple(Row(name, tuple(_cell(run, tag, value, metric) for value in values)) for name, run in section.runs)
    unit = f"in percent, mean over {'clips' if section.amodal else 'objects'}"
    return Table(
        kind="scores",
        title=f"{metric} by {tag}",
        caption=f"{metric} {unit}, with its 95 % interval (bootstrap over videos).",
        columns=values,
        rows=rows,
        metrics=(metric,) * len(values),
    )


def _cell(run: RunRecord, tag: str, value: str, metric: str) -> Cell | None:
    return cell_of(run.by.get(tag, {}).get(value, {}).get(metric))
