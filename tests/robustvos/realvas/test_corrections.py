"""What a person corrects of a track, and what the next run makes again."""

import shutil

import numpy as np
import pytest

from robustvos.errors import BadPrompt, DataNotFound
from robustvos.files.stage import open_results
from robustvos.realvas.explain import explain
from robustvos.realvas.pictures import box_of
from robustvos.realvas.pipeline import RealVASSettings, run_stages
from robustvos.reviewing.corrections import Corrector


@pytest.fixture
def corrector(street_run, tmp_path) -> Corrector:
    return Corrector(shutil.copytree(street_run, tmp_path / "run"))


def test_masks_are_deleted_added_and_undone_to_the_byte(corrector):
    key = corrector.keys[0]
    view = corrector.open(key)
    t = int(view.track.frames[len(view.track.frames) // 2])
    whole = view.mask(t)
    corrector.delete(key, t)
    assert not corrector.open(key).mask(t).any() and corrector.corrected(key) == (t,)
    x0, y0, x1, y1 = box_of(whole)
    corrector.add_at(key, t, (x0 + x1) / 2, (y0 + y1) / 2)
    again = corrector.open(key).mask(t)
    assert (again & whole).sum() / (again | whole).sum() > 0.85
    corrector.set_mask(key, t, lambda _, mask: mask & False)
    assert corrector.undo(key) and np.array_equal(corrector.open(key).mask(t), again)
    assert corrector.undo(key) and corrector.undo(key) and not corrector.undo(key)
    assert not (corrector.root / "corrections" / f"{key}.npz").exists()
    assert np.array_equal(corrector.open(key).mask(t), whole)
    with pytest.raises(BadPrompt, match="nothing differs"):
        corrector.add_at(key, t, 2, 2)
    with pytest.raises(DataNotFound, match="no frame"):
        corrector.delete(key, 10**6)


def test_a_deleted_track_takes_its_clips_with_it_and_nothing_else_is_made_again(corrector, street_run):
    """Both clips of the street need both walkers; the other walker's motion stays as it was."""
    gone, stays = corrector.keys
    corrector.delete(gone)
    run_stages(corrector.root, ["motion"], RealVASSettings(), progress=False)
    before = {r.key: r for r in open_results(street_run, "motion").results}
    after = {r.key: r for r in open_results(corrector.root, "motion").results}
    assert after[stays].fingerprint == before[stays].fingerprint and after[stays].kept
    assert gone not in after or not after[gone].kept


@pytest.mark.parametrize("stage", ["align", "filter", "propagate"])
def test_a_deleted_track_is_said_by_each_later_stage_run_alone(corrector, stage):
    gone = corrector.keys[0]
    corrector.delete(gone)
    done = run_stages(corrector.root, [stage], RealVASSettings(), progress=False)[stage]
    deleted = [result for result in done.rejected if result.reason == "deleted"]
    assert deleted and not any(gone in result.key for result in done.kept)
    assert all(gone in (result.key, result.figures.get("tracks")) for result in deleted)
    text, picture = explain(corrector.root, deleted[0].key)
    assert "rejected: deleted" in text and (picture is None) == (gone in deleted[0].key)
