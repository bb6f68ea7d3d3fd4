"""Training clips with exact masks, made of stills and videos: pictures that move, cut-out objects pasted over them."""

from robustvos.datasets.pasted.clips import HELD_BACK, MixedClips, PastedClip
from robustvos.datasets.pasted.collection import Collection, find_collection, locate_collection
from robustvos.datasets.pasted.held_back import HeldBackEvaluation, HeldBackVideos
from robustvos.datasets.pasted.lighting import Lighting
from robustvos.datasets.pasted.paths import Motion
from robustvos.datasets.pasted.recipe import KINDS, Recipe
from robustvos.datasets.pasted.schedule import TrainingSchedule

__all__ = [
    "HELD_BACK",
    "KINDS",
    "Collection",
    "HeldBackEvaluation",
    "HeldBackVideos",
    "Lighting",
    "MixedClips",
    "Motion",
    "PastedClip",
    "Recipe",
    "TrainingSchedule",
    "find_collection",
    "locate_collection",
]
