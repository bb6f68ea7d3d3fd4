"""The records, seeds and errors that every module relies on."""

from __future__ import annotations

import hashlib

import pytest
import torch

from robustvos.errors import BadPrompt, MissingExtra, UnknownName, UserError
from robustvos.seeding import derive_seed, generator, numpy_rng
from robustvos.types import Prompt, empty_masks

pytestmark = pytest.mark.fast

MASK = torch.eye(4, dtype=torch.bool)
POINT, LABEL = torch.tensor([[1.0, 2.0]]), torch.tensor([1])
BOX = torch.tensor([0.0, 1.0, 3.0, 2.0])


def test_seeds_are_the_same_on_every_machine():
    digest = hashlib.blake2b(b"prompts\x1f3\x1fclip\x1f0.5", digest_size=8).hexdigest()
    assert derive_seed("prompts", 3, "clip", 0.5) == int(digest, 16) // 2 == 8887813707376134773


def test_seeds_fit_torch_and_numpy_and_differ_with_every_part():
    seeds = {derive_seed(a, b, c) for a in range(5) for b in ("x", "y") for c in range(20)}
    assert len(seeds) == 200 and all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed("ab", "c") != derive_seed("a", "bc") != derive_seed("abc")


def test_generators_follow_their_parts_and_leave_the_global_state_alone():
    before = torch.random.get_rng_state()
    draws = [torch.rand(3, generator=generator("a", 1)) for _ in range(2)]
    assert torch.equal(*draws) and not torch.equal(draws[0], torch.rand(3, generator=generator("a", 2)))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert numpy_rng("a", 1).random() == numpy_rng("a", 1).random() != numpy_rng("a", 2).random()


@pytest.mark.parametrize(
    "good",
    [{"mask": MASK}, {"box": BOX}, {"points": POINT, "labels": LABEL}, {"box": BOX, "points": POINT, "labels": LABEL}],
    ids=lambda g: "+".join(g),
)
def test_prompts_of_each_kind_are_taken(good):
    assert Prompt(3, **good).frame == 0


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({}, "is empty"),
        ({"mask": MASK, "box": BOX}, "give one kind"),
        ({"mask": ~torch.ones(4, 4, dtype=torch.bool)}, "mark at least one pixel"),
        ({"points": POINT}, "one label"),
        ({"labels": LABEL, "box": BOX}, "one label"),
        ({"points": POINT, "labels": torch.tensor([1, 0])}, "one label"),
        ({"box": torch.tensor([3.0, 1.0, 3.0, 2.0])}, "has no area"),
        ({"box": torch.tensor([0.0, float("nan"), 3.0, 2.0])}, "no number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_prompts_that_say_nothing_clear_are_refused(bad, says):
    with pytest.raises(BadPrompt, match=says) as caught:
        Prompt(3, frame=5, **bad)
    assert "object 3 on frame 5" in str(caught.value) and "\n" not in str(caught.value)


def test_no_masks_have_a_size_all_the_same():
    assert empty_masks((3, 5)).shape == (0, 3, 5) and empty_masks((3, 5)).dtype == torch.bool


def test_unknown_names_are_mended_where_one_is_near():
    assert "did you mean 'shapes'?" in str(UnknownName.of("dataset", "shape", ["davis", "shapes"]))
    assert str(UnknownName.of("dataset", "zzz", {"b": 1, "a": 2})) == "unknown dataset 'zzz'; known: a, b"
    assert "pip install 'robustvos[web]'" in str(MissingExtra.of("nicegui", "web"))
    assert issubclass(UnknownName, UserError) and issubclass(BadPrompt, UserError)
