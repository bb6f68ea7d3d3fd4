"""Which frames of an amodal clip are trained on: a window that begins where the object is whole and goes on into hiding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.video.occlusion_levels import NO_MORE_THAN

_WORTH = 0.05  # hidden part from which a frame teaches what cannot be seen
_SHARE = 0.25  # of such frames in a window that is preferred


def hiding_window(
    hidden: NDArray[np.float64], length: int, strides: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices of ``length`` frames, evenly spaced.

    The first shows the whole object, so that it can be the prompt. Windows with a quarter of frames that hide some of it
    are preferred to others. Where a clip is too short for a window its last frame is repeated.

    Args:
        hidden: ``(T,)`` in [0, 1], the hidden part of the object in each frame; 1 where it is out of the frame.
        length: Frames of the window.
        strides: Least and greatest distance of its frames; drawn uniformly.
        rng: Source of all randomness.

    Raises:
        ValueError: If no frame shows the whole object.

    >>> hiding_window(np.array([0, 0, 0, 0.5, 1]), 3, (2, 2), np.random.default_rng(0)).tolist()
    [0, 2, 4]
    """
    whole = np.flatnonzero(hidden <= NO_MORE_THAN)
    if not len(whole):
        raise ValueError("no frame shows the whole object")
    stride = int(rng.integers(strides[0], strides[1] + 1))
    last = len(hidden) - 1
    steps = np.arange(length) * stride
    fitting = whole[whole + steps[-1] <= last] if (whole + steps[-1] <= last).any() else whole[:1]
    worth = [start for start in fitting if (hidden[np.minimum(start + steps, last)] > _WORTH).mean() >= _SHARE]
    start = rng.choice(worth if worth else fitting)
    frames: NDArray[np.int64] = np.minimum(start + steps, last)
    return frames
