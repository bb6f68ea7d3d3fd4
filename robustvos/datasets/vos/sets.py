"""Several folders in DAVIS layout as one dataset: which videos a split has, found once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from robustvos.conditions import CLEAN
from robustvos.datasets.prompts.prompting import prompt_file_of
from robustvos.datasets.select import check_patterns, is_wanted, patterns_of
from robustvos.datasets.set_size import SetSize, size_of_records, size_of_rendered
from robustvos.datasets.vos.clip_sampling import ClipSampler
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.datasets.vos.rendered_source import RenderedSource, describe_missing_rendered, locate_rendered
from robustvos.datasets.vos.source import Split, VideoSource, describe_missing, locate
from robustvos.datasets.vos.videos import FolderEvaluation, FolderVideos
from robustvos.errors import DataNotFound, UnknownName
from robustvos.files.naming import name_some
from robustvos.video.layouts import SequenceRecord

Named = list[tuple[str, SequenceRecord]]
"""Videos with the name of the set that each is of."""


@dataclass
class FolderSets:
    """Folders in DAVIS layout, put together.

    Attributes:
        roots: Folder of each set by its name; None: ``$ROBUSTVOS_DATA/<name>``.
        label: What messages call all of them.
        train_list: Text file with one training video a line; None: the set's own.
        val_list: The same for validation and test.
        binary: Masks are black and white, with one object.
        rendered: Frames on disk come corrupted (:mod:`robustvos.datasets.vos.rendered_source`).
    """

    roots: Mapping[str, Path | str | None]
    label: str = "the dataset"
    train_list: str | None = None
    val_list: str | None = None
    binary: bool = False
    rendered: bool = False
    _found: dict[tuple[object, ...], tuple[SequenceRecord, ...]] = field(default_factory=dict, repr=False)

    def sources(self) -> tuple[VideoSource | RenderedSource, ...]:
        """The sets on disk; raises DataNotFound."""
        find = locate_rendered if self.rendered else locate
        return find(self.roots, self.train_list, self.val_list, prefer_2016=self.binary)

    @property
    def notes(self) -> tuple[str, ...]:
        """A line on each set whose videos no list parts into those of training and those of evaluation."""
        return tuple(source.describe_missing_split() for source in self.sources() if not source.is_split)

    def of_training(self, train: TrainingClips) -> Named:
        """Videos to train on; of rendered copies each video under each corruption.

        Raises:
            DataNotFound: If a set, a list or a copy is missing, or no video matches ``train.select``.
        """
        found: Named = []
        for source in self.sources():
            records = self._sequences(source, "train", None, _conditions_of(train, source))
            found += [(source.name, record) for record in records]
        patterns = patterns_of(train.select)
        if patterns is None:
            return found
        check_patterns(patterns, {self.label: [record.name for _, record in found]})
        return [(name, record) for name, record in found if is_wanted(record.name, patterns)]

    def of_evaluation(self, split: Split, settings: FolderEvaluation) -> Named:
        """Videos to evaluate; of rendered copies each video under each corruption.

        Raises:
            DataNotFound: If a set, a list, a video or a copy is missing.
            UnknownName: If the settings name a set that is not there.
        """
        for name in settings.sets or ():
            if name not in self.roots:
                raise UnknownName.of("set", name, self.roots)
        return [
            (source.name, record)
            for source in self.sources()
            if settings.sets is None or source.name in settings.sets
            for record in self._sequences(source, split, settings.image_set, tuple(settings.conditions))
        ]

    def videos(
        self, split: Literal["val", "test", "predict"], settings: FolderEvaluation, depth: Path | None = None
    ) -> FolderVideos:
        """Videos of a split, opened as they are asked for.

        Args:
            split: Validation and test have the same videos.
            settings: Which of them.
            depth: Folder of their depth maps.

        Raises:
            DataNotFound: If nothing but first frames is annotated, which says nothing of tracking; not for predict.
        """
        videos = self.of_evaluation("predict" if split == "predict" else "val", settings)
        if split != "predict" and prompt_file_of(settings.prompt or "mask") is None:
            _check_truth([record for _, record in videos])
        return FolderVideos(
            videos,
            tuple(settings.conditions) if self.rendered else None,
            self.binary,
            tagged=len(self.roots) > 1,
            depth=depth,
            join_frames=settings.join_frames,
            label=self.label,
        )

    def sampler(self, train: TrainingClips, seed: int, weights: Mapping[str, float] | None) -> ClipSampler:
        """Windows of the training videos, see :class:`robustvos.datasets.vos.clip_sampling.ClipSampler`."""
        videos = self.of_training(train)
        return ClipSampler(videos, train.frames, train.stride, train.annotated_only, seed, weights)

    def strength(self, conditions: Sequence[str]) -> dict[str, str]:
        """How strongly rendered copies are corrupted, as they say; nothing of other sets."""
        copies = [source.strength(conditions) for source in self.sources() if isinstance(source, RenderedSource)]
        return {name: " | ".join(dict.fromkeys(copy[name] for copy in copies)) for name in (copies or [{}])[0]}

    def sizes(self) -> list[SetSize]:
        """Of each split of each set; of rendered copies, of each corruption and of all."""
        found: list[SetSize] = []
        sources = self.sources()
        for source in sources:
            name = f"{source.name}, " if len(sources) > 1 else ""
            parts: dict[Split, str] = (
                {"train": "train", "val": "validation and test"} if source.is_split else {"val": "all"}
            )
            for split, part in parts.items():
                if isinstance(source, RenderedSource):
                    copies = [corruption for corruption in source.copies if corruption != CLEAN]
                    records = source.sequences(split, corruptions=copies)
                    found += size_of_rendered(f"{name}{part}", records, copies, self.binary)
                else:
                    found.append(size_of_records(f"{name}{part}", source.sequences(split), self.binary))
        return found

    def _sequences(
        self,
        source: VideoSource | RenderedSource,
        split: Split,
        image_set: str | None,
        conditions: tuple[str, ...] | None,
    ) -> tuple[SequenceRecord, ...]:
        """Listed once: loaders are made anew for every epoch, and the folders of a large set are many."""
        key = (source.name, split, image_set, conditions if self.rendered else None)
        if key not in self._found:
            if isinstance(source, RenderedSource):
                self._found[key] = source.sequences(split, image_set, conditions)
            else:
                self._found[key] = source.sequences(split, image_set)
        return self._found[key]


def named_roots(
    root: Path | str | None, roots: Mapping[str, Path | str | None] | None, name: str | None
) -> dict[str, Path | str | None]:
    """Folders by the names of their datasets.

    >>> named_roots("data/DAVIS", None, None), named_roots(None, None, "davis")
    ({'DAVIS': 'data/DAVIS'}, {'davis': None})
    """
    if roots:
        return dict(roots)
    return {name or (Path(root).expanduser().name if root is not None else "vos"): root}


def describe_missing_sets(arguments: Mapping[str, Any]) -> str | None:
    """One line on the sets that a datamodule's ``arguments`` ask for in vain; None if all are there."""
    describe = describe_missing_rendered if arguments.get("rendered") else describe_missing
    return describe(named_roots(*(arguments.get(key) for key in ("root", "roots", "name"))))


def _check_truth(videos: Sequence[SequenceRecord]) -> None:
    """Refuse truth that is no more than the prompts: of most videos one frame is annotated, of several.

    Raises:
        DataNotFound: Naming the videos.
    """
    single = [
        record.name
        for record in videos
        if len(record.frame_paths) > 1 and sum(path is not None for path in record.annotation_paths) == 1
    ]
    if 2 * len(single) > len(videos):
        raise DataNotFound(
            f"{len(single)} of {len(videos)} videos have a mask on one frame alone, the one that tells the tracker what to "
            f"follow ({name_some(single)}): that says nothing of tracking; give masks of other frames too, or run predict"
        )


def _conditions_of(train: TrainingClips, source: VideoSource | RenderedSource) -> tuple[str, ...] | None:
    """Corruptions that are trained on; where sets of them are named, those that a source has copies of."""
    if train.corruption is None:
        return None
    names = train.corruption.known_names()
    if isinstance(source, RenderedSource) and train.corruption.names_sets_alone:
        return tuple(name for name in names if name in source.copies) or names
    return names
