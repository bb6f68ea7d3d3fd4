"""Laws of the page: complete in itself, everything on it, nothing of another's markup."""

from __future__ import annotations

import base64
import io
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from robustvos.errors import DataNotFound, UserError
from robustvos.report.page import build_report

pytestmark = pytest.mark.fast

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """Tags with attributes, all text, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


SYSTEMS = ("sam2", "moga", "restored_urie")


@pytest.fixture
def runs(write_run, write_strip, tmp_path):
    for k, system in enumerate(SYSTEMS):
        scores = {
            (clip, f"corruption={c}"): (0.4 + i / 10 + k / 50,) * 3
            for i, clip in enumerate("abc")
            for c in ("clean", "fog")
        }
        path = write_run(system, scores, metrics=("J&F", "J", "F"), command="python cli.py test --model moga")
        write_strip(path, "fog/a", "fog")
        write_strip(path, "clean/a", "clean")
    gates = path.parent / "figures" / "gates"
    gates.mkdir()
    Image.new("RGB", (40, 30), "white").save(gates / "a.png")
    return tmp_path / "runs"


@pytest.fixture
def page(runs, tmp_path) -> Page:
    return Page(build_report([runs], tmp_path / "out", title="Fog <& rain>").read_text(encoding="utf-8"))


def test_markup_is_well_formed_and_ids_are_unique(page):
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for tag, a in page.tags if tag == "a" and a["href"].startswith("#")]
    assert set(targets) <= set(ids)


def test_page_needs_no_network_and_no_file(page):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe")
        for name in ("src", "href", "srcset", "action", "poster"):
            value = attributes.get(name) or "#"
            assert value.startswith(("data:image/", "#")) or value in ("tables.csv", "tables.md", "tables.tex")
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_every_image_is_a_whole_picture_with_a_description(page):
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 2 * (1 + len(SYSTEMS)) + 1
    for attributes in images:
        head, body = attributes["src"].split(",", 1)
        assert head.startswith("data:image/")
        Image.open(io.BytesIO(base64.b64decode(body))).load()
        assert attributes["alt"]


def test_every_system_figure_and_file_is_named(page):
    for system in SYSTEMS:
        assert page.text.count(system) >= 3
    assert "50.0" in page.text
    assert "+2.0" in page.text
    assert "python cli.py test --model moga" in page.text
    assert "robustvos 0.1.0" in page.text
    assert "1.09 M / 2 M" in page.text


def test_text_of_others_is_escaped(page):
    assert "Fog <& rain>" in page.text


def test_tables_lie_beside_the_page_and_nothing_half_written(runs, tmp_path):
    index = build_report([runs], tmp_path / "out")
    files = {"index.html", "tables.md", "tables.tex", "tables.csv"}
    assert {p.name for p in index.parent.iterdir()} == {*files, "strips"}
    (section,) = (index.parent / "strips").iterdir()
    assert {p.name for p in section.iterdir()} == {"clean.png", "fog.png"}


def test_runs_without_strips_leave_no_pictures(runs, tmp_path):
    for system in SYSTEMS:
        shutil.rmtree(runs / system / "figures")
    index = build_report([runs], tmp_path / "out")
    assert not (index.parent / "strips").exists()
    assert "What it looks like" not in index.read_text(encoding="utf-8")


def test_systems_stand_under_the_truth_with_their_score_on_the_clip(runs, tmp_path):
    for system in SYSTEMS:
        strips = runs / system / "figures" / "strips"
        (strips / "fog" / "a").rename(strips / "a@fog")
    index = build_report([runs], tmp_path / "out")
    text = Page(index.read_text(encoding="utf-8")).text
    assert "J&F 40.0" in text  # sam2 on clip a
    assert "J&F 44.0" in text  # restored_urie, the third
    picture = np.array(Image.open(next(index.parent.glob("strips/*/fog.png"))))
    strip = np.array(Image.open(runs / "sam2" / "figures" / "strips" / "a@fog" / "truth.png"))
    corners = np.argwhere((picture == strip[0, 0]).all(-1))
    places = [(y, x) for y, x in corners if np.array_equal(picture[y : y + 32, x : x + 96], strip)]
    assert len(places) == 1 + len(SYSTEMS)
    assert len({x for _, x in places}) == 1


def test_strips_of_other_frames_are_not_set_beside_each_other(runs, tmp_path):
    facts = runs / "moga" / "figures" / "strips" / "fog" / "a" / "strip.json"
    facts.write_text('{"corruption": "fog", "frames": [0, 9], "object_ids": [1]}', encoding="utf-8")
    page = Page(build_report([runs], tmp_path / "out").read_text(encoding="utf-8"))
    shown = [a["alt"] for tag, a in page.tags if tag == "img" and "under fog" in a["alt"]]
    assert len(shown) == 1 + 2 and not any("moga" in text for text in shown)


def test_equal_runs_give_equal_pages(runs, tmp_path):
    first = build_report([runs], tmp_path / "one").read_bytes()
    assert build_report([runs], tmp_path / "two").read_bytes() == first


def test_results_file_alone_is_enough(runs, tmp_path):
    page = Page(build_report([runs / "moga" / "results.json"], tmp_path / "out").read_text(encoding="utf-8"))
    assert "moga" in page.text
    assert "restored_urie" not in page.text
    assert (
        "None yet: they need sam2 and another system, tested on the same base with exactly the settings above."
        in page.text
    )


def test_no_results_says_where_it_looked(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFound, match="empty"):
        build_report([tmp_path / "empty"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_broken_picture_is_named(runs, tmp_path):
    broken = runs / "moga" / "figures" / "strips" / "fog" / "a" / "prediction.png"
    broken.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"prediction\.png"):
        build_report([runs], tmp_path / "out")
