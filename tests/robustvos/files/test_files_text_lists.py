"""Lists of names as editors on Windows, macOS and Linux save them."""

from __future__ import annotations

import unicodedata

import pytest

from robustvos.errors import DataNotFound, UnsafePath
from robustvos.files.text_lists import read_names, read_text

pytestmark = pytest.mark.fast

NAMES = ["bär 1", "swan", "größe"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_and_end_of_line_is_read(tmp_path, encoding, end):
    path = tmp_path / "val.txt"
    path.write_bytes(end.join(["", *NAMES, "", ""]).encode(encoding))
    assert read_names(path) == NAMES


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_with_a_mark_in_either_order(tmp_path, mark):
    path = tmp_path / "val.txt"
    path.write_bytes(mark + "苹果\nbear\n".encode("utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"))
    assert read_names(path) == ["苹果", "bear"]


def test_a_name_counts_once_however_its_accents_are_composed(tmp_path):
    path = tmp_path / "val.txt"
    path.write_text("\n".join(["bear", "bär", "swan", "bear", unicodedata.normalize("NFD", "bär")]), encoding="utf-8")
    assert read_names(path) == ["bear", "bär", "swan"]


def test_spaces_and_invisible_marks_around_names_are_no_part_of_them(tmp_path):
    path = tmp_path / "val.txt"
    path.write_text("\ufeff bear\t\n\u200bswan \u00a0\n", encoding="utf-8")
    assert read_names(path) == ["bear", "swan"]


BINARY = {
    "picture": bytes(range(256)),
    "odd utf-16": b"\xff\xfe\x00one",
    "half a letter": b"\xff\xfeb\0e",
    "wrong mark": b"\xef\xbb\xbf\xff\xff",
    "zeros": b"\0\0\0\0",
}


@pytest.mark.parametrize("kind", BINARY)
def test_what_is_no_text_is_one_line(tmp_path, kind):
    path = tmp_path / "val.txt"
    path.write_bytes(BINARY[kind])
    with pytest.raises(DataNotFound, match=r"val\.txt is not readable as text \(.+\); expected one name a line"):
        read_names(path)
    with pytest.raises(ValueError):
        read_text(path)


def test_an_empty_list_and_a_missing_one_are_one_line(tmp_path):
    (tmp_path / "val.txt").write_text(" \n\n")
    with pytest.raises(DataNotFound, match="names no video"):
        read_names(tmp_path / "val.txt", "video")
    with pytest.raises(DataNotFound, match="No such file"):
        read_names(tmp_path / "none.txt")


def test_the_line_that_leads_elsewhere_is_named(tmp_path):
    path = tmp_path / "val.txt"
    path.write_bytes("\r\nbear\r\n/data/gt\r\n".encode("utf-16"))
    with pytest.raises(UnsafePath, match=r"val\.txt, line 3: '/data/gt' is an absolute path"):
        read_names(path)
