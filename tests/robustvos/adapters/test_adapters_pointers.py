from __future__ import annotations

import pytest
import torch

from robustvos.adapters.gate import mean_per_clip, object_pointers, pointer_tokens

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("keywords", [True, False])
def test_pointers_come_back_as_they_were_stored(nano, memory_call, keywords):
    stored = torch.randn(3, 2, nano.hidden_dim)
    call = memory_call(nano, stored)
    order = ["curr", "memory", "curr_pos", "memory_pos", "num_obj_ptr_tokens"]
    args, kwargs = ((), call) if keywords else (tuple(call[name] for name in order), {})
    tokens = pointer_tokens(nano.memory_attention, args, kwargs)
    assert tokens.shape == (3 * nano.hidden_dim // nano.mem_dim, 2, nano.mem_dim)
    assert torch.equal(object_pointers(tokens, nano.hidden_dim), stored)


def test_no_pointer_gives_none(nano, memory_call):
    call = memory_call(nano, torch.empty(0, 2, nano.hidden_dim))
    tokens = pointer_tokens(nano.memory_attention, (), call)
    assert object_pointers(tokens, nano.hidden_dim).shape == (0, 2, nano.hidden_dim)


def test_mean_per_clip_averages_objects_and_frames_of_each_clip():
    pointers = torch.randn(4, 3, 5)
    means, row = mean_per_clip(pointers, torch.tensor([7, 2, 7]))
    per_object = means[row]
    torch.testing.assert_close(per_object[0], pointers[:, [0, 2]].flatten(0, 1).mean(0))
    torch.testing.assert_close(per_object[1], pointers[:, 1].mean(0))
    assert torch.equal(per_object[0], per_object[2])


def test_all_objects_are_of_one_clip_unless_said():
    pointers = torch.randn(4, 3, 5)
    means, row = mean_per_clip(pointers, None)
    torch.testing.assert_close(means[row], pointers.mean((0, 1)).expand(3, 5))


def test_stale_object_to_clip_is_refused():
    with pytest.raises(ValueError, match=r"2 entries.*3 objects"):
        mean_per_clip(torch.randn(4, 3, 5), torch.tensor([0, 1]))
