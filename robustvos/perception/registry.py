"""The perception plugins by kind and name."""

from __future__ import annotations

from typing import Any

from robustvos.errors import UnknownName
from robustvos.perception.background_knn import BackgroundKnn
from robustvos.perception.classical_mattes import ClosedForm, GuidedFeather, KnownPlate
from robustvos.perception.contact_order import ContactOrder
from robustvos.perception.cotracker import CoTracker
from robustvos.perception.depth_anything import DepthAnything
from robustvos.perception.grounding_dino import GroundingDino
from robustvos.perception.layers import GenerativeOmnimatte
from robustvos.perception.lucas_kanade import LucasKanade, PlanarLucasKanade
from robustvos.perception.plate_difference import PlateDifference
from robustvos.perception.template_points import TemplateMatching
from robustvos.perception.vitmatte import VitMatte

PLUGINS: dict[str, dict[str, type[Any]]] = {
    "detector": {kind.name: kind for kind in (PlateDifference, BackgroundKnn, GroundingDino)},
    "depth": {kind.name: kind for kind in (ContactOrder, DepthAnything)},
    "points": {kind.name: kind for kind in (LucasKanade, PlanarLucasKanade, TemplateMatching, CoTracker)},
    "matte": {kind.name: kind for kind in (ClosedForm, GuidedFeather, KnownPlate, VitMatte)},
    "layers": {kind.name: kind for kind in (GenerativeOmnimatte,)},
}
"""Kind to name to class; the first of a kind needs no weights. Add your own here, from a module that is imported first."""


def plugin_class(kind: str, name: str) -> type[Any]:
    """The plugin called ``name`` of a kind: ``detector``, ``depth``, ``points``, ``matte`` or ``layers``.

    Raises:
        UnknownName: If there is no such kind, or none of that name.

    >>> plugin_class("depth", "contact_order").__name__
    'ContactOrder'
    """
    if kind not in PLUGINS:
        raise UnknownName.of("kind of perception plugin", kind, PLUGINS)
    if name not in PLUGINS[kind]:
        raise UnknownName.of(f"{kind} plugin", name, PLUGINS[kind])
    return PLUGINS[kind][name]
