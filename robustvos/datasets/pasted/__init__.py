"""Training clips with exact masks, made of stills and videos: pictures that move, cut-out objects pasted over them."""

from robustvos.datasets.pasted.clips import FIRST_HELD_BACK, MixedClips, PastedClip
from robustvos.datasets.pasted.collection import Collection, find_collection, locate_collection
from robustvos.datasets.pasted.held_back import HeldBackEvaluation, HeldBackVideos, HiddenEvaluation, HiddenVideos
from robustvos.datasets.pasted.hidden import PASSES, HiddenClip, HiddenClips
from robustvos.datasets.pasted.lighting import Lighting
from robustvos.datasets.pasted.paths import Motion
from robustvos.datasets.pasted.recipe import KINDS, Movement, Recipe
from robustvos.datasets.pasted.schedule import HiddenTraining, TrainingSchedule

__all__ = [
    "FIRST_HELD_BACK",
    "KINDS",
    "PASSES",
    "Collection",
    "HeldBackEvaluation",
    "HeldBackVideos",
    "HiddenClip",
    "HiddenClips",
    "HiddenEvaluation",
    "HiddenTraining",
    "HiddenVideos",
    "Lighting",
    "MixedClips",
    "Motion",
    "Movement",
    "PastedClip",
    "Recipe",
    "TrainingSchedule",
    "find_collection",
    "locate_collection",
]
