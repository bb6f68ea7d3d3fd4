"""Masks of a prompted region over time: one protocol, and three sources of masks.

* :class:`TrackedRegions`: a promptable tracker (SAM 2); the one for real weights.
* :class:`FlowRegions`: the mask carried on by dense optical flow; without weights it is the better one on real pixels.
* :class:`GivenRegions`: masks that exist already, from an annotator or another system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from robustvos.errors import BadMask, BadPrompt, DataNotFound
from robustvos.types import Prompt, TrackedFrame
from robustvos.video.masks import masks_from_ids, read_indexed_mask

_NEW: Any = None
"""Where OpenCV writes a result: a new array. Its type stubs know no None."""

Mask = NDArray[np.bool_]


class Steps(Protocol):
    """What a streaming tracker must do; :class:`robustvos.sam2.tracker.Tracker` does."""

    def step(self, frame: Tensor, prompts: Sequence[Prompt] = ()) -> TrackedFrame:
        """Take the next frame and the prompts on it."""

    def reset(self) -> None:
        """Forget everything."""


class RegionSource(Protocol):
    """Gives the visible mask of one prompted region in consecutive frames."""

    def masks(self, frames: Sequence[Tensor], prompts: Sequence[Prompt], last: int) -> Iterator[Mask]:
        """``(H, W)`` bool for each frame from the first prompt's to ``last``; frames before it are not read.

        Args:
            frames: The video.
            prompts: At least one, all for one object, by frame; later ones correct.
            last: Index of the last frame.
        """


class TrackedRegions:
    """Masks of a promptable tracker.

    Args:
        tracker: Makes a tracker for one run through the video.
    """

    def __init__(self, tracker: Callable[[], Steps]) -> None:
        self._tracker = tracker

    def masks(self, frames: Sequence[Tensor], prompts: Sequence[Prompt], last: int) -> Iterator[Mask]:
        """See :meth:`RegionSource.masks`."""
        tracker, first = self._tracker(), prompts[0].frame
        for t in range(first, last + 1):
            # A tracker counts the frames that it was given.
            said = [_moved(prompt, t - first) for prompt in prompts if prompt.frame == t]
            found = tracker.step(frames[t], said)
            yield found.masks[0].cpu().numpy()


class FlowRegions:
    """The prompted mask carried from frame to frame by dense optical flow (DIS); it does not know when a thing is hidden.

    A pixel stays in the mask if flow comes back to where it started (to within ``back_error`` pixels) and its
    surroundings kept their colour; what is hidden is therefore lost, and does not come back without a prompt.

    Args:
        mask_of: Turns a prompt by points or box into a mask; None: masks only.
        back_error: Pixels.
        colour_error: Mean absolute difference, grey levels.
        remnant: Less than this share of the largest recent mask is what flow leaves of a thing that is gone.
    """

    def __init__(
        self,
        mask_of: Callable[[Tensor, Prompt], Mask] | None = None,
        back_error: float = 2.0,
        colour_error: float = 30.0,
        remnant: float = 0.04,
    ) -> None:
        self._mask_of, self._back_error, self._colour_error = mask_of, back_error, colour_error
        self._remnant = remnant

    def masks(self, frames: Sequence[Tensor], prompts: Sequence[Prompt], last: int) -> Iterator[Mask]:
        """See :meth:`RegionSource.masks`."""
        by_frame = {prompt.frame: prompt for prompt in prompts}
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        mask, before, most = np.zeros(0, bool), np.zeros(0, np.uint8), 0.0
        for t in range(prompts[0].frame, last + 1):
            picture = np.ascontiguousarray(frames[t].permute(1, 2, 0).numpy())
            if t in by_frame:
                mask = self._prompted(frames[t], by_frame[t])
                most = float(mask.sum())
            else:
                mask = self._carried(flow, before, picture, mask)
                most = max(0.99 * most, float(mask.sum()))
                if mask.sum() < self._remnant * most:
                    mask = np.zeros_like(mask)
            before = picture
            yield mask

    def _prompted(self, frame: Tensor, prompt: Prompt) -> Mask:
        if prompt.mask is not None:
            return prompt.mask.numpy()
        if self._mask_of is None:
            raise BadPrompt(f"object {prompt.object_id} on frame {prompt.frame} needs a mask; points need a tracker")
        return self._mask_of(frame, prompt)

    def _carried(
        self, flow: cv2.DISOpticalFlow, before: NDArray[np.uint8], after: NDArray[np.uint8], mask: Mask
    ) -> Mask:
        if not mask.any():
            return mask
        a, b = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after))
        back = flow.calc(b, a, _NEW)
        forth = flow.calc(a, b, _NEW)
        grid = np.stack(np.meshgrid(np.arange(a.shape[1]), np.arange(a.shape[0])), -1).astype(np.float32)
        source = grid + back
        returned = back + cv2.remap(forth, source, _NEW, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        colours = cv2.remap(before, source, _NEW, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        change = cv2.blur(cv2.absdiff(colours, after).mean(2).astype(np.float32), (3, 3))
        share = cv2.remap(mask.astype(np.float32), source, _NEW, cv2.INTER_LINEAR)
        kept = (share > 0.5) & (np.abs(returned).max(2) < self._back_error) & (change < self._colour_error)
        # Single pixels that failed the checks are noise, single pixels that passed are too.
        kernel = np.ones((3, 3), np.uint8)
        return np.asarray(cv2.morphologyEx(cv2.morphologyEx(kept.astype(np.uint8), 3, kernel), 2, kernel) > 0)


class GivenRegions:
    """Masks that exist: ``<folder>/<frame name>.png``, ids of objects as stored; a frame without a file has no mask.

    Args:
        folder: The masks.
        frame_names: Of the video's frames.

    Raises:
        DataNotFound: If the folder is missing or has no mask of any frame.
    """

    def __init__(self, folder: Path, frame_names: Sequence[str]) -> None:
        self.paths = [folder / f"{name}.png" for name in frame_names]
        if not any(path.exists() for path in self.paths):
            raise DataNotFound(
                f"{folder} holds no mask of a frame; looked for {self.paths[0].name}, ...; name masks as the frames"
            )

    def masks(self, frames: Sequence[Tensor], prompts: Sequence[Prompt], last: int) -> Iterator[Mask]:
        """See :meth:`RegionSource.masks`."""
        for t in range(prompts[0].frame, last + 1):
            size = tuple(frames[t].shape[-2:])
            if not self.paths[t].exists():
                yield np.zeros(size, bool)
                continue
            ids = read_indexed_mask(self.paths[t])
            if ids.shape != size:
                raise BadMask(
                    f"{self.paths[t]} is {ids.shape[1]}x{ids.shape[0]}, the frame {size[1]}x{size[0]} pixels; export it at "
                    "that size"
                )
            yield masks_from_ids(ids, [prompts[0].object_id])[0].numpy()


def _moved(prompt: Prompt, frame: int) -> Prompt:
    return Prompt(prompt.object_id, prompt.points, prompt.labels, prompt.box, prompt.mask, frame)


def as_mask(prompt: Prompt, frames: Sequence[Tensor], source: RegionSource) -> Mask:
    """The mask that a prompt means in its own frame.

    Raises:
        BadPrompt: If the source finds nothing there.
    """
    if prompt.mask is not None:
        return prompt.mask.numpy()
    mask = next(iter(source.masks(frames, [prompt], prompt.frame)))
    if not mask.any():
        raise BadPrompt(
            f"nothing was found at the prompt of object {prompt.object_id} on frame {prompt.frame}; give a mask"
        )
    return mask
