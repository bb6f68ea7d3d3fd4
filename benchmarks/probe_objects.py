"""What can be read of an object's own degradation from what SAM 2 remembers of it, on composites of real footage.

    OMP_NUM_THREADS=1 python benchmarks/probe_objects.py --root DATA                      # the frozen base
    OMP_NUM_THREADS=1 python benchmarks/probe_objects.py --root DATA --weights CHECKPOINT # a MoGA trained on it

Under ``mixed`` (``robustvos/corruptions/local.py``) each thing of a clip has a fate of its own: clear, out of focus, in the
dark or in fog. Four things that a gate could read are recorded, once for each object and frame: the mean of the object's
pointers in the memory, which MoGA's gates read; the memory features of the latest frame, averaged over the frame; the same
averaged over where the object was found; and as ``--model.adapter.reads maps`` begins to read them, which does not know where
that is (``robustvos/adapters/maps.py``). A ridge classifier, fitted on other clips than those it is asked about (four
folds), then tells the fate from each. Chance is what it knows when objects have exchanged their fates. With ``--weights``:
the same from the gates.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from held_back import HELD_BACK
from probe_gates import guesses
from torch import Tensor, nn

from datamodules.pasted import Pasted
from robustvos.adapters.gate import GatedAdapter, object_pointers, pointer_sizes, pointer_tokens
from robustvos.adapters.maps import MapReader
from robustvos.corruptions.base import ClipSpec
from robustvos.corruptions.local import FATES, Mixed
from robustvos.datasets.corruption import corrupted_video
from robustvos.datasets.pasted import HeldBackEvaluation, HeldBackVideos, Recipe
from robustvos.evaluation.protocol import Prompting
from robustvos.seeding import numpy_rng
from robustvos.systems.loading import load_system
from robustvos.systems.system import System
from robustvos.systems.tracking import track_video
from robustvos.types import Video

OBJECTS = 3  # in a clip, at most
SHUFFLES = 10
POINTERS, FRAME, OBJECT, READ, GATES = "pointers", "map, frame", "map, object", "map, reader", "gates"
Rows = dict[str, list[Tensor]]


class Recorder:
    """Takes down what a base remembers of each object, and an adapter's gates, frame by frame.

    Args:
        system: Whose base and adapter.
        gates: Where the adapter's latest gates are recorded; None: it has none.

    Attributes:
        rows: By what was read, ``(B, C)`` for each call.
        inside: Share of a reader's weight that lies where the object was found, one number for each object and frame.
    """

    def __init__(self, system: System, gates: dict[str, Tensor] | None) -> None:
        self.rows: Rows = {}
        self.inside: list[Tensor] = []
        self._reader = MapReader(system.model)
        attention, encoder = (system.model.get_submodule(name) for name in ("memory_attention", "memory_encoder"))
        _, width = pointer_sizes(system.model)
        attention.register_forward_pre_hook(partial(self._hear_pointers, width), with_kwargs=True)
        encoder.register_forward_hook(self._hear_memory)
        if gates is not None:
            self._gates = gates
            attention.register_forward_hook(self._hear_gates)

    def _add(self, name: str, rows: Tensor) -> None:
        self.rows.setdefault(name, []).append(rows)

    def _hear_pointers(self, width: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._add(POINTERS, object_pointers(pointer_tokens(module, args, kwargs), width).mean(0))

    def _hear_gates(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._add(GATES, torch.cat(list(self._gates.values()), dim=1))

    def _hear_memory(self, module: nn.Module, args: tuple[Any, ...], output: dict[str, Any]) -> None:
        features: Tensor = output["vision_features"]
        where = torch.nn.functional.adaptive_avg_pool2d(args[1].float(), features.shape[-2:])
        where = (where - where.amin(dim=(2, 3), keepdim=True)).clamp(min=1e-6)
        self._add(FRAME, features.mean(dim=(2, 3)))
        self._add(OBJECT, (features * where).sum(dim=(2, 3)) / where.sum(dim=(2, 3)))
        tokens = features.flatten(2).permute(2, 0, 1)[None]
        self._add(READ, self._reader(tokens)[0])
        share = where.flatten(1) / where.amax(dim=(1, 2, 3)).clamp(min=1e-6)[:, None]
        self.inside.append((self._reader.weight(tokens)[0].T * share).sum(1))


def fates_of(video: Video, videos: HeldBackVideos, index: int, severity: float) -> list[int]:
    """The fate of each object of a clip: that of the thing which most of its first mask shows."""
    layers = videos.layers(index, video)
    mixed = Mixed(ClipSpec(video.name, len(video.frames), video.size, severity=severity, layers=layers))
    assert video.masks is not None
    things = [int(np.bincount(layers.labels_at(0)[np.asarray(mask)]).argmax()) for mask in video.masks[0]]
    return [int(mixed.fates[thing]) for thing in things]


def gather(system: System, videos: HeldBackVideos, severity: float) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """By what was read: rows ``(n, C)``, fate ``(n,)``, and number of the object ``(n,)``: ``OBJECTS`` for each clip."""
    gated = isinstance(system.adapter, GatedAdapter) and system.adapter.is_gated
    with system.adapter.recording() if gated else nullcontext() as gates:
        recorder = Recorder(system, gates)
        return _gathered(system, videos, severity, recorder)


def _gathered(
    system: System, videos: HeldBackVideos, severity: float, recorder: Recorder
) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    found: dict[str, tuple[list[Tensor], list[int], list[int]]] = {}
    for index in range(len(videos)):
        video = videos.prompted(index, Prompting("mask"), None, "mixed")
        fates = fates_of(video, videos, index, severity)
        recorder.rows = {}
        clip = corrupted_video(video, "mixed", severity, "release", videos.layers(index, video))
        for _ in track_video(system.tracker(overlapping=False, num_frames=len(video.frames)), clip):
            pass
        for name, calls in recorder.rows.items():
            rows, labels, objects = found.setdefault(name, ([], [], []))
            for call in calls:
                assert len(call) == len(fates), f"{video.name}: {len(call)} rows of {len(fates)} objects"
                rows.extend(call.unbind(0))
                labels.extend(fates)
                objects.extend(OBJECTS * index + number for number in range(len(fates)))
    print(f"the reader's weight lies where the object was found: {100 * torch.cat(recorder.inside).mean():.0f} %")
    return {name: (torch.stack(a), torch.tensor(b), torch.tensor(c)) for name, (a, b, c) in found.items()}


def known(rows: Tensor, fates: Tensor, objects: Tensor) -> tuple[float, list[float]]:
    """Share of right guesses, mean over fates; and the same of each."""
    guessed = guesses(rows, fates, objects // OBJECTS, len(FATES))
    shares = [float((guessed[fates == fate] == fate).float().mean()) for fate in range(len(FATES))]
    return float(np.mean(shares)), shares


def by_chance(rows: Tensor, fates: Tensor, objects: Tensor) -> float:
    """The same when objects have exchanged their fates."""
    names, first = np.unique(objects.numpy(), return_index=True)
    own = fates.numpy()[first]
    found = []
    for number in range(SHUFFLES):
        exchanged = dict(zip(names, numpy_rng("probe objects", number).permutation(own), strict=True))
        found.append(known(rows, torch.tensor([exchanged[one] for one in objects.tolist()]), objects)[0])
    return float(np.mean(found))


def main() -> None:
    """Track, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="footage, as for --data pasted")
    parser.add_argument("--sam2", default="small")
    parser.add_argument("--weights", help="checkpoint of a MoGA; without it the frozen base")
    parser.add_argument("--clips", type=int, default=100, help="of two or three objects, of held-back footage")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--severity", type=float, default=3.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = HeldBackEvaluation(limit=options.clips, frames=options.frames, size=320, objects=OBJECTS, fewest=2)
    data = Pasted(options.root, held_back=HELD_BACK, recipe=Recipe(pasted=(0.0, 0.0, 0.5, 0.5)))
    videos = data.video_set("val", settings)
    assert isinstance(videos, HeldBackVideos)
    system = load_system(None if options.weights else "sam2", sam2=options.sam2, checkpoint=options.weights)
    with torch.inference_mode():
        found = gather(system, videos, options.severity)
    for name, (rows, fates, objects) in found.items():
        share, each = known(rows, fates, objects)
        told = ", ".join(f"{fate} {100 * one:.0f}" for fate, one in zip(FATES, each, strict=True))
        chance = by_chance(rows, fates, objects)
        print(
            f"{name} ({rows.shape[1]} numbers): fate known of {100 * share:.0f} % ({told}), by chance {100 * chance:.0f} %"
        )
    counts = torch.bincount(
        fates[torch.from_numpy(np.unique(objects.numpy(), return_index=True)[1])], minlength=len(FATES)
    )
    print("objects: " + ", ".join(f"{int(n)} {fate}" for n, fate in zip(counts, FATES, strict=True)))


if __name__ == "__main__":
    main()
