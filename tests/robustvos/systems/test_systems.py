"""A system is loaded by name, from a run, from a folder, and computes the same wherever it comes from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import yaml

import robustvos
from robustvos.adapters import GaRA, LayerNormTuning, LoRA, MoGA, MoGARelease
from robustvos.errors import BadPrompt, CheckpointNotFound, UnknownName, UserError
from robustvos.sam2.config import Sam2Config
from robustvos.systems.loading import load_system, read_settings
from robustvos.systems.system import System
from robustvos.types import Prompt, Video

SIZE = 64


def frames(count: int = 3) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 90, (count, 3, SIZE, SIZE), generator=random, dtype=torch.uint8)
    for t in range(count):
        pictures[t, 0, 20 + t : 40 + t, 16:36] = 240
    return pictures


BOX = Prompt(1, box=torch.tensor([16.0, 20.0, 35.0, 39.0]))


def logits(system: System) -> torch.Tensor:
    return torch.stack([found.logits for found in system.track(frames(), [BOX])])


def trained(adapter) -> System:
    """On the shipped base, with updates that do something."""
    torch.manual_seed(0)
    system = System(Sam2Config("nano", image_size=SIZE), adapter)
    with torch.no_grad():
        for _, parameter in adapter.named_trainable_parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return system


@pytest.mark.parametrize("kind", [LoRA, MoGA, LayerNormTuning, GaRA, MoGARelease])
def test_what_is_saved_is_loaded(kind, tmp_path):
    adapter = kind(rank=4) if kind in (LoRA, MoGA, MoGARelease) else kind()
    try:
        system = trained(adapter)
    except UserError:
        pytest.skip(f"{kind.__name__} does not fit the embedded base")
    again = load_system(system.save_pretrained(tmp_path / "mine"))
    assert (again.name, type(again.adapter), again.base) == (system.name, kind, system.base)
    assert torch.equal(logits(again), logits(system))
    assert not torch.equal(logits(system), logits(System(Sam2Config("nano", image_size=SIZE))))


def test_a_base_is_saved_in_half_precision_and_loaded(tmp_path):
    system = System(Sam2Config("nano", image_size=SIZE))
    again = load_system(system.save_pretrained(tmp_path / "base"))
    torch.testing.assert_close(logits(again), logits(system), atol=0.05, rtol=0.05)


def test_merged_lora_computes_what_it_did_beside_the_base(tmp_path):
    system = trained(LoRA(rank=4))
    beside = logits(system)
    merged = system.merge()
    assert merged.adapter is None and merged.name == "sam2"
    torch.testing.assert_close(logits(merged), beside, atol=1e-3, rtol=1e-3)
    with pytest.raises(UserError, match="has no adapter to merge"):
        merged.merge()
    with pytest.raises(UserError, match="MoGA cannot be merged"):
        trained(MoGA(rank=4)).merge()


def test_a_run_is_loaded_by_its_folder(tmp_path):
    system = trained(LoRA(rank=4))
    folder = tmp_path / "runs/x/version_0"
    (folder / "checkpoints").mkdir(parents=True)
    state = {
        "state_dict": system.adapter.adapter_state_dict(),
        "base": system.base.as_dict(),
        "adapter": system.adapter.function_settings(),
    }
    torch.save(state, folder / "checkpoints/last.ckpt")
    model = {
        "class_path": "lightning_modules.PromptableVOS",
        "init_args": {"adapter": {"class_path": "robustvos.adapters.LoRA", "init_args": {"rank": 4}}, "seed": 3},
    }
    config = {"model": model, "sam2": {"variant": "nano", "checkpoint": "auto", "image_size": SIZE}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for again in (load_system(folder), load_system(checkpoint=folder / "checkpoints/last.ckpt")):
        assert torch.equal(logits(again), logits(system))
    with pytest.raises(CheckpointNotFound, match="neither the folder of a run"):
        load_system(tmp_path / "runs")


def test_a_described_system_stands_on_the_base_of_the_run_that_its_weights_come_from(tmp_path):
    system = trained(LoRA(rank=4))
    (tmp_path / "checkpoints").mkdir()
    weights = tmp_path / "checkpoints/last.ckpt"
    state = {"state_dict": system.adapter.adapter_state_dict(), "base": system.base.as_dict()}
    torch.save(state | {"adapter": system.adapter.function_settings()}, weights)
    lora = {"class_path": "PromptableVOS", "init_args": {"adapter": {"class_path": "LoRA", "init_args": {"rank": 4}}}}
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"model": lora, "sam2": {"variant": "nano", "image_size": SIZE}})
    )
    assert torch.equal(logits(load_system(lora, checkpoint=weights)), logits(system))


def test_a_base_that_began_with_trunk_weights_is_loaded_without_them(tmp_path):
    system = System(Sam2Config("nano", image_size=SIZE))
    (tmp_path / "checkpoints").mkdir()
    state = {f"sam2.{name}": value for name, value in system.model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "checkpoints/last.ckpt")
    sam2 = {"variant": "nano", "checkpoint": "random", "image_size": SIZE, "trunk_weights": "gone.pt"}
    model = {"class_path": "PromptableVOS", "init_args": {}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"model": model, "sam2": sam2}))
    again = load_system(tmp_path)
    assert torch.equal(logits(again), logits(system))
    system.sam2 = Sam2Config(**sam2)
    torch.testing.assert_close(
        logits(load_system(system.save_pretrained(tmp_path / "saved"))), logits(system), atol=0.05, rtol=0.05
    )


def test_a_described_system_is_named_by_its_classes_as_results_are():
    adapter, memory = {"class_path": "robustvos.adapters.MoGARelease"}, {"class_path": "SAMURAI"}
    described = {"class_path": "PromptableVOS", "init_args": {"adapter": adapter, "memory": memory}}
    assert read_settings(described).name == "moga_release_samurai"


def test_prompts_whose_frames_never_came_are_named():
    late = [BOX, replace(BOX, object_id=2, frame=7), replace(BOX, object_id=3, frame=3)]
    tracked = robustvos.track(frames(), late, "sam2")
    assert [next(tracked).object_ids for _ in range(3)] == [(1,)] * 3
    with pytest.raises(BadPrompt, match="prompts for frames 3, 7 were not used: the video has 3 frames"):
        next(tracked)


def test_what_cannot_be_loaded_says_why():
    with pytest.raises(UnknownName, match="unknown system 'mogaa'; did you mean 'moga'"):
        load_system("mogaa")
    with pytest.raises(UserError, match="LoRA on nano was never trained"):
        load_system("lora")
    assert load_system("lora", trained=False).adapter.is_identity()


def test_settings_of_the_base_may_be_nested():
    assert load_system("sam2", settings={"sam2": {"image_size": 128}}, ready=False).model.image_size == 128
    with pytest.raises(UserError, match="name a base by sam2='small'"):
        load_system("sam2", settings={"sam2": "small"})
    with pytest.raises(UserError, match=r"did you mean '--sam2.image_size'"):
        load_system("sam2", settings={"sam2": {"image_sze": 128}})


def test_public_names_are_four_and_do_what_commands_do():
    assert {"corrupt", "evaluate", "load_system", "track"} <= set(dir(robustvos))
    with pytest.raises(AttributeError):
        _ = robustvos.trak
    truth = torch.zeros(3, 1, SIZE, SIZE, dtype=torch.bool)
    for t in range(3):
        truth[t, 0, 20 + t : 40 + t, 16:36] = True
    video = Video("v", list(frames()), (1,), list(truth), (BOX,), ("0", "1", "2"), (SIZE, SIZE))
    run = robustvos.evaluate("sam2", [video])
    masks = [found.masks_of((1,), (SIZE, SIZE)) for found in robustvos.track(frames(), [BOX], "sam2")]
    j = [(m & t.numpy()).sum() / (m | t.numpy()).sum() for m, t in zip(masks, truth, strict=True)]
    assert run.overall["J"].mean == pytest.approx(sum(j) / 3)
    assert (run.system, run.base, run.protocol) == ("sam2", "nano", "davis")
