"""Real-VAS, or any set in its native format (TABE-51 is one); without a root, a small drawn sample of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from torch.utils.data import DataLoader, Dataset

from datamodules.base import Data
from datamodules.realvas_sample import EmbeddedSample, cache_folder, ensure_sample
from robustvos.errors import BadMask, DataNotFound, UserError
from robustvos.seeding import derive_seed
from robustvos.types import Video
from robustvos.video.native import QUERY_ID, NativeClip, find_native_clips
from robustvos.video.prompts import parse_prompt_kind, prompt_from_mask


class RealVAS(Data):
    """Clips whose query object is behind or inside something for a while; the task is its amodal mask in every frame.

    Validation, test and predict have the same clips; there is nothing to train on.

    Args:
        root: Folder of clips in the native format; None: a sample, drawn once into ``$ROBUSTVOS_CACHE`` or
            ``~/.cache/robustvos``.
        prompt: ``mask``, ``box`` or ``points:N`` on the first frame.
        clips: Names of the clips to use, in this order; None: all.
        limit: Use at most this many; None: all.
        sample: What is drawn if there is no root.

    Raises:
        UnknownName: If the prompt is of no known kind.
        UserError: If the limit is below 1.
    """

    name = "realvas"
    task = "amodal"

    def __init__(
        self,
        root: Path | None = None,
        prompt: str = "mask",
        clips: list[str] | None = None,
        limit: int | None = None,
        sample: EmbeddedSample = EmbeddedSample(),  # noqa: B008
    ) -> None:
        super().__init__()
        parse_prompt_kind(prompt)
        if limit is not None and limit < 1:
            raise UserError(f"limit is {limit}; give 1 or more, or leave it out for all clips")
        self.root = Path(root).expanduser() if root is not None else None
        self.prompt = prompt
        self.clips = clips
        self.limit = limit
        self.sample = sample

    def prepare_data(self) -> None:
        """Draw the sample, if it is needed; Lightning calls this in one process of each machine."""
        if self.root is not None:
            return
        clips = self.sample.clips()
        kinds = Counter(clip.category for clip in clips)
        place = _home_as_tilde(cache_folder())
        print(
            f"realvas: no --data.root given; using the embedded sample "
            f"({len(clips)} rendered clips, {len(kinds)} categories) in {place}",
            flush=True,
        )
        ensure_sample(clips, cache_folder())

    def train_dataloader(self) -> NoReturn:
        """There is none.

        Raises:
            UserError: Always.
        """
        raise UserError("Real-VAS is an evaluation set without training clips; train on another: --data shapes")

    def val_dataloader(self) -> DataLoader:
        """One video an item; every clip must have its whole masks."""
        return DataLoader(RealVASVideos(self._find(), self.prompt), batch_size=None, num_workers=0)

    def test_dataloader(self) -> DataLoader:
        """The same videos."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader:
        """The same videos; clips without whole masks are taken too."""
        return DataLoader(RealVASVideos(self._find(), self.prompt, scored=False), batch_size=None, num_workers=0)

    def _find(self) -> tuple[NativeClip, ...]:
        # Costs a few file listings if prepare_data has run, here or in the process that speaks for this machine.
        root = self.root or ensure_sample(self.sample.clips(), cache_folder())
        return find_native_clips(root, self.clips)[: self.limit]


class RealVASVideos(Dataset):
    """Clips as videos with the prompt that the benchmark gives.

    Args:
        clips: What :func:`robustvos.video.native.find_native_clips` found.
        prompt: ``mask``, ``box`` or ``points:N``.
        scored: Whether every clip must have its whole masks.

    Raises:
        DataNotFound: If a clip that is to be scored has no whole masks.
    """

    def __init__(self, clips: Sequence[NativeClip], prompt: str = "mask", *, scored: bool = True) -> None:
        for clip in clips if scored else ():
            if clip.amodal is None:
                raise DataNotFound(
                    f"looked for gt_masks in {clip.frames.path.parent}, found none, so it cannot be scored; "
                    "add the amodal masks, or use predict"
                )
        self.clips = clips
        self.prompt = prompt

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Video:
        clip = self.clips[index]
        first = clip.modal[0]
        if first is None or not first.any():
            raise BadMask(
                f"{clip.modal.paths[0]}: the query object is not seen in the first frame; trim the clip's start"
            )
        seed = derive_seed("realvas", clip.name)
        return Video(
            name=clip.name,
            frames=clip.frames,
            object_ids=(QUERY_ID,),
            masks=clip.modal,
            amodal=clip.amodal,
            prompts=(prompt_from_mask(first[0], QUERY_ID, self.prompt, seed=seed),),
            frame_names=clip.frames.frame_names,
            size=clip.frames.size,
            tags={} if clip.category is None else {"category": clip.category},
        )


def _home_as_tilde(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
