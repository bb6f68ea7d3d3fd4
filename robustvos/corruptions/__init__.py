"""Corruptions of video, coherent in time, reproducible frame by frame: the benchmark's eight, and those that need layers.

Source: RobustPVOS (synthetic corruption set), section 3, and its public renderer. Everything here is written anew: the
renderer's behaviour is matched in strength, not in pixels.
"""

from robustvos.corruptions.base import PRESETS, ClipSpec, Corruption
from robustvos.corruptions.clip import CorruptedFrames, corrupt_clip
from robustvos.corruptions.layers import AnyLayers, DepthLayers, Layers
from robustvos.corruptions.local import LocalCorruption
from robustvos.corruptions.profile import fourier_profile
from robustvos.corruptions.registry import (
    CORRUPTIONS,
    ROBUSTPVOS8,
    SETS,
    corruption_class,
    is_corruption,
    names_of,
    needs_layers,
    parts_of,
    prepared,
)

__all__ = [
    "CORRUPTIONS",
    "PRESETS",
    "ROBUSTPVOS8",
    "SETS",
    "AnyLayers",
    "ClipSpec",
    "CorruptedFrames",
    "Corruption",
    "DepthLayers",
    "Layers",
    "LocalCorruption",
    "corrupt_clip",
    "corruption_class",
    "fourier_profile",
    "is_corruption",
    "names_of",
    "needs_layers",
    "parts_of",
    "prepared",
]
