"""Clips of real objects that others hide: deterministic, with exact masks, and hidden as they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.datasets.corruption import Corruption
from robustvos.datasets.pasted import PASSES, Collection, HiddenClips, Lighting, Motion, Recipe, find_collection
from robustvos.datasets.pasted.arrange import CutOut
from robustvos.datasets.pasted.composite import Layer, compose, whole_masks
from robustvos.datasets.pasted.hidden import arrange_hiding, is_useful, is_whole
from robustvos.datasets.pasted.paths import shift
from robustvos.errors import BadMask, DataNotFound
from robustvos.seeding import numpy_rng

STILL = Recipe(motion=Motion(0.0, 0.0, 0.0, 0.0), lighting=Lighting(clip=0.0, frame=0.0, grey=0.0, blur=0.0, noise=0.0))


def hidden(root, frames=12, first=0, count=12, seed=0, recipe=STILL, **more):
    return HiddenClips(find_collection(root), recipe, frames, 64, first, count, seed, **more)


def test_clip_depends_on_seed_and_number_alone(footage):
    clips = hidden(footage, recipe=Recipe())
    for index in (3, 0):
        again = hidden(footage, first=index, recipe=Recipe())[0]
        assert torch.equal(clips[index].frames, again.frames) and torch.equal(clips[index].amodal, again.amodal)
    assert not torch.equal(clips[0].frames, hidden(footage, seed=1, recipe=Recipe())[0].frames)
    assert clips[0].frames.shape == (12, 3, 64, 64) and clips[0].frames.dtype == torch.uint8
    assert clips[0].masks.shape == clips[0].amodal.shape == (12, 1, 64, 64)
    with pytest.raises(IndexError):
        clips[12]


def test_object_is_whole_at_first_and_hidden_later(footage):
    for made in map(hidden(footage).make, range(12)):
        clip = made.clip
        assert torch.equal(clip.masks[0], clip.amodal[0])
        assert not (clip.masks & ~clip.amodal).any()
        hides = 1 - clip.masks.sum((1, 2, 3)) / clip.amodal.sum((1, 2, 3))
        assert hides.max() >= 0.3
        assert made.passing in PASSES
        if made.passing == "stays":  # it is in no hurry to leave
            assert hides[-1] > 0.05


def test_whole_mask_does_not_change_while_object_keeps_still(footage):
    """With nothing that moves by itself only the pass is left: the object's shape is the same in every frame, hidden or not."""
    shapes = 0
    for index in range(12):
        clip = hidden(footage)[index]
        areas = clip.amodal.flatten(1).sum(1).double()
        inside = ~(clip.amodal[:, 0, [0, -1]].any((1, 2)) | clip.amodal[:, 0, :, [0, -1]].any((1, 2)))
        shapes += bool((areas[inside] - areas[0]).abs().max() <= 0.1 * areas[0])
    assert shapes >= 8  # a third of the footage is of videos whose object is cut by the border


def test_whole_masks_are_what_is_seen_where_nothing_is_laid_on():
    picture, ids = np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), np.uint8)
    ids[2:6, 2:6] = 3
    still = np.tile(np.eye(3), (2, 1, 1))
    base = Layer([picture] * 2, [ids * 0] * 2, still)
    query = Layer([picture] * 2, [ids] * 2, still @ shift(0.125, 0.0), cut=3)
    _, labels = compose([base, query], 16)
    assert np.array_equal(whole_masks(query, 16), labels == 256 + 3)
    _, labels = compose([base, query, Layer([picture] * 2, [ids] * 2, still, cut=3)], 16)
    whole = whole_masks(query, 16)
    assert 0 < (labels == 256 + 3).sum() < whole.sum()
    assert not ((labels == 256 + 3) & ~whole).any()


@pytest.mark.parametrize("passing", PASSES)
def test_occluder_comes_and_goes_as_it_should(footage, passing):
    found = find_collection(footage)
    ends = []
    for seed in range(40):
        layers, query = arrange_hiding(passing, found, STILL, 24, numpy_rng("pass", seed))
        if not layers:
            continue
        _, labels = compose(layers, 64)
        seen, whole = labels == 256 * query + layers[query].cut, whole_masks(layers[query], 64)
        if is_useful(seen, whole):
            ends.append(1 - seen[-1].sum() / max(1, whole[-1].sum()))
    assert len(ends) >= 10
    assert (np.median(ends) > 0.2) == (passing == "stays")


def test_object_moves_with_a_picture_that_is_mirrored_and_cropped(footage, monkeypatch):
    """What is pasted on a moving camera's picture keeps its place on it."""
    from robustvos.datasets.pasted import hidden as module

    turn = np.tile(np.eye(3), (6, 1, 1))
    turn[:, 0, 2] = np.linspace(0, 0.2, 6)  # the camera's motion in the frame: to the right
    crop = np.diag([-2.0, 2.0, 1.0])
    real = module.base_layer
    monkeypatch.setattr(
        module, "base_layer", lambda *args: Layer(*(lambda b: (b.images, b.ids))(real(*args)), turn @ crop)
    )
    monkeypatch.setattr(module, "_CAMERA", 1.0)
    monkeypatch.setattr(module, "_BEHIND", 0.0)  # the object keeps to its anchor
    stills = Collection(find_collection(footage).stills, ())
    found = 0
    for seed in range(20):
        layers, query = arrange_hiding("stays", stills, STILL, 6, numpy_rng("camera", seed))
        if layers:
            steps = layers[query].path[:, :2, 2] - layers[query].path[0, :2, 2]
            assert np.allclose(steps, turn[:, :2, 2], atol=1e-9)
            found += 1
    assert found


def test_object_that_its_own_picture_cuts_is_not_asked_for(footage):
    ids = np.zeros((8, 8), np.uint8)
    ids[2:6, 2:6] = 1
    cut = np.zeros((8, 8), np.uint8)
    cut[4:8, 2:6] = 1
    picture = np.zeros((8, 8, 3), np.uint8)

    def of(*planes):
        return CutOut([picture] * len(planes), list(planes), 1, np.eye(3), (0.5, 0.5))

    assert is_whole(of(ids, ids))
    assert not is_whole(of(ids, cut))
    assert not is_whole(of(ids, ids * 0))


def test_weather_is_of_the_training_alone(footage):
    fog = Corruption(names=("fog",), clean_probability=0.0)
    clear, foggy = hidden(footage), hidden(footage, corruption=fog)
    assert foggy[0].corruption == "fog" and not torch.equal(foggy[0].frames, clear[0].frames)
    assert torch.equal(foggy[0].amodal, clear[0].amodal)
    assert torch.equal(foggy.make(0).clip.frames, clear[0].frames)


def test_footage_that_cannot_serve_is_refused(footage):
    with pytest.raises(DataNotFound, match="no stills and no videos"):
        HiddenClips(Collection((), ()), STILL, 4, 64, 0, 1, 0)
    with pytest.raises(BadMask, match="no object could be hidden in 100 attempts"):
        HiddenClips(find_collection(footage), STILL, 1, 64, 0, 1, 0)[0]  # one frame: nothing can pass
