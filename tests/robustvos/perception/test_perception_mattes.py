"""Mattes against an alpha that is known because the picture was composed with it."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from robustvos.errors import BadMask, BadVideo, MissingExtra, UserError
from robustvos.perception import ClosedForm, GuidedFeather, KnownPlate, VitMatte
from robustvos.perception.matte import trimap

SIDE = 96
CLASSICAL = [GuidedFeather, KnownPlate, ClosedForm]


def textured(height: int, width: int, seed: int = 0) -> np.ndarray:
    """``(H, W, 3)`` uint8, smooth random texture with gradients everywhere."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low) * 255).astype(np.uint8)


def as_frame(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).contiguous()


def composed() -> tuple[Tensor, Tensor, Tensor, np.ndarray]:
    """Frame, hard mask, plate and the true alpha: a disc with a soft rim, orange over bluish texture."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    alpha = np.clip((30 - np.hypot(x - 48, y - 44)) / 4 + 0.5, 0, 1)
    plate = textured(SIDE, SIDE).astype(np.float32) * [0.3, 0.4, 0.6]
    colour = np.array([230, 150, 40]) + cv2.GaussianBlur(textured(SIDE, SIDE, 5), (0, 0), 4)[..., :1] * 0.1
    pixels = alpha[..., None] * colour + (1 - alpha[..., None]) * plate
    mask = torch.from_numpy(alpha > 0.5)
    return as_frame(pixels.clip(0, 255).astype(np.uint8)), mask, as_frame(plate.astype(np.uint8)), alpha


def matte_of(kind, **settings):
    if kind is ClosedForm:
        pytest.importorskip("pymatting")
    return kind(**settings)


@pytest.mark.parametrize("kind", CLASSICAL)
def test_soft_rim_is_nearer_to_the_truth_than_the_hard_mask(kind):
    frame, mask, plate, truth = composed()
    found = matte_of(kind, erode=5, dilate=5).alpha(frame, mask, plate).numpy()
    rim = (truth > 0) & (truth < 1)
    hard = np.abs(mask.numpy() - truth)[rim].mean()
    assert np.abs(found - truth)[rim].mean() < 0.75 * hard
    assert found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize(("kind", "reach"), [(KnownPlate, 0.03), (ClosedForm, 0.12)])
def test_rim_is_found_closely(kind, reach):
    frame, mask, plate, truth = composed()
    found = matte_of(kind, erode=5, dilate=5).alpha(frame, mask, plate).numpy()
    assert np.abs(found - truth)[(truth > 0) & (truth < 1)].mean() < reach


@pytest.mark.parametrize("kind", CLASSICAL)
def test_outside_the_band_the_mask_stays(kind):
    frame, mask, plate, _ = composed()
    found = matte_of(kind).alpha(frame, mask, plate).numpy()
    marks = trimap(mask.numpy(), 3, 4)
    assert (found[marks == 255] == 1).all() and (found[marks == 0] == 0).all()
    assert 200 < (marks == 128).sum() < 2500


@pytest.mark.parametrize("kind", CLASSICAL)
def test_empty_full_and_tiny_masks(kind):
    frame, mask, plate, _ = composed()
    matte = matte_of(kind)
    assert not matte.alpha(frame, torch.zeros_like(mask), plate).any()
    assert (matte.alpha(frame, torch.ones_like(mask), plate) == 1).all()
    tiny = torch.zeros_like(mask)
    tiny[40:42, 40:43] = True
    found = matte.alpha(frame, tiny, plate)
    assert torch.isfinite(found).all() and float(found.max()) > 0


def test_band_does_not_follow_the_frames_border():
    mask = np.zeros((40, 40), bool)
    mask[:, :20] = True
    marks = trimap(mask, 3, 4)
    assert (marks[:, :16] == 255).all() and (marks[:, 18:22] == 128).all() and (marks[:, 26:] == 0).all()


def test_band_has_the_widths_asked_for():
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    row = trimap(mask, 3, 4)[30]
    assert row.tolist() == [0] * 16 + [128] * 7 + [255] * 14 + [128] * 7 + [0] * 16


def test_bad_input_is_refused():
    frame, mask, plate, _ = composed()
    with pytest.raises(UserError, match="'known_plate' needs the clean plate"):
        KnownPlate().alpha(frame, mask)
    with pytest.raises(BadMask, match=r"bool \(96, 96\)"):
        GuidedFeather().alpha(frame, mask.float())
    with pytest.raises(BadVideo, match="48x96 in a clip of 96x96"):
        GuidedFeather().alpha(frame, mask, plate[..., :48])
    for make in (lambda: GuidedFeather(radius=0), lambda: ClosedForm(erode=0)):
        with pytest.raises(UserError):
            make()


def test_missing_pymatting_names_the_extra(monkeypatch):
    frame, mask, _, _ = composed()
    for module in [name for name in sys.modules if name.partition(".")[0] == "pymatting"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(MissingExtra, match=r"robustvos\[matting\]"):
        ClosedForm().alpha(frame, mask)


def test_vitmatte_gives_what_transformers_gives(vitmatte_folder):
    import transformers

    frame, mask, _, _ = composed()
    found = VitMatte(str(vitmatte_folder)).alpha(frame, mask).numpy()
    marks = trimap(mask.numpy(), 8, 8)
    processor = transformers.VitMatteImageProcessor.from_pretrained(vitmatte_folder)
    model = transformers.VitMatteForImageMatting.from_pretrained(vitmatte_folder).eval()
    inputs = processor(images=frame.permute(1, 2, 0).numpy(), trimaps=marks, return_tensors="pt")
    with torch.no_grad():  # the margin is wide enough for the whole picture to be the crop
        expected = model(**inputs).alphas[0, 0, :SIDE, :SIDE].numpy()
    band = marks == 128
    np.testing.assert_allclose(found[band], expected[band], atol=1e-5)
    assert (found[marks == 255] == 1).all() and (found[marks == 0] == 0).all()
    assert found[band].std() > 0.01


def test_vitmatte_takes_odd_sizes(vitmatte_folder):
    frame, mask, _, _ = composed()
    found = VitMatte(str(vitmatte_folder)).alpha(frame[:, :85, :77].contiguous(), mask[:85, :77])
    assert found.shape == (85, 77)
