"""The only door: training and evaluation by LightningCLI, and the tools that share its flags.

    python cli.py fit --config configs/moga.yaml
    python cli.py test --data realvas
    python cli.py track VIDEO --box x0,y0,x1,y1 --out DIR
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from robustvos.errors import UnknownName, UserError

CONFIGS = Path(__file__).resolve().parent / "configs"
LOOPS = {
    "fit": "train a system",
    "validate": "score a system on the validation clips",
    "test": "score a system on the test clips: results.json, masks, strips",
    "predict": "write masks without scoring",
}
TOOLS = {
    "track": "follow objects through any video or folder of frames",
    "score": "J and F of a folder of masks against another",
    "report": "one page of tables and pictures from any number of runs",
    "inspect": "modules and parameters of a system",
    "export": "the trained weights of a run, as safetensors",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code: 0, or 2 for an error that the user can mend."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in argv
    argv = [token for token in argv if token != "--debug"]
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    try:
        command(argv[0])(argv)
    except UserError as error:
        if debug:
            raise
        print(f"error: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
        return 2
    return 0


def command(name: str) -> Callable[[list[str]], object]:
    """What runs a subcommand, imported only now."""
    if name in TOOLS:
        return import_module(f"robustvos.commands.{name}").main
    if name in LOOPS:
        return run_loop
    raise UnknownName.of("command", name, [*LOOPS, *TOOLS])


def run_loop(argv: list[str]) -> object:
    """Run a training or evaluation loop; Lightning and torch are imported only here."""
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

    import callbacks
    import datamodules
    import lightning_modules
    from robustvos.commands.messages import condense, quieten
    from robustvos.commands.names import expand
    from robustvos.commands.plugins import load_plugins

    from robustvos.sam2.config import Sam2Config

    load_plugins()
    quieten()

    def fail(message: str, ex: Exception | None = None) -> NoReturn:
        raise UserError(condense(message)) from ex

    class Loops(LightningCLI):
        """LightningCLI with the callbacks that every run has; each can be set, or switched off, by its flags."""

        def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
            for name, settings in {"sam2": Sam2Config, "recipe": lightning_modules.Recipe}.items():
                parser.add_class_arguments(settings, name, sub_configs=True)
                parser.link_arguments(name, f"model.init_args.{name}")  # so that --model leaves them alone
            parser.add_argument("--run", type=str, default=None, help="the run leaves its files in runs/RUN/version_N")
            for name, callback in callbacks.ALWAYS.items():
                parser.add_lightning_class_args(callback, name)
            parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
            parser.set_defaults({"checkpoint.save_last": True})

        def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
            parser = super().init_parser(**kwargs)
            parser.error = fail  # type: ignore[method-assign]
            return parser

        def before_instantiate_classes(self) -> None:
            config = self.config[self.subcommand]
            if config.trainer.logger in (None, True):
                logger = {"save_dir": "runs", "name": config.run or self.subcommand, "default_hp_metric": False}
                config.trainer.logger = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": logger}

    return Loops(
        lightning_modules.PromptableVOS,
        datamodules.Data,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_kwargs={"overwrite": True},
        seed_everything_default=0,
        trainer_defaults={"num_sanity_val_steps": 0},
        args=expand(argv, CONFIGS),
    )


def usage() -> str:
    """The list of subcommands."""
    lines = ["usage: python cli.py COMMAND [OPTIONS]   (each has --help; --debug shows tracebacks)", ""]
    for title, group in (("loops", LOOPS), ("tools", TOOLS)):
        lines += [f"{title}:", *(f"  {name:<9} {text}" for name, text in group.items()), ""]
    lines += ["names: --data NAME, --model NAME, --sam2 NAME are the files in configs/data, configs/model, configs/sam2"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
