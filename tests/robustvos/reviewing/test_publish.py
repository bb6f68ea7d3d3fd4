"""What is published, and that every layout gives the same masks back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from robustvos.errors import UserError
from robustvos.reviewing.clips import clips_of
from robustvos.reviewing.verdicts import Verdict, VerdictFile
from robustvos.video.native import find_native_clips

pytest.importorskip("pycocotools")
pytest.importorskip("mlcroissant")
from robustvos.publishing.croissant import About
from robustvos.publishing.publish import READERS, publish
from robustvos.publishing.sav import masklets

ABOUT = About("street", "cc-by-4.0", "https://example.org/street")


def test_every_layout_gives_the_native_masks_back(run):
    (run / "licences.yaml").write_text("street: {licence: cc0-1.0, credit: A. Walker}\n")
    made = publish(run, run / "published", ABOUT)
    assert made.clips == ("street.0", "street.1") and made.unreviewed == ("street.2",)
    truth = {}
    for clip in find_native_clips(run / "composite", made.clips):
        for t, (whole, seen) in enumerate(zip(clip.amodal, clip.modal, strict=True)):
            truth[clip.name, t] = np.stack([whole[0].numpy(), seen[0].numpy()])
    for layout, read in READERS.items():
        found = {(name, t): np.stack([whole, seen]) for name, t, whole, seen in read(made.folder)}
        assert found.keys() == truth.keys(), layout
        assert all(np.array_equal(found[key], truth[key]) for key in truth), layout
    card = (made.folder / "README.md").read_text()
    assert "license: cc-by-4.0" in card and "| street | cc0-1.0 | A. Walker |" in card and not made.unlicensed
    from pycocotools.coco import COCO

    coco = COCO(made.folder / "coco_rle.json")
    assert np.array_equal(coco.annToMask(coco.anns[3]), truth["street.0", 2][1])


def test_a_changed_mask_is_noticed_and_nothing_is_published(run, monkeypatch):
    publish(run, run / "published", ABOUT)
    before = (run / "published" / "coco_rle.json").read_bytes()

    def damaged(folder):
        for name, t, whole, seen in real(folder):
            whole = whole.copy()
            whole[0, 0] ^= name == "street.1" and t == 5
            yield name, t, whole, seen

    real = READERS["sa_v"]
    monkeypatch.setitem(READERS, "sa_v", damaged)
    with pytest.raises(UserError, match=r"sa_v: the masks of street.1, frame 5, differ"):
        publish(run, run / "published", ABOUT)
    assert (run / "published" / "coco_rle.json").read_bytes() == before
    assert not list(run.glob(".*.new")) and not list(run.glob("*.tmp"))


def test_verdicts_decide_what_is_published(run, draw):
    prints = {clip.key: clip.fingerprint for clip in clips_of(run)}
    anna, ben = VerdictFile(run, "anna"), VerdictFile(run, "ben")
    anna.add(Verdict("street.2", prints["street.2"], "pass"))
    anna.add(Verdict("street.0", prints["street.0"], "fail", "on top"))
    ben.add(Verdict("street.1", prints["street.1"], "flag"))
    made = publish(run, run / "published", ABOUT)
    assert made.clips == ("street.2",) and made.refused == ("street.0", "street.1")
    ben.add(Verdict("street.2", prints["street.2"], "fail", "other"))
    with pytest.raises(UserError, match="no clip of .* may be published"):
        publish(run, run / "published", ABOUT)
    draw(run, seed=7)  # the first clip is made anew: its verdict is void
    assert publish(run, run / "published", ABOUT).clips == ("street.0",)


def test_clips_of_a_moved_camera_are_published_unless_as_recorded(run):
    from robustvos.files.stage import open_results
    from robustvos.files.stage_runner import run_stage
    from robustvos.realvas.camera import Camera

    run_stage(Camera(run), run, {"composite": open_results(run, "composite")}, progress=False)
    card = (publish(run, run / "published", ABOUT).folder / "README.md").read_text()
    whole, seen = (np.stack([m[0].numpy() for m in masks]) for masks in _masks(run / "published" / "native"))
    hidden = 1 - seen.sum((1, 2)) / np.maximum(whole.sum((1, 2)), 1)
    assert f"{hidden[hidden > 0.005].mean():.1%}" in next(line for line in card.splitlines() if "everity" in line)
    assert "48x65" not in card
    for as_recorded, tree in ((False, "camera"), (True, "composite")):
        publish(run, run / "published", ABOUT, as_recorded)
        for kind in ("gt_masks", "frames"):
            for file in (run / tree / "street.0" / kind).iterdir():
                assert (run / "published" / "native" / "street.0" / kind / file.name).read_bytes() == file.read_bytes()


def _masks(tree):
    clips = find_native_clips(tree, ("street.0", "street.1"))
    return [m for clip in clips for m in clip.amodal], [m for clip in clips for m in clip.modal]


def test_clips_that_were_made_anew_are_not_published_by_their_former_camera(run, draw):
    from robustvos.files.stage import open_results
    from robustvos.files.stage_runner import run_stage
    from robustvos.realvas.camera import Camera

    run_stage(Camera(run), run, {"composite": open_results(run, "composite")}, progress=False)
    draw(run, seed=7)
    with pytest.raises(UserError, match=r"1 clips were made anew since the camera was moved: street.0; first run"):
        publish(run, run / "published", ABOUT)
    assert publish(run, run / "published", ABOUT, as_recorded=True).clips == ("street.0", "street.1")
    run_stage(Camera(run), run, {"composite": open_results(run, "composite")}, progress=False)
    assert publish(run, run / "published", ABOUT).clips == ("street.0", "street.1")


def test_a_folder_of_something_else_is_left_alone(run, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    with pytest.raises(UserError, match="something else"):
        publish(run, tmp_path / "photos", ABOUT)
    assert (tmp_path / "photos" / "a.txt").read_text() == "mine"


def test_sav_holds_several_objects_a_frame():
    said = masklets("v", 24.0, (4, 5), [["a", "b"], ["c", "d"]], [3, 7])
    assert said["masklet_num"] == 2 and said["masklet_id"] == [3, 7]
    assert [[m["counts"] for m in frame] for frame in json.loads(json.dumps(said))["masklet"]] == [
        ["a", "b"],
        ["c", "d"],
    ]
