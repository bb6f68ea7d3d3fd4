"""Folders of masks are scored as their frames are, and every gap is named."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from robustvos.errors import BadMask, DataNotFound, UnknownName
from robustvos.evaluation.protocol import DatasetFacts, ReleaseContour, protocol_for
from robustvos.evaluation.score_folders import paying_workers, score_folders
from robustvos.metrics.functional import contour_accuracy, region_similarity
from robustvos.video.masks import masks_from_ids, read_indexed_mask, write_indexed_mask

SIZE = (20, 24)
DAVIS = protocol_for("davis", DatasetFacts())
DAVIS_PROPER = protocol_for("davis", DatasetFacts(skip_first_last=True))


def write(folder: Path, maps: np.ndarray) -> None:
    """Frames ``00000.png``, ... from ``(T, H, W)`` ids."""
    for t, ids in enumerate(maps):
        seen = sorted(set(np.unique(ids).tolist()) - {0})
        write_indexed_mask(masks_from_ids(ids, seen), seen, folder / f"{t:05d}.png")


def moving(frames: int, shift: int, ids: tuple[int, ...] = (1, 5)) -> np.ndarray:
    """Squares that move to the right, the second one from frame 2 on."""
    maps = np.zeros((frames, *SIZE), dtype=np.uint8)
    for t in range(frames):
        maps[t, 3:9, 2 + t + shift : 9 + t + shift] = ids[0]
        if t >= 2:
            maps[t, 12:17, 4 + shift : 10 + shift] = ids[1]
    return maps


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Prediction and truth of two sequences."""
    for name, frames in (("boat", 5), ("air plane", 4)):
        write(tmp_path / "gt" / name, moving(frames, 0))
        write(tmp_path / "pred" / name, moving(frames, 1))
    return tmp_path / "pred", tmp_path / "gt"


def expected(prediction: np.ndarray, truth: np.ndarray, object_id: int, kept: slice) -> tuple[float, float]:
    masks = torch.from_numpy(prediction == object_id)[kept], torch.from_numpy(truth == object_id)[kept]
    return float(region_similarity(*masks).double().mean()), float(contour_accuracy(*masks).double().mean())


def test_objects_score_as_their_frames_do(folders: tuple[Path, Path]) -> None:
    result = score_folders(*folders, DAVIS, progress=False)
    assert [(record.video, record.object_id) for record in result.run.objects] == [
        ("air plane", 1),
        ("air plane", 5),
        ("boat", 1),
        ("boat", 5),
    ]
    for record in result.run.objects:
        frames = {"boat": 5, "air plane": 4}[record.video]
        first = {1: 0, 5: 2}[record.object_id]
        j, f = expected(moving(frames, 1), moving(frames, 0), record.object_id, slice(first, None))
        assert record.frames == frames - first
        assert (record.scores["J"], record.scores["F"]) == pytest.approx((j, f), abs=1e-6)
    means = [record.scores["J"] for record in result.run.objects]
    assert result.statistics["J-Mean"] == pytest.approx(np.mean(means))
    assert result.run.overall["J"].mean == pytest.approx(np.mean(means))
    assert result.statistics["J&F-Mean"] == pytest.approx(result.run.overall["J&F"].mean)


def test_davis_leaves_out_the_first_and_last_frame_and_needs_no_mask_there(folders: tuple[Path, Path]) -> None:
    pred, gt = folders
    (pred / "boat" / "00000.png").unlink()
    (pred / "boat" / "00004.png").unlink()
    result = score_folders(pred, gt, DAVIS_PROPER, sequences=["boat"], progress=False)
    first, second = result.run.objects
    assert (first.frames, second.frames) == (3, 2)
    assert first.scores["J"] == pytest.approx(expected(moving(5, 1), moving(5, 0), 1, slice(1, 4))[0], abs=1e-6)
    assert second.scores["J"] == pytest.approx(expected(moving(5, 1), moving(5, 0), 5, slice(2, 4))[0], abs=1e-6)


def test_void_pixels_do_not_count(tmp_path: Path) -> None:
    truth, prediction = moving(3, 0), moving(3, 1)
    write(tmp_path / "pred", prediction)
    truth[:, :, 9:] = 255
    write(tmp_path / "gt", truth)
    result = score_folders(tmp_path / "pred", tmp_path / "gt", DAVIS, progress=False)
    visible = slice(None, 9)
    ours, theirs = prediction[:, :, visible] == 1, truth[:, :, visible] == 1
    per_frame = (ours & theirs).sum(axis=(1, 2)) / (ours | theirs).sum(axis=(1, 2))
    assert result.run.objects[0].scores["J"] == pytest.approx(per_frame.mean(), abs=1e-6)


def test_tables_are_written_in_the_manner_of_davis(folders: tuple[Path, Path], tmp_path: Path) -> None:
    result = score_folders(*folders, DAVIS, out=tmp_path / "out", progress=False)
    with open(tmp_path / "out" / "scores.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["Sequence"] for row in rows] == ["air plane_1", "air plane_5", "boat_1", "boat_5"]
    for row, record in zip(rows, result.run.objects, strict=True):
        assert float(row["J-Mean"]) == pytest.approx(record.scores["J"], abs=1e-6)
        assert float(row["F-Mean"]) == pytest.approx(record.scores["F"], abs=1e-6)
    with open(tmp_path / "out" / "global_scores.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert {name: float(value) for name, value in row.items()} == pytest.approx(result.statistics, abs=1e-6)


@pytest.fixture
def third(folders: tuple[Path, Path]) -> None:
    """One sequence more: the shortest is scored before others begin."""
    for root in folders:
        shutil.copytree(root / "boat", root / "ship")


@pytest.fixture
def free_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers pay however little there is to do."""
    monkeypatch.setattr("robustvos.evaluation.score_folders.WORKER_START_S", -1.0)


def spent_by_children() -> float:
    found = os.times()
    return found.children_user + found.children_system


def test_several_workers_give_what_one_gives(folders: tuple[Path, Path], third: None, free_workers: None) -> None:
    before = spent_by_children()
    one = score_folders(*folders, DAVIS, workers=1, progress=False)
    assert spent_by_children() == before
    two = score_folders(*folders, DAVIS, workers=2, progress=False)
    assert spent_by_children() > before
    assert (one.run.objects, one.statistics) == (two.run.objects, two.statistics)


def test_workers_are_not_started_for_less_than_they_cost(folders: tuple[Path, Path], third: None) -> None:
    before = spent_by_children()
    score_folders(*folders, DAVIS, workers=2, progress=False)
    assert spent_by_children() == before
    assert paying_workers(2, [2.0, 2.0, 2.0]) == 2
    assert paying_workers(2, [60.0, 0.1]) == 1  # one sequence is most of the work
    assert paying_workers(8, [60.0]) == paying_workers(8, []) == paying_workers(1, [60.0] * 9) == 1


def test_errors_of_workers_arrive_as_they_are(folders: tuple[Path, Path], third: None, free_workers: None) -> None:
    (folders[0] / "boat" / "00001.png").write_bytes(b"broken")
    for workers in (1, 2):
        with pytest.raises(BadMask, match=r"boat/00001\.png: cannot be decoded"):
            score_folders(*folders, DAVIS, workers=workers, progress=False)


def test_single_sequences_and_dataset_roots_are_understood(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pred, gt = folders
    whole = score_folders(pred, gt, DAVIS, progress=False)
    single = score_folders(pred / "boat", gt / "boat", DAVIS, progress=False)
    assert list(single.run.objects) == [record for record in whole.run.objects if record.video == "boat"]
    (pred / "boat").rename(tmp_path / "mine")
    assert score_folders(tmp_path / "mine", gt / "boat", DAVIS, progress=False).run.objects == single.run.objects
    (tmp_path / "davis" / "Annotations").mkdir(parents=True)
    gt.rename(tmp_path / "davis" / "Annotations" / "480p")
    rest = score_folders(pred, tmp_path / "davis", DAVIS, sequences=["air plane"], progress=False)
    assert list(rest.run.objects) == [record for record in whole.run.objects if record.video == "air plane"]


def test_missing_sequences_and_frames_are_listed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pred, gt = folders
    for t in (1, 3):
        (pred / "boat" / f"{t:05d}.png").unlink()
    with pytest.raises(DataNotFound, match="2 of 5 annotated frames of boat have no mask .*00001, 00003"):
        score_folders(pred, gt, DAVIS, progress=False)
    (pred / "boat").rename(tmp_path / "elsewhere")
    with pytest.raises(DataNotFound, match="1 of 2 sequences are missing in .*pred: boat;"):
        score_folders(pred, gt, DAVIS, progress=False)
    with pytest.raises(DataNotFound, match="1 of 1 sequences are missing in .*gt: zebra;"):
        score_folders(pred, gt, DAVIS, sequences=["zebra"], progress=False)
    with pytest.raises(DataNotFound, match="prediction folder .* does not exist"):
        score_folders(tmp_path / "nowhere", gt, DAVIS, progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFound, match="ground truth folder .* holds no masks, but nothing"):
        score_folders(pred, tmp_path / "empty", DAVIS, progress=False)


def test_masks_of_another_size_or_unknown_ids_are_refused(folders: tuple[Path, Path]) -> None:
    pred, gt = folders
    write_indexed_mask(torch.zeros(0, 10, 24, dtype=torch.bool), (), pred / "boat" / "00002.png")
    with pytest.raises(BadMask, match=r"00002\.png is 24x10, its ground truth 24x20; resize"):
        score_folders(pred, gt, DAVIS, progress=False)
    write(pred / "boat", moving(5, 0, ids=(255, 5)))
    with pytest.raises(BadMask, match="holds the ids 255, but the truth of boat knows only 1, 5"):
        score_folders(pred, gt, DAVIS, progress=False)


@pytest.mark.parametrize("contour", ["cross", "square"])
def test_release_takes_the_contour_that_is_asked_for(tmp_path: Path, contour: ReleaseContour) -> None:
    rows, columns = np.indices((40, 40))
    diamond = (abs(rows - 20) + abs(columns - 20) < 12).astype(np.uint8)  # slanted edges, where the two erosions differ
    truth, predicted = np.stack([diamond] * 2), np.stack([np.roll(diamond, 1, axis=1)] * 2)
    write(tmp_path / "gt" / "kite", truth)
    write(tmp_path / "pred" / "kite", predicted)
    protocol = protocol_for("release", DatasetFacts(contour=contour))
    found = score_folders(tmp_path / "pred", tmp_path / "gt", protocol, progress=False)
    # On so small a picture contours match where they share pixels, and a rim is what an erosion takes away.
    footprint = ndimage.generate_binary_structure(2, {"cross": 1, "square": 2}[contour])
    rims = [mask & ~ndimage.binary_erosion(mask, footprint) for mask in (truth[0] == 1, predicted[0] == 1)]
    f = 2 * (rims[0] & rims[1]).sum() / (rims[0].sum() + rims[1].sum())
    assert found.run.overall["F"].mean == pytest.approx(f, abs=1e-6)


def test_nothing_to_score_and_unknown_protocols(tmp_path: Path) -> None:
    write(tmp_path / "a", np.zeros((2, *SIZE), dtype=np.uint8))
    with pytest.raises(DataNotFound, match="no annotated frame shows an object"):
        score_folders(tmp_path / "a", tmp_path / "a", DAVIS, progress=False)
    write(tmp_path / "b", moving(2, 0))
    with pytest.raises(DataNotFound, match="at least three"):
        score_folders(tmp_path / "b", tmp_path / "b", DAVIS_PROPER, progress=False)
    with pytest.raises(UnknownName, match="unknown protocol 'davs'; did you mean 'davis'"):
        protocol_for("davs", DatasetFacts())


def test_perfect_masks_of_a_real_clip_score_one() -> None:
    root = os.environ.get("ROBUSTVOS_REALDATA")
    if not root:
        pytest.skip("set ROBUSTVOS_REALDATA to a folder with davis/Annotations to score real masks")
    truth = Path(root, "davis")
    sequence = next(iter(sorted((truth / "Annotations" / "480p").iterdir())))
    assert read_indexed_mask(next(iter(sorted(sequence.iterdir())))).shape == (480, 854)
    result = score_folders(sequence, sequence, DAVIS_PROPER, progress=False)
    assert result.statistics["J&F-Mean"] == 1
