"""Videos in real bad weather and light: ACDC-Video, MVSeg, MVSeg-adv. Evaluation only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader

from datamodules.base import Data
from datamodules.matched_prompts import MatchedFile, describe_untold, match_prompts
from datamodules.prompt_files import read_prompt_file
from datamodules.prompting import prompt_file_of, told_prompt
from datamodules.published_sets import PUBLISHED
from datamodules.real_adverse_trees import TREES, AdverseClip, Findings, Layout, find_clips, holds_any
from datamodules.real_adverse_videos import AdverseRules, AdverseVideos
from datamodules.region_objects import RegionRules
from datamodules.release_prompts import RELEASE_PROMPT, follows_release
from datamodules.vos_source import DATA_VARIABLE
from datamodules.vos_videos import check_join_frames, facts_of
from robustvos.errors import DataNotFound, UnknownName, UserError
from robustvos.video.joining import join_records
from robustvos.video.naming import name_some


class RealAdverse(Data):
    """Clips that nature has corrupted, with masks on their key frames, on which they are scored.

    Validation, test and predict have the same clips; there is nothing to train on. Under the protocol ``release`` of
    the model, objects and points are chosen as the public evaluator chooses them; those of ACDC are then regions of class
    masks (:mod:`datamodules.region_objects`).

    Args:
        layout: ``acdc`` or ``mvseg``; see :data:`datamodules.real_adverse_trees.TREES`.
        root: Folder of the dataset; None: ``$ROBUSTVOS_DATA/<name>``.
        name: What results call it.
        prompt: ``mask``, ``box``, ``points:N``, or the path of a prompt file (:mod:`datamodules.prompt_files`); None:
            ``mask``, or ``points:3`` under the protocol ``release``.
        max_objects: At most so many of a clip, those of the lowest ids; None: all.
        subset: Weathers (ACDC) or sources (MVSeg) to use; None: all.
        limit: Use the first so many clips; None: all.
        join_frames: Join clips of the same source, in order, to videos of about so many frames
            (:mod:`robustvos.video.joining`, :mod:`datamodules.joined_prompts`); None or 0: leave them apart.

    Raises:
        UnknownName: If the layout or the prompt is of no known kind.
        UserError: If a number is below 1, or ``join_frames`` below 0.
    """

    def __init__(
        self,
        layout: Layout,
        root: Path | None = None,
        name: str = "real_adverse",
        prompt: str | None = None,
        max_objects: int | None = None,
        subset: list[str] | None = None,
        limit: int | None = None,
        join_frames: int | None = None,
    ) -> None:
        super().__init__()
        if layout not in TREES:
            raise UnknownName.of("layout", layout, TREES)
        for argument, value in (("max_objects", max_objects), ("limit", limit)):
            if value is not None and value < 1:
                raise UserError(f"{argument} is {value}; give 1 or more, or null for all")
        check_join_frames(join_frames)
        self.prompt_file = None if prompt is None else prompt_file_of(prompt)
        self.layout: Layout = layout
        self.root = root
        self.name = name  # type: ignore[misc]
        self.given_prompt = prompt
        self.prompt = "mask"
        self.max_objects = max_objects
        self.subset = subset
        self.limit = limit
        self.join_frames = join_frames
        self._videos: AdverseVideos | None = None

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on what is not there, or not whole, of the dataset that ``arguments`` ask for; None if all is."""
        try:
            name, layout = arguments.get("name") or "real_adverse", arguments["layout"]
            _find(name, layout, arguments.get("root"), arguments.get("subset"))
        except DataNotFound as error:
            return str(error)
        return None

    def clips(self) -> tuple[AdverseClip, ...]:
        """Every annotated clip on disk, of the subset; raises DataNotFound."""
        return tuple(_find(self.name or "", self.layout, self.root, self.subset).clips)

    def setup(self, stage: str) -> None:
        """Look for the clips, and match them with the prompt file, before anything slow is done.

        Raises:
            DataNotFound: If the dataset is missing or incomplete; says where it was looked for, and what to do.
            UnknownName: If the subset is not known.
            BadPrompt: If the prompt file cannot be read, or does not fit the clips.
        """
        if self._videos is not None:
            return
        found = _find(self.name or "", self.layout, self.root, self.subset)
        notes = []
        if found.unannotated:
            count = len(found.unannotated)
            notes.append(f"{count} clips have no annotation and are left out: {name_some(found.unannotated)}")
        release = follows_release(self.trainer)
        if self.prompt_file is None:
            self.prompt = self.given_prompt or (RELEASE_PROMPT if release else "mask")
        else:
            self.prompt = "mask"  # of no object: the file tells of each
        self._videos, told_apart = self._open(found.clips if self.join_frames else found.clips[: self.limit], release)
        if self.given_prompt is not None:
            self.prompt = told_prompt(self.given_prompt)
        for note in [*notes, *told_apart]:
            rank_zero_only(print)(f"{self.name}: {note}", flush=True)

    def _open(self, clips: Sequence[AdverseClip], release: bool) -> tuple[AdverseVideos, list[str]]:
        """The videos, and a line for each kind of thing that the prompt file leaves out."""
        is_acdc = self.layout == "acdc"
        file = None if self.prompt_file is None else read_prompt_file(self.prompt_file)
        keyed = [(clip.prompt_key, clip.record) for clip in clips]
        matched, notes = MatchedFile(), []
        regions: RegionRules | None = None
        if is_acdc and release:
            keys = {record.name: key for key, record in keyed}
            regions = RegionRules(self.prompt, file, keys, self.max_objects)
            if file is not None:
                notes = describe_untold(file, keyed)
        elif file is not None:
            matched = match_prompts(file, keyed, self.max_objects, by_luma=release)
            notes = matched.describe(file)
            clips = [clip for clip in clips if clip.record.name in matched.clips]
        rules = AdverseRules(
            prompt=self.prompt,
            release=release,
            max_objects=self.max_objects,
            classes=is_acdc,
            group="weather" if is_acdc else "source",
            told=matched.clips,
            regions=regions,
        )
        if self.join_frames:
            clips = join_clips(clips, self.join_frames)[: self.limit]
        return AdverseVideos(clips, rules), notes

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """Objects and frames of a video."""
        return facts_of(self.max_objects, self.join_frames)

    def train_dataloader(self) -> NoReturn:
        """There is none.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.name} is an evaluation set without training clips; train on another: --data davis")

    def val_dataloader(self) -> DataLoader:
        """One video an item."""
        if self._videos is None:
            self.setup("validate")
        assert self._videos is not None
        return DataLoader(self._videos, batch_size=None, num_workers=0)

    def test_dataloader(self) -> DataLoader:
        """The same videos."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader:
        """The same videos."""
        return self.val_dataloader()


def join_clips(clips: Sequence[AdverseClip], frames: int) -> list[AdverseClip]:
    """See :func:`robustvos.video.joining.join_records`; all clips of a source have one weather."""
    found = {clip.record.name: clip for clip in clips}
    joined = join_records([clip.record for clip in clips], frames)
    return [replace(found[(record.parts or (record,))[0].name], record=record) for record in joined]


def _find(name: str, layout: Layout, root: Path | str | None, subset: list[str] | None) -> Findings:
    """The clips, or DataNotFound with the dataset's card if there is none of it, or with what is missing of it."""
    folder = os.environ.get(DATA_VARIABLE)
    place = Path(root or f"{folder}/{name}").expanduser() if root or folder else None
    if place is None:
        looked = f"no folder was given and ${DATA_VARIABLE} is not set"
    elif not place.is_dir():
        looked = f"{place} does not exist"
    elif not holds_any(place, layout):
        held = name_some(sorted(entry.name for entry in place.iterdir())) or "nothing"
        looked = f"looked for {TREES[layout]} in {place}, which holds {held}"
    else:
        return find_clips(place, layout, subset)
    card = PUBLISHED.get(name, f"layout {TREES[layout]}")
    raise DataNotFound(
        f"no data: {name} ({card}): {looked}; give the unpacked folder with --data.root FOLDER, or put it (or a link "
        f"to it) at ${DATA_VARIABLE}/{name}"
    )
