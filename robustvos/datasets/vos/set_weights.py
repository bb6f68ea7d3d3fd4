"""How often training clips come from each of several sets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from robustvos.errors import UnknownName, UserError
from robustvos.seeding import numpy_rng

_GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples modulo 1 are spread evenly, whichever part of them is looked at


def check_weights(weights: Mapping[str, float], sets: Iterable[str]) -> None:
    """Refuse weights that do not say for each set how often it is drawn.

    Args:
        weights: By name of set.
        sets: Names of all sets.

    Raises:
        UnknownName: If a weight is of no set.
        UserError: If a set has none, or one is not a number above 0.
    """
    known = tuple(sets)
    for name, weight in weights.items():
        if name not in known:
            raise UnknownName.of("set", name, known)
        if not 0 < weight < math.inf:
            raise UserError(
                f"weights.{name} is {weight:g}; give a number above 0, or leave {name} out of roots and weights"
            )
    absent = [name for name in known if name not in weights]
    if absent:
        raise UserError(f"weights has no number for {', '.join(absent)}; give one for each of {', '.join(known)}")


class WeightedTurns:
    """Which set each clip of an epoch comes from: a function of seed, epoch and number.

    Among any clips that follow one another, also among those that one of several processes gets, sets have their shares,
    but for a clip or two; over epochs the shares are exact, however short an epoch is.

    Args:
        weights: By name of set; only their ratios matter.
        seed: Of the draw.

    >>> turns = WeightedTurns({"large": 3, "small": 1})
    >>> [turns.of(0, number)[0] for number in range(100)].count("small")
    25
    """

    def __init__(self, weights: Mapping[str, float], seed: int = 0) -> None:
        self.names, self.seed = tuple(weights), seed
        shares = np.array(list(weights.values()), dtype=np.float64)
        self._bounds = np.cumsum(shares / shares.sum())[:-1]

    def of(self, epoch: int, number: int) -> tuple[str, int]:
        """The set of clip ``number`` of ``epoch``, and how many clips of that epoch before it come from the same set."""
        start = numpy_rng("set", self.seed, epoch).random()
        points = (start + _GOLDEN * np.arange(number + 1)) % 1
        drawn = np.searchsorted(self._bounds, points, side="right")
        return self.names[drawn[-1]], int((drawn[:-1] == drawn[-1]).sum())
