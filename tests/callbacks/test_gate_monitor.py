"""Gates over time: whose they are, on which frames, and when nothing is to be seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.gate_monitor import GateMonitor
from robustvos.adapters import GaRA, LoRA, MoGA, MoGARelease
from robustvos.drawing.draw import gate_image
from robustvos.errors import UnknownName, UserError


def test_gates_of_an_object_do_not_depend_on_those_tracked_beside_it(run, moga_system, make_video):
    """Objects introduced on different frames are tracked in separate passes; each row must find its object."""
    together = make_video(objects=(4, 9), prompted=(0, 1))
    monitor = GateMonitor()
    run("test", moga_system, [together], [monitor])
    found = monitor.gates
    assert list(found) == [4, 9]
    assert not torch.equal(found[4][2:], found[9][2:])
    for row, object_id in enumerate((4, 9)):
        alone = make_video(
            objects=(object_id,),
            prompts=tuple(p for p in together.prompts if p.object_id == object_id),
            masks=[masks[row : row + 1] for masks in together.masks],
        )
        run("test", moga_system, [alone], [monitor])
        torch.testing.assert_close(monitor.gates[object_id], found[object_id], equal_nan=True)


def test_gates_are_nan_where_the_adapter_takes_no_part(run, moga_system, make_video):
    monitor = GateMonitor()
    run("test", moga_system, [make_video(frames=6, prompted=(0, 2))], [monitor])
    assert {i: tuple(gate.shape) for i, gate in monitor.gates.items()} == {1: (6, 4), 2: (6, 4)}
    for object_id, introduced in ((1, 0), (2, 2)):
        gate = monitor.gates[object_id]
        assert gate[: introduced + 1].isnan().all()
        at_work = gate[introduced + 1 :]
        assert at_work.any(dim=1).all()
        assert ((at_work >= 0) & (at_work <= 1)).all()


def test_picture_shows_the_gates(run, moga_system, make_video):
    monitor = GateMonitor(projection="layers.0.self_attn_q")
    folder, _ = run("test", moga_system, [make_video(corruption="fog")], [monitor])
    path = folder / "figures" / "gates" / "clip@fog.png"
    expected = gate_image(monitor.gates, "clip@fog: layers.0.self_attn_q")
    np.testing.assert_array_equal(np.array(Image.open(path)), expected.permute(1, 2, 0).numpy())


def test_first_videos_of_each_condition_are_drawn(run, moga_system, make_video):
    videos = [make_video(name, frames=3, corruption=c) for c in ("clean", "fog") for name in ("a", "b", "c")]
    folder, _ = run("test", moga_system, videos, [GateMonitor(per_condition=2)])
    drawn = sorted(path.name for path in (folder / "figures" / "gates").glob("*.png"))
    assert drawn == ["a.png", "a@fog.png", "b.png", "b@fog.png"]


def test_validation_is_logged_if_wanted(run, moga_system, make_video, read_images):
    for wanted, tags in ((True, ["gates/clip"]), (False, [])):
        folder, _ = run("validate", moga_system, [make_video(frames=3)], [GateMonitor(in_validation=wanted)])
        assert list(read_images(folder)) == tags
        assert not (folder / "figures").exists()


def test_release_variant_is_drawn_too(run, make_system, make_video):
    monitor = GateMonitor()
    folder, _ = run("test", make_system(MoGARelease(rank=4)), [make_video(frames=3)], [monitor])
    assert monitor.gates[1].shape == (3, 4)
    assert (folder / "figures" / "gates" / "clip.png").exists()


def test_gates_that_know_frames_alone_are_drawn_for_each_object(run, make_system, make_video):
    monitor = GateMonitor(projection="blocks.0.q")
    folder, _ = run("test", make_system(GaRA(rank_low=2, rank_high=3)), [make_video(prompted=(0, 2))], [monitor])
    first, second = monitor.gates[1], monitor.gates[2]
    assert first.shape == (5, 5) and not first.isnan().any()
    assert second[:2].isnan().all() and torch.equal(second[2:], first[2:])
    assert (folder / "figures" / "gates" / "clip.png").exists()


@pytest.mark.parametrize(
    "adapter", [None, LoRA(rank=4), MoGA(rank=4, conditioning="none")], ids=["none", "lora", "open"]
)
def test_systems_without_gates_are_passed_over(run, make_system, make_video, adapter):
    folder, _ = run("test", make_system(adapter), [make_video(frames=2)], [GateMonitor()])
    assert not (folder / "figures").exists()


def test_switched_off_adapter_is_passed_over(run, moga_system, make_video):
    with moga_system.adapter.disabled():
        folder, _ = run("test", moga_system, [make_video(frames=3)], [GateMonitor()])
    assert not (folder / "figures").exists()


def test_adapter_stops_recording_after_the_last_wanted_video(run, moga_system, make_video):
    run("test", moga_system, [make_video("a", frames=3), make_video("b", frames=3)], [GateMonitor(per_condition=1)])
    assert moga_system.adapter.gates() == {}


def test_unknown_projection_is_named(run, moga_system, make_video):
    with pytest.raises(UnknownName, match=r"unknown gated projection 'layers.0.self_attn_x'"):
        run("test", moga_system, [make_video(frames=2)], [GateMonitor(projection="layers.0.self_attn_x")])
    assert moga_system.adapter.gates() == {}


def test_arguments_out_of_range_are_refused():
    with pytest.raises(UserError, match="GateMonitor"):
        GateMonitor(per_condition=-1)
