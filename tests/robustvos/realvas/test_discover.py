"""What discovering holds in memory: pictures are read one at a time, in as many passes as are needed."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from robustvos.files.stage import open_results
from robustvos.files.stage_runner import run_stage
from robustvos.realvas.discover import Discover, DiscoverSettings
from robustvos.realvas.motion import Motion
from robustvos.realvas.shots import Shot, SmallFrames, read_shots


@pytest.fixture
def held(monkeypatch) -> list[int]:
    """How many pictures of shots there are at once, noted whenever one is read."""
    read, given, counts = Shot.small, [], []

    def counted(shot, indices):
        for picture in read(shot, indices):
            given.append(weakref.ref(picture))
            counts.append(sum(one() is not None for one in given))
            yield picture
            del picture

    monkeypatch.setattr(Shot, "small", counted)
    return counts


@pytest.mark.parametrize("detector", ["plate_difference", "background_knn"])
def test_pictures_are_forgotten_one_by_one(detector, street_run, tmp_path, held):
    stage = Discover(street_run, DiscoverSettings(detector=detector))
    found = run_stage(stage, tmp_path, {"ingest": open_results(street_run, "ingest")}, progress=False)
    assert len(found.kept) == 2 and len(held) > 100 and max(held) <= 4


def test_points_are_followed_through_pictures_that_are_forgotten(street_run, tmp_path, held):
    inputs = {name: open_results(street_run, name) for name in ("ingest", "discover")}
    found = run_stage(Motion(street_run), tmp_path, inputs, progress=False)
    before = {result.key: result.figures for result in open_results(street_run, "motion").kept}
    assert {result.key: result.figures for result in found.kept} == before
    assert len(held) > 20 and max(held) <= 4


def test_frames_are_read_whenever_they_are_asked_for(street_run):
    (shot,) = read_shots(street_run).values()
    some = SmallFrames(shot, [0, 40, 8])
    (expected,) = shot.small([40])
    assert len(some) == 3 and np.array_equal(some[1], expected) and not np.array_equal(some[-1], expected)
