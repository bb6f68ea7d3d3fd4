"""The rows of :mod:`robustvos.realvas.stats` as a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from robustvos.files.atomic import atomic_path
from robustvos.realvas.stats import KINDS, PUBLISHED, ClipStats

_PANELS = {
    "Table 1: share of frames, of the object": ("prevalence", "severity"),
    "Table 6: length, frames": ("length",),
    "Table 6: frames per second": ("fps",),
    "Table 7: share of the clips": KINDS,
}


def write_stats_plot(root: str | os.PathLike[str], stats: ClipStats) -> Path:
    """Write ``<root>/stats.png``: this set beside the published one; returns its path.

    Lengths and rates are bars of the mean, with a line from the least to the greatest.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(1, len(_PANELS)), _PANELS.items(), strict=True):
        for k, (label, figures) in enumerate((("this set", stats.figures), ("Real-VAS, published", PUBLISHED))):
            _bars(axes, names, figures, k, label)
        axes.set_title(title, fontsize=9)
        axes.set_xticks([i + 0.2 for i in range(len(names))], names, fontsize=8)
        axes.tick_params(axis="y", labelsize=8)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, frameon=False, loc="outside lower center", ncols=2)
    path = Path(root) / "stats.png"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    return path


def _bars(axes: Any, names: tuple[str, ...], figures: dict[str, Any], place: int, label: str) -> None:
    for i, name in enumerate(names):
        value = figures.get(name)
        if value is None:
            continue
        least, most, mean = value if isinstance(value, tuple) else (None, None, float(value))
        mean = mean / max(1, figures["clips"]) if name in KINDS else mean
        x = i + 0.4 * place
        axes.bar(x, mean, 0.38, color=("#2b6cb0", "#c4cbd6")[place], label=label if i == 0 else None)
        if least is not None:
            axes.plot([x, x], [least, most], color="#1c2026", linewidth=1)
