"""Where the public RobustPVOS evaluator clicks when it has no prompt file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from robustvos.types import Prompt

RELEASE_SEED = 42


def random_points(masks: Tensor, object_ids: Sequence[int], count: int, frame: int) -> tuple[Prompt, ...]:
    """Positive points drawn inside each mask, as the evaluator draws them: one stream of numbers for all objects.

    Args:
        masks: ``(O, H, W)`` bool, none empty, in the order in which objects are drawn for.
        object_ids: ``O`` ids.
        count: Points of each object; all pixels of an object that has fewer.
        frame: Index of the frame.
    """
    rng = np.random.RandomState(RELEASE_SEED)  # the generator that the evaluator's np.random.seed sets up
    prompts = []
    for mask, object_id in zip(masks.numpy(), object_ids, strict=True):
        rows, columns = np.nonzero(mask)
        drawn = rng.choice(len(rows), size=count, replace=False) if len(rows) >= count else np.arange(len(rows))
        points = torch.from_numpy(np.stack([columns[drawn], rows[drawn]], axis=1)).float()
        prompts.append(Prompt(object_id, points=points, labels=torch.ones(len(points), dtype=torch.int32), frame=frame))
    return tuple(prompts)
