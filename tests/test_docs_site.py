"""The documentation site builds without a warning, and shows every public name and every dataset."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[1]
ROLES = re.compile(r":(?:func|class|mod|meth|data|attr):`")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; as long as there is a warning there is none."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings_handlers.python")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    settings = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # the theme's notice of its successor
    ended = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    assert ended.returncode == 0 and "WARNING" not in ended.stderr, ended.stderr[-4000:]
    return out


def test_public_names_records_and_errors_are_described(site):
    page = (site / "api/index.html").read_text(encoding="utf-8")
    for name in ("api.load_system", "api.track", "api.corrupt", "api.evaluate", "types.Prompt", "errors.UserError"):
        assert f'id="robustvos.{name}"' in page


def test_every_room_has_a_page_with_its_names(site):
    rooms = {path.parent.name for path in (ROOT / "robustvos").glob("*/__init__.py")}
    assert rooms | {"callbacks", "datamodules", "lightning_modules", "index"} == {
        path.stem for path in (site / "api").glob("*.html")
    }
    assert 'id="robustvos.adapters.moga.MoGA"' in (site / "api/adapters.html").read_text(encoding="utf-8")
    assert 'id="datamodules.shapes.Shapes"' in (site / "api/datamodules.html").read_text(encoding="utf-8")


def test_every_dataset_has_a_section_with_what_its_file_says(site):
    page = (site / "datasets.html").read_text(encoding="utf-8")
    for path in (ROOT / "configs/data").glob("*.yaml"):
        assert f'<h2 id="{path.stem}">' in page
    assert "CC BY-NC-SA 4.0" in page and "(794 MB)" in page
    assert '<a href="https://henghuiding.github.io/MOSE/">' in page


def test_docstrings_are_shown_as_markdown(site):
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (site / "api").glob("*.html")}
    assert [name for name, text in pages.items() if ROLES.search(text)] == []
    assert "&gt;&gt;&gt; load_system" not in re.sub(r"<pre>.*?</pre>", "", pages["systems"], flags=re.DOTALL)
    assert 'href="evaluation.html#robustvos.evaluation.protocol"' in pages["index"]


def test_links_out_of_docs_lead_to_copies_in_the_site(site):
    page = (site / "nano.html").read_text(encoding="utf-8")
    linked = re.findall(r'href="(files/[^"]+)"', page)
    assert "files/configs/moga.yaml" in linked
    assert [link for link in linked if not (site / link).is_file()] == []
