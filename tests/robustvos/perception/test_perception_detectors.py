"""Detectors: what moves before a known background, and what is named in words."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from robustvos.errors import BadVideo, UserError
from robustvos.perception import BackgroundKnn, GroundingDino, PlateDifference
from robustvos.perception.regions import hysteresis

HEIGHT, WIDTH, LENGTH = 96, 160, 30
MOTION = [PlateDifference, BackgroundKnn]


def background() -> np.ndarray:
    rng = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(rng.uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 6)
    return 90 + 3 * (smooth - smooth.mean())


def scene(shadow: float = 1.0, exposure: float = 0.0) -> tuple[list[Tensor], list[np.ndarray]]:
    """A textured square that crosses the frame; a strip beside it keeps ``shadow`` of the light; noise of two levels."""
    rng = np.random.default_rng(0)
    plate = background()
    texture = rng.uniform(150, 255, (24, 24, 3))
    frames, truth = [], []
    for t in range(LENGTH):
        left = -20 + round(t * (WIDTH + 16) / LENGTH)
        mask = np.zeros((HEIGHT, WIDTH), bool)
        pixels = plate.copy()
        dark = np.zeros_like(mask)
        dark[64:76, max(left, 0) : max(left + 24, 0)] = True
        pixels[dark] *= shadow
        columns = np.arange(max(left, 0), min(left + 24, WIDTH))
        mask[40:64, columns] = True
        pixels[40:64, columns] = texture[:, columns - left]
        pixels = pixels * (1 + exposure * np.sin(t)) + rng.normal(0, 2, pixels.shape)
        frames.append(torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous())
        truth.append(mask)
    return frames, truth


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / max((found | truth).sum(), 1))


def ious(detector, frames, truth) -> list[float]:
    full = [t for t in range(LENGTH) if truth[t].sum() == 24 * 24]
    assert len(full) > 15
    return [iou(detector.detect(frames[t]).masks.any(0).numpy(), truth[t]) for t in full]


@pytest.mark.parametrize("kind", MOTION)
def test_moving_square_is_found(kind):
    frames, truth = scene()
    scores = ious(kind().prepare(frames), frames, truth)
    assert np.mean(scores) > 0.85 and min(scores) > 0.75


@pytest.mark.parametrize("kind", MOTION)
def test_one_region_one_box_with_its_extent(kind):
    frames, _ = scene()
    found = kind().prepare(frames).detect(frames[15])
    assert len(found) == 1 and found.labels == ("moving",) and 0 < float(found.scores[0]) <= 1
    assert found.masks.shape == (1, HEIGHT, WIDTH) and found.masks.dtype == torch.bool
    rows, columns = found.masks[0].any(1).nonzero(), found.masks[0].any(0).nonzero()
    assert found.boxes[0].tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize("kind", MOTION)
def test_answers_depend_on_clip_and_frame_alone(kind):
    frames, _ = scene()
    first, second = kind().prepare(frames), kind().prepare(frames)
    forwards = [first.detect(frame).masks for frame in frames]
    backwards = [second.detect(frame).masks for frame in reversed(frames)][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forwards, backwards, strict=True))


def test_exposure_that_wavers_is_not_motion():
    frames, truth = scene(exposure=0.08)
    assert np.mean(ious(PlateDifference().prepare(frames), frames, truth)) > 0.8


def test_shadow_is_passed_over():
    frames, truth = scene(shadow=0.7)
    scores = [np.mean(ious(PlateDifference(shadow_test=on).prepare(frames), frames, truth)) for on in (False, True)]
    assert scores[0] < 0.75 < 0.85 < scores[1]


def test_still_thing_is_burnt_into_the_median_and_found_against_a_given_plate():
    frames, truth = scene()
    stopped = [frames[15]] * 25 + frames[16:]
    plate = torch.from_numpy(background().clip(0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous()
    blind, seeing = PlateDifference().prepare(stopped), PlateDifference().prepare(stopped, plate)
    assert iou(blind.detect(frames[15]).masks.any(0).numpy(), truth[15]) < 0.1
    assert iou(seeing.detect(frames[15]).masks.any(0).numpy(), truth[15]) > 0.85
    assert torch.equal(seeing.plate, plate)


@pytest.mark.parametrize("kind", MOTION)
def test_wide_frames_are_searched_small_and_answered_large(kind):
    frames, truth = scene()
    large = [frame.repeat_interleave(4, 1).repeat_interleave(4, 2) for frame in frames]
    found = kind(width=WIDTH).prepare(large).detect(large[15])
    assert found.masks.shape[-2:] == (4 * HEIGHT, 4 * WIDTH)
    assert iou(found.masks.any(0).numpy(), truth[15].repeat(4, 0).repeat(4, 1)) > 0.85


@pytest.mark.parametrize("kind", MOTION)
def test_nothing_moves_nothing_found(kind):
    rng = np.random.default_rng(0)
    still = [
        torch.from_numpy((background() + rng.normal(0, 2, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)).permute(
            2, 0, 1
        )
        for _ in range(12)
    ]
    found = kind().prepare(still).detect(still[5])
    assert len(found) == 0 and found.boxes.shape == (0, 4) and found.masks.shape == (0, HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", MOTION)
def test_bad_use_is_refused(kind):
    frames, _ = scene()
    with pytest.raises(RuntimeError, match="needs prepare"):
        kind().detect(frames[0])
    with pytest.raises(BadVideo, match="empty"):
        kind().prepare([])
    with pytest.raises(BadVideo, match="80x96 in a clip of 160x96"):
        kind().prepare([frames[0], frames[1][:, :, :80]])
    with pytest.raises(BadVideo, match=r"uint8 \(3, H, W\), got torch.float32"):
        kind().prepare([frames[0].float()])
    with pytest.raises(UserError, match="width"):
        kind(width=4)


def test_one_frame_is_its_own_background():
    frames, _ = scene()
    assert len(PlateDifference().prepare(frames[:1]).detect(frames[0])) == 0


def test_hysteresis_keeps_weak_pixels_beside_strong_ones_alone():
    strength = np.array([[5, 5, 9, 0, 5, 5]], np.float32)
    kept = hysteresis(strength, np.full((1, 6), 4.0), np.full((1, 6), 8.0))
    assert kept.tolist() == [[True, True, True, False, False, False]]


CLASSES = ("person", "car", "shopping cart", "dog")


def asked(folder, classes, frame, threshold=0.0):
    """One question, put to transformers directly."""
    import transformers

    images = transformers.GroundingDinoImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.GroundingDinoProcessor(images, tokenizer)
    model = transformers.GroundingDinoForObjectDetection.from_pretrained(folder).eval()
    inputs = processor(images=frame.permute(1, 2, 0).numpy(), text=". ".join(classes) + ".", return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    return processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=threshold, text_threshold=0.0, target_sizes=[tuple(frame.shape[-2:])]
    )[0]


@pytest.fixture(scope="module")
def frame() -> Tensor:
    return scene()[0][15]


def test_grounding_dino_gives_what_transformers_gives(dino_folder, frame):
    detector = GroundingDino(str(dino_folder), CLASSES[:2], threshold=0.0, text_threshold=0.0, group=2, overlap=1.0)
    found, expected = detector.detect(frame), asked(dino_folder, CLASSES[:2], frame)
    assert len(found) == len(expected["scores"]) == 12
    order = expected["scores"].argsort(descending=True, stable=True)
    torch.testing.assert_close(found.scores, expected["scores"][order])
    limits = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    torch.testing.assert_close(found.boxes, expected["boxes"][order].clamp(min=0).minimum(limits))
    assert found.masks is None and set(found.labels) <= {"person", "car"}


def test_grounding_dino_asks_in_groups_and_thins_overlapping_boxes(dino_folder, frame):
    found = GroundingDino(str(dino_folder), CLASSES, threshold=0.0, text_threshold=0.0, group=2, overlap=0.5).detect(
        frame
    )
    assert set(found.labels) <= set(CLASSES) and {"person", "car"} & set(found.labels)
    assert {"shopping cart", "dog"} & set(found.labels)
    between = box_iou(found.boxes, found.boxes).fill_diagonal_(0)
    assert float(between.max()) <= 0.5
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_grounding_dino_above_all_scores_finds_nothing(dino_folder, frame):
    found = GroundingDino(str(dino_folder), CLASSES, threshold=2.0).detect(frame)
    assert len(found) == 0 and found.boxes.shape == (0, 4) and found.scores.shape == (0,)


def test_grounding_dino_needs_classes(dino_folder):
    with pytest.raises(UserError, match="at least one class"):
        GroundingDino(str(dino_folder), ())
