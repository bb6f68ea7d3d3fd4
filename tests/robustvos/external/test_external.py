"""Exports, and imports of outputs in the exact form of each system; truth goes in, so truth must come out."""

import json
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import BadMask, DataNotFound, UnknownName, UserError
from robustvos.evaluation.results import load_result
from robustvos.external.collect import collect
from robustvos.external.export import export_clip, read_export
from robustvos.external.outputs import read_output
from robustvos.external.placement import Placement
from robustvos.external.recipe import find_recipe, known_recipes
from robustvos.external.run import run_system
from robustvos.systems.loading import load_system
from robustvos.video.native import find_native_clips
from robustvos.video.native_writer import write_native_clip
from robustvos.video.prompts import prompt_from_mask
from robustvos.video.video_file import VideoFile

HEIGHT, WIDTH, COUNT = 48, 96, 12


@pytest.fixture(scope="session")
def truth() -> np.ndarray:
    """``(T, H, W)`` bool: a block that stands still, then moves by whole letterboxed pixels."""
    masks = np.zeros((COUNT, HEIGHT, WIDTH), bool)
    for t in range(COUNT):
        left = 8 + 8 * max(0, t - 5)
        masks[t, 12:36, left : left + 24] = True
    return masks


@pytest.fixture(scope="session")
def dataset(truth, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("native")
    frames = torch.full((COUNT, 3, HEIGHT, WIDTH), 90, dtype=torch.uint8)
    amodal = torch.from_numpy(truth)
    for name in ("a", "b"):
        modal = amodal.clone()
        modal[3:8, 20:] = False
        modal[9:] = False
        write_native_clip(root / name, frames, modal, amodal, category="occlusion", fps=8)
    return root


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def resized(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST))


def gif(masks: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [Image.fromarray(m.astype(np.uint8) * 255) for m in masks]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=125, loop=0)


def webm(masks: list[np.ndarray], path: Path, channel: int = 1) -> None:
    """VP9, masks in one channel, the last frame three times."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=8)
        stream.width, stream.height, stream.pix_fmt = masks[0].shape[1], masks[0].shape[0], "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for mask in [*masks, masks[-1], masks[-1]]:
            rgb = np.zeros((*mask.shape, 3), np.uint8)
            rgb[..., channel] = mask
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())


def outputs_of(system: str, truth: np.ndarray, root: Path) -> None:
    """What each system leaves for clip ``a``."""
    if system == "diffusion_vas":
        taken = np.linspace(0, COUNT - 1, 25).round().astype(int)
        gif(truth[taken], root / "a" / "a" / "pred_amodal_masks.gif")
        with Image.open(root / "a" / "a" / "pred_amodal_masks.gif") as image:
            assert image.n_frames < 25  # merged, as its own are
    elif system == "tcow":
        boxed = []
        for t in [*range(COUNT), *[COUNT - 1] * (30 - COUNT)]:
            canvas = np.zeros((480, 640), np.uint8)
            canvas[80:400] = resized(truth[t], 320, 640)
            boxed.append(canvas)
        webm(boxed, root / "test_a" / "visuals" / "more" / "clip_i1_f0_s30_q0_extra1.webm")
    elif system == "tabe":
        for t in range(COUNT):  # 0.png ... 11.png, not padded
            save(truth[t].astype(np.uint8) * 255, root / f"x/CUSTOM/vis/a/final_outputs/0/masks/{t}.png")
    elif system.startswith("generative"):
        for t in range(COUNT):
            alpha = resized(truth[t], 384, 672)
            save(np.dstack([np.full((384, 672, 3), 77, np.uint8), alpha]), root / "a" / "fg00" / f"{t:05d}.png")
    elif system == "folder":  # in a palette
        for t in range(COUNT):
            picture = Image.fromarray(truth[t].astype(np.uint8), mode="P")
            picture.putpalette([0, 0, 0, 128, 0, 0])
            (root / "a").mkdir(parents=True, exist_ok=True)
            picture.save(root / "a" / f"{t}.png")
    else:
        size = (256, 256) if system == "pix2gestalt" else (HEIGHT, WIDTH)
        for t in range(COUNT):
            save(resized(truth[t], *size), root / "a" / "masks" / f"{t:05d}.png")


@pytest.mark.parametrize("system", known_recipes())
def test_output_in_the_systems_own_form_gives_the_masks_back(system, truth, dataset, tmp_path):
    recipe = find_recipe(system)
    clip = find_native_clips(dataset, ["a"])[0]
    exported = export_clip(clip, recipe, tmp_path / "given")
    placement = Placement.from_json(read_export(exported)["placement"])
    outputs_of(system, truth, tmp_path / "left")
    masks, _ = read_output(tmp_path / "left", recipe, placement, "a")
    assert len(masks) == COUNT
    for t, mask in enumerate(masks):
        assert mask.shape == (HEIGHT, WIDTH)
        overlap = (mask & truth[t]).sum() / (mask | truth[t]).sum()
        assert overlap > (0.9 if system == "tcow" else 0.98), (t, overlap)  # tcow's video is lossy


def test_exports_are_what_each_system_reads(dataset, truth, tmp_path):
    clip = find_native_clips(dataset, ["a"])[0]
    at = {s: export_clip(clip, find_recipe(s), tmp_path / s) for s in known_recipes()}
    assert len(VideoFile(at["tcow"] / "clip.mp4")) == 30
    with Image.open(at["tcow"] / "clip_0_query.png") as query:
        assert (query.mode, query.size) == ("RGB", (320, 240))
    assert len(list((at["diffusion_vas"] / "masks").glob("frame_???.png"))) == 25
    assert [p.name for p in (at["tabe"] / "visible_masks").iterdir()] == ["00000.png"]
    assert not (at["generative_omnimatte_target_only"] / "mask_01.mp4").exists()
    assert (at["generative_omnimatte_with_occluder"] / "mask_01.mp4").exists()
    regions = json.loads((at["sdamodal"] / "annotations.json").read_text())["annotations"]
    assert regions[10]["regions"][0]["segmentation"] == [48, 12, 72, 12, 72, 36, 48, 36]  # of a hidden frame too
    assert [s for s in at if read_export(at[s])["true_box"]] == ["sdamodal"]
    changes = " ".join(read_export(at["tcow"])["changes"])
    assert "320x160" in changes and "padded with black" in changes and "12 to 30 frames" in changes
    assert read_export(at["folder"])["changes"] == []


def bad_soft(root: Path) -> None:
    save(np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1)), root / "a" / "5.png")


def bad_size(root: Path) -> None:
    save(np.zeros((10, 10), np.uint8), root / "a" / "5.png")


def bad_count(root: Path) -> None:
    (root / "a" / "11.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (bad_soft, "5.png: soft values"),
        (bad_size, "frame 5: masks are 10x10, expected 96x48"),
        (bad_count, "11 frames, expected 12 for a"),
    ],
)
def test_bad_output_is_named_and_nothing_is_written(spoil, words, dataset, truth, tmp_path):
    recipe = find_recipe("folder")
    clips = find_native_clips(dataset, ["a"])
    export_clip(clips[0], recipe, tmp_path / "given")
    outputs_of("folder", truth, tmp_path / "left")
    spoil(tmp_path / "left")
    with pytest.raises(BadMask, match=words):
        collect(recipe, tmp_path / "given", tmp_path / "left", clips, tmp_path / "run")
    assert not (tmp_path / "run" / "masks").exists()


def test_policy_for_missing_clips_and_output_of_another_clip(dataset, truth, tmp_path):
    recipe = find_recipe("folder")
    clips = find_native_clips(dataset)
    for clip in clips:
        export_clip(clip, recipe, tmp_path / "given")
    outputs_of("folder", np.roll(truth, 48, 2), tmp_path / "left")
    ask = (recipe, tmp_path / "given", tmp_path / "left", clips)
    with pytest.raises(DataNotFound, match="clip b: looked for b in .*--missing zero"):
        collect(*ask, tmp_path / "no")
    found = collect(*ask, tmp_path / "run", "zero")
    assert "1 of 2 clips have no output; empty masks stand for them: b" in found.notes[0]
    assert found.notes[1].startswith("a: on the query frame the mask has IoU 0.00")
    told = json.loads((tmp_path / "run" / "import.json").read_text())
    assert (told["missing_clips"], told["clips"]["b"]["missing"]) == ("zero", "zero")
    with pytest.raises(UserError, match="was exported for folder, not for tabe"):
        collect(find_recipe("tabe"), *ask[1:], tmp_path / "other")


def test_empty_query_and_unknown_system(dataset, tmp_path):
    frames = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    write_native_clip(tmp_path / "set" / "c", frames, masks, masks)
    with pytest.raises(BadMask, match="c/visible_masks/00000.png: the query mask is empty"):
        export_clip(find_native_clips(tmp_path / "set")[0], find_recipe("folder"), tmp_path / "given")
    with pytest.raises(UnknownName, match="did you mean 'tcow'"):
        find_recipe("tcw")


def test_door_exports_runs_and_scores_any_command(door, dataset, tmp_path):
    program = tmp_path / "copy.sh"
    program.write_text('#!/bin/sh\nmkdir -p "$3" && cp "$2"/*.png "$3"\n')
    program.chmod(0o755)
    answer = door("external", "export", "--system", "folder", "--data", dataset, "--out", "given", "--modal", "truth")
    assert answer.code == 0, answer.err
    assert (
        "--set program=VALUE"
        in door("external", "run", "--system", "folder", "--given", "given", "--out", "left").error
    )
    assert (
        door("external", "run", "--system=folder", "--given=given", "--out=left", f"--set=program={program}").code == 0
    )
    words = ("--system", "folder", "--data", dataset, "--given", "given", "--outputs", "left", "--out", "run")
    answer = door("external", "import", *words)
    assert answer.code == 0, answer.err
    run = load_result(Path("run/results.json"))
    assert (run.system, run.dataset, run.overall["mIoU_ffo"].mean) == ("external", "realvas", 0.0)
    assert (run.inputs, run.run_type, run.changes) == ("GT Modal Seg.", "Offline", ())
    assert run.notes == ("policy for missing clips: error",)
    # The visible masks: 16/24 of the rows hidden in frames 3 to 7, everything from frame 9 on.
    assert run.overall["mIoU"].mean == pytest.approx((4 * 24 + 5 * 8) / (12 * 24))
    door("score", "run/masks", dataset, "--out", "again")
    again = load_result(Path("again/results.json"))
    assert (again.overall, again.inputs, again.run_type) == (run.overall, run.inputs, run.run_type)
    page = door("report", "run", "--out", "report").out
    assert "Inputs" in page and "GT Modal Seg." in page
    assert "TCOW" in Path("report/tables.md").read_text()


def test_every_change_is_told_beside_the_result(dataset, truth, tmp_path):
    recipe = find_recipe("tcow")
    clips = find_native_clips(dataset, ["a"])
    export_clip(clips[0], recipe, tmp_path / "given")
    outputs_of("tcow", truth, tmp_path / "left")
    found = collect(recipe, tmp_path / "given", tmp_path / "left", clips, tmp_path / "run")
    assert found.inputs == "/"  # the query is all that it is given, whatever else is true
    told = " | ".join(found.changes)
    for part in ("resized from 96x48 to 320x160", "padded with black to 320x240", "stride 1 from frame 0", "640x480"):
        assert part in told
    assert all(line.endswith("(1 clip)") for line in found.changes)


def test_failed_clips_are_named(dataset, tmp_path):
    recipe = replace(find_recipe("folder"), commands=(["sh", "-c", "exit 3"],))
    export_clip(find_native_clips(dataset, ["a"])[0], recipe, tmp_path / "given")
    with pytest.raises(UserError, match=r"1 of 1 clips failed: a \(exit status 3\)"):
        run_system(recipe, tmp_path / "given", tmp_path / "left", tmp_path, {})


PARTIAL = 'mkdir -p "$1" && touch "$1/0.png" && test -e mended && touch "$1/1.png"'


def test_what_a_failed_command_leaves_does_not_count_as_output(dataset, tmp_path):
    recipe = replace(find_recipe("folder"), commands=(["sh", "-c", PARTIAL, "-", "{out}/{clip}"],))
    given, left = tmp_path / "given", tmp_path / "left"
    for clip in find_native_clips(dataset):
        export_clip(clip, recipe, given)
    (left / "b").mkdir(parents=True)
    (left / "b" / "0.png").touch()  # by hand
    for _ in range(2):
        with pytest.raises(UserError, match=r"1 of 1 clips failed: a \(exit status 1\)"):
            run_system(recipe, given, left, tmp_path, {})
    assert (left / "a" / "0.png").exists()
    (tmp_path / "mended").touch()
    assert run_system(recipe, given, left, tmp_path, {}) == 1
    assert (left / "a" / "1.png").exists() and not (left / "b" / "1.png").exists()
    assert run_system(recipe, given, left, tmp_path, {}) == 0
    shutil.rmtree(left / "a")
    (tmp_path / "mended").unlink()
    for _ in range(2):  # that it was done once does not count either
        with pytest.raises(UserError, match="1 of 1 clips failed: a"):
            run_system(recipe, given, left, tmp_path, {})


def test_a_killed_command_is_run_again(dataset, tmp_path):
    killed = ["sh", "-c", 'mkdir -p "$1"; touch "$1/0.png"; kill -9 $$', "-", "{out}/{clip}"]
    recipe = replace(find_recipe("folder"), commands=(killed,))
    export_clip(find_native_clips(dataset, ["a"])[0], recipe, tmp_path / "given")
    for _ in range(2):
        with pytest.raises(UserError, match=r"1 of 1 clips failed: a \(exit status -9\)"):
            run_system(recipe, tmp_path / "given", tmp_path / "left", tmp_path, {})


def test_output_put_there_by_hand_can_be_imported(dataset, truth, tmp_path):
    recipe = find_recipe("folder")
    clips = find_native_clips(dataset, ["a"])
    export_clip(clips[0], recipe, tmp_path / "given")
    outputs_of("folder", truth, tmp_path / "left")
    assert run_system(recipe, tmp_path / "given", tmp_path / "left", tmp_path, {"program": "false"}) == 0
    found = collect(recipe, tmp_path / "given", tmp_path / "left", clips, tmp_path / "run")
    assert found.clips == ("a",) and len(list((tmp_path / "run" / "masks" / "a").iterdir())) == COUNT


def test_a_clip_whose_name_looks_like_a_pattern_has_its_own_output(truth, tmp_path):
    frames = torch.full((COUNT, 3, HEIGHT, WIDTH), 90, dtype=torch.uint8)
    masks = torch.from_numpy(truth)
    write_native_clip(tmp_path / "set" / "[a]", frames, masks, masks)
    recipe = find_recipe("folder")
    exported = export_clip(find_native_clips(tmp_path / "set")[0], recipe, tmp_path / "given")
    placement = Placement.from_json(read_export(exported)["placement"])
    outputs_of("folder", np.zeros_like(truth), tmp_path / "left")  # of clip a
    assert read_output(tmp_path / "left", recipe, placement, "[a]") is None
    outputs_of("folder", truth, tmp_path)
    (tmp_path / "a").rename(tmp_path / "left" / "[a]")
    found, _ = read_output(tmp_path / "left", recipe, placement, "[a]")
    assert np.array_equal(np.stack(found), truth)


def test_true_hidden_pixels_are_given_whatever_was_tracked(dataset, truth, tmp_path):
    """The tracker of this export is wrong everywhere; what it says is given as visible, and nothing of it as occluder."""
    recipe = replace(find_recipe("generative_omnimatte_with_occluder"), canvas=None, fit="native")
    clip = find_native_clips(dataset, ["a"])[0]
    wrong = np.zeros((HEIGHT, WIDTH), bool)
    wrong[:, 80:] = True
    exported = export_clip(clip, recipe, tmp_path / "given", lambda t: wrong, "sam2 (wrong)")
    seen, occluder = (VideoFile(exported / f"mask_0{n}.mp4") for n in (0, 1))
    for t in range(COUNT):
        hidden = truth[t] & ~clip.modal[t][0].numpy()
        assert np.array_equal(occluder[t].float().mean(0).numpy() > 127, hidden)
        expected = wrong if t else clip.modal[0][0].numpy()
        assert np.array_equal(seen[t].float().mean(0).numpy() > 127, expected)


def left_by(system: str, truth: np.ndarray, dataset: Path, root: Path) -> tuple:
    """What ``read_output`` is asked for, of clip ``a``."""
    recipe = find_recipe(system)
    exported = export_clip(find_native_clips(dataset, ["a"])[0], recipe, root / "given")
    outputs_of(system, truth, root / "left")
    return root / "left", recipe, Placement.from_json(read_export(exported)["placement"]), "a"


def cut_gif(root: Path) -> None:
    """Frames are missing, and durations do not tell which."""
    path = root / "a" / "a" / "pred_amodal_masks.gif"
    with Image.open(path) as image:
        first = image.convert("L").copy()
        image.seek(2)
        third = image.convert("L").copy()
    first.save(path, save_all=True, append_images=[third], duration=[125, 125], loop=0)


def cut_video(root: Path) -> None:
    masks = [np.zeros((480, 640), np.uint8)] * 7
    webm(masks, root / "test_a" / "visuals" / "more" / "clip_i1_f0_s30_q0_extra1.webm")


def other_video_size(root: Path) -> None:
    webm([np.zeros((240, 320), np.uint8)] * 30, root / "test_a/visuals/more/clip_i1_f0_s30_q0_extra1.webm")


def flat_layers(root: Path) -> None:
    for file in (root / "a" / "fg00").glob("*.png"):
        Image.open(file).convert("RGB").save(file)


def lost_frame(root: Path) -> None:
    next(iter(sorted(root.rglob("*.png")))).unlink()


@pytest.mark.parametrize(
    ("system", "spoil", "words"),
    [
        (
            "diffusion_vas",
            cut_gif,
            r"pred_amodal_masks.gif: 2 frames, expected 25, and their durations do not say which",
        ),
        ("tcow", cut_video, r"extra1.webm: 9 frames, expected 30 for a; run the system on it again"),
        ("tcow", other_video_size, r"extra1.webm, frame 0: masks are 320x240, expected 640x480"),
        ("generative_omnimatte_target_only", flat_layers, r"00000.png: no alpha channel \(mode RGB\)"),
        ("tabe", lost_frame, r"masks: 11 frames, expected 12 for a"),
        ("pix2gestalt", lost_frame, r"masks: 11 frames, expected 12 for a"),
    ],
)
def test_spoilt_output_of_each_form_says_what_and_where(system, spoil, words, dataset, truth, tmp_path):
    ask = left_by(system, truth, dataset, tmp_path)
    spoil(tmp_path / "left")
    with pytest.raises(BadMask, match=words):
        read_output(*ask)


@pytest.fixture
def odd_dataset(tmp_path) -> Path:
    """``hidden`` begins behind something, ``free`` is never occluded, ``usual`` is hidden later."""
    frames = torch.full((3, 3, 16, 16), 90, dtype=torch.uint8)
    amodal = torch.zeros(3, 16, 16, dtype=torch.bool)
    amodal[:, 4:12, 4:12] = True
    for name, hidden in (("hidden", 0), ("free", None), ("usual", 2)):
        modal = amodal.clone()
        if hidden is not None:
            modal[hidden, 8:] = False
        write_native_clip(tmp_path / "odd" / name, frames, modal, amodal)
    return tmp_path / "odd"


def test_clips_that_are_not_as_the_task_has_them_are_named_with_the_figures(door, odd_dataset, tmp_path):
    for clip in find_native_clips(odd_dataset):
        shutil.copytree(odd_dataset / clip.name / "visible_masks", tmp_path / "masks" / clip.name)
    answer = door("score", tmp_path / "masks", odd_dataset, "--out", "scored")
    assert answer.code == 0, answer.err
    never = "1 of 3 clips are never occluded and count in mIoU alone: free"
    begun = "1 of 3 clips show the object hidden in part in their first scored frame, where the task takes it to be seen whole"
    assert never in answer.out and f"{begun}: hidden" in answer.out
    run = load_result(Path("scored/results.json"))
    assert run.notes == (never, f"{begun}: hidden")
    assert (run.overall["mIoU"].videos, run.overall["mIoU_fo"].videos, run.overall["mIoU_ffo"].videos) == (3, 2, 0)
    assert {record.video: record.measures["severity"] for record in run.objects}["usual"] == 0.5
    # A clip that was not predicted is refused by name.
    shutil.rmtree(tmp_path / "masks" / "usual")
    assert "1 of 3 clips have no masks in" in door("score", tmp_path / "masks", odd_dataset, "--out", "again").error


def test_whole_masks_are_paired_however_their_accents_are_composed(door, odd_dataset, tmp_path):
    (odd_dataset / "usual").rename(odd_dataset / unicodedata.normalize("NFC", "ä usual"))
    for clip in find_native_clips(odd_dataset):
        own = unicodedata.normalize("NFD", clip.name)
        shutil.copytree(odd_dataset / clip.name / "visible_masks", tmp_path / "masks" / own)
    answer = door("score", tmp_path / "masks", odd_dataset, "--out", "scored")
    assert answer.code == 0, answer.err
    assert "does not exist" in door("score", tmp_path / "nowhere", odd_dataset / "hidden", "--out", "again").error


def test_door_exports_what_sam2_tracks_and_says_so(door, dataset, tiny_base):
    """The embedded class of base, at its smallest, really tracks every clip; hidden frames get what it found."""
    words = ("--system", "folder", "--data", dataset, "--sam2", tiny_base, "--clips", "a")
    answer = door("external", "export", *words, "--out", "given", "--modal", "sam2")
    assert answer.code == 0, answer.err
    assert f"visible masks: sam2 ({tiny_base})" in answer.out
    assert read_export(Path("given/a"))["modal"] == f"sam2 ({tiny_base})"
    clip = find_native_clips(dataset, ["a"])[0]
    system = load_system("sam2", sam2=str(tiny_base))
    found = [f.masks[0].numpy() for f in system.track(clip.frames, [prompt_from_mask(clip.modal[0][0], 1)])]
    written = [np.asarray(Image.open(file)) > 127 for file in sorted(Path("given/a/visible_masks").iterdir())]
    assert np.array_equal(written[0], clip.modal[0][0].numpy())  # the query itself
    assert all(np.array_equal(mask, tracked) for mask, tracked in zip(written[1:], found[1:], strict=True))


def test_door_exports_with_the_embedded_base_by_default(door, tmp_path):
    """``nano`` keeps a drawn object that nothing hides."""
    frames = torch.full((3, 3, 96, 96), 40, dtype=torch.uint8)
    masks = torch.zeros(3, 96, 96, dtype=torch.bool)
    for t in range(3):
        masks[t, 30:60, 20 + 8 * t : 50 + 8 * t] = True
        frames[t][:, masks[t]] = torch.tensor([[200], [60], [50]], dtype=torch.uint8)
    write_native_clip(tmp_path / "set" / "c", frames, masks, masks, quality=100)
    answer = door("external", "export", "--system", "diffusion_vas", "--data", tmp_path / "set", "--out", "given")
    assert answer.code == 0, answer.err
    assert read_export(Path("given/c"))["modal"] == "sam2 (nano)"
    last = np.asarray(Image.open("given/c/masks/frame_024.png")) > 127
    truth = masks[2].numpy()
    assert (last & truth).sum() / (last | truth).sum() > 0.8
