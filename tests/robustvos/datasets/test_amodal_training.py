"""Amodal training clips: whole in their first frame, apart by footage, the same for the same number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.datasets.amodal.training import (
    AmodalClips,
    AmodalTraining,
    footage_groups,
    has_all_masks,
    hidden_parts,
    sources_of,
    split_by_footage,
)
from robustvos.datasets.amodal.windows import hiding_window
from robustvos.errors import BadMask, UnknownName, UserError
from robustvos.video.native import find_native_clips
from robustvos.video.native_writer import write_native_clip


def write(root, name, hidden=(0, 0, 1, 1, 0), **details):
    """A clip of a square that is hidden on some frames."""
    frames = torch.full((len(hidden), 3, 24, 32), 90, dtype=torch.uint8)
    whole = torch.zeros(len(hidden), 24, 32, dtype=torch.bool)
    whole[:, 6:18, 8:20] = True
    seen = whole & ~torch.tensor(hidden, dtype=torch.bool)[:, None, None]
    write_native_clip(root / name, frames, seen, whole, **details)


def between(a, b):
    return {"provenance": {"behind": {"source": a}, "front": {"source": b}}}


@pytest.fixture
def root(tmp_path):
    sources = [("a", "b"), ("b", "c"), ("d", "e"), ("f", "f"), ("g", "h"), ("i", "a")]
    for number, (behind, front) in enumerate(sources):
        write(tmp_path, f"clip{number}", **between(behind, front))
    return tmp_path


def test_no_footage_is_on_both_sides(root):
    clips = find_native_clips(root)
    for share in (0.2, 0.5, 0.9):
        trained, held_out = split_by_footage(clips, share)
        videos = [{name for clip in part for name in sources_of(clip)} for part in (trained, held_out)]
        assert trained and held_out and not videos[0] & videos[1]
        assert {clip.name for clip in (*trained, *held_out)} == {clip.name for clip in clips}
    assert split_by_footage(clips, 0.0)[1] == []
    assert split_by_footage(clips[:1], 0.5) == ([clips[0]], [])


def test_clips_that_share_a_video_through_others_are_one_group(root):
    groups = footage_groups([sources_of(clip) for clip in find_native_clips(root)])
    assert groups == ["a", "a", "d", "f", "g", "a"]


def test_a_window_begins_with_the_whole_object_and_shows_it_hidden_where_it_can():
    hidden = np.array([0, 0.5, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1.0])
    for seed in range(20):
        chosen = hiding_window(hidden, 4, (1, 3), np.random.default_rng(seed))
        assert hidden[chosen[0]] == 0 and len(set(np.diff(chosen))) == 1
        assert (hidden[chosen] > 0.05).any()
    with pytest.raises(ValueError, match="no frame"):
        hiding_window(np.ones(5), 3, (1, 1), np.random.default_rng(0))


def test_a_short_clip_ends_with_its_last_frame():
    chosen = hiding_window(np.array([0, 1.0, 1.0]), 6, (1, 1), np.random.default_rng(0))
    assert chosen.tolist() == [0, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("drawn", [0.0, 1.0, 0.5])
def test_items_depend_on_their_number_alone(root, drawn):
    settings = AmodalTraining(size=64, drawn=drawn)
    footage = find_native_clips(root)
    some, others = (AmodalClips(settings, 4, first, 6, 0, footage) for first in (0, 3))
    assert torch.equal(some[4].frames, others[1].frames) and some[4].name == others[1].name
    names = {some[i].name.split("_")[0] for i in range(6)}
    taken = {name for name in names if name.startswith("clip")}
    assert bool(taken) == (drawn < 1) and bool(names - taken) == (drawn > 0)


def test_clips_carry_whole_and_visible_masks_of_the_size_asked_for(root):
    for footage in ((), find_native_clips(root)):
        clip = AmodalClips(AmodalTraining(size=64), 5, 0, 1, 0, footage)[0]
        assert clip.frames.shape == (5, 3, 64, 64) and clip.frames.dtype == torch.uint8
        assert clip.amodal.shape == clip.masks.shape == (5, 1, 64, 64)
        assert not (clip.masks & ~clip.amodal).any() and clip.amodal.flatten(1).any(1).all()
        assert (clip.masks[0] != clip.amodal[0]).sum() <= 0.02 * clip.amodal[0].sum()


def test_a_pool_holds_so_many_clips_and_a_share_of_it_fewer(monkeypatch):
    from robustvos.datasets.amodal import training

    drawn = training.render_amodal_clip
    plays: list[float] = []

    def counted(category, rng, spec, choose):
        plays.append(rng.bit_generator.state["state"]["state"])
        return drawn(category, rng, spec, choose)

    monkeypatch.setattr(training, "render_amodal_clip", counted)

    def different(**settings):
        plays.clear()
        clips = AmodalClips(AmodalTraining(size=32, **settings), 2, 0, 12, 0)
        windows = {clips[i].frames.sum().item() for i in range(12)}
        return len(set(plays)), len(windows)

    assert different(pool=4)[0] <= 4 < different(pool=4)[1], "other windows of the same plays"
    assert different(pool=4, share=0.25)[0] == 1
    assert different()[0] == 12


def test_hidden_parts_come_from_annotations_or_from_masks(tmp_path):
    write(tmp_path, "a")
    (clip,) = find_native_clips(tmp_path)
    told = hidden_parts(clip)
    (tmp_path / "a/annos.json").unlink()
    (clip,) = find_native_clips(tmp_path)
    assert told.tolist() == hidden_parts(clip).tolist() == [0, 0, 1, 1, 0]
    write(tmp_path, "b", hidden=(1, 1))
    with pytest.raises(BadMask, match="b: no frame shows the whole object"):
        hidden_parts(find_native_clips(tmp_path)[1])


def test_clips_with_masks_on_some_frames_are_no_training_clips(tmp_path):
    write(tmp_path, "a")
    for folder in ("gt_masks", "visible_masks"):
        (tmp_path / "a" / folder / "00001.png").unlink()
    (tmp_path / "a/annos.json").write_text('{"annotated": "some frames"}')
    (clip,) = find_native_clips(tmp_path)
    assert not has_all_masks(clip)
    with pytest.raises(BadMask, match="a: some frames have no whole or visible mask; leave the clip out"):
        AmodalClips(AmodalTraining(size=32), 3, 0, 1, 0, [clip])[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"categories": {"surfaec": 1.0}}, "surface"),
        ({"categories": {"surface": 0.0}}, "draw nothing"),
        ({"stride": (3, 1)}, "least distance first"),
        ({"drawn": 1.5}, "between 0 and 1"),
        ({"pool": 3, "share": 0.1}, "take more"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises((UserError, UnknownName), match=said):
        AmodalTraining(**settings)


def test_nothing_to_take_from_is_said():
    with pytest.raises(UserError, match=r"give --data.root DIR"):
        AmodalClips(AmodalTraining(drawn=0.5), 4, 0, 1, 0)
