"""Putting an object with its effects onto another frame.

Shadows and reflections are a factor of the light that comes from the scene: ``R``, the ratio of the frame to the clean plate.
On another frame they multiply what is there, the occludee too, as light does: ``(1 - a) R I_bg + a F``. For what darkens this
is the un-mixed alpha ``1 - r``; only a ratio can also brighten. Equation (1) of the paper, ``(1 - a) I_bg + a I_fg`` with the
effects in ``a``, brings the scene's own pixels along and loses most of a shadow; it is there as an option.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from robustvos.errors import UnknownName
from robustvos.realvas.difference import light_ratio
from robustvos.realvas.pictures import disc

EFFECTS = ("unmixed", "equation1", "none")
_RATIO_LIMITS = (0.3, 2.5)
_FEATHER = 2.0
_LEAST_ALPHA = 0.05


@dataclass(frozen=True)
class Layer:
    """An occluder, cut out of one frame.

    Attributes:
        window: Rows and columns of the frame that it takes up.
        alpha: ``(h, w)`` float32, opacity of the object.
        colour: ``(h, w, 3)`` float32, 0 to 255, the object without what shines through at its rim.
        ratio: ``(h, w, 3)`` float32, light of the scene under its effects; 1 where there are none.
        picture: ``(h, w, 3)`` float32, the frame itself.
    """

    window: tuple[slice, slice]
    alpha: np.ndarray
    colour: np.ndarray
    ratio: np.ndarray
    picture: np.ndarray

    @property
    def hard(self) -> np.ndarray:
        """``(h, w)`` bool: where the object hides what is behind it; a shadow hides nothing."""
        return self.alpha > 0.5


def cut_layer(
    frame: np.ndarray,
    plate: np.ndarray,
    alpha: np.ndarray,
    effects: np.ndarray,
    window: tuple[slice, slice],
    scale: float = 1.0,
) -> Layer:
    """Separate an object and its effects from the scene.

    Args:
        frame: ``(h, w, 3)`` uint8, a crop in the plate's exposure.
        plate: The same crop of the plate.
        alpha: ``(h, w)`` float32, opacity of the object.
        effects: ``(h, w)`` bool, changed and not the object.
        window: Where the crop lies.
        scale: Size of the frame as a multiple of 480 pixels.
    """
    ratio = effect_ratio(frame, plate, alpha, effects, scale)
    picture, behind = frame.astype(np.float32), plate.astype(np.float32) * ratio
    a = alpha[..., None]
    colour = np.clip((picture - (1 - a) * behind) / np.maximum(a, _LEAST_ALPHA), 0, 255)
    return Layer(window, alpha, np.where(a > 0.98, picture, colour), ratio, picture)


def effect_ratio(
    frame: np.ndarray, plate: np.ndarray, alpha: np.ndarray, effects: np.ndarray, scale: float
) -> np.ndarray:
    """The light under the effects, as a factor: ``(h, w, 3)`` float32, feathered, and going on under the object's rim."""
    ratio = np.clip(light_ratio(frame, plate, 1.2 * scale), *_RATIO_LIMITS)
    covered = alpha > 0.5  # softer pixels still show the effect, darkest next to the object
    rim = cv2.dilate(covered.astype(np.uint8), disc(2 * scale)).astype(bool)
    known = (effects & ~rim).astype(np.float32)
    if not known.any():
        return np.ones_like(ratio)
    spread = 4.0 * scale
    weight = cv2.GaussianBlur(known, (0, 0), spread)[..., None]
    outside = cv2.GaussianBlur(ratio * known[..., None], (0, 0), spread)
    near = weight > 0.01
    filled = np.where(known[..., None] > 0, ratio, np.where(near, outside / np.maximum(weight, 0.01), 1.0))
    # Up to the object the effect is seen; under it, it goes on only where there is one next to it.
    reach = np.where(effects, 1.0, np.where(rim, np.clip(2 * weight[..., 0], 0, 1), 0.0)).astype(np.float32)
    soft = cv2.GaussianBlur(reach, (0, 0), _FEATHER * scale)
    soft = np.where(effects | rim, soft, np.minimum(soft, 0.5))[..., None]
    return 1.0 + soft * (filled - 1.0)


def check_effects(effects: str) -> None:
    """Refuse a kind of effects that does not exist.

    Raises:
        UnknownName: Naming those that do.
    """
    if effects not in EFFECTS:
        raise UnknownName.of("effects", effects, EFFECTS)


def composite(
    behind: np.ndarray,
    layer: Layer,
    gain: np.ndarray,
    effects: str = "unmixed",
    shaded: np.ndarray | None = None,
) -> np.ndarray:
    """Lay an occluder over a frame.

    Args:
        behind: ``(H, W, 3)`` uint8, in its own exposure.
        layer: The occluder.
        gain: ``(3,)``, from the plate's exposure to that of ``behind``.
        effects: ``unmixed``, ``equation1`` (as printed), or ``none``.
        shaded: ``(h, w)`` bool, where ``behind`` itself has a shadow or reflection of the occludee: one lamp is not shaded
            twice, and one reflection hides another. None: nowhere.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        UnknownName: If there is no such kind of effects.
    """
    check_effects(effects)
    out = behind.copy()
    under, gain = behind[layer.window].astype(np.float32), np.asarray(gain, np.float32)
    a = layer.alpha[..., None]
    if effects == "equation1":
        a = lossy_alpha(layer)[..., None]
        mixed = (1 - a) * under + a * layer.picture * gain
    else:
        scene = under if effects == "none" else _lit(under, layer, gain, shaded)
        mixed = (1 - a) * scene + a * layer.colour * gain
    out[layer.window] = np.clip(mixed, 0, 255).round().astype(np.uint8)
    return out


def _lit(under: np.ndarray, layer: Layer, gain: np.ndarray, shaded: np.ndarray | None) -> np.ndarray:
    """The scene under the effects of an occluder."""
    lit: np.ndarray = under * layer.ratio
    alone = layer.picture * gain  # the scene under these effects alone
    # A reflection adds the light of what is reflected, and no more where something bright is already.
    lit = np.where(layer.ratio > 1, np.maximum(under, np.minimum(lit, alone)), lit)
    if shaded is None or not shaded.any():
        return lit
    once = np.where(layer.ratio < 1, np.minimum(under, np.maximum(lit, alone)), lit)
    soft = cv2.GaussianBlur(shaded.astype(np.float32), (0, 0), _FEATHER)[..., None]
    softened: np.ndarray = lit + soft * (once - lit)
    return softened


def lossy_alpha(layer: Layer) -> np.ndarray:
    """Object and effects as one opacity, ``(h, w)`` float32: what darkens becomes part of it, what brightens is lost."""
    opacity: np.ndarray = np.maximum(layer.alpha, np.clip(1.0 - layer.ratio.mean(axis=2), 0.0, 1.0))
    return opacity
