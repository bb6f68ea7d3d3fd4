"""Camera motion for clips of a still camera: a narrower view that pans, zooms, slides or shakes within the recorded frame.

A view is what a virtual camera in the place of the real one sees: turning it is a homography, ``K R K^-1``, exact for any
scene; sliding the window (``translation``) is the crop that the paper's Figure 4 shows. All motion is eased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustvos.seeding import numpy_rng

Matrices = NDArray[np.float64]
_NEARER = tuple(np.linspace(1.0, 0.0, 41))
MOTIONS = ("pan", "zoom", "translation", "shake", "pan+zoom", "translation+zoom", "pan+shake")


@dataclass(frozen=True)
class PathSettings:
    """How far a virtual camera moves.

    Attributes:
        view: Sides of the view, in sides of the recorded frame; the output has this size, so that nothing is enlarged at
            zoom 1.
        zoom: Largest zoom.
        shake: Amplitude of a hand's shake, in longer sides of the view.
        focal: Focal length of the recording, in longer sides of its frame.
        roll: Largest roll of a shake, degrees.
    """

    view: float = 0.75
    zoom: float = 1.25
    shake: float = 0.008
    focal: float = 1.0
    roll: float = 0.6


@dataclass(frozen=True)
class CameraPath:
    """A virtual camera's way through a clip.

    Attributes:
        motion: One of :data:`MOTIONS`, or ``static``.
        matrices: ``(T, 3, 3)`` homographies from pixels of the recorded frame to pixels of the view.
        size: ``(H, W)`` of the view.
    """

    motion: str
    matrices: Matrices
    size: tuple[int, int]


def view_size(size: tuple[int, int], view: float) -> tuple[int, int]:
    """``(H, W)`` of a view: even numbers, at least 16, at most those of the frame.

    >>> view_size((480, 640), 0.75)
    (360, 480)
    """
    height, width = (min(side, max(16, 2 * round(side * view / 2))) for side in size)
    return height, width


def random_path(
    motion: str, frames: int, size: tuple[int, int], seed: tuple[object, ...], settings: PathSettings | None = None
) -> CameraPath:
    """Draw a path of a kind; equal arguments give equal paths.

    Args:
        motion: One of :data:`MOTIONS`.
        frames: Length of the clip.
        size: ``(H, W)`` of the recorded frames.
        seed: Whatever the draw shall depend on.
        settings: How far.

    Raises:
        ValueError: If there is no such motion.
    """
    settings = settings or PathSettings()
    if motion not in MOTIONS:
        raise ValueError(f"no motion '{motion}'; known: {', '.join(MOTIONS)}")
    rng, parts, out = numpy_rng("camera", motion, *seed), motion.split("+"), view_size(size, settings.view)
    zoom = _zoom(frames, rng, settings.zoom) if "zoom" in parts else np.ones(frames)
    # How far the window's middle may go from the frame's, pixels.
    room = (np.array(size[::-1]) - np.array(out[::-1])) / 2
    start, end = (rng.uniform(-1, 1, 2) * room for _ in range(2))
    if "pan" in parts or "translation" in parts:
        # A path worth the name: to the other side along the longer way.
        axis = int(rng.integers(2))
        end[axis] = -np.sign(start[axis]) * room[axis] * rng.uniform(0.5, 1)
    else:
        end = start
    window = start + _eased(frames, rng)[:, None] * (end - start)
    shake, roll = np.zeros((frames, 2)), np.zeros(frames)
    if "shake" in parts:
        reach = settings.shake * max(out)
        shake = np.stack([_tremor(frames, rng, reach) for _ in range(2)], axis=1)
        roll = _tremor(frames, rng, np.deg2rad(settings.roll))
    window = np.clip(window + shake, -room, room)
    turned = "pan" in parts
    matrices = np.zeros((frames, 3, 3))
    for nearer in _NEARER:  # a turned or rolled window is no rectangle of the frame: keep its corners inside
        matrices = np.stack(
            [
                _view(nearer * window[t], zoom[t], nearer * roll[t], size, out, settings.focal, turned)
                for t in range(frames)
            ]
        )
        if _inside(matrices, size, out):
            break
    return CameraPath(motion, matrices, out)


def _inside(matrices: Matrices, size: tuple[int, int], out: tuple[int, int]) -> bool:
    """Whether the corners of every view lie in the recorded frame."""
    (height, width), (bottom, right) = size, (out[0] - 1, out[1] - 1)
    corners = np.array([[0, 0, 1], [right, 0, 1], [right, bottom, 1], [0, bottom, 1.0]]).T
    seen = np.linalg.inv(matrices) @ corners
    pixels = seen[:, :2] / seen[:, 2:]
    limit = np.array([width - 1, height - 1])[:, None] + 1e-6
    return bool((pixels >= -1e-6).all() and (pixels <= limit).all())


def static_path(frames: int, size: tuple[int, int]) -> CameraPath:
    """The camera stays as it is, and so does the frame."""
    return CameraPath("static", np.repeat(np.eye(3)[None], frames, axis=0), size)


def _view(
    window: NDArray[np.float64],
    zoom: float,
    roll: float,
    size: tuple[int, int],
    out: tuple[int, int],
    focal: float,
    turned: bool,
) -> Matrices:
    """From the recorded frame to a view whose middle looks at ``window`` pixels off the frame's middle."""
    middle, centre = (np.array([(side[1] - 1) / 2, (side[0] - 1) / 2]) for side in (size, out))
    length = focal * max(size)
    c, s = np.cos(roll), np.sin(roll)
    scale = np.array([[zoom * c, -zoom * s, centre[0]], [zoom * s, zoom * c, centre[1]], [0, 0, 1.0]])
    if not turned:
        flat: Matrices = scale @ np.array([[1, 0, -middle[0] - window[0]], [0, 1, -middle[1] - window[1]], [0, 0, 1.0]])
        return flat
    yaw, pitch = np.arctan2(window[0], length), np.arctan2(window[1], np.hypot(length, window[0]))
    turn_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    camera = np.array([[length, 0, middle[0]], [0, length, middle[1]], [0, 0, 1.0]])
    onto = np.array([[length, 0, 0], [0, length, 0], [0, 0, 1.0]])
    matrix = scale @ onto @ turn_x @ turn_y @ np.linalg.inv(camera)
    scaled: Matrices = matrix / matrix[2, 2]
    return scaled


def _eased(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(T,)`` from 0 to 1, at rest at both ends, over all or most of the clip."""
    begin, end = rng.uniform(0, 0.2), rng.uniform(0.8, 1)
    u = np.clip((np.arange(frames) / max(frames - 1, 1) - begin) / (end - begin), 0, 1)
    return u * u * (3 - 2 * u)


def _zoom(frames: int, rng: np.random.Generator, most: float) -> NDArray[np.float64]:
    """``(T,)`` from 1 to a larger zoom, or back, evenly in its logarithm."""
    way = _eased(frames, rng) * np.log(rng.uniform(1 + 0.5 * (most - 1), most))
    zoom: NDArray[np.float64] = np.exp(way if rng.random() < 0.5 else way[::-1])
    return zoom


def _tremor(frames: int, rng: np.random.Generator, amplitude: float) -> NDArray[np.float64]:
    """``(T,)`` a smooth random motion around 0, of some frames' period and about ``amplitude``."""
    t = np.arange(frames)
    series = np.zeros(frames)
    for period in (6.0, 11.0, 23.0):
        rate, phase = 2 * np.pi / (period * rng.uniform(0.8, 1.25)), rng.uniform(0, 2 * np.pi)
        series += rng.normal(0, 0.6) * np.sin(rate * t + phase)
    return np.clip(amplitude * series, -2 * amplitude, 2 * amplitude)
