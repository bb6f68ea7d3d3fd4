"""The forms in which ``track`` writes masks."""

from __future__ import annotations

from typing import Literal

MaskFormat = Literal["png", "coco_rle", "ytvos"]
"""Indexed PNGs, run-length codes in one JSON, a tree in YouTube-VOS's layout."""
