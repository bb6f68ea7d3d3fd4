"""The training loss is SAM 2's own, in value and in gradient."""

from __future__ import annotations

import importlib
import math
import sys
import types
from typing import Any

import pytest
import torch

from robustvos.errors import UserError
from robustvos.sam2.losses import LossWeights, segmentation_loss

pytestmark = pytest.mark.fast

TERMS = {"mask": "loss_mask", "dice": "loss_dice", "iou": "loss_iou", "presence": "loss_class"}


def sam2_loss(weights: LossWeights) -> Any:
    """SAM 2's loss, set as its own fine-tuning recipe sets it but for ``weights``."""
    try:
        module = importlib.import_module("training.loss_fns")
    except ImportError:  # its trainer wants packages that nothing else does; one constant of it is used
        trainer = types.ModuleType("training.trainer")
        trainer.CORE_LOSS_KEY = "core_loss"  # type: ignore[attr-defined]
        sys.modules["training.trainer"] = trainer
        module = importlib.import_module("training.loss_fns")
    return module.MultiStepMultiMasksAndIous(
        {key: getattr(weights, name) for name, key in TERMS.items()},
        focal_alpha=weights.focal_alpha,
        focal_gamma=weights.focal_gamma,
        supervise_all_iou=weights.supervise_all_iou,
        iou_use_l1_loss=True,
        pred_obj_scores=True,
        focal_gamma_obj_score=0.0,
        focal_alpha_obj_score=-1.0,
    )


def make_outputs(candidates: list[list[int]], objects: int = 3, size: int = 12, seed: int = 0) -> list[dict[str, Any]]:
    """Random outputs; ``candidates`` has, for each frame, the number of masks predicted at each step."""
    random = torch.Generator().manual_seed(seed)

    def leaf(*shape: int, scale: float) -> torch.Tensor:
        return (torch.randn(shape, generator=random) * scale).requires_grad_()

    return [
        {
            "multistep_pred_multimasks_high_res": [leaf(objects, m, size, size, scale=4) for m in steps],
            "multistep_pred_ious": [leaf(objects, m, scale=1) for m in steps],
            "multistep_object_score_logits": [leaf(objects, 1, scale=3) for _ in steps],
        }
        for steps in candidates
    ]


def make_targets(frames: int, objects: int = 3, size: int = 12) -> torch.Tensor:
    """Boxes; the second object is absent from the second frame on, the third is absent on the first."""
    targets = torch.zeros(frames, objects, size, size, dtype=torch.bool)
    for t in range(frames):
        for o in range(objects):
            targets[t, o, 1 + o : 5 + o, 2 + t % 4 : 9] = True
    targets[1:, 1] = False
    targets[0, 2] = False
    return targets


def leaves(outputs: list[dict[str, Any]]) -> list[torch.Tensor]:
    return [tensor for frame in outputs for steps in frame.values() for tensor in steps]


STEPS = {
    "one mask": [[1], [1], [1]],
    "three masks": [[3], [3]],
    "clicks": [[3, 3, 1, 1], [1], [3, 1]],
    "image": [[3, 1]],
}
WEIGHTS = {
    "as SAM 2": LossWeights(),
    "best IoU alone": LossWeights(supervise_all_iou=False),
    "nano": LossWeights(mask=10, dice=2, focal_alpha=0.5, supervise_all_iou=False),
    "odd": LossWeights(mask=3, dice=0.5, iou=0.2, presence=2, focal_alpha=0.9, focal_gamma=1.5),
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("candidates", STEPS.values(), ids=STEPS)
def test_value_and_gradient_equal_sam2s_loss(candidates, weights):
    outputs, twins = make_outputs(candidates), make_outputs(candidates)
    targets = make_targets(len(candidates))
    expected = sam2_loss(weights)(twins, targets)
    found = segmentation_loss(outputs, targets, weights)
    torch.testing.assert_close(found["loss"], expected["core_loss"], rtol=1e-5, atol=1e-6)
    for name, key in TERMS.items():
        torch.testing.assert_close(found[name], expected[key], rtol=1e-5, atol=1e-6)
    mine = torch.autograd.grad(found["loss"], leaves(outputs), materialize_grads=True)
    theirs = torch.autograd.grad(expected["core_loss"], leaves(twins), materialize_grads=True)
    assert any(bool(gradient.any()) for gradient in theirs)
    for gradient, reference in zip(mine, theirs, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-7)


def test_defaults_are_those_of_sam2s_fine_tuning_recipe():
    from importlib.resources import files

    from omegaconf import OmegaConf

    recipe = OmegaConf.load(str(files("sam2") / "configs/sam2.1_training/sam2.1_hiera_b+_MOSE_finetune.yaml"))
    official, ours = recipe.trainer.loss.all, LossWeights()
    assert {key: getattr(ours, name) for name, key in TERMS.items()} == dict(official.weight_dict)
    assert ours.supervise_all_iou == official.supervise_all_iou
    assert official.iou_use_l1_loss and official.pred_obj_scores
    assert (official.focal_gamma_obj_score, official.focal_alpha_obj_score) == (0.0, -1.0)


def test_objects_on_frames_without_truth_count_nothing():
    targets = make_targets(3)
    annotated = torch.tensor([[True] * 3, [True, False, False], [False] * 3])
    losses = []
    for noise in (0.0, 5.0):
        outputs = make_outputs([[3, 1], [1], [3]])
        for t, frame in enumerate(outputs):
            for steps in frame.values():
                for tensor in steps:
                    tensor.data[~annotated[t]] += noise
        losses.append(segmentation_loss(outputs, targets, annotated=annotated))
    for name, value in losses[0].items():
        assert torch.equal(value, losses[1][name])
    gradients = torch.autograd.grad(losses[1]["loss"], leaves(outputs), materialize_grads=True)
    assert all(not bool(gradient.any()) for gradient in gradients[-3:]), "the third frame has no truth at all"
    everything = segmentation_loss(outputs, targets, annotated=torch.ones(3, 3, dtype=torch.bool))["loss"]
    torch.testing.assert_close(everything, segmentation_loss(outputs, targets)["loss"])
    assert bool(everything > losses[1]["loss"])


def test_perfect_answers_cost_almost_nothing():
    targets = make_targets(2)
    present = targets.flatten(2).any(2)
    outputs = [
        {
            "multistep_pred_multimasks_high_res": [(target[:, None].float() * 2 - 1) * 100],
            "multistep_pred_ious": [torch.ones(3, 1)],
            "multistep_object_score_logits": [(seen[:, None].float() * 2 - 1) * 100],
        }
        for target, seen in zip(targets, present, strict=True)
    ]
    assert bool(segmentation_loss(outputs, targets)["loss"] < 1e-6)


def test_half_precision_logits_are_compared_in_single_precision():
    outputs = make_outputs([[3, 1]])
    halves = [{k: [tensor.detach().bfloat16() for tensor in steps] for k, steps in frame.items()} for frame in outputs]
    singles = [{k: [tensor.float() for tensor in steps] for k, steps in frame.items()} for frame in halves]
    found = segmentation_loss(halves, make_targets(1))["loss"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, segmentation_loss(singles, make_targets(1))["loss"])


@pytest.mark.parametrize(
    "wrong", [{"focal_alpha": -1.0}, {"focal_alpha": math.nan}, {"mask": -20.0}, {"focal_gamma": -1.0}], ids=str
)
def test_weights_that_make_no_loss_are_refused(wrong):
    with pytest.raises(UserError, match="must"):
        LossWeights(**wrong)
