"""The streaming tracker beside SAM 2's video predictor: speed for 1, 3 and 10 objects, and memory over long videos.

Both read the same JPEG frames with the same random weights, in turn, in one process; the table gives medians and the
ratio, which is what carries over to other machines. On a CPU it is the CPU time of one thread. Overlaps are resolved on both
sides, as is our default, or left on both (``--overlaps left``). The table also shows which part of our time are matrix
products and convolutions, as a floor. MoGA stands beside plain SAM 2 for one object, frame by frame in turn. Memory is the
peak of ours alone, after a hundred and after a thousand frames::

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
from result_file import RESULTS, say_gpu_rows, write_result
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from robustvos.adapters import MoGA
from robustvos.sam2.build import architecture, build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.preprocess import RESIZING
from robustvos.sam2.tracker import Tracker, track
from robustvos.types import Prompt, TrackedFrame

HEIGHT, WIDTH = 480, 854
ADAPTER_WARM_UP = 20  # frames until the memory is full
PRODUCTS = ("mm", "linear", "matmul", "conv", "scaled_dot_product", "flash", "gemm")


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


def make_predictor(config: Sam2Config, model: Any, exclusive: bool) -> Any:
    """SAM 2's video predictor with the weights of ``model``."""
    from hydra.utils import instantiate

    node = architecture(config)
    node.merge_with({"_target_": "sam2.sam2_video_predictor.SAM2VideoPredictor", "non_overlap_masks": exclusive})
    predictor = instantiate(node, _recursive_=True).eval()
    predictor.load_state_dict(model.state_dict())
    return predictor.to(model.device)


def run_ours(model: Any, folder: Path, length: int, count: int, exclusive: bool) -> TrackedFrame:
    """Track, and keep the last result for comparison."""
    frames = read_video(folder, length)
    return deque(track(model, frames, make_prompts(count), num_frames=length, non_overlapping=exclusive), maxlen=1)[0]


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
    """Seconds and result of one call: of this process on a CPU, of the clock on a GPU."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    start = clock()
    result = function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start, result


def share_of_products(function: Any, device: torch.device) -> float:
    """Part of the operators' time of one call that matrix products, attention and convolutions take."""
    kind = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
    with profile(activities=[kind]) as profiler:
        function()
    times: dict[str, float] = {}
    for event in profiler.key_averages():
        times[event.key] = event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
    return sum(spent for name, spent in times.items() if any(word in name for word in PRODUCTS)) / sum(times.values())


def compare(found: TrackedFrame, expected: Tensor, exclusive: bool) -> tuple[float, int]:
    """Largest difference of logits where the predictor left them as they were, and number of pixels whose masks differ."""
    kept = expected > 0 if exclusive else torch.ones_like(expected, dtype=torch.bool)
    difference = (found.logits - expected).abs()[kept]
    return float(difference.max()) if len(difference) else 0.0, int((found.masks ^ (expected > 0)).sum())


def measure_speed(
    config: Sam2Config, device: torch.device, length: int, repeats: int, exclusive: bool
) -> list[dict[str, Any]]:
    """Frames per second of both, in turn, after a warm-up."""
    model = build_sam2(config).to(device)
    predictor = make_predictor(config, model, exclusive)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder, length)
        for count in (1, 3, 10):
            run = functools.partial(run_ours, model, folder, length, count, exclusive)
            ours, peer = [], []
            for _ in range(repeats + 1):
                seconds, found = timed(run, device)
                ours.append(length / seconds)
                seconds, expected = timed(lambda n=count: run_peer(predictor, folder, length, n), device)
                peer.append(length / seconds)
            difference, differing = compare(found, expected, exclusive)
            mine, theirs = statistics.median(ours[1:]), statistics.median(peer[1:])
            row = {"objects": count, "ours": mine, "peer": theirs, "ratio": mine / theirs, "difference": difference}
            rows.append(row | {"differing_pixels": differing, "products": share_of_products(run, device)})
    return rows


def measure_adapter(config: Sam2Config, device: torch.device, frames: int) -> dict[str, float]:
    """What MoGA adds to the time of a frame, for one object: two trackers take each frame in turn, either first in turn.

    The updates are not zero, as after training; how often components are open does not change the time.

    Returns:
        Median milliseconds a frame of ``plain`` SAM 2 and of ``moga``, the median ``ratio`` of the two on one frame, and the
        ``low`` and ``high`` of its 95 % interval.
    """
    models = [build_sam2(config).to(device) for _ in range(2)]
    adapter = MoGA().attach(models[1])
    for name, parameter in adapter.named_trainable_parameters():
        if name.endswith(".B"):
            torch.nn.init.normal_(parameter, std=0.01)
    trackers = [Tracker(model) for model in models]
    times: list[list[float]] = [[], []]
    for index in range(frames + ADAPTER_WARM_UP):
        frame = torch.from_numpy(make_frame(index).copy()).permute(2, 0, 1)
        prompts = make_prompts(1) if index == 0 else []
        for which in (0, 1) if index % 2 else (1, 0):
            seconds, _ = timed(functools.partial(trackers[which].step, frame, prompts), device)
            times[which].append(1e3 * seconds)
    plain, moga = (np.array(one[ADAPTER_WARM_UP:]) for one in times)
    drawn = np.random.default_rng(0).choice(moga / plain, (2000, frames))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return {
        "plain_ms": float(np.median(plain)),
        "moga_ms": float(np.median(moga)),
        "ratio": float(np.median(moga / plain)),
        "low": float(low),
        "high": float(high),
    }


def measure_parity(config: Sam2Config, device: torch.device, frames: int = 10) -> dict[str, float]:
    """Largest difference of one object's logits from those of SAM 2's predictor, from the same JPEG files, by our resizing."""
    model = build_sam2(config).to(device)
    predictor = make_predictor(config, model, False)
    differences = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder, frames)
        expected = run_peer(predictor, folder, frames, 1)
        for resizing in ("fast", "official"):
            setattr(model, RESIZING, resizing)
            found = run_ours(model, folder, frames, 1, False)
            differences[resizing] = float((found.logits - expected).abs().max())
    return differences


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
    parser.add_argument("--overlaps", choices=("resolved", "left"), default="resolved", help="alike on both sides")
    parser.add_argument(
        "--lengths", type=int, nargs=2, default=(100, 1000), help="video lengths whose memory is compared"
    )
    parser.add_argument("--adapter_frames", type=int, default=200, help="frames that MoGA is timed on")
    parser.add_argument("--out", type=Path, default=RESULTS / "tracker.json")
    arguments = parser.parse_args()
    config = Sam2Config(arguments.variant, checkpoint="random", image_size=arguments.size)
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    short, long = arguments.lengths
    memory = measure_memory(config, device, arguments.lengths)  # first: the peer's peak would hide ours
    growth = f"{memory[long] / memory[short] - 1:+.1%}"
    print(f"{arguments.variant}, {device}, frames of {WIDTH}x{HEIGHT}")
    print(
        f"peak, 3 objects: {memory[short]:.0f} MiB at {short} frames, {memory[long]:.0f} at {long} ({growth})",
        flush=True,
    )
    speed = measure_speed(config, device, arguments.frames, arguments.repeats, arguments.overlaps == "resolved")
    print(
        f"overlaps {arguments.overlaps} on both sides, {'CPU time of one thread' if device.type == 'cpu' else 'time'}"
    )
    print("objects   ours fps  SAM 2 fps   ratio   products   max |logit difference|   differing pixels")
    line = (
        "{objects:7d} {ours:10.2f} {peer:10.2f} {ratio:7.2f} {products:10.0%} {difference:24.1e} {differing_pixels:18d}"
    )
    for row in speed:
        print(line.format(**row))
    parity = measure_parity(config, device)
    print(
        "1 object from the same files, max |logit difference| to SAM 2's predictor: "
        "{official:.1e} with --sam2.resize official, {fast:.1e} by default".format(**parity)
    )
    adapter = measure_adapter(config, device, arguments.adapter_frames)
    print("MoGA over plain SAM 2, 1 object: {ratio:.3f} [{low:.3f}, {high:.3f}], {plain_ms:.1f} ms".format(**adapter))
    say_gpu_rows(
        device,
        "1.8x SAM 2's predictor for 3 objects",
        "memory of the device: 1,000 frames at most 5 % above 100",
        "training step, 1024 px, 4 frames, 3 objects, bf16: 1.3x faster or 0.6x the memory of SAM 2's training",
        "fit of moga_paper at 1024 px in bf16, peak memory; masks on CUDA equal to those on the CPU",
    )
    write_result(
        arguments.out, vars(arguments), {"speed": speed, "parity": parity, "adapter": adapter, "peak_mib": memory}
    )


if __name__ == "__main__":
    main()
