"""The only door: training and evaluation by LightningCLI, and the tools that share its flags; ``--help`` lists them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from robustvos.commands.messages import (
    exit_code,
    next_step,
    quieten,
    quieten_torch,
    refuse,
    refusing,
    saying_how_to_go_on,
)
from robustvos.commands.usage import LOOPS, TOOLS, usage
from robustvos.errors import UnknownName

CONFIGS = Path(__file__).resolve().parent / "configs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code: 0, 2 for an error that the user can mend, 130 after Ctrl-C."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in argv
    argv = [token for token in argv if token != "--debug"]
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    return exit_code(lambda: command(argv[0])(argv), debug)


def command(name: str) -> Callable[[list[str]], object]:
    """What runs a subcommand, imported only now."""
    if name in TOOLS:
        return import_module(f"robustvos.commands.{name}").main
    if name in LOOPS:
        return run_loop
    raise UnknownName.of("command", name, [*LOOPS, *TOOLS])


def run_loop(argv: list[str]) -> object:
    """Run a training or evaluation loop; Lightning and torch are imported only here."""
    quieten_torch()
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
    from lightning.pytorch.loggers import TensorBoardLogger

    import callbacks
    import datamodules
    import lightning_modules
    from robustvos.commands.config_files import defaults_as_json
    from robustvos.commands.loop_config import TRAINER_DEFAULTS, note_trained, prefer_requeued, trainer_settings
    from robustvos.commands.names import expand
    from robustvos.commands.plugins import load_plugins
    from robustvos.commands.requirements import check_run
    from robustvos.sam2.config import Sam2Config

    load_plugins()
    quieten()
    saver = callbacks.InterruptionSaver()
    beside_model = {"sam2": Sam2Config, "recipe": lightning_modules.Recipe}

    class Loops(LightningCLI):
        """LightningCLI with the callbacks that every run has; each can be set, or switched off, by its flags."""

        def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
            for name, settings in beside_model.items():
                parser.add_class_arguments(settings, name, sub_configs=True)
                parser.link_arguments(name, f"model.init_args.{name}")  # so that --model leaves them alone
            parser.add_argument("--run", type=str, default=None, help="the run leaves its files in runs/RUN/version_N")
            for name, callback in callbacks.ALWAYS.items():
                parser.add_lightning_class_args(callback, name)
            parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
            parser.set_defaults({"checkpoint.save_last": True})

        def before_instantiate_classes(self) -> None:
            prefer_requeued(self.config[self.subcommand], self.subcommand)
            check_run(self.config[self.subcommand])

        def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
            parser = super().init_parser(**kwargs)
            parser.error = refuse  # type: ignore[method-assign, assignment]
            return parser

        def instantiate_trainer(self, **kwargs: Any) -> Any:
            config = self.config_init[self.subcommand]
            config.verbose = False  # of test and validate: results are printed by condition instead
            name = str(config.run or self.subcommand)
            kwargs |= trainer_settings(config.trainer, name, self.subcommand)
            if config.trainer.logger in (None, True):
                kwargs["logger"] = TensorBoardLogger("runs", name, default_hp_metric=False)
            with refusing(ValueError):  # of an accelerator that does not exist, say
                return super().instantiate_trainer(**kwargs)

        def after_fit(self) -> None:
            self.model.print(next_step(note_trained(self.trainer)))

    with refusing(MisconfigurationException), saying_how_to_go_on(saver):
        return Loops(
            lightning_modules.PromptableVOS,
            datamodules.Data,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=callbacks.ConfigWriter,
            seed_everything_default=0,
            trainer_defaults={**TRAINER_DEFAULTS, "callbacks": saver},
            args=expand(argv, CONFIGS, defaults_as_json(beside_model)),
        )


if __name__ == "__main__":
    sys.exit(main())
