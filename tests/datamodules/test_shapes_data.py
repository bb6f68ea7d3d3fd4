"""The procedural dataset: each item depends on its number alone, and no split sees another's clips."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.corrupted_vos import CorruptedVOS
from datamodules.shapes import Shapes
from robustvos.corruptions import corrupt_clip
from robustvos.datasets.corruption import Corruption, check_conditions, corrupt_training_clip
from robustvos.datasets.epochs import clip_length
from robustvos.datasets.evaluation import EvaluationVideos
from robustvos.datasets.photometric import Photometric
from robustvos.datasets.shapes import SPLITS, ShapesClips, ShapesEvaluation, ShapesVideos, TrainClips
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.errors import UnknownName, UserError
from robustvos.evaluation.protocol import protocol_named
from robustvos.types import Clip, Video

SETTINGS = TrainClips(photometric=Photometric(noise=4.0, blur=1.0), corruption=Corruption(clean_probability=0.3))


def clips(first: int = 0, count: int = 6, seed: int = 0, settings: TrainClips = SETTINGS) -> ShapesClips:
    return ShapesClips(settings, 48, frames=2, first=first, count=count, seed=seed)


def drawn_videos(settings: ShapesEvaluation, size: int, split: str) -> EvaluationVideos:
    return EvaluationVideos(ShapesVideos(settings, size, split), settings, protocol_named("davis"))


def same(one: Clip, two: Clip) -> bool:
    return (
        (one.name, one.object_ids, one.corruption) == (two.name, two.object_ids, two.corruption)
        and torch.equal(one.frames, two.frames)
        and torch.equal(one.masks, two.masks)
    )


def test_items_depend_on_their_number_alone():
    forward = [clips()[i] for i in range(6)]
    backward = [clips()[i] for i in reversed(range(6))][::-1]
    shifted = [clips(first=3, count=3)[i] for i in range(3)]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert all(same(a, b) for a, b in zip(forward[3:], shifted, strict=True))
    assert len({clip.name for clip in forward}) == 6
    assert not any(same(a, b) for a, b in zip(forward, [clips(seed=1)[i] for i in range(6)], strict=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_items_do_not_depend_on_the_number_of_workers(workers):
    loader = DataLoader(clips(), batch_size=None, num_workers=workers)
    assert all(same(a, b) for a, b in zip(loader, (clips()[i] for i in range(6)), strict=True))


def test_datasets_end():
    assert len(list(clips())) == 6
    assert len(list(drawn_videos(ShapesEvaluation(limit=2, frames=1), 32, "val"))) == 2


def test_clips_in_turn_are_each_under_one_condition_and_the_same_as_under_it_alone():
    conditions = ("clean", "low_light", "fog")
    turned = list(drawn_videos(ShapesEvaluation(limit=7, frames=2, conditions=conditions, in_turn=True), 48, "test"))
    assert [video.corruption for video in turned] == ["clean", "low_light", "fog"] * 2 + ["clean"]
    assert len({video.name for video in turned}) == 7
    dim = drawn_videos(ShapesEvaluation(limit=7, frames=2, conditions=("low_light",)), 48, "test")
    with pytest.raises(UserError, match="2 videos in turn cannot have 3 conditions"):
        drawn_videos(ShapesEvaluation(limit=2, conditions=conditions, in_turn=True), 48, "test")
    for number in (1, 4):
        assert dim[number].name == turned[number].name
        assert torch.equal(torch.stack(list(dim[number].frames)), torch.stack(list(turned[number].frames)))


def test_local_conditions_may_be_had_of_the_first_frames_alone():
    first = ShapesEvaluation(limit=1, frames=4, max_frames=2, conditions=("clean", "depth_fog"))
    clean, fog = drawn_videos(first, 48, "test")
    assert len(clean.frames) == len(fog.frames) == 2
    assert not torch.equal(clean.frames[1], fog.frames[1])


def test_splits_and_epochs_never_share_a_seed():
    first, train = SPLITS, clips(first=999_000_000, count=1_000_000)
    assert first["train"] < first["val"] < first["test"]
    assert train.first + train.count <= first["val"], "a thousand epochs of a million clips end before validation"
    for start, count in ((999_500_000, 600_000), (1_000_000_000, 1), (0, 1_000_001)):
        with pytest.raises(UserError, match="more than there are"):
            clips(first=start, count=count)
    drawn = {name: drawn_videos(ShapesEvaluation(limit=1, frames=1), 32, name)[0].frames[0] for name in ("val", "test")}
    plain = TrainClips()
    drawn["train"] = ShapesClips(plain, 32, 1, first=0, count=1, seed=0)[0].frames[0]
    drawn["next epoch"] = ShapesClips(plain, 32, 1, first=1_000_000, count=1, seed=0)[0].frames[0]
    assert len({frame.numpy().tobytes() for frame in drawn.values()}) == 4


CONDITIONS = ("clean", "fog", "gauss_noise")


@pytest.fixture(scope="module")
def videos() -> list[Video]:
    settings = ShapesEvaluation(limit=3, frames=3, conditions=CONDITIONS, severity=4.0, prompt="points:2")
    return list(drawn_videos(settings, 48, "test"))


def test_every_condition_has_the_same_clips_and_prompts(videos):
    by_condition = {c: [v for v in videos if v.corruption == c] for c in CONDITIONS}
    assert [len(group) for group in by_condition.values()] == [3, 3, 3]
    for condition in CONDITIONS[1:]:
        for clean, other in zip(by_condition["clean"], by_condition[condition], strict=True):
            assert (clean.name, clean.object_ids, clean.size) == (other.name, other.object_ids, other.size)
            for a, b in zip(clean.prompts, other.prompts, strict=True):
                assert a.object_id == b.object_id and torch.equal(a.points, b.points)
            for t in range(3):
                assert torch.equal(clean.masks[t], other.masks[t]) and torch.equal(clean.amodal[t], other.amodal[t])
            expected = corrupt_clip(torch.stack(list(clean.frames)), condition, clip_name=clean.name, severity=4.0)
            assert torch.equal(torch.stack(list(other.frames)), expected)
            assert not torch.equal(torch.stack(list(clean.frames)), expected)
    assert len({video.name for video in videos}) == 3


def test_videos_are_whole(videos):
    for video in videos:
        assert len(video.frames) == len(video.masks) == len(video.amodal) == len(video.frame_names) == 3
        assert sorted(p.object_id for p in video.prompts) == list(video.object_ids)
        assert all(p.frame == 0 and p.points.shape == (2, 2) for p in video.prompts)
        assert video.frames[0].shape == (3, *video.size) and video.frames[0].dtype == torch.uint8
        for prompt in video.prompts:
            truth = video.masks[0][video.object_ids.index(prompt.object_id)]
            assert all(bool(truth[int(y), int(x)]) for x, y in prompt.points)
    with pytest.raises(IndexError):
        drawn_videos(ShapesEvaluation(limit=1), 48, "val")[1]


def test_reading_a_video_twice_gives_the_same_frames(videos):
    again = drawn_videos(ShapesEvaluation(limit=3, frames=3, conditions=CONDITIONS, severity=4.0), 48, "test")[7]
    assert all(torch.equal(a, b) for a, b in zip(again.frames, videos[7].frames, strict=True))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"conditions": ("clean", "fogg")}, UnknownName),
        ({"preset": "intendet"}, UnknownName),
        ({"prompt": "scribble"}, UnknownName),
        ({"severity": 0.0}, UserError),
        ({"severity": 5.5}, UserError),
    ],
    ids=str,
)
def test_bad_settings_are_refused_before_a_clip_is_drawn(wrong, error):
    with pytest.raises(error):
        ShapesEvaluation(**wrong)


class Recorder(L.LightningModule):
    """Notes the shape and the names of the batches that it is given; learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, tuple[int, ...], tuple[str, ...]]] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, tuple(batch.frames.shape[:2]), batch.names))
        return self.weight * 1.0

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(data: Shapes, epochs: int, reload_every: int) -> Recorder:
    recorder = Recorder()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = L.Trainer(accelerator="cpu", max_epochs=epochs, reload_dataloaders_every_n_epochs=reload_every, **quiet)
    trainer.fit(recorder, data)
    return recorder


def test_curriculum_changes_lengths_with_the_epochs_and_repeats_no_clip():
    data = Shapes(32, TrainClips(frames={0: 1, 1: 2, 2: 4}, frames_per_batch=4, batches=2))
    seen = fit(data, 4, reload_every=1).seen
    expected = [(0, (4, 1)), (1, (2, 2)), (2, (1, 4)), (3, (1, 4))]
    assert [(epoch, shape) for epoch, shape, _ in seen] == [entry for entry in expected for _ in range(2)]
    names = [name for _, _, batch in seen for name in batch]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("every", [0, 2])
def test_curriculum_that_would_pass_unnoticed_is_refused(every):
    data = Shapes(32, TrainClips(frames={0: 1, 1: 2, 2: 4}, frames_per_batch=4, batches=1))
    with pytest.raises(UserError, match="reload_dataloaders_every_n_epochs to 1"):
        fit(data, 3, reload_every=every)


def test_curriculum_must_say_how_it_begins():
    with pytest.raises(UserError, match="must start at epoch 0"):
        clip_length({1: 4}, 0)
    assert [clip_length({0: 1, 5: 8, 2: 4}, epoch) for epoch in range(7)] == [1, 1, 4, 4, 4, 8, 8]


def test_clips_can_be_degraded_thing_by_thing():
    settings = TrainClips(corruption=Corruption(names=("local",)))
    dataset = clips(count=12, settings=settings)
    assert {dataset[i].corruption for i in range(12)} > {"depth_fog", "mixed"}
    clean = clips(count=12, settings=TrainClips())
    assert all(not torch.equal(dataset[i].frames, clean[i].frames) for i in range(12))
    assert all(torch.equal(dataset[i].masks, clean[i].masks) for i in range(12))

    videos = drawn_videos(ShapesEvaluation(limit=2, frames=3, conditions=("clean", "mixed")), 48, "val")
    clear, mixed = videos[1], videos[3]
    assert (mixed.name, mixed.corruption) == (clear.name, "mixed")
    assert not torch.equal(torch.stack(list(mixed.frames)), torch.stack(list(clear.frames)))


def test_local_corruptions_need_layers():
    with pytest.raises(UserError, match="take --data shapes, or give depth maps"):
        check_conditions(("clean", "depth_fog"))
    with pytest.raises(UserError, match="take --data shapes, or give depth maps"):
        CorruptedVOS(train=TrainingClips(corruption=Corruption(names=("fog", "local"))))
    assert len(Corruption(names=("all", "local", "fog")).known_names()) == 14
    clip = clips(settings=TrainClips())[0]
    with pytest.raises(UserError, match="take --data shapes, or give depth maps"):
        corrupt_training_clip(clip, Corruption(names=("local",)), seed=0)
