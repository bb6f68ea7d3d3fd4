"""Verdicts on disk, order, controls, agreement."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from robustvos.errors import UserError
from robustvos.reviewing.agreement import agreement_of, cohens_kappa
from robustvos.reviewing.clips import clips_of
from robustvos.reviewing.controls import FAULTS, masks_of
from robustvos.reviewing.order import blind_order
from robustvos.reviewing.verdicts import Verdict, VerdictFile, read_reviews
from robustvos.video.native import find_native_clips

pytestmark = pytest.mark.fast


def test_a_verdict_is_there_after_the_reviewer_is_killed(tmp_path):
    """The child judges and is killed at once; a half-written line that a kill may leave is passed over, too."""
    code = f"""
import os, signal
from robustvos.reviewing.verdicts import Verdict, VerdictFile
VerdictFile({str(tmp_path)!r}, "anna").add(Verdict("a", "f", "fail", "on top", "note\\nwith lines", 1.5))
os.kill(os.getpid(), signal.SIGKILL)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    held = VerdictFile(tmp_path, "anna")
    with held.manifest.path.open("ab") as file:
        file.write(b'{"key": "b", "deci')
    assert held.read() == {"a": Verdict("a", "f", "fail", "on top", "note\nwith lines", 1.5)}
    held.add(Verdict("b", "f", "pass"))
    held.add(Verdict("a", "f", "pass"))
    assert [v.decision for v in held.read().values()] == ["pass", "pass"]
    assert len(held.manifest.path.read_text().splitlines()) == 3, "nothing is taken away"


def test_bad_names_and_verdicts_are_refused(tmp_path):
    for name in ("../anna", "", ".x", "a/b"):
        with pytest.raises(UserError, match="--reviewer"):
            VerdictFile(tmp_path, name)
    with pytest.raises(UserError, match="no reason to fail"):
        Verdict("a", "f", "fail", "ugly")
    assert read_reviews(tmp_path) == {}


def test_order_is_blind_seeded_and_differs_between_reviewers(run):
    anna, ben = (blind_order(run, name, seed=3, controls=2) for name in ("anna", "ben"))
    assert [s.token for s in anna] == [s.token for s in blind_order(run, "anna", seed=3, controls=2)]
    assert {s.key for s in anna} == {s.key for s in ben} and not {s.token for s in anna} & {s.token for s in ben}
    assert sum(bool(s.fault) for s in anna) == 2
    assert all(s.key not in s.token and s.fault not in s.token for s in anna if s.fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_control_is_visibly_wrong(run, fault):
    (clip,) = find_native_clips(run / "composite", ["street.0"])
    worst = 1.0
    for t in range(len(clip.frames)):
        (true, _), (wrong, modal) = masks_of(clip, t), masks_of(clip, t, fault)
        assert wrong.shape == true.shape and not (modal & ~wrong).any()
        worst = min(worst, (true & wrong).sum() / max(1, (true | wrong).sum()))
    assert worst < 0.65


def test_agreement_and_recall_of_controls(run):
    shown = {s.key: s for s in blind_order(run, "anna", seed=0, controls=2)}
    decisions = {"anna": ["pass", "fail", "pass"], "ben": ["pass", "fail", "fail"]}
    for name, said in decisions.items():
        file = VerdictFile(run, name)
        for clip, decision in zip(clips_of(run), said, strict=True):
            file.add(Verdict(clip.key, clip.fingerprint, decision, "on top" if decision == "fail" else "", "", 2.0))
    first, second = (s for s in shown.values() if s.fault)
    VerdictFile(run, "anna").add(Verdict(first.key, first.fingerprint, "fail", "truth not to be trusted", "", 8.0))
    VerdictFile(run, "anna").add(Verdict(second.key, second.fingerprint, "pass", "", "", 8.0))
    found = agreement_of(run)
    anna = found.reviewers["anna"]
    assert (anna.judged, anna.controls, anna.noticed, anna.recall) == (3, 2, 1, 0.5)
    assert anna.median_seconds == 2.0 and found.reasons == {"on top": 3}
    pair = found.pairs["anna", "ben"]
    assert (pair.clips, pair.agreed) == (3, 2)
    assert pair.kappa == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))
    assert "1 of 2 controls" in found.text()


def test_kappa_without_disagreement_to_expect_is_undefined():
    assert cohens_kappa(["pass"] * 4, ["pass"] * 4) is None and cohens_kappa([], []) is None
    rng = np.random.default_rng(0)
    assert abs(cohens_kappa(*(rng.choice(["a", "b"], 4000).tolist() for _ in range(2)))) < 0.05
