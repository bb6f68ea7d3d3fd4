"""Clips that were made are judged, published and tested, each command naming the next."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from robustvos.commands.realvas import main
from robustvos.evaluation.results import load_result
from robustvos.reviewing.clips import clips_of
from robustvos.reviewing.verdicts import Verdict, VerdictFile

ROOT = Path(__file__).resolve().parents[3]


def words_after(said: str) -> list[str]:
    """Those of the last line's command."""
    last = said.rstrip().splitlines()[-1]
    assert last.startswith("next: python cli.py "), last
    return shlex.split(last.removeprefix("next: python cli.py "))


def test_clips_lead_to_their_review(run, capsys):
    main(["realvas", "funnel", "--out", str(run)])
    assert words_after(capsys.readouterr().out) == ["review", str(run)]


def test_a_review_leads_to_publishing_and_that_to_a_test(run, capsys):
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    pytest.importorskip("mlcroissant")
    command = [sys.executable, str(ROOT / "cli.py"), "review", str(run), "--port", "0", "--open", "false"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as page:
        assert "open http" in page.stdout.readline()
        page.send_signal(signal.SIGINT)
        said, _ = page.communicate(timeout=300)
    assert page.returncode == 0 and f"verdicts: {run / 'reviews'}" in said
    words = words_after(said)
    assert words == ["realvas", "publish", str(run)]
    main(words)
    words = words_after(capsys.readouterr().out)
    assert words[0] == "test"
    quick = ["--model", "sam2", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--run", "r"]
    before = Path.cwd()
    os.chdir(run.parent)
    try:
        assert cli.main([*words, *quick]) == 0
    finally:
        os.chdir(before)
    words = words_after(capsys.readouterr().out)
    assert words[0] == "report"
    tested = load_result(run.parent / words[1] / "results.json")
    assert {record.video for record in tested.objects} == {"street.0", "street.1"}  # street.2 waits for a review


def test_agreement_leads_to_publishing(run, capsys):
    main(["realvas", "reviews", str(run)])
    assert words_after(capsys.readouterr().out) == ["realvas", "publish", str(run)]


def test_clips_that_all_wait_for_a_review_lead_to_it_and_not_to_publishing(run, capsys):
    prints = {clip.key: clip.fingerprint for clip in clips_of(run)}
    for key in ("street.0", "street.1"):
        VerdictFile(run, "anna").add(Verdict(key, prints[key], "flag"))
    main(["realvas", "reviews", str(run)])
    assert words_after(capsys.readouterr().out) == ["review", str(run)]
    VerdictFile(run, "anna").add(Verdict("street.2", prints["street.2"], "fail", "on top"))
    main(["realvas", "reviews", str(run)])
    assert words_after(capsys.readouterr().out) == ["realvas", "funnel", "--out", str(run)]
