"""Perception plugins in the stages: each chosen one is used, and named in manifest and funnel. Networks are tiny and random."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from robustvos.containment.follow import follow_part, gray_reader, points_of
from robustvos.errors import CheckpointNotFound, DataNotFound, UnknownName, UserError
from robustvos.files.stage import open_results
from robustvos.perception import Detections, TemplateMatching
from robustvos.realvas.depth_order import depth_on_top, depth_order, refine_mask
from robustvos.realvas.depth_refinement import DepthRefiner
from robustvos.realvas.funnel import read_funnel
from robustvos.realvas.matte import chosen_matte
from robustvos.realvas.named_objects import detect, detected_objects, name_of
from robustvos.realvas.native_masks import read_native_masks
from robustvos.realvas.pipeline import RealVASSettings, run_stages
from robustvos.realvas.plugins import plugin
from robustvos.realvas.shots import read_shots

PLAIN = RealVASSettings()


@pytest.fixture
def copy(street_run, tmp_path):
    """A run on the street before ``discover``; later stages, linked, are for reading alone."""
    root = tmp_path / "run"
    root.mkdir()
    for name in ("sources.jsonl", "ingest"):
        (root / name).symlink_to(street_run / name)
    return root


def test_embedded_plugins_are_none_and_unknown_or_missing_ones_are_refused(monkeypatch, tmp_path):
    assert plugin("detector", "plate_difference") is None and plugin("points", "lucas_kanade") is None
    with pytest.raises(UnknownName, match="grounding_dino"):
        plugin("detector", "grounding_din")
    with pytest.raises(UserError, match="background_knn has no weights"):
        plugin("detector", "background_knn=auto")
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = replace(PLAIN, filter=replace(PLAIN.filter, depth=f"depth_anything={tmp_path}"))
    with pytest.raises(CheckpointNotFound, match="99 MB, Apache-2.0"):
        run_stages(tmp_path / "run", ["filter"], settings, progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("motion", replace(PLAIN, motion=replace(PLAIN.motion, tracker="templat"))),
        ("contain", replace(PLAIN, contain=replace(PLAIN.contain, points="templat"))),
        ("filter", replace(PLAIN, filter=replace(PLAIN.filter, depth="depth_anythin"))),
        ("propagate", replace(PLAIN, propagate=replace(PLAIN.propagate, depth="depth_anythin"))),
    ],
)
def test_each_stage_is_checked_for_the_plugin_that_it_runs(stage, settings, tmp_path):
    """Before anything is done: here no stage before it has run, which would be said otherwise."""
    with pytest.raises(UnknownName, match="did you mean"):
        run_stages(tmp_path / "run", [stage], settings, progress=False)
    others = [name for name in ("motion", "contain", "filter", "propagate") if name != stage]
    for other in others:
        with pytest.raises(DataNotFound, match="no results of the stage") if other != "contain" else nullcontext():
            run_stages(tmp_path / "run", [other], settings, progress=False)


def test_another_detector_and_point_tracker_find_the_walkers_too(copy):
    settings = replace(
        PLAIN,
        discover=replace(PLAIN.discover, detector="background_knn"),
        motion=replace(PLAIN.motion, tracker="template"),
    )
    results = run_stages(copy, ["discover", "motion"], settings, progress=False)
    assert len(results["discover"].kept) == 2 == len(results["motion"].kept)
    assert {r.figures["label"] for r in results["discover"].kept} == {"moving"}
    assert all(0.03 < r.figures["speed"] < 0.3 for r in results["motion"].kept), "3.5 of 377 pixels, 25 times a second"
    assert open_results(copy, "discover").settings["detector"] == "background_knn"
    said = read_funnel(copy, 1).text()
    assert "by detector background_knn" in said and "by points template" in said


def test_boxes_choose_among_what_has_changed_and_name_it():
    changed = np.zeros((40, 60), bool)
    changed[10:30, 5:15], changed[10:30, 40:50] = True, True
    found = Detections(torch.tensor([[4.0, 9.0, 16.0, 31.0]]), torch.tensor([0.7]), ("dog",))
    kept = detected_objects(found, changed)
    assert kept[:, :20].sum() == 200 and not kept[:, 20:].any()
    assert name_of([kept], [found]) == "dog"
    assert name_of([changed & ~kept], [found]) == ""


def test_a_network_that_detects_is_asked_on_every_sample(dino_folder, scene):
    """Random weights find nothing of use; names, sizes and the way in and out are the real ones."""
    detector = plugin("detector", f"grounding_dino={dino_folder}")
    detector.classes, detector.threshold, detector.text_threshold = ("person", "car"), 0.0, 0.0
    pictures = [scene.frame(t) for t in (30, 40)]
    found = detect(detector, pictures)
    assert len(found) == 2 and all(one.masks is None for one in found)
    for one in found:
        assert set(one.labels) <= {"person", "car"} and float(one.boxes[:, 2].max()) <= 320
        assert detected_objects(one, np.ones((200, 320), bool)).any() == bool(len(one))


def test_depth_network_orders_pairs_and_is_named(depth_folder, street_run, tmp_path):
    root, choice = tmp_path / "run", f"depth_anything={depth_folder}"
    root.mkdir()
    for name in ("sources.jsonl", "ingest", "discover", "motion", "align"):
        (root / name).symlink_to(street_run / name)
    results = run_stages(root, ["filter"], replace(PLAIN, filter=replace(PLAIN.filter, depth=choice)), progress=False)[
        "filter"
    ]
    assert len(results.results) == len(open_results(street_run, "filter").results)
    judged = [r for r in results.results if r.figures.get("depth_gap") is not None]
    assert judged and all("gap" not in r.figures for r in judged)
    assert f"by depth {choice}" in read_funnel(root, 1).text()


def pairing(hidden):
    return SimpleNamespace(hidden=np.array(hidden))


def test_depth_decides_order_and_one_place():
    far, near, equal = np.full(6, 0.2), np.full(6, 0.5), np.full(6, 0.21)
    assert depth_order(pairing([9] * 6), (far, near), 0.9).front == "second"
    assert depth_order(pairing([9] * 6), (near, far), 0.9).front == "first"
    assert depth_order(pairing([9] * 6), (far, equal), 0.9).reason == "on top"
    crossing = np.array([0.5, 0.5, 0.5, 0.5, 0.0, 0.0])
    assert depth_order(pairing([9] * 6), (far, crossing), 0.9).reason == "order changes"
    assert depth_order(pairing([0] * 6), (far, near), 0.9).front is None
    assert depth_on_top(pairing([9] * 6), (far, near), 2) == "clear"
    assert depth_on_top(pairing([0, 9, 9, 0, 0, 0]), (far, equal), 2) == "on top"
    assert depth_on_top(pairing([0, 0, 9, 0, 0, 0]), (far, equal), 2) == "clear"


def test_refinement_opens_the_gaps_of_a_plant_and_keeps_a_slanted_thing():
    """A fence in front: half of its mask shows the scene, 0.1 near, between boards at 0.8; a slanted board stays whole."""
    mask = np.zeros((20, 40), bool)
    mask[5:15, 5:35] = True
    boards = mask & (np.arange(40) % 4 < 3)
    scene = np.full(mask.shape, 0.1)
    assert np.array_equal(refine_mask(mask, np.where(boards, 0.8, scene), scene), boards)
    slanted = np.where(mask, 0.8 + 0.1 * np.linspace(-1, 1, 40), scene)
    assert np.array_equal(refine_mask(mask, slanted, scene), mask)


def test_native_masks_are_refined_by_the_network_with_a_picture(depth_folder, street_run, tmp_path):
    shot = read_shots(street_run)["street"]
    refiner = DepthRefiner.of(f"depth_anything={depth_folder}", shot)
    key = open_results(street_run, "propagate").kept[0].key
    masks = read_native_masks(street_run / "propagate" / key / "masks.npz")
    t = sorted(masks)[len(masks) // 2]
    refined = refiner.refine(masks[t], t)
    assert refined.obj.any() and not (refined.obj & ~masks[t].obj).any()
    assert refiner.removed == masks[t].obj.sum() - refined.obj.sum() or np.array_equal(refined.obj, masks[t].obj)
    refiner.write_picture(tmp_path / "depth.jpg")
    assert (tmp_path / "depth.jpg").stat().st_size > 2000
    assert DepthRefiner.of("contact_order", shot) is None


def test_mattes_of_plugins_are_laid_on_the_object_alone(vitmatte_folder, scene):
    frame, plate = scene.frame(50), scene.plate().astype(np.uint8)
    mask = scene.FAR.mask(50)
    for method in ("known_plate", f"vitmatte={vitmatte_folder}"):
        alpha = chosen_matte(frame, plate, mask, method, 1.0)
        assert alpha.dtype == np.float32 and alpha.shape == mask.shape and alpha.min() >= 0 and alpha.max() <= 1
        assert alpha[100, 156] == 1.0 and alpha[20:40].max() == 0.0
    assert np.abs(chosen_matte(frame, plate, mask, "known_plate", 1.0) - mask)[mask].mean() < 0.1


def test_container_is_followed_by_the_points_of_a_plugin():
    """A printed square slides by two pixels a frame, forwards and backwards of its reference."""
    rng = np.random.default_rng(0)
    print_, ground = rng.integers(60, 200, (40, 40), np.uint8), rng.integers(90, 110, (100, 160), np.uint8)
    frames = []
    for t in range(12):
        picture = ground.copy()
        picture[30:70, 20 + 2 * t : 60 + 2 * t] = print_
        frames.append(torch.from_numpy(np.repeat(picture[None], 3, 0)))
    part = np.zeros((100, 160), bool)
    part[30:70, 30:70] = True
    found = follow_part(gray_reader(frames), part, 5, 0, 11, points=points_of(TemplateMatching(), frames))
    assert found.stop is None and found.start is None and len(found.motions) == 12
    for t, motion in found.motions.items():
        assert motion.matrix[:2, 2] == pytest.approx([2 * (t - 5), 0], abs=0.2)
