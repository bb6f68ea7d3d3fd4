"""How well a tracker knows that an object cannot be seen: AUC of its object scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from callbacks.base import VideoCallback, run_folder, video_folder
from robustvos.evaluation.records import VideoResult
from robustvos.files.atomic import atomic_write_text
from robustvos.types import TrackedFrame, Video

FILE = "presence.json"


class PresenceScores(VideoCallback):
    """Compare SAM 2's object scores with whether the truth shows the object, over all tested objects and frames.

    Frames up to an object's prompt do not count, nor do those without ground truth. Writes ``presence.json``, see
    :func:`presence_figures`. Use it with ``--trainer.callbacks+=callbacks.PresenceScores``.
    """

    def __init__(self) -> None:
        self._pairs: dict[str, list[tuple[float, bool]]] = {}
        self._open: list[tuple[float, bool]] = []  # of the video at hand, which may fail
        self._line: str | None = None

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget an earlier run."""
        self._pairs = {}

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Forget a video that could not be tracked to its end: it is in no figure."""
        self._open = []

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Keep score and truth of each object that is tracked on this frame."""
        truth = video.masks[tracked.index] if trainer.testing else None
        if truth is None:
            return
        prompted = {prompt.object_id: prompt.frame for prompt in reversed(video.prompts)}
        for object_id, score in zip(tracked.object_ids, tracked.presence.tolist(), strict=True):
            if prompted.get(object_id, tracked.index) < tracked.index:
                self._open.append((score, bool(truth[video.object_ids.index(object_id)].any())))

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Count a video that was tracked to its end."""
        if trainer.testing:
            self._pairs[video_folder(video)], self._open = self._open, []

    def video_state(self, video: Video) -> list[tuple[float, bool]]:
        """The scores and truths of a video."""
        return self._pairs.get(video_folder(video), [])

    def on_known_video(self, trainer: L.Trainer, module: Any, video: Video, state: Any) -> None:
        """Take them up again."""
        self._pairs[video_folder(video)] = [(score, shown) for score, shown in state or []]

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the figures, over the videos of all processes."""
        parts: list[Any] = [self._pairs]
        if trainer.world_size > 1:
            parts = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, self._pairs)
        folder = run_folder(trainer)  # all processes must ask for it together
        if trainer.is_global_zero:
            videos = {name: pairs for part in parts for name, pairs in part.items()}  # one that two processes had: once
            figures = presence_figures([pair for pairs in videos.values() for pair in pairs])
            atomic_write_text(folder / FILE, json.dumps(figures, indent=1))
            self._line = f"presence: {_figures(figures)}; {folder / FILE}"

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Print the figures, now that no progress bar is in the way."""
        if self._line:
            print(self._line, flush=True)
        self._line = None


def presence_figures(pairs: Sequence[tuple[float, bool]]) -> dict[str, float | int | None]:
    """``auc``, the area under the ROC curve, and how often objects were ``seen`` and ``not_seen``.

    Args:
        pairs: Score of an object on a frame, and whether the truth shows it there.

    Returns:
        ``auc`` is None unless objects are both seen and not seen.

    >>> presence_figures([(3.0, True), (-1.0, False), (0.5, True), (1.0, False)])
    {'auc': 0.75, 'seen': 2, 'not_seen': 2}
    >>> presence_figures([(3.0, True)])["auc"]
    """
    seen = sum(shown for _, shown in pairs)
    auc = None
    if 0 < seen < len(pairs):
        scores = torch.tensor([score for score, _ in pairs], dtype=torch.float64).sigmoid()
        auc = float(binary_auroc(scores, torch.tensor([int(shown) for _, shown in pairs])))
    return {"auc": auc, "seen": seen, "not_seen": len(pairs) - seen}


def _figures(figures: Mapping[str, float | int | None]) -> str:
    auc = figures["auc"]
    shown = "AUC not defined" if auc is None else f"AUC {auc:.3f}"
    return f"{shown}; objects were seen on {figures['seen']} frames, and not on {figures['not_seen']}"
