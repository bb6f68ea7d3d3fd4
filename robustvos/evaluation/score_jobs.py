"""Which predicted mask is scored against which true one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from robustvos.conditions import CLEAN
from robustvos.errors import DataNotFound, UserError
from robustvos.evaluation.protocol import Protocol
from robustvos.files.names import check_listed, nfc
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.files.text_lists import read_names
from robustvos.video.layouts import resolve_folder

PredictedMasks = Path | Mapping[int, Path]
"""An indexed mask; or a black and white one for each object, which may overlap."""


@dataclass(frozen=True)
class ScoringJob:
    """One sequence to score, under one condition.

    Attributes:
        name: Of the sequence.
        corruption: Of its frames; empty where predictions say nothing of corruptions.
        predicted: A prediction per annotated frame; the true mask itself where an end that does not count was not
            predicted.
        true: The annotations, in order.
        protocol: How they are scored.
        amodal: Masks of whole objects beside the visible ones in ``true``; none for J and F.
        tags: What results are grouped by.
    """

    name: str
    corruption: str
    predicted: tuple[PredictedMasks, ...]
    true: tuple[Path, ...]
    protocol: Protocol
    amodal: tuple[Path, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoringPlan:
    """What there is to score.

    Attributes:
        jobs: One for each sequence and condition.
        notes: A line for each kind of thing that is passed over, or that a reader may not expect.
    """

    jobs: tuple[ScoringJob, ...]
    notes: tuple[str, ...]


def plan_scoring(pred: Path, gt: Path, sequences: Sequence[str] | None, protocol: Protocol) -> ScoringPlan:
    """Pair the sequences and frames of two folders; see :func:`robustvos.evaluation.score_folders.score_folders`.

    Raises:
        DataNotFound: If a folder, sequences or frames are missing.
    """
    inside = resolve_folder(gt, "Annotations") if (gt / "Annotations").is_dir() else gt
    truth = _sequence_folders(inside, "ground truth")
    predicted = _sequence_folders(pred, "prediction", single=gt.name if gt in truth.values() else "")
    notes = []
    if len(truth) == len(predicted) == 1 and gt in truth.values() and pred in predicted.values():
        if truth.keys() != predicted.keys():
            notes.append(f"{pred.name} is scored against {gt.name}, which has another name")
        predicted = dict.fromkeys(truth, pred)
    spelling = {nfc(name): name for name in truth}
    predicted = {spelt(name, spelling): folder for name, folder in predicted.items()}
    names = list(truth) if sequences is None else [spelling.get(nfc(name), name) for name in sequences]
    conditions = conditions_of(predicted, names)
    _check_there(names, truth, gt, "check the names, or the folder")
    advice = _advice(gt, predicted, truth) if sequences is None else "add them, or leave them out of --sequences"
    for condition in conditions:
        _check_there([folder_name(name, condition) for name in names], predicted, pred, advice)
    wanted = {folder_name(name, condition) for name in names for condition in conditions}
    passed_over = [name for name in predicted if name not in wanted]
    if passed_over and sequences is None:
        notes.append(
            f"{len(passed_over)} predicted folders have no ground truth and do not count: {name_some(passed_over)}"
        )
    has_conditions = conditions != [""]
    return ScoringPlan(
        tuple(
            _job(
                name,
                (condition or CLEAN) if has_conditions else "",
                predicted[folder_name(name, condition)],
                truth[name],
                protocol,
            )
            for condition in conditions
            for name in names
        ),
        tuple(notes),
    )


def conditions_of(predicted: Iterable[str], names: Iterable[str]) -> list[str]:
    """``""`` for clean sequences, then every CORRUPTION of folders SEQUENCE@CORRUPTION, as a test leaves them."""
    known = set(names)
    found = set()
    for name in predicted:
        sequence, _, corruption = name.rpartition("@")
        if name in known:
            found.add("")
        elif sequence in known:
            found.add(corruption)
    return sorted(found) or [""]


def spelt(predicted: str, truth: Mapping[str, str]) -> str:
    """A predicted folder's name as the truth spells it, whose accents may be composed otherwise."""
    sequence, at, condition = nfc(predicted).rpartition("@")
    if nfc(predicted) in truth:
        return truth[nfc(predicted)]
    return f"{truth[sequence]}@{condition}" if at and sequence in truth else predicted


def folder_name(sequence: str, condition: str) -> str:
    """Of a sequence under a condition; ``""`` is clean."""
    return f"{sequence}@{condition}" if condition else sequence


def _check_there(names: Sequence[str], folders: Mapping[str, Path], where: Path, advice: str) -> None:
    missing = [name for name in names if name not in folders]
    if missing:
        raise DataNotFound(
            f"{len(missing)} of {len(names)} sequences are missing in {where}: {name_some(missing, 10)}; {advice}"
        )


def _advice(gt: Path, predicted: Iterable[str], truth: Iterable[str]) -> str:
    """What to do where only some sequences were predicted: perhaps they are those of one of the dataset's lists."""
    known = set(truth)
    there = {name if name in known else name.rpartition("@")[0] for name in predicted} & known
    for file in sorted((gt / "ImageSets").rglob("*.txt")) if there else ():
        try:
            listed = {nfc(name) for name in read_names(file)}
        except UserError:  # not every text there is a list of videos
            continue
        if listed == {nfc(name) for name in there}:
            return f"those that are there are all of {file}: score them with --sequences {file}"
    return "add them, or say which to score: --sequences NAME, or a text file with one name a line"


def _job(name: str, corruption: str, predicted: Path, truth: Path, protocol: Protocol) -> ScoringJob:
    true_paths = list_files(truth, (".png",))
    by_stem = {nfc(stem): frame for stem, frame in _predictions(predicted).items()}
    missing = [path.stem for path in true_paths if nfc(path.stem) not in by_stem]
    if protocol.skip_first_last:
        # Nobody needs to predict what is not scored.
        missing = [stem for stem in missing if stem not in (true_paths[0].stem, true_paths[-1].stem)]
    if missing:
        raise DataNotFound(
            f"{len(missing)} of {len(true_paths)} annotated frames of {name} have no mask in {predicted}: "
            f"{name_some(missing, 10)}; name the masks as the annotations are named"
        )
    # An end that is not scored and not predicted stands for itself; the protocol leaves it out.
    frames = tuple(by_stem.get(nfc(path.stem), path) for path in true_paths)
    return ScoringJob(name, corruption, frames, tuple(true_paths), protocol)


def _predictions(folder: Path) -> dict[str, PredictedMasks]:
    """By stem; of folders for each object, frames that all of them have."""
    indexed = list_files(folder, (".png",))
    if indexed:
        return {path.stem: path for path in indexed}
    by_object: dict[int, dict[str, Path]] = {}
    for one in _object_folders(folder):
        if int(one.name) in by_object:
            raise DataNotFound(
                f"{folder} holds object {int(one.name)} twice, {one.name} is one of them; keep one of the two"
            )
        by_object[int(one.name)] = {path.stem: path for path in list_files(one, (".png",))}
    every = dict.fromkeys(stem for files in by_object.values() for stem in files)
    for object_id, files in by_object.items():
        lacking = [stem for stem in every if stem not in files]
        if lacking:
            raise DataNotFound(
                f"object {object_id} of {folder} has no mask on {len(lacking)} of {len(every)} frames that other objects have: "
                f"{name_some(lacking)}; write one for every object on every frame, black where it is not seen"
            )
    return {stem: {object_id: files[stem] for object_id, files in by_object.items()} for stem in every}


def _object_folders(folder: Path) -> list[Path]:
    """``<object>/``, for masks of objects that overlap; other folders are none of them."""
    folders = [one for one in list_folders(folder) if one.name.isdecimal()]
    return folders if any(list_files(one, (".png",)) for one in folders) else []


def _sequence_folders(root: Path, what: str, single: str = "") -> dict[str, Path]:
    """By name. If the truth is of a ``single`` sequence, a folder of objects' folders is its prediction."""
    if not root.is_dir():
        raise DataNotFound(f"{what} folder {root} does not exist; expected <folder>/<sequence>/<frame>.png")
    if list_files(root, (".png",)):
        return {root.name: root}
    of_objects = what == "prediction"  # the truth must say which pixels belong to whom
    if of_objects and single and not (root / single).is_dir() and _object_folders(root):
        return {root.name: root}
    folders = {
        folder.name: folder
        for folder in list_folders(root)
        if list_files(folder, (".png",)) or (of_objects and _object_folders(folder))
    }
    if not folders:
        seen = name_some(sorted(entry.name for entry in root.iterdir())) or "nothing"
        raise DataNotFound(f"{what} folder {root} holds no masks, but {seen}; expected <folder>/<sequence>/<frame>.png")
    check_listed(list(folders), str(root))
    return folders
