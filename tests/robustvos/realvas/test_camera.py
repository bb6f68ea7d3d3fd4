from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robustvos.files.stage import Result, StageResults
from robustvos.files.stage_runner import run_stage
from robustvos.realvas.camera import Camera, CameraSettings, choose_path, write_moved_clip
from robustvos.realvas.camera_checks import CameraLimits, check_path, mask_pixels
from robustvos.realvas.camera_paths import MOTIONS, CameraPath, PathSettings, random_path, static_path, view_size
from robustvos.realvas.camera_warp import warp_frame, warp_masks
from robustvos.video.native import read_native_clip
from robustvos.video.native_writer import write_native_clip

SIZE, FRAMES = (96, 128), 24


def corners(size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]], float)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_view_stays_inside_of_the_recorded_frame_and_moves(motion, seed):
    path = random_path(motion, FRAMES, SIZE, (seed,))
    back = np.linalg.inv(path.matrices) @ corners(path.size).T
    seen = back[:, :2] / back[:, 2:]
    assert seen.min() > -1e-3 and seen[:, 0].max() < SIZE[1] - 1 + 1e-3 and seen[:, 1].max() < SIZE[0] - 1 + 1e-3
    assert np.abs(path.matrices[0] - path.matrices[-1]).max() > 0.01 or "shake" in motion
    assert path.size == (72, 96)


def test_paths_are_eased_and_depend_on_the_seed_alone():
    path = random_path("translation", 60, SIZE, (1, "a"))
    steps = np.linalg.norm(np.diff(path.matrices[:, :2, 2], axis=0), axis=1)
    assert steps[0] < 0.2 * steps.max() and steps[-1] < 0.2 * steps.max()
    np.testing.assert_array_equal(path.matrices, random_path("translation", 60, SIZE, (1, "a")).matrices)
    assert np.abs(path.matrices - random_path("translation", 60, SIZE, (1, "b")).matrices).max() > 1


def test_pan_is_a_rotation_about_the_lens():
    settings = PathSettings(focal=1.0)
    path = random_path("pan", FRAMES, SIZE, (0,), settings)
    length = float(max(SIZE))
    recorded, view = (
        np.array([[length, 0, (s[1] - 1) / 2], [0, length, (s[0] - 1) / 2], [0, 0, 1]]) for s in (SIZE, path.size)
    )
    for matrix in path.matrices:
        rotation = np.linalg.inv(view) @ matrix @ recorded
        rotation /= np.cbrt(np.linalg.det(rotation))
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


def test_unknown_motion_is_refused():
    with pytest.raises(ValueError, match="no motion 'dolly'"):
        random_path("dolly", FRAMES, SIZE, (0,))


def test_whole_pixel_view_is_a_crop_exactly():
    frame = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    masks = torch.rand(4, 20, 30, generator=torch.Generator().manual_seed(1)) > 0.5
    matrix = np.array([[1, 0, -5], [0, 1, -3], [0, 0, 1.0]])
    assert bool((warp_frame(frame, matrix, (10, 16)) == frame[:, 3:13, 5:21]).all())
    assert bool((warp_masks(masks, matrix, (10, 16)) == masks[:, 3:13, 5:21]).all())
    assert warp_masks(masks[:0], matrix, (10, 16)).shape == (0, 10, 16)


def test_mask_is_warped_to_half_covered_pixels_as_a_peer_computes_them():
    """Against supersampling: 64 points a pixel, nearest pixel of the recorded mask, half of them inside."""
    mask = torch.zeros(1, 40, 50, dtype=torch.bool)
    mask[0, 10:30, 12:37] = True
    path = random_path("zoom", FRAMES, (40, 50), (3,))
    matrix = path.matrices[FRAMES // 2]
    got = warp_masks(mask, matrix, path.size)[0].numpy()
    height, width = path.size
    offsets = (np.arange(8) + 0.5) / 8 - 0.5
    rows = (np.arange(height)[:, None] + offsets).ravel()
    columns = (np.arange(width)[:, None] + offsets).ravel()
    x, y = np.meshgrid(columns, rows)
    source = np.linalg.inv(matrix) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    sx, sy = (np.round(source[i] / source[2]).astype(int) for i in (0, 1))
    inside = (sx >= 0) & (sx < 50) & (sy >= 0) & (sy < 40)
    hits = np.zeros(x.size, bool)
    hits[inside] = mask[0].numpy()[sy[inside], sx[inside]]
    expected = hits.reshape(height, 8, width, 8).mean((1, 3)) >= 0.5
    assert (got != expected).mean() < 0.01 and got.sum() > 300


def test_visible_stays_part_of_whole_and_frames_move_as_masks_do():
    generator = torch.Generator().manual_seed(2)
    whole = torch.rand(1, 60, 80, generator=generator) > 0.4
    seen = whole & (torch.rand(1, 60, 80, generator=generator) > 0.3)
    square = torch.zeros(1, 60, 80, dtype=torch.bool)
    square[0, 20:40, 30:55] = True
    frame = (square.expand(3, -1, -1) * 255).to(torch.uint8)
    for motion in MOTIONS:
        path = random_path(motion, 9, (60, 80), (0,))
        both = warp_masks(torch.cat([seen, whole]), path.matrices[4], path.size)
        assert not bool((both[0] & ~both[1]).any())
        moved = warp_masks(square, path.matrices[4], path.size)[0]
        assert bool(((warp_frame(frame, path.matrices[4], path.size)[0] >= 128) == moved).all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: warps on a GPU are not compared")
def test_gpu_gives_the_same_pixels():
    frame = torch.randint(0, 256, (3, 90, 120), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    masks = torch.rand(3, 90, 120, generator=torch.Generator().manual_seed(1)) > 0.5
    for motion in MOTIONS:
        path = random_path(motion, 5, (90, 120), (0,))
        for matrix in path.matrices:
            assert bool(
                (warp_frame(frame.cuda(), matrix, path.size).cpu() == warp_frame(frame, matrix, path.size)).all()
            )
            assert bool(
                (warp_masks(masks.cuda(), matrix, path.size).cpu() == warp_masks(masks, matrix, path.size)).all()
            )


def square_at(x: int, y: int, side: int = 20) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def shifted(dx: float, frames: int, size: tuple[int, int] = (72, 96)) -> CameraPath:
    """A window that starts in the middle and slides by ``dx`` pixels."""
    matrices = np.repeat(np.eye(3)[None], frames, axis=0)
    matrices[:, 0, 2], matrices[:, 1, 2] = -16 - np.linspace(0, dx, frames), -12
    return CameraPath("translation", matrices, size)


def test_checks_count_pixels_in_view_and_hidden():
    amodal = [square_at(40, 40)] * 5
    modal = [
        amodal[0],
        amodal[0],
        square_at(40, 40) & ~square_at(50, 30, 40),
        square_at(40, 40) & ~square_at(50, 30, 40),
        amodal[0],
    ]
    pixels = [mask_pixels(a, m) for a, m in zip(amodal, modal, strict=True)]
    kept = check_path(shifted(0, 5), pixels)
    assert (kept.visible, kept.first, kept.reason) == (1.0, 1.0, "")
    assert kept.severity == pytest.approx(1.0)
    # 30 pixels to the right, the window starts at column 46: 6 of the object's 20 columns are lost
    lost = check_path(shifted(30, 5), pixels)
    assert lost.visible == pytest.approx(14 / 20) and lost.reason == "object leaves the view"
    late = CameraPath("pan", shifted(30, 5).matrices[::-1].copy(), (72, 96))
    assert check_path(late, pixels).reason == "query not all in view"
    # from frame 2 on the window ends before column 51: one of the ten hidden columns is seen, and all that are not hidden
    aside = shifted(0, 5)
    aside.matrices[2:, 0, 2] = 45
    hidden_lost = check_path(aside, pixels, CameraLimits(visible=0.0))
    assert hidden_lost.severity == pytest.approx((1 / 11) / 0.5) and hidden_lost.reason == "occlusion is lost"


def drawn_clip(folder: Path, name: str, x: int = 50) -> Path:
    rng = np.random.default_rng(0)
    background = rng.integers(0, 255, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    frames, modal, amodal = [], [], []
    for t in range(12):
        whole = square_at(x, 36)
        hidden = square_at(x - 30 + 4 * t, 30, 32)
        picture = background.copy()
        picture[whole] = (250, 30, 30)
        picture[hidden] = (20, 200, 40) if t > 1 else picture[hidden]
        frames.append(torch.from_numpy(picture).permute(2, 0, 1))
        amodal.append(torch.from_numpy(whole))
        modal.append(torch.from_numpy(whole & ~hidden) if t > 1 else torch.from_numpy(whole))
    write_native_clip(folder / name, frames, modal, amodal, category="occlusion", fps=12.0, source="drawn")
    return folder / name


def results_of(*folders: Path, figures: dict | None = None) -> dict[str, StageResults]:
    results = tuple(Result(folder.name, folder.name, None, figures or {}, "f", folder) for folder in folders)
    return {"composite": StageResults("composite", folders[0].parent, results, {}, 0)}


def test_stage_writes_a_moved_clip_whose_truth_is_the_warped_truth(tmp_path):
    clips = [drawn_clip(tmp_path / "composite", name) for name in ("one", "two")]
    stage = Camera(tmp_path, CameraSettings(seed=1))
    done = run_stage(stage, tmp_path, results_of(*clips), progress=False)
    assert [result.key for result in done.kept] == ["one", "two"]
    for result, source in zip(done.kept, clips, strict=True):
        assert result.figures["motion"] in MOTIONS and result.figures["passed"] > 0
        before, after = read_native_clip(source), read_native_clip(result.folder)
        camera = after.details["camera"]
        assert after.frames.size == view_size(SIZE, 0.75) and len(after.frames) == 12
        assert (after.category, after.details["source"], after.details["fps"]) == ("occlusion", "drawn", 12.0)
        for t in (0, 5, 11):
            matrix = np.array(camera["matrices"][t])
            expected = warp_masks(torch.cat([before.modal[t], before.amodal[t]]), matrix, after.frames.size)
            assert bool((expected == torch.cat([after.modal[t], after.amodal[t]])).all())
    again = run_stage(stage, tmp_path / "again", results_of(*clips), progress=False)
    for a, b in zip(done.kept, again.kept, strict=True):
        files = [sorted(p for p in r.folder.rglob("*") if p.is_file()) for r in (a, b)]
        assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


def same_files(a: Path, b: Path) -> bool:
    files = [sorted(p for p in folder.rglob("*") if p.is_file()) for folder in (a, b)]
    return [p.relative_to(a) for p in files[0]] == [p.relative_to(b) for p in files[1]] and all(
        p.read_bytes() == q.read_bytes() for p, q in zip(*files, strict=True)
    )


class Noted:
    """A sequence that notes what is asked of it, and when."""

    def __init__(self, kind: str, inside, asked: list) -> None:
        self.kind, self.inside, self.asked = kind, inside, asked

    def __len__(self):
        return len(self.inside)

    def __getattr__(self, name):
        return getattr(self.inside, name)

    def __getitem__(self, t):
        self.asked.append((self.kind, t))
        return self.inside[t]


def test_frames_and_masks_are_read_one_by_one_and_once(tmp_path):
    clip, asked = read_native_clip(drawn_clip(tmp_path, "one")), []
    noted = {name: Noted(name, getattr(clip, name), asked) for name in ("frames", "modal", "amodal")}
    path = random_path("translation", 12, SIZE, (0,))
    (tmp_path / "moved").mkdir()
    write_moved_clip(tmp_path / "moved", replace(clip, **noted), path, {})
    assert asked == [(name, t) for t in range(12) for name in ("frames", "modal", "amodal")]


def test_pixels_of_a_clip_take_a_quarter_of_what_they_are_computed_in():
    pixels = mask_pixels(square_at(40, 40), square_at(40, 40))
    assert pixels.whole.nbytes == 400 * 2 * 2 and pixels.whole.max() == 59


def test_clip_that_no_motion_suits_stays_static(tmp_path):
    # At the border a view of three quarters that holds the object has no room to move.
    clip = read_native_clip(drawn_clip(tmp_path / "composite", "corner", x=107))
    choice = choose_path(clip, "corner", replace(CameraSettings(), motions=("translation", "pan"), draws=3))
    assert choice.path.motion == "static" and choice.passed == 0
    assert sum(choice.refused.values()) == 6
    np.testing.assert_array_equal(choice.path.matrices, static_path(12, SIZE).matrices)
    done = run_stage(
        Camera(tmp_path, CameraSettings(motions=("translation",), draws=2)),
        tmp_path,
        results_of(clip.frames.path.parent),
        progress=False,
    )
    (result,) = done.kept
    assert result.figures["motion"] == "static" and same_files(result.folder, clip.frames.path.parent)


def test_clip_of_a_moving_camera_is_left_as_recorded(tmp_path):
    clip = drawn_clip(tmp_path / "composite", "one")
    done = run_stage(Camera(tmp_path), tmp_path, results_of(clip, figures={"camera": "moving"}), progress=False)
    assert done.kept[0].figures["motion"] == "as recorded" and same_files(done.kept[0].folder, clip)
    assert json.loads((tmp_path / "camera" / "manifest.jsonl").read_text().splitlines()[0])["key"] == "one"
