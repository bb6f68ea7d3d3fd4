"""Shares of the gates' variance: of every tested video, in results.json, the same after a test that was broken off."""

from __future__ import annotations

import json

import pytest

from callbacks.base import video_folder
from callbacks.gate_monitor import GateMonitor
from callbacks.gate_variance import GateVariance
from callbacks.results_writer import ResultsWriter
from robustvos.adapters import LoRA, MoGA
from robustvos.evaluation.gate_variance import PARTS, WITHIN
from robustvos.evaluation.results import GATE_VARIANCE, load_result


@pytest.fixture
def videos(make_video):
    conditions = ("clean", "fog", "snow")
    return [make_video(name, frames=n, corruption=c) for c in conditions for name, n in (("a", 4), ("bb", 6))]


def found(folder):
    return load_result(folder / "results.json").findings[GATE_VARIANCE]


def test_shares_of_all_tested_videos_are_kept(run, moga_system, videos):
    monitor, variance = GateMonitor(), GateVariance()
    folder, _ = run("test", moga_system, videos, [monitor, variance, ResultsWriter()])
    kept = found(folder)
    assert kept["rows"] == 3 * 2 * (3 + 5), "objects on all frames but the prompted first"
    assert set(kept["shares"]) == {*PARTS, WITHIN} == {*kept["shuffled"], "rest"}
    assert sum(kept["shares"][part] for part in PARTS) == pytest.approx(1)
    assert monitor.gates, "another callback listens as well"
    assert moga_system.adapter.gates() == {}


def test_gates_of_the_memory_do_not_tell_objects_apart(run, make_system, videos):
    folder, _ = run("test", make_system(MoGA(rank=4, conditioning="memory")), videos, [GateVariance(), ResultsWriter()])
    shares = found(folder)["shares"]
    assert shares is None or shares[WITHIN] == pytest.approx(0, abs=1e-9)


def test_what_was_known_of_a_video_counts_again(run, moga_system, videos):
    first, again = GateVariance(), GateVariance()
    states = {}

    class Keeper(GateVariance):
        def on_video_end(self, trainer, module, video, result):
            super().on_video_end(trainer, module, video, result)
            states[video.name, video.corruption] = json.loads(json.dumps(self.video_state(video)))

    run("test", moga_system, videos, [first, Keeper()])

    class Resumed(GateVariance):
        def on_test_start(self, trainer, pl_module):
            super().on_test_start(trainer, pl_module)
            for video in videos[:4]:
                self.on_known_video(trainer, pl_module, video, states[video.name, video.corruption])

    again = Resumed()
    run("test", moga_system, videos[4:], [again])
    assert again.findings() == first.findings() != {}


def test_videos_of_a_test_that_was_begun_without_it_are_named(run, moga_system, videos):
    class Resumed(GateVariance):
        def on_test_start(self, trainer, pl_module):
            super().on_test_start(trainer, pl_module)
            self.on_known_video(trainer, pl_module, videos[0], None)

    again = Resumed()
    run("test", moga_system, videos[1:], [again])
    assert again.findings()["gate_variance"]["videos_without"] == [video_folder(videos[0])]


@pytest.mark.parametrize("adapter", [None, LoRA(rank=4)], ids=["none", "lora"])
def test_systems_without_gates_have_no_shares(run, make_system, videos, adapter):
    folder, _ = run("test", make_system(adapter), videos[:1], [GateVariance(), ResultsWriter()])
    assert "findings" not in json.loads((folder / "results.json").read_text())
