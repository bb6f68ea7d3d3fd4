"""What every datamodule of this house is."""

from __future__ import annotations

from typing import Literal

import lightning as L


class Data(L.LightningDataModule):
    """A family of datasets.

    Training batches are :class:`robustvos.types.ClipBatch`; validation, test and predict items are
    :class:`robustvos.types.Video`, one at a time.

    Attributes:
        name: What results call it.
        task: ``modal`` (J and F) or ``amodal`` (the four mIoU).
        skip_first_last: Whether the first and the last annotated frame of a video are left out of its score.
        release_contour: What the protocol ``release`` takes for a contour, see :func:`robustvos.metrics.rules.rules_of`.
    """

    name: str | None = None
    task: str = "modal"
    skip_first_last: bool = False
    release_contour: Literal["cross", "square"] = "cross"

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """What decides the figures of a split besides dataset, protocol and prompt, as words that follow each other.

        Results keep it, and a report never tables runs together that differ in it. Which clips were used is not part of it.
        """
        return {}
