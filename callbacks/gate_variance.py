"""What the gates of a tested system vary with: objects, frames or conditions."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from callbacks.base import VideoCallback, video_folder
from callbacks.gate_rows import GateRows
from robustvos.adapters import GatedAdapter
from robustvos.evaluation import gate_variance
from robustvos.evaluation.records import VideoResult
from robustvos.evaluation.results import GATE_VARIANCE
from robustvos.types import TrackedFrame, Video


class GateVariance(VideoCallback):
    """Divide the variance of all gates of a test into what object, frame and condition explain, and the rest.

    See :mod:`robustvos.evaluation.gate_variance`. The gates of all projections count, on every frame on which the adapter takes
    part, of every tested video. ``results.json`` keeps the shares, those of shuffled labels, and the number of rows, under
    ``findings``; systems without gates have none. Use it with ``--trainer.callbacks+=callbacks.GateVariance``.
    """

    def __init__(self) -> None:
        self._gates = GateRows(lambda gates: torch.cat(list(gates.values()), dim=-1))
        self._videos: dict[str, dict[str, Any]] = {}  # folder of a video under a condition -> its rows
        self._rows: dict[str, Any] = {}  # of the video being tracked
        self._unknown: list[str] = []  # videos of a resumed test that was begun without this
        self._found: dict[str, Any] = {}

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget an earlier run."""
        self._videos, self._found, self._rows, self._unknown = {}, {}, {}, []

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Listen to memory attention."""
        self._gates.end()
        if trainer.testing and isinstance(getattr(module, "adapter", None), GatedAdapter):
            self._gates.begin(module)
            about = {"video": video.name, "condition": video.corruption}
            self._rows = {**about, "objects": [], "frames": [], "gates": []}

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Keep the gates of this frame."""
        if not self._gates.is_listening:
            return
        rows = self._rows
        for object_id, gate in self._gates.take(tracked).items():
            rows["objects"].append(object_id)
            rows["frames"].append(tracked.index)
            rows["gates"].append(gate.numpy().astype(np.float16))  # shares of at most a few pointers

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Leave the model as it was; a video that failed before has no rows."""
        if self._gates.is_listening:
            self._videos[video_folder(video)] = self._rows
        self._gates.end()

    def video_state(self, video: Video) -> dict[str, Any] | None:
        """The gates of a video, packed."""
        rows = self._videos.get(video_folder(video))
        return None if rows is None else {**rows, "gates": _packed(rows["gates"])}

    def on_known_video(self, trainer: L.Trainer, module: Any, video: Video, state: Any) -> None:
        """Take them up again."""
        if state is None and isinstance(getattr(module, "adapter", None), GatedAdapter):
            self._unknown.append(video_folder(video))
        elif state:
            self._videos[video_folder(video)] = {**state, "gates": _unpacked(state["gates"])}

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find the shares, over the videos of all processes; results are written after this."""
        own = (self._videos, self._unknown)
        parts: list[Any] = [own]
        if trainer.world_size > 1:
            parts = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, own)
        if trainer.is_global_zero:
            found = shares_of({name: rows for videos, _ in parts for name, rows in videos.items()})
            unknown = sorted({name for _, names in parts for name in names})
            self._found = {**found, "videos_without": unknown} if found and unknown else found
        self._videos = {}

    def findings(self) -> Mapping[str, Any]:
        """See :class:`callbacks.base.VideoCallback`."""
        return {GATE_VARIANCE: self._found} if self._found else {}

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Leave the model as it was."""
        self._gates.end()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave the model as it was."""
        self._gates.end()


def shares_of(videos: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """``rows``, their number, with :func:`robustvos.evaluation.gate_variance.variance_shares`; empty without gates.

    Args:
        videos: Of each video under a condition ``video``, ``condition``, and of its rows ``objects``, ``frames``, ``gates``.
    """
    kept = [videos[name] for name in sorted(videos) if len(videos[name]["gates"])]
    if not kept:
        return {}
    rows = gate_variance.GateRows(
        np.concatenate([np.asarray(one["gates"], np.float32) for one in kept]),
        [one["video"] for one in kept for _ in one["gates"]],
        [object_id for one in kept for object_id in one["objects"]],
        [frame for one in kept for frame in one["frames"]],
        [one["condition"] for one in kept for _ in one["gates"]],
    )
    found = gate_variance.variance_shares(rows)
    return {"rows": len(rows.videos), **(found or {"shares": None, "shuffled": None})}


def _packed(gates: list[NDArray[np.float16]]) -> dict[str, Any]:
    whole = np.asarray(gates, np.float16)
    return {"shape": list(whole.shape), "float16": base64.b64encode(zlib.compress(whole.tobytes())).decode()}


def _unpacked(state: Mapping[str, Any]) -> list[NDArray[np.float16]]:
    content = zlib.decompress(base64.b64decode(state["float16"]))
    return list(np.frombuffer(content, np.float16).reshape(state["shape"]))
