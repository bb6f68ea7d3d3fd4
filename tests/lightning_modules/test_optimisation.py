"""AdamW, its warm-up and its cosine."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn

from lightning_modules.optimisation import Optimisation, adamw_with_cosine
from lightning_modules.recipe import Recipe
from robustvos.sam2.config import PromptSampling
from robustvos.sam2.losses import LossWeights

pytestmark = pytest.mark.fast


def rates(settings: Optimisation, total: int, steps: int) -> list[float]:
    """The rate that each of ``steps`` steps is made with."""
    made = adamw_with_cosine([nn.Parameter(torch.zeros(1))], settings, total)
    found = []
    for _ in range(steps):
        found.append(made["optimizer"].param_groups[0]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    return found


def test_rate_rises_linearly_then_falls_as_a_cosine():
    settings = Optimisation(learning_rate=2.0, warmup_steps=4, final_fraction=0.1)
    found = rates(settings, total=12, steps=12)
    assert found[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    falling = [0.2 + 1.8 * (1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]
    assert found[4:] == pytest.approx(falling)


def test_layer_norms_learn_at_their_fraction_of_the_rate():
    norms, others = [nn.Parameter(torch.zeros(1)) for _ in range(2)], [nn.Parameter(torch.zeros(1)) for _ in range(3)]
    settings = Optimisation(learning_rate=2.0, warmup_steps=2, layer_norm_factor=0.1)
    trained = [others[0], norms[0], others[1], norms[1], others[2]]
    optimiser = adamw_with_cosine(trained, settings, 10, layer_norms=norms)["optimizer"]
    rate = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert [rate[id(p)] for p in trained] == pytest.approx([1.0, 0.1, 1.0, 0.1, 1.0])
    alone = adamw_with_cosine(norms, settings, 10, layer_norms=norms)["optimizer"]
    assert [group["lr"] for group in alone.param_groups] == pytest.approx([0.1])


def test_trunk_learns_at_its_fraction_of_the_rate():
    trunk, norms, others = ([nn.Parameter(torch.zeros(1)) for _ in range(2)] for _ in range(3))
    settings = Optimisation(learning_rate=2.0, trunk_factor=0.1, layer_norm_factor=0.5)
    given = {"layer_norms": [*norms, trunk[0]], "trunk": trunk}  # a norm of the trunk learns as the trunk does
    optimiser = adamw_with_cosine([*others, *trunk, *norms], settings, 10, **given)["optimizer"]
    rate = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert [rate[id(p)] for p in (*others, *trunk, *norms)] == pytest.approx([2.0, 2.0, 0.2, 0.2, 1.0, 1.0])
    assert [group["name"] for group in optimiser.param_groups] == ["others", "trunk", "layer_norms"]


def test_rate_stays_at_its_end_beyond_the_last_step():
    assert rates(Optimisation(1.0, final_fraction=0.25), total=3, steps=9)[3:] == pytest.approx([0.25] * 6)


def test_a_run_shorter_than_its_warm_up_only_rises():
    assert rates(Optimisation(1.0, warmup_steps=10), total=4, steps=4) == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_the_only_step_of_a_run_is_made_at_the_peak():
    assert rates(Optimisation(3.0), total=1, steps=1) == [3.0]


def test_defaults_are_the_releases_cosine():
    found = rates(Optimisation(), total=100, steps=101)
    assert found[0] == pytest.approx(5e-6) and found[-1] == pytest.approx(5e-7)
    assert all(a > b for a, b in itertools.pairwise(found))


def test_steps_equal_those_of_adamw_by_hand():
    settings = Optimisation(learning_rate=0.1, weight_decay=0.2)
    mine = nn.Parameter(torch.tensor([1.0, -2.0]))
    made = adamw_with_cosine([mine], settings, total_steps=5)
    value, m, v = torch.tensor([1.0, -2.0]), torch.zeros(2), torch.zeros(2)
    for step in range(1, 4):
        mine.grad = torch.tensor([0.5, 3.0]) * step
        rate = 0.1 * (0.1 + 0.9 * (1 + math.cos(math.pi * (step - 1) / 5)) / 2)
        m, v = 0.9 * m + 0.1 * mine.grad, 0.999 * v + 0.001 * mine.grad**2
        value = value * (1 - rate * 0.2) - rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    torch.testing.assert_close(mine.detach(), value, rtol=1e-5, atol=1e-6)
    assert made["lr_scheduler"]["interval"] == "step"


def test_schedule_goes_on_after_a_restart():
    settings = Optimisation(1.0, warmup_steps=2)

    def make() -> dict[str, Any]:
        return adamw_with_cosine([nn.Parameter(torch.zeros(1))], settings, 10)

    first = make()
    for _ in range(5):
        first["optimizer"].step()
        first["lr_scheduler"]["scheduler"].step()
    second = make()
    second["optimizer"].load_state_dict(first["optimizer"].state_dict())
    second["lr_scheduler"]["scheduler"].load_state_dict(first["lr_scheduler"]["scheduler"].state_dict())
    for made in (first, second):
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert second["optimizer"].param_groups[0]["lr"] == first["optimizer"].param_groups[0]["lr"] < 1


def test_recipe_is_read_from_a_file_and_says_no_more_than_it_was_told():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Recipe, "recipe")
    told = {"recipe": {"loss": {"mask": 10.0, "supervise_all_iou": False}, "optimisation": {"learning_rate": 0.5}}}
    recipe = parser.instantiate_classes(parser.parse_object(told)).recipe
    assert recipe == Recipe(
        PromptSampling(), LossWeights(mask=10.0, supervise_all_iou=False), Optimisation(learning_rate=0.5)
    )
