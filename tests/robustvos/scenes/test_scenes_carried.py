"""Drawn containers: their truth against an independent projection, and what each kind promises."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from robustvos.containment.mask_warp import overlap
from robustvos.errors import UnknownName
from robustvos.scenes.carried import KINDS, CarriedSpec, render_carried_clip
from robustvos.scenes.posed import Pinhole, Poses, box_faces, posed_cut_out, posed_panel, turn

SPEC = CarriedSpec(size=(120, 200), frames=24)


@pytest.mark.parametrize("kind", KINDS)
def test_object_is_seen_whole_at_first_and_hidden_once_the_container_has_closed(kind):
    clip = render_carried_clip(kind, 0, replace(SPEC, hand=False))
    assert clip.clip.frames.shape == (24, 120, 200, 3) and clip.clip.frames.dtype == np.uint8
    assert (clip.clip.modal[0] == clip.clip.amodal[0]).all() and clip.clip.amodal[0].sum() > 300
    assert clip.clip.fully_hidden()[clip.rest_frame :].all()
    assert not (clip.clip.modal & ~clip.clip.amodal).any()
    for t in range(clip.rest_frame, 24, 4):
        assert (clip.carrier[t] & clip.clip.amodal[t, 0]).sum() > 0.97 * clip.clip.amodal[t].sum()


def test_hand_hides_a_part_of_the_carrier_for_a_while():
    clip, free = (render_carried_clip("scale", 0, replace(SPEC, frames=44, hand=hand)) for hand in (True, False))
    share = (free.carrier & ~clip.carrier).sum((1, 2)) / free.carrier.sum((1, 2))
    assert share[: clip.rest_frame + 1].max() < 0.02 and 0.1 < share.max() < 0.8 and share[-1] < 0.05


def test_transparent_container_shows_the_object_that_the_opaque_one_hides():
    """Where the object is hidden, the transparent frames look like its own texture again."""
    clip = render_carried_clip("translation", 0, CarriedSpec(size=(120, 200), frames=24, hand=False, noise=0, blur=0))
    at, inside = clip.rest_frame, clip.clip.amodal[clip.rest_frame, 0]
    first = clip.clip.frames[0][inside].astype(float)
    opaque = np.abs(clip.clip.frames[at][inside] - first).mean()
    through = np.abs(clip.transparent[at][inside] - first).mean()
    assert through < 0.5 * opaque


def test_equal_arguments_give_equal_clips_and_seeds_differ():
    a, b = (render_carried_clip("mobile", 3, SPEC) for _ in range(2))
    assert (a.clip.frames == b.clip.frames).all() and (a.transparent == b.transparent).all()
    assert (a.clip.frames != render_carried_clip("mobile", 4, SPEC).clip.frames).any()


def test_unknown_kind_is_refused():
    with pytest.raises(UnknownName, match="rotation"):
        render_carried_clip("rotatoin", 0, SPEC)


def test_pinhole_agrees_with_opencv():
    lens = Pinhole(150.0, (120, 200), pitch=0.3)
    points = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 6], (20, 3))
    camera = np.array([[150, 0, 99.5], [0, 150, 59.5], [0, 0, 1]])
    expected, _ = cv2.projectPoints(points, np.array([0.3, 0, 0]), np.zeros(3), camera, None)
    np.testing.assert_allclose(lens.project(points), expected[:, 0], atol=1e-3)


def test_faces_turned_away_are_not_drawn_and_the_near_ones_are():
    lens, still = Pinhole(200.0, (120, 200)), Poses(np.eye(3)[None], np.array([[0.6, 0.5, 4.0]]))
    texture = np.full((8, 8, 3), 200, np.uint8)
    drawn = {
        name: posed_panel(corners, still, lens, texture).coverage(0, np.zeros(2, np.float32), (120, 200)).any()
        for name, corners in box_faces((0.3, 0.3), 0.4).items()
    }
    # right of and below the lens's axis: its left and its top are seen
    assert drawn == {"front": True, "left": True, "top": True, "right": False}


def test_cut_out_moves_by_the_homography_of_its_own_plane():
    lens = Pinhole(240.0, (240, 320), pitch=0.2)
    poses = Poses(np.stack([turn(), turn(y=0.3, z=0.2)]), np.array([[0.0, 0.8, 4.0], [0.2, 0.7, 3.6]]))
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    outline = 0.5 * np.stack([np.cos(angles), 0.7 * np.sin(angles)], axis=1)
    thing = posed_cut_out(outline, 0.3, poses, lens, np.zeros((8, 8, 3), np.uint8))
    matrix = cv2.getPerspectiveTransform(thing.frame[0], thing.frame[1])
    moved = cv2.perspectiveTransform(thing.outlines[0][:, None], matrix)[:, 0]
    np.testing.assert_allclose(moved, thing.outlines[1], atol=1e-2)
    masks = [thing.coverage(t, np.zeros(2, np.float32), (240, 320)) > 127 for t in (0, 1)]
    warped = cv2.warpPerspective(masks[0].astype(np.uint8), matrix, (320, 240), flags=cv2.INTER_NEAREST) > 0
    assert overlap(warped, masks[1]) > 0.96
