"""What a tracker remembers and looks back at, on the same weights: one plugin a file; see :mod:`.base` for what they share."""

from robustvos.sam2.memory_policies.base import MemoryPolicy
from robustvos.sam2.memory_policies.dam4sam import DAM4SAM
from robustvos.sam2.memory_policies.sam2long import SAM2Long
from robustvos.sam2.memory_policies.samurai import SAMURAI

__all__ = ["DAM4SAM", "SAMURAI", "MemoryPolicy", "SAM2Long"]
