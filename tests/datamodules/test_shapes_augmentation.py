"""What is done to a training clip depends on the seed and its name, and on nothing else."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from robustvos.corruptions import CORRUPTIONS, ROBUSTPVOS8, corrupt_clip
from robustvos.datasets.collate import collate_clips
from robustvos.datasets.corruption import Corruption, check_conditions, corrupt_training_clip, corrupted_video
from robustvos.datasets.photometric import Photometric, augment_photometrically
from robustvos.datasets.prompts.prompting import prompts_where_first_seen
from robustvos.errors import BadPrompt, UnknownName, UserError
from robustvos.types import Clip, Video


def make_clip(name: str = "a", frames: int = 3, objects: int = 2, size: tuple[int, int] = (24, 32)) -> Clip:
    random = torch.Generator().manual_seed(5)
    picture = torch.randint(40, 200, (1, 3, *size), generator=random, dtype=torch.uint8)
    masks = torch.zeros(frames, objects, *size, dtype=torch.bool)
    masks[:, :, 4:12, 6:20] = True
    return Clip(name, picture.repeat(frames, 1, 1, 1), masks, tuple(range(1, objects + 1)))


STRONG = Photometric(0.3, 0.2, 0.3, noise=8.0, blur=1.5)


def test_jitter_is_the_same_for_the_same_seed_and_name():
    first = augment_photometrically(make_clip(), STRONG, seed=1)
    torch.manual_seed(99)
    assert torch.equal(augment_photometrically(make_clip(), STRONG, seed=1).frames, first.frames)
    assert not torch.equal(augment_photometrically(make_clip(), STRONG, seed=2).frames, first.frames)
    assert not torch.equal(augment_photometrically(make_clip("b"), STRONG, seed=1).frames, first.frames)
    assert first.frames.dtype == torch.uint8 and first.frames.shape == (3, 3, 24, 32)
    assert torch.equal(first.masks, make_clip().masks)


def test_no_strength_changes_nothing():
    clip = make_clip()
    assert torch.equal(augment_photometrically(clip, Photometric(0, 0, 0), 3).frames, clip.frames)


def test_clip_jitter_is_one_for_the_clip_and_frame_jitter_is_not():
    whole = augment_photometrically(make_clip(), Photometric(0.3, 0, 0), 1).frames
    assert torch.equal(whole[0], whole[1]) and not torch.equal(whole[0], make_clip().frames[0])
    single = augment_photometrically(make_clip(), Photometric(0, 0.3, 0), 1).frames
    assert not torch.equal(single[0], single[1])


def test_frame_jitter_stays_within_its_range():
    clip = make_clip()
    for seed in range(10):
        frames = augment_photometrically(clip, Photometric(0, 0.1, 0), seed).frames.float()
        ratio = frames.mean((1, 2, 3)) / clip.frames.float().mean((1, 2, 3))
        spread = frames.std((1, 2, 3)) / clip.frames.float().std((1, 2, 3))
        assert bool(((ratio > 0.89) & (ratio < 1.11)).all()) and bool(((spread > 0.8) & (spread < 1.22)).all())


def test_grey_comes_as_often_as_asked():
    settings = Photometric(0, 0, 0.25)
    outcomes = [augment_photometrically(make_clip(str(i), 1), settings, 0).frames for i in range(200)]
    grey = sum(bool((f == f[:, :1]).all()) for f in outcomes)
    assert abs(grey - 50) < 3 * math.sqrt(200 * 0.25 * 0.75)


def test_noise_has_zero_mean_and_at_most_its_deviation():
    flat = replace(make_clip(frames=1, size=(64, 64)), frames=torch.full((1, 3, 64, 64), 128, dtype=torch.uint8))
    deviations = [
        float((augment_photometrically(flat, Photometric(0, 0, 0, noise=10.0), seed).frames.float() - 128).std())
        for seed in range(12)
    ]
    assert max(deviations) < 10.3 and max(deviations) > 6 and min(deviations) < 4


def test_corruption_depends_on_seed_and_name_alone():
    settings = Corruption(severity=(1.0, 5.0), clean_probability=0.2)
    first = corrupt_training_clip(make_clip(), settings, seed=1)
    torch.manual_seed(99)
    again = corrupt_training_clip(make_clip(), settings, seed=1)
    assert first.corruption == again.corruption and torch.equal(first.frames, again.frames)
    assert torch.equal(first.masks, make_clip().masks)


def test_corruptions_are_drawn_evenly_and_clean_clips_as_often_as_asked():
    settings = Corruption(severity=(1.0, 1.0), clean_probability=0.2)
    names = Counter(
        corrupt_training_clip(make_clip(str(i), 1, size=(16, 16)), settings, 0).corruption for i in range(300)
    )
    assert set(names) == {"clean", *ROBUSTPVOS8}
    assert abs(names.pop("clean") - 60) < 4 * math.sqrt(300 * 0.2 * 0.8)
    assert all(abs(count - 30) < 4 * math.sqrt(300 * 0.1 * 0.9) for count in names.values())


def test_only_what_is_named_is_drawn():
    settings = Corruption(names=("fog",))
    assert {corrupt_training_clip(make_clip(str(i), 1), settings, 0).corruption for i in range(8)} == {"fog"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"names": ("foggy",)}, UnknownName),
        ({"names": ()}, UserError),
        ({"preset": "relaese"}, UnknownName),
        ({"severity": (0.0, 3.0)}, UserError),
        ({"severity": (1.0, 6.0)}, UserError),
        ({"severity": (3.0, 1.0)}, UserError),
        ({"clean_probability": 1.5}, UserError),
        ({"names": ("fog+rian",)}, UnknownName),
    ],
    ids=str,
)
def test_corruption_that_cannot_be_drawn_is_refused(wrong, error):
    with pytest.raises(error):
        Corruption(**wrong)


def test_default_set_is_the_benchmarks_whatever_is_installed(monkeypatch):
    class Dusk(CORRUPTIONS["fog"]):
        name = "dusk"

    drawn = [corrupt_training_clip(make_clip(str(i), 1, size=(16, 16)), Corruption(), 0).corruption for i in range(40)]
    monkeypatch.setitem(CORRUPTIONS, "dusk", Dusk)
    again = [corrupt_training_clip(make_clip(str(i), 1, size=(16, 16)), Corruption(), 0).corruption for i in range(40)]
    assert drawn == again and "dusk" in Corruption(names=("all",)).known_names()


def test_combinations_are_drawn_like_any_other():
    settings = Corruption(names=("fog+rain",))
    got = corrupt_training_clip(make_clip(), settings, seed=1)
    of = {"clip_name": make_clip().name, "seed": 1}
    assert got.corruption == "fog+rain"
    assert torch.equal(got.frames, corrupt_clip(corrupt_clip(make_clip().frames, "fog", **of), "rain", **of))


def test_unknown_condition_suggests_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'snow'"):
        check_conditions(("clean", "snwo"))


def test_clean_video_is_handed_on_untouched():
    frames, masks = list(make_clip().frames), list(make_clip().masks)
    video = Video("v", frames, (1, 2), masks, (), ("0", "1", "2"), (24, 32))
    assert corrupted_video(video, "clean", 3.0, "intended") is video
    assert corrupted_video(video, "rain", 3.0, "intended").corruption == "rain"


def test_batches_put_objects_of_all_clips_side_by_side():
    partly = replace(make_clip("b", objects=1), annotated=torch.tensor([True, False, True]), object_ids=(7,))
    batch = collate_clips([make_clip("a"), partly, make_clip("c", objects=3)])
    assert batch.names == ("a", "b", "c") and batch.frames.shape == (3, 3, 3, 24, 32)
    assert batch.object_ids == (1, 2, 7, 1, 2, 3)
    assert batch.object_to_clip.tolist() == [0, 0, 1, 2, 2, 2]
    assert batch.masks.shape == (3, 6, 24, 32) and torch.equal(batch.masks[:, 2:3], partly.masks)
    assert batch.annotated.tolist() == [[True] * 6, [True, True, False, True, True, True], [True] * 6]
    moved = batch.to("meta")
    assert {t.device.type for t in (moved.frames, moved.masks, moved.object_to_clip, moved.annotated)} == {"meta"}
    assert moved.names == batch.names


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU has page-locked memory")
def test_batches_can_be_pinned():
    pinned = collate_clips([make_clip()]).pin_memory()
    assert pinned.frames.is_pinned() and pinned.masks.is_pinned() and pinned.annotated.is_pinned()


def test_objects_are_prompted_where_they_are_first_seen():
    seen = torch.zeros(3, 3, 16, 16, dtype=torch.bool)
    seen[0, 0, 2:6, 2:6] = True
    seen[1:, 1, 8:12, 8:12] = True
    seen[2, 2, 1:3, 9:15] = True
    prompts = prompts_where_first_seen("v", [seen[0], None, seen[2]], (4, 2, 9), "mask")
    assert [(p.frame, p.object_id) for p in prompts] == [(0, 4), (2, 2), (2, 9)]
    assert torch.equal(prompts[1].mask, seen[2, 1])
    clicks = [prompts_where_first_seen(name, list(seen), (4, 2, 9), "points:3")[0].points for name in ("v", "v", "w")]
    assert torch.equal(clicks[0], clicks[1]) and not torch.equal(clicks[0], clicks[2])


def test_object_that_is_never_seen_is_named():
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[0] = True
    with pytest.raises(BadPrompt, match=r"video 'v': objects \[5\]"):
        prompts_where_first_seen("v", [masks, None], (3, 5), "mask")
