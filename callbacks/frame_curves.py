"""J&F over the frames of validation videos in TensorBoard: how long a system keeps its objects, while it learns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import lightning as L

from callbacks.base import VideoCallback
from callbacks.images import log_figure, takes_images
from robustvos.errors import UserError
from robustvos.evaluation.frame_means import FrameMeans, frame_means, score_points
from robustvos.evaluation.frame_scores import FILE, FrameSeries, by_condition, frame_series, read_frame_series
from robustvos.program import program

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAG = "frames/J&F"
_COLOURS = ("0.55", "tab:blue")  # the other, and this one


class FrameCurves(VideoCallback):
    """Log, after each validation, the mean J&F of each frame number, beside another system's; clean and corrupted apart.

    Only loggers that take images get them, and only from the first process; Lightning's sanity check is passed over, and so
    are amodal videos, whose frames have no scores.

    Args:
        enabled: Whether anything is logged.
        reference: Folder of a run that ``cli.py validate`` has left on the same clips, ``runs/sam2/version_0`` say. None:
            the first validation of this run, so that the picture shows what has been learnt since.

    Attributes:
        compared: The frames that new ones are drawn beside.

    Raises:
        UserError: If the folder has no scores of frames.
    """

    def __init__(self, enabled: bool = True, reference: Path | None = None) -> None:
        self.enabled = enabled
        self.reference = reference
        self._name = "first validation"
        self.compared: list[FrameSeries] = []
        if reference is not None:
            self._name = f"{reference.parent.name}/{reference.name}"
            self.compared = read_frame_series(reference)
            if not self.compared:
                raise UserError(
                    f"{type(self).__name__}: no {FILE} with scores in {reference}; give the folder that "
                    f"`{program()} validate` names at its end"
                )

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the means of all processes' videos."""
        if not self.enabled or trainer.sanity_checking:
            return
        series = frame_series(pl_module.results)  # type: ignore[arg-type]
        if not series:
            return
        if takes_images(trainer):
            log_figure(trainer, TAG, curves_figure({self._name: self.compared, "now": series}))
        self.compared = self.compared or series


def curves_figure(systems: dict[str, list[FrameSeries]]) -> Figure:
    """Mean J&F in percent over frame numbers with 95 % intervals over clips; a panel for each group of conditions.

    Args:
        systems: Two systems' frames by name, one to compare with and one to watch; the former may have none.
    """
    from matplotlib.figure import Figure  # slow to import

    groups = by_condition([one for series in systems.values() for one in series])
    figure = Figure(figsize=(4.5 * len(groups), 3.2), layout="constrained")
    for axes, group in zip(figure.subplots(1, len(groups), squeeze=False, sharey=True)[0], groups, strict=True):
        for colour, (name, series) in zip(_COLOURS, systems.items(), strict=True):
            means = frame_means(score_points(by_condition(series).get(group, [])))
            if means is not None:
                _draw(axes, means, name, colour)
        axes.set(title=group, xlabel="frame")
        axes.grid(color="0.9")
        axes.legend(frameon=False)
    figure.axes[0].set_ylabel("J&F, percent")
    return figure


def _draw(axes: Axes, means: FrameMeans, name: str, colour: str) -> None:
    for piece in means.pieces():
        x, y, low, high = ([line[i] for i in piece] for line in (means.frames, means.mean, means.low, means.high))
        lone = "o" if len(piece) == 1 else None
        axes.plot(x, [100 * v for v in y], color=colour, marker=lone, label=name if piece.start == 0 else None)
        axes.fill_between(x, [100 * v for v in low], [100 * v for v in high], color=colour, alpha=0.15, linewidth=0)
