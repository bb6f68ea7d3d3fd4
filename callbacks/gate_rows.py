"""Whose gates are whose: the rows of an adapter's gates by object, while a video is tracked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from torch import Tensor

from robustvos.adapters import GatedAdapter
from robustvos.types import TrackedFrame

Choice = Callable[[Mapping[str, Tensor]], Tensor]
"""Gates by projection, ``(B, R)`` each -> rows ``(B, C)``."""


class GateRows:
    """Listens to the adapter of a module that tracks.

    The tracker may follow the objects of one frame in several forward passes, of which the adapter's gates show the latest
    alone. So this looks after each pass of memory attention, and takes the objects that its rows belong to from
    ``module.tracker.active_ids``. Gates that know frames alone (GaRA) are the same for all of a frame's objects, prompted ones
    included.

    Args:
        choose: What is kept of the gates.
    """

    def __init__(self, choose: Choice) -> None:
        self._choose = choose
        self._open = ExitStack()
        self._recorded: Mapping[str, Tensor] | None = None
        self._per_object = True
        self._latest: dict[int, Tensor] = {}  # of the frame being tracked

    @property
    def is_listening(self) -> bool:
        """Whether there is something to listen to, and it has begun."""
        return self._recorded is not None

    def begin(self, module: Any) -> None:
        """Listen to ``module.adapter``, a :class:`robustvos.adapters.GatedAdapter`."""
        adapter: GatedAdapter = module.adapter
        self._per_object = adapter.per_object
        self._recorded = self._open.enter_context(adapter.recording())
        if self._per_object:
            memory_attention = module.sam2.memory_attention
            look = memory_attention.register_forward_hook(lambda *_: self._look(module.tracker.active_ids))
            self._open.callback(look.remove)

    def take(self, tracked: TrackedFrame) -> dict[int, Tensor]:
        """Rows ``(C,)`` float32 on the CPU of the objects whose gates this frame has, by id."""
        if not self._per_object:
            self._look(tracked.object_ids)
        latest, self._latest = self._latest, {}
        return latest

    def end(self) -> None:
        """Leave the model as it was."""
        self._open.close()
        self._recorded, self._latest = None, {}

    def _look(self, object_ids: tuple[int, ...]) -> None:
        """Take the gates of the pass that has just run: a row for each of ``object_ids``, or one for all of them."""
        if not self._recorded:
            return
        rows = self._choose(self._recorded).float().cpu()
        if not self._per_object:
            rows = rows[-1:].expand(len(object_ids), -1)
        self._latest.update(zip(object_ids, rows, strict=True))
