"""Follow prompted objects through a video, one frame in, its masks out, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from robustvos.errors import BadPrompt
from robustvos.sam2.candidates import Proposals, propose
from robustvos.sam2.forward import LONG_VIDEO, Answer, FrameFeatures, Query, ask, encode_image, encode_memory, upsample
from robustvos.sam2.memory import Memory, MemoryBank, Reach, collate
from robustvos.sam2.memory_policies.base import MemoryPolicy, PolicyBank
from robustvos.sam2.postprocessing import (
    PREDICTOR_HOLE_AREA,
    UPSAMPLING,
    exclusive_masks,
    fill_holes,
    follow_edges,
    predictor_extras,
)
from robustvos.sam2.preprocess import RESIZING, Resize, check_frame, preprocess
from robustvos.sam2.prompts import check_prompts, point_count, stack_masks, stack_points
from robustvos.sam2.scout import Scout
from robustvos.sam2.views import VIEW, View, Window
from robustvos.types import Prompt, TrackedFrame, empty_masks

_Thing = TypeVar("_Thing")
_PREVIOUS_LOGITS = 32.0  # bound on logits that correction clicks start from, as in SAM 2's predictor


class Tracker:
    """Streams a video through a SAM 2.

    Gives the masks of SAM 2's own video predictor, with these differences: frames come one at a time and are forgotten,
    objects that remember the same frames share one forward pass, objects may appear, be corrected and be removed at any
    frame, and memory does not grow with the video. The future is not known: an object is tracked from its first prompt
    on, and a prompt never changes earlier frames. A prompt for an object that is already tracked is a correction: its
    clicks start from the mask tracked on that frame, and (if the model says ``add_all_frames_to_correct_as_cond``, as
    ours do) the frame becomes one the object is conditioned on. A model may say that its trackers look at a window
    (``view``), and that masks follow edges (:mod:`robustvos.sam2.postprocessing`); SAM 2's own do neither.

    For mixed precision run it under ``torch.autocast``; the weights stay float32, as SAM 2's own code needs them.

    Args:
        model: A ``SAM2Base`` in eval mode; it decides device and precision.
        non_overlapping: Whether a pixel may belong to one object only, the one with the highest logit. SAM 2's
            evaluation on DAVIS-like data resolves overlaps, that on SA-V does not. It changes ``logits`` only in that
            ``view`` is ``frame`` without it.
        fill_hole_area: Fill holes up to this many pixels of the low-resolution mask; 0 fills none.
        max_conditioning_frames: Keep at most this many prompted frames per object, the first and the latest; at least
            2. None keeps all, as SAM 2 does: memory then grows with the number of prompts, not of frames.
        num_frames: Length of the video if known. SAM 2 scales the age of object pointers by the length of videos
            shorter than its ``max_obj_ptrs_in_encoder`` (16); None takes the video for longer than that.
        predictor_postprocessing: Turn on what SAM 2's predictor has on when it is built with ``apply_postprocessing``
            (see :mod:`robustvos.sam2.postprocessing`), with holes of 8 pixels unless ``fill_hole_area`` says otherwise.
            Off by default, because the published VOS results were made without.
        policy: Which masks are believed and which memories looked at (:mod:`robustvos.sam2.memory_policies`); None: as
            SAM 2 has it.
        view: ``frame``: all of each frame is looked at, as SAM 2 has it; ``objects``: a window that follows the objects
            (:class:`robustvos.sam2.views.FollowingWindow`). None: as the model was built, but ``frame`` where places are
            remembered from frame to frame or objects hide behind others: with a ``policy``, and where masks may overlap.

    Attributes:
        active_ids: Ids of the rows of the forward pass now running or just run, for hooks on the model's modules.

    Raises:
        ValueError: If ``max_conditioning_frames`` is below 2.
    """

    def __init__(
        self,
        model: Any,
        *,
        non_overlapping: bool = True,
        fill_hole_area: int = 0,
        max_conditioning_frames: int | None = None,
        num_frames: int | None = None,
        predictor_postprocessing: bool = False,
        policy: MemoryPolicy | None = None,
        view: View | None = None,
    ) -> None:
        if max_conditioning_frames is not None and max_conditioning_frames < 2:
            raise ValueError(
                f"max_conditioning_frames must be at least 2 (first and latest), got {max_conditioning_frames}"
            )
        self.model = model
        self.non_overlapping = non_overlapping
        self.fill_hole_area = fill_hole_area or (PREDICTOR_HOLE_AREA if predictor_postprocessing else 0)
        self.max_conditioning_frames = max_conditioning_frames
        self.num_frames = num_frames
        self.predictor_postprocessing = predictor_postprocessing
        self.policy = policy
        stays = policy is not None or not non_overlapping
        built: View = getattr(model, VIEW, "frame")
        self.view: View = view or ("frame" if stays else built)
        self._active_ids: tuple[int, ...] = ()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is frame 0 of another video."""
        self._banks: dict[int, MemoryBank] = {}
        self._picked: dict[int, list[Answer]] = {}  # by the policy on this frame
        self._position: Tensor | None = None
        self._scout = Scout(self._seeing_all()) if self.view == "objects" else None
        self._index = 0
        self._size: tuple[int, int] | None = None

    def _seeing_all(self) -> Tracker:
        """Another, set alike, that looks at whole frames."""
        return Tracker(
            self.model,
            non_overlapping=self.non_overlapping,
            fill_hole_area=self.fill_hole_area,
            max_conditioning_frames=self.max_conditioning_frames,
            predictor_postprocessing=self.predictor_postprocessing,
            policy=self.policy,
            view="frame",
        )

    @property
    def active_ids(self) -> tuple[int, ...]:
        """See the class."""
        return self._scout.active_ids if self._scout is not None and self._scout.looking else self._active_ids

    @property
    def index(self) -> int:
        """Index that the next frame will have."""
        return self._index

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Objects being tracked, in the order they were introduced."""
        return tuple(self._banks)

    def remove(self, object_id: int) -> None:
        """Stop tracking an object and forget it; a later prompt with its id introduces it anew.

        Raises:
            BadPrompt: If no such object is tracked.
        """
        if object_id not in self._banks:
            raise BadPrompt(f"no object {object_id} to remove; tracked are: {_listed(self._banks)}")
        del self._banks[object_id]
        if self._scout is not None:
            self._scout.remove(object_id)

    def jump(self) -> None:
        """Say that the next frame does not follow the last one: a cut, or frames that are not shown.

        What is remembered stays; only that things are near where they were is no longer taken for granted.
        """
        if self._scout is not None:
            self._scout.window.jump()

    def step(self, frame: Tensor, prompts: Sequence[Prompt] = ()) -> TrackedFrame:
        """Take the next frame of the video and find every object on it.

        Args:
            frame: ``(3, H, W)`` uint8; every frame of a video has one size.
            prompts: What is said about objects on this frame, at most one prompt per object.

        Returns:
            The masks of all objects introduced so far, in the order they were introduced, on the model's device; no
            rows before the first prompt.

        Raises:
            BadVideo: If the frame is not uint8 RGB, or of another size than those before.
            BadPrompt: If a prompt is for another frame, does not fit the frame, or is the second for its object.
            BadMask: If a mask prompt is not bool or not of the frame's size.
            ValueError: If the model is in training mode or its weights are half precision.
        """
        self._check_model()
        size = check_frame(frame, self._index, self._size)
        prompted = check_prompts(prompts, self._index, size)
        if self._banks or prompted:
            with torch.inference_mode(), predictor_extras(self.model, self.predictor_postprocessing):
                answer, window = self._advance(frame, prompted, size)
            found = self._present(answer, frame, window)
        else:
            masks = empty_masks(size).to(self._device())
            scores = masks.new_zeros(0, dtype=torch.float32)
            found = TrackedFrame(self._index, (), masks, masks.float(), scores, scores)
        self._size = size
        self._index += 1
        return found

    def _squared(self, frame: Tensor) -> Tensor:
        """``(1, 3, S, S)``, as the model was built to see frames."""
        resizing: Resize = getattr(self.model, RESIZING, "fast")
        return preprocess(frame, self.model.image_size, self._device(), resizing)[None]

    def _advance(self, frame: Tensor, prompted: dict[int, Prompt], size: tuple[int, int]) -> tuple[Answer, Window]:
        """Track known objects, apply the prompts, remember both; and where was looked."""
        if self._scout is None:
            window = Window(0, 0, *size)
            features, answer = self._find(frame, prompted, window)
        else:
            seen = self._scout.look(frame, prompted, self._index)
            told = prompted | {i: Prompt(i, mask=one.mask, frame=self._index) for i, one in seen.items()}
            window = self._scout.window.place(size, told.values())
            features, answer = self._find(frame, told, window)
            for i, one in seen.items():
                answer = answer.scored(i, one.presence, one.iou)
            self._scout.window.saw(window, answer.object_ids, answer.low_res[:, 0] > 0)
        self._remember(features, answer, prompted)
        return answer, window

    def _find(self, frame: Tensor, prompted: dict[int, Prompt], window: Window) -> tuple[FrameFeatures, Answer]:
        """All objects, tracked or prompted, in a window of the frame."""
        features = encode_image(self.model, self._squared(window.cut(frame)))
        # a mask prompt replaces what would be tracked; clicks correct it
        tracked_ids = [i for i in self._banks if i not in prompted or prompted[i].mask is None]
        parts = self._track(features, tracked_ids)
        if prompted:
            tracked = Answer.join(parts) if parts else None
            unprompted = [i for i in tracked_ids if i not in prompted]
            parts = [tracked.take(unprompted)] if tracked and unprompted else []
            said = {i: window.prompt(prompt) for i, prompt in prompted.items()}
            for group in _grouped(said, lambda i: self._prompt_signature(said[i])):
                parts.append(self._apply_prompts(features, [said[i] for i in group], tracked, window.size))
        order = [*self._banks, *(i for i in prompted if i not in self._banks)]
        return features, Answer.join(parts).take(order)

    def _track(self, features: FrameFeatures, object_ids: Sequence[int]) -> list[Answer]:
        """Those that remember the same frames in one forward pass."""
        if self.policy is not None:
            return self._track_by_policy(features, object_ids)
        groups = _grouped(object_ids, lambda i: self._banks[i].signature(self._index))
        return [self._ask(features, self._query(group)) for group in groups]

    def _track_by_policy(self, features: FrameFeatures, object_ids: Sequence[int]) -> list[Answer]:
        """Every path of every object is asked; the policy picks among what they propose."""
        paths = [(i, p) for i in object_ids for p in range(len(self._bank(i).paths))]
        groups = _grouped(paths, lambda path: self._path(path).signature(self._index))
        proposed: dict[tuple[int, int], tuple[Answer, Proposals, int]] = {}
        for group in groups:
            query = self._query([i for i, _ in group], [self._path(path) for path in group])
            answer, candidates = propose(self.model, features, query, [self._bank(i).weights(p) for i, p in group])
            self._active_ids = query.object_ids
            for row, path in enumerate(group):
                proposed[path] = (answer, candidates, row)
        answers = []
        for i in object_ids:
            mine = [proposed[i, p] for p in range(len(self._bank(i).paths))]
            picks = self._bank(i).pick([candidates.of(row) for _, candidates, row in mine])
            chosen = [mine[pick.path][1].chosen(*mine[pick.path][::2], pick.candidate) for pick in picks]
            self._picked[i] = chosen = [replace(a, low_res=fill_holes(a.low_res, self.fill_hole_area)) for a in chosen]
            answers.append(chosen[0])
        return answers

    def _bank(self, object_id: int) -> PolicyBank:
        bank = self._banks[object_id]
        assert isinstance(bank, PolicyBank)
        return bank

    def _path(self, path: tuple[int, int]) -> MemoryBank:
        return self._bank(path[0]).paths[path[1]]

    def _apply_prompts(
        self, features: FrameFeatures, prompts: Sequence[Prompt], tracked: Answer | None, size: tuple[int, int]
    ) -> Answer:
        """Find objects that were prompted alike: all with masks, or all with as many points and as much memory."""
        query = self._query([prompt.object_id for prompt in prompts])
        side, device = self.model.image_size, self._device()
        if prompts[0].mask is not None:
            query = replace(query, masks=stack_masks(prompts, side, device))
        else:
            query = replace(query, points=stack_points(prompts, size, side, device))
            if not query.introduces and tracked is not None:
                previous = tracked.take(query.object_ids).low_res
                query = replace(query, previous=previous.clamp(-_PREVIOUS_LOGITS, _PREVIOUS_LOGITS))
        answer = self._ask(features, query)
        # the predictor remembers the low-resolution mask of prompted frames, also where the prompt was a finer mask
        return replace(answer, high_res=upsample(answer.low_res, (side, side)))

    def _query(self, object_ids: Sequence[int], banks: Sequence[MemoryBank] | None = None) -> Query:
        known = banks or [self._banks[i] for i in object_ids if i in self._banks]
        count = LONG_VIDEO if self.num_frames is None else max(self.num_frames, self._index + 1)
        memories = collate(known, self._position, self._index) if len(known) == len(object_ids) else {}
        return Query(tuple(object_ids), self._index, count, memories, introduces=not known)

    def _ask(self, features: FrameFeatures, query: Query) -> Answer:
        self._active_ids = query.object_ids
        answer = ask(self.model, features, query)
        return replace(answer, low_res=fill_holes(answer.low_res, self.fill_hole_area))

    def _remember(self, features: FrameFeatures, answer: Answer, prompted: dict[int, Prompt]) -> None:
        self._active_ids = answer.object_ids
        memories, self._position = encode_memory(
            self.model, features, answer, [i in prompted for i in answer.object_ids]
        )
        corrections_condition = getattr(self.model, "add_all_frames_to_correct_as_cond", True)
        for row, object_id in enumerate(answer.object_ids):
            conditioning = object_id in prompted and (object_id not in self._banks or corrections_condition)
            if object_id not in self._banks:
                self._banks[object_id] = self._new_bank()
            memory = Memory(answer.pointers[row], memories[row])
            if answer.motion.shape[1]:
                memory = replace(memory, mask=answer.low_res[row], motion=answer.motion[row])
            if object_id in self._picked and object_id not in prompted:
                self._remember_picked(features, object_id, memory)
            else:
                self._banks[object_id].remember(self._index, memory, conditioning)
        self._picked = {}

    def _remember_picked(self, features: FrameFeatures, object_id: int, first: Memory) -> None:
        """The memories of every mask that the policy believes; the first is there already."""
        memories = [first]
        for answer in self._picked[object_id][1:]:
            encoded, _ = encode_memory(self.model, features, answer, [False])
            memory = replace(first, pointer=answer.pointers[0], features=encoded[0])
            memories.append(memory if memory.mask is None else replace(memory, mask=answer.low_res[0]))
        self._bank(object_id).remember_paths(self._index, memories)

    def _new_bank(self) -> MemoryBank:
        reach = Reach.of(self.model)
        if self.policy is None:
            return MemoryBank(reach, self.max_conditioning_frames)
        return self.policy.bank(reach, self.max_conditioning_frames)

    @torch.no_grad()  # not inference mode: what leaves is an ordinary tensor that callers may change
    def _present(self, answer: Answer, frame: Tensor, window: Window) -> TrackedFrame:
        logits = upsample(answer.low_res, window.size)[:, 0]
        if getattr(self.model, UPSAMPLING, "bilinear") == "guided":
            logits = follow_edges(logits, window.cut(frame))
        logits = window.paste(logits, (frame.shape[-2], frame.shape[-1]))
        return TrackedFrame(
            index=self._index,
            object_ids=answer.object_ids,
            masks=exclusive_masks(logits) if self.non_overlapping else logits > 0,
            logits=logits,
            presence=answer.presence[:, 0].float().clone(),
            predicted_iou=answer.ious.float().clone(),
        )

    def _prompt_signature(self, prompt: Prompt) -> Hashable:
        """Equal for prompts that can share a forward pass; padding points would change SAM 2's answer."""
        bank = self._banks.get(prompt.object_id)
        if prompt.mask is not None and self.model.use_mask_input_as_output_without_sam:
            return "mask"  # memory is not looked at
        return prompt.mask is not None, point_count(prompt), bank and bank.signature(self._index)

    def _check_model(self) -> None:
        if self.model.training:
            raise ValueError("the model is in training mode; call model.eval() before tracking")
        if (dtype := next(self.model.parameters()).dtype) != torch.float32:
            raise ValueError(f"the model's weights are {dtype}; keep them float32 and track under torch.autocast")

    def _device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device


def track(model: Any, frames: Iterable[Tensor], prompts: Iterable[Prompt], **options: Any) -> Iterator[TrackedFrame]:
    """Track objects through a whole video, lazily.

    Args:
        model: A ``SAM2Base`` in eval mode.
        frames: ``(3, H, W)`` uint8 each; read one at a time.
        prompts: All prompts of the video; each is given to the tracker when its frame comes.
        options: Those of :class:`Tracker`.

    Yields:
        One result per frame.

    Raises:
        BadPrompt: Besides the reasons of :meth:`Tracker.step`: at the end, if a prompt's frame never came.
    """
    waiting: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        waiting.setdefault(prompt.frame, []).append(prompt)
    tracker = Tracker(model, **options)
    for frame in frames:
        yield tracker.step(frame, waiting.pop(tracker.index, []))
    if waiting:
        raise BadPrompt(f"prompts for frames {_listed(waiting)} were not used: the video has {tracker.index} frames")


def _grouped(things: Iterable[_Thing], key: Callable[[_Thing], Hashable]) -> list[list[_Thing]]:
    """Those with equal keys together, in order of first appearance."""
    groups: dict[Hashable, list[_Thing]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return list(groups.values())


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers)) or "none"
