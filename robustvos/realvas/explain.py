"""Why a candidate became a clip, or did not: its way through the stages, and a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from robustvos.errors import DataNotFound, UnknownName
from robustvos.files.atomic import atomic_path
from robustvos.files.stage import Result, open_results
from robustvos.realvas.align import shot_of_track
from robustvos.realvas.camera import SOURCES
from robustvos.realvas.motion import track_path
from robustvos.realvas.pictures import evenly, resize_mask
from robustvos.realvas.pipeline import STAGES
from robustvos.realvas.reasons import meaning
from robustvos.realvas.sheet import AMODAL, outlined, strip
from robustvos.realvas.shots import Shot, read_shots
from robustvos.realvas.tracks import Track, read_track

OTHER = (66, 150, 255)


def explain(root: str | os.PathLike[str], key: str) -> tuple[str, Path | None]:
    """The story of a shot, track, candidate or clip.

    Args:
        root: Folder of the run.
        key: Its key, as manifests, the funnel and the contact sheet have it.

    Returns:
        Lines, a stage each, with the figures; and a picture in ``<root>/explain``, None where there is nothing to see.

    Raises:
        UnknownName: If no stage has such a key; suggests the nearest.
    """
    folder = Path(root)
    stages = _read(folder)
    everything = {name: [r for r in results if r.key == key] for name, results in stages.items()}
    if not any(everything.values()):
        raise UnknownName.of("clip or candidate", key, {r.key for results in stages.values() for r in results})
    behind = key.split("~")[0]
    told = {key, *key.split("~")[:2], shot_of_track(behind), *_parts_of(everything)}
    lines = [_line(name, result) for name, results in stages.items() for result in results if result.key in told]
    return "\n".join(lines), _picture(folder, key, stages)


def _parts_of(everything: Mapping[str, Sequence[Result]]) -> set[str]:
    """Occluders and single candidates of a combination."""
    combined = everything.get("combine", ())
    return {part for result in combined for name in ("fronts", "members") for part in result.figures.get(name, ())}


def _read(root: Path) -> dict[str, tuple[Result, ...]]:
    found = {}
    for stage in STAGES:
        try:
            found[stage] = open_results(root, stage, complete=False).results
        except DataNotFound:
            continue
    return found


def _line(stage: str, result: Result) -> str:
    verdict = "kept" if result.kept else f"rejected: {result.reason}: {meaning(result.reason)}"
    if result.figures.get("doubts"):
        verdict += f", to be reviewed ({'; '.join(result.figures['doubts'])})"
    figures = ", ".join(f"{name} {_short(value)}" for name, value in result.figures.items() if name not in _SAID)
    return f"{stage:<10} {result.key}: {verdict}\n{'':<11}{figures}"


_SAID = {"doubts", "needs_review"}


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _picture(root: Path, key: str, stages: Mapping[str, tuple[Result, ...]]) -> Path | None:
    made = [r for stage in SOURCES for r in stages.get(stage, ()) if r.key == key and r.kept]
    shots = read_shots(root) if "ingest" in stages else {}
    parts = key.split("~")
    if made:
        picture = strip(made[0])
    elif any(_is_deleted(root, part) for part in parts[:2] if shot_of_track(part) in shots):
        return None
    elif combined := [r.figures for r in stages.get("combine", ()) if r.key == key and "fronts" in r.figures]:
        f = combined[0]
        if any(_is_deleted(root, track) for track in (f["behind"], *f["fronts"])):
            return None
        others = [(_track(root, track), delay) for track, delay in zip(f["fronts"], f["delays"], strict=True)]
        picture = _together(shots[shot_of_track(f["behind"])], _track(root, f["behind"]), others)
    elif len(parts) == 3:
        first, second = (_track(root, k) for k in parts[:2])
        picture = _together(shots[shot_of_track(parts[0])], first, [(second, int(parts[2]))])
    elif shot_of_track(key) in shots and track_path(root, shot_of_track(key), key).exists():
        shot, track = shots[shot_of_track(key)], _track(root, key)
        picture = np.hstack(
            [_frame(shot, [(track, int(t), AMODAL)]) for t in track.frames[evenly(len(track.frames), 4)]]
        )
    elif key in shots:
        picture = shots[key].plate
    else:
        return None
    path = root / "explain" / f"{key}.jpg"
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="JPEG", quality=90)
    return path


def _is_deleted(root: Path, key: str) -> bool:
    """Whether a person has deleted a track that there was."""
    return track_path(root, shot_of_track(key), key).exists() and not len(_track(root, key).frames)


def _together(shot: Shot, track: Track, others: Sequence[tuple[Track, int]]) -> np.ndarray:
    """Frames of a track with the outlines of it and of others at their delays, where they overlap most, and around."""
    step = int(np.diff(track.frames).min()) if len(track.frames) > 1 else 1
    areas = np.zeros(len(track.frames), int)
    for other, shift in others:
        places = {int(t): k for k, t in enumerate(other.frames)}
        for k, t in enumerate(track.frames):
            if int(t) - shift in places:
                areas[k] += int((track.objects[k] & other.objects[places[int(t) - shift]]).sum())
    peak = int(track.frames[int(np.argmax(areas))])
    times = [t for t in (peak - 4 * step, peak - 2 * step, peak, peak + 2 * step) if 0 <= t < shot.length]
    drawn = [[(track, t, AMODAL), *((other, t - shift, OTHER) for other, shift in others)] for t in times]
    return np.hstack([_frame(shot, masks) for masks in drawn])


def _frame(shot: Shot, drawn: list[tuple[Track, int, tuple[int, int, int]]]) -> np.ndarray:
    masks = []
    for track, t, colour in drawn:
        k = np.flatnonzero(track.frames == t)
        if len(k):
            masks.append((resize_mask(track.objects[k[0]], shot.small_size), colour))
    return outlined(next(iter(shot.small([drawn[0][1]]))), masks)


def _track(root: Path, key: str) -> Track:
    return read_track(root, track_path(root, shot_of_track(key), key), key)
