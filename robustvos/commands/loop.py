"""Training and evaluation loops: LightningCLI with this project's groups of settings, callbacks and defaults."""

from __future__ import annotations

from typing import Any

from robustvos.commands.messages import quieten, quieten_torch, refusing, saying_how_to_go_on
from robustvos.registry import CONFIGS


def run_loop(argv: list[str]) -> object:
    """Run ``fit``, ``validate``, ``test`` or ``predict``, the first of ``argv``; Lightning and torch are imported only now."""
    quieten_torch()
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

    import callbacks
    import datamodules
    import lightning_modules
    from robustvos.commands.config_files import defaults_as_json
    from robustvos.commands.loop_config import TRAINER_DEFAULTS, prefer_requeued, trainer_settings
    from robustvos.commands.loop_ends import exit_if_videos_failed, say_trained
    from robustvos.commands.loop_help import LoopHelp
    from robustvos.commands.loop_resume import resumed_test
    from robustvos.commands.names import expand
    from robustvos.commands.plugins import load_plugins
    from robustvos.commands.requirements import check_run, run_identity
    from robustvos.sam2.config import Sam2Config

    load_plugins()
    quieten()
    about = LoopHelp(argv)
    saver, journal = callbacks.InterruptionSaver(), callbacks.ResumableTest()
    beside_model = {"sam2": Sam2Config, "recipe": lightning_modules.Recipe}

    class Loops(LightningCLI):
        """LightningCLI with the callbacks that every run has; each can be set, or switched off, by its flags."""

        def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
            for name, settings in beside_model.items():
                parser.add_class_arguments(settings, name, sub_configs=True)
                parser.link_arguments(name, f"model.init_args.{name}")  # so that --model leaves them alone
            parser.add_argument("--run", type=str, default=None, help="the run leaves its files in runs/RUN/version_N")
            parser.add_argument("--resume", action="store_true", help="test: go on at the video where it stopped")
            for name, callback in callbacks.ALWAYS.items():
                parser.add_lightning_class_args(callback, name)
            parser.add_lightning_class_args(callbacks.Checkpoints, "checkpoint")
            parser.set_defaults({"checkpoint.save_last": True})

        def before_instantiate_classes(self) -> None:
            config, name = self.config[self.subcommand], str(self.subcommand)
            prefer_requeued(config, name)
            check_run(config, name)
            journal.resumes = resumed_test(config, name, self._parser(name), run_identity)

        def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
            parser = super().init_parser(**kwargs, allow_abbrev=False)
            about.attend(parser)
            return parser

        def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
            super().parse_arguments(parser, args)
            about.answer(self.config[self.config.subcommand])

        def instantiate_trainer(self, **kwargs: Any) -> Any:
            config = self.config_init[self.subcommand]
            config.verbose = False  # of test and validate: results are printed by condition instead
            name = str(config.run or self.subcommand)
            kwargs |= trainer_settings(config.trainer, name, self.subcommand, lightning_modules.AtomicCheckpointIO())
            if config.trainer.logger in (None, True):
                kwargs["logger"] = lightning_modules.RunLogger("runs", name, journal.resumes, default_hp_metric=False)
            with refusing(ValueError):  # of an accelerator that does not exist, say
                return super().instantiate_trainer(**kwargs)

        def after_fit(self) -> None:
            say_trained(self.model, self.trainer)

        def after_test(self) -> None:
            exit_if_videos_failed(self.model)

    with refusing(MisconfigurationException), saying_how_to_go_on(saver):
        return Loops(
            lightning_modules.PromptableVOS,
            datamodules.Data,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=callbacks.ConfigWriter,
            save_config_kwargs={"identity": run_identity},
            seed_everything_default=0,
            trainer_defaults={
                **TRAINER_DEFAULTS,
                "callbacks": [saver, *(kind() for kind in callbacks.UNASKED), journal],
            },
            args=expand(about.argv, CONFIGS, defaults_as_json(beside_model)),
        )
