"""The statistics that DAVIS's tables show beside the mean: recall and decay over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustvos.evaluation.records import FrameScore


def davis_statistics(scores: Sequence[FrameScore]) -> dict[str, float]:
    """Mean, recall and decay of J and F of one object.

    Recall is the part of frames above 0.5. Decay is the mean over the first quarter of the frames minus that over the
    last; neighbouring quarters share a frame.

    Args:
        scores: The frames that count, in order; at least one.

    Returns:
        ``J-Mean``, ``J-Recall``, ``J-Decay`` and the same for F.

    Source: Perazzi et al., CVPR 2016, section 4; quarters as in the toolkit of DAVIS 2017, which cuts objects of more
        than 256 frames at wrong places (its indices wrap around at 8 bits); here they do not.
    """
    statistics: dict[str, float] = {}
    for name, values in (("J", [score.region for score in scores]), ("F", [score.contour for score in scores])):
        series = np.asarray(values, dtype=np.float64)
        first, second, _, fourth, last = _quarter_ends(len(series))
        statistics[f"{name}-Mean"] = float(series.mean())
        statistics[f"{name}-Recall"] = float((series > 0.5).mean())
        statistics[f"{name}-Decay"] = float(series[first : second + 1].mean() - series[fourth : last + 1].mean())
    return statistics


def _quarter_ends(length: int) -> list[int]:
    """Index of the frames at which the quarters of a series meet, with both ends.

    >>> _quarter_ends(9)
    [0, 2, 4, 6, 8]
    """
    # The small term rounds halves up, as np.round alone would not.
    bounds: list[int] = (np.round(np.linspace(1, length, 5) + 1e-10).astype(int) - 1).tolist()
    return bounds
