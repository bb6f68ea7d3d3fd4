"""CoTracker3, online: points followed together by a transformer, a window of 16 frames at a time.

Its code and weights are CC-BY-NC-4.0 and on no package registry: it is run from a checkout of the authors' repository that you
name, and nothing of it is here. Online, because the offline model switches between alike objects.

How the online predictor is called (of ``cotracker3_online`` in the repository's ``hubconf.py``):

* once with ``is_first_step=True``, which takes the queries and forgets the clip before; it gives ``(None, None)``;
* then with chunks of ``2 * step`` frames, each ``step`` later than the one before; a chunk is at most the window (16);
* tracks and visibility that come back are of all frames so far, not of the chunk;
* ``add_support_grid`` on *every* call: without it on a later one, its 36 helping points are among the answer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch, DataNotFound, UserError
from robustvos.perception.frames import check_frame
from robustvos.perception.points import PointTracker, PointTracks
from robustvos.perception.weights import Published, find_published
from robustvos.state_dicts import differences, listed, read_checkpoint

CHECKOUT_VARIABLE = "ROBUSTVOS_COTRACKER"
REPOSITORY = "facebookresearch/co-tracker"
_ENTRY = "cotracker3_online"
_FILE = "scaled_online.pth"


class CoTracker(PointTracker):
    """CoTracker3 online, from a checkout of its repository.

    Args:
        checkpoint: Of ``scaled_online.pth``; see :mod:`robustvos.perception.weights`. ``random`` leaves the network untrained,
            for tests.
        checkout: Folder of the checkout; ``auto`` is ``$ROBUSTVOS_COTRACKER``; ``hub`` lets ``torch.hub`` fetch the code
            from GitHub, which runs code from there.
        support_grid: Whether 36 helping points are tracked besides.
        device: Where it runs.

    Source: Karaev et al., CoTracker3, ICCV 2025.
    """

    name = "cotracker"
    weights = Published("CoTracker3 online", "facebook/cotracker3", (_FILE,), 102, "CC-BY-NC-4.0, non-commercial")

    def __init__(
        self, checkpoint: str = "auto", checkout: str = "auto", support_grid: bool = True, device: str = "cpu"
    ) -> None:
        self.checkpoint, self.checkout = checkpoint, checkout
        self.support_grid, self.device = support_grid, device
        self._predictor: Any = None

    def load(self) -> None:
        """Load code and weights, once. :meth:`track` does it if nobody has; call it to fail early.

        Raises:
            DataNotFound: If there is no checkout; says how to get one.
            CheckpointNotFound: If the weights are missing.
            CheckpointMismatch: If they do not fit.
            UserError: If the checkout cannot be loaded.
        """
        if self._predictor is not None:
            return
        source = self._source()
        weights = None if self.checkpoint == "random" else find_published(self.checkpoint, self.weights) / _FILE
        predictor = _predictor_from(source)
        if weights is not None:
            _load_weights(predictor.model, weights)
        self._predictor = predictor.to(self.device).eval().requires_grad_(False)

    def follow(self, frames: Sequence[Tensor], queries: Tensor, size: tuple[int, int]) -> PointTracks:
        """See the base class; frames are read once or twice each, and at most a window of them is in memory."""
        self.load()
        step, length = int(self._predictor.step), len(frames)
        given = queries[None].to(self.device)
        grid = {"add_support_grid": self.support_grid}
        with torch.inference_mode():
            self._predictor(
                video_chunk=self._chunk(frames, 0, 2 * step, size), is_first_step=True, queries=given, **grid
            )
            for first in range(0, max(length - step, 1), step):
                chunk = self._chunk(frames, first, first + 2 * step, size)
                tracks, visible = self._predictor(video_chunk=chunk, **grid)
        return PointTracks(tracks[0, :length].float().cpu().clone(), visible[0, :length].bool().cpu().clone())

    def _chunk(self, frames: Sequence[Tensor], first: int, end: int, size: tuple[int, int]) -> Tensor:
        """Frames ``first .. end - 1``, as far as there are any: ``(1, t, 3, H, W)`` float32 in [0, 255]."""
        chosen = [frames[index] for index in range(first, min(end, len(frames)))]
        for frame in chosen:
            check_frame(frame, size)
        return torch.stack(chosen)[None].to(self.device, torch.float32)

    def _source(self) -> str:
        """``hub``, or the path of a checkout."""
        if self.checkout == "hub":
            return "hub"
        named = os.environ.get(CHECKOUT_VARIABLE, "") if self.checkout == "auto" else self.checkout
        if not named or not (Path(named).expanduser() / "hubconf.py").is_file():
            where = f"looked for hubconf.py in {named}" if named else f"${CHECKOUT_VARIABLE} is not set"
            raise DataNotFound(
                f"no checkout of CoTracker ({where}): git clone https://github.com/{REPOSITORY} (CC-BY-NC-4.0, "
                f"non-commercial) and name its folder in ${CHECKOUT_VARIABLE}, or set checkout: hub to let torch.hub fetch it"
            )
        return str(Path(named).expanduser())


def _predictor_from(source: str) -> Any:
    """The untrained online predictor, from a folder or, for ``hub``, from GitHub."""
    try:
        if source == "hub":
            return torch.hub.load(REPOSITORY, _ENTRY, trust_repo=True, pretrained=False)
        return torch.hub.load(source, _ENTRY, source="local", pretrained=False)
    except Exception as error:  # of the network, or of code that we do not know
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{_ENTRY} cannot be loaded from {source} ({type(error).__name__}: {reason}); give a checkout of "
            f"https://github.com/{REPOSITORY} of 2024-10 or later"
        ) from error


def _load_weights(model: torch.nn.Module, path: Path) -> None:
    """Copy the published weights into ``model``, exactly."""
    content = read_checkpoint(path)
    state = content["model"] if isinstance(content, dict) and isinstance(content.get("model"), dict) else content
    if not isinstance(state, dict):
        raise CheckpointMismatch(f"{path} holds no state dict; fetch {_FILE} again")
    if found := listed(differences(model.state_dict(), state)):
        raise CheckpointMismatch(f"{path} does not fit {_ENTRY}: {found}; fetch {_FILE} again")
    model.load_state_dict(state)
