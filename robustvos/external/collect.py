"""Bring a system's outputs home: masks at each clip's own size, and a record of what was done to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from robustvos.errors import DataNotFound, UserError
from robustvos.external.export import read_export
from robustvos.external.outputs import read_output
from robustvos.external.placement import Placement
from robustvos.external.predictions import PublishedMasks
from robustvos.external.recipe import Recipe
from robustvos.external.run import exported_clips
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import atomic_folder
from robustvos.files.naming import count_of, name_some
from robustvos.video.masks import write_binary_mask
from robustvos.video.native import NativeClip

Missing = Literal["error", "zero", "modal"]
_STRANGER = 0.1


@dataclass(frozen=True)
class Collected:
    """What came home.

    Attributes:
        clips: Names, in order.
        notes: Lines that a reader of the figures must know.
        inputs: What the system was given besides the query, true masks named as such.
        changes: What was done to clips and masks, a line for each kind with the number of clips.
    """

    clips: tuple[str, ...]
    notes: tuple[str, ...]
    inputs: str
    changes: tuple[str, ...]


def collect(
    recipe: Recipe,
    data: Path | None,
    outputs: Path,
    clips: Sequence[NativeClip],
    folder: Path,
    missing: Missing = "error",
) -> Collected:
    """Write ``folder/masks/<clip>/<frame>.png`` and ``folder/import.json``.

    Args:
        recipe: Of the system.
        data: The exports it was given; None: ``outputs`` is a file of predictions that its authors have published.
        outputs: What it left.
        clips: The dataset that was exported.
        folder: Must not hold masks.
        missing: What stands for a clip without output: nothing goes on (``error``), empty masks (``zero``), or the true
            visible masks (``modal``).

    Raises:
        DataNotFound: If clips have no output, or an export is of no clip of the dataset.
        BadMask: See :func:`robustvos.external.outputs.read_output`.
        UserError: If ``folder`` holds masks, or an export is of other frames than the dataset's clip.
    """
    if (folder / "masks").exists():
        raise UserError(f"{folder / 'masks'} exists already; delete it, or give another --out")
    known = {clip.name: clip for clip in clips}
    source = _Outputs(recipe, data, outputs, known, missing) if data is not None else _Published(outputs)
    records: dict[str, Any] = {}
    notes: list[str] = []
    absent: list[str] = []
    with atomic_folder(folder / "masks") as temporary:
        for name, clip in known.items():
            masks, records[name] = source.of(clip)
            if masks is None:
                absent.append(name)
                if missing == "error":
                    raise DataNotFound(f"clip {name}: {source.looked_for(name)}, found nothing; {_POLICY}")
                masks = _stand_in(clip, missing)
                records[name]["missing"] = missing
            else:
                notes += _doubts(masks[0], clip)
            for stem, mask in zip(clip.frames.frame_names, masks, strict=True):
                write_binary_mask(torch.from_numpy(np.ascontiguousarray(mask)), temporary / name / f"{stem}.png")
    if absent:
        what = "empty masks" if missing == "zero" else "the true visible masks"
        notes.insert(
            0, f"{len(absent)} of {len(known)} clips have no output; {what} stand for them: {name_some(absent)}"
        )
    inputs = _inputs(recipe, records)
    changes = each_once({name: record.get("changes", ()) for name, record in records.items()})
    about = {"system": recipe.name, "source": recipe.source, "licence": recipe.licence, "inputs": inputs}
    about |= {"run_type": recipe.run_type, "remarks": recipe.remarks, "missing_clips": missing}
    atomic_write_json(folder / "import.json", {**about, "notes": notes, "changes": changes, "clips": records})
    return Collected(tuple(known), tuple(notes), inputs, tuple(changes))


class _Outputs:
    """What a system left of the clips that it was given."""

    def __init__(
        self, recipe: Recipe, data: Path, outputs: Path, known: Mapping[str, NativeClip], missing: Missing
    ) -> None:
        self.recipe, self.outputs = recipe, outputs
        self.exported = {path.name: path for path in exported_clips(data, recipe)}
        strays = [name for name in self.exported if name not in known]
        if strays:
            raise DataNotFound(
                f"{data} holds exports of clips that the dataset lacks: {name_some(strays)}; check --data"
            )
        absent = [name for name in known if name not in self.exported]
        if absent and missing == "error":
            raise DataNotFound(f"{len(absent)} of {len(known)} clips were not exported: {name_some(absent)}; {_POLICY}")

    def of(self, clip: NativeClip) -> tuple[list[np.ndarray] | None, dict[str, Any]]:
        """Masks, and what was done to frames and masks."""
        if clip.name not in self.exported:
            return None, {}
        record = read_export(self.exported[clip.name])
        _check_same(record, clip, self.exported[clip.name])
        found = read_output(self.outputs, self.recipe, Placement.from_json(record["placement"]), clip.name)
        masks, changes = found or (None, [])
        return masks, {key: record[key] for key in ("modal", "true_box")} | {"changes": [*record["changes"], *changes]}

    def looked_for(self, name: str) -> str:
        """For a message."""
        return f"looked for {self.recipe.output.format(clip=name)} in {self.outputs}"


class _Published:
    """What a system's authors have published of it."""

    def __init__(self, file: Path) -> None:
        self.masks = PublishedMasks(file)

    def of(self, clip: NativeClip) -> tuple[list[np.ndarray] | None, dict[str, Any]]:
        """See :class:`_Outputs`."""
        masks, changes = self.masks.of(clip) or (None, [])
        return masks, {"modal": "truth", "true_box": False, "changes": changes}

    def looked_for(self, name: str) -> str:
        """For a message."""
        return f"looked for its images in {self.masks.file}"


_POLICY = "add them, or say what stands for them: --missing zero, or --missing modal"


def each_once(changes: Mapping[str, Sequence[str]]) -> list[str]:
    """What was done to clips: a line for each kind, an example where clips differ in numbers alone.

    >>> each_once({"a": ["25 of 54 frames given"], "b": ["25 of 90 frames given"], "c": []})
    ['25 of 54 frames given (a; alike in 2 clips)']
    >>> each_once({"a": ["padded"], "b": ["padded"]})
    ['padded (2 clips)']
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for clip, lines in changes.items():
        for line in lines:
            kinds.setdefault(re.sub(r"\d+", "#", line), []).append((clip, line))
    merged = []
    for found in kinds.values():
        (first, line), count = found[0], len({clip for clip, _ in found})
        same = len({text for _, text in found}) == 1
        number = count_of(count, "clip")
        merged.append(f"{line} ({number})" if same else f"{line} ({first}; alike in {number})")
    return merged


def _inputs(recipe: Recipe, records: Mapping[str, Any]) -> str:
    """The recipe's, where masks were tracked; true visible masks are another input."""
    origins = {record["modal"] for record in records.values() if "modal" in record}
    if recipe.modal != "every_frame" or "truth" not in origins:
        return recipe.inputs or "/"
    true = recipe.inputs.replace("Modal Seg.", "GT Modal Seg.")
    return true if origins == {"truth"} else f"{true} in part"


def _check_same(record: dict[str, Any], clip: NativeClip, where: Path) -> None:
    if tuple(record["frame_names"]) != tuple(clip.frames.frame_names) or tuple(record["placement"]["size"]) != tuple(
        clip.frames.size
    ):
        raise UserError(
            f"{where} was exported from {len(record['frame_names'])} frames of {record['placement']['size']}, the clip now "
            f"has {len(clip.frames)} of {list(clip.frames.size)}; export it again"
        )


def _stand_in(clip: NativeClip, missing: Missing) -> list[np.ndarray]:
    if missing == "zero":
        return [np.zeros(clip.frames.size, bool)] * len(clip.frames)
    masks = [clip.modal[t] for t in range(len(clip.frames))]
    return [np.zeros(clip.frames.size, bool) if mask is None else mask[0].numpy() for mask in masks]


def _doubts(first: np.ndarray, clip: NativeClip) -> list[str]:
    """A line if the query frame's mask is far from the query, as it is in the output for another clip."""
    query = np.asarray(clip.modal[0])[0]
    union = int((first | query).sum())
    overlap = int((first & query).sum()) / union if union else 0.0
    if overlap >= _STRANGER:
        return []
    return [
        f"{clip.name}: on the query frame the mask has IoU {overlap:.2f} with the query; is it another clip's output?"
    ]
