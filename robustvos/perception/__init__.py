"""What is seen in frames besides the tracked masks: objects, depth, points, mattes, layers.

One protocol each, several plugins each; those that need no weights come first in :data:`PLUGINS`.
"""

from robustvos.perception.background_knn import BackgroundKnn
from robustvos.perception.classical_mattes import ClosedForm, GuidedFeather, KnownPlate
from robustvos.perception.contact_order import ContactOrder
from robustvos.perception.cotracker import CoTracker
from robustvos.perception.depth import Depth
from robustvos.perception.depth_anything import DepthAnything
from robustvos.perception.detector import Detections, Detector
from robustvos.perception.grounding_dino import GroundingDino
from robustvos.perception.layers import GenerativeOmnimatte, LayerReader, VideoLayers
from robustvos.perception.lucas_kanade import LucasKanade, PlanarLucasKanade
from robustvos.perception.matte import Matte
from robustvos.perception.plate_difference import PlateDifference
from robustvos.perception.points import PointTracker, PointTracks
from robustvos.perception.registry import PLUGINS, plugin_class
from robustvos.perception.template_points import TemplateMatching
from robustvos.perception.vitmatte import VitMatte

__all__ = [
    "PLUGINS",
    "BackgroundKnn",
    "ClosedForm",
    "CoTracker",
    "ContactOrder",
    "Depth",
    "DepthAnything",
    "Detections",
    "Detector",
    "GenerativeOmnimatte",
    "GroundingDino",
    "GuidedFeather",
    "KnownPlate",
    "LayerReader",
    "LucasKanade",
    "Matte",
    "PlanarLucasKanade",
    "PlateDifference",
    "PointTracker",
    "PointTracks",
    "TemplateMatching",
    "VideoLayers",
    "VitMatte",
    "plugin_class",
]
