"""Training and evaluation loops. Torch code that is not about looping lives in ``robustvos``."""

from lightning_modules.optimisation import Optimisation
from lightning_modules.promptable_vos import PromptableVOS
from lightning_modules.recipe import Recipe

__all__ = ["Optimisation", "PromptableVOS", "Recipe"]
