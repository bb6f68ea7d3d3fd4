"""SAM 2's training loss: focal and dice on masks, L1 on predicted IoU, cross-entropy on presence.

Source: SAM 2 paper, appendix D.2.2. Equal to ``training.loss_fns.MultiStepMultiMasksAndIous`` (a test compares them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from robustvos.errors import UserError


@dataclass(frozen=True)
class LossWeights:
    """Weights and shape of the loss; the defaults are SAM 2's.

    Attributes:
        mask: Weight of the focal loss on mask logits.
        dice: Weight of the dice loss.
        iou: Weight of the L1 loss on predicted IoU.
        presence: Weight of the cross-entropy on the object score.
        focal_alpha: Weight of foreground pixels in the focal loss; background gets ``1 - focal_alpha``. SAM 2's .25
            lets masks shrink from frame to frame when little is trained; .5 does not.
        focal_gamma: Focusing exponent.
        supervise_all_iou: Where several masks are predicted, train the IoU predicted for each of them (SAM 2's own
            training), not only that of the best one.

    Raises:
        UserError: If ``focal_alpha`` is outside [0, 1], or a weight or ``focal_gamma`` is negative.
    """

    mask: float = 20.0
    dice: float = 1.0
    iou: float = 1.0
    presence: float = 1.0
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    supervise_all_iou: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.focal_alpha <= 1:
            raise UserError(f"focal_alpha is {self.focal_alpha:g}; it must be in [0, 1], .5 treats both sides alike")
        for name in ("mask", "dice", "iou", "presence", "focal_gamma"):
            if getattr(self, name) < 0:
                raise UserError(f"the loss's {name} is {getattr(self, name):g}; it must not be negative")


def segmentation_loss(
    outputs: Sequence[Mapping[str, Any]],
    targets: Tensor,
    weights: LossWeights | None = None,
    annotated: Tensor | None = None,
) -> dict[str, Tensor]:
    """Loss of one batch of tracked clips, over all frames and all steps of interaction.

    Args:
        outputs: One mapping a frame, as ``SAM2Train`` returns them: lists over steps of ``(N, M, S, S)`` mask logits,
            ``(N, M)`` predicted IoUs and ``(N, 1)`` object scores.
        targets: ``(T, N, S, S)`` bool.
        weights: None: SAM 2's.
        annotated: ``(T, N)`` bool; objects on frames without ground truth count nothing. None: all have it.

    Returns:
        Scalars ``mask``, ``dice``, ``iou``, ``presence`` and their weighted sum ``loss``: sums over frames and steps,
        divided by the number of objects (averaged over processes under DDP). Where several masks are predicted only
        the best one (least weighted focal + dice) is trained, except for the predicted IoUs, whose mean loss counts if
        ``weights.supervise_all_iou``. Absent objects train presence alone.
    """
    weights = weights or LossWeights()
    count = _objects_per_process(targets)
    total = {name: targets.new_zeros((), dtype=torch.float32) for name in ("mask", "dice", "iou", "presence")}
    for t, (output, target) in enumerate(zip(outputs, targets, strict=True)):
        counted = None if annotated is None else annotated[t].float()
        steps = zip(
            output["multistep_pred_multimasks_high_res"],
            output["multistep_pred_ious"],
            output["multistep_object_score_logits"],
            strict=True,
        )
        for logits, predicted_iou, presence in steps:
            terms = step_losses(logits.float(), predicted_iou.float(), presence.float(), target, weights)
            for name, value in terms.items():
                total[name] = total[name] + (value if counted is None else value * counted).sum() / count
    weighted: Any = sum(getattr(weights, name) * value for name, value in total.items())
    total["loss"] = weighted
    return total


def step_losses(
    logits: Tensor, predicted_iou: Tensor, presence: Tensor, target: Tensor, weights: LossWeights
) -> dict[str, Tensor]:
    """Terms of one step on one frame, each ``(N,)``: logits ``(N, M, S, S)``, target ``(N, S, S)`` bool."""
    truth = target[:, None].to(logits.dtype)
    mask = focal_loss(logits, truth.expand_as(logits), weights.focal_alpha, weights.focal_gamma).flatten(2).mean(-1)
    dice = dice_loss(logits, truth)
    iou = (predicted_iou - mask_iou(logits > 0, target[:, None])).abs()
    best = (weights.mask * mask + weights.dice * dice).argmin(1, keepdim=True)
    present = target.flatten(1).any(1).to(logits.dtype)
    terms = {name: value.gather(1, best)[:, 0] for name, value in (("mask", mask), ("dice", dice), ("iou", iou))}
    if weights.supervise_all_iou:
        terms["iou"] = iou.mean(1)
    terms = {name: value * present for name, value in terms.items()}
    terms["presence"] = F.binary_cross_entropy_with_logits(presence[:, 0], present, reduction="none")
    return terms


def focal_loss(logits: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss of each pixel (Lin et al., ICCV 2017); same shape as ``logits``."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    wrong = torch.sigmoid(logits * (1 - 2 * target))  # 1 - p_t
    return (alpha * target + (1 - alpha) * (1 - target)) * wrong**gamma * cross_entropy


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Dice loss ``(N, M)`` of ``(N, M, S, S)`` logits against ``(N, 1, S, S)``, smoothed by one pixel."""
    probability, truth = logits.sigmoid().flatten(2), target.flatten(2)
    overlap = (probability * truth).sum(-1)
    return 1 - (2 * overlap + 1) / (probability.sum(-1) + truth.sum(-1) + 1)


def mask_iou(prediction: Tensor, target: Tensor) -> Tensor:
    """IoU ``(N, M)`` of bool ``(N, M, S, S)`` and ``(N, 1, S, S)``; 0 where both are empty, as SAM 2 has it."""
    intersection = (prediction & target).flatten(2).sum(-1)
    union = (prediction | target).flatten(2).sum(-1)
    return intersection / union.clamp(min=1)


def _objects_per_process(targets: Tensor) -> float:
    """Number of objects in the batch, averaged over processes, at least 1."""
    count = torch.tensor(float(targets.shape[1]), device=targets.device)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(count)
        count /= torch.distributed.get_world_size()
    return max(float(count), 1.0)
