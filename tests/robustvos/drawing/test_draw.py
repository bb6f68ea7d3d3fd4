"""Laws of the pictures."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from robustvos.drawing.colours import object_colour
from robustvos.drawing.draw import gate_image, label, overlay, side_by_side, strip, upscale

pytestmark = pytest.mark.fast


@pytest.fixture
def frame() -> torch.Tensor:
    return torch.randint(0, 256, (3, 20, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def square() -> torch.Tensor:
    mask = torch.zeros(1, 20, 24, dtype=torch.bool)
    mask[0, 5:15, 6:16] = True
    return mask


def test_overlay_leaves_pixels_outside_every_mask_untouched(frame, square):
    painted = overlay(frame, square, (1,))
    assert torch.equal(painted[:, ~square[0]], frame[:, ~square[0]])


def test_overlay_blends_frame_and_colour_by_alpha(frame, square):
    painted = overlay(frame, square, (3,), alpha=0.25, contour=False)
    colour = torch.tensor(object_colour(3), dtype=torch.float64)
    expected = (0.75 * frame[:, 10, 11].double() + 0.25 * colour).round()
    assert painted[:, 10, 11].double().sub(expected).abs().max() <= 1


def test_contour_is_opaque_on_the_rim_and_absent_inside(frame, square):
    painted = overlay(frame, square, (2,), alpha=0.0)
    assert tuple(painted[:, 5, 10].tolist()) == object_colour(2)
    assert torch.equal(painted[:, 10, 11], frame[:, 10, 11])


def test_contour_is_thicker_on_a_larger_frame():
    def rim(size: int) -> int:
        mask = torch.zeros(1, size, size, dtype=torch.bool)
        mask[0, size // 4 : size // 2, size // 4 : size // 2] = True
        painted = overlay(torch.zeros(3, size, size, dtype=torch.uint8), mask, (1,), alpha=0.0)
        return int((painted[:, size * 3 // 8].sum(0) > 0).sum())

    assert rim(960) > rim(96) == 2


def test_frame_border_is_no_contour(frame):
    whole = torch.ones(1, 20, 24, dtype=torch.bool)
    assert torch.equal(overlay(frame, whole, (1,), alpha=0.0), frame)


def plain_overlay(frame, masks, ids, alpha):
    """The definition, in floating point over the full frame."""
    canvas = frame.float()
    colours = [torch.tensor(object_colour(i), dtype=torch.float32)[:, None, None] for i in ids]
    for mask, colour in zip(masks, colours):
        canvas = torch.where(mask, canvas * (1 - alpha) + colour * alpha, canvas)
    thickness = max(1, round(min(frame.shape[-2:]) / 160))
    for mask, colour in zip(masks, colours):
        outside = (~mask).float()[None, None]
        near = F.max_pool2d(outside, 2 * thickness + 1, stride=1, padding=thickness)[0, 0] > 0
        canvas = torch.where(mask & near, colour, canvas)
    return canvas.round().to(torch.uint8)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("size", [(40, 57), (330, 400)])
def test_overlay_is_what_its_definition_gives(alpha, size):
    generator = torch.Generator().manual_seed(0)
    frame = torch.randint(0, 256, (*size, 3), generator=generator, dtype=torch.uint8).permute(2, 0, 1)
    noise = torch.rand(1, 1, 8, 8, generator=generator)
    levels = F.interpolate(noise, size=size, mode="bicubic")[0, 0]
    apart = torch.stack([levels < 0.3, (levels > 0.4) & (levels < 0.6), levels > 0.8])  # borders, holes, islands
    assert torch.equal(overlay(frame, apart, (1, 2, 30), alpha), plain_overlay(frame, apart, (1, 2, 30), alpha))
    over = torch.stack([levels < 0.6, levels > 0.4])
    difference = overlay(frame, over, (1, 2), alpha).int() - plain_overlay(frame, over, (1, 2), alpha).int()
    assert difference.abs().max() <= 1  # the first paint is rounded before the second comes


def test_frame_stays_as_it_is(frame, square):
    before = frame.clone()
    overlay(frame, square, (1,))
    assert torch.equal(frame, before)


def test_colour_belongs_to_the_id_not_to_the_position(frame, square):
    both = torch.cat([torch.zeros_like(square), square])
    assert torch.equal(overlay(frame, both, (7, 4)), overlay(frame, square, (4,)))


def test_first_hundred_ids_have_distinct_colours():
    assert len({object_colour(i) for i in range(1, 101)}) == 100


def test_overlay_of_no_objects_is_the_frame(frame):
    assert torch.equal(overlay(frame, torch.zeros(0, 20, 24, dtype=torch.bool), ()), frame)


@pytest.mark.parametrize(("size", "ids"), [((20, 23), (1,)), ((20, 24), (1, 2))])
def test_overlay_rejects_sizes_and_ids_that_do_not_match(frame, size, ids):
    with pytest.raises(ValueError, match=r"agree|one id per mask"):
        overlay(frame, torch.zeros(1, *size, dtype=torch.bool), ids)


def test_upscale_enlarges_by_a_whole_factor_and_keeps_mask_shares(square):
    large = upscale(square, 50)
    assert large.shape == (1, 60, 72)
    assert large.dtype == torch.bool
    assert large.float().mean() == square.float().mean()


def test_upscale_keeps_the_mean_brightness_and_never_shrinks(frame):
    smooth = torch.nn.functional.avg_pool2d(frame.float(), 5, 1, 2).round().to(torch.uint8)
    large = upscale(smooth, 60)
    assert large.shape == (3, 60, 72)
    assert abs(large.float().mean() - smooth.float().mean()) < 2
    assert torch.equal(upscale(frame, 10), frame)


def test_strip_keeps_every_pixel_in_order(frame):
    other = 255 - frame
    row = strip([frame, other], gap=3)
    assert row.shape == (3, 20, 51)
    assert torch.equal(row[..., :24], frame)
    assert torch.equal(row[..., 27:], other)
    assert bool((row[..., 24:27] == 255).all())


def test_strip_rejects_nothing_and_unequal_heights(frame):
    with pytest.raises(ValueError, match="at least one"):
        strip([])
    with pytest.raises(ValueError, match="heights differ"):
        strip([frame, frame[:, :10]])


def test_label_writes_in_the_upper_left_corner_only():
    plain = torch.full((3, 160, 160), 200, dtype=torch.uint8)
    written = label(plain, "frame 3")
    changed = (written != plain).any(0)
    assert changed[:40, :100].any()
    assert not changed[40:].any()
    assert not changed[:, 100:].any()


def test_side_by_side_puts_a_band_above_and_the_image_below(frame):
    shown = side_by_side({"truth": frame, "moga": frame})
    assert shown.shape[-1] == 2 * 24 + 8
    assert torch.equal(shown[:, -20:, :24], frame)


def test_gate_image_is_dark_where_and_only_where_components_are_active():
    on = gate_image({1: torch.ones(6, 8, dtype=torch.bool)})
    off = gate_image({1: torch.zeros(6, 8, dtype=torch.bool)})
    half = gate_image({1: torch.arange(8).lt(4).expand(6, 8)})
    dark = [(image.sum(0) < 150).float().mean().item() for image in (on, half, off)]
    assert dark[2] < 0.05
    assert dark[1] - dark[2] == pytest.approx((dark[0] - dark[2]) / 2, rel=0.05)


def test_gate_image_shows_components_downwards_and_frames_rightwards():
    gate = torch.zeros(4, 8)
    gate[0, :] = 1
    columns = (gate_image({1: gate}).sum(0) < 150).float().mean(0)
    gate = torch.zeros(4, 8)
    gate[:, 0] = 1
    rows = (gate_image({1: gate}).sum(0) < 150).float().mean(1)
    assert columns.argmax() < len(columns) / 2
    assert columns.max() > 0.5
    assert rows.argmax() < len(rows) / 2
    assert rows.max() > 0.5


def test_gate_image_is_as_wide_as_its_title():
    gate = {1: torch.ones(2, 8)}
    plain, short, long = (gate_image(gate, title) for title in ("", "a", "a long title " * 9))
    assert plain.shape[-1] == short.shape[-1] < long.shape[-1]
    assert (long[:, :, plain.shape[-1] :].min(0).values < 100).any()  # the title goes on there


def test_gate_image_starts_a_new_row_after_three_objects():
    gate = torch.ones(6, 8)
    three, four = (gate_image(dict.fromkeys(range(1, count + 1), gate)) for count in (3, 4))
    assert four.shape[-2:] == (2 * three.shape[-2], three.shape[-1])
    assert torch.equal(four[:, : three.shape[-2]], three)


def test_gate_image_shows_frames_without_a_gate_as_neither_open_nor_shut():
    gate = torch.ones(6, 8)
    gate[:3] = float("nan")
    inside = gate_image({1: gate})[:, 100]
    colours = {tuple(pixel.tolist()) for pixel in inside.T}
    assert {(196, 216, 246), (28, 32, 38)} <= colours
    assert torch.equal(gate_image({1: torch.ones(6, 8)})[:, :24], gate_image({1: gate})[:, :24])  # both 100 % active


@pytest.mark.parametrize("gates", [{}, {1: torch.zeros(4)}, {1: torch.zeros(0, 8)}])
def test_gate_image_rejects_what_is_not_frames_by_components(gates):
    with pytest.raises(ValueError, match=r"no gates|expected \(T, R\)"):
        gate_image(gates)
