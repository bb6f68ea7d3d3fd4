"""The review page: clips are passed, failed or flagged by key; masks of tracks are corrected (``review_masks.py``)."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from robustvos.errors import BadPrompt, DataNotFound, UserError
from robustvos.files.atomic import atomic_write_json
from robustvos.optional import require
from robustvos.realvas.pictures import shrink, shrunk_size, to_array
from robustvos.realvas.sheet import AMODAL, MODAL, outlined
from robustvos.reviewing.clips import needs_review
from robustvos.reviewing.controls import masks_of
from robustvos.reviewing.order import Shown, blind_order
from robustvos.reviewing.verdicts import OTHER, REASONS, REVIEWS, Verdict, VerdictFile
from robustvos.video.mask_kinds import WHITE
from robustvos.video.native import NativeClip, read_native_clip
from robustvos.web.serve import EXTRA, FOLDER, Page

_Body = Mapping[str, Any]
_SIDE = 960
_OPEN = 256  # clips whose lists of files are kept
KEYS = {
    "pass": "p",
    "flag": "x",
    "note": "n",
    "play": " ",
    "next": "ArrowRight",
    "previous": "ArrowLeft",
    "outlines": "o",
    **{reason: str((k + 1) % 10) for k, reason in enumerate(REASONS)},
    OTHER: "f",
}
"""Keys by action; each reason to fail is one."""


class ReviewPage:
    """Verdicts of one reviewer on the clips of a run.

    Args:
        root: Folder of the run.
        reviewer: Name.
        seed: Of the order and the controls.
        controls: How many; None: one for ten clips.

    Raises:
        DataNotFound: If no clips were made.
        UserError: If the name is none.
    """

    def __init__(self, root: Path, reviewer: str, seed: int = 0, controls: int | None = None) -> None:
        self.root, self.file = root, VerdictFile(root, reviewer)
        self.order = blind_order(root, reviewer, seed, controls)
        self._by_token = {shown.token: shown for shown in self.order}
        self._open = lru_cache(_OPEN)(read_native_clip)
        self._keys_path = root / REVIEWS / f"{reviewer}.keys.json"

    def add_to(self, page: Page) -> None:
        """Add routes and the page itself."""
        responses = require("fastapi.responses", EXTRA)

        def picture(token: str, index: int, outlines: bool = True) -> Any:
            content = self.jpeg(token, index, outlines)
            return responses.Response(content, media_type="image/jpeg", headers={"Cache-Control": "max-age=600"})

        def judge(body: Any) -> Any:
            self.judge(body)
            return self.state()

        def keys(body: Any) -> Any:
            self.set_keys(body)
            return self.state()

        for function in (judge, keys):
            function.__annotations__ = {"body": dict[str, Any]}
        picture.__annotations__ = {"token": str, "index": int, "outlines": bool}
        page.app.get("/clips/{token}/{index}.jpg")(picture)
        page.app.get("/api/review")(self.state)
        page.app.post("/api/verdict")(judge)
        page.app.post("/api/keys")(keys)
        self._add_looks()

    def _add_looks(self) -> None:
        ui = require("nicegui", EXTRA).ui
        markup = (FOLDER / "review.html").read_text(encoding="utf-8")

        def index() -> None:
            for sheet in ("shared", "review"):
                ui.add_head_html(f'<link rel="stylesheet" href="/shared/{sheet}.css">')
            ui.html(markup, sanitize=False).classes("w-full")
            for script in ("review", "review_masks"):
                ui.add_body_html(f'<script type="module" src="/shared/{script}.js"></script>')

        ui.page("/", title=f"review {self.root.name}")(index)

    def state(self) -> dict[str, Any]:
        """All that the page shows besides pictures. Nothing in it tells a control from a clip."""
        verdicts = self.file.read()
        return {
            "run": self.root.resolve().name,
            "reviewer": self.file.reviewer,
            "reasons": [*REASONS, OTHER],
            "keys": self.keys(),
            "clips": [self._description(shown, verdicts.get(shown.key)) for shown in self.order],
        }

    def judge(self, body: _Body) -> None:
        """Note a verdict; it is on disk when this returns.

        Raises:
            DataNotFound: If there is no such clip.
            UserError: If it is no verdict.
        """
        shown = self._shown(str(body.get("token", "")))
        seconds = body.get("seconds", 0.0)
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not math.isfinite(seconds)
            or seconds < 0
        ):
            raise BadPrompt(f"seconds is {seconds!r}; expected a number from 0")
        decision: Any = body.get("decision")
        reason = str(body.get("reason") or "") if decision == "fail" else ""
        note, now = str(body.get("note") or "")[:2000], datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.file.add(Verdict(shown.key, shown.fingerprint, decision, reason, note, round(float(seconds), 2), now))

    def keys(self) -> dict[str, str]:
        """Keys by action, as the reviewer has set them."""
        try:
            said = json.loads(self._keys_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            said = {}
        return (
            KEYS | {name: key for name, key in said.items() if name in KEYS} if isinstance(said, dict) else dict(KEYS)
        )

    def set_keys(self, body: _Body) -> None:
        """Set keys.

        Raises:
            UserError: If an action is unknown, or two have one key.
        """
        wanted = self.keys() | {str(name): str(key) for name, key in body.items()}
        unknown = sorted(wanted.keys() - KEYS.keys())
        if unknown:
            raise UserError(f"there is no action {unknown[0]}")
        for name, key in body.items():
            other = [n for n, k in wanted.items() if k.lower() == str(key).lower() and n != name]
            if other:
                raise UserError(f"this key is that of '{other[0]}' already")
        atomic_write_json(self._keys_path, wanted)

    def jpeg(self, token: str, index: int, outlines: bool = True) -> bytes:
        """A frame of a clip, with the outlines of its masks.

        Raises:
            DataNotFound: If there is no such clip or frame.
        """
        shown = self._shown(token)
        clip = self._open(shown.clip.folder)
        if not 0 <= index < len(clip.frames):
            raise DataNotFound(f"the clip has no frame {index}")
        return jpeg(_drawn(clip, index, shown.fault, outlines))

    def _description(self, shown: Shown, verdict: Verdict | None) -> dict[str, Any]:
        held = None if verdict is None or verdict.fingerprint != shown.fingerprint else asdict(verdict)
        given = {k: v for k, v in (held or {}).items() if k in ("decision", "reason", "note", "seconds")}
        figures = shown.clip.figures
        return {
            "token": shown.token,
            "frames": int(figures.get("frames") or len(self._open(shown.clip.folder).frames)),
            "fps": float(figures.get("fps") or 12.0),
            "needs_review": needs_review(shown.clip),
            "verdict": given or None,
        }

    def _shown(self, token: str) -> Shown:
        if token not in self._by_token:
            raise DataNotFound("there is no such clip")
        return self._by_token[token]


def _drawn(clip: NativeClip, index: int, fault: str, outlines: bool) -> np.ndarray:
    picture = shrink(to_array(clip.frames[index]), _SIDE)
    if not outlines:
        return picture
    amodal, modal = masks_of(clip, index, fault)
    size = shrunk_size((amodal.shape[0], amodal.shape[1]), _SIDE)
    planes = [np.asarray(Image.fromarray(m).resize(size[::-1], Image.Resampling.NEAREST)) for m in (amodal, modal)]
    return outlined(picture, [(planes[0], AMODAL), (planes[1], MODAL)])


def jpeg(picture: np.ndarray, quality: int = 88) -> bytes:
    """``(H, W, 3)`` uint8 as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def png(mask: np.ndarray) -> bytes:
    """``(H, W)`` bool as a greyscale PNG of 0 and 255."""
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * np.uint8(WHITE)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
