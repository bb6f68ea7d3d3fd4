"""Videos in real bad weather and light: ACDC-Video, MVSeg, MVSeg-adv. Evaluation only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.base import Data, Split
from robustvos.datasets.adverse.locate import describe_missing_clips, locate_clips, sizes_of_clips
from robustvos.datasets.adverse.trees import TREES, AdverseClip, Findings, Layout
from robustvos.datasets.adverse.videos import AdverseVideos
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.set_size import SetSize
from robustvos.datasets.vos.videos import JoiningEvaluation
from robustvos.errors import UnknownName
from robustvos.evaluation.protocol import DatasetFacts
from robustvos.files.naming import name_some


class RealAdverse(Data):
    """Clips that nature has corrupted, with masks on their key frames, on which they are scored.

    Validation, test and predict have the same clips; there is nothing to train on. Under the protocol ``release`` of
    the model, objects and points are chosen as the public evaluator chooses them; those of ACDC are then regions of class
    masks (:mod:`robustvos.datasets.adverse.region_objects`).

    Args:
        layout: ``acdc`` or ``mvseg``; see :data:`robustvos.datasets.adverse.trees.TREES`.
        root: Folder of the dataset; None: ``$ROBUSTVOS_DATA/<name>``.
        name: What results call it.
        subset: Weathers (ACDC) or sources (MVSeg) to use; None: all.
        val: Which clips are validated on, and how.
        test: The same for test and predict.

    Raises:
        UnknownName: If the layout is not known.
    """

    def __init__(
        self,
        layout: Layout,
        root: Path | None = None,
        name: str = "real_adverse",
        subset: list[str] | None = None,
        val: JoiningEvaluation = JoiningEvaluation(),
        test: JoiningEvaluation = JoiningEvaluation(),
    ) -> None:
        super().__init__()
        if layout not in TREES:
            raise UnknownName.of("layout", layout, TREES)
        self.layout: Layout = layout
        self.root = root
        self.name = name
        self.subset = subset
        self.val, self.test = val, test
        self.facts = DatasetFacts(every_object=layout == "acdc")
        self._found: Findings | None = None

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on what is not there, or not whole, of the dataset that ``arguments`` ask for; None if all is."""
        return describe_missing_clips(arguments)

    def clips(self) -> tuple[AdverseClip, ...]:
        """Every annotated clip on disk, of the subset; raises DataNotFound."""
        return tuple(locate_clips(self.name or "", self.layout, self.root, self.subset).clips)

    def setup(self, stage: str) -> None:
        """Look for the clips before anything slow is done.

        Raises:
            DataNotFound: If the dataset is missing or incomplete; says where it was looked for, and what to do.
            UnknownName: If the subset is not known.
        """
        self._clips()

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; all splits have the same clips."""
        assert isinstance(settings, JoiningEvaluation)
        return AdverseVideos(self._clips().clips, self.layout, settings.join_frames, self.name or "the dataset")

    def sizes(self) -> list[SetSize]:
        """Of each weather or source, and of all."""
        return sizes_of_clips(self.clips())

    def _clips(self) -> Findings:
        if self._found is None:
            self._found = locate_clips(self.name or "", self.layout, self.root, self.subset)
            if self._found.unannotated:
                names = name_some(self._found.unannotated)
                self.say(
                    f"{self.name}: {len(self._found.unannotated)} clips have no annotation and are left out: {names}"
                )
        return self._found
