"""Which videos are evaluated, under which conditions, from which prompts: one contract for every dataset.

A dataset gives a :class:`VideoSet`: its videos, opened when asked for, clean and with every object.
:class:`EvaluationVideos` chooses among them, prompts, and corrupts frames as they are read, as
:class:`Evaluation` (what a user sets) and the protocol say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from torch import Tensor
from torch.utils.data import Dataset

from robustvos.conditions import CLEAN
from robustvos.corruptions import AnyLayers, needs_layers
from robustvos.datasets.corruption import check_conditions, check_layers, corrupted_video, strength
from robustvos.datasets.prompts.prompting import describe_prompt, prompt_file_of, prompt_video
from robustvos.datasets.select import check_patterns, is_wanted, patterns_of
from robustvos.errors import BadMask, BadVideo, UserError
from robustvos.evaluation.protocol import Prompting, Protocol
from robustvos.evaluation.records import UnreadVideo
from robustvos.types import Video


@dataclass(frozen=True)
class Evaluation:
    """Which videos of a dataset are evaluated, and how.

    Attributes:
        conditions: ``clean`` and names of corruptions; the same videos under each.
        severity: Strength of the corruptions, above 0 and at most 5.
        preset: ``release`` or ``intended``; see :mod:`robustvos.corruptions`.
        prompt: ``mask``, ``box`` or ``points:N`` on the first annotated frame that shows an object; or, where the dataset
            takes one, the path of a prompt file (:mod:`robustvos.datasets.prompts.benchmark_files`), which names the
            videos and objects to track. None: the protocol's.
        max_objects: At most so many objects of a video, those of the lowest ids; None: the protocol's number, or all.
        max_frames: Use the first so many frames of each video; None: all.
        limit: Use the first so many videos; None: all.
        select: Use these videos alone: a name, a pattern such as ``dog*``, or several; None: all.
        in_turn: Each video under one of the conditions, in turn, instead of each under all: for the same time more videos,
            whose intervals are narrower; systems can still be paired.

    Raises:
        UserError: If a number is below 1 or the severity out of range.
        UnknownName: If a condition, the preset or the prompt is not known.
    """

    conditions: tuple[str, ...] = (CLEAN,)
    severity: float = 3.0
    preset: str = "intended"
    prompt: str | None = None
    max_objects: int | None = None
    max_frames: int | None = None
    limit: int | None = None
    select: str | list[str] | None = None
    in_turn: bool = False

    def __post_init__(self) -> None:
        check_conditions(tuple(self.conditions), self.severity, self.preset, layered=True)
        if not self.conditions:
            raise UserError("conditions is empty; give [clean], or names of corruptions")
        if self.prompt is not None:
            prompt_file_of(self.prompt)
        patterns_of(self.select)
        for name in ("max_objects", "max_frames", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}; give 1 or more, or null for all")

    def prompting(self, protocol: Protocol) -> Prompting:
        """The protocol's prompting with what is set here."""
        given = protocol.prompting
        return replace(given, kind=self.prompt or given.kind, max_objects=self.max_objects or given.max_objects)

    def facts(self, protocol: Protocol) -> dict[str, str]:
        """What decides the figures besides dataset, protocol and prompt, as words that follow each other.

        >>> from robustvos.evaluation.protocol import protocol_named
        >>> Evaluation(max_objects=3).facts(protocol_named("davis"))
        {'objects up to': '3', 'preset': 'intended', 'severity': '3'}
        """
        numbers = {"objects up to": self.prompting(protocol).max_objects, "first frames": self.max_frames}
        words = {name: str(number) for name, number in numbers.items() if number}
        return words | strength(self.preset, self.severity) | ({"conditions": "in turn"} if self.in_turn else {})


class VideoSet(ABC):
    """Videos of a dataset, opened when asked for.

    Attributes:
        names: Of the videos, in order; each once.
        label: What messages call the set.
        has_layers: Whether :meth:`layers` tells near from far, which local corruptions need.
        copies: The conditions that the set holds on disk, so that nothing is corrupted here; None: it holds clean videos.
        notes: Lines for the user, one for each kind of thing that is left out.
    """

    names: Sequence[str]
    label: str = "the dataset"
    has_layers: bool = False
    copies: tuple[str, ...] | None = None
    notes: Sequence[str] = ()

    @abstractmethod
    def video(self, index: int) -> Video:
        """Video ``index`` as the dataset has it: clean, every object, no prompts."""

    def prepare(self, indices: Sequence[int], prompting: Prompting) -> Sequence[int]:
        """Which of the chosen videos can be prompted as asked; called once, before any is opened.

        Raises:
            BadPrompt: If none can.
        """
        if prompt_file_of(prompting.kind) is not None:
            raise UserError(
                f"this dataset takes no prompt file; give mask, box or points:N instead of {prompting.kind}"
            )
        return indices

    def prompted(self, index: int, prompting: Prompting, max_frames: int | None, condition: str) -> Video:
        """Video ``index`` with its prompts and the objects that have one.

        Args:
            index: Which.
            prompting: Objects and prompts.
            max_frames: Of its first frames alone; None: all.
            condition: Of its copy on disk, where the set holds copies.

        Raises:
            BadMask: If nothing shows an object.
        """
        video = self.video(index)
        return prompt_video(video if max_frames is None else first_frames(video, max_frames), prompting)

    def layers(self, index: int, video: Video) -> AnyLayers | None:
        """What is near and far in as many frames as ``video``, of :meth:`prompted`, has; None: not known."""
        return None

    def seed_name(self, index: int) -> str:
        """What its corruptions are drawn from: a video is the same alone and among other sets."""
        return self.names[index]

    def __len__(self) -> int:
        return len(self.names)


class VideoList(VideoSet):
    """Videos by name and a function that opens one.

    Args:
        names: Of the videos.
        open_video: Gives the video of a name: clean, every object, no prompts.
    """

    def __init__(self, names: Sequence[str], open_video: Callable[[str], Video]) -> None:
        self.names = tuple(names)
        self._open = open_video

    def video(self, index: int) -> Video:
        """See :class:`VideoSet`."""
        return self._open(self.names[index])


class EvaluationVideos(Dataset[Video | UnreadVideo]):
    """Every chosen video under every condition, condition by condition; frames and masks are read as they are asked for.

    Args:
        videos: Of the dataset.
        settings: Which, and how.
        protocol: As it is on the dataset.
        tolerant: Give an :class:`UnreadVideo` where one cannot be read, instead of raising.

    Raises:
        DataNotFound: If a pattern of ``select`` fits no video.
        UserError: If a local corruption is asked of videos without layers, or there are fewer videos in turn than
            conditions.
        BadPrompt: If prompts of a file fit none of the videos.
    """

    def __init__(self, videos: VideoSet, settings: Evaluation, protocol: Protocol, tolerant: bool = False) -> None:
        self.videos, self.settings, self.tolerant = videos, settings, tolerant
        self.prompting = settings.prompting(protocol)
        if not videos.has_layers and videos.copies is None:
            check_layers(settings.conditions)
        chosen = videos.prepare(_chosen(videos, settings), self.prompting)
        conditions = tuple(settings.conditions)
        if settings.in_turn:
            if len(chosen) < len(conditions):
                raise UserError(
                    f"{len(chosen)} videos in turn cannot have {len(conditions)} conditions; take more videos"
                )
            self._items = [(conditions[place % len(conditions)], index) for place, index in enumerate(chosen)]
        else:
            self._items = [(condition, index) for condition in conditions for index in chosen]

    @property
    def prompt(self) -> str:
        """What results say of the prompts."""
        return describe_prompt(self.prompting.kind)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Video | UnreadVideo:
        """One video with its prompts, under its condition; masks are None on frames that carry no annotation.

        Raises:
            BadMask: If no annotation shows an object, or a mask cannot be read or has another size than the frames.
            BadVideo: If the first frame cannot be read; later ones raise it when they are asked for.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        condition, place = self._items[index]
        try:
            return self._video(condition, place)
        except (BadMask, BadVideo) as error:
            if not self.tolerant:
                raise
            return UnreadVideo(self.videos.names[place], condition, error)

    def _video(self, condition: str, place: int) -> Video:
        video = self.videos.prompted(place, self.prompting, self.settings.max_frames, condition)
        if self.videos.copies is not None:
            return replace(video, corruption=condition)
        layers = self.videos.layers(place, video) if needs_layers(condition) else None
        # Random numbers are drawn from the name that the video has in its own set.
        own = replace(video, name=self.videos.seed_name(place))
        corrupted = corrupted_video(own, condition, self.settings.severity, self.settings.preset, layers)
        return replace(corrupted, name=video.name)


def _chosen(videos: VideoSet, settings: Evaluation) -> list[int]:
    patterns = patterns_of(settings.select)
    names = [videos.seed_name(index) for index in range(len(videos))]
    if patterns is not None:
        check_patterns(patterns, {videos.label: names})
    return [index for index, name in enumerate(names) if is_wanted(name, patterns)][: settings.limit]


def first_frames(video: Video, count: int) -> Video:
    """A video's first frames."""
    return replace(
        video,
        frames=_First(video.frames, count),
        masks=_First(video.masks, count),
        amodal=None if video.amodal is None else _First(video.amodal, count),
        frame_names=video.frame_names[:count],
        prompts=tuple(prompt for prompt in video.prompts if prompt.frame < count),
    )


class _First(Sequence[Any]):
    """The first items of a lazy sequence, with whatever else it can do."""

    def __init__(self, items: Sequence[Tensor | None], count: int) -> None:
        self._items, self._count = items, min(count, len(items))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._items[range(self._count)[index]]

    def __getattr__(self, name: str) -> Any:  # void, matched_to
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._items, name)
