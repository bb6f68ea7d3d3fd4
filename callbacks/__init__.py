"""One effect each."""

from callbacks.base import VideoCallback
from callbacks.checkpoints import Checkpoints
from callbacks.clip_videos import ClipVideos
from callbacks.config_writer import ConfigWriter
from callbacks.exact_resumption import ExactResumption
from callbacks.finite_loss import FiniteLoss
from callbacks.frame_curves import FrameCurves
from callbacks.gate_monitor import GateMonitor
from callbacks.gate_variance import GateVariance
from callbacks.interruption_saver import InterruptionSaver
from callbacks.mask_writer import MaskWriter
from callbacks.minute_lines import MinuteLines
from callbacks.overlay_logger import OverlayLogger
from callbacks.presence_scores import PresenceScores
from callbacks.results_writer import ResultsWriter
from callbacks.resumable_test import ResumableTest
from callbacks.strip_writer import StripWriter
from callbacks.temperature_annealing import TemperatureAnnealing

ALWAYS = {
    "masks": MaskWriter,
    "strips": StripWriter,
    "videos": ClipVideos,
    "gates": GateMonitor,
    "overlays": OverlayLogger,
    "curves": FrameCurves,
    "results": ResultsWriter,
}
"""Callbacks that every run has, by the flag that sets them."""
UNASKED = (FiniteLoss, ExactResumption, MinuteLines)
"""Callbacks that every run has, without a flag."""

__all__ = [
    "ALWAYS",
    "Checkpoints",
    "ClipVideos",
    "ConfigWriter",
    "ExactResumption",
    "FiniteLoss",
    "FrameCurves",
    "GateMonitor",
    "GateVariance",
    "InterruptionSaver",
    "MaskWriter",
    "MinuteLines",
    "OverlayLogger",
    "PresenceScores",
    "ResultsWriter",
    "ResumableTest",
    "StripWriter",
    "TemperatureAnnealing",
    "VideoCallback",
]
