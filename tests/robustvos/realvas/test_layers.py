"""Compositing against two known layers: an object with a soft rim and a shadow, moved from one plate to another."""

import cv2
import numpy as np
import pytest

from robustvos.errors import UnknownName
from robustvos.realvas.layers import Layer, composite, cut_layer, lossy_alpha
from robustvos.realvas.matte import object_matte

SIZE = (120, 160)


def plates():
    rng = np.random.default_rng(3)
    made = []
    for low, high in ((90, 170), (120, 220)):
        coarse = rng.uniform(low, high, (8, 10, 3)).astype(np.float32)
        fine = cv2.GaussianBlur(rng.uniform(-30, 30, (*SIZE, 3)).astype(np.float32), (0, 0), 1)
        made.append(np.clip(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC) + fine, 0, 255))
    return made


@pytest.fixture(scope="module")
def known():
    """Alpha, colour and shadow, and the object on both plates."""
    disc = np.zeros(SIZE, np.float32)
    cv2.circle(disc, (70, 50), 24, 1.0, -1)
    alpha = cv2.GaussianBlur(disc, (0, 0), 0.8)
    dark = np.zeros(SIZE, np.float32)
    cv2.ellipse(dark, (92, 78), (36, 12), 0, 0, 360, 1.0, -1)
    light = (1 - 0.35 * cv2.GaussianBlur(dark, (0, 0), 3))[..., None]
    rng = np.random.default_rng(5)
    colour = np.full((*SIZE, 3), (200, 50, 40), np.float32) + rng.normal(0, 12, (*SIZE, 3))
    first, second = plates()
    a = alpha[..., None]
    on_first, on_second = ((1 - a) * light * plate + a * np.clip(colour, 0, 255) for plate in (first, second))
    return {
        "alpha": alpha,
        "effects": (light[..., 0] < 0.98) & (disc == 0),
        "first": first.round().astype(np.uint8),
        "second": second.round().astype(np.uint8),
        "frame": on_first.clip(0, 255).round().astype(np.uint8),
        "truth": on_second.clip(0, 255),
    }


def transferred(known, effects, alpha=None):
    window = np.s_[0 : SIZE[0], 0 : SIZE[1]]
    layer = cut_layer(
        known["frame"], known["first"], known["alpha"] if alpha is None else alpha, known["effects"], window
    )
    return composite(known["second"], layer, np.ones(3), effects), layer


def error(known, effects, where):
    made, _ = transferred(known, effects)
    return float(np.abs(made - known["truth"])[where].mean())


def test_shadow_on_another_plate_unmixed_is_right_and_equation1_loses_it(known):
    zone = known["effects"] & (cv2.dilate((known["alpha"] > 0.01).astype(np.uint8), np.ones((9, 9))) == 0)
    errors = {effects: error(known, effects, zone) for effects in ("none", "equation1", "unmixed")}
    assert errors["unmixed"] < 3
    assert errors["unmixed"] < 0.2 * errors["none"]
    assert errors["equation1"] > 0.5 * errors["none"], "as printed it brings the scene's own pixels along"


def test_object_and_rim_are_right(known):
    assert error(known, "unmixed", known["alpha"] > 0.99) < 1
    assert error(known, "unmixed", (known["alpha"] > 0.05) & (known["alpha"] < 0.95)) < 8


def test_far_from_the_layer_nothing_changes(known):
    made, _ = transferred(known, "unmixed")
    near = cv2.dilate((known["effects"] | (known["alpha"] > 0)).astype(np.uint8), np.ones((25, 25))).astype(bool)
    assert np.abs(made.astype(int) - known["second"])[~near].max() <= 1


def test_shadow_hides_nothing(known):
    _, layer = transferred(known, "unmixed")
    assert not layer.hard[known["effects"] & (known["alpha"] < 0.4)].any()
    assert lossy_alpha(layer)[known["effects"]].mean() > 0.1
    assert np.array_equal(layer.hard, known["alpha"] > 0.5)


def test_exposure_of_the_frame_is_the_objects(known):
    _, layer = transferred(known, "unmixed")
    dim = (known["second"] * 0.8).round().astype(np.uint8)
    made = composite(dim, layer, np.full(3, 0.8), "unmixed")
    inside = known["alpha"] > 0.99
    assert np.abs(made[inside] - 0.8 * known["truth"][inside]).mean() < 1.5


def test_a_lamp_is_not_shaded_twice(known):
    window = np.s_[0 : SIZE[0], 0 : SIZE[1]]
    _, layer = transferred(known, "unmixed")
    own = Layer(window, np.zeros(SIZE, np.float32), layer.colour, layer.ratio, layer.picture)
    shaded = composite(known["first"], own, np.ones(3), "unmixed")
    zone = known["effects"] & (layer.alpha == 0)
    twice = composite(shaded, own, np.ones(3), "unmixed")
    once = composite(shaded, own, np.ones(3), "unmixed", known["effects"] | (layer.alpha > 0))
    core = cv2.erode(zone.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert np.abs(once.astype(int) - shaded)[core].mean() < 2
    assert (shaded.astype(int) - twice)[core].mean() > 2


def test_unknown_names_are_refused(known):
    with pytest.raises(UnknownName, match="effects"):
        transferred(known, "shadowy")
    with pytest.raises(UnknownName, match="matte"):
        object_matte(known["frame"], known["alpha"] > 0.5, "closed")


@pytest.mark.parametrize("method", ["closed_form", "guided", "binary"])
def test_mattes_are_near_the_truth_and_sure_far_from_the_rim(known, method):
    if method == "closed_form":
        pytest.importorskip("pymatting")
    alpha = object_matte(known["frame"], known["alpha"] > 0.5, method)
    assert alpha.dtype == np.float32 and alpha.min() >= 0 and alpha.max() <= 1
    assert np.abs(alpha - known["alpha"]).mean() < 0.02
    inside = cv2.erode((known["alpha"] > 0.5).astype(np.uint8), np.ones((11, 11))).astype(bool)
    outside = cv2.dilate((known["alpha"] > 0.5).astype(np.uint8), np.ones((11, 11))) == 0
    assert (alpha[inside] == 1).all() and (alpha[outside] == 0).all()
