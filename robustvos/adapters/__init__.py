"""What is added to a frozen SAM 2, one plugin per file; see :mod:`robustvos.adapters.base` for what they share."""

from robustvos.adapters.base import Adapter
from robustvos.adapters.full_finetuning import FullFineTuning
from robustvos.adapters.gara import GaRA
from robustvos.adapters.gate import GatedAdapter
from robustvos.adapters.layer_norm_tuning import LayerNormTuning
from robustvos.adapters.lora import LoRA
from robustvos.adapters.moga import MoGA
from robustvos.adapters.moga_release import MoGARelease

__all__ = ["Adapter", "FullFineTuning", "GaRA", "GatedAdapter", "LayerNormTuning", "LoRA", "MoGA", "MoGARelease"]
