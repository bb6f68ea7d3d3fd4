"""Whole masks guessed from visible ones, without learning: the baselines of amodal tables, one plugin a file."""

from robustvos.systems.completion.base import Completion
from robustvos.systems.completion.constant_velocity import ConstantVelocity
from robustvos.systems.completion.convex import CompleteConvex
from robustvos.systems.completion.follow_occluder import FollowOccluder
from robustvos.systems.completion.hold_last import HoldLast
from robustvos.systems.completion.repeat_query import RepeatQuery
from robustvos.systems.completion.stream import completed, true_visible

__all__ = [
    "CompleteConvex",
    "Completion",
    "ConstantVelocity",
    "FollowOccluder",
    "HoldLast",
    "RepeatQuery",
    "completed",
    "true_visible",
]
