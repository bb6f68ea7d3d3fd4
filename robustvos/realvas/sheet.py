"""The contact sheet: one page with every clip as a strip, and what became of everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Template
from PIL import Image

from robustvos.files.atomic import atomic_path, atomic_write_text
from robustvos.files.naming import count_of
from robustvos.files.stage import Result
from robustvos.realvas.camera import SOURCES
from robustvos.realvas.composite import read_clips
from robustvos.realvas.funnel import Funnel
from robustvos.realvas.pictures import evenly, to_array
from robustvos.realvas.reasons import why_nothing
from robustvos.video.native import read_native_clip

AMODAL, MODAL = (255, 214, 10), (40, 220, 90)
_STRIP, _WIDTH = 12, 300
_PAGE = Template(
    """<!doctype html><meta charset="utf-8"><title>Real-VAS clips</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;margin:24px;max-width:1500px;color:#1c2026}
img{width:100%;border-radius:4px} table{border-collapse:collapse;margin:12px 0}
td,th{padding:2px 12px 2px 0;text-align:left} td.n{text-align:right;font-variant-numeric:tabular-nums}
.doubt{background:#fff3cd;padding:1px 8px;border-radius:9px;margin-right:6px} h2{margin:28px 0 6px;font-size:17px}
</style>
<h1>{{ count }}</h1>
{% if clips %}
<p>Amodal mask <b style="color:#b89600">yellow</b>, modal mask <b style="color:#1d9a45">green</b>; every strip goes from
the first frame to the last. Clips that need a review come last.</p>
{% else %}<p>No clip was made:</p><ul>{% for line in nothing %}<li>{{ line }}</li>{% endfor %}</ul>{% endif %}
<table>{% for row in funnel %}<tr><td>{{ row.what }}</td><td class="n">{{ row.count }}</td><td>{{ row.why }}</td></tr>
{% endfor %}</table>
{% for clip in clips %}<h2 id="{{ clip.key }}">{{ clip.key }}</h2>
<p>{% for doubt in clip.doubts %}<span class="doubt">{{ doubt }}</span>{% endfor %}{{ clip.text }}</p>
<img src="{{ clip.image }}" loading="lazy" alt="{{ clip.key }}">
{% endfor %}""",
    autoescape=True,
)


def write_sheet(root: str | os.PathLike[str], funnel: Funnel) -> Path:
    """Write ``<root>/index.html`` and its strips; returns the page."""
    folder = Path(root)
    clips = []
    for clip in read_clips(folder, SOURCES):
        image = folder / "sheet" / f"{clip.key}.jpg"
        _save(strip(clip), image)
        f = clip.figures
        text = (
            f"{f['frames']} frames at {f['fps']:g} fps, {f['size'][1]}x{f['size'][0]}; hidden at most "
            f"{f['max_occlusion']:.0%}, in {f['prevalence']:.0%} of the frames; {f['hidden_frames']} frames wholly hidden, "
            f"{_surety(f)}{_several(f)}"
        )
        clips.append({"key": clip.key, "image": f"sheet/{clip.key}.jpg", "doubts": f["doubts"], "text": text})
    page = folder / "index.html"
    said = {"count": count_of(len(clips), "clip"), "funnel": funnel.rows(), "nothing": why_nothing(funnel.results)}
    atomic_write_text(page, _PAGE.render(clips=clips, **said))
    return page


def _surety(figures: Mapping[str, Any]) -> str:
    """How far the masks are to be trusted."""
    if figures["category"] == "occlusion":
        return f"{figures['untrusted']} not trusted"
    stop = figures["stop"]
    ends = "" if stop is None else f"; ends before frame {stop['frame']}: {stop['reason']}"
    return f"{figures['category']}, least confidence {figures['confidence'][0]:.2f}{ends}"


def _several(figures: Mapping[str, Any]) -> str:
    return f"; {len(figures['occluders'])} occluders" if "occluders" in figures else ""


def strip(clip: Result) -> np.ndarray:
    """Some frames of a clip in two rows, each with its outlines: ``(H, W, 3)`` uint8."""
    native = read_native_clip(clip.folder)
    assert native.amodal is not None, "clips made here have amodal masks"
    cells = []
    for t in evenly(len(native.frames), _STRIP):
        amodal, modal = native.amodal[t], native.modal[t]
        picture = to_array(native.frames[t])
        if amodal is not None and modal is not None:
            picture = outlined(picture, [(amodal[0].numpy(), AMODAL), (modal[0].numpy(), MODAL)])
        cells.append(_cell(picture, str(t)))
    half = -(-len(cells) // 2)
    rows = [cells[:half], cells[half:] + [np.full_like(cells[0], 255)] * (2 * half - len(cells))]
    return np.vstack([np.hstack(row) for row in rows])


def outlined(picture: np.ndarray, masks: Sequence[tuple[np.ndarray, tuple[int, int, int]]]) -> np.ndarray:
    """A picture with the outlines of masks, the last on top."""
    out = picture.copy()
    thickness = max(1, round(max(picture.shape[:2]) / 400))
    for mask, colour in masks:
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, contours, -1, colour, thickness)
    return out


def _cell(picture: np.ndarray, text: str) -> np.ndarray:
    height = round(picture.shape[0] * _WIDTH / picture.shape[1])
    cell = cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    cv2.putText(cell, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 2, cv2.LINE_AA)
    cv2.putText(cell, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return cv2.copyMakeBorder(cell, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _save(picture: np.ndarray, path: Path) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="JPEG", quality=90)
