"""A loader that goes on where a killed run stopped, also in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader


class ResumableLoader(DataLoader[Any]):
    """A ``DataLoader`` whose place in the epoch is stored in checkpoints.

    Lightning calls :meth:`state_dict` when it saves, and :meth:`load_state_dict` before it resumes an unfinished epoch.
    The order must depend on the epoch and a seed alone. Batches that were given already are not read again.

    >>> loader = ResumableLoader(range(6), batch_size=2)
    >>> batches = iter(loader)
    >>> [next(batches).tolist() for _ in range(2)]
    [[0, 1], [2, 3]]
    >>> resumed = ResumableLoader(range(6), batch_size=2)
    >>> resumed.load_state_dict(loader.state_dict())
    >>> [batch.tolist() for batch in resumed], len(resumed), [batch.tolist() for batch in resumed]
    ([[4, 5]], 3, [[0, 1], [2, 3], [4, 5]])
    """

    _start = 0  # batches that the next iteration leaves out
    _given = 0  # batches given in this epoch

    def state_dict(self) -> dict[str, int]:
        """The number of batches given since the epoch began."""
        return {"batches": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next iteration after that many batches."""
        self._start = self._given = state["batches"]

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # a generator: nothing happens before the first batch is asked for, as Lightning makes iterators that it never uses
        batches, self._given, self._start = super().__iter__(), self._start, 0
        for batch in batches:
            self._given += 1
            yield batch

    @property
    def _index_sampler(self) -> Any:
        sampler = super()._index_sampler
        return _Rest(sampler, self._start) if self._start else sampler


class _Rest:
    """A sampler without its first items; its length is still that of all."""

    def __init__(self, sampler: Any, start: int) -> None:
        self.sampler, self.start = sampler, start

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.sampler), self.start, None)

    def __len__(self) -> int:
        return len(self.sampler)
