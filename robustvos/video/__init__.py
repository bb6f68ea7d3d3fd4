"""Frames and masks on disk, in and out; the layouts that datasets come in."""
