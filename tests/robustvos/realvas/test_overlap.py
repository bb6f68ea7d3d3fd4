import numpy as np
import pytest

from robustvos.realvas.overlap import overlap_areas, overlap_scores, pack_masks


def loop(first, second):
    return {
        shift: sum(int((first[t] & second[t - shift]).sum()) for t in range(len(first)) if 0 <= t - shift < len(second))
        for shift in range(-(len(second) - 1), len(first))
    }


@pytest.mark.parametrize("size", [(5, 7), (33, 64), (20, 129)])
@pytest.mark.parametrize("lengths", [(1, 1), (6, 4), (3, 9)])
def test_scores_are_those_of_a_loop(size, lengths):
    rng = np.random.default_rng(0)
    first, second = (rng.random((length, *size)) < 0.3 for length in lengths)
    first[0] = False
    shifts, scores = overlap_scores(pack_masks(first), pack_masks(second))
    assert dict(zip(shifts.tolist(), scores.tolist(), strict=True)) == loop(first, second)
    for shift in shifts:
        assert overlap_areas(pack_masks(first), pack_masks(second), int(shift)).sum() == loop(first, second)[int(shift)]


def test_empty_masks_score_nothing():
    empty = pack_masks(np.zeros((3, 4, 5), bool))
    assert not overlap_scores(empty, empty)[1].any()


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match="no common pixels"):
        overlap_scores(pack_masks(np.zeros((1, 4, 5), bool)), pack_masks(np.zeros((1, 5, 5), bool)))
