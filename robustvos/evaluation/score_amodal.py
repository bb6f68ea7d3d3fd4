"""Which predicted whole masks are scored against which clip in Real-VAS's native form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustvos.conditions import CLEAN
from robustvos.errors import DataNotFound
from robustvos.evaluation.protocol import Protocol
from robustvos.evaluation.score_jobs import PredictedMasks, ScoringJob, ScoringPlan, conditions_of, folder_name, spelt
from robustvos.files.names import nfc
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.video.native_tree import AMODAL, ANNOTATIONS, MODAL, QUERY_ID


def is_native(gt: Path) -> bool:
    """Whether a folder holds clips in native form, or is one."""
    return (gt / AMODAL).is_dir() or (
        gt.is_dir() and not (gt / "Annotations").is_dir() and any((f / AMODAL).is_dir() for f in list_folders(gt))
    )


def plan_amodal(pred: Path, gt: Path, sequences: Sequence[str] | None, protocol: Protocol) -> ScoringPlan:
    """Pair predictions with the clips of a native tree; arguments as for :func:`robustvos.evaluation.score_folders`.

    Predictions lie in ``<pred>/<clip>/<frame>.png`` or ``<pred>/<clip>/1/<frame>.png``, black and white.

    Raises:
        DataNotFound: If a folder, clips or frames are missing.
    """
    clips = {gt.name: gt} if (gt / AMODAL).is_dir() else {f.name: f for f in list_folders(gt) if (f / AMODAL).is_dir()}
    if not pred.is_dir():
        raise DataNotFound(f"prediction folder {pred} does not exist; expected <folder>/<clip>/<frame>.png")
    spelling = {nfc(name): name for name in clips}
    predicted = {spelt(folder.name, spelling): folder for folder in list_folders(pred)}
    if len(clips) == 1 and list_files(pred, (".png",)):
        predicted = dict.fromkeys(clips, pred)
    names = [spelling.get(nfc(name), name) for name in sequences] if sequences is not None else list(clips)
    unknown = [name for name in names if name not in clips]
    if unknown:
        raise DataNotFound(f"{gt} holds no clip called {name_some(unknown)}; it holds {name_some(clips)}")
    conditions = conditions_of(predicted, names)
    missing = [
        folder_name(name, condition)
        for condition in conditions
        for name in names
        if folder_name(name, condition) not in predicted
    ]
    if missing:
        raise DataNotFound(
            f"{len(missing)} of {len(names) * len(conditions)} clips have no masks in {pred}: {name_some(missing, 10)}; add "
            "them, or say which to score: --sequences NAME"
        )
    has_conditions = conditions != [""]
    jobs = tuple(
        _job(
            name,
            condition or CLEAN if has_conditions else "",
            predicted[folder_name(name, condition)],
            clips[name],
            protocol,
        )
        for condition in conditions
        for name in names
    )
    wanted = {folder_name(name, condition) for name in names for condition in conditions}
    strays = [name for name in predicted if name not in wanted]
    notes = [f"{len(strays)} predicted folders have no ground truth and do not count: {name_some(strays)}"]
    return ScoringPlan(jobs, tuple(notes) if strays and sequences is None else ())


def _job(name: str, corruption: str, predicted: Path, clip: Path, protocol: Protocol) -> ScoringJob:
    amodal = {path.stem: path for path in list_files(clip / AMODAL, (".png",))}
    modal = {path.stem: path for path in list_files(clip / MODAL, (".png",))} if (clip / MODAL).is_dir() else {}
    own = predicted / str(QUERY_ID)
    found = {path.stem: path for path in list_files(own if own.is_dir() else predicted, (".png",))}
    for what, masks, place in (("visible mask", modal, clip / MODAL), ("predicted mask", found, predicted)):
        lacking = [stem for stem in amodal if stem not in masks]
        if lacking:
            raise DataNotFound(
                f"{len(lacking)} of {len(amodal)} frames of {name} have no {what} in {place}: {name_some(lacking, 10)}; name "
                "the masks as the frames are named"
            )
    frames: list[PredictedMasks] = [{QUERY_ID: found[stem]} for stem in amodal]
    return ScoringJob(
        name,
        corruption,
        tuple(frames),
        tuple(modal[stem] for stem in amodal),
        protocol,
        tuple(amodal.values()),
        _tags(clip),
    )


def _tags(clip: Path) -> Mapping[str, str]:
    try:
        category = json.loads((clip / ANNOTATIONS).read_text(encoding="utf-8")).get("category")
    except (OSError, ValueError, AttributeError):
        return {}
    return {"category": category} if isinstance(category, str) else {}
