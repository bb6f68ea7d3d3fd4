"""How deep in its container an object stands: as a person says, or the middle of what is seen of the container."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.containment.container_motion import Points
from robustvos.containment.mask_warp import Mask
from robustvos.containment.rigid_body import RigidBody

_SURE, _AWAY = 0.02, 0.01
_LEAST, _PART = 8, 0.03


def depth_of_object(
    body: RigidBody, points: Points, part: Mask, depth: float | None = None, share: float = 0.5
) -> float:
    """By how much farther than the tracked face the object's middle is, as a share of the face's distance.

    Args:
        body: The container.
        points: ``(P, 2)`` its points in the reference frame.
        part: ``(H, W)`` bool, the container there.
        depth: In widths of the part, as a person said; None: half of how deep the container is seen to be.
        share: Where in the visible depth an object stands that fits its container: in the middle.
    """
    if depth is None:
        return share * visible_depth(body)
    camera, normal = body.motion.camera, body.motion.normal
    ray = np.linalg.inv(camera) @ np.array([*points.mean(0), 1.0])
    width = float(np.ptp(np.flatnonzero(part.any(0))) + 1)
    return float(depth * width / camera[0, 0] / (ray @ normal))


def visible_depth(body: RigidBody) -> float:
    """How deep the container is, from points of it that move as if they were farther than the tracked face.

    Windows of points near an edge hold some of both faces, so that most points of a narrow face are taken for less far than
    they are: the farthest count, but for the outermost few.

    Returns:
        A share of the face's distance; 0 if too few points are surely farther.
    """
    depth, error = body.depth, body.error
    farther: NDArray[np.bool_] = (error < _SURE) & (depth > np.maximum(_AWAY, 3 * error)) & (depth < 0.6)
    if farther.sum() < max(_LEAST, _PART * len(depth)):
        return 0.0
    return float(np.quantile(depth[farther], 0.98))
