"""Names from files are those of one file or folder on any system, or refused."""

from __future__ import annotations

import unicodedata

import pytest

from robustvos.errors import UnsafePath, UserError
from robustvos.files.names import check_distinct, check_listed, check_name, check_relative, names_on_disk

pytestmark = pytest.mark.fast

EVIL = {
    "empty": "",
    "here": ".",
    "up": "..",
    "above": "../gt",
    "amid": "a/../../gt",
    "absolute": "/data/gt",
    "backslash": "..\\gt",
    "drive": "C:gt",
    "drive path": "C:\\gt",
    "share": "\\\\host\\gt",
    "nul": "bear\0.png",
    "newline": "bear\nswan",
    "escape": "\x1b[2Jbear",
    "trailing dot": "bear.",
    "trailing space": "bear ",
    "hidden": ".bear",
    "long": "b" * 256,
    "long in bytes": "ä" * 128,
    "undecodable": "b\udce4r",
}
GOOD = ["bear", "schöne Äpfel 苹果", "KAIST_set04_V001_2.-10", "bear@fog", "cam:1", "a%03d b", "0043f083b5", "b" * 255]


@pytest.mark.parametrize("kind", EVIL)
def test_names_that_lead_elsewhere_are_refused_in_one_line(kind):
    for check in (check_name, check_relative):
        with pytest.raises(UnsafePath, match=r"^val\.txt, line 3: ") as refused:
            check(EVIL[kind], "val.txt, line 3")
        said = str(refused.value)
        assert isinstance(refused.value, UserError)
        assert len(said) < 300 and said.isprintable(), said


@pytest.mark.parametrize("name", GOOD)
def test_names_of_real_datasets_pass_unchanged(name):
    assert check_name(name, "x") == name == check_relative(name, "x")


@pytest.mark.parametrize("value", [None, 3, ["bear"], {"a": 1}])
def test_what_is_no_text_is_no_name(value):
    for check in (check_name, check_relative):
        with pytest.raises(UnsafePath, match="is no name"):
            check(value, "x.json")


def test_a_name_of_parts_is_checked_part_by_part():
    assert check_relative("fog/GOPR0476", "x") == "fog/GOPR0476"
    assert check_relative("bear/", "x") == "bear"
    for path in ("fog//GOPR", "fog/./GOPR", "fog/..", "/fog", "fog/C:x", "fog/.x"):
        with pytest.raises(UnsafePath):
            check_relative(path, "x")
    with pytest.raises(UnsafePath, match="is a path"):
        check_name("fog/GOPR0476", "x")


def test_names_that_are_one_on_other_systems_are_refused():
    composed, decomposed = (unicodedata.normalize(form, "bär") for form in ("NFC", "NFD"))
    with pytest.raises(UnsafePath, match="upper and lower case"):
        check_distinct(["bear", "swan", "Bear"], "data")
    with pytest.raises(UnsafePath, match="form of their accents"):
        check_distinct([composed, decomposed], "data")
    check_distinct(["bear", "bear2", composed], "data")


def test_names_found_on_disk_may_be_odd_but_not_unreadable():
    check_listed(["walk.", " x ", "..."], "data")
    for name in ("a\nb", "a\\b", "b\udce4r"):
        with pytest.raises(UnsafePath, match="rename it"):
            check_listed([name], "data")


def test_accents_are_matched_to_the_folder_however_they_are_composed(tmp_path):
    decomposed = unicodedata.normalize("NFD", "bär")
    (tmp_path / decomposed).mkdir()
    (tmp_path / "swan").mkdir()
    found = names_on_disk([unicodedata.normalize("NFC", "bär"), "swan", "größe"], tmp_path)
    assert (tmp_path / found[0]).is_dir() and found[1:] == ["swan", "größe"]
    assert names_on_disk(["größe"], tmp_path / "nowhere") == ["größe"]
