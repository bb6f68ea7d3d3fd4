"""Foreign amodal datasets, each laid out exactly as it is published: what goes in comes out as native clips."""

from __future__ import annotations

import colorsys
import json
import pickle
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco

from robustvos.datasets.amodal.convert.run import convert
from robustvos.errors import BadMask, DataNotFound, UnknownName, UnsafePath, UserError
from robustvos.video.native import NativeClip, find_native_clips
from robustvos.video.writer import VideoWriter

COUNT, HEIGHT, WIDTH = 4, 24, 32


def whole(t: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[6:18, 2 + 5 * t : 12 + 5 * t] = True
    return mask


def occluder(t: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:22, 14:28] = True
    return mask


def visible(t: int) -> np.ndarray:
    return whole(t) & ~occluder(t)


def frame(t: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 60 + 20 * t, np.uint8)


def save(array: np.ndarray, path: Path, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array, mode).save(path)


def grey(mask: np.ndarray) -> np.ndarray:
    return mask.astype(np.uint8) * 255


def rle(mask: np.ndarray, text: bool = True) -> dict:
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(code["size"]), "counts": code["counts"].decode() if text else code["counts"]}


def check(clip: NativeClip, start: int = 0, of: str = "object") -> None:
    """Masks of the object (or of what hides it) from frame ``start`` on."""
    amodal, modal = (whole, visible) if of == "object" else (occluder, occluder)
    assert len(clip.frames) == COUNT - start
    for t in range(COUNT - start):
        assert np.array_equal(clip.amodal[t][0].numpy(), amodal(start + t))
        assert np.array_equal(clip.modal[t][0].numpy(), modal(start + t))
        assert np.array_equal(clip.frames[t].permute(1, 2, 0).numpy(), frame(start + t))


def movi_mc_ac(root: Path) -> Path:
    """As its archives unpack: palettes of ids, a folder for each object."""
    camera = root / "test" / "ab12" / "ab12" / "camera_0000"
    for t in range(COUNT):
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids[visible(t)], ids[occluder(t)] = 7, 3
        picture = Image.fromarray(ids, "P")
        picture.putpalette([channel for i in range(256) for channel in (i, 255 - i, 7 * i % 256)])
        camera.mkdir(parents=True, exist_ok=True)
        picture.save(camera / f"segmentation_{t:05d}.png")
        save(np.dstack([frame(t), np.full((HEIGHT, WIDTH), 255, np.uint8)]), camera / f"rgba_{t:05d}.png")
        for number, mask in ((7, whole(t)), (3, occluder(t))):
            save(grey(mask), camera / f"obj_{number:04d}" / f"segmentation_{t:05d}.png")
            save(np.zeros((HEIGHT, WIDTH, 4), np.uint8), camera / f"obj_{number:04d}" / f"rgba_{t:05d}.png")
    return root


def test_movi_mc_ac(tmp_path):
    found = convert("movi_mc_ac", movi_mc_ac(tmp_path / "src"), tmp_path / "out")
    assert found.written == ("ab12_camera_0000_obj_0003", "ab12_camera_0000_obj_0007")
    hiding, moving = find_native_clips(tmp_path / "out")
    check(moving)
    check(hiding, of="occluder")
    assert moving.details["camera"] == "camera_0000"
    first, second = (clip.frames.path / "00000.png" for clip in (hiding, moving))
    assert first.stat().st_ino == second.stat().st_ino  # one file for both


def tcow_kubric(root: Path, palette: int = 5) -> Path:
    """Colours of kubric's palette: hues from 0.01 in even steps, of more instances than are of interest."""
    folder = root / "val" / "kub_scn00042" / "frames_p0_v0"
    for t in range(COUNT):
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for k, mask in enumerate((visible(t), occluder(t))):
            pixels[mask] = [round(255 * c) for c in colorsys.hls_to_rgb(0.01 + k / palette, 0.6, 0.65)]
        save(pixels, folder / f"segmentation_{t:05d}.png")
        save(np.dstack([frame(t), np.full((HEIGHT, WIDTH), 255, np.uint8)]), folder / f"rgba_{t:05d}.png")
        for k, mask in enumerate((whole(t), occluder(t))):
            save(np.repeat(grey(mask)[..., None], 3, 2), folder / f"divided_segmentation_{k:03d}_{t:05d}.png")
    about = {"scene": {"num_frames": COUNT, "num_valo_instances": 2}}
    (folder.parent / "kub_scn00042_p0_v0.json").write_text(json.dumps(about))
    return root


@pytest.mark.parametrize("palette", [2, 5, 36])
def test_tcow_kubric(palette, tmp_path):
    convert("tcow_kubric", tcow_kubric(tmp_path / "src", palette), tmp_path / "out")
    moving, hiding = find_native_clips(tmp_path / "out")
    assert (moving.name, hiding.name) == ("kub_scn00042_obj000", "kub_scn00042_obj001")
    check(moving)
    check(hiding, of="occluder")


def test_colours_that_fit_no_objects_are_refused(tmp_path):
    root = tcow_kubric(tmp_path / "src")
    for t in range(COUNT):
        file = root / "val/kub_scn00042/frames_p0_v0" / f"divided_segmentation_000_{t:05d}.png"
        save(np.zeros((HEIGHT, WIDTH, 3), np.uint8), file)
    with pytest.raises(BadMask, match="frames_p0_v0: the colours of segmentation_.* fit no numbering of the 2 objects"):
        convert("tcow_kubric", root, tmp_path / "out")


def rubric(root: Path) -> Path:
    """A video with masks named after it, and a folder of frames with masks in it; query at frame 1, truth at 1, 2 and 3."""
    office = root / "rubric" / "2_teaduck"
    office.mkdir(parents=True)
    with VideoWriter(office / "teaduck1.mp4", fps=8, quality=0) as writer:
        for t in range(COUNT):
            writer.add(torch.from_numpy(frame(t)).permute(2, 0, 1).contiguous())
    save(np.repeat(grey(whole(1))[..., None], 3, 2), office / "teaduck1_1_query.png")
    save(grey(whole(1)), office / "teaduck1_1_snitch.png")
    save(grey(whole(3)), office / "teaduck1_3_snitch.png")
    save(grey(occluder(2)), office / "teaduck1_2_occl.png")
    folder = root / "rubric" / "davis_2017" / "val_libby"
    for t in range(COUNT):
        save(frame(t), folder / f"{10 + t:05d}.jpg")
    save(grey(whole(0)), folder / "val_libby_query_0.png")
    save(grey(whole(2)), folder / "val_libby_snitch_2.png")
    return root


def test_rubric_is_scored_on_annotated_frames_after_the_query_alone(tmp_path):
    convert("tcow_rubric", rubric(tmp_path / "src"), tmp_path / "out")
    office, davis = find_native_clips(tmp_path / "out")
    assert (office.name, office.category) == ("2_teaduck_teaduck1", "office")
    assert (davis.name, davis.category) == ("davis_2017_val_libby", "davis_ytvos")
    assert len(office.frames) == COUNT - 1 and len(davis.frames) == COUNT
    assert [office.amodal[t] is not None for t in range(3)] == [False, False, True]
    assert [davis.amodal[t] is not None for t in range(4)] == [False, False, True, False]
    assert np.array_equal(office.modal[0][0].numpy(), whole(1)) and office.modal[1] is None
    assert np.array_equal(office.amodal[2][0].numpy(), whole(3))


def test_rubric_mask_beyond_the_video_is_named(tmp_path):
    root = rubric(tmp_path / "src")
    save(grey(whole(3)), root / "rubric/2_teaduck/teaduck1_9_snitch.png")
    with pytest.raises(DataNotFound, match="teaduck1 has 4 frames, but masks of frame 9"):
        convert("tcow_rubric", root, tmp_path / "out")


def sailvos(root: Path) -> Path:
    sample = {
        "segmentation": [rle(whole(t)) for t in range(COUNT)],
        "visible_mask": [rle(visible(t)) for t in range(COUNT)],
        "bbox": [[2 + 5 * t, 6, 10, 12] for t in range(COUNT)],
        "image_ids": [40 + t for t in range(COUNT)],
        "obj_id": 9,
        "category_id": 3,
        "image_file_names": [f"ah_1_mcs_1/images/{t:06d}.bmp" for t in range(COUNT)],
    }
    for t in range(COUNT):
        save(frame(t), root / f"ah_1_mcs_1/images/{t:06d}.bmp")
    (root / "diffusion_vas_sailvos_val.json").write_text(json.dumps([sample]))
    return root


def test_diffusion_vas_sailvos(tmp_path):
    convert("diffusion_vas", sailvos(tmp_path / "src"), tmp_path / "out")
    (clip,) = find_native_clips(tmp_path / "out")
    check(clip)
    assert (clip.name, clip.details["image_ids"]) == ("sailvos_40_9", [40, 41, 42, 43])


def test_diffusion_vas_tao_amodal_has_boxes_and_no_whole_masks(tmp_path):
    root = tmp_path / "src"
    names = [f"val/ArgoVerse/x/frame{t:04d}.jpg" for t in range(COUNT)]
    for t, name in enumerate(names):
        save(frame(t), root / "frames" / name)
    sample = {"rles": [rle(visible(t))["counts"] for t in range(COUNT)], "file_names": names}
    sample |= {"amodal_bboxes": [[-3, 6, 10, 12]] * COUNT, "height": HEIGHT, "width": WIDTH}
    sample |= {"track_id": 5, "video_id": 2, "category_id": 1}
    (root / "diffusion_vas_tao_amodal_val.json").write_text(json.dumps([sample]))
    convert("diffusion_vas", root, tmp_path / "out", frames=root / "frames")
    (clip,) = find_native_clips(tmp_path / "out")
    assert clip.amodal is None and clip.details["amodal_boxes"][0] == [-3, 6, 10, 12]
    assert np.array_equal(clip.modal[2][0].numpy(), visible(2))
    with pytest.raises(DataNotFound, match=r"frame .*frame0000.jpg does not exist.*check the folder of its frames"):
        convert("diffusion_vas", root, tmp_path / "again", frames=root)


def tao(root: Path, **changed) -> Path:
    names = [f"x/frame{t:04d}.jpg" for t in range(COUNT)]
    for t, name in enumerate(names):
        save(frame(t), root / name)
    sample = {"rles": [rle(visible(t))["counts"] for t in range(COUNT)], "file_names": names}
    sample |= {"amodal_bboxes": [[-3, 6, 10, 12]] * COUNT, "height": HEIGHT, "width": WIDTH}
    sample |= {"track_id": 5, "video_id": 2, "category_id": 1, **changed}
    (root / "diffusion_vas_tao_amodal_val.json").write_text(json.dumps([sample, sample]))
    return root


@pytest.mark.parametrize("changed", [{"video_id": "../../x"}, {"file_names": ["../../secret.jpg"] * COUNT}])
def test_names_that_lead_out_of_the_folders_are_refused(tmp_path, changed):
    with pytest.raises(UnsafePath):
        convert("diffusion_vas", tao(tmp_path / "src", **changed), tmp_path / "a/b/out")
    assert not (tmp_path / "x_5").exists() and not list((tmp_path).glob("a/b/**/*.png"))


def test_two_objects_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match="two objects would be clip tao_2_5"):
        convert("diffusion_vas", tao(tmp_path / "src"), tmp_path / "out")


def kins(root: Path) -> Path:
    """KINS has annotated frame 2 alone; videos and pictures are equal files."""
    video = root / "Kitti/raw_video/2011_09_26/2011_09_26_drive_0001"
    for t in range(COUNT):
        save(frame(t), video / f"{t:010d}.png")
    (root / "Kins/training/image_2").mkdir(parents=True)
    shutil.copyfile(video / "0000000002.png", root / "Kins/training/image_2/000123.png")
    polygon = [12, 6, 21, 6, 21, 17, 12, 17]
    annotation = {"id": 1, "image_id": 8, "segmentation": [polygon], "inmodal_seg": rle(visible(2))}
    content = {"images": [{"id": 8, "file_name": "000123.png"}], "annotations": [annotation]}
    (root / "Kins/instances_train.json").write_text(json.dumps(content))
    tracked = defaultdict(dict, {t: {"VM": rle(visible(t), text=False), "VM_bbox": np.int64(3)} for t in range(1, 3)})
    (root / "car_data").mkdir()
    with (root / "car_data/test_data.pkl").open("wb") as file:
        pickle.dump({"2011_09_26_drive_0001": {4: tracked}}, file)
    return root


def test_kins_video_car_has_whole_masks_where_kins_has_them(tmp_path):
    convert("kins_video_car", kins(tmp_path / "src"), tmp_path / "out")
    (clip,) = find_native_clips(tmp_path / "out")
    assert (clip.name, len(clip.frames)) == ("2011_09_26_drive_0001_4", 2)
    assert clip.amodal[0] is None and np.array_equal(clip.modal[0][0].numpy(), visible(1))
    overlap = clip.amodal[1][0].numpy() & whole(2)
    assert overlap.sum() / (clip.amodal[1][0].numpy() | whole(2)).sum() > 0.8  # a polygon's pixels are pycocotools's


@pytest.mark.parametrize(
    ("video", "error"), [("../Kins", UnsafePath), ("/tmp", UnsafePath), (7, UnsafePath), ("2011*", DataNotFound)]
)
def test_videos_of_a_pickle_are_looked_for_by_safe_names_alone(video, error, tmp_path):
    root = kins(tmp_path / "src")
    (root / "car_data/test_data.pkl").write_bytes(pickle.dumps({video: {4: {2: {"VM": rle(visible(2))}}}}))
    with pytest.raises(error, match="test_data.pkl: name of a video|looked for raw_video/<date>/2011"):
        convert("kins_video_car", root, tmp_path / "out")


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_pickles_that_ask_for_code_are_refused(tmp_path, capsys):
    root = kins(tmp_path / "src")
    (root / "car_data/test_data.pkl").write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(BadMask, match=r"test_data.pkl is no table of masks \(it asks for builtins.print"):
        convert("kins_video_car", root, tmp_path / "out")
    assert capsys.readouterr().out == ""


def coco_file(root: Path, images: list, annotations: list) -> Path:
    for t in range(COUNT):
        save(frame(t), root / "images" / f"{t}.png")
    (root / "x.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return root / "x.json"


def image(t: int, **more: object) -> dict:
    return {"id": t, "file_name": f"images/{t}.png", "height": HEIGHT, "width": WIDTH, **more}


@pytest.mark.parametrize(
    "names", [("a_segm", "i_segm"), ("segmentation", "visible_mask"), ("segmentation", "inmodal_seg")]
)
def test_coco_videos_of_every_spelling(names, tmp_path):
    images = [image(t, video_id=6, frame_id=t) for t in reversed(range(COUNT))]
    annotations = [
        {"id": t, "image_id": t, "track_id": 2, names[0]: rle(whole(t)), names[1]: rle(visible(t))}
        for t in range(COUNT)
    ]
    convert("coco_amodal", coco_file(tmp_path, images, annotations), tmp_path / "out")
    (clip,) = find_native_clips(tmp_path / "out")
    check(clip)
    assert clip.name == "6_2"


def test_coco_videos_are_told_apart_by_their_whole_names(tmp_path):
    images = [image(t, video_id=f"seq.v{t % 2}", frame_id=t) for t in range(COUNT)]
    annotations = [
        {"id": t, "image_id": t, "track_id": k, "segmentation": rle(whole(t))} for t in (3, 1, 0) for k in (5, 6)
    ]
    convert("coco_amodal", coco_file(tmp_path, images, annotations), tmp_path / "out")
    found = {clip.name: clip.details["image_ids"] for clip in find_native_clips(tmp_path / "out")}
    assert found == {"seq.v0_5": [0, 2], "seq.v0_6": [0, 2], "seq.v1_5": [1, 3], "seq.v1_6": [1, 3]}


def test_masks_of_another_size_than_their_frames_are_refused(tmp_path):
    small = whole(0)[::2, ::2]
    images = [{"id": 0, "file_name": "images/0.png", "height": HEIGHT // 2, "width": WIDTH // 2}]
    annotations = [{"id": 1, "image_id": 0, "segmentation": rle(small), "visible_mask": rle(small)}]
    source = coco_file(tmp_path, images, annotations)
    said = "images_0_0, frame 0: its visible mask is 16x12, the frame 32x24; give frames of the size"
    with pytest.raises(BadMask, match=said):
        convert("coco_amodal", source, tmp_path / "out")
    with pytest.raises(BadMask, match=said):  # a JPEG, of which the header alone is read
        Image.fromarray(frame(0)).save(tmp_path / "images/0.jpg")
        source.write_text(source.read_text().replace("0.png", "0.jpg"))
        convert("coco_amodal", source, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*/frames"))


def test_grey_masks_of_low_ids_are_refused(tmp_path):
    root = movi_mc_ac(tmp_path / "src")
    save(whole(1).astype(np.uint8) * 7, next(root.rglob("obj_0007")) / "segmentation_00001.png")
    with pytest.raises(BadMask, match=r"segmentation_00001.png: a grey mask whose values are 0, 7, none of them white"):
        convert("movi_mc_ac", root, tmp_path / "out")


def test_cocoa_images_are_clips_of_one_frame_and_what_hides_nothing_is_seen_whole(tmp_path):
    hidden = {"segmentation": [12, 6, 21, 6, 21, 17, 12, 17], "visible_mask": rle(visible(2)), "order": 2}
    front = {"segmentation": [14, 2, 27, 2, 27, 21, 14, 21], "order": 1}
    annotations = [{"id": 1, "image_id": 2, "regions": [front, hidden], "size": 2}]
    convert("coco_amodal", coco_file(tmp_path, [image(2)], annotations), tmp_path / "out")
    first, second = find_native_clips(tmp_path / "out")
    assert (len(first.frames), first.name) == (1, "images_2_0")
    assert torch.equal(first.modal[0], first.amodal[0]) and first.occlusion[0].level == "NO_OCCLUSION"
    assert np.array_equal(second.modal[0][0].numpy(), visible(2))


def test_clips_begin_where_the_object_is_seen_or_seen_whole_and_others_are_named(tmp_path):
    def shown(t: int, seen: np.ndarray) -> dict:
        return {"id": t, "image_id": t, "track_id": 1, "segmentation": rle(whole(t)), "visible_mask": rle(seen)}

    nothing, half = np.zeros((HEIGHT, WIDTH), bool), whole(1) & (np.arange(HEIGHT) < 12)[:, None]
    images = [image(t, video_id=6) for t in range(COUNT)]
    annotations = [shown(0, nothing), shown(1, half), shown(2, whole(2)), shown(3, nothing)]
    source = coco_file(tmp_path, images, annotations)
    convert("coco_amodal", source, tmp_path / "seen")
    convert("coco_amodal", source, tmp_path / "clean", clean_start=True)
    (seen,), (clean,) = find_native_clips(tmp_path / "seen"), find_native_clips(tmp_path / "clean")
    assert (len(seen.frames), seen.details["first_frame"], seen.details["image_ids"]) == (3, 1, [1, 2, 3])
    assert (len(clean.frames), clean.details["first_frame"]) == (2, 2)
    assert convert("coco_amodal", source, tmp_path / "seen").written == ("6_1",)  # a second call goes on
    with pytest.raises(
        UserError, match="seen holds clips that were converted with clean_start off, now on; give another"
    ):
        convert("coco_amodal", source, tmp_path / "seen", clean_start=True)
    source = coco_file(tmp_path, images, [shown(0, nothing)])
    with pytest.raises(DataNotFound, match="gives no clip: 1 is never seen"):
        convert("coco_amodal", source, tmp_path / "none")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("movi_mc_ac", "looked for <scene>/camera_0000 in"),
        ("tcow_kubric", "looked for <scene>/frames_p0_v0/divided_segmentation"),
        ("tcow_rubric", "looked for <video>_<frame>_query.png in"),
        ("diffusion_vas", "looked for one diffusion_vas_.*.json in"),
        ("kins_video_car", "looked for car_data/test_data.pkl in"),
        ("coco_amodal", "is no JSON file in COCO's form"),
    ],
)
def test_a_folder_of_another_form_says_what_was_looked_for(form, words, tmp_path):
    with pytest.raises(DataNotFound, match=words):
        convert(form, tmp_path, tmp_path / "out")


def test_unknown_format_and_setting_of_another(tmp_path):
    with pytest.raises(UnknownName, match="unknown format 'tcow_cubric'; did you mean 'tcow_rubric'|'tcow_kubric'"):
        convert("tcow_cubric", tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="--split says nothing of tcow_rubric; it is for kins_video_car"):
        convert("tcow_rubric", tmp_path, tmp_path / "out", split="test")


def test_door_converts_and_scores_rubric(door, tmp_path):
    answer = door("external", "convert", "tcow_rubric", rubric(tmp_path / "src"), "--out", "data/rubric")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("2 clips in data/rubric")
    assert "test --data realvas --data.root data/rubric" in answer.out
    words = ("--data", "realvas", "--data.root", "data/rubric", "--trainer.accelerator", "cpu")
    answer = door("test", *words, "--model", "hold_last", "--results.dataset", "rubric")
    assert answer.code == 0, answer.err
    from robustvos.evaluation.results import load_result

    run = load_result(next(Path("runs").rglob("results.json")))
    assert [record.frames for record in run.objects] == [1, 1]
    assert set(run.by["category"]) == {"office", "davis_ytvos"}
    assert (run.inputs, run.run_type) == ("/", "Online")
    masks = run.folder / "masks"
    assert door("score", masks, "data/rubric", "--out", "again").code == 0
    assert load_result(Path("again/results.json")).overall == run.overall
