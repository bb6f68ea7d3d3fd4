"""Clips in Real-VAS's native form as evaluation videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from robustvos.datasets.evaluation import VideoSet, first_frames
from robustvos.errors import BadMask, DataNotFound
from robustvos.evaluation.protocol import Prompting
from robustvos.seeding import derive_seed
from robustvos.types import Video
from robustvos.video.native import NativeClip
from robustvos.video.native_tree import QUERY_ID
from robustvos.video.prompts import prompt_from_mask


class NativeVideos(VideoSet):
    """One query object a clip, prompted on the first frame.

    Args:
        clips: What :func:`robustvos.video.native.find_native_clips` found.
        scored: Whether every clip must have its whole masks.
        label: What messages call the set.

    Raises:
        DataNotFound: If a clip that is to be scored has no whole masks.
    """

    def __init__(self, clips: Sequence[NativeClip], *, scored: bool = True, label: str = "the dataset") -> None:
        for clip in clips if scored else ():
            if clip.amodal is None:
                raise DataNotFound(
                    f"looked for gt_masks in {clip.frames.path.parent}, found none, so it cannot be scored; "
                    "add the amodal masks, or use predict"
                )
        self.clips, self.label = clips, label
        self.names = tuple(clip.name for clip in clips)

    def video(self, index: int) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        clip = self.clips[index]
        return Video(
            name=clip.name,
            frames=clip.frames,
            object_ids=(QUERY_ID,),
            masks=clip.modal,
            amodal=clip.amodal,
            prompts=(),
            frame_names=clip.frames.frame_names,
            size=clip.frames.size,
            tags={} if clip.category is None else {"category": clip.category},
        )

    def prompted(self, index: int, prompting: Prompting, max_frames: int | None, condition: str) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`.

        Raises:
            BadMask: If the first frame does not show the object.
        """
        clip = self.clips[index]
        first = clip.modal[0]
        if first is None or not first.any():
            raise BadMask(
                f"{clip.modal.paths[0]}: the query object is not seen in the first frame; trim the clip's start"
            )
        video = self.video(index) if max_frames is None else first_frames(self.video(index), max_frames)
        prompt = prompt_from_mask(first[0], QUERY_ID, prompting.kind, seed=derive_seed("realvas", clip.name))
        return replace(video, prompts=(prompt,))
