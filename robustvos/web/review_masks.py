"""The masks of tracks on the review page: a filmstrip and a canvas; delete, add by click, brush, eraser, undo."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from robustvos.errors import BadPrompt, DataNotFound
from robustvos.optional import require
from robustvos.reviewing.corrections import Corrector, TrackView
from robustvos.web.brush import stroke_mask
from robustvos.web.review import jpeg, png
from robustvos.web.serve import EXTRA, Page

_Body = Mapping[str, Any]
_LARGEST = 200.0
_KEPT = 1000  # pictures, of some 30 kB each


class MaskPages:
    """Routes for the tracks of a run.

    Args:
        corrector: Opens and corrects them.
    """

    def __init__(self, corrector: Corrector) -> None:
        self.corrector = corrector
        self._actions: dict[str, Callable[[str, _Body], object]] = {
            "brush": self._brush,
            "add": lambda key, b: corrector.add_at(key, _int(b, "frame"), _real(b, "x"), _real(b, "y")),
            "delete": lambda key, b: corrector.delete(key, _int(b, "frame")),
            "delete_track": lambda key, b: corrector.delete(key),
            "undo": lambda key, b: corrector.undo(key),
        }

    def add_to(self, page: Page) -> None:
        """Add the routes."""
        responses = require("fastapi.responses", EXTRA)

        @lru_cache(_KEPT)
        def drawn(key: str, index: int) -> bytes:
            return jpeg(self.corrector.picture(key, index))

        def picture(key: str, index: int) -> Any:
            content = drawn(key, index)
            return responses.Response(content, media_type="image/jpeg", headers={"Cache-Control": "max-age=600"})

        def mask(key: str, index: int) -> Any:
            content = png(self.corrector.open(key).mask(index))
            return responses.Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})

        def edit(action: str, body: Any) -> Any:
            return self.edit(action, body)

        picture.__annotations__ = mask.__annotations__ = {"key": str, "index": int}
        edit.__annotations__ = {"action": str, "body": dict[str, Any]}
        page.app.get("/tracks/{key}/{index}.jpg")(picture)
        page.app.get("/tracks/{key}/{index}.png")(mask)
        page.app.get("/api/tracks")(lambda: {"tracks": list(self.corrector.keys)})
        page.app.get("/api/tracks/{key}")(self.description)
        page.app.post("/api/masks/{action}")(edit)

    def description(self, key: str) -> dict[str, Any]:
        """What there is to see of a track."""
        view = self.corrector.open(key)
        height, width = view.shot.small_size
        held = {int(t) for t in view.track.frames}
        return {
            "key": key,
            "size": [width, height],
            "times": list(view.times),
            "held": [t for t in view.times if t in held],
            "corrected": list(self.corrector.corrected(key)),
        }

    def edit(self, action: str, body: _Body) -> dict[str, Any]:
        """Change masks; they are on disk when this returns.

        Raises:
            DataNotFound: If there is no such action, track or frame.
            BadPrompt: If what was said makes no sense.
        """
        if action not in self._actions:
            raise DataNotFound(f"there is no action {action}")
        key = str(body.get("key", ""))
        self._actions[action](key, body)
        return self.description(key)

    def _brush(self, key: str, body: _Body) -> None:
        points, radius, erase = body.get("points"), _real(body, "radius"), bool(body.get("erase"))
        if not isinstance(points, list) or not points or not all(isinstance(p, list) and len(p) == 2 for p in points):
            raise BadPrompt("a stroke needs points [x, y]")
        if not 0 < radius <= _LARGEST:
            raise BadPrompt(f"a brush of {radius} pixels cannot be drawn with")
        path = np.array([[_real({"x": v}, "x") for v in p] for p in points])

        def painted(view: TrackView, mask: np.ndarray) -> np.ndarray:
            drawn = stroke_mask(path, radius, view.shot.small_size)
            changed: np.ndarray = mask & ~drawn if erase else mask | drawn
            return changed

        self.corrector.set_mask(key, _int(body, "frame"), painted)


def _int(body: _Body, name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadPrompt(f"{name} is {value!r}; expected a whole number")
    return value


def _real(body: _Body, name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadPrompt(f"{name} is {value!r}; expected a number")
    return float(value)
