"""Scores of frames: stored small, averaged over frame numbers, drawn with gaps where nothing was scored."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from robustvos.errors import UserError
from robustvos.evaluation.frame_means import difference_points, frame_means, score_points
from robustvos.evaluation.frame_scores import FILE, FrameSeries, frame_series, frames_text, read_frame_series
from robustvos.evaluation.records import FrameScore, ObjectScore, VideoResult
from robustvos.evaluation.results import load_result
from robustvos.report.frame_charts import frame_charts
from robustvos.report.sections import make_sections

pytestmark = pytest.mark.fast


def series(clip: str, frames: tuple[int, ...], scores: tuple[float, ...], corruption: str = "fog", object_id: int = 1):
    return FrameSeries(clip, corruption, object_id, frames, scores, scores)


def row(frame: int, object_id: int, score: float, counts: bool = True) -> FrameScore:
    return FrameScore(frame, object_id, score, score / 2, True, counts)


def test_frames_that_do_not_count_are_not_kept():
    result = VideoResult(
        "a", "fog", (), (row(2, 5, 0.5), row(0, 5, 1.0, counts=False), row(1, 5, 0.25), row(1, 3, 0.75))
    )
    three, five = frame_series([result])
    assert (three.object_id, three.frames, three.region, three.contour) == (3, (1,), (0.75,), (0.375,))
    assert (five.object_id, five.frames, five.region) == (5, (1, 2), (0.25, 0.5))


def test_what_is_written_is_read(tmp_path):
    rng = np.random.default_rng(0)
    stored = [series(c, tuple(range(40)), tuple(rng.random(40)), k) for c in "ab" for k in ("clean", "fog")]
    (tmp_path / FILE).write_text(frames_text(stored))
    read = read_frame_series(tmp_path)
    assert [(one.video, one.corruption, one.object_id, one.frames) for one in read] == [
        (one.video, one.corruption, one.object_id, one.frames) for one in stored
    ]
    for mine, theirs in zip(read, stored, strict=True):
        np.testing.assert_allclose(mine.region, theirs.region, atol=5.1e-5)
    assert (tmp_path / FILE).stat().st_size < 25 * 40 * len(stored)  # bytes for a frame of an object


def test_videos_of_the_same_footage_are_drawn_together(tmp_path):
    records = [ObjectScore(name, 1, 2, {"footage": "v/bus"} if name != "own" else {}, {}) for name in ("a", "b", "own")]
    results = [VideoResult(r.video, "fog", (r,), (row(1, 1, 0.5), row(2, 1, 0.25))) for r in records]
    (tmp_path / FILE).write_text(frames_text(frame_series(results)))
    read = read_frame_series(tmp_path)
    assert [one.cluster for one in read] == ["v/bus", "v/bus", "own"]
    assert frame_means(score_points(read)).videos == (2, 2)


def test_no_file_and_an_older_one_hold_nothing(tmp_path):
    assert read_frame_series(tmp_path) == []
    (tmp_path / FILE).write_text('[{"clip": "a", "frame": 0, "object": 1, "J": 1, "F": 1}]')
    assert read_frame_series(tmp_path) == []
    (tmp_path / FILE).write_text(frames_text([]))
    assert read_frame_series(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    ['{"schema":2,', '{"schema":2,"objects":[{"clip":"a","corruption":"x","object":1,"frames":[1],"J":[],"F":[]}]}'],
)
def test_broken_file_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=r"frames\.json"):
        read_frame_series(tmp_path)


def test_means_are_over_all_objects_that_were_scored_on_a_frame():
    found = frame_means(score_points([series("a", (0, 1), (1.0, 0.5)), series("b", (1, 5), (0.1, 0.7))]))
    assert found.frames == (0, 1, 5)
    assert found.mean == pytest.approx((1.0, 0.3, 0.7))
    assert found.videos == (1, 2, 1)
    assert [math.isnan(value) for value in found.low] == [True, False, True]
    assert frame_means([]) is None


def test_interval_is_that_of_a_bootstrap_over_clips():
    rng = np.random.default_rng(1)
    scores = rng.random((12, 2))  # clips, objects
    points = [(f"clip {i}", 3, value) for i, of_clip in enumerate(scores) for value in of_clip]
    found = frame_means(points)
    draws = rng.integers(0, 12, (20000, 12))
    expected = np.quantile(scores[draws].mean((1, 2)), (0.025, 0.975))
    np.testing.assert_allclose((found.low[0], found.high[0]), expected, atol=0.02)
    assert frame_means(points[::-1]) == found


def test_differences_are_paired_by_clip_condition_object_and_frame():
    mine = [series("a", (0, 1, 2), (0.9, 0.8, 0.7)), series("a", (0,), (0.2,), "rain"), series("b", (0,), (1.0,))]
    theirs = [
        series("a", (1, 2, 3), (0.5, 0.6, 0.7)),
        series("a", (0,), (0.5,), "rain"),
        series("b", (0,), (0.0,), object_id=2),
    ]
    points = sorted(difference_points(mine, theirs))
    assert [(clip, frame) for clip, frame, _ in points] == [("a", 0), ("a", 1), ("a", 2)]
    assert [value for _, _, value in points] == pytest.approx([-0.3, 0.3, 0.1])


def test_long_clips_share_points_and_lose_nothing():
    scores = tuple(np.random.default_rng(0).random(1000))
    found = frame_means(score_points([series("a", tuple(range(1000)), scores)]))
    assert len(found.frames) <= 120 and found.width == 9
    weights = [9] * 111 + [1]
    assert np.average(found.mean, weights=weights) == pytest.approx(np.mean(scores))


def test_frames_without_scores_are_gaps():
    every_fifth = frame_means(score_points([series("a", (0, 5, 10, 15), (1.0,) * 4)]))
    assert [len(piece) for piece in every_fifth.pieces()] == [4]
    holes = frame_means(score_points([series("a", (0, 1, 2, 6, 7, 12), (1.0,) * 6)]))
    assert [[holes.frames[i] for i in piece] for piece in holes.pieces()] == [[0, 1, 2], [6, 7], [12]]


@pytest.fixture
def section(write_run):
    def stored(offset: float) -> list[FrameSeries]:
        return [
            series(clip, (0, 1, 2, 6, 7), tuple(0.5 + offset + 0.01 * t for t in (0, 1, 2, 6, 7)), corruption)
            for clip in "abc"
            for corruption in ("clean", "fog", "rain")
        ]

    runs = []
    for system, offset in (("sam2", 0.0), ("moga", 0.1), ("none", None)):
        path = write_run(system, {(c, f"corruption={k}"): 0.5 for c in "abc" for k in ("clean", "fog", "rain")})
        if offset is not None:
            (path.parent / FILE).write_text(frames_text(stored(offset)))
        runs.append(load_result(path))
    (section,) = make_sections(runs)
    return section


SLOTS = {"sam2": 0, "moga": 1, "none": 2}


def lines(svg: str) -> list[list[tuple[float, float]]]:
    """Points of every polyline."""
    found = [e for e in ET.fromstring(svg).iter() if e.tag == "polyline"]
    return [[tuple(map(float, point.split(","))) for point in e.attrib["points"].split()] for e in found]


def test_charts_tell_clean_from_corrupted_and_name_the_systems_that_have_scores(section):
    charts = frame_charts(section, SLOTS)
    assert [chart.title for chart in charts] == [
        "J&F over frames, clean videos",
        "Difference from sam2, clean videos",
        "J&F over frames, corrupted videos",
        "Difference from sam2, corrupted videos",
    ]
    assert [chart.legend for chart in charts] == [((0, "sam2"), (1, "moga")), ((1, "moga"),)] * 2


def test_lines_break_at_gaps_and_keep_their_distance(section):
    scores, difference = frame_charts(section, SLOTS)[2:]
    drawn = lines(scores.svg)
    assert [len(piece) for piece in drawn] == [3, 2, 3, 2]
    for low, high in zip(drawn[0] + drawn[1], drawn[2] + drawn[3], strict=True):
        assert low[0] == high[0]
        assert low[1] > high[1]  # downwards is worse
    flat = {y for piece in lines(difference.svg) for _, y in piece}
    assert max(flat) - min(flat) < 0.2  # always 10 points better
    assert "<polygon" in difference.svg


def test_section_without_scores_of_frames_has_no_charts(write_run):
    (plain,) = make_sections([load_result(write_run("sam2", {("a", "corruption=fog"): 0.5}))])
    assert frame_charts(plain, {"sam2": 0}) == []
