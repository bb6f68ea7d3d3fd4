"""Training and evaluation loops. Torch code that is not about looping lives in ``robustvos``."""

from lightning_modules.checkpoint_io import AtomicCheckpointIO
from lightning_modules.optimisation import Optimisation
from lightning_modules.promptable_vos import PromptableVOS
from lightning_modules.recipe import Recipe
from lightning_modules.run_logger import RunLogger

__all__ = ["AtomicCheckpointIO", "Optimisation", "PromptableVOS", "Recipe", "RunLogger"]
