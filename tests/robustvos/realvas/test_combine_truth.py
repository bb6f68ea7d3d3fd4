"""Two walkers that pass in front of a third in one clip: masks, pictures and order against the drawn layers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from robustvos.files.stage import open_results
from robustvos.files.stage_runner import Shard
from robustvos.realvas.explain import explain
from robustvos.realvas.funnel import read_funnel
from robustvos.realvas.pipeline import STAGES, run_stages
from robustvos.realvas.reasons import MEANINGS
from robustvos.realvas.sheet import write_sheet
from robustvos.realvas.sources import add_sources
from robustvos.realvas.stats import stats_of
from robustvos.video.native import find_native_clips

LENGTH = 285


@pytest.fixture(scope="module")
def walkers(scene):
    """The far one goes right, then a nearer one goes left, and when it is gone the nearest goes left, faster."""
    middle = replace(scene.NEAR, row=152, height=74, width=30, colour=(60, 150, 60), seed=3)
    near = replace(scene.NEAR, row=188, first=210, start=346, speed=-6.0)
    return scene.FAR, middle, near


@pytest.fixture(scope="module")
def settings(scene):
    few = scene.few_clips()
    return replace(
        few,
        filter=replace(few.filter, per_shots=8),
        combine=replace(few.combine, occluders=2, per_occludee=2),
    )


@pytest.fixture(scope="module")
def run(scene, walkers, settings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    video = scene.write_frames(folder / "lane", [scene.frame(t, walkers) for t in range(LENGTH)])
    add_sources(folder / "run", [video])
    run_stages(folder / "run", settings=settings, progress=False)
    return folder / "run"


@pytest.fixture(scope="module")
def combined(run):
    """Clips of two occluders, with their figures."""
    made = [clip for clip in open_results(run, "composite").kept if "occluders" in clip.figures]
    assert made, "two walkers before a third make clips"
    return list(zip(made, find_native_clips(run / "composite", [clip.key for clip in made]), strict=True))


def test_print(run):
    print(read_funnel(run, 1).text())
    for r in open_results(run, "combine").results: print(r.key, r.reason, r.figures)
    for r in open_results(run, "filter").results: print(r.key, r.reason, r.figures)
