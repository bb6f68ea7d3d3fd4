"""Laws of every adapter: fresh, on, off, and gone."""

from __future__ import annotations

import copy
import inspect
import pkgutil
from functools import partial
from importlib import import_module

import pytest
import torch
from torch import nn

import robustvos.adapters
from robustvos.adapters import Adapter, FullFineTuning, GaRA, GatedAdapter, LayerNormTuning, LoRA, MoGA, MoGARelease
from robustvos.errors import UserError


def adapters_of_the_package() -> dict[str, type[Adapter]]:
    """Every adapter that a module of the package defines, so that a new one is tried without a word here."""
    modules = [
        import_module(f"robustvos.adapters.{found.name}") for found in pkgutil.iter_modules(robustvos.adapters.__path__)
    ]
    kinds = [kind for module in modules for kind in vars(module).values() if inspect.isclass(kind)]
    return {kind.__name__: kind for kind in kinds if issubclass(kind, Adapter) and not inspect.isabstract(kind)}


def small(kind: type[Adapter], **settings: object) -> Adapter:
    """One of three components in whatever it calls a rank."""
    ranks = {name: 3 for name in inspect.signature(kind).parameters if name.startswith("rank")}
    return kind(**ranks | settings)


ADAPTERS = {name: partial(small, kind) for name, kind in adapters_of_the_package().items()} | {
    "moga_memory": partial(small, MoGA, conditioning="memory"),
    "moga_open": partial(small, MoGA, conditioning="none"),
    "moga_all_norms": partial(small, MoGA, layer_norms=["memory_attention.*", "sam_mask_decoder.transformer.*"]),
}


@pytest.fixture(params=ADAPTERS)
def adapter(request):
    torch.manual_seed(1)
    return ADAPTERS[request.param]()


def snapshot(model):
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        {name: p.requires_grad for name, p in model.named_parameters()},
        {name: type(module) for name, module in model.named_modules()},
        set(vars(model)),
        {name for name, m in model.named_modules() if m._forward_hooks or m._forward_pre_hooks},
    )


def assert_same(before, after):
    torch.testing.assert_close(after[0], before[0], rtol=0, atol=0)
    assert after[1:] == before[1:]


def test_adapters_are_found_and_public():
    found = adapters_of_the_package()
    assert {"MoGA", "LoRA"} <= set(found) == set(robustvos.adapters.__all__) - {"Adapter", "GatedAdapter"}
    gated = {name for name, kind in found.items() if issubclass(kind, GatedAdapter)}
    assert gated >= {"MoGA", "MoGARelease", "GaRA"}


def test_fresh_adapter_is_identity(nano, clip, track, adapter):
    expected = track(nano, clip)
    adapter.attach(nano)
    assert torch.equal(track(nano, clip), expected)
    assert adapter.is_identity()


def test_fresh_adapter_is_identity_in_training(nano, clip, adapter):
    nano.train()
    rng = copy.deepcopy(nano.rng)
    expected = nano(clip)[-1]["pred_masks"]
    nano.rng = rng
    adapter.attach(nano)
    assert adapter.training
    assert torch.equal(nano(clip)[-1]["pred_masks"], expected)


def test_disabled_adapter_is_the_base(nano, clip, track, perturb, adapter):
    expected = track(nano, clip)
    adapter.attach(nano)
    perturb(adapter)
    trained = track(nano, clip)
    assert not adapter.is_identity()
    assert not torch.allclose(trained, expected)
    with adapter.disabled():
        assert not adapter.enabled
        assert torch.equal(track(nano, clip), expected)
        assert not adapter.is_identity()
        with adapter.disabled():
            pass
        assert torch.equal(track(nano, clip), expected)
    assert adapter.enabled
    assert torch.equal(track(nano, clip), trained)


def test_switching_under_inference_mode_does_not_spoil_training(nano, clip, loss_of, perturb, adapter):
    adapter.attach(nano)
    perturb(adapter, by=0.05)  # a whole model moved further would saturate
    state = adapter.adapter_state_dict()
    with torch.inference_mode():
        adapter.enabled = False
        nano(clip)
    adapter.enabled = True
    torch.testing.assert_close(adapter.adapter_state_dict(), state, rtol=0, atol=0)
    loss_of(nano(clip)).backward()
    assert any(p.grad is not None and p.grad.any() for p in adapter.trainable_parameters())


def test_detach_restores_the_model_exactly(nano, clip, track, perturb, adapter):
    nano.obj_ptr_proj.requires_grad_(False)
    before, expected = snapshot(nano), track(nano, clip)
    adapter.attach(nano)
    perturb(adapter)
    adapter.detach()
    assert_same(before, snapshot(nano))
    assert torch.equal(track(nano, clip), expected)
    assert not adapter.is_attached
    assert not list(adapter.parameters())


def test_detach_while_disabled_restores_the_model(nano, perturb, adapter):
    before = snapshot(nano)
    adapter.attach(nano)
    perturb(adapter)
    adapter.enabled = False
    adapter.detach()
    assert_same(before, snapshot(nano))


def test_adapter_leaves_names_and_types_of_the_model_alone(nano, adapter):
    before = snapshot(nano)
    adapter.attach(nano)
    after = snapshot(nano)
    torch.testing.assert_close(after[0], before[0], rtol=0, atol=0)
    assert after[2] == before[2]


def test_only_what_is_trained_changes_in_a_step(nano, clip, loss_of, perturb, adapter):
    adapter.attach(nano)
    perturb(adapter, by=0.05)  # with B = 0 nothing else of an update has a gradient
    nano.train()
    adapter.train()
    both = nn.ModuleDict({"sam2": nano, "adapter": adapter})
    before = {name: tensor.clone() for name, tensor in both.state_dict().items()}
    trained = dict(adapter.named_trainable_parameters())
    optimiser = torch.optim.SGD((p for p in both.parameters() if p.requires_grad), lr=100.0)

    loss_of(nano(clip)).backward()
    without = {name for name, p in trained.items() if p.grad is None or not p.grad.any()}
    optimiser.step()

    changed = {name for name, tensor in both.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed <= set(trained) - without
    unchanged = set(trained) - without - changed  # a key's bias cancels in the softmax: its gradient is rounding
    assert all(name.endswith("k_proj.bias") for name in unchanged)
    # of a whole model some parts rest in every step, and of GaRA the gates of a set that no frame has chosen
    if not isinstance(adapter, FullFineTuning | GaRA):
        assert not without
    assert all(p.grad is None for name, p in both.named_parameters() if name not in trained)


def test_each_parameter_is_registered_once(nano, adapter):
    adapter.attach(nano)
    both = nn.ModuleDict({"sam2": nano, "adapter": adapter})
    trained = {name: p for name, p in both.named_parameters(remove_duplicate=False) if p.requires_grad}
    assert {name: id(p) for name, p in trained.items()} == {n: id(p) for n, p in adapter.named_trainable_parameters()}
    assert len({id(p) for p in trained.values()}) == len(trained)
    assert set(both.state_dict()) >= set(adapter.adapter_state_dict())


def test_deep_copy_of_model_and_adapter_together_is_independent(nano, clip, track, perturb, adapter):
    both = nn.ModuleDict({"sam2": nano, "adapter": adapter.attach(nano)})
    twin = copy.deepcopy(both)
    perturb(twin["adapter"])
    assert adapter.is_identity()
    assert not twin["adapter"].is_identity()
    assert not torch.allclose(track(twin["sam2"], clip), track(nano, clip))


def test_merged_model_computes_alone_what_both_did_or_nothing_is_changed(nano, clip, track, perturb, adapter):
    nano.obj_ptr_proj.requires_grad_(False)
    before = snapshot(nano)
    adapter.attach(nano)
    perturb(adapter, by=0.05)
    trained = track(nano, clip)
    refused = type(adapter).merged_weights is Adapter.merged_weights and bool(list(adapter.parameters()))
    if refused or (isinstance(adapter, GatedAdapter) and adapter.is_gated):
        carried = snapshot(nano)
        with pytest.raises(UserError, match="cannot be merged: what it adds depends on what is tracked"):
            adapter.merge()
        assert_same(carried, snapshot(nano))
        assert adapter.is_attached and torch.equal(track(nano, clip), trained)
        return
    assert adapter.merge() is nano
    torch.testing.assert_close(track(nano, clip), trained, rtol=1e-4, atol=1e-4)
    assert snapshot(nano)[1:] == before[1:]  # requires_grad, types, attributes, hooks
    assert not adapter.is_attached and not list(adapter.parameters())
    assert LoRA(rank=2).attach(nano).is_identity()


def test_merging_while_disabled_merges_what_was_trained(nano, clip, track, perturb):
    adapter = LoRA(rank=3, scale=0.5).attach(nano)
    perturb(adapter)
    trained, weight = track(nano, clip), nano.memory_attention.layers[1].self_attn.v_proj.weight.clone()
    update = adapter.low_rank[1]["self_attn_v"]
    expected = weight + 0.5 * update.B.detach() @ update.A.detach()
    adapter.enabled = False
    adapter.merge()
    torch.testing.assert_close(nano.memory_attention.layers[1].self_attn.v_proj.weight.detach(), expected)
    torch.testing.assert_close(track(nano, clip), trained, rtol=1e-3, atol=1e-3)


def test_merging_without_a_model_is_refused():
    with pytest.raises(RuntimeError, match="attach"):
        LoRA(rank=3).merge()


@pytest.mark.parametrize("kind", [MoGA, MoGARelease, GaRA])
def test_temperature_must_stay_above_0(kind):
    adapter = small(kind)
    adapter.tau = 0.7
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(UserError, match="a temperature must be above 0"):
            adapter.tau = wrong
    assert adapter.tau == 0.7


def test_attaching_twice_is_refused(nano, adapter):
    adapter.attach(nano)
    with pytest.raises(RuntimeError, match="attached already"):
        adapter.attach(nano)
    with pytest.raises(RuntimeError, match=f"carries a {type(adapter).__name__}"):
        LoRA(rank=2).attach(nano)
    adapter.detach()
    assert LoRA(rank=2).attach(nano).is_attached


def test_unattached_adapter_says_so(adapter):
    with pytest.raises(RuntimeError, match="attach"):
        adapter.detach()
    with pytest.raises(RuntimeError, match="attach"):
        adapter.is_identity()


@pytest.mark.parametrize("make", [MoGA, LoRA, MoGARelease])
def test_failed_attach_leaves_the_model_untouched(nano, make):
    nano.memory_attention.layers[0].self_attn.v_proj = nn.Identity()
    del nano.memory_attention.layers[1].cross_attn_image.q_proj
    before = snapshot(nano)
    adapter = make(rank=2)
    with pytest.raises(UserError) as error:
        adapter.attach(nano)
    assert "layers.0.self_attn.v_proj is a Identity, not a Linear" in str(error.value)
    assert "layers.1.cross_attn_image.q_proj is missing" in str(error.value)
    assert "\n" not in str(error.value)
    assert_same(before, snapshot(nano))
    assert not adapter.is_attached


def test_a_module_that_is_missing_is_told_from_those_there_are(nano):
    class PointerBottleneck(LoRA):
        def targets(self, model):
            return {"obj_ptr_projection": nn.Module}

    with pytest.raises(UserError) as error:
        PointerBottleneck(rank=2).attach(nano)
    assert "obj_ptr_projection is missing (did you mean obj_ptr_proj?)" in str(error.value)
    assert "python cli.py inspect --model sam2" in str(error.value)


def test_unknown_layer_norms_leave_the_model_untouched(nano):
    before = snapshot(nano)
    with pytest.raises(UserError, match=r"'image_encoder.necks.\*'"):
        MoGA(rank=2, layer_norms=["image_encoder.*", "image_encoder.necks.*"]).attach(nano)
    assert_same(before, snapshot(nano))


def test_no_sam2_at_all_is_refused():
    with pytest.raises(UserError, match=r"memory_attention\.layers is missing"):
        MoGA().attach(nn.Linear(2, 2))


def test_arguments_are_checked():
    for make in (
        lambda: MoGA(rank=0),
        lambda: MoGA(tau=0.0),
        lambda: MoGA(conditioning="objects"),
        lambda: LoRA(rank=0),
        lambda: MoGARelease(tau=-1.0),
        lambda: GaRA(rank_low=0),
        lambda: GaRA(rank_high=0),
        lambda: GaRA(gate_hidden=0),
        lambda: GaRA(tau=0.0),
        lambda: LayerNormTuning("none"),
    ):
        with pytest.raises(UserError):
            make()
