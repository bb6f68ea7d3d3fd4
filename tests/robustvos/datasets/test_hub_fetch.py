"""``hf://owner/name``: huggingface_hub itself fetches from a stand-in of the Hub's HTTP interface on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from robustvos.datasets.published_sets import PUBLISHED
from robustvos.video.native_writer import write_native_clip

from .hub_stand_in import hub_of

ROOT = Path(__file__).resolve().parents[3]
CARD = PUBLISHED["realvas"]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """Two clips below ``data/``, as a repository may hold them."""
    folder = tmp_path_factory.mktemp("published")
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[:, 4:12, 4:12] = True
    for name in ("a", "b"):
        frames = torch.full((2, 3, 16, 16), 90, dtype=torch.uint8)
        write_native_clip(folder / "data" / name, frames, masks, masks, category="occlusion")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    return folder


FETCH = """
import sys
from robustvos.datasets.amodal.hub_fetch import fetch
from robustvos.errors import UserError
try:
    print(fetch(sys.argv[1]))
except UserError as error:
    sys.exit(f"error: {error}")
"""


def run(words: list[str], home: Path, endpoint: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: huggingface_hub reads the address of the Hub once, on import."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **more}
    environment |= {"ROBUSTVOS_CACHE": str(home / "cache"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_set_is_named_fetched_read_and_kept(published, tmp_path):
    address = f"hf://{CARD.hub}"
    with hub_of(published, CARD.hub) as endpoint:
        first = run(["cli.py", "inspect", "--data", "realvas", "--data.root", address], tmp_path, endpoint)
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    files = [path for path in published.rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    assert lines[0] == (
        f"{address}: {len(files)} files, {megabytes:.1f} MB, licence cc-by-nc-4.0; fetching what is not here yet"
    )
    assert "for a native tree" in lines[1]
    assert next(line for line in lines if line.startswith("all")).split() == ["all", "2", "4", "2", "4"]
    # The stand-in is gone: what was fetched is taken from the Hub's cache.
    again = run(["-c", FETCH, address], tmp_path, endpoint, HF_HUB_OFFLINE="1")
    assert again.returncode == 0, again.stderr
    told, folder = again.stdout.splitlines()
    assert "taken as it was fetched before" in told
    kept = {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
    assert kept == {path.relative_to(published): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("repository", "gated", "words"),
    [
        (CARD.hub, True, "its terms are to be accepted on its page first"),
        ("nobody/nothing", False, "the Hub knows no such dataset; check the name"),
    ],
)
def test_refusals_are_one_line(repository, gated, words, published, tmp_path):
    with hub_of(published, CARD.hub, gated=gated) as endpoint:
        answer = run(["-c", FETCH, f"hf://{repository}"], tmp_path, endpoint)
    (line,) = answer.stderr.strip().splitlines()
    assert answer.returncode == 1
    assert line.startswith(f"error: could not fetch hf://{repository}") and words in line
    assert (CARD.licence in line) == (repository == CARD.hub)


def test_without_a_network_one_line_says_what_the_set_is(tmp_path):
    answer = run(["-c", FETCH, f"hf://{CARD.hub}"], tmp_path, "http://127.0.0.1:9")
    (line,) = answer.stderr.strip().splitlines()
    assert answer.returncode == 1
    for said in (CARD.hub, CARD.paper, CARD.licence, "no way to the Hub", "--data.root FOLDER"):
        assert said in line


def test_configuration_docs_and_messages_say_the_same_of_the_released_set():
    config = (ROOT / "configs/data/realvas.yaml").read_text()
    pages = [config, *((ROOT / page).read_text() for page in ("README.md", "docs/amodal.md"))]
    for text in pages:
        for said in (CARD.hub, CARD.paper.replace("arXiv ", ""), CARD.licence.partition(",")[0]):
            assert said in text
    assert yaml.safe_load(config)["init_args"]["root"] is None
    assert CARD.where.endswith(CARD.hub)
