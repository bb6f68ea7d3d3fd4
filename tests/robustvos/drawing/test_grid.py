"""Laws of labelled grids: every picture whole, in its place, and nothing written over it."""

from __future__ import annotations

import pytest
import torch

from robustvos.drawing.grid import GridRow, labelled_grid

pytestmark = pytest.mark.fast


def image(colour: tuple[int, int, int], height: int = 60, width: int = 90) -> torch.Tensor:
    return torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, height, width).contiguous()


COLOURS = [[(200, 0, 0), (0, 200, 0), (0, 0, 200)], [(200, 200, 0), (0, 200, 200), (200, 0, 200)]]


def box_of(grid: torch.Tensor, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the pixels of a colour; fails if any pixel inside is another."""
    same = (grid == torch.tensor(colour, dtype=torch.uint8)[:, None, None]).all(0)
    ys, xs = torch.where(same)
    box = int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1
    assert same[box[0] : box[2], box[1] : box[3]].all()
    return box


def test_pictures_stand_whole_in_rows_and_columns():
    rows = [GridRow(name, [image(c) for c in colours], "a note") for name, colours in zip("ab", COLOURS, strict=True)]
    grid = labelled_grid(rows, ["one", "two", "three"], "title")
    boxes = [[box_of(grid, c) for c in colours] for colours in COLOURS]
    assert all((b[2] - b[0], b[3] - b[1]) == (60, 90) for row in boxes for b in row)
    for row in boxes:
        assert len({b[0] for b in row}) == 1
        assert row[0][3] < row[1][1] and row[1][3] < row[2][1]
    assert [b[1] for b in boxes[0]] == [b[1] for b in boxes[1]]
    assert boxes[0][0][2] < boxes[1][0][0]


def test_names_headings_and_title_are_written_beside_the_pictures():
    plain = labelled_grid([GridRow("", [image((200, 0, 0))])])
    assert plain.shape[-2:] == (60, plain.shape[-1])
    named = labelled_grid([GridRow("a long name", [image((200, 0, 0))])], ["heading"], "title")
    top, left, _, _ = box_of(named, (200, 0, 0))
    assert (named[:, top:, :left] < 128).any()  # the name
    assert (named[:, :top, left:] < 160).any()  # the heading
    assert (named[:, :top, :left] < 128).any()  # the title


def test_long_title_and_empty_places_fit():
    grid = labelled_grid([GridRow("a", [image((200, 0, 0)), None])], title="many words " * 12)
    assert (grid[:, :, -40:] < 128).any()  # the last word is not cut off
    box_of(grid, (200, 0, 0))


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [GridRow("a", [None])],
        [GridRow("a", [image((1, 2, 3))]), GridRow("b", [])],
        [GridRow("a", [image((1, 2, 3)), image((1, 2, 3), height=61)])],
    ],
)
def test_ragged_grids_are_refused(rows):
    with pytest.raises(ValueError, match="one length"):
        labelled_grid(rows)
