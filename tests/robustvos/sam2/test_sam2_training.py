"""Our batches reach SAM 2's training forward as its own loader would bring them."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from typing import Any

import pytest
import torch

from robustvos.datasets.collate import collate_clips
from robustvos.errors import UserError
from robustvos.sam2.build import architecture, build_sam2, instantiate
from robustvos.sam2.config import PromptSampling, Sam2Config
from robustvos.sam2.losses import segmentation_loss
from robustvos.sam2.preprocess import preprocess
from robustvos.sam2.training import forward_clips, resize_targets, training_input
from robustvos.types import Clip, ClipBatch

SIZE = 64


def make_clip(name: str, frames: int, objects: int, size: int = SIZE, annotated: list[bool] | None = None) -> Clip:
    """Squares that move to the right over noise."""
    random = torch.Generator().manual_seed(frames * 10 + objects)
    pictures = torch.randint(0, 256, (frames, 3, size, size), generator=random, dtype=torch.uint8)
    masks = torch.zeros(frames, objects, size, size, dtype=torch.bool)
    for t in range(frames):
        for o in range(objects):
            masks[t, o, 6 + 18 * o : 22 + 18 * o, 8 + 3 * t : 26 + 3 * t] = True
    given = None if annotated is None else torch.tensor(annotated)
    return Clip(name, pictures, masks, tuple(range(1, objects + 1)), annotated=given)


def make_batch(frames: int, **options: Any) -> ClipBatch:
    return collate_clips([make_clip("a", frames, 2, **options), make_clip("b", frames, 1, **options)])


@pytest.fixture(scope="module")
def nano() -> Any:
    torch.manual_seed(0)
    sampling = PromptSampling(conditioning_frames=3, corrected_frames=4, correction_clicks=1)
    return build_sam2(Sam2Config("nano", "random", SIZE), sampling).train()


def told(outputs: list[dict[str, Any]]) -> list[Any]:
    """What was prompted on each frame and step: None for a mask or nothing, else points and labels."""
    steps = [step for frame in outputs for step in frame["multistep_point_inputs"]]
    return [None if p is None else (p["point_coords"].tolist(), p["point_labels"].tolist()) for p in steps]


def run(model: Any, batch: ClipBatch, seed: int) -> list[dict[str, Any]]:
    torch.manual_seed(seed)
    return forward_clips(model, training_input(batch, SIZE), seed)


def test_layout_equals_that_of_sam2s_own_collation():
    from training.utils.data_utils import Frame, Object, VideoDatapoint, collate_fn

    clips = [make_clip("a", 3, 2), make_clip("b", 3, 1)]
    videos = [
        VideoDatapoint(
            frames=[
                Frame(
                    preprocess(clip.frames[t], SIZE),
                    [Object(o, t, clip.masks[t, o]) for o in range(clip.masks.shape[1])],
                )
                for t in range(3)
            ],
            video_id=number,
            size=(SIZE, SIZE),
        )
        for number, clip in enumerate(clips)
    ]
    official, ours = collate_fn(videos, "all"), training_input(collate_clips(clips), SIZE)
    torch.testing.assert_close(ours.flat_img_batch, official.flat_img_batch)
    assert torch.equal(ours.flat_obj_to_img_idx, official.flat_obj_to_img_idx)
    assert torch.equal(ours.masks, official.masks)
    assert ours.num_frames == official.num_frames


def test_input_stays_on_the_devices_of_the_batch():
    batch = make_batch(2, size=80)
    moved = {name: getattr(batch, name).to("meta") for name in ("frames", "masks", "object_to_clip")}
    found = training_input(replace(batch, **moved), SIZE)
    assert {x.device.type for x in (found.flat_img_batch, found.flat_obj_to_img_idx, found.masks)} == {"meta"}
    assert found.flat_img_batch.shape == (4, 3, SIZE, SIZE) and found.masks.shape == (2, 3, SIZE, SIZE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_step_runs_on_the_gpu(nano):
    model = copy.deepcopy(nano).cuda()
    inputs = training_input(make_batch(2).to("cuda"), SIZE)
    loss = segmentation_loss(forward_clips(model, inputs, 0), inputs.masks)["loss"]
    assert loss.device.type == "cuda" and bool(torch.isfinite(loss))


def test_targets_are_resized_as_mask_prompts_and_thin_objects_stay():
    masks = torch.zeros(1, 2, 256, 256, dtype=torch.bool)
    masks[0, 0, 40] = True  # one row, an eighth of a pixel's area at 32 px
    masks[0, 1, 64:128, 64:128] = True
    found = resize_targets(masks, 32)
    expected = torch.zeros(1, 2, 32, 32, dtype=torch.bool)
    expected[0, 0, 5] = True
    expected[0, 1, 8:16, 8:16] = True
    assert torch.equal(found, expected)
    assert torch.equal(resize_targets(masks, 256), masks)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_short_clips_are_prompted_and_trained_whatever_the_draw(nano, frames):
    batch = make_batch(frames)
    kinds = set()
    for seed in range(6):
        with torch.no_grad():
            outputs = run(nano, batch, seed)
        kinds.add(outputs[0]["multistep_point_inputs"][0] is None)
        assert len(outputs) == frames
        assert bool(torch.isfinite(segmentation_loss(outputs, batch.masks)["loss"]))
    assert kinds == ({False} if frames == 1 else {True, False}), "clips of one frame are always clicked on"


def test_short_clips_leave_no_trace_on_the_model(nano):
    before = {name: value for name, value in vars(nano).items() if isinstance(value, (int, float))}
    run(nano, make_batch(1), 0)
    assert {name: value for name, value in vars(nano).items() if isinstance(value, (int, float))} == before
    assert nano.num_frames_to_correct_for_train == 4


def test_every_part_of_the_model_gets_a_gradient(nano):
    batch = make_batch(4)
    model = copy.deepcopy(nano)
    for seed in range(8):
        segmentation_loss(run(model, batch, seed), batch.masks)["loss"].backward()
    idle = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert not {name.split(".")[0] for name in idle} - {"mask_downsample", "no_mem_pos_enc"}, idle


def test_equal_seeds_give_equal_prompts_and_outputs(nano):
    batch = make_batch(4)
    with torch.no_grad():
        first, again, other = (run(nano, batch, seed) for seed in (3, 3, 4))
    assert told(first) == told(again) != told(other)
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one["pred_masks"], two["pred_masks"])


def test_ranks_with_equal_seeds_use_the_same_parts(nano):
    def kinds(batch: ClipBatch, noise: int, seed: int) -> list[Any]:
        torch.manual_seed(noise)  # gate noise and the places of clicks differ between ranks
        with torch.no_grad():
            outputs = forward_clips(nano, training_input(batch, SIZE), seed)
        return [[p is None or p["point_labels"].shape[1] for p in f["multistep_point_inputs"]] for f in outputs]

    rank0, rank1 = make_batch(4), collate_clips([make_clip("c", 4, 3)])
    drawn = [kinds(rank0, 1, seed) for seed in range(10)]
    assert drawn == [kinds(rank1, 2, seed) for seed in range(10)]
    assert len({str(kind) for kind in drawn}) > 3, "the seed decides"


def test_frames_without_truth_are_never_prompted(nano):
    batch = make_batch(4, annotated=[True, False, True, False])
    clicked = 0
    for seed in range(12):
        with torch.no_grad():
            outputs = run(nano, batch, seed)
        later = [p for frame in outputs[1:] for p in frame["multistep_point_inputs"]]
        assert later == [None] * 3
        clicked += outputs[0]["multistep_point_inputs"][0] is not None
        # a mask prompt answers with itself: SAM 2 sets such logits to +-10
        assert all(set(f["pred_masks_high_res"].unique().tolist()) != {-10.0, 10.0} for f in outputs[1:])
    assert 0 < clicked < 12


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_chance_of_points_and_boxes(probability):
    sampling = PromptSampling(probability, 1.0, conditioning_frames=1, corrected_frames=1, correction_clicks=1)
    model = build_sam2(Sam2Config("nano", "random", SIZE), sampling).train()
    for seed in range(3):
        with torch.no_grad():
            first = run(model, make_batch(2), seed)[0]["multistep_point_inputs"]
        if probability == 0:
            assert first == [None]
        else:
            assert [p["point_labels"][0, :2].tolist() for p in first] == [[2, 3]] * 2  # box, then a click besides
            assert first[1]["point_labels"].shape[1] == 3


def test_every_setting_of_the_sampling_reaches_sam2():
    sampling = PromptSampling(0.1, 0.2, 3, 4, 5, 0.6)
    model = instantiate(architecture(Sam2Config("nano", image_size=SIZE)), sampling)
    assert model.prob_to_use_pt_input_for_train == 0.1
    assert model.prob_to_use_box_input_for_train == 0.2
    assert model.num_init_cond_frames_for_train == 3
    assert model.num_frames_to_correct_for_train == 4
    assert model.num_correction_pt_per_frame == 5
    assert model.prob_to_sample_from_gt_for_train == 0.6
    assert len(inspect.signature(PromptSampling).parameters) == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"point_probability": 1.5},
        {"box_probability": -0.1},
        {"conditioning_frames": 0},
        {"conditioning_frames": 3},
        {"corrected_frames": 0},
        {"correction_clicks": 0},
    ],
    ids=str,
)
def test_sampling_that_sam2_cannot_draw_is_refused(wrong):
    with pytest.raises(UserError, match="probability|at least"):
        PromptSampling(**wrong)
