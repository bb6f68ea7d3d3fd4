"""Every ``configs/data/*.yaml`` and ``configs/model/*.yaml`` on a tiny dataset with the published folders and file names.

Files are found by globbing: a new dataset needs a tree here, a new system runs by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

import cli
from robustvos.evaluation.results import load_result
from robustvos.restoration.airnet import AirNetwork
from robustvos.restoration.urie import SelectiveUNet
from robustvos.video.masks import write_indexed_mask

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
CORRUPTIONS = ["color_jitter", "gauss_noise", "ISO_noise", "motion_blur", "resampling_blur", "fog", "rain", "snow"]
QUICK = [
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.enable_progress_bar=false",
    "--strips.per_condition=0",
    "--gates.per_condition=0",
    "--overlays.videos=0",
]
TRAIN = [
    "--config",
    CONFIGS / "moga.yaml",
    "--recipe.optimisation.warmup_steps=0",  # the only step is one at the full rate
    "--data.workers=0",
    "--data.train.frames=3",
    "--data.train.frames_per_batch=3",
    "--trainer.limit_train_batches=1",
]


def ids_at(t: int) -> np.ndarray:
    """Map of ids of 36 x 48 pixels: object 1 moves to the right, object 2 stands still."""
    ids = np.zeros((36, 48), np.uint8)
    ids[4:20, 6 + 3 * t : 20 + 3 * t] = 1
    ids[22:34, 26:46] = 2
    return ids


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def write_ids(path: Path, ids: np.ndarray) -> None:
    """With a palette, as the published masks have it."""
    write_indexed_mask(torch.stack([torch.from_numpy(ids == i) for i in (1, 2)]), (1, 2), path)
    assert Image.open(path).mode == "P"


def write_meta(folder: Path, *videos: str) -> None:
    """As YouTube-VOS and MOSE have it: objects of each video, with class and frames."""
    objects = {str(i): {"category": "person", "frames": ["00000", "00005"]} for i in (1, 2)}
    folder.joinpath("meta.json").write_text(json.dumps({"videos": {video: {"objects": objects} for video in videos}}))


def shown(ids: np.ndarray) -> np.ndarray:
    return np.stack([60 + 80 * ids] * 3, -1).astype(np.uint8)


def vos(root: Path, *videos: str, numbers: Iterator[int] | range = range(3), masks: Path | None = None) -> None:
    """``JPEGImages/<video>/00000.jpg`` and ``Annotations/<video>/00000.png``; the latter in ``masks``, if given."""
    for video in videos:
        for t, number in enumerate(numbers):
            write(root / "JPEGImages" / video / f"{number:05d}.jpg", shown(ids_at(t)))
            write_ids((masks or root) / "Annotations" / video / f"{number:05d}.png", ids_at(t))


def davis(root: Path) -> None:
    for folder in ("JPEGImages", "Annotations"):
        vos(root, "bear", "goat")
        (root / folder / "480p").mkdir()
        for video in ("bear", "goat"):
            (root / folder / video).rename(root / folder / "480p" / video)
    for name, video in (("train", "bear"), ("val", "goat")):
        path = root / f"ImageSets/2017/{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{video}\n")


def davis2016(root: Path) -> None:
    """Masks are black and white, and lists name frames; the same at 1080p lies beside, which is not to be read."""
    for split, video in (("train", "bear"), ("val", "blackswan")):
        lines = []
        for t in range(3):
            write(root / f"JPEGImages/480p/{video}/{t:05d}.jpg", shown(ids_at(t)))
            write(root / f"Annotations/480p/{video}/{t:05d}.png", 255 * (ids_at(t) == 1).astype(np.uint8))
            lines.append(f"/JPEGImages/480p/{video}/{t:05d}.jpg /Annotations/480p/{video}/{t:05d}.png \n")
            for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
                path = root / folder / "1080p" / video / f"{t:05d}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"not to be read")
        for size in ("480p", "1080p"):
            path = root / f"ImageSets/{size}/{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines).replace("480p", size))


def youtube_vos(root: Path) -> None:
    vos(root / "train", "003234408d", "0043f083b5", numbers=range(0, 15, 5))
    write_meta(root / "train", "003234408d", "0043f083b5")


def mose(root: Path) -> None:
    vos(root / "train", "00a8c2d3", "01f2a4b6")
    write_meta(root / "train", "00a8c2d3", "01f2a4b6")


def youtube_vos_c(root: Path) -> None:
    for corruption in CORRUPTIONS:
        vos(root / "valid" / corruption, "0062f687f1", numbers=range(0, 15, 5), masks=root / "valid")
        write_meta(root / "valid" / corruption, "0062f687f1")


def corrupted(original: Callable[[Path], None], inside: str = "") -> Callable[[Path], None]:
    """What ``cli.py corrupt`` leaves of a tiny original under all eight corruptions."""

    def copies(root: Path) -> None:
        beside = root.with_name(f"original_of_{root.name}")
        original(beside)
        assert cli.main(["corrupt", str(beside / inside), str(root)]) == 0

    return copies


def robustpvos_train(root: Path) -> None:
    for corruption in CORRUPTIONS:
        vos(root / corruption, "davis_bear", "mose_00a8c2d3", "ytvos_003234408d")


def acdc_video(root: Path) -> None:
    for weather in ("fog", "snow", "night", "rain"):
        video = root / weather / "GOPR0475"
        for number in range(1, 4):
            write(video / f"split_000/{number}.jpg", shown(ids_at(number)))
        for number in (1, 3):
            write(video / f"gt/{number:06d}.png", ids_at(number))
        (video / "metadata.json").write_text("{}")


def mvseg(root: Path) -> None:
    for source in ("INO_ParkingSnow", "KAIST_set08", "RGBT234_car10"):
        for k in (1, 2):
            for number in range(1, 4):
                write(root / f"{source}.-{k}/visible/{number}v.png", shown(ids_at(number)))
            for number in (1, 3):
                write(root / f"{source}.-{k}/label/{number}vl.png", ids_at(number))


TREES: dict[str, Callable[[Path], None]] = {
    "acdc_video": acdc_video,
    "davis": davis,
    "davis2016": davis2016,
    "davis_c": corrupted(davis),
    "mose": mose,
    "mose_c": corrupted(mose, "train"),
    "mvseg": mvseg,
    "mvseg_adv": mvseg,
    "robustpvos_train": robustpvos_train,
    "youtube_vos": youtube_vos,
    "youtube_vos_c": youtube_vos_c,
}


def read(*parts: str) -> dict[str, Any]:
    return yaml.safe_load(CONFIGS.joinpath(*parts).read_text())["init_args"]


def downloaded() -> list[str]:
    """Those that are neither drawn by this project nor made of footage of one's own."""
    made = ("hidden", "pasted", "pasted_adverse", "shapes", "realvas")
    return [path.stem for path in sorted((CONFIGS / "data").glob("*.yaml")) if path.stem not in made]


@pytest.fixture
def data(tmp_path, monkeypatch) -> Callable[[str], None]:
    """``data("davis")`` puts the tiny set where the datamodule looks by itself."""
    monkeypatch.setenv("ROBUSTVOS_DATA", str(tmp_path / "data"))
    return lambda name: TREES[name](tmp_path / "data" / name)


@pytest.mark.parametrize("name", downloaded())
def test_dataset_is_trained_and_tested_on(door, tiny_base, tmp_path, data, name):
    data(name)
    settings = read("data", f"{name}.yaml")
    if "train" in settings:
        answer = door("fit", *TRAIN, "--data", name, "--model", "lora", "--sam2", tiny_base, *QUICK, "--run", "trained")
        assert answer.code == 0, answer.err
        assert list(tmp_path.glob("runs/trained/*/checkpoints/last.ckpt"))
    answer = door("test", "--model", "sam2", "--sam2", tiny_base, "--data", name, *QUICK, "--run", "tested")
    assert answer.code == 0, answer.err
    result = load_result(next(tmp_path.rglob("results.json")))
    assert result.dataset == name
    conditions = settings["test"]["conditions"] if "test" in settings else ["clean"]
    assert {row.corruption for row in result.objects} == set(conditions)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml")))
def test_system_is_trained_and_tested(door, tiny_base, tmp_path, monkeypatch, data, name):
    """With an adapter it trains a step and is tested with what it has learnt; restorers load weights by their own name."""
    data("davis")
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(tmp_path / "weights"))
    settings = read("model", f"{name}.yaml")
    weights: list[object] = []
    if settings["adapter"] is not None:
        clips = (
            ["davis"] if settings.get("target", "modal") == "modal" else ["shapes", "--data.val.limit=1"]
        )  # knows wholes
        answer = door("fit", *TRAIN, "--data", *clips, "--model", name, "--sam2", tiny_base, *QUICK)
        assert answer.code == 0, answer.err
        weights = ["--ckpt_path", next(tmp_path.rglob("last.ckpt"))]
    elif "restorer" in settings:
        restorer = settings["restorer"]
        write_weights(restorer["class_path"], tmp_path / "weights" / restorer["init_args"]["checkpoint"])
    few = "--data.test.conditions=[fog]"
    answer = door("test", "--model", name, "--sam2", tiny_base, "--data", "davis", few, *QUICK, *weights)
    assert answer.code == 0, answer.err
    result = load_result(next(tmp_path.rglob("results.json")))
    assert (result.system, len(result.objects)) == (name, 2)


def write_weights(restorer: str, path: Path) -> None:
    """Random weights of a restorer, as its authors store theirs."""
    path.parent.mkdir()
    if restorer == "URIE":
        state = {f"module.{key}": value for key, value in SelectiveUNet().state_dict().items()}
    elif restorer == "AirNet":
        state = AirNetwork().state_dict()
    else:
        state = {"params": small_nafnet().state_dict()}
    torch.save(state, path)


def small_nafnet() -> nn.Module:
    pytest.importorskip("spandrel")
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(img_channel=3, width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])
