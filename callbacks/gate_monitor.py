"""Which components of a gated adapter were open for each object, over the frames of a video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from callbacks.base import VideoCallback, run_folder, video_folder
from callbacks.gate_rows import GateRows
from callbacks.images import log_image, takes_images, write_png
from callbacks.per_condition import FirstVideos
from robustvos.adapters import GatedAdapter
from robustvos.drawing.draw import gate_image
from robustvos.errors import UnknownName
from robustvos.evaluation.records import VideoResult
from robustvos.files.atomic import atomic_write_json
from robustvos.files.paths import under
from robustvos.types import TrackedFrame, Video


class GateMonitor(VideoCallback):
    """Draw the gates of the first videos of each condition: frames to the right, components downwards, per object.

    A test writes ``figures/gates/<video>.png``; a validation logs ``gates/<video>`` to TensorBoard. Systems without
    gates are passed over in silence, and so are adapters that are switched off.

    Whose gates they are: :class:`callbacks.gate_rows.GateRows`.

    Args:
        per_condition: How many videos of each condition; 0 for none.
        in_validation: Whether validations are recorded too (sanity checks are not).
        projection: Which projection's gates, a name among the adapter's ``gates()`` such as
            ``layers.3.cross_attn_q``; components of different projections have nothing to do with one
            another. None: the last, which is cross-attention's in the last layer.

    Attributes:
        gates: Object id -> ``(T, R)`` float on the CPU, of the video recorded last: the share of the object's pointers,
            or maps, that opened each component. NaN where the adapter takes no part: on frames where the object was prompted
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
        self._gates = GateRows(self._chosen)
        self._folder = Path()
        self._drawn = ""
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
        adapter = getattr(module, "adapter", None)
        logs = trainer.validating and self.in_validation and takes_images(trainer)
        if not (trainer.testing or logs) or not isinstance(adapter, GatedAdapter) or not self._first.take(video):
            return
        self._rows = {}
        self._gates.begin(module)

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Note the gates of this frame."""
        for object_id, gate in self._gates.take(tracked).items():
            self._rows.setdefault(object_id, {})[tracked.index] = gate

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Draw them."""
        if not self._gates.is_listening:
            return
        self._stop()
        self.gates = _over_time(self._rows, len(video.frames))
        if not self.gates:
            return
        image = gate_image(self.gates, f"{video_folder(video)}: {self._drawn}")
        if trainer.testing:
            write_png(image, under(self._folder, "figures", "gates", f"{video_folder(video)}.png"))
            atomic_write_json(
                under(self._folder, "figures", "gates", f"{video_folder(video)}.json"), gate_facts(self.gates)
            )
        else:
            log_image(trainer, f"gates/{video_folder(video)}", image)

    def on_known_video(self, trainer: L.Trainer, module: Any, video: Video, state: Any) -> None:
        """Count it: its gates were drawn."""
        if isinstance(getattr(module, "adapter", None), GatedAdapter):
            self._first.take(video)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Leave the model as it was."""
        self._stop()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave the model as it was."""
        self._stop()

    def _chosen(self, gates: Mapping[str, Tensor]) -> Tensor:
        self._drawn = self.projection or list(gates)[-1]
        if self._drawn not in gates:
            raise UnknownName.of("gated projection", self._drawn, gates)
        return gates[self._drawn]

    def _stop(self) -> None:
        self._gates.end()


def gate_facts(gates: Mapping[int, Tensor]) -> dict[str, Any]:
    """What a person would say of a video's gates, for the report.

    Args:
        gates: ``(T, R)`` of each object, NaN where the adapter takes no part; at least one.

    Returns:
        ``active``, ``lowest`` and ``highest``: shares of open components, over all, and of the object and frame with the
        fewest and the most; ``pattern``: the open components, ``01`` each, if they are the same wherever there are any.

    >>> gate_facts({1: torch.tensor([[float("nan")] * 2, [1.0, 0.0]]), 2: torch.tensor([[1.0, 0.0]])})
    {'active': 0.5, 'lowest': 0.5, 'highest': 0.5, 'pattern': '10'}
    """
    rows = torch.cat([gate[~gate.isnan().any(-1)] for gate in gates.values()])
    if not len(rows):
        return {"active": 0.0, "lowest": 0.0, "highest": 0.0, "pattern": ""}
    shares = rows.mean(-1)
    still = bool((rows == rows[0]).all()) and bool(((rows[0] == 0) | (rows[0] == 1)).all())
    pattern = "".join(str(int(value)) for value in rows[0]) if still else ""
    return {
        "active": round(float(shares.mean()), 4),
        "lowest": round(float(shares.min()), 4),
        "highest": round(float(shares.max()), 4),
        "pattern": pattern,
    }


def _over_time(rows: Mapping[int, Mapping[int, Tensor]], frames: int) -> dict[int, Tensor]:
    """Gates ``(T, R)`` of each object that has any, in order of id."""
    gates = {}
    for object_id, of_object in sorted(rows.items()):
        rank = next(iter(of_object.values())).shape[-1]
        gates[object_id] = torch.full((frames, rank), float("nan"))
        for frame, row in of_object.items():
            gates[object_id][frame] = row
    return gates
