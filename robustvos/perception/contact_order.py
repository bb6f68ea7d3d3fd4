"""Depth from where things touch the ground: no weights, one rule, and honest about what it cannot say."""

from __future__ import annotations

import torch
from torch import Tensor

from robustvos.errors import UserError
from robustvos.perception.depth import Depth, Order, check_masks


class ContactOrder(Depth):
    """The lower an object touches the ground in the picture, the nearer it is.

    Nearness is the row of contact over the frame's height: the 98.5th percentile of the mask's rows, so that single pixels do
    not decide. An object that is cut by the frame's lower border has no contact there (NaN). The order of two tracks is that
    of their *lowest* contacts over time, so that a hop does not count; within the dead zone it is undecided.

    Good for things that stand on one ground before a camera that looks down on it. Not for what is carried, flies, or stands
    behind a table. It decides order, not whether two things could stand there.

    Args:
        dead_zone: Of the frame's height.

    Raises:
        UserError: If ``dead_zone`` is not in [0, 1).
    """

    name = "contact_order"
    unit = "row of ground contact / height"

    def __init__(self, dead_zone: float = 0.017) -> None:
        if not 0 <= dead_zone < 1:
            raise UserError(f"contact_order: dead_zone is {dead_zone:g}; give a share of the height in [0, 1)")
        self.dead_zone = dead_zone

    def objects(self, frame: Tensor, masks: Tensor) -> Tensor:
        """Rows of contact, see the class."""
        check_masks(frame, masks)
        height = masks.shape[-2]
        found = torch.full((len(masks),), float("nan"))
        for index, mask in enumerate(masks):
            rows = mask.sum(1)
            total = int(rows.sum())
            if total == 0 or int(rows[-1]) > 0:
                continue
            reached = torch.cumsum(rows, 0) >= 0.985 * total
            found[index] = (int(reached.int().argmax()) + 1) / height
        return found

    def order(self, first: Tensor, second: Tensor) -> Order:
        """By the lowest contact of each; undecided if one has none, or they differ by no more than the dead zone."""
        known = [track[~track.isnan()] for track in (first, second)]
        if not all(len(track) for track in known):
            return "undecided"
        gap = float(known[0].max() - known[1].max())
        if abs(gap) <= self.dead_zone:
            return "undecided"
        return "first" if gap > 0 else "second"
