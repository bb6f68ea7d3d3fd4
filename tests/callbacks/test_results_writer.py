"""What a test run leaves in figures: named after what ran, frame by frame, by one process or two."""

from __future__ import annotations

import json
from types import SimpleNamespace

import lightning as L
import pytest
import torch

from callbacks.results_writer import ResultsWriter
from lightning_modules.promptable_vos import PromptableVOS
from robustvos.adapters import FullFineTuning, GaRA, LayerNormTuning, LoRA, MoGA, MoGARelease
from robustvos.evaluation.frame_scores import read_frame_series
from robustvos.evaluation.protocol import protocol_named
from robustvos.evaluation.scorer import Scorer, VideoTruth
from robustvos.evaluation.torchmetrics import gathered_results, mean_scores
from robustvos.restoration import Restorer
from robustvos.sam2.config import Sam2Config
from robustvos.systems.completion import HoldLast
from robustvos.systems.system import system_name
from robustvos.types import TrackedFrame


class Negative(Restorer):
    """A restorer without weights."""

    def enhance(self, images):
        return 1 - images


def written(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def restored():
    return PromptableVOS(Sam2Config(checkpoint="random", image_size=64), restorer=Negative())


def test_restored_run_is_not_called_by_the_bare_base(run, restored, make_video):
    folder, _ = run("test", restored, [make_video(frames=2)], [ResultsWriter()])
    assert written(folder)["system"] == "restored_negative"


def test_a_completed_run_is_not_called_by_what_it_completes(run, make_video, moga_system):
    bare = PromptableVOS(Sam2Config(checkpoint="random", image_size=64), completion=HoldLast())
    folder, _ = run("test", bare, [make_video(frames=2)], [ResultsWriter()])
    assert written(folder)["system"] == "hold_last"
    assert moga_system.system.name_with(HoldLast()) == "moga_hold_last"
    assert moga_system.system.name_with(None) == "moga"


def test_given_name_stands_above_what_ran(run, restored, make_video):
    folder, _ = run("test", restored, [make_video(frames=2)], [ResultsWriter(system="mine", frames=False)])
    assert written(folder)["system"] == "mine"
    assert not (folder / "frames.json").exists()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LoRA, "lora"),
        (MoGA, "moga"),
        (MoGARelease, "moga_release"),
        (GaRA, "gara"),
        (LayerNormTuning, "layernorm"),
        (FullFineTuning, "finetune"),
    ],
)
def test_adapters_are_called_as_their_configs_are(kind, name):
    at_work = type(kind.__name__, (), {})()
    assert system_name(at_work) == name
    assert system_name(at_work, Negative()) == f"restored_negative_{name}"


def test_bare_base_and_switched_off_adapter(moga_system):
    assert system_name(None) == "sam2"
    assert system_name(moga_system.adapter) == "moga"
    with moga_system.adapter.disabled():
        assert system_name(moga_system.adapter) == "moga_off"


def test_objects_without_a_score_are_counted_aloud(run, moga_system, make_video, capsys):
    """With the first and last frame left out, nothing is left of a video of one or two frames."""
    shown = [make_video("long", frames=4), make_video("short", frames=1, objects=(1,))]
    folder, _ = run("test", moga_system, shown, [ResultsWriter()], skip_first_last=True)
    assert "1 of 3 objects have no frame that counts, and no score: of short" in capsys.readouterr().out
    assert [o["scores"]["J"] for o in written(folder)["objects"] if o["video"] == "short"] == [None]


def test_frames_that_count_average_to_the_score(run, moga_system, make_video):
    videos = [make_video("a", frames=5, prompted=(0, 2), corruption=c) for c in ("clean", "fog")]
    for video in videos:
        for masks in video.masks[:2]:
            masks[1] = False  # the second object appears on frame 2
    folder, _ = run("test", moga_system, videos, [ResultsWriter()])
    records = {(o["video"], o["tags"]["corruption"], o["object"]): o for o in written(folder)["objects"]}
    series = read_frame_series(folder)
    assert {(s.video, s.corruption, s.object_id) for s in series} == set(records)
    for one in series:
        record = records[one.video, one.corruption, one.object_id]
        assert one.frames == (tuple(range(5)) if one.object_id == 1 else (2, 3, 4))
        assert len(one.frames) == record["frames"]
        assert sum(one.region) / len(one.region) == pytest.approx(record["scores"]["J"], abs=1e-4)
        assert sum(one.contour) / len(one.contour) == pytest.approx(record["scores"]["F"], abs=1e-4)


class Oracle(L.LightningModule):
    """Finds exactly the truth, but for nothing on every third frame."""

    config, base = SimpleNamespace(variant="none"), SimpleNamespace(hash="")
    system = SimpleNamespace(name_with=lambda completion: "oracle", parameters=dict)
    protocol, seed = protocol_named("davis"), 0
    adapter = restorer = adapter_origin = restorer_hash = None

    def test_step(self, video, batch_idx):
        scorer = Scorer(VideoTruth(video), self.protocol)
        for t, masks in enumerate(video.masks):
            one = torch.ones(len(masks))
            scorer.update(TrackedFrame(t, video.object_ids, masks & (t % 3 != 2), masks.float(), one, one))
        self.metrics.update(scorer.result())

    def on_test_start(self):
        self.metrics = mean_scores(self.protocol, "test/")

    def on_test_epoch_end(self):
        self.results = gathered_results(self.metrics)

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        return batch


def test_two_processes_write_every_frame_once(two_processes, tmp_path, make_video, videos_of):
    lengths = {"a": 1, "b": 6, "c": 2, "d": 3, "e": 1}
    trainer = two_processes(ResultsWriter())
    videos = [make_video(name, frames=count, objects=(4,)) for name, count in lengths.items()]
    trainer.test(Oracle(), datamodule=videos_of(videos), verbose=False)
    found = {one.video: one for one in read_frame_series(tmp_path)}
    assert {clip: one.frames for clip, one in found.items()} == {c: tuple(range(n)) for c, n in lengths.items()}
    assert found["b"].region == (1.0, 1.0, 0.0, 1.0, 1.0, 0.0)
    assert not list(tmp_path.rglob("*.part"))
