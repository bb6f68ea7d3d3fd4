"""Procedural scenes: textured, moving, occluding objects whose layers are known exactly."""

from robustvos.scenes.scene import RenderedScene, SceneSpec, render_scene

__all__ = ["RenderedScene", "SceneSpec", "render_scene"]
