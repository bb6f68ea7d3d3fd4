"""Names on the command line, and what they must not leave behind."""

from __future__ import annotations

import gc
import importlib
import json
import sys
from pathlib import Path

import pytest
import yaml

MOGA = Path(__file__).resolve().parents[1] / "configs" / "moga.yaml"
ROOT = MOGA.parent
PARSERS_OWN = (
    "class_path",
    "NestedArg",
    "<class",
    "Union",
    "Parser key",
    "not accepted",
    "unrecognized",
    "import path",
)


@pytest.fixture
def parsed(door):
    """The configuration that a command line means, as the real parser has it."""

    def parse(*argv):
        answer = door(*argv, "--print_config")
        assert answer.code == 0, answer.err
        return yaml.safe_load(answer.out)

    return parse


def no_leftovers(settings: dict, alone: dict) -> bool:
    return settings["class_path"] == alone["class_path"] and settings["init_args"] == alone["init_args"]


# Replacing what a config says


@pytest.mark.parametrize("form", ["name", "class", "path"])
def test_data_replaces_the_configs_data_with_all_its_arguments(parsed, tmp_path, form):
    config = tmp_path / "config.yaml"
    config.write_text(
        "model: {class_path: PromptableVOS}\n"
        "data: {class_path: RealVAS, init_args: {root: /elsewhere, test: {prompt: box, limit: 3}}}\n"
    )
    path = tmp_path / "mine.yaml"
    path.write_text("class_path: RealVAS\ninit_args: {test: {select: [a]}}\n")
    given = {"name": "realvas", "class": "RealVAS", "path": str(path)}[form]
    replaced = parsed("fit", "--config", config, "--data", given)["data"]
    assert no_leftovers(replaced, parsed("fit", "--model", "sam2", "--data", given)["data"])
    assert replaced["init_args"]["root"] is None


def test_data_of_another_class_keeps_nothing_of_the_config(parsed):
    replaced = parsed("fit", "--config", MOGA, "--data", "realvas")["data"]
    assert no_leftovers(replaced, parsed("test", "--data", "realvas")["data"])


@pytest.mark.parametrize("form", ["lora", "path"])
def test_model_replaces_the_configs_adapter_with_its_rank(parsed, tmp_path, form):
    config = tmp_path / "config.yaml"
    adapter = "{class_path: MoGA, init_args: {rank: 7, tau: 0.9}}"
    config.write_text(
        f"model: {{class_path: PromptableVOS, init_args: {{seed: 5, adapter: {adapter}}}}}\ndata: Shapes\n"
    )
    given = form
    if form == "path":
        given = tmp_path / "mine.yaml"
        given.write_text("class_path: PromptableVOS\ninit_args: {adapter: {class_path: MoGA}}\n")
    replaced = parsed("fit", "--config", config, "--model", given)["model"]["init_args"]
    assert replaced["adapter"]["init_args"]["rank"] is None
    assert replaced["seed"] == 0


def test_adapter_given_by_class_keeps_no_rank(parsed, tmp_path):
    former = yaml.safe_load(MOGA.read_text())
    former["model"]["init_args"]["adapter"]["init_args"]["rank"] = 7
    (tmp_path / "former.yaml").write_text(yaml.safe_dump(former | {"sam2": {"variant": "nano"}, "recipe": {}}))
    adapter = parsed("fit", "--config", tmp_path / "former.yaml", "--model.adapter", "LoRA")["model"]["init_args"]
    assert adapter["adapter"]["class_path"].endswith("LoRA")
    assert adapter["adapter"]["init_args"]["rank"] is None


def test_a_restorer_forgets_the_former_ones_settings(parsed):
    settings = ("--model", "restored_urie", "--model.restorer", "AirNet", "--model.restorer.checkpoint", "mine.pth")
    assert parsed("test", *settings)["model"]["init_args"]["restorer"] == {
        "class_path": "robustvos.restoration.AirNet",
        "init_args": {"checkpoint": "mine.pth"},
    }


def test_a_memory_policy_forgets_the_former_ones_settings(parsed):
    alone = parsed("test", "--model", "sam2", "--model.memory", "DAM4SAM")["model"]["init_args"]["memory"]
    after = parsed("test", "--model", "samurai", "--model.memory", "DAM4SAM")["model"]["init_args"]["memory"]
    assert after == alone  # both have an iou_above, of other values


def test_flags_win_over_config_files_in_any_order(parsed):
    before = parsed("fit", "--data", "realvas", "--trainer.max_epochs", 7, "--config", MOGA)
    after = parsed("fit", "--config", MOGA, "--data", "realvas", "--trainer.max_epochs", 7)
    assert before == after
    assert before["trainer"]["max_epochs"] == 7


@pytest.mark.parametrize(
    ("choice", "setting"),
    [
        (["--sam2", "sam2.1_hiera_s"], ["--sam2.image_size", 512]),
        (["--data", "realvas"], ["--data.test.limit", 3]),
        (["--model", "lora"], ["--model.adapter.rank", 8]),
        (["--model.adapter", "LoRA"], ["--model.adapter.rank", 8]),
    ],
)
def test_a_setting_may_stand_before_the_name_it_belongs_to(parsed, choice, setting):
    assert parsed("fit", "--config", MOGA, *setting, *choice) == parsed("fit", "--config", MOGA, *choice, *setting)


def test_second_config_of_another_class_keeps_nothing_of_the_first(parsed, tmp_path):
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text(
        "model: {class_path: PromptableVOS}\ndata: {class_path: CorruptedVOS, init_args: {root: /elsewhere}}\n"
    )
    second.write_text("data: {class_path: RealVAS, init_args: {test: {prompt: box}}}\n")
    data = parsed("fit", "--config", first, "--config", second)["data"]
    assert (data["init_args"]["root"], data["init_args"]["test"]["prompt"]) == (None, "box")


@pytest.mark.parametrize("named", ["sam2/nano.yaml", "configs/sam2/nano.yaml", "nano"])
def test_copied_config_finds_what_it_names_in_the_registry(parsed, tmp_path, named):
    shipped = MOGA.read_text(encoding="utf-8")
    copy = tmp_path / "mine.yaml"
    copy.write_text(shipped.replace("sam2: sam2/nano.yaml", f"sam2: {named}"), encoding="utf-8")
    assert parsed("fit", "--config", copy) == parsed("fit", "--config", MOGA)


def test_copied_config_may_hold_what_only_yaml_has(parsed, tmp_path):
    shipped = MOGA.read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(shipped.replace("run: moga", "run: 2026-11-29"), encoding="utf-8")
    assert parsed("fit", "--config", "mine.yaml")["run"] == "2026-11-29"


def test_config_that_names_no_base_suggests_one(door, tmp_path):
    (tmp_path / "mine.yaml").write_text("sam2: sam2/nanno.yaml\nmodel: {class_path: PromptableVOS}\n", encoding="utf-8")
    assert "did you mean 'nano'?" in door("fit", "--config", "mine.yaml").error


def test_second_config_of_the_same_class_changes_single_settings(parsed, tmp_path):
    second = tmp_path / "2.yaml"
    second.write_text("data: {class_path: Shapes, init_args: {size: 32}}\n")
    data = parsed("fit", "--config", MOGA, f"--config={second}")["data"]
    assert data["init_args"]["size"] == 32
    first = yaml.safe_load(MOGA.read_text())["data"]["init_args"]["train"]["batches"]
    assert data["init_args"]["train"]["batches"] == first


# The base and the recipe stand beside the system


@pytest.mark.parametrize(
    "order", [("--sam2", "sam2_hiera_t", "--model", "lora"), ("--model", "lora", "--sam2", "sam2_hiera_t")]
)
def test_sam2_and_model_survive_each_other(parsed, order):
    config = parsed("fit", "--config", MOGA, *order)
    assert config["sam2"]["variant"] == "sam2_hiera_t"
    assert config["model"]["init_args"]["adapter"]["class_path"].endswith("LoRA")


def test_base_keeps_nothing_of_the_former_base(parsed, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("variant: nano256\n")
    former = tmp_path / "former.yaml"
    former.write_text(yaml.safe_dump({"sam2": {"variant": "nano", "checkpoint": "random", "image_size": 96}}))
    config = parsed("fit", "--config", MOGA, "--config", former, "--sam2", mine)
    assert config["sam2"] == {
        "variant": "nano256",
        "checkpoint": "auto",
        "image_size": None,
        "trunk_weights": None,
        "resize": "fast",
        "upsampling": None,
        "view": None,
    }


def test_single_settings_of_the_base_follow_its_name(parsed):
    config = parsed("fit", "--config", MOGA, "--sam2", "sam2.1_hiera_s", "--sam2.image_size", 512)
    assert config["sam2"] == {
        "variant": "sam2.1_hiera_s",
        "checkpoint": "auto",
        "image_size": 512,
        "trunk_weights": None,
        "resize": "fast",
        "upsampling": None,
        "view": None,
    }


def test_base_may_be_spelt_as_the_models(parsed):
    config = parsed("fit", "--config", MOGA, "--model.sam2", "sam2_hiera_t", "--model.init_args.sam2.image_size=256")
    assert config["sam2"] == {
        "variant": "sam2_hiera_t",
        "checkpoint": "auto",
        "image_size": 256,
        "trunk_weights": None,
        "resize": "fast",
        "upsampling": None,
        "view": None,
    }


def test_recipe_is_a_name_and_survives_model(parsed):
    said = yaml.safe_load((ROOT / "recipe" / "nano.yaml").read_text())
    config = parsed("fit", "--recipe", "nano", "--recipe.loss.dice", 3, "--model", "lora", "--data", "shapes")
    assert said["optimisation"].items() <= config["recipe"]["optimisation"].items()
    assert config["recipe"]["loss"]["dice"] == 3


@pytest.mark.parametrize("flag", ["--model", "--config"])
def test_base_hidden_inside_a_system_is_refused(door, tmp_path, flag):
    path = tmp_path / "mine.yaml"
    model = {"class_path": "PromptableVOS", "init_args": {"sam2": {"variant": "sam2_hiera_t"}}}
    path.write_text(yaml.safe_dump(model if flag == "--model" else {"model": model, "data": "Shapes"}))
    error = door("fit", "--config", MOGA, flag, path).error
    assert "sam2" in error
    assert "mine.yaml" in error


# What nothing was said about


@pytest.mark.parametrize("subcommand", ["validate", "test", "predict"])
def test_evaluation_without_config_measures_moga_on_the_embedded_default(parsed, subcommand):
    config = parsed(subcommand)
    assert config["model"]["init_args"]["adapter"]["class_path"].endswith("MoGA")
    assert config["data"]["class_path"].endswith("Shapes")
    assert config["sam2"]["variant"] == "nano"


def test_evaluation_takes_a_system_without_data_and_data_without_a_system(parsed):
    assert parsed("test", "--model", "sam2")["data"]["class_path"].endswith("Shapes")
    assert parsed("test", "--data", "realvas")["model"]["init_args"]["adapter"]["class_path"].endswith("MoGA")


@pytest.mark.parametrize("said", [[], ["--model", "moga"], ["--data", "shapes"]])
def test_fit_says_what_to_say(door, said):
    assert "--config configs/moga.yaml" in door("fit", *said).error


def test_results_carry_the_name_of_the_system(parsed, tmp_path):
    mine = tmp_path / "moga_wide.yaml"
    mine.write_text((ROOT / "model" / "moga.yaml").read_text())
    assert parsed("test", "--model", "layernorm")["results"]["system"] == "layernorm"
    assert parsed("test", "--model", mine)["results"]["system"] == "moga_wide"
    assert parsed("test", "--model", "lora", "--results.system", "lora 2")["results"]["system"] == "lora 2"


@pytest.mark.parametrize(
    "replaced",
    [
        ("--model", "sam2", "--model.adapter", "LoRA"),
        ("--model.init_args.adapter=LoRA", "--model=sam2"),
        ("--model", "sam2", "--model.adapter.class_path", "LoRA"),
        ("--model", "moga", "--model.adapter", "null"),
        ("--model", "moga", "--model.memory", "SAMURAI"),
        ("--model", "moga", "--model.restorer", "URIE", "--model.restorer.checkpoint", "mine.pth"),
        ("--model", "moga", "--model.completion", "HoldLast"),
        ("--config", "run.yaml", "--model.adapter", "LoRA"),
        ("--config", "run.yaml", "--model", "sam2", "--model.adapter", "LoRA"),
    ],
)
def test_a_file_gives_no_name_to_results_of_another_class(parsed, tmp_path, replaced):
    run = {"model": {"class_path": "PromptableVOS"}, "data": "Shapes", "results": {"system": "sam2"}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    assert parsed("test", *replaced)["results"]["system"] is None
    assert parsed("test", *replaced, "--results.system", "mine")["results"]["system"] == "mine"


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        (("--model", "lora", "--model.adapter.rank", "4"), "lora"),
        (("--model", "hold_last", "--model.adapter", "null"), "hold_last"),
        (("--model", "restored_urie", "--model.restorer.checkpoint", "mine.pth"), "restored_urie"),
        (("--config", "run.yaml", "--model.adapter.rank", "4"), "wide"),
        (("--config", "run.yaml", "--model.memory", "null"), "wide"),
    ],
)
def test_a_changed_setting_keeps_the_name(parsed, tmp_path, kept, name):
    model = {"class_path": "PromptableVOS", "init_args": {"adapter": {"class_path": "LoRA"}}}
    run = {"model": model, "data": "Shapes", "results": {"system": "wide"}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    assert parsed("test", *kept)["results"]["system"] == name


def test_results_of_an_adapter_given_by_flag_are_named_after_it_and_so_are_those_of_their_config(
    door, tiny_config, trained, tmp_path
):
    weights = ("--ckpt_path", trained / "checkpoints" / "last.ckpt")
    by_flag = ("--model", "sam2", "--model.adapter", "MoGA", "--model.adapter.rank", 4)
    small = ("--data.test.limit", 1, "--data.test.conditions", "[clean]")
    assert door("test", "--config", tiny_config, *by_flag, *weights, *small).code == 0
    run = tmp_path / "runs" / "tiny"
    assert json.loads((run / "version_0" / "results.json").read_text())["system"] == "moga"
    assert door("test", "--config", run / "version_0" / "config.yaml", *weights).code == 0
    assert json.loads((run / "version_1" / "results.json").read_text())["system"] == "moga"


# What cannot be meant


@pytest.mark.parametrize(
    ("argv", "wrong", "nearest"),
    [
        (["tset"], "command 'tset'", "test"),
        (["test", "--data", "relvas"], "dataset 'relvas'", "realvas"),
        (["test", "--model", "mogga"], "system 'mogga'", "moga"),
        (["test", "--sam2", "nanno"], "SAM 2 base 'nanno'", "nano"),
        (["test", "--recipe=nanno"], "recipe 'nanno'", "nano"),
    ],
)
def test_unknown_name_suggests_the_nearest(door, argv, wrong, nearest):
    error = door(*argv).error
    assert wrong in error
    assert nearest in error


@pytest.mark.parametrize("command", ["test", "inspect"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("MoGA", "MoGA is an adapter: --model sam2 --model.adapter MoGA"),
        ("robustvos.adapters.LoRA", "LoRA is an adapter: --model sam2 --model.adapter robustvos.adapters.LoRA"),
        ("URIE", "URIE is a restorer: --model sam2 --model.restorer URIE"),
        ("SAMURAI", "SAMURAI is a memory policy: --model sam2 --model.memory SAMURAI"),
    ],
)
def test_a_part_of_a_system_is_no_system(door, command, given, said):
    assert door(command, "--model", given).error == f"error: {said}"


def test_the_class_of_all_systems_and_unknown_ones_are_told_what_to_give(door):
    error = door("inspect", "--model", "PromptableVOS", "--model.adapter", "LoRA").error
    assert "give --model sam2 --model.adapter CLASS" in error
    assert "unknown system 'Mogga'; did you mean 'moga'?" in door("inspect", "--model", "Mogga").error


@pytest.mark.parametrize("command", ["test", "inspect"])
def test_a_dataset_is_suggested_by_its_class_too(door, command, fish_tank):
    error = door(command, "--data", "fish_tnk").error
    assert "did you mean 'FishTank'? known: " in error
    assert "did you mean 'shapes'? known" in door(command, "--data", "shapess").error  # Shapes is the same


@pytest.mark.parametrize("command", ["test", "inspect"])
def test_a_folder_that_a_users_dataset_misses_is_one_line(door, command, fish_tank):
    for name in (fish_tank, "FishTank"):
        error = door(command, "--data", name, "--data.root", "nowhere").error
        assert error == "error: no data: fish_tank: nowhere does not exist; give --data.root FOLDER"
        assert door(command, "--data", name).error == "error: --data.root needs a value"


def test_training_clips_that_a_users_dataset_misses_are_one_line(door, fish_tank, tiny_config):
    error = door("fit", "--config", tiny_config, "--data", fish_tank, "--data.root", "nowhere").error
    assert "no data: fish_tank: nowhere/train.txt does not exist" in error


@pytest.fixture
def fish_tank(tmp_path, monkeypatch):
    """Import path of a dataset of a user's, which looks for its files when it is asked for videos or training clips."""
    (tmp_path / "tanks.py").write_text(
        "from pathlib import Path\n\nfrom datamodules import Data\n\n\n"
        "class FishTank(Data):\n    name = 'fish_tank'\n\n"
        "    def __init__(self, root: Path):\n        super().__init__()\n        self.root = root\n\n"
        "    def train_dataloader(self):\n        return (self.root / 'train.txt').read_text()\n\n"
        "    def video_set(self, split, settings):\n        return list(self.root.iterdir())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("tanks")
    yield "tanks.FishTank"
    del sys.modules["tanks"]
    gc.collect()  # a class that is left behind would be known to other tests


def test_unknown_prompt_and_corruption_suggest_the_nearest(door, tiny_config):
    assert "mask" in door("test", "--config", tiny_config, "--data.test.prompt", "maks").error
    misspelt = door("test", "--config", tiny_config, "--model", "sam2", "--data.test.conditions", "[snoww]")
    assert "did you mean 'snow'" in misspelt.error


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--trainer.max_epochs", "x"], ["--trainer.max_epochs", "whole number", "x"]),
        (["--data.train.batchs", "3"], ["batchs"]),
        (["--bogus", "3"], ["--bogus"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml"]),
        (["--trainer.accelerator", "abacus"], ["abacus"]),
        (["--ckpt_path", "nowhere.ckpt"], ["nowhere.ckpt", "checkpoints/last.ckpt"]),
        (["--sam2.image_size", "100"], ["100", "96"]),
        (["--sam2.checkpoint", "nowhere.pt"], ["nowhere.pt"]),
        (["--data.train.frames", "{1: 2}"], ["epoch 0"]),
    ],
)
def test_slip_is_one_line_that_names_it(door, tiny_config, extra, said):
    error = door("fit", "--config", tiny_config, *extra).error
    assert all(word in error for word in said), error


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("--trainr.max_epochs", "--trainer.max_epochs"),
        ("--trainer.max_epoch", "--trainer.max_epochs"),
        ("--data.test.limt", "--data.test.limit"),
        ("--data.tst.limit", "--data.test.limit"),
        ("--data.train.batchs", "--data.train.batches"),
        ("--model.protocl", "--model.protocol"),
        ("--model.adaptor.rank", "--model.adapter.rank"),
        ("--model.adapter.rnak", "--model.adapter.rank"),
        ("--model.init_args.adapter.init_args.rnak", "--model.adapter.rank"),
        ("--sam2.checkpont", "--sam2.checkpoint"),
        ("--recipe.optimisation.lr", "--recipe.optimisation.learning_rate"),
        ("--results.sytem", "--results.system"),
        ("--ckpt_pth", "--ckpt_path"),
    ],
)
def test_unknown_setting_at_any_depth_names_the_nearest(door, tiny_config, typed, nearest):
    error = door("test", "--config", tiny_config, typed, "3").error
    assert f"did you mean '{nearest}'?" in error
    assert not any(word in error for word in PARSERS_OWN), error


@pytest.mark.parametrize(
    ("content", "nearest"),
    [
        ("data: {class_path: Shapes, init_args: {test: {limt: 3}}}", "--data.test.limit"),
        ("data: Shapes\ntrainer: {max_epoch: 3}", "--trainer.max_epochs"),
        ("data: Shapes\nsam2: {varant: nano}", "--sam2.variant"),
    ],
)
def test_unknown_setting_of_a_file_names_the_nearest(door, tmp_path, content, nearest):
    (tmp_path / "mine.yaml").write_text(f"model: {{class_path: PromptableVOS}}\n{content}\n")
    error = door("test", "--config", "mine.yaml").error
    assert f"did you mean '{nearest}'?" in error
    assert not any(word in error for word in PARSERS_OWN), error


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--model.adapter.rank", "many"], "--model.adapter.rank: expected a whole number or null, got 'many'"),
        (["--data.test.limit", "few"], "--data.test.limit: expected a whole number or null, got 'few'"),
        (["--model.adapter", "MoGGA"], "--model.adapter: unknown class 'MoGGA'; did you mean 'MoGA'?"),
        (["--trainer.logger", "TensorBoardLoger"], "did you mean 'TensorBoardLogger'?"),
        (
            ["--trainer.callbacks+=EmptyFrame"],
            "--trainer.callbacks: unknown class 'EmptyFrame'; known: ",
        ),
        (
            ["--trainer.callbacks+=PresenceScore"],
            "unknown class 'PresenceScore'; did you mean 'PresenceScores'? known: ",
        ),
        (["--trainer.callbacks", "[PresenceScore]"], "did you mean 'PresenceScores'?"),
        (
            ["--model.adapter", "GatedAdaptr"],
            "unknown class 'GatedAdaptr'; known: ",
        ),
        (
            ["--model.adapter", "GatedAdapter"],
            "--model.adapter: 'GatedAdapter' is abstract, others derive from it; known",
        ),
        (["stray"], "'stray' stands alone"),
    ],
)
def test_a_value_of_another_kind_is_said_without_the_parsers_words(door, tiny_config, typed, said):
    error = door("test", "--config", tiny_config, *typed).error
    assert said in error
    assert not any(word in error for word in PARSERS_OWN), error


def test_broken_yaml_is_one_line(door, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("model: {")
    assert "broken.yaml" in door("fit", "--config", path).error


def test_debug_shows_the_traceback(door):
    with pytest.raises(Exception, match="unknown dataset 'relvas'"):
        door("test", "--data", "relvas", "--debug")


# Weights and the system they are given to


def test_weights_of_another_rank_are_refused(door, trained, tiny_config):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    for rank in ("--model.adapter.rank", "--model.init_args.adapter.init_args.rank"):
        error = door("test", "--config", tiny_config, "--ckpt_path", checkpoint, rank, 2).error
        assert "(4, 64) instead of (2, 64)" in error
        assert "rank" in error


def test_weights_say_nothing_about_the_system(trained):
    import torch

    assert "hyper_parameters" not in torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("system", ["lora", "sam2"])
def test_weights_of_another_system_are_refused(door, trained, tiny_config, system):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert "adapter" in door("test", "--config", tiny_config, "--model", system, "--ckpt_path", checkpoint).error


def test_unreadable_weights_are_refused(door, tiny_config, tmp_path):
    path = tmp_path / "cut.ckpt"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert "cut.ckpt" in door("test", "--config", tiny_config, "--ckpt_path", path).error


def test_exported_weights_reach_the_system_that_is_named_after_them(parsed, tmp_path):
    (tmp_path / "moga.safetensors").touch()
    config = parsed("test", "--ckpt_path", "moga.safetensors", "--model", "moga", "--data", "realvas")
    assert config["model"]["init_args"]["weights"] == "moga.safetensors"
    assert config["ckpt_path"] is None


def test_saved_config_is_the_run_again(parsed, trained):
    saved = parsed("test", "--config", trained / "config.yaml")
    assert saved["model"]["init_args"]["adapter"]["init_args"]["rank"] == 4
    assert json.dumps(saved["data"], sort_keys=True).count('"size": 64') == 1
