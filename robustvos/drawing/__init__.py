"""Masks on pictures: overlays, grids, colours."""
