"""All stages on a street whose layers are known: the clips' masks against the drawn ones."""

import json

import numpy as np
import pytest

from robustvos.files.stage import open_results
from robustvos.realvas.composite import read_clips
from robustvos.video.native import find_native_clips


def iou(a, b):
    return (a & b).sum() / max(1, (a | b).sum())


def test_two_tracks_are_found_and_are_dynamic(street_run):
    assert len(open_results(street_run, "discover").kept) == 2
    assert len(open_results(street_run, "motion").kept) == 2


@pytest.fixture(scope="session")
def clips(street_run):
    found = read_clips(street_run)
    assert found, "a far and a near walker make clips"
    return found


def test_the_lower_walker_is_in_front_in_every_clip(street_run, clips, scene):
    first = {r.key: r.figures["first"] for r in open_results(street_run, "discover").kept}
    near = max(first, key=first.get)
    assert {clip.figures["occluder"] for clip in clips} == {near}


def test_masks_and_amounts_are_those_of_the_drawn_layers(street_run, clips, scene):
    for clip, native in zip(clips, find_native_clips(street_run / "composite", [c.key for c in clips]), strict=True):
        start, delay = clip.figures["start"], clip.figures["delay"]
        untrusted = {entry["frame"] for entry in native.details["untrusted"]}
        amodal, modal, errors = [], [], []
        for k in range(len(native.frames)):
            whole, over = scene.FAR.mask(start + k), scene.NEAR.mask(start + k - delay)
            if k in untrusted or not whole.any():
                continue
            made, seen = native.amodal[k][0].numpy(), native.modal[k][0].numpy()
            assert not (seen & ~made).any(), "what is seen is part of the whole"
            amodal.append(iou(made, whole))
            modal.append(iou(seen, whole & ~over) if (whole & ~over).sum() > 50 else 1.0)
            errors.append(abs(native.occlusion[k].amount - (whole & over).sum() / whole.sum()))
        assert np.mean(amodal) > 0.93 and min(amodal) > 0.85
        assert np.mean(modal) > 0.9
        assert np.mean(errors) < 0.02 and max(errors) < 0.1


def test_depth_order_holds_in_every_pixel(street_run, clips, scene):
    """Deep inside the near walker the picture is the near walker, deep inside what is seen of the far one the far one."""
    import cv2

    def deep(mask):
        return cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)

    clip = clips[0]
    (native,) = find_native_clips(street_run / "composite", [clip.key])
    start, delay = clip.figures["start"], clip.figures["delay"]
    looked_at = 0
    for k in range(len(native.frames)):
        picture = native.frames[k].permute(1, 2, 0).numpy().astype(float)
        whole, over = scene.FAR.mask(start + k), scene.NEAR.mask(start + k - delay)
        near, far = scene.frame(start + k - delay).astype(float), scene.frame(start + k).astype(float)
        both = deep(over) & deep(whole)
        looked_at += int(both.sum())
        if both.any():
            assert np.abs(picture - near)[both].mean() < 12 < np.abs(picture - far)[both].mean()
        seen = deep(whole & ~over)
        if seen.any():
            assert np.abs(picture - far)[seen].mean() < 12
    assert looked_at > 200


def test_first_frame_shows_the_whole_object(street_run, clips):
    for native in find_native_clips(street_run / "composite", [c.key for c in clips]):
        assert native.occlusion[0].amount <= 0.005 and native.amodal[0].any()


def test_every_candidate_is_accounted_for(street_run):
    aligned, judged = open_results(street_run, "align"), open_results(street_run, "filter")
    assert sorted(r.key for r in aligned.kept) == sorted(r.key for r in judged.results)
    assert all(r.reason and r.figures for r in judged.rejected)
    kept = {r.key for r in judged.kept}
    assert kept == {r.key for r in open_results(street_run, "composite").results}


def test_annotations_say_where_a_clip_comes_from(street_run, clips):
    said = json.loads((clips[0].folder / "annos.json").read_text())
    assert said["provenance"]["behind"]["source"] == "street"
    assert said["provenance"]["front"]["first_frame"] == clips[0].figures["start"] - clips[0].figures["delay"]
    assert said["category"] == "occlusion" and len(said["occlusion"]) == clips[0].figures["frames"]
