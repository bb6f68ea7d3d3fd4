"""What the gates of a trained MoGA read and decide, on procedural validation clips whose objects are degraded differently.

    python benchmarks/probe_gates.py                       # the adapter in the package
    python benchmarks/probe_gates.py runs/moga/version_0/checkpoints/last.ckpt --standardise

Three questions: how much of an object pointer is the same for every object; whether a linear classifier can read from a
pointer what its clip suffers from (cross-validated over clips); and how many components the gates open and shut always,
so that they decide nothing.
"""

from __future__ import annotations

import argparse

import cv2
import torch
from torch import Tensor

from lightning_modules.promptable_vos import PromptableVOS
from robustvos.adapters import MoGA
from robustvos.datasets.evaluation import EvaluationVideos
from robustvos.datasets.shapes import ShapesEvaluation, ShapesVideos
from robustvos.evaluation.protocol import protocol_named
from robustvos.sam2.config import PACKAGE_WEIGHTS, Sam2Config
from robustvos.sam2.tracker import Tracker
from robustvos.systems.tracking import track_video

CONDITIONS = ("clean", "depth_fog", "low_light", "local_blur", "lens_drops")
FOLDS = 4
RIDGE = 10.0


class Listener:
    """Gathers, from each tracked frame, what each object's gates read and the logits they made of it.

    Attributes:
        read: ``(C,)`` of each object and frame, the mean over the pointers in the memory, before any standardisation.
        logits: ``(layers * N * R,)`` of the same.
    """

    def __init__(self, adapter: MoGA) -> None:
        self.read: list[Tensor] = []
        self.logits: list[Tensor] = []
        self._layers: list[Tensor] = []
        adapter.standardisation.register_forward_hook(lambda module, given, out: self._hear(given[0]))
        for gate in adapter.pointer_gates:
            gate.register_forward_hook(lambda module, given, out: self._layers.append(out.mean(0).flatten(1)))

    def _hear(self, pointers: Tensor) -> None:
        self.flush()
        self.read += pointers.mean(0).unbind(0)

    def flush(self) -> None:
        """Close the latest frame."""
        if self._layers:
            self.logits += torch.cat(self._layers, dim=1).unbind(0)
        self._layers = []


def gather(sam2: torch.nn.Module, adapter: MoGA, clips: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is read ``(n, C)``, logits ``(n, K)``, condition ``(n,)`` and clip ``(n,)``, over all objects and frames."""
    listener = Listener(adapter)
    conditions: list[int] = []
    numbers: list[int] = []
    settings = ShapesEvaluation(limit=clips, conditions=CONDITIONS)
    videos = EvaluationVideos(ShapesVideos(settings, 128, "val"), settings, protocol_named("davis"))
    for index in range(len(videos)):
        video = videos[index]
        tracker = Tracker(sam2, non_overlapping=True, num_frames=len(video.frames))
        for _ in track_video(tracker, video):
            pass
        listener.flush()
        conditions += [index // clips] * (len(listener.read) - len(conditions))
        numbers += [index % clips] * (len(listener.read) - len(numbers))
    return torch.stack(listener.read), torch.stack(listener.logits), torch.tensor(conditions), torch.tensor(numbers)


def guesses(inputs: Tensor, labels: Tensor, clips: Tensor, count: int) -> Tensor:
    """What a ridge classifier, fitted on other clips (four folds), takes each row of ``inputs`` for.

    Args:
        inputs: ``(n, C)`` float.
        labels: ``(n,)`` int64 below ``count``.
        clips: ``(n,)`` int64, the clip of each row.
        count: Number of labels.

    Returns:
        ``(n,)`` int64.
    """
    found = torch.zeros_like(labels)
    for fold in range(FOLDS):
        known = clips % FOLDS != fold
        scaled = (inputs - inputs[known].mean(0)) / inputs[known].std(0).clamp(min=1e-6)
        rows = torch.cat([scaled, torch.ones(len(scaled), 1)], dim=1)
        wanted = torch.nn.functional.one_hot(labels[known], count).float()
        gram = rows[known].T @ rows[known] + RIDGE * torch.eye(rows.shape[1])
        found[~known] = (rows[~known] @ torch.linalg.solve(gram, rows[known].T @ wanted)).argmax(1)
    return found


def readable(pointers: Tensor, conditions: Tensor, clips: Tensor) -> Tensor:
    """``(5,)``, share of each condition's pointers that a ridge classifier, fitted on other clips, knows it from."""
    right = conditions[guesses(pointers, conditions, clips, len(CONDITIONS)) == conditions]
    return torch.bincount(right, minlength=len(CONDITIONS)) / torch.bincount(conditions, minlength=len(CONDITIONS))


def main() -> None:
    """Track, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shipped = PACKAGE_WEIGHTS / "nano_moga.safetensors"
    parser.add_argument("weights", nargs="?", default=str(shipped), help="checkpoint or exported adapter of nano's")
    parser.add_argument("--standardise", action="store_true", help="the adapter was trained with it")
    parser.add_argument("--clips", type=int, default=20, help="under each condition")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    adapter = MoGA(standardise=options.standardise)
    system = PromptableVOS(Sam2Config("nano"), adapter=adapter, weights=options.weights).eval()
    with torch.inference_mode():
        pointers, logits, conditions, clips = gather(system.sam2, adapter, options.clips)
        mean = pointers.mean(0)
        print(
            f"{len(pointers)} times an object was tracked on a frame, {options.clips} clips under {len(CONDITIONS)} conditions"
        )
        spread = (pointers - mean).norm(dim=1).mean()
        print(f"pointers: length of their mean {mean.norm():.1f}, of what remains {spread:.1f}")
        shares = readable(pointers, conditions, clips)
        told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in zip(CONDITIONS, shares, strict=True))
        print(f"condition read from a pointer: {told} (chance {100 / len(CONDITIONS):.0f} %)")
        is_open = logits > 0
        print(
            f"gates: {100 * is_open.float().mean():.0f} % open; {100 * is_open.all(0).float().mean():.0f} % of the components "
            f"always, {100 * (~is_open).all(0).float().mean():.0f} % never; logits vary by {logits.mean(0).std():.1f} from "
            f"component to component, by {logits.std(0).mean():.1f} from object to object and frame to frame"
        )


if __name__ == "__main__":
    main()
