"""Laws of following a rigid part: against motions that are known exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from robustvos.containment.container_motion import MotionSettings, PartMotion, PartTracker, matrix_between, transform
from robustvos.containment.depth_inside import depth_of_object, visible_depth
from robustvos.containment.follow import FollowLimits, follow_part, scene_motion
from robustvos.containment.likeness import likeness
from robustvos.containment.mask_warp import overlap, signed_distance, warp_mask
from robustvos.containment.parallax import body_motion
from robustvos.containment.rigid_body import fit_body
from robustvos.errors import BadMask
from robustvos.scenes.posed import Pinhole, Poses, box_faces, printed_texture, turn

SIZE = (160, 220)


def picture(seed: int = 0) -> np.ndarray:
    return cv2.cvtColor(printed_texture(np.random.default_rng(seed), *SIZE), cv2.COLOR_RGB2GRAY)


def part() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[40:120, 50:160] = True
    return mask


def perspective(t: int) -> np.ndarray:
    """A growing turn and shift, by frame."""
    c, s = np.cos(0.02 * t), np.sin(0.02 * t)
    about = np.array([[1, 0, 105], [0, 1, 80], [0, 0, 1.0]])
    turned = np.array([[c, -s, 1.5 * t], [s, c, -0.8 * t], [8e-5 * t, -4e-5 * t, 1]])
    return about @ turned @ np.linalg.inv(about)


def moved(t: int) -> np.ndarray:
    """The part moved by :func:`perspective` over another, still picture, with noise."""
    layer = cv2.warpPerspective(picture(), perspective(t), SIZE[::-1])
    stencil = cv2.warpPerspective(part().astype(np.uint8), perspective(t), SIZE[::-1])
    noise = np.random.default_rng(t).normal(0, 2, SIZE)
    return np.clip(np.where(stencil > 0, layer, picture(1)) + noise, 0, 255).astype(np.uint8)


def test_homography_of_a_part_is_found_to_a_fraction_of_a_pixel():
    tracker = PartTracker(moved(0), part())
    corners = np.array([[50, 40], [159, 40], [159, 119], [50, 119]], np.float32)
    for t in range(1, 16):
        found = tracker.step(moved(t))
        assert found.model == "homography" and found.likeness > 0.9
        error = np.linalg.norm(transform(corners, found.matrix) - transform(corners, perspective(t)), axis=1)
        assert error.max() < 0.6


def test_few_points_give_simpler_motions():
    """With a homography asked for from more points than there are, a similarity; with that too, a translation."""
    shift = np.float64([[1, 0, 3], [0, 1, -2]])
    after = cv2.warpAffine(moved(0), shift, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
    for settings, model in (
        (MotionSettings(homography_from=10_000), "similarity"),
        (MotionSettings(homography_from=10_000, similarity_from=10_000), "translation"),
    ):
        found = PartTracker(moved(0), part(), settings).step(after)
        assert found.model == model
        np.testing.assert_allclose(found.matrix[:2], shift, atol=0.15)


def test_likeness_is_high_under_a_hand_and_low_on_another_thing():
    alike = picture()
    half = alike.copy()
    half[:, :120] = 128
    assert likeness(alike, alike, part()) > 0.999
    assert likeness(alike, half, part()) > 0.9
    assert likeness(alike, picture(1), part()) < 0.6
    assert np.isnan(likeness(np.full(SIZE, 90, np.uint8), alike, part()))


def test_part_without_texture_cannot_be_followed():
    with pytest.raises(BadMask, match="mark a larger or more textured part"):
        follow_part(lambda t: np.full(SIZE, 90, np.uint8), part(), 0, 0, 5)


def test_following_goes_both_ways_from_the_reference():
    followed = follow_part(lambda t: moved(t), part(), 6, 0, 12)
    assert sorted(followed.motions) == list(range(13)) and followed.stop is None and followed.start is None
    expected = perspective(0) @ np.linalg.inv(perspective(6))
    mask = warp_mask(part(), perspective(6))
    assert overlap(warp_mask(mask, followed.motions[0].matrix), warp_mask(mask, expected)) > 0.97
    assert followed.confidence(6) == 1.0 and followed.confidence(99) == 0.0


def test_bad_frames_at_the_very_end_are_not_kept():
    followed = follow_part(lambda t: moved(t) if t < 9 else picture(3), part(), 0, 0, 11)
    assert followed.stop is not None and followed.stop.frame == 9 and max(followed.motions) == 8
    patient = follow_part(lambda t: moved(t) if t != 9 else picture(3), part(), 0, 0, 14, limits=FollowLimits())
    assert patient.stop is None and max(patient.motions) == 14


def test_motion_of_the_scene_is_none_for_a_still_camera_and_unknown_where_few_points_agree():
    still = scene_motion(moved, [part()], 0, 6)
    assert sorted(still) == [1, 2, 3, 4, 5, 6] and all((matrix == np.eye(3)).all() for matrix in still.values())
    assert sorted(scene_motion(lambda t: picture(7) if t == 3 else moved(t), [part()], 0, 6)) == [1, 2, 4, 5, 6]


def test_a_plain_scene_is_still_as_long_as_it_looks_the_same():
    """Corners of noise alone, of which no three agree."""

    def wall(t: int) -> np.ndarray:
        return np.clip((160 if t == 3 else 90) + np.random.default_rng(t).normal(0, 2, SIZE), 0, 255).astype(np.uint8)

    found = scene_motion(wall, [part()], 0, 4)
    assert sorted(found) == [1, 2, 4] and all((matrix == np.eye(3)).all() for matrix in found.values())


def test_a_scene_of_few_marks_is_where_it_looks_like_itself():
    """Soft squares, whose likeness tells one pixel from another where hardly a point agrees; the light grows by the frame."""
    marks = cv2.resize(np.random.default_rng(0).uniform(60, 90, (5, 7)), SIZE[::-1], interpolation=cv2.INTER_NEAREST)

    def wall(t: int, shift: int) -> np.ndarray:
        noise = np.random.default_rng(t).normal(0, 2, SIZE)
        return np.clip(np.roll(marks, shift * t, 1) * (1 + 0.03 * t) + noise, 0, 255).astype(np.uint8)

    still = scene_motion(lambda t: wall(t, 0), [part()], 0, 6)
    assert sorted(still) == [1, 2, 3, 4, 5, 6] and all((matrix == np.eye(3)).all() for matrix in still.values())
    moving = scene_motion(lambda t: wall(t, 3), [part()], 0, 6)
    assert moving and not any((matrix == np.eye(3)).all() for matrix in moving.values())


def test_a_frame_between_known_ones_lies_between_them():
    known = {2: 2 * np.eye(3), 6: np.array([[1, 0, 8], [0, 1, -4], [0, 0, 1.0]])}
    np.testing.assert_allclose(matrix_between(known, 3), [[1, 0, 2], [0, 1, -1], [0, 0, 1]])
    assert matrix_between(known, 3, gap=3) is None and matrix_between(known, 7) is None
    assert matrix_between(known, 2) is known[2]


def test_motion_of_the_scene_is_not_that_of_what_moves_by_itself():
    slid = scene_motion(lambda t: np.roll(moved(t), 2 * t, 1), [part()], 0, 6)
    np.testing.assert_allclose(slid[6][:2, 2], [12, 0], atol=0.3)


def test_signed_distance_changes_sign_between_pixels():
    mask = part()
    distance = signed_distance(mask)
    assert (distance[mask] >= 0.5).all() and (distance[~mask] <= -0.5).all()
    half = warp_mask(mask, np.array([[1, 0, 0.4], [0, 1, -0.4], [0, 0, 1.0]]))
    assert (half != mask).sum() <= 4  # corners alone


def tracks_of_a_box(depth: float, noise: float = 0.1, f: float = 1.1):
    """Exact projections of points on a box's front and top, and the homography of a plane inside of it, by frame."""
    size, rng = (360, 640), np.random.default_rng(0)
    lens = Pinhole(f * 640, size, 0.25)
    faces = box_faces((0.6, 0.45), depth)
    points = []
    for name, count in (("front", 120), ("top", 40)):
        corners = faces[name]
        uv = rng.uniform(0.02, 0.98, (count, 2))
        points.append(corners[0] + uv[:, :1] * (corners[1] - corners[0]) + uv[:, 1:] * (corners[3] - corners[0]))
    way = np.linspace(0, 1, 15)
    poses = Poses(
        np.stack([turn(y=0.25 * s, z=0.1 * s) for s in way]),
        np.array([-0.4, 1.2, 4.2]) + way[:, None] * [0.7, -0.1, -0.3],
    )
    seen = lens.project(poses.place(np.concatenate(points)))
    inside = faces["front"] + [0, 0, depth / 2]
    corners = lens.project(poses.place(inside))
    noisy = seen + rng.normal(0, noise, seen.shape).astype(np.float32)
    face = [cv2.findHomography(noisy[0, :120], noisy[t, :120])[0] for t in range(1, 15)]
    everything = np.ones(160, bool)
    flat = np.arange(160) < 120
    motions = [PartMotion(face[t - 1], "homography", noisy[t], everything, flat, 1.0) for t in range(1, 15)]
    return size, noisy[0], motions, corners


def test_plane_inside_a_box_is_carried_with_its_parallax():
    """The object's plane moves by pixels less than the face; the fitted body says by how much."""
    size, points, motions, corners = tracks_of_a_box(depth=0.5)
    body = fit_body(points, motions, size, focal=1.1)
    assert body.residual < 0.25 and body.agreeing > 0.98
    assert visible_depth(body) == pytest.approx(0.5 / 4.2, rel=0.15)
    mask = np.zeros(size, bool)
    cv2.fillConvexPoly(filled := mask.astype(np.uint8), np.round(corners[0]).astype(np.int32), 1)
    delta = depth_of_object(body, points, filled > 0)
    inside = body.motion.homographies(delta)
    errors = [np.abs(transform(corners[0], matrix) - corners[t]).max() for t, matrix in enumerate(inside, 1)]
    plain = [np.abs(transform(corners[0], motion.matrix) - corners[t]).max() for t, motion in enumerate(motions, 1)]
    assert max(plain) > 2 and max(errors) < 0.35 * max(plain)


def test_face_seen_alone_has_no_depth_unless_it_is_said():
    size, points, motions, corners = tracks_of_a_box(depth=0.5)
    front = [
        PartMotion(m.matrix, m.model, m.points[:120], m.tracked[:120], m.inliers[:120], m.likeness) for m in motions
    ]
    body = fit_body(points[:120], front, size, focal=1.1)
    assert visible_depth(body) == 0.0
    mask = np.zeros(size, bool)
    x0, x1 = points[:120, 0].min(), points[:120, 0].max()
    mask[100:200, int(x0) : int(x1)] = True
    # half of the depth, in widths of the front
    delta = depth_of_object(body, points[:120], mask, depth=0.25 / 1.2)
    assert delta == pytest.approx(0.25 / 4.2, rel=0.15)
    inside = body.motion.homographies(delta)
    errors = [np.abs(transform(corners[0], matrix) - corners[t]).max() for t, matrix in enumerate(inside, 1)]
    assert max(errors) < 1.5


def test_normal_of_a_face_is_found_among_its_two_readings():
    size, points, motions, _ = tracks_of_a_box(depth=0.5, noise=0.0)
    body = body_motion([m.matrix for m in motions], size, 1.1 * 640, points.mean(0))
    expected = turn(x=0.25) @ [0, 0, 1]
    assert np.degrees(np.arccos(abs(body.normal @ expected))) < 1.5
    assert all(np.abs(r @ r.T - np.eye(3)).max() < 1e-9 for r in body.rotations)
