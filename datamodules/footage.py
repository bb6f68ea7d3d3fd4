"""What datamodules of clips made of stills and videos share: where the footage is, and what of it is held back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.base import Data
from robustvos.datasets.pasted import Collection, Recipe, locate_collection
from robustvos.errors import DataNotFound


class FootageData(Data):
    """Data of ``--data.root``, or of ``$ROBUSTVOS_DATA/pasted``; see :class:`datamodules.pasted.Pasted` for the arguments."""

    def __init__(
        self,
        root: Path | None,
        sets: list[str] | None,
        held_back: tuple[str, ...],
        left_out: tuple[str, ...],
        held_back_stills: int,
        recipe: Recipe,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__()
        self.root, self.sets = root, sets
        self.held_back, self.left_out, self.every = held_back, left_out, held_back_stills
        self.recipe, self.seed, self.workers = recipe, seed, workers
        self._footage: tuple[Collection, Collection] | None = None

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on what ``arguments`` of the constructor ask for in vain; None if all is there."""
        try:
            cls(**{key: arguments[key] for key in ("root", "sets") if key in arguments}).footage()
        except DataNotFound as error:
            return str(error)
        return None

    def footage(self) -> tuple[Collection, Collection]:
        """What is trained on, and what is held back; raises DataNotFound."""
        if self._footage is None:
            found = locate_collection("pasted", self.root, self.sets).without(self.left_out)
            self._footage = found.split(self.held_back, self.every)
        return self._footage
