"""Names of the conditions that videos are evaluated under: clean, or a corruption."""

from __future__ import annotations

CLEAN = "clean"
"""Frames that nothing was done to."""
