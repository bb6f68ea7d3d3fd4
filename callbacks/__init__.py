"""One effect each."""

from callbacks.base import VideoCallback
from callbacks.config_writer import ConfigWriter
from callbacks.frame_curves import FrameCurves
from callbacks.gate_monitor import GateMonitor
from callbacks.interruption_saver import InterruptionSaver
from callbacks.mask_writer import MaskWriter
from callbacks.overlay_logger import OverlayLogger
from callbacks.results_writer import ResultsWriter
from callbacks.strip_writer import StripWriter
from callbacks.temperature_annealing import TemperatureAnnealing

ALWAYS = {
    "masks": MaskWriter,
    "strips": StripWriter,
    "gates": GateMonitor,
    "overlays": OverlayLogger,
    "curves": FrameCurves,
    "results": ResultsWriter,
}
"""Callbacks that every run has, by the flag that sets them."""

__all__ = [
    "ALWAYS",
    "ConfigWriter",
    "FrameCurves",
    "GateMonitor",
    "InterruptionSaver",
    "MaskWriter",
    "OverlayLogger",
    "ResultsWriter",
    "StripWriter",
    "TemperatureAnnealing",
    "VideoCallback",
]
