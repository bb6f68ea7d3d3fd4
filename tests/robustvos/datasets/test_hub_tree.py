"""One set of masks in every arrangement that a Hub dataset may have: each reading gives the same masks."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.datasets.amodal.hub_fetch import fetch
from robustvos.datasets.amodal.hub_tree import native_root
from robustvos.errors import BadMask, DataNotFound, UnknownName
from robustvos.video.native import find_native_clips
from robustvos.video.native_writer import write_native_clip
from robustvos.video.writer import VideoWriter

COUNT, SIZE = 3, 32
ROLES = {"frames": "frames", "gt_masks": "gt_masks", "visible_masks": "visible_masks"}


@pytest.fixture
def native(tmp_path) -> Path:
    amodal = torch.zeros(COUNT, SIZE, SIZE, dtype=torch.bool)
    for t in range(COUNT):
        amodal[t, 8:24, 4 + 4 * t : 20 + 4 * t] = True
    modal = amodal.clone()
    modal[1:, 16:] = False
    frames = torch.full((COUNT, 3, SIZE, SIZE), 90, dtype=torch.uint8)
    for name in ("a", "b"):
        write_native_clip(tmp_path / "native" / name, frames, modal, amodal, category="mobile")
    return tmp_path / "native"


def files(clip: Path, folder: str) -> list[Path]:
    return sorted((clip / folder).iterdir())


def cell(path: Path) -> dict[str, object]:
    return {"bytes": path.read_bytes(), "path": path.name}


def parquet_of_frames(native: Path, root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"clip_name": clip.name, "frame_index": t, "category": "mobile", "image": cell(files(clip, "frames")[t])}
        | {"amodal_mask": cell(files(clip, "gt_masks")[t]), "modal_mask": cell(files(clip, "visible_masks")[t])}
        for t in reversed(range(COUNT))
        for clip in sorted(native.iterdir())
    ]
    root.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), root / "test-00000-of-00001.parquet")


def parquet_of_clips(native: Path, root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"id": clip.name, **{folder: [cell(f) for f in files(clip, folder)] for folder in ROLES}, "category": "mobile"}
        for clip in sorted(native.iterdir())
    ]
    root.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), root / "train.parquet")


def imagefolder(native: Path, root: Path) -> None:
    shutil.copytree(native, root / "flat")
    lines = []
    for clip in sorted((root / "flat").iterdir()):
        for folder in ROLES:
            (clip / folder).rename(clip / f"x_{folder}")
        for t in range(COUNT):
            names = {c: f"{clip.name}/x_{f}/{t:05d}.png" for c, f in (("gt", "gt_masks"), ("visible", "visible_masks"))}
            row = {"file_name": f"{clip.name}/x_frames/{t:05d}.jpg", **names, "clip": clip.name, "category": "mobile"}
            lines.append(json.dumps(row))
    (root / "flat" / "metadata.jsonl").write_text("\n".join(lines) + "\n")


def videofolder(native: Path, root: Path) -> None:
    lines = ["file_name,amodal,visible,clip,category"]
    for clip in sorted(native.iterdir()):
        for folder in ROLES:
            with VideoWriter(root / f"{clip.name}_{folder}.mp4", fps=8, quality=0) as writer:
                for file in files(clip, folder):
                    pixels = np.array(Image.open(file).convert("RGB"))
                    writer.add(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
        lines.append(",".join([*(f"{clip.name}_{folder}.mp4" for folder in ROLES), clip.name, "mobile"]))
    (root / "metadata.csv").write_text("\n".join(lines) + "\n")


def nested(native: Path, root: Path) -> None:
    shutil.copytree(native, root / "data")


@pytest.mark.parametrize("arrange", [parquet_of_frames, parquet_of_clips, imagefolder, videofolder, nested])
def test_every_arrangement_gives_the_same_masks(arrange, native, tmp_path):
    arrange(native, tmp_path / "hub")
    root, taken = native_root(tmp_path / "hub", tmp_path / "cache")
    assert taken.startswith("took ")
    assert native_root(tmp_path / "hub", tmp_path / "cache") == (root, taken)  # from the cache
    for read, true in zip(find_native_clips(root), find_native_clips(native), strict=True):
        assert (read.name, read.category, len(read.frames)) == (true.name, "mobile", COUNT)
        for t in range(COUNT):
            assert torch.equal(read.amodal[t], true.amodal[t])
            assert torch.equal(read.modal[t], true.modal[t])


def test_unknown_columns_are_named_and_can_be_told(native, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    clip = native / "a"
    row = {"one": cell(files(clip, "frames")[0]), "two": cell(files(clip, "gt_masks")[0]), "visible": None}
    row["visible"] = cell(files(clip, "visible_masks")[0])
    (tmp_path / "hub").mkdir()
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "hub" / "x.parquet")
    with pytest.raises(
        DataNotFound, match="no column was taken for frame, amodal; it has one, two, visible; say which"
    ):
        native_root(tmp_path / "hub", tmp_path / "cache")
    with pytest.raises(UnknownName, match="unknown column of .* 'too'; did you mean 'two'"):
        native_root(tmp_path / "hub", tmp_path / "cache", {"frame": "one", "amodal": "too"})
    root, _ = native_root(tmp_path / "hub", tmp_path / "cache", {"frame": "one", "amodal": "two"})
    assert [c.name for c in find_native_clips(root)] == ["00000"]


def test_soft_masks_and_no_network(native, tmp_path, monkeypatch):
    imagefolder(native, tmp_path / "hub")
    soft = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (SIZE, 1))
    data = io.BytesIO()
    Image.fromarray(soft).save(data, "PNG")
    (tmp_path / "hub/flat/a/x_gt_masks/00001.png").write_bytes(data.getvalue())
    with pytest.raises(BadMask, match=r"row 1, frame 1: the amodal mask is soft"):
        native_root(tmp_path / "hub", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("unpacked*"))
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataNotFound, match="could not fetch hf://nobody/nothing"):
        fetch("hf:/nobody/nothing")


def as_colour(colour: tuple[int, int, int]):
    return lambda values: np.where(values[..., None] > 0, np.uint8(colour), np.uint8(0))


@pytest.mark.parametrize(
    "drawn",
    [as_colour((255, 0, 0)), as_colour((0, 0, 255)), as_colour((0, 0, 2)), lambda values: values // 255],
    ids=["red", "blue", "dark", "ones"],
)
def test_masks_in_any_colour_hold_the_object(drawn, native, tmp_path):
    imagefolder(native, tmp_path / "hub")
    for folder in ("x_gt_masks", "x_visible_masks"):
        for file in (tmp_path / "hub/flat").glob(f"*/{folder}/*.png"):
            Image.fromarray(drawn(np.array(Image.open(file)))).save(file)
    root, _ = native_root(tmp_path / "hub", tmp_path / "cache")
    for read, true in zip(find_native_clips(root), find_native_clips(native), strict=True):
        assert all(torch.equal(read.amodal[t], true.amodal[t]) for t in range(COUNT))
        assert all(torch.equal(read.modal[t], true.modal[t]) for t in range(COUNT))


def test_masks_of_a_video_may_be_of_a_colour_too(native, tmp_path):
    for file in native.glob("*/*_masks/*.png"):  # a video is written of their colours
        Image.fromarray(as_colour((255, 0, 0))(np.array(Image.open(file)))).save(file)
    videofolder(native, tmp_path / "hub")
    root, _ = native_root(tmp_path / "hub", tmp_path / "cache")
    for clip in find_native_clips(root):
        expected = [np.array(Image.open(file)).any(2) for file in files(native / clip.name, "gt_masks")]
        assert all(np.array_equal(clip.amodal[t][0].numpy(), expected[t]) for t in range(COUNT))


def test_grey_masks_without_white_are_refused_with_their_values(native, tmp_path):
    imagefolder(native, tmp_path / "hub")
    for file in (tmp_path / "hub/flat").glob("*/x_gt_masks/*.png"):
        Image.fromarray(np.array(Image.open(file)) // 255 * np.uint8(2)).save(file)
    with pytest.raises(
        BadMask, match=r"row 0, frame 0: the amodal mask: a grey mask whose values are 0, 2, none of them"
    ):
        native_root(tmp_path / "hub", tmp_path / "cache")


def of_two_objects(root: Path, **changed: object) -> None:
    """Rows of one video and two objects, ``a`` and ``b``."""
    rows = [json.loads(line) for line in (root / "flat/metadata.jsonl").read_text().splitlines()]
    lines = [{**row, "object_id": row["clip"], "clip": "street", **changed} for row in rows]
    (root / "flat/metadata.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")


def test_rows_of_two_objects_of_one_video_are_told_apart_or_refused(native, tmp_path):
    imagefolder(native, tmp_path / "hub")
    lines = (tmp_path / "hub/flat/metadata.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "frame_index": n % COUNT} for n, line in enumerate(lines)]
    (tmp_path / "hub/flat/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    of_two_objects(tmp_path / "hub")
    with pytest.raises(DataNotFound, match=r"row 0 and .*row 3 both give clip street, frame 0 .*'\{object: COLUMN\}'"):
        native_root(tmp_path / "hub", tmp_path / "cache")
    root, _ = native_root(tmp_path / "hub", tmp_path / "cache", {"object": "object_id"})
    read = find_native_clips(root)
    assert [(clip.name, len(clip.frames)) for clip in read] == [("street_a", COUNT), ("street_b", COUNT)]
    assert torch.equal(read[1].amodal[2], find_native_clips(native)[1].amodal[2])


def test_one_file_in_two_rows_of_a_clip_is_refused(native, tmp_path):
    imagefolder(native, tmp_path / "hub")
    of_two_objects(tmp_path / "hub", file_name="a/x_frames/00000.jpg")
    with pytest.raises(DataNotFound, match=r"row 0 and .*row 1 both give clip street, frame a/x_frames/00000.jpg"):
        native_root(tmp_path / "hub", tmp_path / "cache")


def test_two_rows_that_hold_whole_clips_of_one_name_are_refused(native, tmp_path):
    import pyarrow.parquet as pq

    parquet_of_clips(native, tmp_path / "hub")
    table = pq.read_table(tmp_path / "hub/train.parquet")
    same = table.set_column(table.schema.get_field_index("id"), "id", [["a"] * len(table)])
    pq.write_table(same, tmp_path / "hub/train.parquet")
    with pytest.raises(DataNotFound, match=r"row 0 and .*row 1 both give clip a, frame 0"):
        native_root(tmp_path / "hub", tmp_path / "cache")


def test_rows_whose_masks_are_fewer_than_their_frames_are_counted(native, tmp_path):
    videofolder(native, tmp_path / "hub")
    with VideoWriter(tmp_path / "hub/b_gt_masks.mp4", fps=8, quality=0) as writer:
        writer.add(torch.zeros(3, SIZE, SIZE, dtype=torch.uint8))
    said = rf"row 1 \(b\): {COUNT} of file_name, 1 of amodal, {COUNT} of visible; every frame needs both masks"
    with pytest.raises(DataNotFound, match=said):
        native_root(tmp_path / "hub", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("unpacked*"))
