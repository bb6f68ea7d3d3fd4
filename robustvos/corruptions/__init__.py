"""Eight corruptions of video, coherent in time, reproducible frame by frame.

Source: RobustPVOS (synthetic corruption set), section 3, and its public renderer. Everything here is written anew: the
renderer's behaviour is matched in strength, not in pixels.
"""

from robustvos.corruptions.base import PRESETS, ClipSpec, Corruption
from robustvos.corruptions.clip import CorruptedFrames, corrupt_clip
from robustvos.corruptions.layers import DepthLayers, Layers
from robustvos.corruptions.local import (
    LOCAL_CORRUPTIONS,
    AnyLayers,
    LocalCorruption,
    LocallyCorruptedFrames,
    corrupt_locally,
)
from robustvos.corruptions.profile import fourier_profile
from robustvos.corruptions.registry import CORRUPTIONS, corruption_class

__all__ = [
    "CORRUPTIONS",
    "LOCAL_CORRUPTIONS",
    "PRESETS",
    "AnyLayers",
    "ClipSpec",
    "CorruptedFrames",
    "Corruption",
    "DepthLayers",
    "Layers",
    "LocalCorruption",
    "LocallyCorruptedFrames",
    "corrupt_clip",
    "corrupt_locally",
    "corruption_class",
    "fourier_profile",
]
