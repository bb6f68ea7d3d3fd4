"""Promptable video object segmentation that survives the real world: the library, without training loops."""
