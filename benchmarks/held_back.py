"""Footage that nothing was trained on: what of it is held back stands in the data's own configuration."""

from __future__ import annotations

from robustvos.registry import read_yaml, resolve

HELD_BACK = tuple(read_yaml(resolve("data", "pasted_adverse"))["init_args"]["held_back"])
"""Videos that neither ``small`` nor an adapter on it has seen."""
