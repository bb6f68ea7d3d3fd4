"""The streaming tracker beside SAM 2's video predictor: speed for 1 and 3 objects, and memory over long videos.

Both read the same JPEG frames with the same random weights, in turn, in one process; the table gives medians and the
ratio, which is what carries over to other machines. Memory is the peak of ours alone, after a hundred and
after a thousand frames::

    python benchmarks/bench_tracker.py --variant sam2.1_hiera_t --size 1024 --frames 30
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from result_file import RESULTS, write_result
from torch import Tensor

from robustvos.sam2.build import architecture, build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.tracker import Tracker, track
from robustvos.types import Prompt

HEIGHT, WIDTH = 480, 854


def make_prompts(count: int) -> list[Prompt]:
    """Boxes side by side on the first frame."""
    step = WIDTH / (count + 1)
    return [Prompt(i + 1, box=torch.tensor([i * step, 100.0, i * step + 150, 300.0])) for i in range(count)]


@functools.cache
def texture() -> np.ndarray:
    """Wider than a frame, ``(H, W + 64, 3)`` uint8."""
    small = np.random.default_rng(0).integers(0, 256, (30, 60, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((WIDTH + 64, HEIGHT), Image.Resampling.BILINEAR))


def make_frame(index: int) -> np.ndarray:
    """The texture, panning: ``(H, W, 3)`` uint8."""
    return texture()[:, index % 64 : index % 64 + WIDTH]


def write_video(folder: Path, length: int) -> None:
    """``length`` JPEG files named as SAM 2's predictor wants them."""
    for index in range(length):
        Image.fromarray(make_frame(index)).save(folder / f"{index}.jpg")


def read_video(folder: Path, length: int) -> Iterator[Tensor]:
    """The same files as tensors, one at a time."""
    for index in range(length):
        with Image.open(folder / f"{index}.jpg") as image:
            yield torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def make_predictor(config: Sam2Config, model: Any) -> Any:
    """SAM 2's video predictor with the weights of ``model``; overlaps are left, so that logits can be compared."""
    from hydra.utils import instantiate

    node = architecture(config)
    node.merge_with({"_target_": "sam2.sam2_video_predictor.SAM2VideoPredictor", "non_overlap_masks": False})
    predictor = instantiate(node, _recursive_=True).eval()
    predictor.load_state_dict(model.state_dict())
    return predictor.to(model.device)


def run_ours(model: Any, folder: Path, length: int, count: int) -> Tensor:
    """Track, and keep the last logits for comparison."""
    results = track(model, read_video(folder, length), make_prompts(count), num_frames=length, non_overlapping=False)
    return deque(results, maxlen=1)[0].logits


@torch.inference_mode()
def run_peer(predictor: Any, folder: Path, length: int, count: int) -> Tensor:
    """The same through the predictor, its loading of frames included."""
    with contextlib.redirect_stderr(io.StringIO()):
        state = predictor.init_state(str(folder))
        for prompt in make_prompts(count):
            predictor.add_new_points_or_box(state, 0, prompt.object_id, box=prompt.box)
        logits = [masks for _, _, masks in predictor.propagate_in_video(state)]
    return logits[-1][:, 0]


def timed(function: Any, device: torch.device) -> tuple[float, Any]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start, result


def measure_speed(config: Sam2Config, device: torch.device, length: int, repeats: int) -> list[dict[str, Any]]:
    """Frames per second of both, in turn, after a warm-up."""
    model = build_sam2(config).to(device)
    predictor = make_predictor(config, model)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder, length)
        for count in (1, 3):
            ours, peer = [], []
            for _ in range(repeats + 1):
                seconds, found = timed(lambda n=count: run_ours(model, folder, length, n), device)
                ours.append(length / seconds)
                seconds, expected = timed(lambda n=count: run_peer(predictor, folder, length, n), device)
                peer.append(length / seconds)
            difference = float((found - expected).abs().max())
            mine, theirs = statistics.median(ours[1:]), statistics.median(peer[1:])
            rows.append(
                {"objects": count, "ours": mine, "peer": theirs, "ratio": mine / theirs, "difference": difference}
            )
    return rows


def measure_memory(config: Sam2Config, device: torch.device, lengths: Sequence[int]) -> dict[int, float]:
    """Peak MiB so far, of the device or of this process, when each of ``lengths`` frames of one video are tracked."""
    tracker = Tracker(build_sam2(config).to(device))
    prompts = make_prompts(3)
    peaks = {}
    for index in range(max(lengths)):
        frame = torch.from_numpy(make_frame(index).copy()).permute(2, 0, 1)
        tracker.step(frame, prompts if index == 0 else [])
        if index + 1 in lengths:
            peaks[index + 1] = peak_mib(device)
    return peaks


def peak_mib(device: torch.device) -> float:
    """The most memory held at once since the process began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # Unix only, as is this measurement

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Measure, print a table and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", default="nano", help="a name of robustvos.sam2.config.VARIANTS")
    parser.add_argument(
        "--size", type=int, default=None, help="side of the model's square; the variant's own if not given"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--frames", type=int, default=30, help="length of the timed video")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--lengths", type=int, nargs=2, default=(100, 1000), help="video lengths whose memory is compared"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "tracker.json")
    arguments = parser.parse_args()
    config = Sam2Config(arguments.variant, checkpoint="random", image_size=arguments.size)
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    short, long = arguments.lengths
    memory = measure_memory(config, device, arguments.lengths)  # first: the peer's peak would hide ours
    growth = f"{memory[long] / memory[short] - 1:+.1%}"
    print(f"{arguments.variant}, {device}, frames of {WIDTH}x{HEIGHT}")
    print(
        f"peak, 3 objects: {memory[short]:.0f} MiB at {short} frames, {memory[long]:.0f} at {long} ({growth})",
        flush=True,
    )
    speed = measure_speed(config, device, arguments.frames, arguments.repeats)
    print(f"{'objects':>8} {'ours fps':>10} {'SAM 2 fps':>10} {'ratio':>7} {'max |logit difference|':>24}")
    for row in speed:
        print("{objects:8d} {ours:10.2f} {peer:10.2f} {ratio:7.2f} {difference:24.1e}".format(**row))
    write_result(arguments.out, vars(arguments), {"speed": speed, "peak_mib": memory})


if __name__ == "__main__":
    main()
