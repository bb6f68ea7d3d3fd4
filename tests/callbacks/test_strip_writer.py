"""Strips: which videos and frames are shown, how large, and what the report makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.per_condition import FirstVideos
from callbacks.strip_writer import StripWriter
from callbacks.strips import StripRecorder, frames_to_show
from robustvos.errors import UserError
from robustvos.report.figures import find_strips
from robustvos.types import Prompt, TrackedFrame

GAP = 4


def tracked(video, index, masks):
    nothing = torch.zeros(len(masks))
    return TrackedFrame(index, video.object_ids, masks, masks.float(), nothing, nothing)


def recorded(video, frames, amodal=False):
    """The strips of a tracker that finds nothing."""
    recorder = StripRecorder(video, frames, amodal)
    for t, frame in enumerate(video.frames):
        recorder.add(frame, tracked(video, t, torch.zeros(len(video.object_ids), *video.size, dtype=torch.bool)))
    return recorder


def test_test_run_leaves_strips_that_the_report_finds(run, moga_system, make_video):
    names = ("a", "bb", "ccc")
    videos = [make_video(name, frames=9, corruption=c) for c in ("clean", "fog") for name in names]
    folder, _ = run("test", moga_system, videos, [StripWriter(per_condition=2, frames=3)])
    strips = find_strips(SimpleNamespace(folder=folder))
    found = [(strip.clip, strip.corruption, strip.frames) for strip in strips]
    shown = (0, 4, 8)
    assert found == [(c + at, k, shown) for c in ("a", "bb") for at, k in (("", "clean"), ("@fog", "fog"))]
    for strip in strips:
        for path in (strip.truth, strip.prediction):
            with Image.open(path) as image:
                assert image.size == (3 * 5 * 64 + 2 * GAP, 5 * 48)  # five times 48 is the first to reach 240
        facts = json.loads(strip.truth.with_name("strip.json").read_text())
        assert facts == {"corruption": strip.corruption, "frames": list(shown), "object_ids": [1, 2]}


def test_next_test_counts_anew_and_validation_writes_nothing(run, moga_system, make_video):
    writer = StripWriter(per_condition=1, frames=1)
    for stage, expected in (("test", 1), ("test", 1), ("validate", 0), ("predict", 0)):
        folder, _ = run(stage, moga_system, [make_video(frames=2)], [writer])
        assert len(list(folder.rglob("strip.json"))) == expected


def test_every_category_and_weather_has_its_own_first_videos(make_video):
    first = FirstVideos(1, "test")
    tags = [{"category": "cups"}, {"category": "cups"}, {"category": "boxes"}, {"weather": "fog"}, {"other": "x"}, {}]
    assert [first.take(make_video(tags=tag)) for tag in tags] == [True, False, True, True, True, False]


def test_few_frames_give_a_short_strip(make_video):
    for frames in (1, 2, 5):
        recorder = recorded(make_video(frames=frames), 6)
        assert recorder.indices == tuple(range(frames))
        assert recorder.truth().shape == (3, 240, frames * 320 + (frames - 1) * GAP) == recorder.prediction().shape


@pytest.mark.parametrize(("count", "wanted"), [(100, 6), (17, 6), (7, 6), (6, 6), (50, 2)])
def test_frames_are_spread_evenly(count, wanted):
    shown = frames_to_show([torch.zeros(1, 2, 2, dtype=torch.bool)] * count, wanted)
    assert len(shown) == wanted
    np.testing.assert_allclose(shown, np.linspace(0, count - 1, wanted), atol=0.5)


def test_frames_with_ground_truth_are_preferred(make_video):
    truth = torch.zeros(1, 2, 2, dtype=torch.bool)
    every_fifth = [truth if t % 5 == 0 else None for t in range(31)]
    assert all(t % 5 == 0 for t in frames_to_show(every_fifth, 4))
    assert frames_to_show([None] * 11, 3) == (0, 5, 10)
    assert frames_to_show([], 3) == ()


def test_large_frames_are_reduced(make_video):
    video = make_video(frames=2, size=(640, 960))
    assert recorded(video, 2).truth().shape == (3, 320, 2 * 480 + GAP)


LIGHT, DARK = (torch.tensor(ink)[:, None, None] for ink in ((255, 255, 255), (28, 32, 38)))


def dashes(row):
    """Where a row of pictures is light or dark ink, as ``(light, dark)``."""
    return (row == LIGHT).all(0), (row == DARK).all(0)


def test_modal_strips_outline_the_truth_by_dashes_and_paint_what_was_found(make_video):
    video = make_video(frames=1, objects=(3,))
    recorder = recorded(video, 1)
    nearest = torch.nn.functional.interpolate
    inside = nearest(video.masks[0][None].float(), scale_factor=5)[0, 0].bool()
    beside = torch.zeros_like(inside)
    beside[40:] = True  # of the legend
    untouched = nearest(video.frames[0][None].float(), scale_factor=5, mode="bicubic")[0].round().clamp(0, 255)
    for row in (recorder.truth(), recorder.prediction()):
        light, dark = dashes(row)
        assert ((light | dark) & inside & beside).any()
    changed = (recorder.prediction().float() != untouched).any(0) & beside & inside
    assert changed.sum() < 0.3 * (inside & beside).sum()  # nothing was found, and nothing is filled


def test_amodal_strips_outline_the_true_whole_object_in_both_rows(make_video):
    seen = make_video(frames=1, objects=(1,))
    whole = torch.zeros_like(seen.masks[0])
    whole[:, 2:40, 2:40] = True
    video = make_video(frames=1, objects=(1,), amodal=[whole])
    recorder = recorded(video, 1, amodal=True)
    for row in (recorder.truth(), recorder.prediction()):
        light, dark = dashes(row)
        for ink in (light, dark):  # about half of the border each
            assert 0.3 < ink[40:][ring(1)[40:]].float().mean() < 0.7
        assert (light | dark)[40:][ring(1)[40:]].all()


def test_amodal_strips_show_the_given_mask_in_yellow_on_its_frame_alone(make_video):
    seen = make_video(frames=2, objects=(1,))
    query = torch.zeros(seen.size, dtype=torch.bool)
    query[2:40, 2:40] = True
    prompts = (Prompt(1, mask=query),)
    for amodal in (False, True):
        recorder = recorded(replace(seen, amodal=list(seen.masks), prompts=prompts), 2, amodal)
        for row in (recorder.truth(), recorder.prediction()):
            yellow = (row == torch.tensor([255, 214, 0], dtype=torch.uint8)[:, None, None]).all(0)
            assert bool(yellow[40:, :320].any()) == amodal
            assert not yellow[:, 320:].any()


def ring(thickness):
    """The inner border of the square from 2 to 40, enlarged five times."""
    border = torch.zeros(240, 320, dtype=torch.bool)
    border[10:200, 10:200] = True
    border[10 + thickness : 200 - thickness, 10 + thickness : 200 - thickness] = False
    return border


def test_arguments_out_of_range_are_refused():
    for arguments in ({"frames": 0}, {"per_condition": -1}):
        with pytest.raises(UserError, match="StripWriter"):
            StripWriter(**arguments)
