"""Which predicted mask is scored against which true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustvos.errors import DataNotFound
from robustvos.metrics.rules import ScoringRules
from robustvos.video.layouts import resolve_folder
from robustvos.video.naming import list_files, list_folders, name_some


@dataclass(frozen=True)
class ScoringJob:
    """One sequence to score.

    Attributes:
        name: Its name.
        predicted: A predicted mask per annotated frame; the true mask itself where an end that does not count was not
            predicted.
        true: The annotations, in order.
        rules: How they are scored.
    """

    name: str
    predicted: tuple[Path, ...]
    true: tuple[Path, ...]
    rules: ScoringRules


def find_jobs(pred: Path, gt: Path, sequences: Sequence[str] | None, rules: ScoringRules) -> list[ScoringJob]:
    """Pair the sequences and frames of two folders; see :func:`robustvos.report.score.score_folders`.

    Raises:
        DataNotFound: If a folder, sequences or frames are missing.
    """
    truth = _sequence_folders(
        resolve_folder(gt, "Annotations") if (gt / "Annotations").is_dir() else gt, "ground truth"
    )
    predicted = _sequence_folders(pred, "prediction")
    if len(truth) == len(predicted) == 1 and gt in truth.values() and pred in predicted.values():
        predicted = dict.fromkeys(truth, pred)
    names = list(sequences) if sequences is not None else list(truth)
    for folders, where in ((truth, gt), (predicted, pred)):
        missing = [name for name in names if name not in folders]
        if missing:
            raise DataNotFound(
                f"{len(missing)} of {len(names)} sequences are missing in {where}: {name_some(missing, 10)}; "
                "add them, or name the sequences to score"
            )
    return [_job(name, predicted[name], truth[name], rules) for name in names]


def _job(name: str, predicted: Path, truth: Path, rules: ScoringRules) -> ScoringJob:
    true_paths = list_files(truth, (".png",))
    by_stem = {path.stem: path for path in list_files(predicted, (".png",))}
    missing = [path.stem for path in true_paths if path.stem not in by_stem]
    if rules.skip_first_last:
        # Nobody needs to predict what is not scored.
        missing = [stem for stem in missing if stem not in (true_paths[0].stem, true_paths[-1].stem)]
    if missing:
        raise DataNotFound(
            f"{len(missing)} of {len(true_paths)} annotated frames of {name} have no mask in {predicted}: "
            f"{name_some(missing, 10)}; name the masks as the annotations are named"
        )
    # An end that is not scored and not predicted stands for itself; the rules leave it out.
    return ScoringJob(name, tuple(by_stem.get(path.stem, path) for path in true_paths), tuple(true_paths), rules)


def _sequence_folders(root: Path, what: str) -> dict[str, Path]:
    if not root.is_dir():
        raise DataNotFound(f"{what} folder {root} does not exist; expected <folder>/<sequence>/<frame>.png")
    if list_files(root, (".png",)):
        return {root.name: root}
    folders = {folder.name: folder for folder in list_folders(root) if list_files(folder, (".png",))}
    if not folders:
        seen = name_some(sorted(entry.name for entry in root.iterdir())) or "nothing"
        raise DataNotFound(f"{what} folder {root} holds no masks, but {seen}; expected <folder>/<sequence>/<frame>.png")
    return folders
