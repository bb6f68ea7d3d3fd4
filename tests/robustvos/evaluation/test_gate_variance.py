"""Shares of variance: constructions that are known are found again, also where the data are unbalanced."""

from __future__ import annotations

import numpy as np
import pytest

from robustvos.evaluation.gate_variance import PARTS, WITHIN, GateRows, variance_shares

pytestmark = pytest.mark.fast
SIZE = 5  # components


def layout(in_turn=False, even=True, seed=0):
    """Labels of every object on every frame: 12 videos of 2 objects, under 4 conditions, or each under one of them."""
    rng, rows = np.random.default_rng(seed), []
    for v in range(12):
        length, objects = (6, 2) if even else (int(rng.integers(4, 10)), 1 + v % 3)
        begins = np.zeros(objects, int) if even else rng.integers(1, 3, objects)
        for c in [v % 4] if in_turn else range(4):
            rows += [(f"v{v}", o, t, f"c{c}") for o in range(objects) for t in range(begins[o], length)]
    return rows


def effect(rows, name, seed=0):
    """An independent draw for each value of a label, ``(N, SIZE)``."""
    key = {
        "video": lambda v, o, t, c: v,
        "object": lambda v, o, t, c: (v, o),
        "frame": lambda v, o, t, c: (v, t),
        "condition": lambda v, o, t, c: c,
        "row": lambda *row: row,
    }[name]
    draws, rng = {}, np.random.default_rng(seed)
    return np.stack([draws.setdefault(key(*row), rng.normal(size=SIZE)) for row in rows])


def found(rows, values, **options):
    answer = variance_shares(GateRows(values, *zip(*rows, strict=True)), **options)
    shares = answer["shares"]
    assert sum(shares[part] for part in PARTS) == pytest.approx(1)
    assert 0 <= shares[WITHIN] <= shares["object"] + 1e-9
    assert answer["shuffled"].keys() == shares.keys() - {"rest"}
    return answer


def without_means(rows, values):
    """Less the mean of each object of each video."""
    means = {}
    for row, value in zip(rows, values, strict=True):
        means.setdefault(row[:2], []).append(value)
    return values - np.stack([np.mean(means[row[:2]], axis=0) for row in rows])


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("part", ["condition", "object"])
def test_gates_of_one_label_alone_have_all_their_variance_there(part, even):
    rows = layout(even=even)
    shares = found(rows, effect(rows, part))["shares"]
    assert {name: shares[name] for name in PARTS} == pytest.approx({name: float(name == part) for name in PARTS})


def test_gates_of_frames_alone_that_are_the_same_on_the_mean_have_it_all_there():
    rows = layout()
    shares = found(rows, without_means(rows, effect(rows, "frame")))["shares"]
    assert {name: shares[name] for name in PARTS} == pytest.approx({name: float(name == "frame") for name in PARTS})


def test_gates_shared_by_the_objects_of_a_video_do_not_tell_them_apart():
    rows = layout(even=False)
    shares = found(rows, effect(rows, "video"))["shares"]
    assert shares["object"] == pytest.approx(1) and shares[WITHIN] == pytest.approx(0, abs=1e-9)
    assert found(rows, effect(rows, "object"))["shares"][WITHIN] > 0.1


def test_parts_of_a_balanced_mixture_are_found():
    rows = layout()
    values = 2 * effect(rows, "object", 1) + effect(rows, "condition", 2) + effect(rows, "row", 3)
    shares = found(rows, values)["shares"]
    parts = {}
    total = np.square(values - values.mean(0)).sum()
    for name, key in (("object", lambda r: r[:2]), ("condition", lambda r: r[3])):
        groups = {}
        for row, value in zip(rows, values, strict=True):
            groups.setdefault(key(row), []).append(value)
        parts[name] = sum(len(g) * np.square(np.mean(g, 0) - values.mean(0)).sum() for g in groups.values()) / total
    assert shares["object"] == pytest.approx(parts["object"]), "the sum of squares between groups"
    assert shares["condition"] == pytest.approx(parts["condition"])


@pytest.mark.parametrize("in_turn", [True, False])
def test_unbalanced_sums_of_squares_are_those_of_least_squares(in_turn):
    rows = layout(in_turn, even=False)
    values = effect(rows, "object") + effect(rows, "frame", 1) + effect(rows, "row", 2)
    shares = found(rows, values)["shares"]

    def explained(*keys):
        columns = [np.ones(len(rows))]
        for key in keys:
            names = [key(row) for row in rows]
            columns += [np.array([name == one for name in names], float) for one in dict.fromkeys(names)]
        matrix = np.stack(columns, 1)
        fitted = matrix @ np.linalg.lstsq(matrix, values, rcond=None)[0]
        return np.square(fitted - values.mean(0)).sum() / np.square(values - values.mean(0)).sum()

    condition, of_object, of_frame = (lambda r: r[3]), (lambda r: r[:2]), (lambda r: (r[0], r[2]))
    steps = [explained(condition), explained(condition, of_object), explained(condition, of_object, of_frame)]
    assert shares["condition"] == pytest.approx(steps[0])
    assert shares["object"] == pytest.approx(steps[1] - steps[0])
    assert shares["frame"] == pytest.approx(steps[2] - steps[1])
    video = explained(condition, lambda r: r[0])
    assert shares[WITHIN] == pytest.approx(steps[1] - video)


@pytest.mark.parametrize("in_turn", [True, False])
def test_shares_of_noise_are_those_of_shuffled_labels(in_turn):
    rows = layout(in_turn)
    answer = found(rows, effect(rows, "row"), shuffles=20)
    for part, chance in answer["shuffled"].items():
        assert answer["shares"][part] == pytest.approx(chance, abs=0.05)


def test_conditions_explain_by_chance_what_clips_differ_by():
    """In turn, each clip has one condition: if clips differ, so do conditions, and shuffled clips show that it is chance."""
    rows = layout(in_turn=True)
    answer = found(rows, effect(rows, "video"), shuffles=50)
    assert answer["shares"]["condition"] > 0.1
    assert answer["shuffled"]["condition"] == pytest.approx(3 / 11, abs=0.08)  # degrees of freedom of 12 clips
    assert answer["shuffled"]["object"] == pytest.approx(answer["shares"]["object"]), "one clip each: object is clip"


@pytest.mark.parametrize("in_turn", [True, False])
def test_gates_that_drift_in_each_clip_by_themselves_owe_nothing_to_their_object(in_turn):
    rows, rng = layout(in_turn), np.random.default_rng(0)
    walks = {}
    for v, o, _, c in rows:
        walks.setdefault((v, o, c), np.cumsum(rng.normal(size=(10, SIZE)), axis=0))
    answer = found(rows, np.stack([walks[v, o, c][t] for v, o, t, c in rows]), shuffles=20)
    for part in ("object", WITHIN):
        assert answer["shares"][part] == pytest.approx(answer["shuffled"][part], abs=0.06)
    ours = found(rows, effect(rows, "object") + 0.1 * effect(rows, "row"), shuffles=20)
    assert (ours["shares"]["object"] > ours["shuffled"]["object"] + 0.3) != in_turn


def test_gates_that_never_change_have_no_shares():
    rows = layout()
    assert variance_shares(GateRows(np.ones((len(rows), SIZE)), *zip(*rows, strict=True))) is None
    assert variance_shares(GateRows(np.zeros((0, SIZE)), (), (), (), ())) is None


def test_order_of_rows_does_not_matter():
    rows = layout(even=False)
    values = effect(rows, "row") + effect(rows, "object")
    order = np.random.default_rng(1).permutation(len(rows))
    again = found([rows[i] for i in order], values[order])["shares"]
    assert again == pytest.approx(found(rows, values)["shares"])
