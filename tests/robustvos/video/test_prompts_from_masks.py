"""Prompts made from ground truth say where the object is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from robustvos.errors import BadMask, BadPrompt, UnknownName
from robustvos.video.prompts import parse_prompt_kind, prompt_from_mask

pytestmark = pytest.mark.fast


@pytest.fixture
def mask():
    """A bumpy blob of 40x60 with a hole, touching the left border."""
    yy, xx = np.mgrid[:40, :60]
    blob = (np.hypot(xx - 8, yy - 20) < 15) | (np.hypot(xx - 30, yy - 18) < 9)
    blob &= np.hypot(xx - 6, yy - 22) > 3
    return torch.from_numpy(blob)


def test_mask_prompt_is_the_mask(mask):
    prompt = prompt_from_mask(mask, object_id=4, kind="mask", frame=2)
    assert (prompt.object_id, prompt.frame) == (4, 2)
    assert torch.equal(prompt.mask, mask)


def test_box_is_the_tightest(mask):
    ys, xs = mask.numpy().nonzero()
    assert prompt_from_mask(mask, 1, "box").box.tolist() == [xs.min(), ys.min(), xs.max(), ys.max()]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (39, 59), (7, 3)])
def test_single_pixel_gives_a_box_with_area_and_as_many_clicks_as_asked(row, column):
    mask = torch.zeros(40, 60, dtype=torch.bool)
    mask[row, column] = True
    assert prompt_from_mask(mask, 1, "box").box.tolist() == [column, row, column + 1, row + 1]
    assert prompt_from_mask(mask, 1, "points:3").points.tolist() == [[column, row]] * 3


def test_first_click_is_where_the_mask_is_thickest(mask):
    x, y = prompt_from_mask(mask, 1, "points:1").points[0].int().tolist()
    distance = ndimage.distance_transform_edt(np.pad(mask.numpy(), 1))[1:-1, 1:-1]
    assert distance[y, x] == pytest.approx(distance.max(), rel=1e-5)


def test_clicks_are_distinct_inside_and_repeatable(mask):
    prompt = prompt_from_mask(mask, 1, "points:6", seed=5)
    x, y = prompt.points.int().T
    assert bool(mask[y, x].all()) and prompt.labels.tolist() == [1] * 6
    assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == 6
    assert torch.equal(prompt_from_mask(mask, 1, "points:6", seed=5).points, prompt.points)
    assert torch.equal(prompt_from_mask(mask, 1, "points:1", seed=5).points, prompt.points[:1])
    for other in ({"seed": 6}, {"frame": 1}, {"object_id": 2}):
        arguments = {"object_id": 1, "seed": 5, **other}
        assert not torch.equal(prompt_from_mask(mask, kind="points:6", **arguments).points, prompt.points)


@pytest.mark.parametrize("kind", ["mask", "box", "points:1", "points:4"])
def test_empty_mask_has_no_prompt(kind):
    with pytest.raises(BadPrompt, match="the mask of object 9 on frame 3 is empty"):
        prompt_from_mask(torch.zeros(4, 5, dtype=torch.bool), 9, kind, frame=3)


def test_what_is_not_a_mask_is_refused():
    with pytest.raises(BadMask, match="expected bool"):
        prompt_from_mask(torch.zeros(4, 5), 1)


@pytest.mark.parametrize("text", ["points", "points:0", "points:-1", "points:2.5", "msk", ""])
def test_unknown_kind_is_named(text):
    with pytest.raises(UnknownName, match=f"unknown prompt kind '{text}'.*known: box, mask, points:1, points:N"):
        parse_prompt_kind(text)
