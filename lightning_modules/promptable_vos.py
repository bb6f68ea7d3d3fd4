"""PromptableVOS: a SAM 2, what is added to it, and what is done to frames before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from lightning_modules.evaluation import Scorer, overall_means, track_video
from lightning_modules.optimisation import adamw_with_cosine
from lightning_modules.recipe import Recipe
from robustvos.adapters import Adapter
from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.errors import CheckpointMismatch, UserError
from robustvos.metrics.rules import ScoringRules, rules_of
from robustvos.metrics.tasks import Scored
from robustvos.restoration import Restorer
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import HOST_PREFIX, load_exactly, state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.losses import segmentation_loss
from robustvos.sam2.provenance import Provenance, check_settings, find_shipped_adapter, read_adapter
from robustvos.sam2.tracker import Tracker
from robustvos.sam2.training import forward_clips, training_input
from robustvos.seeding import derive_seed
from robustvos.types import ClipBatch, Video, VideoResult

_NO_ADAPTER = (
    "{} holds an adapter, but this system has none; choose the --model that was trained, which config.yaml beside its "
    "checkpoints folder names"
)


class PromptableVOS(L.LightningModule):
    """Hosts a SAM 2, an adapter and a restorer; trains, validates, tests, predicts.

    Without an adapter the SAM 2 is frozen and can only be measured; unless its checkpoint is ``random`` or ``train_base``
    is set, in which case all of it is trained: that is how a base is made.

    Args:
        sam2: The base.
        adapter: What is added to it; None: nothing.
        recipe: How it is trained.
        protocol: How modal masks are scored: ``davis`` or ``release``.
        seed: Of prompts and gate noise in training.
        weights: The adapter's trained weights, of a run or exported; None: untrained, or those of a checkpoint.
        train_base: Go on training the whole base from its checkpoint; only without an adapter.
        restorer: What frames pass before they are tracked, in evaluation only; None: nothing. Frozen, never saved.

    Attributes:
        tracker: The tracker at work, for callbacks; None between videos.
    """

    def __init__(
        self,
        sam2: Sam2Config = Sam2Config(),  # noqa: B008
        adapter: Adapter | None = None,
        recipe: Recipe = Recipe(),  # noqa: B008
        protocol: str = "davis",
        seed: int = 0,
        weights: Path | None = None,
        train_base: bool = False,
        restorer: Restorer | None = None,
    ) -> None:
        super().__init__()
        if train_base and adapter is not None:
            raise UserError(
                "train_base is for making a base, without an adapter; to tune all of one, use --model finetune"
            )
        self.restorer = restorer.prepare() if restorer is not None else None
        rules_of(protocol)  # refuses what is not known
        self.protocol = protocol
        self.config = sam2
        self.sam2 = build_sam2(sam2, recipe.sampling)
        self.base = Provenance.of(sam2, self.sam2)
        self.adapter = adapter
        self.recipe = recipe
        self.seed = seed
        self.tracker: Tracker | None = None
        self.adapter_origin: str | None = None
        self._results: list[Scored] = []
        self.trains_base = adapter is None and (train_base or sam2.checkpoint == "random")
        if adapter is None and weights is not None:
            raise CheckpointMismatch(_NO_ADAPTER.format(weights))
        if adapter is not None:
            adapter.attach(self.sam2)
            if weights is not None:
                adapter.load_adapter_state_dict(read_adapter(Path(weights), self.base, adapter))
                self.adapter_origin = str(weights)
        elif not self.trains_base:
            self.sam2.requires_grad_(False)

    def setup(self, stage: str) -> None:
        """Refuse to train with a restorer."""
        if stage == "fit" and self.restorer is not None:
            raise UserError(
                f"{type(self.restorer).__name__} restores frames for validate, test and predict alone, as in RobustPVOS; "
                "train without a restorer, e.g. --model moga"
            )

    # What is trained, and what is saved of it

    def trained_parameters(self) -> list[nn.Parameter]:
        """Parameters that change in training."""
        return [p for p in self.parameters() if p.requires_grad]

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW on what is trained, warm-up and cosine over the whole run."""
        parameters = self.trained_parameters()
        if not parameters:
            raise UserError(
                "nothing to train: this system is a frozen SAM 2; choose one with an adapter, e.g. --model moga"
            )
        steps = int(self.trainer.estimated_stepping_batches)
        # That made the loaders before a resumed run knows where it stands; Lightning makes them again when it does.
        self.trainer.fit_loop._combined_loader = None
        layer_norms = [self.sam2.get_parameter(name) for name in layer_norm_parameters(self.sam2, "all")]
        return adamw_with_cosine(parameters, self.recipe.optimisation, steps, layer_norms)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What was trained, and nothing of a frozen base or of a restorer."""
        state = super().state_dict(*args, **kwargs)
        if kwargs.get("destination") is not None:
            return state
        if self.adapter is None:
            return {name: value for name, value in state.items() if not name.startswith("restorer.")}
        trained = self.adapter.trained_tensors().keys()
        return {name: value for name, value in state.items() if name in trained}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> None:
        """Load what :meth:`state_dict` gave; exact keys and shapes, or CheckpointMismatch."""
        if self.adapter is not None:
            self.adapter.load_adapter_state_dict(state_dict)
            return
        if any(name.startswith("adapter.") for name in state_dict):
            raise CheckpointMismatch(_NO_ADAPTER.format("the checkpoint"))
        whole = {name.removeprefix(HOST_PREFIX): value for name, value in state_dict.items()}
        load_exactly(self.sam2, whole, "the checkpoint")
        self.base = Provenance.of(self.config, self.sam2)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the base that the trained weights belong to, and the adapter's settings that they do not show."""
        checkpoint["base"] = self.base.as_dict()
        if self.adapter is not None:
            checkpoint["adapter"] = self.adapter.function_settings()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that were trained on another base, or with other settings."""
        if self.adapter is not None:
            self.base.check(checkpoint.get("base"))
            check_settings(self.adapter, checkpoint.get("adapter"))
        self.adapter_origin = str(self.trainer.ckpt_path)

    # Training

    def on_fit_start(self) -> None:
        """SAM 2 is built in eval mode; clicks are drawn, and dropout is on, only in training mode."""
        self.train()
        trained, total = (sum(p.numel() for p in ps) for ps in (self.trained_parameters(), self.parameters()))
        self._announce(f"train {trained:,} of {total:,} parameters")

    def on_train_start(self) -> None:
        """Say how much a step of the optimiser sees, of all processes together."""
        loader = getattr(self.trainer, "train_dataloader", None)
        clips = getattr(loader, "batch_size", None)
        if clips:
            processes, batches = self.trainer.world_size, self.trainer.accumulate_grad_batches
            self.print(
                f"a step: {clips * processes * batches} clips ({clips} x {processes} processes x {batches} batches)"
            )

    def training_step(self, batch: ClipBatch, batch_idx: int) -> Tensor:
        """Prompt the first frames of each clip, track the others, compare with the truth."""
        step = self.trainer.fit_loop.total_batch_idx
        torch.manual_seed(derive_seed("noise", self.seed, step, self.global_rank))
        self._tell_adapter(batch.object_to_clip)
        inputs = training_input(batch, self.sam2.image_size)
        outputs = forward_clips(self.sam2, inputs, seed=derive_seed("prompts", self.seed, step))
        losses = segmentation_loss(outputs, inputs.masks, self.recipe.loss, batch.annotated)
        for name, value in losses.items():
            self.log(f"train/{name}", value.detach(), batch_size=len(batch.names), prog_bar=name == "loss")
        loss = losses["loss"]
        if not loss.requires_grad:  # every frame was given as a mask, so that nothing was predicted
            loss = loss + 0.0 * torch.stack([p.sum() for p in self.trained_parameters()]).sum()
        return loss

    # Evaluation

    def on_validation_start(self) -> None:
        """Outside of training, an adapter must have been trained."""
        self._results = []
        if self.trainer.state.fn != "fit":
            self._require_trained_adapter()

    def on_test_start(self) -> None:
        """An adapter must have been trained."""
        self._results = []
        self._require_trained_adapter()

    def on_predict_start(self) -> None:
        """An adapter must have been trained."""
        self._require_trained_adapter()

    def on_validation_epoch_end(self) -> None:
        """Log the means over the videos of all processes."""
        self._log_means("val")

    def on_test_epoch_end(self) -> None:
        """Log the means over the videos of all processes."""
        self._log_means("test")

    def validation_step(self, video: Video, batch_idx: int) -> VideoResult:
        """Track a video and score it."""
        return self._evaluate(video)

    def test_step(self, video: Video, batch_idx: int) -> VideoResult:
        """Track a video and score it."""
        return self._evaluate(video)

    def predict_step(self, video: Video, batch_idx: int) -> None:
        """Track a video; callbacks write what they want of it."""
        self._track(video, None)

    @property
    def restorer_hash(self) -> str | None:
        """Of the restorer's weights, as the base's; None without one."""
        return None if self.restorer is None else state_hash(self.restorer)

    @property
    def task(self) -> str:
        """``modal`` or ``amodal``, as the data say."""
        return getattr(getattr(self.trainer, "datamodule", None), "task", "modal")

    @property
    def rules(self) -> ScoringRules:
        """Of the protocol, with what the dataset leaves to itself: whether first and last frames count, for one."""
        data = getattr(self.trainer, "datamodule", None)
        rules = rules_of(self.protocol, getattr(data, "release_contour", "cross"))
        return replace(rules, skip_first_last=getattr(data, "skip_first_last", False) and not rules.scores_ends)

    def _evaluate(self, video: Video) -> VideoResult:
        scorer = Scorer(video, self.task, self.rules)
        self._track(video, scorer)
        result = scorer.result()
        self._results.append((video.corruption, result))
        self._tell("on_video_end", video, result)
        return result

    def _log_means(self, stage: str) -> None:
        for metric, mean in overall_means(self._results, self.task).items():
            self.log(f"{stage}/{metric}", mean, batch_size=1)  # the same on every process

    def _track(self, video: Video, scorer: Scorer | None) -> None:
        self._tell_adapter(None)
        exclusive = self.task == "modal" and not self.rules.overlapping  # whole objects overlap
        self.tracker = Tracker(self.sam2, non_overlapping=exclusive, num_frames=len(video.frames))
        self._tell("on_video_start", video)
        for frame, tracked in track_video(self.tracker, video, self.restorer):
            if scorer is not None:
                scorer.update(tracked)
            self._tell("on_tracked_frame", video, frame, tracked)
        self.tracker = None

    def _tell_adapter(self, object_to_clip: Tensor | None) -> None:
        """Some adapters ask which clip each object belongs to; None: all to one."""
        adapter: Any = self.adapter
        if hasattr(adapter, "object_to_clip"):
            adapter.object_to_clip = object_to_clip

    def _tell(self, event: str, *what: Any) -> None:
        """Tell those callbacks that listen to videos."""
        for callback in self.trainer.callbacks:
            listener = getattr(callback, event, None)
            if listener is not None:
                listener(self.trainer, self, *what)

    def _require_trained_adapter(self) -> None:
        """Load the adapter that is shipped for this base, or refuse: its numbers would be the frozen model's."""
        if self.adapter is not None and self.adapter.is_identity():
            shipped = find_shipped_adapter(self.adapter, self.base)
            if shipped is None:
                raise UserError(
                    f"{type(self.adapter).__name__} on {self.config.variant} was never trained: its numbers would be those "
                    "of the frozen model. Give --ckpt_path, train it with fit, or measure the frozen model with --model sam2"
                )
            self.adapter.load_adapter_state_dict(shipped.state)
            self.adapter_origin = shipped.name
        self._announce(f"{self._verb()} with weights {self.adapter_origin or 'of the base alone'}")

    def _verb(self) -> str:
        return self.trainer.state.fn.value if self.trainer.state.fn is not None else "run"

    def _announce(self, text: str) -> None:
        """Say in one line what is about to run."""
        adapter = "no adapter" if self.adapter is None else type(self.adapter).__name__
        restored = "" if self.restorer is None else f", frames restored by {type(self.restorer).__name__}"
        base = f"{self.config.variant} ({self.config.checkpoint}), {self.sam2.image_size} px"
        self.print(f"{adapter} on {base}{restored}: {text}")

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Training batches move; videos stay where they are and move frame by frame."""
        return batch.to(device) if isinstance(batch, ClipBatch) else batch
