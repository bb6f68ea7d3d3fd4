"""Corrupted copies on disk: those that ``corrupt`` writes, and the release's layouts."""

import shutil
from pathlib import Path

import pytest
import torch

import cli
from datamodules.corrupted_vos import CorruptedVOS
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.datasets.vos.videos import FolderEvaluation
from robustvos.errors import DataNotFound
from robustvos.video.frames import read_frame


@pytest.fixture
def copies(tree, tmp_path) -> Path:
    """What ``corrupt`` writes of three videos under two corruptions, without loss."""
    for name in ("fog", "iso_noise"):
        said = ["corrupt", tree.root, tmp_path / "copies", "--corruption", name, "--quality", "0"]
        assert cli.main([str(token) for token in said]) == 0
    return tmp_path / "copies"


def rendered(root: Path, *conditions: str, **more) -> CorruptedVOS:
    settings = {name: more.pop(name) for name in ("join_frames", "limit", "prompt") if name in more}
    return CorruptedVOS(root=root, rendered=True, test=FolderEvaluation(conditions=conditions, **settings), **more)


def test_copy_gives_what_corrupting_on_the_fly_gives(tree, copies):
    conditions = ("iso_noise", "fog")
    flown = CorruptedVOS(root=tree.root, test=FolderEvaluation(conditions=conditions)).test_dataloader()
    for read, made in zip(rendered(copies, *conditions).test_dataloader(), flown, strict=True):
        assert (read.name, read.corruption) == (made.name, made.corruption)
        assert torch.equal(torch.stack(list(read.frames)), torch.stack(list(made.frames)))
        assert torch.equal(torch.stack(list(read.masks)), torch.stack(list(made.masks)))
        assert [(p.object_id, p.frame) for p in read.prompts] == [(p.object_id, p.frame) for p in made.prompts]


def test_copy_of_a_combination_is_tested_and_trains_only_who_names_it(tree, copies):
    said = ["corrupt", tree.root, copies, "--corruption", "fog+iso_noise", "--quality", "0"]
    assert cli.main([str(token) for token in said]) == 0
    flown = CorruptedVOS(root=tree.root, test=FolderEvaluation(conditions=("fog+iso_noise",))).test_dataloader()
    for read, made in zip(rendered(copies, "fog+iso_noise").test_dataloader(), flown, strict=True):
        assert (read.name, read.corruption) == (made.name, "fog+iso_noise")
        assert torch.equal(torch.stack(list(read.frames)), torch.stack(list(made.frames)))
    for names, drawn in ((("robustpvos8",), {"fog", "iso_noise"}), (("fog+iso_noise",), {"fog+iso_noise"})):
        train = TrainingClips(frames=2, frames_per_batch=2, size=32, corruption=Corruption(names=names))
        clips = CorruptedVOS(root=copies, rendered=True, train=train).train_dataloader().dataset
        assert {clips[n].corruption for n in range(len(clips))} == drawn


def test_copies_tell_how_strongly_they_are_corrupted(copies, tree, tmp_path):
    facts = rendered(copies, "clean", "fog", "iso_noise").evaluation_facts("test")
    assert facts == {"copies": "intended, severity 3, seed 0, PNG"}
    said = ["corrupt", tree.root, tmp_path / "strong", "--corruption", "fog", "--severity", "5", "--preset", "release"]
    assert cli.main([str(token) for token in said]) == 0
    facts = rendered(tmp_path / "strong", "fog").evaluation_facts("test")
    assert facts == {"copies": "release, severity 5, seed 0, JPEG 95"}
    for broken in ("[]", '{"preset": "release", "severity": null, "seed": 0, "quality": 95}', "{"):
        (tmp_path / "strong/fog/corruption.json").write_text(broken)
        assert rendered(tmp_path / "strong", "fog").evaluation_facts("test") == {"copies": "of unknown strength"}
    (tmp_path / "strong/fog/corruption.json").unlink()
    assert rendered(tmp_path / "strong", "fog").evaluation_facts("test") == {"copies": "of unknown strength"}


def test_training_epoch_has_every_video_under_every_corruption_and_is_not_corrupted_again(copies):
    train = TrainingClips(frames=2, frames_per_batch=2, size=32, corruption=Corruption())
    data = CorruptedVOS(root=copies, rendered=True, train=train)
    clips = data.train_dataloader().dataset
    found = {(clips[n].corruption, clips[n].name.split("/")[2]) for n in range(len(clips))}
    assert found == {(name, video) for name in ("fog", "iso_noise") for video in ("bear", "dog", "swan")}
    clip = clips[0]
    _, corruption, video, frame, _ = clip.name.split("/")
    stored = read_frame(copies / corruption / "JPEGImages" / video / f"{frame}.png").float()
    small = torch.nn.functional.interpolate(stored[None], (32, 32), mode="area")[0]
    assert (clip.frames[0].float() - small).abs().mean() < 8
    some = CorruptedVOS(root=copies, rendered=True, train=TrainingClips(corruption=Corruption(names=("fog",))))
    assert {record.corruption for _, record in some.sets.of_training(some.train)} == {"fog"}


def test_youtube_vos_c_takes_its_masks_from_the_folder_above_and_its_frames_without_copy_are_clean(make_tree, tmp_path):
    valid = make_tree("release/valid")
    source = make_tree("source")
    for name in ("00f8", "a1b2"):
        source.video(name, [torch.ones(48, 64, dtype=torch.uint8).numpy()] * 3)
    shutil.copytree(source.root / "Annotations", valid.root / "Annotations")
    for folder in ("ISO_noise", "snow"):
        shutil.copytree(source.root / "JPEGImages", valid.root / folder / "JPEGImages")
        (valid.root / folder / "meta.json").write_text('{"videos": {}}')
    found = list(rendered(tmp_path / "release", "snow", "iso_noise").test_dataloader())
    assert [(video.corruption, video.name) for video in found] == [
        (condition, name) for condition in ("snow", "iso_noise") for name in ("00f8", "a1b2")
    ]
    assert all(bool(video.masks[2][0].all()) for video in found)
    with pytest.raises(DataNotFound, match=r"no copy for clean, only for iso_noise, snow"):
        rendered(tmp_path / "release", "clean").test_dataloader()
    shutil.copytree(source.root / "JPEGImages", valid.root / "JPEGImages")
    clean, *_ = rendered(tmp_path / "release", "clean", "snow").test_dataloader()
    assert (clean.corruption, clean.name) == ("clean", "00f8")


def test_merged_tree_of_the_release_trains_on_all_its_sets(make_tree, moving_boxes, tmp_path):
    for corruption in ("rain", "ISO_noise"):
        made = make_tree(f"merged/{corruption}")
        for name in ("mose_1a", "ytvos_2b", "davis_bear"):
            made.video(name, moving_boxes(3))
    data = CorruptedVOS(root=tmp_path / "merged", rendered=True, train=TrainingClips(frames=2, size=32))
    names = {(record.corruption, record.name) for _, record in data.sets.of_training(data.train)}
    assert names == {(c, n) for c in ("rain", "iso_noise") for n in ("mose_1a", "ytvos_2b", "davis_bear")}
    batch = next(iter(data.train_dataloader()))
    assert batch.frames.shape == (6, 2, 3, 32, 32)


def test_copies_keep_the_lists_of_their_dataset(tree, tmp_path):
    tree.list("2017/train.txt", "swan", "bear")
    tree.list("2017/val.txt", "dog")
    assert cli.main(["corrupt", str(tree.root), str(tmp_path / "copies"), "--corruption", "fog"]) == 0
    data = rendered(tmp_path / "copies", "fog")
    assert [record.name for _, record in data.sets.of_training(data.train)] == ["swan", "bear"]
    assert [video.name for video in data.test_dataloader()] == ["dog"]


def test_limit_keeps_the_same_videos_under_every_corruption(copies):
    found = list(rendered(copies, "fog", "iso_noise", limit=2).test_dataloader())
    assert [video.name for video in found] == ["bear", "dog"] * 2


def test_half_written_and_missing_copies_are_said_in_one_line(copies, tree, tmp_path, monkeypatch):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)
    shutil.rmtree(copies / "fog/JPEGImages/dog")
    with pytest.raises(
        DataNotFound, match=r"copies/fog lacks 1 of 3 videos that other corruptions have: dog"
    ) as caught:
        rendered(copies, "iso_noise", "fog").test_dataloader()
    assert "\n" not in str(caught.value)
    for root in (None, tmp_path / "nowhere", tree.root):
        text = CorruptedVOS.describe_missing({"root": root, "name": "own", "rendered": True})
        assert text is not None and "\n" not in text
        with pytest.raises(DataNotFound):
            CorruptedVOS(root=root, name="own", rendered=True).setup("test")
    assert "holds neither CORRUPTION/JPEGImages" in text
    assert CorruptedVOS.describe_missing({"root": copies, "rendered": True}) is None
