"""Two walkers that pass in front of a third in one clip: masks, pictures and order against the drawn layers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from robustvos.commands.realvas import main
from robustvos.files.stage import open_results
from robustvos.files.stage_runner import Shard, run_stage
from robustvos.publishing.card import used_sources
from robustvos.realvas.composite import Composite
from robustvos.realvas.explain import explain
from robustvos.realvas.funnel import read_funnel
from robustvos.realvas.pipeline import STAGES, run_stages
from robustvos.realvas.propagate import Propagate
from robustvos.realvas.reasons import MEANINGS
from robustvos.realvas.sheet import write_sheet
from robustvos.realvas.sources import add_sources
from robustvos.realvas.stats import stats_of
from robustvos.reviewing.clips import clips_of
from robustvos.video.native import find_native_clips

LENGTH = 290


class CombinationsAlone(Composite):
    """No clips of one occluder, which take time."""

    def items(self, inputs):
        return (item for item in super().items(inputs) if "fronts" in item.inputs["candidate"])


@pytest.fixture(scope="module")
def walkers(scene):
    """The far one goes right; when it is gone a nearer one goes left, and then the nearest, faster."""
    middle = replace(scene.NEAR, row=152, height=84, colour=(60, 150, 60), seed=3)
    near = replace(scene.NEAR, row=192, height=110, width=64, first=212, start=360, speed=-5.6)
    return scene.FAR, middle, near


@pytest.fixture(scope="module")
def settings(scene):
    few = scene.few_clips()
    return replace(
        few,
        filter=replace(few.filter, per_shots=24),
        combine=replace(few.combine, occluders=2, among=24),
        camera=replace(few.camera, motions=()),
    )


@pytest.fixture(scope="module")
def run(scene, walkers, settings, tmp_path_factory) -> Path:
    """All stages, but of the single candidates no clip is made."""
    folder = tmp_path_factory.mktemp("several")
    root = folder / "run"
    add_sources(root, [scene.write_frames(folder / "lane", [scene.frame(t, walkers) for t in range(LENGTH)])])
    found = run_stages(root, STAGES[: STAGES.index("composite")], settings, progress=False)
    run_stage(CombinationsAlone(root, settings.composite), root, found, progress=False)
    run_stages(root, ["contain", "camera"], settings, progress=False)
    return root


@pytest.fixture(scope="module")
def clips(run):
    """Clips of two occluders, with their figures."""
    made = open_results(run, "composite").kept
    assert made and all("occluders" in clip.figures for clip in made)
    return list(zip(made, find_native_clips(run / "composite", [clip.key for clip in made]), strict=True))


@pytest.fixture(scope="module")
def drawn(run, walkers):
    """The drawn walker of each track."""
    first = {r.key: r.figures["first"] for r in open_results(run, "discover").kept}
    return dict(zip(sorted(first, key=first.get), walkers, strict=True))


def iou(a, b):
    return (a & b).sum() / max(1, (a | b).sum())


def deep(mask):
    return cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)


def test_masks_are_those_of_the_three_drawn_layers(clips, drawn):
    for clip, native in clips:
        f = clip.figures
        fronts = list(zip(f["occluders"], f["delays"], strict=True))
        untrusted = {entry["frame"] for entry in native.details["untrusted"]}
        amodal, modal, errors = [], [], []
        for k in range(len(native.frames)):
            t = f["start"] + k
            whole = drawn[f["object"]].mask(t)
            over = np.logical_or.reduce([drawn[track].mask(t - delay) for track, delay in fronts])
            if k in untrusted or not whole.any():
                continue
            made, seen = native.amodal[k][0].numpy(), native.modal[k][0].numpy()
            assert not (seen & ~made).any(), "what is seen is part of the whole"
            amodal.append(iou(made, whole))
            modal.append(iou(seen, whole & ~over) if (whole & ~over).sum() > 50 else 1.0)
            errors.append(abs(native.occlusion[k].amount - (whole & over).sum() / whole.sum()))
        assert np.mean(amodal) > 0.93 and min(amodal) > 0.85
        assert np.mean(modal) > 0.9
        assert np.mean(errors) < 0.02 and max(errors) < 0.1
        assert native.occlusion[0].amount <= 0.005


def test_each_of_the_occluders_hides_its_share(clips, drawn):
    for clip, _ in clips:
        f = clip.figures
        for track, delay in zip(f["occluders"], f["delays"], strict=True):
            times = range(f["start"], f["start"] + f["frames"])
            masks = ((drawn[f["object"]].mask(t), drawn[track].mask(t - delay)) for t in times)
            assert max((a & b).sum() / max(1, a.sum()) for a, b in masks) > 0.3


def test_the_nearer_occluder_is_seen_where_both_are(scene, clips, drawn):
    both, single = 0, 0
    for clip, native in clips:
        f = clip.figures
        (far, late), (near, later) = zip(f["occluders"], f["delays"], strict=True)
        if far == near:
            continue
        assert drawn[far].row < drawn[near].row, "the farther one is laid first"
        for k in range(len(native.frames)):
            t = f["start"] + k
            picture = native.frames[k].permute(1, 2, 0).numpy().astype(float)
            lower, upper = deep(drawn[far].mask(t - late)), deep(drawn[near].mask(t - later))
            shown = scene.frame(t - later, (drawn[near],)), scene.frame(t - late, (drawn[far],))
            if (lower & upper).any():
                both += int((lower & upper).sum())
                assert np.abs(picture - shown[0])[lower & upper].mean() < 12
            alone = lower & ~cv2.dilate(drawn[near].mask(t - later).astype(np.uint8), np.ones((7, 7))).astype(bool)
            alone &= drawn[near].shadow(t - later)[..., 0] > 0.99
            if alone.any():
                single += int(alone.sum())
                assert np.abs(picture - shown[1])[alone].mean() < 12
    assert both > 200 and single > 200


def test_annotations_name_every_occluder_the_nearest_first(clips):
    for clip, native in clips:
        said, f = native.details["provenance"], clip.figures
        assert list(said) == ["behind", "front", "front_2"]
        assert [said["front_2"]["track"], said["front"]["track"]] == f["occluders"]
        assert said["front_2"]["first_frame"] == f["start"] - f["delays"][0]


def test_doubts_of_members_are_those_of_the_combination(run):
    single = {r.key: r.figures for r in open_results(run, "filter").kept}
    for made in open_results(run, "combine").kept:
        inherited = {doubt for member in made.figures["members"] for doubt in single[member]["doubts"]}
        assert inherited <= set(made.figures["doubts"])
        assert made.figures["needs_review"] == bool(made.figures["doubts"])


def test_rejections_have_figures_and_meanings(run):
    rejected = open_results(run, "combine").rejected
    assert {"like another", "beyond the number"} <= {r.reason for r in rejected}
    assert all(r.figures and r.reason in MEANINGS for r in rejected)


def test_sheet_stats_explain_review_and_camera_take_them(run, clips):
    keys = {clip.key for clip, _ in clips}
    funnel = read_funnel(run, 1)
    assert any("combinations of several occluders" in row.what for row in funnel.rows())
    page = write_sheet(run, funnel).read_text()
    assert all(key in page for key in keys) and "2 occluders" in page
    assert stats_of(run).figures["clips"] == len(keys)
    assert {clip.key for clip in clips_of(run)} == keys == {r.key for r in open_results(run, "camera").kept}
    made, _ = clips[0]
    text, picture = explain(run, made.key)
    assert picture is not None and all(f"discover   {track}: kept" in text for track in made.figures["occluders"])
    refused = next(r for r in open_results(run, "combine").rejected if "fronts" in r.figures)
    text, picture = explain(run, refused.key)
    assert picture is not None and f"combine    {refused.key}: rejected" in text
    assert used_sources(run, [made]) == ["lane"]


def test_single_clips_are_what_they_are_without(run, settings):
    """Whatever decides an item of ``propagate`` or ``composite`` is the same, whether combinations are asked for or not."""
    found = {stage: open_results(run, stage) for stage in ("ingest", "discover", "filter", "combine", "propagate")}
    without = {stage: results for stage, results in found.items() if stage != "combine"}
    for stage in (Propagate(run, settings.propagate), Composite(run, settings.composite)):
        single = {item.key: item for item in stage.items(without)}
        every = {item.key: item for item in stage.items(found)}
        assert single.items() <= every.items() and single


def test_not_asked_for_leaves_no_trace(street_run, capsys):
    assert not (street_run / "combine").exists()
    main(["realvas", "combine", "--out", str(street_run)])
    assert "combine: 0 kept, 0 rejected" in capsys.readouterr().out
    assert not (street_run / "combine").exists()


def test_shards_in_any_order_and_taking_it_back(run, settings, tmp_path):
    root = tmp_path / "run"
    root.mkdir()
    shutil.copy(run / "sources.jsonl", root)
    for stage in ("ingest", "discover", "filter"):
        (root / stage).symlink_to(run / stage)
    for shard in (Shard(1, 2), Shard(0, 2)):
        run_stages(root, ["combine"], settings, shard=shard, progress=False)
    for name in ("manifest.jsonl", "stage.json"):
        assert (root / "combine" / name).read_bytes() == (run / "combine" / name).read_bytes()
    once = replace(settings, combine=replace(settings.combine, occluders=1))
    assert run_stages(root, ["combine"], once, progress=False)["combine"].results == ()
    assert json.loads((root / "combine" / "stage.json").read_text())["items"] == []
