"""Containment on small drawn scenes and bad input: what is carried, when it stops, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from robustvos.containment.completion import RestPath, align_to_visible, moved_by
from robustvos.containment.contain_clip import ContainSources, contain_clip
from robustvos.containment.contain_prompts import ContainPrompts, group_prompts
from robustvos.containment.containment import ContainmentSettings, NotContained, find_phases
from robustvos.containment.mask_warp import overlap
from robustvos.containment.region_tracking import FlowRegions, GivenRegions
from robustvos.errors import BadMask, BadPrompt, DataNotFound
from robustvos.files.stage_runner import run_stage
from robustvos.publishing.card import read_licences, used_sources
from robustvos.realvas.contain import REASONS, Contain
from robustvos.realvas.sources import add_sources
from robustvos.scenes.carried import CarriedClip, CarriedSpec, render_carried_clip
from robustvos.scenes.posed import printed_texture
from robustvos.video.masks import write_binary_mask, write_indexed_mask
from robustvos.video.native import read_native_clip
from robustvos.video.prompt_file import PromptLine, write_prompt_lines
from robustvos.video.writer import VideoWriter

SPEC = CarriedSpec(size=(180, 320), frames=30, depth=0.02, hand=False)


@lru_cache
def scene(kind: str = "translation") -> CarriedClip:
    return render_carried_clip(kind, 1, SPEC)


def tensors(frames: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).contiguous() for frame in frames]


def mask_file(folder: Path, name: str, mask: np.ndarray) -> Path:
    write_binary_mask(torch.from_numpy(mask), folder / f"{name}.png")
    return folder / f"{name}.png"


def prompts_of(folder: Path, clip: CarriedClip, rest: int | None = 12, category: str = "surface") -> ContainPrompts:
    at = clip.rest_frame
    lines = [
        PromptLine(0, 1, mask=mask_file(folder, "object", clip.clip.amodal[0, 0])),
        PromptLine(at, 1, mask=mask_file(folder, "box", clip.carrier[at]), role="container", rest_frame=rest),
        PromptLine(at, 1, mask=mask_file(folder, "box", clip.carrier[at]), role="carrier", category=category),
    ]
    return group_prompts(lines)[0]


class Seen:
    """The exact visible masks, as a perfect tracker would give them."""

    def __init__(self, masks: np.ndarray) -> None:
        self.given = masks

    def masks(self, frames, prompts, last):
        yield from self.given[prompts[0].frame : last + 1]


def sources_of(clip: CarriedClip) -> ContainSources:
    return ContainSources(Seen(clip.clip.modal[:, 0]))


def test_object_is_carried_and_its_phases_are_found(tmp_path):
    clip = scene()
    found = contain_clip(tensors(clip.clip.frames), prompts_of(tmp_path, clip), sources_of(clip))
    hidden = int(np.flatnonzero(clip.clip.fully_hidden())[0])
    assert found.phases.hidden == hidden and found.phases.rest == 12 and found.stop is None
    assert len(found.amodal) == 30 and found.confidence.min() > 0.8
    ious = [overlap(found.amodal[t], clip.clip.amodal[t, 0]) for t in range(30)]
    assert min(ious) > 0.9 and np.mean(ious[hidden:]) > 0.95
    assert not found.modal[hidden:].any() and not (found.modal & ~found.amodal).any()


def test_rest_frame_of_what_stands_still_follows_from_the_masks(tmp_path):
    clip = scene()
    prompts = replace(prompts_of(tmp_path, clip), rest_frame=None)
    found = contain_clip(tensors(clip.clip.frames), prompts, sources_of(clip))
    assert found.phases.rest == found.phases.hidden


def seen_by_a_moving_camera(clip: CarriedClip, dx: float, dy: float) -> CarriedClip:
    """Everything shifted by ``(dx, dy)`` pixels a frame."""

    def roll(planes: np.ndarray) -> np.ndarray:
        return np.stack([np.roll(p, (round(dy * t), round(dx * t)), (0, 1)) for t, p in enumerate(planes)])

    moved = replace(
        clip.clip,
        frames=roll(clip.clip.frames),
        modal=roll(clip.clip.modal[:, 0])[:, None],
        amodal=roll(clip.clip.amodal[:, 0])[:, None],
    )
    return replace(clip, clip=moved, carrier=roll(clip.carrier))


def test_moving_camera_is_carried_alike(tmp_path):
    moved = seen_by_a_moving_camera(scene(), 0.8, -0.4)
    found = contain_clip(tensors(moved.clip.frames), prompts_of(tmp_path, moved), sources_of(moved))
    assert found.stop is None
    assert np.mean([overlap(found.amodal[t], moved.clip.amodal[t, 0]) for t in range(12, 30)]) > 0.93


def without_scene(clip: CarriedClip, t: int) -> np.ndarray:
    """Frames of which frame ``t`` shows the container alone."""
    frames = clip.clip.frames.copy()
    frames[t][~clip.carrier[t]] = printed_texture(np.random.default_rng(5), *SPEC.size)[~clip.carrier[t]]
    return frames


def test_a_frame_of_unknown_camera_motion_lies_between_its_neighbours(tmp_path):
    moved = seen_by_a_moving_camera(scene(), 2, -1)
    hidden = int(np.flatnonzero(moved.clip.fully_hidden())[0])
    unknown = (hidden + 12) // 2
    assert hidden < unknown < 12
    found = contain_clip(tensors(without_scene(moved, unknown)), prompts_of(tmp_path, moved), sources_of(moved))
    ious = {t: overlap(found.amodal[t], moved.clip.amodal[t, 0]) for t in range(hidden, 12)}
    assert ious[unknown] > 0.9 and ious[unknown] > min(ious[unknown - 1], ious[unknown + 1]) - 0.05


def test_a_rest_frame_of_unknown_camera_motion_gives_no_clip(tmp_path):
    moved = seen_by_a_moving_camera(scene(), 2, -1)
    frames = tensors(without_scene(moved, 12))
    assert reason_of(frames, prompts_of(tmp_path, moved), sources_of(moved)) == "camera lost before rest"


def covered(clip: CarriedClip, first: int, last: int) -> np.ndarray:
    """Frames in which the container is nowhere to be seen from ``first`` to before ``last``."""
    frames = clip.clip.frames.copy()
    wall = printed_texture(np.random.default_rng(5), *SPEC.size)
    frames[first:last] = wall
    return frames


def test_clip_whose_container_is_lost_stops_there_and_says_why(tmp_path):
    clip = scene()
    found = contain_clip(tensors(covered(clip, 20, 30)), prompts_of(tmp_path, clip), sources_of(clip))
    assert found.stop is not None and (found.stop.frame, found.stop.reason) == (20, "container lost")
    assert found.stop.figures["likeness"] < 0.8 and len(found.amodal) == 20


def test_short_passage_before_the_container_does_not_end_the_clip(tmp_path):
    clip = scene()
    found = contain_clip(tensors(covered(clip, 20, 22)), prompts_of(tmp_path, clip), sources_of(clip))
    assert found.stop is None and len(found.amodal) == 30
    assert found.confidence[20:22].max() < 0.5 < found.confidence[24:].min()


def test_correction_takes_up_a_lost_container_if_no_gap_stays(tmp_path):
    clip = scene()
    # A cut: the last third of the clip is shown smaller and elsewhere.
    cut, size = np.array([[0.6, 0, 40], [0, 0.6, 20]]), SPEC.size[::-1]

    def after(mask: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(mask.astype(np.uint8), cut, size, flags=cv2.INTER_NEAREST) > 0

    frames, truth = clip.clip.frames.copy(), clip.clip.amodal[:, 0].copy()
    for t in range(20, 30):
        frames[t], truth[t] = cv2.warpAffine(frames[t], cut, size), after(truth[t])
    prompts = prompts_of(tmp_path, clip)
    lost = contain_clip(tensors(frames), prompts, sources_of(clip))
    assert lost.stop is not None and lost.stop.frame == 20
    correction = PromptLine(24, 1, mask=mask_file(tmp_path, "there", after(clip.carrier[24])), role="carrier")
    corrected = replace(prompts, carriers=(*prompts.carriers, correction))
    found = contain_clip(tensors(frames), corrected, sources_of(clip))
    assert found.stop is None and len(found.amodal) == 30
    assert np.mean([overlap(found.amodal[t], truth[t]) for t in range(20, 30)]) > 0.93
    wrong = replace(correction, mask=mask_file(tmp_path, "wrong", np.roll(after(clip.carrier[24]), 90, 1)))
    still = contain_clip(tensors(frames), replace(prompts, carriers=(*prompts.carriers, wrong)), sources_of(clip))
    assert still.stop is not None and still.stop.frame == 20 and still.stop.figures["correction"] == 24


def test_container_that_leaves_the_frame_ends_the_clip_with_that_reason(tmp_path):
    clip = scene()
    frames = clip.clip.frames.copy()
    for t in range(13, 30):
        shift = 14 * (t - 12)
        frames[t] = cv2.warpAffine(frames[12], np.array([[1, 0, shift], [0, 1, 0.0]]), SPEC.size[::-1], borderMode=1)
    found = contain_clip(tensors(frames), prompts_of(tmp_path, clip), sources_of(clip))
    assert found.stop is not None and found.stop.reason == "container left the frame"


def test_mobile_object_goes_to_the_rest_that_a_person_gave(tmp_path):
    clip = render_carried_clip("mobile", 0, SPEC)
    prompts = prompts_of(tmp_path, clip, category="mobile")
    rest = PromptLine(12, 1, mask=mask_file(tmp_path, "rest", clip.clip.amodal[12, 0]))
    found = contain_clip(
        tensors(clip.clip.frames), replace(prompts, objects=(*prompts.objects, rest)), sources_of(clip)
    )
    assert min(overlap(found.amodal[t], clip.clip.amodal[t, 0]) for t in range(12, 30)) > 0.9
    assert (
        min(overlap(found.amodal[t], clip.clip.amodal[t, 0]) for t in range(found.phases.whole, found.phases.hidden))
        > 0.85
    )


def reason_of(frames, prompts, sources) -> str:
    with pytest.raises(NotContained) as error:
        contain_clip(frames, prompts, sources)
    assert error.value.reason in REASONS
    json.dumps(error.value.figures, allow_nan=False)
    return error.value.reason


def test_clips_without_containment_are_refused_with_the_reason(tmp_path):
    clip = scene()
    frames, prompts = tensors(clip.clip.frames), prompts_of(tmp_path, clip)
    open_ = replace(clip.clip, modal=clip.clip.amodal)
    assert reason_of(frames, prompts, sources_of(replace(clip, clip=open_))) == "never fully hidden"
    assert reason_of(frames[:1], prompts, sources_of(clip)) == "one frame"
    assert reason_of(frames[:10], prompts, sources_of(clip)) == "prompt outside the video"
    late = replace(prompts, rest_frame=200)
    assert reason_of(frames, late, sources_of(clip)) in ("rest frame outside the video", "not hidden at rest")
    assert reason_of(frames, replace(prompts, rest_frame=4), sources_of(clip)) in (
        "not hidden at rest",
        "never fully hidden",
    )
    nothing = replace(clip.clip, modal=np.zeros_like(clip.clip.modal))
    assert reason_of(frames, prompts, sources_of(replace(clip, clip=nothing))) == "object not found"
    assert reason_of(frames, replace(prompts, ends=12), sources_of(clip)) in (
        "too short",
        "rest frame outside the video",
    )


def test_object_cut_by_the_frame_is_refused():
    masks = [np.zeros((20, 20), bool) for _ in range(6)]
    for mask in masks[:3]:
        mask[5:12, 0:6] = True
    with pytest.raises(NotContained, match="object cut by the frame"):
        find_phases(masks, 0, "surface", None, ContainmentSettings())


def test_plain_container_cannot_be_followed(tmp_path):
    clip = scene()
    frames = np.full_like(clip.clip.frames, 120)
    with pytest.raises(BadMask, match="points that can be tracked"):
        contain_clip(tensors(frames), prompts_of(tmp_path, clip), sources_of(clip))


def test_visible_edge_says_where_the_whole_object_is():
    whole = np.zeros((80, 90), bool)
    cv2.ellipse(drawn := whole.astype(np.uint8), (30, 30), (14, 9), 20, 0, 360, 1, -1)
    whole = drawn > 0
    truth = moved_by(whole, (7, 12))
    occluder = np.zeros_like(whole)
    occluder[40:] = True
    shift = align_to_visible(whole, truth & ~occluder, occluder, expected=(4, 9), reach=15)
    assert np.abs(np.array(shift) - (7, 12)).max() <= 1


def test_way_to_rest_begins_and_ends_at_the_given_masks():
    start, end = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    start[10:20, 10:20] = True
    end[30:50, 30:50] = True
    way = RestPath(start, end)
    assert (way.at(0.0) == start).all() and (way.at(1.0) == end).all()
    middle = np.argwhere(way.at(0.5)).mean(0)
    assert np.abs(middle - (14.5 + 39.5) / 2).max() < 1 and 100 < way.at(0.5).sum() < 400


def test_prompts_of_several_objects_are_grouped_and_their_faults_named(tmp_path):
    mask = tmp_path / "m.png"
    lines = [
        PromptLine(0, 2, tmp_path / "a.mp4", mask=mask),
        PromptLine(0, 1, tmp_path / "a.mp4", mask=mask),
        PromptLine(9, 1, tmp_path / "a.mp4", mask=mask, role="container", rest_frame=12, category="mobile"),
        PromptLine(9, 2, tmp_path / "a.mp4", mask=mask, role="carrier", depth=0.3),
        PromptLine(50, 2, tmp_path / "a.mp4", remove=True),
    ]
    one, two = group_prompts(lines)
    assert (one.object_id, one.rest_frame, one.category, one.carriers) == (1, 12, "mobile", one.containers)
    assert (two.category, two.depth, two.ends) == ("surface", 0.3, 50)
    with pytest.raises(BadPrompt, match="is not marked"):
        group_prompts(lines[2:3])
    with pytest.raises(BadPrompt, match="has no container"):
        group_prompts(lines[:1])
    with pytest.raises(BadPrompt, match="disagree about rest_frame: 12, 13"):
        group_prompts([*lines[1:3], replace(lines[2], frame=10, rest_frame=13)])
    one_names_it_one_means_it = [lines[1], replace(lines[2], video=None)]
    (whole,) = group_prompts(one_names_it_one_means_it, tmp_path / "a.mp4")
    assert (whole.video, whole.containers[0].frame) == (tmp_path / "a.mp4", 9)


def written_video(folder: Path, frames: np.ndarray, name: str = "a.mp4") -> Path:
    with VideoWriter(folder / name, fps=10, quality=8) as writer:
        for frame in tensors(frames):
            writer.add(frame)
    return folder / name


def test_stage_writes_native_clips_and_counts_what_it_leaves_out(tmp_path):
    clip = scene()
    written_video(tmp_path, clip.clip.frames)
    box = mask_file(tmp_path, "box", clip.carrier[12])
    thing = mask_file(tmp_path, "thing", clip.clip.amodal[0, 0])
    aside = mask_file(tmp_path, "aside", np.roll(clip.clip.amodal[0, 0], -60, 0))
    lines = [
        PromptLine(0, 1, Path("a.mp4"), mask=thing),
        PromptLine(12, 1, Path("a.mp4"), mask=box, role="container", rest_frame=12),
        PromptLine(0, 2, Path("a.mp4"), mask=aside),
        PromptLine(12, 2, Path("a.mp4"), mask=box, role="container", rest_frame=12),
        PromptLine(0, 3, Path("a.mp4"), mask=thing),
        PromptLine(90, 3, Path("a.mp4"), mask=box, role="container"),
    ]
    lines = [replace(line, video=tmp_path / "a.mp4") for line in lines]
    write_prompt_lines(lines, tmp_path / "prompts.jsonl")
    done = run_stage(Contain((tmp_path / "prompts.jsonl",)), tmp_path / "run", progress=False)
    kept, rejected = {r.key: r for r in done.kept}, {r.key: r.reason for r in done.rejected}
    assert set(kept) == {"a.o1"} and set(rejected) == {"a.o2", "a.o3"}
    assert rejected == {"a.o2": rejected["a.o2"], "a.o3": "prompt outside the video"} and rejected["a.o2"] in REASONS
    native = read_native_clip(kept["a.o1"].folder)
    assert native.category == "surface" and len(native.frames) == kept["a.o1"].figures["frames"] == 30
    assert kept["a.o1"].figures["camera"] in ("static", "moving", "undecided")
    assert used_sources(tmp_path / "run", done.kept) == ["a"]  # named by prompts alone
    (tmp_path / "run" / "licences.yaml").write_text("a: cc-by-4.0\n")
    assert [licence.licence for licence in read_licences(tmp_path / "run", ["a"])] == ["cc-by-4.0"]
    (tmp_path / "other").mkdir()
    namesake = written_video(tmp_path / "other", clip.clip.frames[::-1].copy())
    add_sources(tmp_path / "run", [namesake])
    (credited,) = used_sources(tmp_path / "run", done.kept)
    assert credited.startswith("a-")  # not the namesake
    other, same = add_sources(tmp_path / "run", [namesake, tmp_path / "a.mp4"])
    assert other.key == "a" and used_sources(tmp_path / "run", done.kept) == [same.key] != [other.key]
    assert len(native.details["confidence"]) == 30 and native.details["containment"]["stop"] is None
    assert native.amodal is not None
    ious = [overlap(native.amodal[t][0].numpy(), clip.clip.amodal[t, 0]) for t in range(12, 30)]
    assert np.mean(ious) > 0.9
    assert native.occlusion is not None and native.occlusion[-1].level == "SEVERE_OCCLUSION"


def test_stage_refuses_files_that_are_missing(tmp_path):
    line = PromptLine(0, 1, tmp_path / "none.mp4", box=(0, 0, 5, 5))
    box = replace(line, role="container")
    write_prompt_lines([line, box], tmp_path / "prompts.jsonl")
    with pytest.raises(DataNotFound, match="does not exist; paths are relative to the prompt file"):
        list(Contain((tmp_path / "prompts.jsonl",)).items({}))
    write_prompt_lines([replace(line, video=None), replace(box, video=None)], tmp_path / "prompts.jsonl")
    with pytest.raises(BadPrompt, match="names no video"):
        list(Contain((tmp_path / "prompts.jsonl",)).items({}))


def test_given_masks_are_read_by_frame_and_id(tmp_path):
    plane = torch.zeros(2, 6, 8, dtype=torch.bool)
    plane[0, 1:3], plane[1, 4:] = True, True
    write_indexed_mask(plane, (1, 7), tmp_path / "00001.png")
    frames = [torch.zeros(3, 6, 8, dtype=torch.uint8)] * 3
    prompt = PromptLine(0, 7, box=(0, 0, 2, 2)).as_prompt((6, 8))
    masks = list(GivenRegions(tmp_path, ("00000", "00001", "00002")).masks(frames, [prompt], 2))
    assert [int(mask.sum()) for mask in masks] == [0, 16, 0]
    with pytest.raises(DataNotFound, match="holds no mask of a frame"):
        GivenRegions(tmp_path / "none", ("00000",))


def test_flow_needs_masks_and_loses_what_is_covered():
    clip = scene()
    frames = tensors(clip.clip.frames)
    prompt = PromptLine(0, 1, box=(0, 0, 9, 9)).as_prompt(SPEC.size)
    with pytest.raises(BadPrompt, match="needs a mask"):
        list(FlowRegions().masks(frames, [prompt], 3))
    marked = replace(prompt, box=None, mask=torch.from_numpy(clip.clip.amodal[0, 0]))
    masks = list(FlowRegions().masks(frames, [marked], 11))
    assert overlap(masks[3], clip.clip.modal[3, 0]) > 0.9
    assert masks[-1].sum() < 0.02 * masks[0].sum()
