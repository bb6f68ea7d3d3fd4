"""A corrupted frame depends on seed, clip name and frame index, on nothing else."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numba
import pytest
import torch
from numba.core import caching

from robustvos.corruptions import CORRUPTIONS, PRESETS, ROBUSTPVOS8, CorruptedFrames, compiled, corrupt_clip

every_kind = pytest.mark.parametrize(("name", "preset"), [(name, preset) for name in ROBUSTPVOS8 for preset in PRESETS])


@pytest.fixture(scope="module")
def clip():
    """Seven frames of 53x70, smooth with some noise."""
    y, x = torch.meshgrid(torch.linspace(0, 4, 53), torch.linspace(0, 5, 70), indexing="ij")
    base = 120 + 60 * torch.stack([torch.sin(x + y), torch.cos(y), torch.sin(2 * x)])
    noise = torch.randn(7, 3, 53, 70, generator=torch.Generator().manual_seed(0)) * 12
    return (base + noise).clamp(0, 255).to(torch.uint8)


@every_kind
def test_equal_arguments_give_equal_bits(clip, name, preset):
    first = corrupt_clip(clip, name, clip_name="a", seed=3, preset=preset)
    assert torch.equal(first, corrupt_clip(clip, name, clip_name="a", seed=3, preset=preset))


@every_kind
def test_seed_and_clip_name_change_the_result(clip, name, preset):
    first = corrupt_clip(clip, name, clip_name="a", seed=3, preset=preset)
    assert not torch.equal(first, corrupt_clip(clip, name, clip_name="b", seed=3, preset=preset))
    assert not torch.equal(first, corrupt_clip(clip, name, clip_name="a", seed=4, preset=preset))


@every_kind
def test_any_order_and_split_gives_the_same_frames(clip, name, preset):
    whole = corrupt_clip(clip, name, clip_name="a", preset=preset)
    order = [4, 0, 6, 2, 5, 1, 3]
    shuffled = corrupt_clip(clip[order], name, clip_name="a", preset=preset, indices=order, length=7)
    assert torch.equal(shuffled, whole[order])
    for t in range(7):
        alone = corrupt_clip(clip[t : t + 1], name, clip_name="a", preset=preset, indices=[t], length=7)
        assert torch.equal(alone[0], whole[t])


@every_kind
def test_one_prepared_corruption_can_render_a_frame_twice(clip, name, preset):
    prepared = CORRUPTIONS[name].prepare("a", 7, (53, 70), preset=preset)
    first = prepared.apply(clip[5:6], [5])
    prepared.apply(clip)
    assert torch.equal(prepared.apply(clip[5:6], [5]), first)


@every_kind
def test_lazy_frames_equal_the_dense_clip(clip, name, preset):
    whole = corrupt_clip(clip, name, clip_name="a", preset=preset, severity=2.5)
    lazy = CorruptedFrames(list(clip), name, clip_name="a", preset=preset, severity=2.5)
    assert len(lazy) == 7
    assert torch.equal(lazy[3], whole[3])
    assert torch.equal(lazy[-1], whole[6])
    assert torch.equal(torch.stack(lazy[1:6:2]), whole[1:6:2])
    assert torch.equal(torch.stack(list(lazy)), whole)


@every_kind
def test_worker_gets_the_same_frames_through_pickle(clip, name, preset):
    lazy = CorruptedFrames(list(clip), name, clip_name="a", preset=preset)
    expected = lazy[2]
    assert torch.equal(pickle.loads(pickle.dumps(lazy))[2], expected)


@every_kind
def test_number_of_threads_does_not_matter(name, preset):
    frame = torch.randint(0, 256, (1, 3, 301, 403), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = corrupt_clip(frame, name, clip_name="a", preset=preset)
        torch.set_num_threads(3)
        three = corrupt_clip(frame, name, clip_name="a", preset=preset)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one, three)


@every_kind
def test_memory_layout_does_not_matter(clip, name, preset):
    interleaved = clip.contiguous(memory_format=torch.channels_last)
    expected = corrupt_clip(clip, name, clip_name="a", preset=preset)
    assert torch.equal(corrupt_clip(interleaved, name, clip_name="a", preset=preset), expected)


@every_kind
@pytest.mark.parametrize("size", [(61, 83), (1, 1), (2, 40), (1100, 1000)], ids=str)  # the last is larger than a field
def test_compiled_loops_equal_torch_to_the_last_bit(name, preset, size, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=generator)
    frames[0] = frames[0] // 64 * 85  # few levels: many halves to round, many colours at the edge of their range
    for seed, severity in ((0, 3.0), (1, 5.0), (2, 0.5)):
        prepared = CORRUPTIONS[name].prepare("a", 9, size, seed=seed, severity=severity, preset=preset)
        expected = prepared.apply(frames, [1, 8])
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "serves", lambda device: False)
            assert torch.equal(prepared.apply(frames, [1, 8]), expected)


def test_compiled_loops_stay_within_their_arrays(tmp_path):
    """Numba checks indices if it is told to, which its cache does not know of."""
    script = """if True:
        import torch
        from robustvos.corruptions import ROBUSTPVOS8, corruption_class
        for size in ((1, 1), (1, 70), (70, 1), (3, 5), (61, 83), (1100, 1000)):
            frames = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
            for kind in map(corruption_class, ROBUSTPVOS8):
                for preset in ("intended", "release"):
                    kind.prepare("a", 9, size, severity=5.0, preset=preset).apply(frames, [8])
        import sys, numpy as np
        from robustvos.corruptions import compiled
        four, nine = np.zeros((3, 4), np.uint8), np.zeros(9, np.int16)
        try:
            compiled.cover(four, nine, 0, 0, 0, four)
        except IndexError:
            sys.exit(0)
        sys.exit("nothing is checked")
    """
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_a_full_disk_does_not_stop_what_was_compiled(monkeypatch):
    def save_nothing(self, overload_path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", save_nothing)
    doubled = compiled._compile(double)
    assert doubled(2) == 4
    assert not list(Path(doubled._cache.cache_path).glob("*.double-*.nbi"))  # no index without code


def double(value):
    return 2 * value


def test_loops_are_compiled_where_nothing_can_be_kept(monkeypatch):
    compile_anyhow = numba.njit

    def compile_without_cache(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_anyhow(**options)

    monkeypatch.setattr(numba, "njit", compile_without_cache)
    assert compiled._compile(lambda value: value + 1)(2) == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_kind
def test_gpu_equals_cpu_within_rounding(clip, name, preset):
    expected = corrupt_clip(clip, name, clip_name="a", preset=preset)
    got = corrupt_clip(clip.cuda(), name, clip_name="a", preset=preset).cpu()
    assert (got.int() - expected.int()).abs().float().mean() < 0.1
