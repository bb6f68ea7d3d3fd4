"""J&F over frames in TensorBoard: what is drawn, and beside what."""

from __future__ import annotations

import numpy as np
import pytest

from callbacks.frame_curves import TAG, FrameCurves, curves_figure
from robustvos.errors import UserError
from robustvos.evaluation.frame_scores import FrameSeries


def series(clip, scores, corruption="clean"):
    return FrameSeries(clip, corruption, 1, tuple(range(1, len(scores) + 1)), tuple(scores), tuple(scores))


def drawn(axes):
    return {line.get_label(): line.get_ydata() for line in axes.get_lines()}


def test_lines_are_means_over_clips_in_percent_with_a_panel_for_each_group():
    sam2 = [series("a", (1.0, 0.5)), series("b", (0.5, 0.0)), series("a", (0.2, 0.1), "fog")]
    moga = [series("a", (1.0, 1.0)), series("a", (0.6, 0.3), "fog"), series("b", (0.4, 0.1), "rain")]
    clean, corrupted = curves_figure({"sam2": sam2, "moga": moga}).axes
    assert [axes.get_title() for axes in (clean, corrupted)] == ["clean", "corrupted"]
    np.testing.assert_allclose(drawn(clean)["sam2"], [75, 25])
    np.testing.assert_allclose(drawn(clean)["moga"], [100, 100])
    np.testing.assert_allclose(drawn(corrupted)["sam2"], [20, 10])
    np.testing.assert_allclose(drawn(corrupted)["moga"], [50, 20])


def test_first_validation_stays_what_later_ones_are_compared_with(run, moga_system, make_video, read_images):
    curves = FrameCurves()
    for name in ("first", "second"):
        folder, _ = run("validate", moga_system, [make_video(name), make_video(name, corruption="fog")], [curves])
        assert list(read_images(folder)) == [TAG]
    assert {one.video for one in curves.compared} == {"first"}


@pytest.mark.parametrize("stage", ["test", "validate"])
def test_a_test_logs_nothing_and_neither_does_a_monitor_that_is_off(run, moga_system, make_video, read_images, stage):
    folder, _ = run(stage, moga_system, [make_video(frames=3)], [FrameCurves(enabled=stage == "test")])
    assert not read_images(folder)


def test_another_systems_run_may_be_the_reference(run, moga_system, make_video, read_images):
    from callbacks.results_writer import ResultsWriter

    videos = [make_video("a"), make_video("b")]
    folder, _ = run("validate", moga_system, videos, [ResultsWriter()])
    curves = FrameCurves(reference=folder)
    folder, _ = run("validate", moga_system, [make_video("c")], [curves])
    assert list(read_images(folder)) == [TAG]
    assert {one.video for one in curves.compared} == {"a", "b"}


def test_a_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no frames\.json"):
        FrameCurves(reference=tmp_path)
