"""The annotate page: one video, any number of objects, a tracker at hand."""

from __future__ import annotations

import hashlib
import io
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from robustvos.drawing.colours import object_colour
from robustvos.errors import BadPrompt, DataNotFound
from robustvos.optional import require
from robustvos.systems.system import System
from robustvos.web import identities
from robustvos.web.annotation import Annotation
from robustvos.web.annotation_store import FolderStore
from robustvos.web.annotation_tracker import AnnotationTracker
from robustvos.web.brush import Brush, Piece
from robustvos.web.frames import FramePictures
from robustvos.web.mask_trees import GROUPS, write_tree
from robustvos.web.serve import EXTRA, FOLDER, Page

_Body = Mapping[str, Any]
_UNKNOWN, _NOTHING, _MADE = " ", "-", "m"  # of a lane; a digit is how sure the tracker is


class AnnotatePage:
    """Routes and looks of the page.

    Args:
        annotation: What is annotated.
        system: What tracks.
        pictures: The video.
        store: Where it is saved.
        name: Of the video.
    """

    def __init__(
        self, annotation: Annotation, system: System, pictures: FramePictures, store: FolderStore, name: str
    ) -> None:
        self.annotation, self.pictures, self.store, self.name = annotation, pictures, store, name
        self.tracker = AnnotationTracker(annotation, system, pictures)
        self.brush = Brush(annotation)
        self._base = f"{system.name} on {system.sam2.variant}"
        self._saving = threading.Lock()
        self._edits: dict[str, Callable[[_Body], Any]] = {
            "object": lambda b: {"object": annotation.add_object(str(b.get("name", "")))},
            "click": lambda b: self.tracker.click(
                _int(b, "frame"), _int(b, "object"), (_real(b, "x"), _real(b, "y"), int(bool(b.get("inside", True))))
            ),
            "box": self._box,
            "brush": self._brush,
            "clear": lambda b: annotation.clear(_int(b, "frame"), _int(b, "object")),
            "name": lambda b: annotation.name(_int(b, "object"), str(b.get("name", ""))),
            "remove": lambda b: identities.remove(annotation, _int(b, "object")),
            "split": lambda b: {"object": identities.split(annotation, _int(b, "frame"), _real(b, "x"), _real(b, "y"))},
            "relabel": lambda b: identities.relabel(annotation, *_four(b)),
            "exchange": lambda b: identities.exchange(annotation, *_four(b)),
            "undo": lambda b: annotation.undo(),
            "redo": lambda b: annotation.redo(),
        }

    def add_to(self, page: Page) -> None:
        """Add routes and the page itself."""
        fastapi = require("fastapi", EXTRA)
        responses = require("fastapi.responses", EXTRA)
        page.add_frames("/frames", self.pictures)

        def mask(index: int, request: Any) -> Any:
            picture = self.mask_png(index)
            tag = f'"{hashlib.blake2b(picture, digest_size=12).hexdigest()}"'
            headers = {"Cache-Control": "no-cache", "ETag": tag}
            if request.headers.get("if-none-match") == tag:
                return responses.Response(status_code=304, headers=headers)
            return responses.Response(picture, media_type="image/png", headers=headers)

        def edit(action: str, body: Any) -> Any:
            return {**(self.edit(action, body) or {}), "state": self.state()}

        def track(body: Any) -> Any:
            self.track(body)
            return {"state": self.state()}

        def save(body: Any) -> Any:
            return {"folder": str(self.save(body))}

        # FastAPI reads these; written above they would need the library at import
        mask.__annotations__ = {"index": int, "request": fastapi.Request}
        edit.__annotations__ = {"action": str, "body": dict[str, Any]}
        track.__annotations__ = {"body": dict[str, Any]}
        save.__annotations__ = {"body": dict[str, Any]}
        page.app.get("/masks/{index}.png")(mask)
        page.app.get("/api/state")(self.state)
        page.app.post("/api/edit/{action}")(edit)
        page.app.post("/api/track")(track)
        page.app.post("/api/save")(save)
        self._add_looks()

    def _add_looks(self) -> None:
        ui = require("nicegui", EXTRA).ui
        markup = (FOLDER / "annotate.html").read_text(encoding="utf-8")

        def index() -> None:
            ui.add_head_html('<link rel="stylesheet" href="/shared/shared.css">')
            ui.add_head_html('<link rel="stylesheet" href="/shared/annotate.css">')
            ui.html(markup, sanitize=False).classes("w-full")
            ui.add_body_html('<script type="module" src="/shared/annotate.js"></script>')

        ui.page("/", title=f"annotate {self.name}")(index)

    def edit(self, action: str, body: _Body) -> dict[str, Any] | None:
        """Change something; a run that is under way ends first.

        Raises:
            DataNotFound: If there is no such action.
            UserError: If it cannot be done; says why.
        """
        if action not in self._edits:
            raise DataNotFound(f"there is no action {action}")
        if action != "name":
            self.tracker.stop()
        answer = self._edits[action](body)
        return answer if isinstance(answer, dict) else None

    def track(self, body: _Body) -> None:
        """Begin or end a run.

        Raises:
            UserError: If it cannot begin; says why.
        """
        if body.get("stop"):
            self.tracker.stop()
            return
        wanted = body.get("objects") or []
        objects = [int(i) for i in wanted if isinstance(i, int)] if isinstance(wanted, list) else []
        self.tracker.start(_int(body, "frame"), -1 if body.get("backwards") else 1, objects)

    def save(self, body: _Body) -> Path:
        """Write a tree in a benchmark's layout; returns its folder.

        Raises:
            UserError: If it cannot be written; says why.
        """
        with self._saving:
            planes = dict(self.annotation.state.planes)
            layout: Any = str(body.get("layout", "davis"))
            return write_tree(layout, self.store.folder, self.name, self.pictures, planes, str(body.get("group", "")))

    def mask_png(self, index: int) -> bytes:
        """The ids of a frame as a greyscale PNG.

        Raises:
            DataNotFound: If there is no such frame.
        """
        try:
            ids = self.annotation.ids(index)
        except BadPrompt as error:
            raise DataNotFound(str(error)) from error
        buffer = io.BytesIO()
        Image.fromarray(ids).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def state(self) -> dict[str, Any]:
        """All that the page shows besides pictures; lanes hold a letter a frame, see the page's script."""
        annotation = self.annotation
        state, run = annotation.state, self.tracker.run
        height, width = annotation.size
        marks: dict[int, list[dict[str, Any]]] = {i: [] for i in state.names}
        for (frame, object_id), mark in sorted(state.marks.items(), key=lambda item: item[0]):
            said = {"frame": frame, "points": mark.points, "box": mark.box, "painted": mark.painted}
            marks.setdefault(object_id, []).append(said)
        return {
            "version": annotation.version,
            "video": self.name,
            "base": self._base,
            "folder": str(self.store.folder),
            "frames": annotation.count,
            "fps": self.pictures.frames.fps or 24.0,
            "size": [width, height],
            "objects": [
                {
                    "id": i,
                    "name": name,
                    "colour": "#{:02x}{:02x}{:02x}".format(*object_colour(i)),
                    "lane": self._lane(i),
                    "marks": marks[i],
                }
                for i, name in sorted(state.names.items())
            ],
            "run": None if run is None else {"start": run.start, "end": run.end, "frame": run.frame},
            "reached": self.tracker.reached,
            "trouble": self.tracker.trouble,
            "undo": annotation.can_undo,
            "redo": annotation.can_redo,
            "layouts": GROUPS,
        }

    def _lane(self, object_id: int) -> str:
        state = self.annotation.state
        letters = [_UNKNOWN] * self.annotation.count
        for frame, plane in state.planes.items():
            sure = state.sureness.get((frame, object_id))
            if object_id in plane.ids:
                letters[frame] = _MADE if sure is None else str(min(9, int(sure * 10)))
            elif sure is not None:
                letters[frame] = _NOTHING
        return "".join(letters)

    def _box(self, body: _Body) -> None:
        corners = body.get("box")
        if not isinstance(corners, list) or len(corners) != 4:
            raise BadPrompt("a box is [x0, y0, x1, y1]")
        x0, y0, x1, y1 = (_real({"corner": v}, "corner") for v in corners)
        self.tracker.box(_int(body, "frame"), _int(body, "object"), (x0, y0, x1, y1))

    def _brush(self, body: _Body) -> None:
        points = body.get("points")
        if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
            raise BadPrompt("a stroke needs points [x, y]")
        path = [(_real({"x": x}, "x"), _real({"y": y}, "y")) for x, y in points]
        stroke, number = str(body.get("stroke", "")), _int(body, "number")
        piece = Piece(stroke, number, path, _real(body, "radius"), bool(body.get("erase")))
        self.brush.paint(_int(body, "frame"), _int(body, "object"), piece)


def _int(body: _Body, key: str) -> int:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadPrompt(f"{key} is {value!r}; expected a whole number")
    return value


def _real(body: _Body, key: str) -> float:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadPrompt(f"{key} is {value!r}; expected a number")
    return float(value)


def _four(body: _Body) -> tuple[int, int, int, int]:
    return _int(body, "object"), _int(body, "other"), _int(body, "first"), _int(body, "last")
