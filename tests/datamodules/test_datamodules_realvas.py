import os
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules.realvas import RealVAS
from robustvos.corruptions import corrupt_clip
from robustvos.datasets.evaluation import Evaluation
from robustvos.datasets.realvas_sample import EmbeddedSample, ensure_sample, sample_folder
from robustvos.errors import BadMask, DataNotFound, UnknownName, UserError
from robustvos.video.native_writer import write_native_clip

SMALL = EmbeddedSample(occlusion=1, containment=1)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """A cache that holds the small sample."""
    cache = tmp_path_factory.mktemp("cache")
    ensure_sample(SMALL.clips(), cache)
    return cache


@pytest.fixture
def cache(drawn, monkeypatch) -> Path:
    monkeypatch.setenv("ROBUSTVOS_CACHE", str(drawn))
    return drawn


@pytest.fixture
def root(tmp_path) -> Path:
    """Two clips of 3 frames: ``a`` of category surface, ``b`` of none."""
    amodal = torch.zeros(3, 20, 30, dtype=torch.bool)
    amodal[:, 5:15, 8:20] = True
    modal = amodal.clone()
    modal[2] = False
    pixels = torch.full((3, 3, 20, 30), 128, dtype=torch.uint8)
    write_native_clip(tmp_path / "set" / "a", pixels, modal, amodal, category="surface")
    write_native_clip(tmp_path / "set" / "b", pixels, modal, amodal)
    return tmp_path / "set"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_default_sample_is_of_twenty_clips_and_its_first_four_of_every_category():
    clips = EmbeddedSample().clips()
    counts = {kind: sum(clip.category == kind for clip in clips) for kind in {clip.category for clip in clips}}
    assert counts == {"occlusion": 8, "surface": 4, "articulated": 4, "mobile": 4}
    assert len({clip.name for clip in clips}) == 20
    assert {clip.category for clip in clips[:5]} == set(counts)


@pytest.mark.parametrize("stage", ["val", "test", "predict"])
def test_sample_videos_carry_masks_prompt_and_category(cache, stage):
    data = RealVAS(sample=SMALL)
    data.prepare_data()
    videos = list(getattr(data, f"{stage}_dataloader")())
    assert [video.tags["category"] for video in videos] == ["occlusion", "surface", "articulated", "mobile"]
    for video in videos:
        assert video.object_ids == (1,)
        assert len(video.frames) == len(video.masks) == len(video.amodal) == len(video.frame_names) >= 48
        assert video.frames[0].shape == (3, *video.size)
        assert video.masks[0].shape == video.amodal[0].shape == (1, *video.size)
        (prompt,) = video.prompts
        assert prompt.frame == 0
        assert prompt.object_id == 1
        assert torch.equal(prompt.mask, video.amodal[0][0])
        assert video.corruption == "clean"


def test_sample_is_announced_in_one_line(cache, capsys):
    RealVAS(sample=SMALL).prepare_data()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(
        "realvas: no --data.root given; using the embedded sample (4 rendered clips, 4 categories)"
    )
    assert str(cache) in lines[0]


def test_given_root_is_not_announced(root, capsys):
    RealVAS(root).prepare_data()
    assert capsys.readouterr().out == ""


def test_second_call_reuses_the_cache(drawn):
    folder = sample_folder(SMALL.clips(), drawn)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert ensure_sample(SMALL.clips(), drawn) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_damaged_cache_is_drawn_again_to_the_same_bytes(drawn, tmp_path):
    one = SMALL.clips()[:1]
    folder = ensure_sample(one, tmp_path)
    name = one[0].name
    source = sample_folder(SMALL.clips(), drawn)
    assert content(folder / name) == content(source / name)
    (folder / name / "gt_masks" / "00030.png").unlink()
    (tmp_path / ".killed.tmp" / name / "frames").mkdir(parents=True)
    assert ensure_sample(one, tmp_path) == folder
    assert content(folder / name) == content(source / name)


def test_killed_drawing_is_not_taken_for_a_sample(tmp_path):
    one = SMALL.clips()[:1]
    folder = sample_folder(one, tmp_path)
    (folder / one[0].name / "frames").mkdir(parents=True)
    ensure_sample(one, tmp_path)
    assert len(os.listdir(folder / one[0].name / "frames")) == one[0].frames


def test_two_processes_at_once_agree(tmp_path):
    one = SMALL.clips()[:1]
    context = get_context("forkserver")
    context.set_forkserver_preload(["robustvos.datasets.realvas_sample"])
    other = context.Process(target=ensure_sample, args=(one, tmp_path))
    other.start()
    folder = ensure_sample(one, tmp_path)
    other.join(60)
    assert other.exitcode == 0
    assert os.listdir(tmp_path) == [folder.name]
    assert len(os.listdir(folder / one[0].name / "frames")) == one[0].frames


def test_other_samples_live_elsewhere(tmp_path):
    assert sample_folder(SMALL.clips(), tmp_path) != sample_folder(EmbeddedSample().clips(), tmp_path)


def test_unwritable_cache_names_the_variable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="ROBUSTVOS_CACHE"):
        ensure_sample(SMALL.clips()[:1], tmp_path / "file")


def test_category_is_a_tag_where_it_is_known(root):
    assert [dict(video.tags) for video in RealVAS(root).test_dataloader()] == [{"category": "surface"}, {}]


def test_clips_and_limit_choose(root):
    def tested(**settings):
        return [video.name for video in RealVAS(root, test=Evaluation(**settings)).test_dataloader()]

    assert tested(select=["b"]) == ["b"] and tested(select="*") == ["a", "b"] and tested(limit=1) == ["a"]
    with pytest.raises(DataNotFound, match="select: none of 2 in realvas is called 'c'; there are a, b"):
        tested(select=["c"])
    with pytest.raises(UserError, match="limit is 0"):
        Evaluation(limit=0)


def test_whole_objects_are_asked_for_in_bad_weather_too(root):
    data = RealVAS(root, test=Evaluation(conditions=("clean", "fog"), limit=1, max_frames=2))
    clean, foggy = data.test_dataloader()
    assert (clean.name, clean.corruption, foggy.name, foggy.corruption) == ("a", "clean", "a", "fog")
    frames = torch.stack(list(clean.frames))
    assert torch.equal(torch.stack(list(foggy.frames)), corrupt_clip(frames, "fog", clip_name="a"))
    assert len(foggy.amodal) == len(foggy.masks) == 2 and torch.equal(foggy.amodal[1], clean.amodal[1])
    facts = {"first frames": "2", "preset": "intended", "severity": "3"}
    assert data.evaluation_facts("test") == facts
    with pytest.raises(UserError, match="depth_fog"):
        RealVAS(root, test=Evaluation(conditions=("depth_fog",))).test_dataloader()


def test_prompt_kind_is_heeded(root):
    (video,) = RealVAS(root, test=Evaluation(prompt="box", limit=1)).test_dataloader()
    assert video.prompts[0].box.tolist() == [8, 5, 19, 14]
    with pytest.raises(UnknownName):
        Evaluation(prompt="scribble")


def test_a_root_without_whole_masks_cannot_be_trained_on(root):
    assert len(RealVAS(root).train_dataloader()) == 100
    for clip in ("a", "b"):
        for path in (root / clip / "gt_masks").iterdir():
            path.unlink()
        (root / clip / "gt_masks").rmdir()
    with pytest.raises(UserError, match="no clip has whole masks.*nothing to train on"):
        RealVAS(root).train_dataloader()


def test_clip_without_truth_is_predicted_but_not_scored(root):
    for path in (root / "a" / "gt_masks").iterdir():
        path.unlink()
    (root / "a" / "gt_masks").rmdir()
    with pytest.raises(DataNotFound, match="looked for gt_masks in .*use predict"):
        RealVAS(root).test_dataloader()
    first, _ = RealVAS(root).predict_dataloader()
    assert first.name == "a"
    assert first.amodal is None


def test_query_that_is_not_seen_at_first_is_named(root):
    Image.new("L", (30, 20)).save(root / "a" / "visible_masks" / "00000.png")
    with pytest.raises(BadMask, match=r"00000\.png: the query object is not seen in the first frame"):
        next(iter(RealVAS(root).test_dataloader()))
