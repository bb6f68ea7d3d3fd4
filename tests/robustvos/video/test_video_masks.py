"""Masks survive a round trip through PNGs, and what is no mask is refused with advice."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import BadMask, DataNotFound
from robustvos.video.masks import (
    masks_from_ids,
    read_binary_mask,
    read_indexed_mask,
    read_overlapping_masks,
    write_binary_mask,
    write_indexed_mask,
    write_overlapping_masks,
)
from robustvos.video.palette import davis_palette

pytestmark = pytest.mark.fast

IDS = np.array([[0, 1, 1, 0], [7, 7, 0, 255], [0, 0, 7, 255]], dtype=np.uint8)


def test_palette_is_that_of_pascal_voc() -> None:
    """Spot checks from the class colours that the challenge publishes."""
    palette = davis_palette()
    assert len(set(palette)) == 256
    assert palette[0] == (0, 0, 0)
    assert palette[6] == (0, 128, 128)
    assert palette[8] == (64, 0, 0)
    assert palette[15] == (192, 128, 128)
    assert palette[20] == (0, 64, 128)
    assert palette[255] == (224, 224, 192)


def test_ids_survive_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "with space" / "日本.png"
    write_indexed_mask(masks_from_ids(IDS, (7, 255, 1)), (7, 255, 1), path)
    assert np.array_equal(read_indexed_mask(path), IDS)
    assert os.listdir(path.parent) == [path.name]
    with Image.open(path) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image.convert("RGB")), np.array(davis_palette(), dtype=np.uint8)[IDS])


def test_masks_and_ids_are_two_views_of_one_map() -> None:
    masks = masks_from_ids(IDS, (7, 3, 1))
    assert masks.dtype == torch.bool and masks.shape == (3, 3, 4)
    for mask, object_id in zip(masks, (7, 3, 1), strict=True):
        assert np.array_equal(mask.numpy(), object_id == IDS)
    assert torch.equal(masks_from_ids(torch.from_numpy(IDS), (7, 3, 1)), masks)


def test_no_objects_write_background(tmp_path: Path) -> None:
    write_indexed_mask(torch.zeros(0, 3, 4, dtype=torch.bool), (), tmp_path / "a.png")
    assert np.array_equal(read_indexed_mask(tmp_path / "a.png"), np.zeros((3, 4)))


def test_where_masks_overlap_the_last_keeps_the_pixel(tmp_path: Path) -> None:
    masks = torch.tensor([[[True, True]], [[False, True]]])
    write_indexed_mask(masks, (1, 2), tmp_path / "a.png")
    assert read_indexed_mask(tmp_path / "a.png").tolist() == [[1, 2]]


def test_greyscale_and_one_bit_files_hold_ids_too(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "grey.png")
    assert np.array_equal(read_indexed_mask(tmp_path / "grey.png"), IDS)
    Image.fromarray(IDS == 7).save(tmp_path / "bit.png")
    assert np.array_equal(read_indexed_mask(tmp_path / "bit.png"), IDS == 7)


@pytest.mark.parametrize(
    ("mode", "said"), [("RGB", "colour"), ("RGBA", "colour"), ("LA", "alpha"), ("I;16", "16 bits")]
)
def test_masks_that_hold_no_ids_are_refused(tmp_path: Path, mode: str, said: str) -> None:
    path = tmp_path / "mask.png"
    if mode == "I;16":
        Image.fromarray(IDS.astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(IDS).convert(mode).save(path)
    for read in (read_indexed_mask, read_binary_mask):
        with pytest.raises(BadMask, match=f"8-bit palette or greyscale.*{said}.*save the ids") as caught:
            read(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match=r"nothing\.png does not exist"):
        read_indexed_mask(tmp_path / "nothing.png")
    noise = np.random.default_rng(0).integers(0, 9, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for length in (0, 20, len(whole) // 2):
        (tmp_path / "cut.png").write_bytes(whole[:length])
        with pytest.raises(BadMask, match="cannot be decoded") as caught:
            read_indexed_mask(tmp_path / "cut.png")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ids", [(0, 1), (1, 256), (3, 3), (1,), (-1, 2)])
def test_ids_that_do_not_fit_are_refused(tmp_path: Path, ids: tuple[int, ...]) -> None:
    masks = torch.zeros(2, 3, 4, dtype=torch.bool)
    with pytest.raises(BadMask, match="ids"):
        write_indexed_mask(masks, ids, tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


def test_logits_are_no_masks(tmp_path: Path) -> None:
    with pytest.raises(BadMask, match=r"bool \(O, H, W\)"):
        write_indexed_mask(torch.zeros(1, 3, 4), (1,), tmp_path / "a.png")
    with pytest.raises(BadMask, match=r"bool \(H, W\)"):
        write_binary_mask(torch.zeros(3, 4), tmp_path / "a.png")


def test_binary_mask_survives_a_round_trip(tmp_path: Path) -> None:
    mask = torch.from_numpy(IDS == 7)
    write_binary_mask(mask, tmp_path / "a.png")
    assert torch.equal(read_binary_mask(tmp_path / "a.png"), mask)
    assert set(np.unique(np.array(Image.open(tmp_path / "a.png")))) == {0, 255}


def test_binary_masks_may_be_stored_as_ones_or_softly(tmp_path: Path) -> None:
    Image.fromarray((IDS == 7).astype(np.uint8)).save(tmp_path / "ones.png")
    assert np.array_equal(read_binary_mask(tmp_path / "ones.png").numpy(), IDS == 7)
    Image.fromarray(np.array([[0, 127, 128, 255]], dtype=np.uint8)).save(tmp_path / "soft.png")
    assert read_binary_mask(tmp_path / "soft.png").tolist() == [[False, False, True, True]]


def test_overlapping_masks_survive_a_round_trip(tmp_path: Path) -> None:
    masks = torch.tensor([[[True, True, False]], [[False, True, True]]])
    write_overlapping_masks(masks, (4, 200), tmp_path / "clip", "00007")
    assert (tmp_path / "clip" / "4" / "00007.png").exists()
    assert torch.equal(read_overlapping_masks(tmp_path / "clip", (200, 4), "00007"), masks.flip(0))
    with pytest.raises(DataNotFound, match="00008"):
        read_overlapping_masks(tmp_path / "clip", (4,), "00008")
    write_binary_mask(torch.zeros(2, 2, dtype=torch.bool), tmp_path / "clip" / "4" / "00007.png")
    with pytest.raises(BadMask, match="differ in size"):
        read_overlapping_masks(tmp_path / "clip", (4, 200), "00007")
