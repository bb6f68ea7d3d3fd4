import cv2
import numpy as np
import pytest
import torch

from robustvos.datasets.geometric import Geometric, Warp, draw_warp, warp_frames, warp_ids

pytestmark = pytest.mark.fast

WARPS = [Warp(), Warp(flip=True), Warp(degrees=25, shear=20), Warp(True, -17, -11), Warp(True, 8, 20)]


def ids(size: int = 64) -> np.ndarray:
    """A disc and a bar."""
    plane = np.zeros((size, size), np.uint8)
    cv2.circle(plane, (24, 30), 11, 1, -1)
    plane[44:56, 20:50] = 2
    return plane


def painted(plane: np.ndarray, value: int) -> torch.Tensor:
    return torch.from_numpy(np.where(plane == value, 255, 0).astype(np.uint8)).expand(1, 3, -1, -1)


@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("value", [1, 2])
def test_a_frame_painted_from_its_mask_stays_equal_to_the_mask(warp, value):
    plane = ids()
    mask = (warp_ids(plane[None], warp, 64)[0] == value).numpy().astype(np.uint8)
    frame = warp_frames(painted(plane, value), warp, 64)[0, 0].numpy()
    if warp != Warp():  # what comes in from outside is grey
        outside = warp_frames(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), warp, 64)[0, 0].numpy() > 0
        frame = np.where(outside, 0, frame)
    kernel = np.ones((3, 3), np.uint8)
    assert mask.sum() > 150
    assert frame[cv2.erode(mask, kernel) > 0].min() > 200
    assert frame[cv2.dilate(mask, kernel) == 0].max() < 55


def test_a_mirror_image_is_exact():
    frames = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(warp_frames(frames, Warp(flip=True), 64), frames.flip(-1))
    assert torch.equal(warp_ids(ids()[None], Warp(flip=True), 64)[0], torch.from_numpy(ids()[:, ::-1].copy()))


def test_a_quarter_turn_is_clockwise_and_exact():
    turned = warp_ids(ids()[None], Warp(degrees=90), 64)[0]
    assert torch.equal(turned, torch.rot90(torch.from_numpy(ids()), k=-1))


def test_a_shear_moves_rows_along_and_leaves_the_middle_row():
    plane = np.zeros((65, 65), np.uint8)
    plane[:, 32] = 1
    sheared = warp_ids(plane[None], Warp(shear=45), 65)[0].numpy()
    assert [int(np.flatnonzero(sheared[y])[0]) for y in (12, 32, 52)] == [12, 32, 52]


def test_all_frames_of_a_clip_are_warped_alike():
    frames = torch.randint(0, 256, (1, 3, 40, 56), dtype=torch.uint8).expand(3, -1, -1, -1)
    warped = warp_frames(frames, Warp(True, 13, 7), 32)
    assert torch.equal(warped[0], warped[2])
    assert warped.shape == (3, 3, 32, 32)


def test_drawn_warps_stay_within_their_settings_and_flip_as_often_as_asked():
    settings = Geometric(hflip=0.25, degrees=10, shear=5)
    warps = [draw_warp(settings, np.random.default_rng(seed)) for seed in range(400)]
    assert 9 < max(abs(warp.degrees) for warp in warps) <= 10
    assert 4.5 < max(abs(warp.shear) for warp in warps) <= 5
    assert 0.17 < np.mean([warp.flip for warp in warps]) < 0.33  # 0.25 +- 4 standard deviations
    assert draw_warp(None, np.random.default_rng(0)) == Warp()
