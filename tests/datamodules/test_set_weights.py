"""Several sets in one training run, in the shares that were asked for."""

import math
from itertools import islice

import pytest

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.datasets.vos.set_weights import WeightedTurns
from robustvos.errors import UnknownName, UserError

pytestmark = pytest.mark.fast

WEIGHTS = {"own": 1.0, "single": 3.0}


@pytest.fixture
def roots(tree, make_tree, moving_boxes):
    """A set of three videos and one of a single video."""
    other = make_tree("single")
    other.video("cat", moving_boxes(4))
    return {"own": tree.root, "single": other.root}


def data_of(roots, weights=None, **settings) -> CorruptedVOS:
    train = TrainingClips(frames=2, frames_per_batch=8, size=32, **settings)
    return CorruptedVOS(roots=roots, train=train, weights=weights)


def sources(batches) -> list[str]:
    return [name.split("/")[0] for batch in batches for name in batch.names]


def test_epoch_has_the_shares_asked_for_and_its_length_stays(roots):
    by_size, weighted = (list(data_of(roots, weights, repeats=5).train_dataloader()) for weights in (None, WEIGHTS))
    assert len(by_size) == len(weighted) == 5
    assert sources(by_size).count("single") == 5
    assert sources(weighted).count("single") == pytest.approx(15, abs=1)


def test_two_processes_deal_out_the_clips_of_one_and_each_has_the_shares(roots):
    def names(processes: int, process: int) -> list[str]:
        class World:
            world_size, global_rank, current_epoch = processes, process, 0

        data = data_of(roots, WEIGHTS, repeats=8)
        data.trainer = World()
        return [name for batch in data.train_dataloader() for name in batch.names]

    alone, parts = names(1, 0), [names(2, process) for process in (0, 1)]
    assert sorted(alone) == sorted(parts[0] + parts[1])
    for part in parts:
        assert [name.split("/")[0] for name in part].count("single") == pytest.approx(12, abs=2)


def test_resumed_epoch_goes_on_with_the_clips_that_it_would_have_had(roots):
    loader = data_of(roots, WEIGHTS, repeats=4).train_dataloader()
    whole = [batch.names for batch in loader]
    batches = iter(loader)
    list(islice(batches, 2))
    resumed = data_of(roots, WEIGHTS, repeats=4).train_dataloader()
    resumed.load_state_dict(loader.state_dict())
    assert [batch.names for batch in resumed] == whole[2:]


def test_only_the_ratios_of_weights_count():
    small, large = WeightedTurns({"a": 0.2, "b": 0.3}), WeightedTurns({"a": 2, "b": 3})
    assert [small.of(1, i) for i in range(50)] == [large.of(1, i) for i in range(50)]
    assert [WeightedTurns({"a": 5}).of(3, i) for i in (0, 7)] == [("a", 0), ("a", 7)]


@pytest.mark.parametrize(
    ("weights", "error", "said"),
    [
        ({"own": 1, "singel": 1}, UnknownName, "unknown set 'singel'; did you mean 'single'"),
        ({"own": 1, "single": 0}, UserError, r"weights\.single is 0; give a number above 0"),
        ({"own": 1, "single": -2}, UserError, r"weights\.single is -2"),
        ({"own": math.nan, "single": 1}, UserError, r"weights\.own is nan"),
        ({"own": math.inf, "single": 1}, UserError, r"weights\.own is inf"),
        ({"own": 1}, UserError, "no number for single; give one for each of own, single"),
    ],
)
def test_weights_that_do_not_fit_are_refused_at_once(weights, error, said):
    with pytest.raises(error, match=said):
        CorruptedVOS(roots={"own": None, "single": None}, weights=weights)
