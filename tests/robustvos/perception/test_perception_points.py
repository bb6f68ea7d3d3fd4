"""Point tracks against motions that are known to a fraction of a pixel."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from robustvos.errors import BadPrompt, BadVideo, CheckpointMismatch, UserError
from robustvos.perception import CoTracker, LucasKanade, PlanarLucasKanade, TemplateMatching
from robustvos.perception.lucas_kanade import fit_motion, warped

HEIGHT, WIDTH = 120, 160
EMBEDDED = [LucasKanade, PlanarLucasKanade, TemplateMatching]


def textured(height: int, width: int, seed: int = 0) -> np.ndarray:
    """``(H, W, 3)`` uint8, smooth random texture with gradients everywhere."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low) * 255).astype(np.uint8)


def as_frame(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).contiguous()


def moved(motion: np.ndarray, light: float = 1.0) -> Tensor:
    pixels = cv2.warpPerspective(textured(HEIGHT, WIDTH), motion, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    return as_frame((pixels * light).astype(np.uint8))


def sliding(length: int = 10, step: tuple[float, float] = (1.7, -0.6)) -> list[np.ndarray]:
    return [np.array([[1, 0, step[0] * t], [0, 1, step[1] * t], [0, 0, 1.0]]) for t in range(length)]


def swinging(length: int = 25) -> list[np.ndarray]:
    """A front that opens on a hinge at its left side, seen by a pinhole camera."""
    focal, depth, left = 150.0, 200.0, 30.0
    motions = []
    for t in range(length):
        angle = np.radians(50.0 * t / (length - 1))
        corners = np.array([[30, 20], [130, 20], [130, 100], [30, 100]], np.float32)
        reach = corners[:, 0] - left
        x = left + reach * np.cos(angle) - WIDTH / 2
        z = depth - reach * np.sin(angle)
        seen = np.stack([x * depth / z + WIDTH / 2, (corners[:, 1] - HEIGHT / 2) * depth / z + HEIGHT / 2], 1)
        motions.append(cv2.getPerspectiveTransform(corners, seen.astype(np.float32)))
    assert focal
    return motions


def grid(frame: int = 0, inset: int = 40, step: int = 12) -> Tensor:
    ys, xs = torch.meshgrid(
        torch.arange(inset, HEIGHT - inset + 1, step), torch.arange(inset, WIDTH - inset + 1, step), indexing="ij"
    )
    return torch.stack([torch.full_like(xs, frame), xs, ys], -1).reshape(-1, 3).float()


def errors(tracks, motions, queries) -> np.ndarray:
    """``(T, N)`` distances to where the points truly are; all queries on frame 0."""
    truth = np.stack([warped(queries[:, 1:].numpy(), motion) for motion in motions])
    return np.linalg.norm(tracks.points.numpy() - truth, axis=-1)


@pytest.mark.parametrize("kind", EMBEDDED)
def test_sliding_texture_is_followed_to_a_fraction_of_a_pixel(kind):
    motions, queries = sliding(), grid()
    tracks = kind().track([moved(m) for m in motions], queries)
    assert tracks.visible.float().mean() > 0.95
    assert errors(tracks, motions, queries)[tracks.visible.numpy()].mean() < 0.3


def test_hinge_does_not_drift_where_every_frame_is_registered_again():
    motions, queries = swinging(), grid(inset=34, step=6)
    frames = [moved(m) for m in motions]
    planar, chained = (kind().track(frames, queries) for kind in (PlanarLucasKanade, LucasKanade))
    assert planar.visible[-1].float().mean() > 0.8
    last = errors(planar, motions, queries)[-1]
    assert last.max() < 0.1
    alive = chained.visible[-1].numpy()
    assert alive.mean() > 0.5 and errors(chained, motions, queries)[-1][alive].mean() > 10 * last[alive].mean()


def test_template_does_not_mind_light_that_changes():
    motions, queries = sliding(), grid()
    tracks = TemplateMatching().track([moved(m, 1.0 - 0.06 * t) for t, m in enumerate(motions)], queries)
    assert tracks.visible.float().mean() > 0.9
    assert errors(tracks, motions, queries)[tracks.visible.numpy()].mean() < 0.3


@pytest.mark.parametrize("kind", EMBEDDED)
def test_hidden_points_are_not_called_visible(kind):
    motions, queries = sliding(6), grid()
    frames = [moved(m) for m in motions]
    for t in (3, 4, 5):
        frames[t] = as_frame(textured(HEIGHT, WIDTH, seed=99))
    tracks = kind().track(frames, queries)
    assert tracks.visible[:3].float().mean() > 0.95 and tracks.visible[3:].float().mean() < 0.2
    assert not tracks.points.isnan().any()


def test_template_finds_again_what_was_hidden():
    motions, queries = sliding(6, (1.0, 0.5)), grid()
    frames = [moved(m) for m in motions]
    frames[3] = as_frame(textured(HEIGHT, WIDTH, seed=99))
    tracks = TemplateMatching().track(frames, queries)
    assert tracks.visible[3].float().mean() < 0.2 and tracks.visible[4:].float().mean() > 0.95
    assert errors(tracks, motions, queries)[4:].mean() < 0.3


@pytest.mark.parametrize("kind", EMBEDDED)
def test_points_begin_where_they_are_given(kind):
    motions = sliding(6)
    queries = torch.cat([grid(0)[:6], grid(3)[:6]])
    tracks = kind().track([moved(m) for m in motions], queries)
    assert tracks.points[:3, 6:].isnan().all() and not tracks.visible[:3, 6:].any()
    torch.testing.assert_close(tracks.points[3, 6:], queries[6:, 1:])
    assert tracks.visible[3, 6:].all()
    shift = tracks.points[5, 6:] - queries[6:, 1:]
    torch.testing.assert_close(shift, torch.tensor([3.4, -1.2]).expand(6, 2), atol=0.3, rtol=0)


@pytest.mark.parametrize("kind", EMBEDDED)
def test_same_frames_same_tracks(kind):
    frames = [moved(m) for m in swinging(6)]
    first, second = kind().track(frames, grid()), kind().track(frames, grid())
    assert torch.equal(first.points, second.points) and torch.equal(first.visible, second.visible)


@pytest.mark.parametrize("kind", EMBEDDED)
def test_points_that_leave_the_frame_are_lost(kind):
    motions = sliding(12, (9.0, 0.0))
    tracks = kind().track([moved(m) for m in motions], torch.tensor([[0.0, WIDTH - 12.0, 60.0]]))
    assert not tracks.visible[-1].any()


@pytest.mark.parametrize("kind", [*EMBEDDED, CoTracker])
def test_bad_queries_are_refused_before_anything_is_loaded(kind):
    frames = [moved(np.eye(3))] * 2
    tracker = kind()
    assert tracker.track(frames, torch.zeros(0, 3)).points.shape == (2, 0, 2)
    for query, said in [
        ([2, 1, 1], "frame 2"),
        ([0.5, 1, 1], "frame 0.5"),
        ([0, 160, 1], "outside the frame of 160x120"),
    ]:
        with pytest.raises(BadPrompt, match=said):
            tracker.track(frames, torch.tensor([query]))
    with pytest.raises(BadPrompt, match=r"\(N, 3\)"):
        tracker.track(frames, torch.zeros(3, 2))
    with pytest.raises(BadVideo, match="empty"):
        tracker.track([], torch.zeros(1, 3))


def test_settings_out_of_range_are_refused():
    for make in (lambda: LucasKanade(back_px=0), lambda: LucasKanade(window=1), lambda: TemplateMatching(patch=4)):
        with pytest.raises(UserError):
            make()


def test_motion_is_as_free_as_its_points_allow():
    origin = grid()[:, 1:].numpy()
    hinge = swinging()[10]
    matrix, inliers = fit_motion(origin, warped(origin, hinge))
    np.testing.assert_allclose(warped(origin, matrix), warped(origin, hinge), atol=0.05)
    assert inliers.all()
    turned = np.array([[0.9, -0.2, 3], [0.2, 0.9, 5], [0, 0, 1.0]])
    few, _ = fit_motion(origin[:5], warped(origin[:5], turned))
    np.testing.assert_allclose(few, turned, atol=1e-3)
    two, _ = fit_motion(origin[:2], origin[:2] + np.float32([4, 5]))
    np.testing.assert_allclose(two, [[1, 0, 4], [0, 1, 5], [0, 0, 1]], atol=1e-5)
    assert fit_motion(origin[:0], origin[:0]) is None


HUBCONF = '''
"""A double of co-tracker's hubconf: the online predictor's exact contract, and the truth written into the pixels."""
import torch


class Model(torch.nn.Module):
    window_len = 16

    def __init__(self):
        super().__init__()
        self.step_x = torch.nn.Parameter(torch.tensor([1.0]))


class Predictor(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Model()
        self.step = self.model.window_len // 2
        self.queries = None
        self.calls = []

    def forward(self, video_chunk, is_first_step=False, queries=None, grid_size=5, grid_query_frame=0, add_support_grid=False):
        B, T, C, H, W = video_chunk.shape
        assert B == 1 and C == 3 and video_chunk.dtype == torch.float32
        assert T <= self.model.window_len, "Online mode: video chunk must be <= window size."
        if is_first_step:
            assert queries.shape[0] == 1 and queries.shape[2] == 3
            self.N, self.seen = queries.shape[1], 0
            extra = torch.zeros(1, 36 if add_support_grid else 0, 3)
            self.queries = torch.cat([queries, extra], 1)
            return (None, None)
        index = video_chunk[0, :, 0, 0, 0].round().long()  # which frames these are
        first = 0 if self.seen == 0 else self.seen - self.step
        assert index.tolist() == list(range(first, first + T)), (index, first)
        self.seen = first + T
        N = self.N if add_support_grid else self.queries.shape[1]
        t = torch.arange(self.seen, dtype=torch.float32)[:, None]
        x = self.queries[0, :N, 1] + self.model.step_x * (t - self.queries[0, :N, 0])
        y = self.queries[0, :N, 2].expand_as(x)
        return torch.stack([x, y], -1)[None], (t - self.queries[0, :N, 0] < 10)[None]


def cotracker3_online(*, pretrained=True, **kwargs):
    assert not pretrained, "the double has no weights on the net"
    return Predictor()
'''


@pytest.fixture
def double(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "co-tracker"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    monkeypatch.setenv("ROBUSTVOS_COTRACKER", str(folder))
    return folder


def counted(length: int) -> list[Tensor]:
    return [torch.full((3, 40, 60), t, dtype=torch.uint8) for t in range(length)]


@pytest.mark.parametrize("length", [1, 3, 8, 9, 16, 17, 24, 25, 40])
@pytest.mark.parametrize("support", [True, False])
def test_cotracker_is_called_as_its_contract_says(double, length, support):
    queries = torch.tensor([[0.0, 5.0, 6.0], [min(2.0, length - 1), 10.0, 20.0]])
    tracks = CoTracker("random", support_grid=support).track(counted(length), queries)
    assert tracks.points.shape == (length, 2, 2) and tracks.visible.shape == (length, 2)
    start = int(queries[1, 0])
    assert tracks.points[:start, 1].isnan().all() and not tracks.visible[:start, 1].any()
    steps = torch.arange(length - start, dtype=torch.float32)
    torch.testing.assert_close(tracks.points[start:, 1, 0], 10.0 + steps)
    assert torch.equal(tracks.visible[start:, 1], steps < 10)


def test_cotracker_forgets_the_clip_before(double):
    tracker = CoTracker("random")
    tracker.track(counted(30), torch.tensor([[0.0, 5.0, 6.0]]))
    again = tracker.track(counted(12), torch.tensor([[0.0, 7.0, 6.0]]))
    torch.testing.assert_close(again.points[:, 0, 0], 7.0 + torch.arange(12))


def test_cotracker_loads_its_file_exactly(double, tmp_path):
    queries = torch.tensor([[0.0, 5.0, 6.0]])
    torch.save({"model": {"step_x": torch.tensor([2.0])}}, tmp_path / "scaled_online.pth")
    tracks = CoTracker(str(tmp_path / "scaled_online.pth")).track(counted(4), queries)
    torch.testing.assert_close(tracks.points[:, 0, 0], 5.0 + 2 * torch.arange(4))
    torch.save({"other": torch.tensor([2.0])}, tmp_path / "scaled_online.pth")
    with pytest.raises(CheckpointMismatch, match=r"1 missing \(step_x\); 1 unexpected"):
        CoTracker(str(tmp_path)).load()
    (tmp_path / "scaled_online.pth").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointMismatch, match="not a readable checkpoint"):
        CoTracker(str(tmp_path)).load()


def test_checkout_that_is_another_is_refused_in_one_line(tmp_path):
    (tmp_path / "hubconf.py").write_text("def something_else(): ...\n")
    with pytest.raises(UserError, match="cotracker3_online cannot be loaded") as caught:
        CoTracker("random", str(tmp_path)).load()
    assert "\n" not in str(caught.value)


REAL = os.environ.get("ROBUSTVOS_COTRACKER")


@pytest.mark.skipif(not REAL, reason="ROBUSTVOS_COTRACKER names no checkout of facebookresearch/co-tracker")
def test_real_cotracker_answers_for_every_frame():
    tracks = CoTracker("random", REAL).track([moved(m) for m in sliding(11)], grid()[:3])
    assert tracks.points.shape == (11, 3, 2) and not tracks.points.isnan().any()
