"""Which components of a gated adapter were open for each object, over the frames of a video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from callbacks.base import VideoCallback, run_folder, video_folder
from callbacks.images import log_image, takes_images, write_png
from callbacks.per_condition import FirstVideos
from robustvos.errors import UnknownName
from robustvos.report.draw import gate_image
from robustvos.types import TrackedFrame, Video, VideoResult


class GateMonitor(VideoCallback):
    """Draw the gates of the first videos of each condition: frames to the right, components downwards, per object.

    A test writes ``figures/gates/<video>.png``; a validation logs ``gates/<video>`` to TensorBoard. Systems without
    gates are passed over in silence, and so are adapters that are switched off.

    The tracker may follow the objects of one frame in several forward passes, of which the adapter's ``gates`` show the
    latest alone. The monitor therefore looks after each pass of memory attention, and takes the objects that its rows
    belong to from ``module.tracker.active_ids``.

    Args:
        per_condition: How many videos of each condition; 0 for none.
        in_validation: Whether validations are recorded too (sanity checks are not).
        projection: Which projection's gates, a key of the adapter's ``gates`` such as
            ``layers.3.cross_attn_q``; components of different projections have nothing to do with one
            another. None: the last, which is cross-attention's in the last layer.

    Attributes:
        gates: Object id -> ``(T, R)`` float on the CPU, of the video recorded last: the share of the object's pointers
            that opened each component. NaN where the adapter takes no part: on frames where the object was prompted
            or not introduced yet.

    Raises:
        UserError: If ``per_condition`` is negative.
        UnknownName: In the run, if the adapter has no such projection.
    """

    def __init__(self, per_condition: int = 1, in_validation: bool = True, projection: str | None = None) -> None:
        self.per_condition = per_condition
        self.in_validation = in_validation
        self.projection = projection
        self.gates: dict[int, Tensor] = {}
        self._first = FirstVideos(per_condition, type(self).__name__)
        self._adapter: Any = None
        self._handle: RemovableHandle | None = None
        self._folder = Path()
        self._drawn = ""
        self._latest: dict[int, Tensor] = {}  # of the frame being tracked
        self._rows: dict[int, dict[int, Tensor]] = {}  # object -> frame -> (R,)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew; find the run's folder, which all processes must ask for together."""
        self._first.reset()
        self._folder = run_folder(trainer)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew."""
        self._first.reset()

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Listen to memory attention, if the video is one to show."""
        self._stop()
        adapter: Any = getattr(module, "adapter", None)
        logs = trainer.validating and self.in_validation and takes_images(trainer)
        if not (trainer.testing or logs) or not hasattr(adapter, "record_gates") or not self._first.take(video):
            return
        self._rows, self._adapter = {}, adapter
        adapter.record_gates, adapter.gates = True, {}
        memory_attention = module.sam2.memory_attention
        self._handle = memory_attention.register_forward_hook(lambda *_: self._look(module.tracker.active_ids))

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Note the gates of this frame."""
        for object_id, gate in self._latest.items():
            self._rows.setdefault(object_id, {})[tracked.index] = gate
        self._latest = {}

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Draw them."""
        if self._handle is None:
            return
        self._stop()
        self.gates = _over_time(self._rows, len(video.frames))
        if not self.gates:
            return
        image = gate_image(self.gates, f"{video_folder(video)}: {self._drawn}")
        if trainer.testing:
            write_png(image, self._folder / "figures" / "gates" / f"{video_folder(video)}.png")
        else:
            log_image(trainer, f"gates/{video_folder(video)}", image)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Leave the model as it was."""
        self._stop()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave the model as it was."""
        self._stop()

    def _look(self, object_ids: tuple[int, ...]) -> None:
        """Take the gates of the pass that has just run, one row for each of ``object_ids``."""
        gates: Mapping[str, Tensor] = self._adapter.gates
        if not gates:
            return
        self._drawn = self.projection or list(gates)[-1]
        if self._drawn not in gates:
            raise UnknownName.of("gated projection", self._drawn, gates)
        rows = gates[self._drawn].float().cpu()
        self._latest.update(zip(object_ids, rows, strict=True))

    def _stop(self) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._adapter.record_gates, self._adapter.gates = False, {}
        self._handle, self._adapter, self._latest = None, None, {}


def _over_time(rows: Mapping[int, Mapping[int, Tensor]], frames: int) -> dict[int, Tensor]:
    """Gates ``(T, R)`` of each object that has any, in order of id."""
    gates = {}
    for object_id, of_object in sorted(rows.items()):
        rank = next(iter(of_object.values())).shape[-1]
        gates[object_id] = torch.full((frames, rank), float("nan"))
        for frame, row in of_object.items():
            gates[object_id][frame] = row
    return gates
