"""Datasets in DAVIS's layout are found whole, and half-copied ones are told apart from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import DataNotFound
from robustvos.video.annotations import AnnotatedMasks
from robustvos.video.layouts import find_sequences

pytestmark = pytest.mark.fast


def image(path: Path, ids: list[list[int]] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.array(ids if ids is not None else [[0, 0, 0], [0, 0, 0]], dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def dataset(root: Path, middle: str = "") -> Path:
    """Two videos: all frames of ``boat`` are annotated, two of three frames of ``air plane`` are."""
    for video, count in (("boat", 2), ("air plane", 3)):
        for t in range(count):
            image(root / "JPEGImages" / middle / video / f"{t:05d}.jpg")
    for t in range(2):
        image(root / "Annotations" / middle / "boat" / f"{t:05d}.png", [[0, 1, 1], [0, 0, 0]])
    image(root / "Annotations" / middle / "air plane" / "00000.png", [[0, 4, 4], [255, 0, 0]])
    image(root / "Annotations" / middle / "air plane" / "00002.png", [[0, 4, 2], [0, 2, 255]])
    return root


@pytest.mark.parametrize("middle", ["", "480p"])
def test_videos_are_found_with_or_without_a_resolution_folder(tmp_path: Path, middle: str) -> None:
    plane, boat = find_sequences(dataset(tmp_path, middle))
    assert (plane.name, boat.name) == ("air plane", "boat")
    assert plane.frame_names == ("00000", "00001", "00002")
    assert [path and path.name for path in plane.annotation_paths] == ["00000.png", None, "00002.png"]
    assert len(plane.open_frames()) == 3 and plane.open_frames().size == (2, 3)


def test_image_set_limits_and_orders_the_videos(tmp_path: Path) -> None:
    dataset(tmp_path)
    (tmp_path / "ImageSets" / "2017").mkdir(parents=True)
    (tmp_path / "ImageSets" / "2017" / "val.txt").write_text("boat\nair plane\n")
    assert [record.name for record in find_sequences(tmp_path, image_set="2017/val.txt")] == ["boat", "air plane"]
    (tmp_path / "mine.txt").write_text("boat\nzebra\nyak\n")
    with pytest.raises(DataNotFound, match=r"3 video folders .* 2 are missing: zebra, yak; .*copy the dataset again"):
        find_sequences(tmp_path, image_set="mine.txt")
    with pytest.raises(DataNotFound, match=r"image set not found: looked for .*ImageSets"):
        find_sequences(tmp_path, image_set="2018/val.txt")


def test_masks_are_read_lazily_by_id(tmp_path: Path) -> None:
    plane, _ = find_sequences(dataset(tmp_path))
    masks = AnnotatedMasks(plane.annotation_paths, (2, 4))
    assert len(masks) == 3 and masks[1] is None and masks.void(1) is None
    last, void = masks[-1], masks.void(2)
    assert last is not None and last.dtype == torch.bool
    assert last.int().tolist() == [[[0, 0, 1], [0, 1, 0]], [[0, 1, 0], [0, 0, 0]]]
    assert void is not None and void.int().tolist() == [[0, 0, 0], [0, 0, 1]]
    # Nothing was read before it was asked for.
    plane.annotation_paths[0].unlink()  # type: ignore[union-attr]
    with pytest.raises(DataNotFound, match="00000"):
        masks[0]


def test_videos_without_annotations_are_an_error(tmp_path: Path) -> None:
    dataset(tmp_path)
    image(tmp_path / "JPEGImages" / "cat" / "00000.jpg")
    with pytest.raises(DataNotFound, match=r"looked for annotations \(\.png\) in .*cat, found none"):
        find_sequences(tmp_path)


def test_missing_folders_say_what_was_looked_for_and_found(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match=r"looked for .*JPEGImages, but the root does not exist"):
        find_sequences(tmp_path / "nowhere")
    (tmp_path / "train").mkdir()
    with pytest.raises(DataNotFound, match="the root holds train; give the folder that holds JPEGImages"):
        find_sequences(tmp_path)
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(DataNotFound, match=r"looked for .*Annotations"):
        find_sequences(tmp_path)
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(DataNotFound, match="holds no video folder"):
        find_sequences(tmp_path)


def test_half_copied_videos_are_told(tmp_path: Path) -> None:
    dataset(tmp_path)
    (tmp_path / "JPEGImages" / "boat" / "00001.jpg").unlink()
    with pytest.raises(DataNotFound, match=r"annotates 2 frames, 1 of which are not among the 1 in .*boat: 00001"):
        find_sequences(tmp_path)
    (tmp_path / "JPEGImages" / "boat" / "00000.jpg").unlink()
    with pytest.raises(DataNotFound, match=r"looked for frames in .*boat, found none"):
        find_sequences(tmp_path)
