"""Rows copied from the papers, kept in ``published.yaml``: shown beside what was measured, marked, never mixed into it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from robustvos.report.table import Cell, Row

ROBUSTPVOS = "RobustPVOS paper (CVPR 2026)"
REALVAS = "Real-VAS paper"
PAPERS = {"robustpvos": ROBUSTPVOS, "realvas": REALVAS}
"""By the name that an experiment's file has for them."""
_MISSING = math.nan


@dataclass(frozen=True)
class Published:
    """One table of a paper, or the part of it that belongs to one dataset.

    Attributes:
        dataset: Our name of the dataset that the figures belong to.
        paper: The paper.
        table: Number of its table.
        title: What it shows.
        columns: Headings.
        rows: Name and one figure per column, as printed; NaN where the paper prints none.
        metrics: Metric of each column.
        protocol: Our name of the protocol that made the figures.
        clips: Number of clips of the paper's dataset (of this part of it).
        category: Part of the dataset; empty for all.
        categories: Part of the dataset of each column, where they differ.
        percent: The paper prints percentages.
        stds: Standard deviations in the shape of ``rows``; empty if the paper prints none.
        main: Systems against each other on the whole dataset, so that measured rows may stand beside.
        about: Inputs and run type of a row's system, where the paper says them.
    """

    dataset: str
    paper: str
    table: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    metrics: tuple[str, ...]
    protocol: str
    clips: int
    category: str = ""
    percent: bool = True
    stds: tuple[tuple[float, ...], ...] = ()
    main: bool = False
    about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    categories: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Paper and table."""
        return f"{self.paper}, Table {self.table}"

    def as_rows(self) -> tuple[Row, ...]:
        """The figures as table rows (fractions), each marked with its source."""
        scale = 0.01 if self.percent else 1.0
        stds = self.stds or tuple((_MISSING,) * len(self.columns) for _ in self.rows)
        return tuple(
            Row(
                name,
                tuple(
                    None if math.isnan(value) else Cell(value * scale, std=std * scale)
                    for value, std in zip(values, spread, strict=True)
                ),
                source=self.source,
                about=self.about.get(name, ()),
            )
            for (name, values), spread in zip(self.rows, stds, strict=True)
        )


def published_for(dataset: str) -> tuple[Published, ...]:
    """Every published table that belongs to ``dataset``; none for a dataset no paper reports on.

    >>> published_for("shapes")
    ()
    >>> published_for("youtube_vos")[0].rows[0]
    ('SAM2', (82.2, 80.4, 83.9))
    """
    return tuple(table for table in _tables() if table.dataset == dataset)


def published_table(number: int, paper: str = ROBUSTPVOS) -> tuple[Published, ...]:
    """Every part of one table of a paper, dataset by dataset; none if it is not kept here.

    >>> [part.dataset for part in published_table(2)]
    ['mvseg_adv', 'acdc_video', 'youtube_vos_c', 'youtube_vos']
    """
    return tuple(table for table in _tables() if table.table == number and table.paper == paper)


@cache
def _tables() -> tuple[Published, ...]:
    """Every table of ``published.yaml``, in its order."""
    content = yaml.safe_load((Path(__file__).parent / "published.yaml").read_text(encoding="utf-8"))
    return tuple(_table(paper, entry) for paper, entries in content.items() for entry in entries)


def _table(paper: str, entry: Mapping[str, Any]) -> Published:
    columns = tuple(entry["columns"])
    stds = entry.get("stds", {})
    return Published(
        dataset=entry["dataset"],
        paper=paper,
        table=entry["table"],
        title=entry["title"],
        columns=columns,
        rows=tuple((name, _figures(values)) for name, values in entry["rows"].items()),
        metrics=tuple(entry.get("metrics", columns)),
        protocol=entry["protocol"],
        clips=entry["clips"],
        category=entry.get("category", ""),
        percent=entry.get("percent", True),
        stds=tuple(_figures(stds[name]) for name in entry["rows"]) if stds else (),
        main=entry.get("main", False),
        categories=tuple(entry.get("categories", ())),
        about={name: tuple(words) for name, words in entry.get("about", {}).items()},
    )


def _figures(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(_MISSING if value is None else float(value) for value in values)
