"""What datamodules of clips made of stills and videos share: where the footage is, and what of it is held back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from datamodules.base import Data
from robustvos.datasets.pasted import Collection, Movement, locate_collection
from robustvos.errors import DataNotFound

_OF_FOOTAGE = ("root", "sets", "held_back", "left_out", "held_back_stills")


class FootageData(Data):
    """Data of ``--data.root``, or of ``$ROBUSTVOS_DATA/pasted``; see :class:`datamodules.pasted.Pasted` for the arguments."""

    def __init__(
        self,
        root: Path | None,
        sets: list[str] | None,
        held_back: tuple[str, ...],
        left_out: tuple[str, ...],
        held_back_stills: int,
        recipe: Movement,
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
            cls(**{key: arguments[key] for key in _OF_FOOTAGE if key in arguments}).footage()
        except DataNotFound as error:
            return str(error)
        return None

    def footage(self) -> tuple[Collection, Collection]:
        """What is trained on, and what is held back; raises DataNotFound."""
        if self._footage is None:
            found = locate_collection("pasted", self.root, self.sets).without(self.left_out)
            self._footage = found.split(self.held_back, self.every)
        return self._footage

    def held_back_footage(self) -> Collection:
        """What validation and test clips are made of.

        Raises:
            DataNotFound: If nothing is held back.
        """
        found = self.footage()[1]
        if not found.videos and not found.stills:
            raise DataNotFound(
                "no footage is held back, so there is nothing to make validation and test clips of; name videos with "
                "--data.held_back [NAME, ...], or hold back every Nth still with --data.held_back_stills N"
            )
        return found

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """What clips are made of too: they have the same names whatever it is."""
        recipe = asdict(self.recipe)
        for name in ("weights", "max_objects", "min_objects"):  # of training: evaluation has its own
            recipe.pop(name, None)
        made = json.dumps([recipe, getattr(self._settings(split), "weights", None)], sort_keys=True)
        held_back = self.footage()[1]
        footage = sorted(f"{one.name} {len(one.frame_paths)}" for one in held_back.stills + held_back.videos)
        return {"recipe": _digest(made), "footage": _digest(*footage), **super().evaluation_facts(split)}


def _digest(*texts: str) -> str:
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=4).hexdigest()
