"""Names and masks as people have them: spaces, other scripts, colour and 16-bit PNGs."""

import json

import numpy as np
import pytest
from PIL import Image

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.datasets.vos.videos import FolderEvaluation
from robustvos.errors import BadMask

NAMES = ["Bär läuft", "dog (2) #1", "кот", "熊 走る"]
TRAIN = TrainingClips(frames=2, frames_per_batch=2, size=32)
QUICK = [
    *("--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.enable_progress_bar=false"),
    *("--strips.per_condition=0", "--gates.per_condition=0", "--overlays.videos=0"),
]
SHORT = ["--data.train.frames=2", "--data.train.frames_per_batch=2", "--trainer.limit_train_batches=1"]
FIT = ["fit", "--model", "lora", "--trainer.max_steps=1", "--trainer.limit_val_batches=0", *SHORT, *QUICK]


@pytest.fixture
def named(make_tree, moving_boxes):
    """Four videos with names that are not plain words, split by lists."""
    made = make_tree("meine Videos")
    for name in NAMES:
        made.video(name, moving_boxes(3)[1:])
    made.list("train.txt", *NAMES[:2])
    made.list("val.txt", *NAMES[2:])
    return made


def test_videos_of_any_name_are_read_in_every_split(named):
    test = FolderEvaluation(conditions=("clean", "fog"), prompt="points:2")
    data = CorruptedVOS(root=named.root, train=TRAIN, test=test)
    clips = [name for batch in data.train_dataloader() for name in batch.names]
    assert sorted(name.split("/")[1] for name in clips) == NAMES[:2]
    videos = list(data.test_dataloader())
    assert [video.name for video in videos] == NAMES[2:] * 2
    assert all(video.frames[1].shape == (3, 48, 64) and video.masks[1].any() for video in videos)
    some = FolderEvaluation(select="*ä*")
    every = CorruptedVOS(root=named.root, train_list="val.txt", val_list="train.txt", test=some)
    assert [video.name for video in every.test_dataloader()] == NAMES[:1]


def test_videos_of_any_name_are_trained_on_tested_and_reported(named, door, tiny_base, tmp_path):
    data = ["--sam2", tiny_base, "--data", "davis", "--data.root", named.root]
    answer = door(*FIT, *data, "--run", "trained")
    assert answer.code == 0, answer.err
    answer = door("test", "--model", "sam2", *data, "--data.test.conditions=[clean]", *QUICK, "--run", "tested")
    assert answer.code == 0, answer.err
    result = json.loads(next((tmp_path / "runs/tested").rglob("results.json")).read_text(encoding="utf-8"))
    assert {row["video"] for row in result["objects"]} == set(NAMES[2:])
    written = {file.parent.name for file in (tmp_path / "runs/tested").rglob("masks/**/00001.png")}
    assert written == set(NAMES[2:])


def test_one_bad_frame_fails_its_video_and_the_rest_is_tested(named, door, tiny_base, tmp_path):
    bad, good = NAMES[2:]
    (frame,) = named.root.glob(f"JPEGImages/**/{bad}/00001.*")
    frame.write_bytes(b"no picture")
    data = ["--sam2", tiny_base, "--data", "davis", "--data.root", named.root]
    answer = door("test", "--model", "sam2", *data, "--data.test.conditions=[clean]", *QUICK, "--run", "tested")
    assert answer.code == 1, answer.err
    (note,) = (line for line in answer.out.splitlines() if "failed" in line)
    assert note.startswith(f"{bad} failed and is in no figure: ") and frame.name in note
    result = json.loads(next((tmp_path / "runs/tested").rglob("results.json")).read_text(encoding="utf-8"))
    assert {row["video"] for row in result["objects"]} == {good} and result["notes"] == [note]


def spoil(path, kind: str) -> None:
    ids = np.asarray(Image.open(path))
    Image.fromarray(np.stack([ids] * 3, -1) if kind == "colour" else ids.astype(np.uint16)).save(path)


@pytest.mark.parametrize(("kind", "mode"), [("colour", "mode RGB"), ("16 bits", "mode I;16")])
def test_mask_that_is_not_of_ids_is_named_in_one_line(tree, door, tiny_base, kind, mode):
    for file in (tree.root / "Annotations/dog").iterdir():
        spoil(file, kind)
    data = CorruptedVOS(root=tree.root, train=TRAIN)
    for loader in (data.train_dataloader(), data.test_dataloader()):
        with pytest.raises(
            BadMask, match=r"Annotations/dog/0000\d\.png: expected an 8-bit palette or greyscale"
        ) as caught:
            list(loader)
        assert mode in str(caught.value) and "\n" not in str(caught.value)
    given = ["--sam2", tiny_base, "--data", "davis", "--data.root", tree.root, *QUICK]
    train = [*FIT, "--data.train.select=dog"]
    test = ["test", "--model", "sam2", "--data.test.select=dog"]
    for command in ([*train, "--data.workers=0"], [*train, "--data.workers=1"], test):
        error = door(*command, *given).error
        assert "Annotations/dog/0000" in error and mode in error
