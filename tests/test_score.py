"""``cli.py score`` gives the masks that a test has left the figures that the test gave them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustvos.video.masks import masks_from_ids, read_indexed_mask, write_indexed_mask, write_overlapping_masks

SIZE = (48, 64)


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Two videos: five objects at first and a sixth from the third frame on; and one of a single object."""
    generator = np.random.default_rng(0)
    for name, objects in (("crowd", 5), ("one", 1)):
        for t in range(4):
            ids = np.zeros(SIZE, np.uint8)
            for i in range(objects + (name == "crowd" and t >= 2)):
                top, left = 24 * (i // 3) + 3 + t, 20 * (i % 3) + 2 + t
                ids[top : top + 14, left : left + 14] = i + 1
            (tmp_path / "data/JPEGImages" / name).mkdir(parents=True, exist_ok=True)
            pixels = (ids[..., None] * np.array([40, 25, 10]) + generator.integers(0, 9, (*SIZE, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"data/JPEGImages/{name}/{t:05d}.jpg")
            seen = sorted(set(np.unique(ids).tolist()) - {0})
            write_indexed_mask(masks_from_ids(ids, seen), seen, tmp_path / f"data/Annotations/{name}/{t:05d}.png")
    return tmp_path / "data"


def run_of(door, dataset: Path, base, protocol: str) -> Path:
    said = ["--model", "sam2", "--sam2", base, "--data", "davis", "--data.root", dataset, "--run", protocol]
    more = ["--model.protocol", protocol, "--data.test.conditions", "[clean, fog]", "--data.skip_first_last", "false"]
    answer = door("test", *said, *more, "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")
    assert answer.code == 0, answer.err
    return Path("runs", protocol, "version_0")


@pytest.mark.parametrize("protocol", ["davis", "release"])
def test_masks_of_a_test_score_as_the_test_did(door, dataset, tiny_base, protocol):
    run = run_of(door, dataset, tiny_base, protocol)
    answer = door("score", run / "masks", dataset, "--protocol", protocol, "--out", "scored")
    assert answer.code == 0, answer.err
    result = json.loads((run / "results.json").read_text())
    said = {}
    for o in result["objects"]:
        condition = o["tags"]["corruption"]
        said[f"{o['video']}{'' if condition == 'clean' else f'@{condition}'}_{o['object']}"] = o["scores"]
    lines = Path("scored/scores.csv").read_text().splitlines()
    rows = {row["Sequence"]: row for row in csv.DictReader(lines)}
    assert rows.keys() == said.keys()
    assert len(rows) == 2 * (4 if protocol == "release" else 7)
    for name, row in rows.items():
        assert float(row["J-Mean"]) == pytest.approx(said[name]["J"], abs=2e-6), name
        assert float(row["F-Mean"]) == pytest.approx(said[name]["F"], abs=2e-6), name
    overlapping = not list((run / "masks/crowd").glob("*.png"))
    assert overlapping is (protocol == "release")
    assert [line.split()[0] for line in answer.out.splitlines() if line.startswith(("clean", "fog"))] == [
        "clean",
        "fog",
    ]


def test_some_sequences_are_scored_by_name_or_by_a_list(door, dataset, tmp_path):
    truth = dataset / "Annotations"
    (tmp_path / "found").mkdir()
    (tmp_path / "found/one").symlink_to(truth / "one")
    lists = dataset / "ImageSets/2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("crowd\n")
    refused = door("score", "found", dataset).error
    assert "1 of 2 sequences are missing in found: crowd" in refused and "--sequences NAME" in refused
    (lists / "val.txt").write_text("one\n")
    assert f"--sequences {lists / 'val.txt'}" in door("score", "found", dataset).error
    for chosen in ("one", lists / "val.txt"):
        answer = door("score", "found", dataset, "--sequences", chosen)
        assert answer.code == 0 and "1 objects in 1 sequences" in answer.out
    (lists / "none.txt").write_text("\n")
    assert "names no sequence" in door("score", "found", dataset, "--sequences", lists / "none.txt").error
    assert "1 of 1 sequences are missing in" in door("score", "found", dataset, "--sequences", "crow").error


def test_what_is_passed_over_is_said(door, dataset, tmp_path):
    truth = dataset / "Annotations"
    for name in ("crowd", "one", "stranger"):
        (tmp_path / "found" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "found" / name).symlink_to(truth / ("one" if name == "stranger" else name))
    out = door("score", "found", dataset).out
    assert "1 predicted folders have no ground truth and do not count: stranger" in out
    out = door("score", truth / "one", truth / "crowd", "--out", "scored").out
    assert "one is scored against crowd, which has another name" in out
    for frame in sorted((truth / "one").glob("*.png"))[1:]:
        frame.unlink()
    out = door("score", truth, truth, "--skip-first-last", "--out", "scored").out
    assert "1 of 7 objects have no frame that counts, and no score: of one" in out


@pytest.fixture
def overlapping(dataset, tmp_path) -> Path:
    """The truth as masks for each object: ``found/crowd/<object>/<frame>.png``."""
    for path in sorted((dataset / "Annotations/crowd").glob("*.png")):
        ids = range(1, 7)
        write_overlapping_masks(masks_from_ids(read_indexed_mask(path), ids), ids, tmp_path / "found/crowd", path.stem)
    return tmp_path / "found/crowd"


def test_a_single_sequence_may_be_of_overlapping_masks(door, dataset, overlapping):
    for pred in (overlapping, overlapping.parent):
        answer = door("score", pred, dataset / "Annotations/crowd", "--out", "scored")
        assert answer.code == 0 and answer.out.startswith("J&F  1.0000"), answer.err
        assert "6 objects in 1 sequences" in answer.out
    (overlapping / "overlay").mkdir()  # something of the user's own
    assert door("score", overlapping, dataset / "Annotations/crowd", "--out", "scored").code == 0


def test_what_overlapping_masks_lack_is_named(door, dataset, overlapping):
    score = "score", overlapping.parent, dataset, "--sequences", "crowd"
    assert door(*score).code == 0
    (overlapping / "2/00001.png").rename(overlapping / "spare")
    assert "object 2 of " in (error := door(*score).error) and "1 of 4 frames that other objects have: 00001" in error
    (overlapping / "spare").rename(overlapping / "2/00001.png")
    (overlapping / "02").symlink_to(overlapping / "2")
    assert "holds object 2 twice" in door(*score).error
    (overlapping / "02").unlink()
    (overlapping / "2").rename(overlapping / "gone")
    assert "crowd has no folder for object 2" in door(*score).error


def test_conditions_are_those_of_the_sequences_that_are_scored(door, dataset, tmp_path):
    for name in ("crowd", "crowd@fog", "one"):
        (tmp_path / "found" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "found" / name).symlink_to(dataset / "Annotations" / name.split("@")[0])
    assert door("score", "found", dataset, "--sequences", "one").code == 0
    error = door("score", "found", dataset, "--sequences", "one", "--sequences", "crowd").error
    assert "1 of 2 sequences are missing in found: one@fog; add them, or leave them out of --sequences" in error
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00one")
    assert "list.txt is not readable as text" in door("score", "found", dataset, "--sequences", "list.txt").error
    assert "there is no such file" in door("score", "found", dataset, "--sequences", "lists.txt").error


def test_objects_of_the_release_may_be_all(door, dataset):
    truth = dataset / "Annotations"
    for number, objects in ((None, 4), (0, 6), (1, 2)):
        more = () if number is None else ("--max-objects", number)
        assert f"{objects} objects in 2 sequences" in door("score", truth, truth, "--protocol", "release", *more).out
    assert "give a number from 0 on, and release" in door("score", truth, truth, "--max-objects", 2).error
