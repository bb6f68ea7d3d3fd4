import json

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import BadMask, BadVideo, DataNotFound, UnknownName, UserError
from robustvos.files.atomic_folder import atomic_folder, remove_leftovers
from robustvos.video.native import find_native_clips, read_native_clip
from robustvos.video.native_writer import write_native_clip
from robustvos.video.occlusion_levels import FrameOcclusion

pytestmark = pytest.mark.fast

HEIGHT, WIDTH = 12, 16


def masks_of_a_vanishing_square() -> tuple[torch.Tensor, torch.Tensor]:
    """Whole and visible masks ``(5, H, W)``: in view, a quarter hidden, three quarters hidden, hidden, gone."""
    amodal = torch.zeros(5, HEIGHT, WIDTH, dtype=torch.bool)
    amodal[:4, 2:10, 4:12] = True
    modal = amodal.clone()
    modal[1, 2:4] = False
    modal[2, 2:8] = False
    modal[3] = False
    return modal, amodal


def frames(count: int = 5) -> torch.Tensor:
    grey = torch.arange(count, dtype=torch.uint8) * 40
    return grey[:, None, None, None].expand(count, 3, HEIGHT, WIDTH).clone()


@pytest.fixture
def clip(tmp_path):
    modal, amodal = masks_of_a_vanishing_square()
    write_native_clip(tmp_path / "clip", frames(), modal, amodal, category="surface", fps=25, seed=7)
    return tmp_path / "clip"


def save(array: np.ndarray, path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def tabe(tmp_path):
    """A clip as TABE-51's scripts write it: debug pictures beside, NaN and NONE among the levels, nothing else."""
    root = tmp_path / "TABE-51"
    for t in range(3):
        whole = np.zeros((HEIGHT, WIDTH), np.uint8)
        whole[3:9, 2 + t : 8 + t] = 255
        save(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), root / "ball_1" / "frames" / f"{t:05d}.jpg")
        save(whole, root / "ball_1" / "gt_masks" / f"{t:05d}.png")
        save(whole if t == 0 else np.zeros_like(whole), root / "ball_1" / "visible_masks" / f"{t:05d}.png")
        save(whole, root / "ball_1" / "debug_vis" / f"{t}.jpg")
    text = (
        '{"occlusion": [{"level": "NO_OCCLUSION", "amount": 0.0}, {"level": "SEVERE_OCCLUSION", "amount": NaN},'
        ' {"level": "NONE", "amount": null}]}'
    )
    (root / "ball_1" / "annos.json").write_text(text)
    return root


def test_round_trip(clip):
    modal, amodal = masks_of_a_vanishing_square()
    read = read_native_clip(clip)
    assert read.name == "clip"
    assert read.category == "surface"
    assert read.frames.fps == 25
    assert read.details == {"fps": 25, "seed": 7}
    assert read.frames.frame_names == ("00000", "00001", "00002", "00003", "00004")
    assert torch.equal(torch.stack(list(read.modal)), modal[:, None])
    assert torch.equal(torch.stack(list(read.amodal)), amodal[:, None])
    assert (torch.stack(list(read.frames)).int() - frames().int()).abs().max() <= 2


def test_levels_follow_the_hidden_fraction(clip):
    assert read_native_clip(clip).occlusion == (
        FrameOcclusion("NO_OCCLUSION", 0.0),
        FrameOcclusion("SLIGHT_OCCLUSION", 0.25),
        FrameOcclusion("SEVERE_OCCLUSION", 0.75),
        FrameOcclusion("SEVERE_OCCLUSION", 1.0),
        FrameOcclusion("NONE", None),
    )


def test_files_lie_where_the_format_says(clip):
    files = sorted(str(path.relative_to(clip)) for path in clip.rglob("*") if path.is_file())
    stems = [f"{t:05d}" for t in range(5)]
    expected = [f"frames/{s}.jpg" for s in stems] + [
        f"{k}/{s}.png" for k in ("gt_masks", "visible_masks") for s in stems
    ]
    assert files == sorted([*expected, "annos.json"])
    assert set(np.unique(np.array(Image.open(clip / "gt_masks" / "00000.png")))) == {0, 255}
    assert json.loads((clip / "annos.json").read_text())["occlusion"][1] == {
        "level": "SLIGHT_OCCLUSION",
        "amount": 0.25,
    }


def test_tabe_is_read_as_it_is(tabe):
    (read,) = find_native_clips(tabe)
    assert read.name == "ball_1"
    assert read.category is None
    assert read.frames.fps is None
    assert read.occlusion == (
        FrameOcclusion("NO_OCCLUSION", 0.0),
        FrameOcclusion("SEVERE_OCCLUSION", None),
        FrameOcclusion("NONE", None),
    )
    assert [int(mask.sum()) for mask in read.modal] == [36, 0, 0]
    assert [int(mask.sum()) for mask in read.amodal] == [36, 36, 36]


def test_annotations_may_be_absent(tabe):
    (tabe / "ball_1" / "annos.json").unlink()
    (read,) = find_native_clips(tabe)
    assert read.occlusion is None
    assert read.category is None


def test_clip_without_truth_needs_only_the_query(tabe):
    for path in [*(tabe / "ball_1" / "gt_masks").iterdir(), *(tabe / "ball_1" / "visible_masks").glob("0000[12].png")]:
        path.unlink()
    (tabe / "ball_1" / "gt_masks").rmdir()
    (read,) = find_native_clips(tabe)
    assert read.amodal is None
    assert read.modal[0].shape == (1, HEIGHT, WIDTH)
    assert read.modal[1:] == [None, None]


def test_clips_come_in_natural_order_or_as_asked(tmp_path):
    modal, amodal = masks_of_a_vanishing_square()
    for name in ("clip10", "clip2", "clip1"):
        write_native_clip(tmp_path / name, frames(), modal, amodal)
    (tmp_path / "notes").mkdir()
    assert [clip.name for clip in find_native_clips(tmp_path)] == ["clip1", "clip2", "clip10"]
    assert [clip.name for clip in find_native_clips(tmp_path, ["clip10", "clip1"])] == ["clip10", "clip1"]
    with pytest.raises(UnknownName, match="did you mean 'clip2'"):
        find_native_clips(tmp_path, ["clip2x"])


def test_missing_root_says_what_to_give(tmp_path):
    with pytest.raises(DataNotFound, match=r"gt_masks.*nowhere.*give the folder that holds the clips"):
        find_native_clips(tmp_path / "nowhere")


def test_empty_root_says_what_it_holds(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DataNotFound, match=r"holds readme\.txt"):
        find_native_clips(tmp_path)


def test_root_that_is_one_clip_points_to_its_parent(clip):
    with pytest.raises(DataNotFound, match=f"give its parent, {clip.parent}"):
        find_native_clips(clip)


@pytest.mark.parametrize("folder", ["gt_masks", "visible_masks"])
def test_half_copied_masks_are_named(clip, folder):
    (clip / folder / "00003.png").unlink()
    with pytest.raises(DataNotFound, match=rf"looked for 5 .*{folder}, found 4 .*no mask of 00003; .*copy it again"):
        read_native_clip(clip)


def test_half_copied_frames_are_named(clip):
    (clip / "frames" / "00004.jpg").unlink()
    (clip / "annos.json").unlink()
    with pytest.raises(DataNotFound, match="masks of no frame: 00004"):
        read_native_clip(clip)


def test_missing_frames_folder_is_named(clip):
    for path in (clip / "frames").iterdir():
        path.unlink()
    (clip / "frames").rmdir()
    with pytest.raises(DataNotFound, match=r"looked for .*frames, but .* holds .*gt_masks"):
        find_native_clips(clip.parent)


def test_mask_of_another_size_is_named(clip):
    save(np.zeros((6, 8), np.uint8), clip / "gt_masks" / "00002.png")
    read = read_native_clip(clip)
    with pytest.raises(BadMask, match=r"00002\.png is 8x6, its frames are 16x12"):
        read.amodal[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "holds a list"),
        ('{"occlusion": [{"level": "NONE"}]}', "lists 1 frames, .* holds 5"),
        (
            json.dumps({"occlusion": [{"level": "SOME"}] * 5}),
            "frame 0, has the occlusion level 'SOME'; expected",
        ),
    ],
)
def test_broken_annotations_are_named(clip, text, message):
    (clip / "annos.json").write_text(text)
    with pytest.raises(DataNotFound, match=message):
        read_native_clip(clip)


def test_failed_writing_leaves_nothing(tmp_path):
    modal, amodal = masks_of_a_vanishing_square()
    with pytest.raises(BadMask, match="frame 0: the modal mask"):
        write_native_clip(tmp_path / "clip", frames(), modal[:, :5], amodal)
    with pytest.raises(BadVideo, match="no frame"):
        write_native_clip(tmp_path / "clip", [], [], [])
    assert list(tmp_path.iterdir()) == []


def test_existing_clip_is_not_overwritten(clip):
    modal, amodal = masks_of_a_vanishing_square()
    with pytest.raises(UserError, match="exists already"):
        write_native_clip(clip, frames(), modal, amodal)


def test_first_of_two_writers_wins(tmp_path):
    with atomic_folder(tmp_path / "made") as slow:
        (slow / "who").write_text("slow")
        with atomic_folder(tmp_path / "made") as fast:
            (fast / "who").write_text("fast")
    assert (tmp_path / "made" / "who").read_text() == "fast"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_leftovers_are_found_by_what_they_were_to_become(tmp_path):
    begun = {name: atomic_folder(tmp_path / name) for name in ("a", "b", "c")}
    folders = {name: making.__enter__() for name, making in begun.items()}
    (tmp_path / "whole").mkdir()
    remove_leftovers(tmp_path, of={"a", "c", "never begun"})
    assert [folder.exists() for folder in folders.values()] == [False, True, False]
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    remove_leftovers(tmp_path / "nowhere")
