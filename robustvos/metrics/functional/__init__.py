"""Pure functions: masks in, scores out."""

from robustvos.metrics.functional.amodal import amodal_counts, amodal_iou, pooled_amodal_iou, tabe_amodal_iou
from robustvos.metrics.functional.contours import contour_accuracy
from robustvos.metrics.functional.regions import region_similarity

__all__ = [
    "amodal_counts",
    "amodal_iou",
    "contour_accuracy",
    "pooled_amodal_iou",
    "region_similarity",
    "tabe_amodal_iou",
]
