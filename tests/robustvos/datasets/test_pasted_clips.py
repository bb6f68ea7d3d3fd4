"""Clips made of stills and videos: found, drawn, deterministic, exact."""

from __future__ import annotations

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.datasets.corruption import Corruption
from robustvos.datasets.pasted import Collection, Lighting, MixedClips, Motion, Recipe, find_collection
from robustvos.datasets.pasted.collection import Footage
from robustvos.datasets.pasted.composite import Layer, compose
from robustvos.datasets.pasted.paths import affine_path, pixel_map, shift, way_out
from robustvos.datasets.pasted.things import made_up_thing
from robustvos.errors import BadMask, DataNotFound, UnknownName, UserError
from robustvos.seeding import numpy_rng

STILL = Lighting(clip=0.0, frame=0.0, grey=0.0, blur=0.0, noise=0.0)
UNMOVED = Motion(0.0, 0.0, 0.0, 0.0)


def mixed(root, kind="cutouts", frames=4, first=0, count=4, seed=0, **recipe):
    return MixedClips(find_collection(root), Recipe(weights={kind: 1.0}, **recipe), frames, 48, first, count, seed)


def same(a, b):
    return a.name == b.name and torch.equal(a.frames, b.frames) and torch.equal(a.masks, b.masks)


# Footage


def test_sets_are_found_at_any_depth_and_read_with_their_masks(footage):
    found = find_collection(footage)
    assert [still.name for still in found.stills] == ["drawn/s0", "drawn/s1", "drawn/s2"]
    assert [(video.name, len(video.frame_paths)) for video in found.videos] == [("filmed/one", 6), ("filmed/two", 6)]
    image, ids = found.stills[0].read(0)
    assert image.shape == (60, 80, 3)
    assert image[10, 10].tolist() == [250, 20, 10]
    assert (ids[10, 10], ids[40, 60], ids[0, 0]) == (1, 2, 0)
    assert not find_collection(footage, ["filmed"]).stills


def test_sets_of_the_same_name_are_both_found(footage):
    for upper in ("ytvos", "mose"):
        shutil.copytree(footage / "more/filmed", footage / upper / "train")
    found = find_collection(footage)
    assert [v.name for v in found.videos if "train" in v.name] == [
        f"{upper}/train/{video}" for upper in ("mose", "ytvos") for video in ("one", "two")
    ]
    assert len(find_collection(footage, ["mose/train", "filmed"]).videos) == 4
    with pytest.raises(DataNotFound, match="no set train .*; there are drawn, filmed, mose/train, ytvos/train"):
        find_collection(footage, ["train"])


def test_unknown_pixels_become_background_in_the_mean_colour(footage):
    path = footage / "drawn/Annotations/s0.png"
    image, ids = find_collection(footage).stills[0].read(0)
    Image.fromarray(np.where(ids == 2, np.uint8(255), ids)).save(path)
    changed, ids = find_collection(footage).stills[0].read(0)
    assert set(np.unique(ids)) == {0, 1}
    assert np.abs(changed[40, 60].astype(float) - image.mean((0, 1))).max() < 1
    assert np.array_equal(changed[:15], image[:15])


def test_held_back_footage_is_not_trained_on(footage):
    train, held = find_collection(footage).split(["two"], every=2)
    assert [v.name for v in train.videos] == ["filmed/one"]
    assert [v.name for v in held.videos] == ["filmed/two"]
    assert [s.name for s in train.stills] == ["drawn/s1"]
    assert [s.name for s in held.stills] == ["drawn/s0", "drawn/s2"]
    with pytest.raises(DataNotFound, match="no video three to hold back; there are one, two"):
        find_collection(footage).split(["three"], 0)
    less = find_collection(footage).without(["two", "elsewhere"])
    assert [v.name for v in less.videos] == ["filmed/one"] and len(less.stills) == 3
    with pytest.raises(DataNotFound, match="all footage is held back"):
        find_collection(footage).split(["one", "two"], 1)


def test_footage_that_cannot_serve_is_refused_in_one_line(footage, tmp_path):
    with pytest.raises(DataNotFound, match="it does not exist"):
        find_collection(tmp_path / "nowhere")
    with pytest.raises(DataNotFound, match="no set shot below .*; there are drawn, filmed"):
        find_collection(footage, ["shot"])
    (footage / "drawn/Annotations/s1.png").unlink()
    with pytest.raises(DataNotFound, match="1 of 3 stills have no mask .*: s1.png; add ID.png"):
        find_collection(footage)
    for image in (footage / "drawn/JPEGImages").iterdir():
        image.unlink()
    with pytest.raises(DataNotFound, match="holds no image"):
        find_collection(footage)
    with pytest.raises(DataNotFound, match="no footage for clips of 'stills'"):
        MixedClips(Collection((), ()), Recipe(weights={"stills": 1}), 2, 48, 0, 1, 0)


def test_mask_of_another_size_is_refused(footage):
    one, two = find_collection(footage).stills[:2]
    cv2.imwrite(str(two.frame_paths[0]), np.zeros((10, 20, 3), dtype=np.uint8))
    assert one.read(0)
    with pytest.raises(BadMask, match="s1.png is 80x60, but its image is 20x10"):
        two.read(0)


# Clips


@pytest.mark.parametrize("kind", ["videos", "stills", "cutouts", "shapes"])
def test_clip_depends_on_seed_and_number_alone(footage, kind):
    first = mixed(footage, kind)
    assert all(same(first[i], mixed(footage, kind)[i]) for i in (3, 0))
    assert same(first[3], mixed(footage, kind, first=2)[1])
    assert not torch.equal(first[0].frames, mixed(footage, kind, seed=1)[0].frames)
    clip = first[0]
    assert clip.frames.shape == (4, 3, 48, 48)
    assert clip.frames.dtype == torch.uint8
    assert clip.masks.shape == (4, len(clip.object_ids), 48, 48)
    assert clip.masks[0].flatten(1).any(1).all()  # each object can be prompted
    assert not (clip.masks.sum(1) > 1).any()  # what is seen belongs to one object
    with pytest.raises(IndexError):
        first[4]


def test_kinds_come_in_their_shares(footage):
    clips = MixedClips(find_collection(footage), Recipe(weights={"stills": 3, "shapes": 1}), 1, 32, 0, 200, 0)
    made = [clips.make(i).kind for i in range(200)]
    assert 130 <= made.count("stills") <= 170
    assert set(made) == {"stills", "shapes"}


def test_masks_are_exactly_where_the_object_is_drawn(footage):
    for index in range(4):
        clip = mixed(footage, "stills", lighting=STILL, pasted=(1.0,), max_objects=1)[index]
        red = (clip.frames[:, 0] > 200) & (clip.frames[:, 2] < 80)  # both objects are red; noise is not
        assert (red | ~clip.masks[:, 0]).float().mean() > 0.98


def test_still_without_motion_stands_still(footage):
    clip = mixed(footage, "stills", lighting=STILL, motion=UNMOVED, pasted=(1.0,))[0]
    assert all(torch.equal(frame, clip.frames[0]) for frame in clip.frames)
    moving = mixed(footage, "stills", lighting=STILL, pasted=(1.0,))[0]
    assert not torch.equal(moving.frames[3], moving.frames[0])


def test_video_runs_at_a_stride_forwards_or_backwards(footage):
    """The object moves 5 pixels a frame: where it is tells which frames were taken."""
    seen = set()
    for index in range(12):
        clip = mixed(
            footage, "videos", frames=3, count=12, motion=UNMOVED, lighting=STILL, pasted=(1.0,), strides=(2, 2)
        )[index]
        centres = [m.nonzero()[:, 1].float().mean().item() for m in clip.masks[:, 0]]
        steps = np.diff(centres)
        assert np.sign(steps[0]) == np.sign(steps[1])
        seen.add(bool(steps[0] > 0))
    assert seen == {True, False}


def test_objects_leave_and_return(footage):
    gone = back = 0
    for index in range(20):
        clip = mixed(footage, frames=24, count=20, exits=1.0, pasted=(0.0, 1.0), max_objects=3)[index]
        visible = clip.masks.flatten(2).any(2)
        gone += int((~visible).any(0).sum())
        back += int(((~visible).cumsum(0).bool() & visible).any(0).sum())
    assert gone >= 8
    assert back >= 3


def test_objects_too_small_or_too_large_are_not_followed(footage):
    for index in range(4):
        clip = mixed(footage, "stills", smallest=0.1, largest=0.6)[index]
        part = clip.masks[0].flatten(1).float().mean(1)
        assert ((part >= 0.1) & (part <= 0.6)).all()
    with pytest.raises(BadMask, match="no object covers 90.0% to 95% of a first frame"):
        mixed(footage, "stills", smallest=0.9, largest=0.95)[0]


def test_clips_of_too_few_objects_are_drawn_again(footage):
    several = mixed(footage, count=6, min_objects=2, max_objects=3, pasted=(0.0, 0.5, 0.5))
    assert all(len(several[i].object_ids) >= 2 for i in range(6))
    with pytest.raises(BadMask, match="fewer than 2 cover"):
        mixed(footage, "videos", min_objects=2, pasted=(1.0,))[0]


# Corruption


@pytest.mark.parametrize("name", ["fog", "depth_fog", "low_light", "mixed"])
def test_corrupted_clip_keeps_its_masks(footage, name):
    collection, recipe = find_collection(footage), Recipe(weights={"cutouts": 1.0})
    clean, corrupted = (
        MixedClips(collection, recipe, 3, 48, 0, 2, 0, corruption)[1]
        for corruption in (None, Corruption(names=(name,)))
    )
    assert (corrupted.corruption, corrupted.name) == (name, clean.name)
    assert torch.equal(corrupted.masks, clean.masks)
    assert not torch.equal(corrupted.frames, clean.frames)


def test_fog_is_thicker_the_lower_a_layer_lies(footage):
    """Objects are red: fog takes the same share of what red has more than blue from all pixels of a thing."""
    recipe = Recipe(weights={"cutouts": 1.0}, pasted=(0.0, 0.0, 1.0), lighting=STILL, max_objects=3)
    collection = find_collection(footage)
    seen = 0
    for index in range(6):
        made = MixedClips(collection, recipe, 2, 96, 0, 6, 0).make(index)
        foggy = MixedClips(collection, recipe, 2, 96, 0, 6, 0, Corruption(names=("depth_fog",)))[index]
        kept = {}  # depth -> how much of the red is left
        for label, depth in list(enumerate(made.layers.depth))[1:]:
            inside = cv2.erode((made.layers.labels[0] == label).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
            if inside.sum() < 30:
                continue
            before, after = ((f[0] - f[2])[inside].mean() for f in (c.frames[0].float() for c in (made.clip, foggy)))
            kept.setdefault(round(float(depth), 3), []).append(float(after / before))
        means = [np.mean(kept[depth]) for depth in sorted(kept)]
        assert all(np.diff(means) < 0), "the farther, the less"
        seen += len(means) >= 2
    assert seen >= 3


def test_low_light_falls_on_some_things_and_not_on_others(footage):
    recipe = Recipe(weights={"cutouts": 1.0}, pasted=(0.0, 0.0, 1.0), lighting=STILL, max_objects=3)
    collection = find_collection(footage)
    both = 0
    for index in range(6):
        made = MixedClips(collection, recipe, 2, 192, 0, 6, 0).make(index)
        dark = MixedClips(collection, recipe, 2, 192, 0, 6, 0, Corruption(names=("low_light",)))[index]
        ratio = dark.frames[0].float().mean(0) / made.clip.frames[0].float().mean(0).clamp(min=1)
        lit = [
            float(ratio[torch.from_numpy(made.layers.labels[0] == label)].median())
            for label in range(len(made.layers.depth))
            if (made.layers.labels[0] == label).sum() > 200
        ]
        assert min(lit) < 0.45, "something lies in the dark"
        both += max(lit) > 0.7
    assert both >= 3, "and something does not, unless it lies so near that it is in the same shadow"


def test_layers_are_those_of_the_masks(footage):
    """A mask shows one thing, and things of one layer are equally far."""
    for kind in ("cutouts", "shapes", "stills"):
        made = mixed(footage, kind, max_objects=3).make(1)
        assert made.layers.shape == tuple(made.clip.masks[:, 0].shape)
        for row in range(len(made.clip.object_ids)):
            shown = made.layers.labels[made.clip.masks[:, row].numpy()]
            assert len(np.unique(shown)) == 1 and shown[0] > 0
        assert made.layers.depth[0] == 1.0 and (made.layers.depth[1:] < 1.0).all()


def test_footage_of_a_clip_is_what_fills_its_frame(footage):
    assert mixed(footage, "videos").make(0).footage in ("filmed/one", "filmed/two")
    assert mixed(footage, "shapes").make(0).footage == mixed(footage, "shapes")[0].name


def test_recipe_is_checked():
    with pytest.raises(UnknownName, match="stils"):
        Recipe(weights={"stils": 1.0})
    for wrong in ({"weights": {"stills": 0}}, {"strides": (3, 1)}, {"pasted": ()}, {"min_objects": 3}):
        with pytest.raises(UserError):
            Recipe(**wrong)


# Layers and paths


def test_upper_layers_hide_lower_ones():
    red, blue = np.full((8, 8, 3), (200, 0, 0), np.uint8), np.full((8, 8, 3), (0, 0, 200), np.uint8)
    ids = np.zeros((8, 8), np.uint8)
    ids[2:6, 2:6] = 1
    still = np.tile(np.eye(3), (2, 1, 1))
    moved = still @ shift(0.25, 0.0)
    frames, labels = compose([Layer([red] * 2, [ids] * 2, still), Layer([blue] * 2, [ids] * 2, moved, cut=1)], 8)
    assert set(np.unique(labels)) == {0, 1, 257}
    assert (labels[0] == 257)[2:6, 4:8].all()
    assert (labels[0] == 1)[2:6, 2:4].all()
    assert frames[0, 4, 6].tolist() == pytest.approx([0, 0, 200], abs=15)
    assert frames[0, 4, 0].tolist() == [200, 0, 0]


def test_path_begins_with_the_identity_and_keeps_within_its_reach():
    motion = Motion(degrees=10.0, scale=0.0, shear=0.0, shift=0.1)
    for seed in range(20):
        path = affine_path(numpy_rng(seed), 60, motion)
        assert np.allclose(path[0], np.eye(3))
        assert np.abs(path[:, :2, 2]).max() <= 0.2 + 1e-9
        assert np.degrees(np.abs(np.arctan2(path[:, 1, 0], path[:, 0, 0]))).max() <= 20 + 1e-9
    assert np.allclose(affine_path(numpy_rng(0), 9, replace(motion, degrees=0.0, shift=0.0)), np.eye(3))


def test_way_out_goes_as_far_as_it_is_told():
    for seed in range(10):
        way = np.linalg.norm(way_out(numpy_rng(seed), 100, 1.2), axis=1)
        assert way[0] == 0
        assert way.max() == pytest.approx(1.2, abs=0.05)


def test_pixel_map_keeps_corners_of_the_picture():
    matrix = pixel_map(np.eye(3), (30, 60), 120)
    corners = np.array([[-0.5, -0.5, 1], [59.5, 29.5, 1]])
    assert np.allclose(corners @ matrix.T, [[-0.5, -0.5], [119.5, 119.5]])


def test_single_frame_of_footage_serves_for_a_whole_clip(footage):
    one = find_collection(footage).videos[0]
    single = Footage("x", one.frame_paths[:1], one.mask_paths[:1])
    clips = MixedClips(Collection((), (single,)), Recipe(weights={"videos": 1.0}), 5, 32, 0, 1, 0)
    assert clips[0].frames.shape[0] == 5


# Made-up things


def test_made_up_things_are_laid_on_in_the_place_of_objects_that_are_cut_out(footage):
    still = {"lighting": STILL, "pasted": (0.0, 1.0), "max_objects": 3}
    made = mixed(footage, count=6, made_up=1.0, **still)
    assert all(same(made[i], mixed(footage, count=6, made_up=1.0, **still)[i]) for i in range(3))
    assert not any(same(made[i], mixed(footage, count=6, **still)[i]) for i in range(6))
    objects = [made.make(i) for i in range(6)]
    assert all(1 <= len(clip.layers.depth) - 1 <= 3 for clip in objects)  # those of the picture, and one


def test_a_made_up_thing_is_one_piece_with_room_around_it():
    picture = np.full((60, 80, 3), 7, np.uint8)
    for number in range(20):
        images, ids = made_up_thing(picture, 3, numpy_rng("made up", number))
        again, _ = made_up_thing(picture, 3, numpy_rng("made up", number))
        assert len(images) == len(ids) == 3 and np.array_equal(images[0], again[0])
        for plane in ids:
            assert 0.04 < plane.mean() < 0.8
            assert not plane[[0, -1]].any() and not plane[:, [0, -1]].any()
            assert cv2.connectedComponents(plane)[0] == 2


@pytest.mark.parametrize("chance", [-0.1, 1.1])
def test_a_chance_of_made_up_things_is_a_chance(chance):
    with pytest.raises(UserError, match="made_up is .*a chance is in"):
        Recipe(made_up=chance)
