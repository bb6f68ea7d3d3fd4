"""Third-party plugins: packages that add adapters, datamodules or callbacks by an entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "robustvos.plugins"


def load_plugins() -> list[str]:
    """Import every entry point of the group ``robustvos.plugins``, so that its classes can be named in configs.

    Returns:
        Names of the plugins that were imported.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    for point in found:
        point.load()
    return [point.name for point in found]
