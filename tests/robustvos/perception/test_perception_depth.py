"""Depth: rows of contact, and maps whose conventions differ from file to file."""

from __future__ import annotations

import pytest
import torch

from robustvos.errors import BadMask, BadVideo, UserError
from robustvos.perception import ContactOrder, DepthAnything
from robustvos.perception.depth import aligned

NAN = float("nan")
BLANK = torch.zeros(3, 100, 60, dtype=torch.uint8)


def box(top: int, bottom: int) -> torch.Tensor:
    mask = torch.zeros(100, 60, dtype=torch.bool)
    mask[top:bottom, 10:30] = True
    return mask


def tracks(*values: float) -> torch.Tensor:
    return torch.tensor(values)


def test_contact_is_the_lowest_row_and_unknown_at_the_border_or_without_mask():
    masks = torch.stack([box(20, 60), box(50, 100), box(0, 0)])
    found = ContactOrder().objects(BLANK, masks)
    assert found[0] == pytest.approx(0.60) and found[1:].isnan().all()


def test_single_pixels_below_do_not_decide():
    mask = box(20, 60)
    mask[80, 15] = True
    assert float(ContactOrder().objects(BLANK, mask[None])) == pytest.approx(0.60)


def test_order_is_that_of_the_lowest_contacts_so_that_a_hop_does_not_count():
    depth = ContactOrder()
    assert depth.order(tracks(0.60, 0.40, 0.60), tracks(0.50, 0.50, 0.50)) == "first"
    assert depth.order(tracks(0.50, 0.50), tracks(0.60, 0.40)) == "second"


def test_dead_zone_and_unknown_contacts_are_undecided():
    depth = ContactOrder()
    assert depth.order(tracks(0.600), tracks(0.616)) == "undecided"
    assert depth.order(tracks(0.600), tracks(0.620)) == "second"
    assert depth.order(tracks(NAN, NAN), tracks(0.5, 0.6)) == "undecided"
    assert ContactOrder(dead_zone=0).order(tracks(0.5), tracks(0.5)) == "undecided"


def test_contact_has_no_map():
    assert not ContactOrder.dense
    with pytest.raises(NotImplementedError, match="contact_order"):
        ContactOrder().nearness_map(BLANK)


def test_bad_input_is_refused():
    with pytest.raises(BadMask, match=r"bool \(O, 100, 60\), got torch.bool \(1, 50, 60\)"):
        ContactOrder().objects(BLANK, torch.zeros(1, 50, 60, dtype=torch.bool))
    with pytest.raises(BadVideo):
        ContactOrder().objects(BLANK.float(), torch.zeros(1, 100, 60, dtype=torch.bool))
    for kind in (ContactOrder, DepthAnything):
        with pytest.raises(UserError, match="dead_zone"):
            kind(dead_zone=1.0)


def direct(folder, frame):
    """The network's own answer, put to transformers directly: ``predicted_depth`` at the frame's size."""
    import transformers

    processor = transformers.DPTImageProcessor.from_pretrained(folder)
    model = transformers.DepthAnythingForDepthEstimation.from_pretrained(folder).eval()
    with torch.no_grad():
        depth = model(**processor(images=frame.permute(1, 2, 0).numpy(), return_tensors="pt")).predicted_depth
    return torch.nn.functional.interpolate(depth[:, None], frame.shape[-2:], mode="bicubic", align_corners=False)[0, 0]


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 60, 90), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_relative_depth_is_nearness_as_it_comes(depth_folder, frames):
    found = DepthAnything(str(depth_folder)).nearness_map(frames[0])
    torch.testing.assert_close(found, direct(depth_folder, frames[0]))
    assert found.shape == (60, 90) and float(found.std()) > 0.01 and not found.requires_grad


def test_metric_depth_is_turned_around(metric_folder, frames):
    metres, nearness = direct(metric_folder, frames[0]), DepthAnything(str(metric_folder)).nearness_map(frames[0])
    torch.testing.assert_close(nearness, 1 / metres.clamp(1e-3, 1e3))


def test_objects_have_the_median_of_their_pixels(depth_folder, frames):
    masks = torch.zeros(3, 60, 90, dtype=torch.bool)
    masks[0, :30], masks[1, 30:, :45] = True, True
    depth = DepthAnything(str(depth_folder))
    found, whole = depth.objects(frames[0], masks), depth.nearness_map(frames[0])
    assert float(found[0]) == pytest.approx(float(whole[masks[0]].median()))
    assert found[2].isnan()


def test_reference_makes_frames_comparable(depth_folder, frames):
    depth = DepthAnything(str(depth_folder))
    plain = depth.nearness_map(frames[1])
    depth.set_reference(frames[0])
    torch.testing.assert_close(depth.nearness_map(frames[0]), direct(depth_folder, frames[0]), atol=1e-5, rtol=1e-4)
    moved = depth.nearness_map(frames[1])
    stacked = torch.stack([plain.flatten(), moved.flatten()])
    assert float(torch.corrcoef(stacked)[0, 1]) == pytest.approx(1.0, abs=1e-4)  # scale and shift alone
    depth.set_reference(None)
    torch.testing.assert_close(depth.nearness_map(frames[1]), plain)


def test_order_by_maps_is_the_median_difference_outside_the_dead_zone(depth_folder):
    depth = DepthAnything(str(depth_folder), dead_zone=0.1)
    far = tracks(0.2, 0.3, NAN, 0.2)
    assert depth.order(tracks(0.8, 0.9, 0.9, NAN), far) == "first"
    assert depth.order(far, tracks(0.8, 0.9, 0.9, NAN)) == "second"
    assert depth.order(tracks(0.20, 0.9, 0.1), tracks(0.21, 0.2, 0.8)) == "undecided"
    assert depth.order(tracks(NAN), tracks(1.0)) == "undecided"


def test_alignment_ignores_what_moved():
    reference = torch.linspace(0, 10, 400).reshape(20, 20)
    values = (reference - 3) / 2
    values[:6] = 40  # a third of the frame shows something else, and nobody said so
    static = torch.ones(20, 20, dtype=torch.bool)
    torch.testing.assert_close(aligned(values, reference, static)[6:], reference[6:], atol=0.3, rtol=0)
    static[:6] = False
    torch.testing.assert_close(aligned(values, reference, static)[6:], reference[6:], atol=1e-4, rtol=0)


def test_alignment_without_hold_leaves_values_alone():
    values = torch.linspace(0, 1, 16).reshape(4, 4)
    nowhere = torch.zeros(4, 4, dtype=torch.bool)
    assert torch.equal(aligned(values, 2 * values, nowhere), values)
    assert torch.equal(aligned(values, -values, ~nowhere), values)  # near and far must not change places
