"""PromptableVOS: a SAM 2, what is added to it, and what is done to frames before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from lightning_modules.optimisation import adamw_with_cosine, planned_steps
from lightning_modules.precision import slow_precision
from lightning_modules.recipe import Recipe
from robustvos.adapters import Adapter, GatedAdapter
from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.adapters.parts import part_parameters
from robustvos.errors import BadMask, BadVideo, CheckpointMismatch, UserError
from robustvos.evaluation.protocol import DatasetFacts, Protocol, protocol_for, protocol_named
from robustvos.evaluation.records import UnreadVideo, VideoResult, sequence_name
from robustvos.evaluation.scorer import Scorer, VideoTruth
from robustvos.evaluation.torchmetrics import gathered_results, mean_scores
from robustvos.restoration import Restorer
from robustvos.sam2.checkpoints import HOST_PREFIX, load_exactly, state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.losses import segmentation_loss
from robustvos.sam2.memory_policies import MemoryPolicy
from robustvos.sam2.provenance import (
    Provenance,
    check_settings,
)
from robustvos.sam2.tracker import Tracker
from robustvos.sam2.training import forward_clips, training_input
from robustvos.seeding import derive_seed
from robustvos.systems.completion import Completion, completed, true_visible
from robustvos.systems.system import NO_ADAPTER, System
from robustvos.systems.tracking import track_video
from robustvos.types import ClipBatch, Video


class PromptableVOS(L.LightningModule):
    """Hosts a SAM 2, an adapter and a restorer; trains, validates, tests, predicts.

    Without an adapter the SAM 2 is frozen and can only be measured; unless its checkpoint is ``random`` or ``train_base``
    is set, in which case all of it is trained: that is how a base is made.

    Args:
        sam2: The base.
        adapter: What is added to it; None: nothing.
        recipe: How it is trained.
        protocol: How videos are prompted and scored, see :mod:`robustvos.evaluation.protocol`; None: ``davis`` for what is
            seen of objects, ``realvas`` for whole ones, as the data ask.
        seed: Of prompts and gate noise in training.
        weights: The adapter's trained weights, of a run or exported; None: untrained, or those of a checkpoint.
        train_base: Go on training the whole base from its checkpoint; only without an adapter.
        restorer: What frames pass before they are tracked, in evaluation only; None: nothing. Frozen, never saved.
        completion: What makes whole masks of visible ones, in evaluation only; None: nothing.
        masks: The visible masks: ``tracked`` by the system, or the dataset's ``truth``, with which nothing is tracked.
        target: What masks are trained to be: what is seen of objects (``modal``), or whole objects (``amodal``). Then an
            object that is hidden but in the frame is present.
        memory: Which masks are believed and which memories looked at, in evaluation only; None: as SAM 2 has it.

    Attributes:
        tracker: The tracker at work, for callbacks; None between videos.
        metrics: Means over the videos of the present validation or test; None outside of one.
        results: The videos of all processes, once a validation or test is over; for callbacks.
        known: Results of videos that a test need not track, by :attr:`robustvos.evaluation.records.VideoResult.sequence`: it
            has them from before it was stopped.
    """

    def __init__(
        self,
        sam2: Sam2Config = Sam2Config(),
        adapter: Adapter | None = None,
        recipe: Recipe = Recipe(),
        protocol: str | None = None,
        seed: int = 0,
        weights: Path | None = None,
        train_base: bool = False,
        restorer: Restorer | None = None,
        completion: Completion | None = None,
        masks: Literal["tracked", "truth"] = "tracked",
        target: Literal["modal", "amodal"] = "modal",
        memory: MemoryPolicy | None = None,
    ) -> None:
        super().__init__()
        if masks == "truth" and (adapter is not None or restorer is not None):
            raise UserError(
                "masks: truth tracks nothing, so that an adapter or a restorer would not be measured; leave it out, or say "
                "masks: tracked"
            )
        if train_base and adapter is not None:
            raise UserError(
                "train_base is for making a base, without an adapter; to tune all of one, use --model finetune"
            )
        if protocol is not None:
            protocol_named(protocol)  # refuses what is not known
        self.protocol_name = protocol
        self.system = System(sam2, adapter, restorer, weights=weights, sampling=recipe.sampling, memory=memory)
        # The same once more, so that Lightning moves, trains and saves them.
        self.sam2, self.adapter, self.restorer = self.system.model, adapter, self.system.restorer
        self.completion, self.masks = completion, masks
        self.recipe = recipe
        self.seed = seed
        self.target = target
        self.tracker: Tracker | None = None
        self.metrics: MetricCollection | None = None
        self.results: list[VideoResult] = []
        self.known: Mapping[str, VideoResult] = {}
        self._errors: list[UserError] = []
        self.has_trained = False  # in this process: a run that is resumed at its end has no step left to do
        self.trains_base = adapter is None and (train_base or sam2.checkpoint == "random")
        if adapter is None and not self.trains_base:
            self.sam2.requires_grad_(False)
        elif adapter is None and recipe.optimisation.trunk_factor == 0:
            self.sam2.image_encoder.trunk.requires_grad_(False)

    @property
    def config(self) -> Sam2Config:
        """Settings of the base."""
        return self.system.sam2

    @property
    def base(self) -> Provenance:
        """Which base weights the trained ones belong to."""
        return self.system.base

    @property
    def adapter_origin(self) -> str | None:
        """Where the adapter's weights come from; None while it is untrained."""
        return self.system.origin

    def setup(self, stage: str) -> None:
        """Refuse a protocol that the dataset cannot obey, and to train with a restorer."""
        if stage in ("validate", "test", "predict"):
            self.protocol  # noqa: B018, a dataset that cannot obey it is refused before the first video
        if stage == "fit" and (self.completion is not None or self.masks == "truth"):
            raise UserError(
                "a completion of masks, or the true visible masks, can be tested and not trained; train without, e.g. "
                "--model moga"
            )
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
        steps = planned_steps(self.trainer)
        # That made the loaders before a resumed run knows where it stands; Lightning makes them again when it does.
        self.trainer.fit_loop._combined_loader = None
        layer_norms = [self.sam2.get_parameter(name) for name in layer_norm_parameters(self.sam2, "all")]
        trunk = self.sam2.image_encoder.trunk.parameters() if self.trains_base else ()
        named = part_parameters(self.sam2, getattr(self.adapter, "parts", ()))
        parts = [self.sam2.get_parameter(name) for name in named]
        return adamw_with_cosine(parameters, self.recipe.optimisation, steps, layer_norms, trunk, parts)

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
            raise CheckpointMismatch(NO_ADAPTER.format("the checkpoint"))
        whole = {name.removeprefix(HOST_PREFIX): value for name, value in state_dict.items()}
        load_exactly(self.sam2, whole, "the checkpoint")
        self.system.base = Provenance.of(self.config, self.sam2)

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
        self.system.origin = str(self.trainer.ckpt_path)

    # Training

    def on_fit_start(self) -> None:
        """SAM 2 is built in eval mode; clicks are drawn, and dropout is on, only in training mode."""
        self.train()
        trained, total = (sum(p.numel() for p in ps) for ps in (self.trained_parameters(), self.parameters()))
        self._announce(f"train {trained:,} of {total:,} parameters")
        if slow := slow_precision(self.trainer):
            self.print(slow)

    def on_train_start(self) -> None:
        """Say how much a step of the optimiser sees, of all processes together."""
        self.has_trained = True
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
        if isinstance(self.adapter, GatedAdapter):
            self.adapter.object_to_clip = batch.object_to_clip
        inputs = training_input(self._targeted(batch), self.sam2.image_size)
        outputs = forward_clips(self.sam2, inputs, seed=derive_seed("prompts", self.seed, step))
        losses = segmentation_loss(outputs, inputs.masks, self.recipe.loss, batch.annotated)
        for name, value in losses.items():
            self.log(f"train/{name}", value.detach(), batch_size=len(batch.names), prog_bar=name == "loss")
        self.log("clips/train", float(len(batch.names) * self.trainer.world_size), batch_size=1)
        self.log("clips/frames", float(inputs.masks.shape[0]), batch_size=1)
        loss = losses["loss"]
        if not loss.requires_grad:  # every frame was given as a mask, so that nothing was predicted
            loss = loss + 0.0 * torch.stack([p.sum() for p in self.trained_parameters()]).sum()
        return loss

    def _targeted(self, batch: ClipBatch) -> ClipBatch:
        """The batch with the masks that this system is to give."""
        if self.target == "modal":
            return batch
        if batch.amodal is None:
            raise UserError(
                "this system gives whole objects (target: amodal), and the training clips do not know them; take "
                "--data realvas or --data shapes"
            )
        return replace(batch, masks=batch.amodal)

    # Evaluation

    def on_validation_start(self) -> None:
        """Outside of training, an adapter must have been trained."""
        self._begin("val/")
        if self.trainer.state.fn != "fit":
            self._require_trained_adapter()

    def on_test_start(self) -> None:
        """An adapter must have been trained."""
        self._begin("test/")
        self._require_trained_adapter()

    def on_predict_start(self) -> None:
        """An adapter must have been trained."""
        self._require_trained_adapter()

    def on_validation_epoch_end(self) -> None:
        """Log the means over the videos of all processes."""
        self._log_means()

    def on_test_epoch_end(self) -> None:
        """Log the means over the videos of all processes.

        Raises:
            UserError: The first that was met, if every video has failed.
        """
        self._log_means()
        if self.results and all(result.failure for result in self.results):
            raise self._errors[0] if self._errors else UserError(self.results[0].failure)

    def validation_step(self, video: Video, batch_idx: int) -> VideoResult:
        """Track a video and score it."""
        return self._evaluate(video)

    def test_step(self, video: Video | UnreadVideo, batch_idx: int) -> VideoResult:
        """Track a video and score it; one that cannot be read to its end has failed, and the others are tested."""
        if isinstance(video, UnreadVideo):
            return self._fail(video.name, video.corruption, video.error)
        known = self.known.get(sequence_name(video.name, video.corruption))
        if known is not None:
            self._tell("on_video_known", video, known)
            return self._taken_up(known)
        try:
            return self._evaluate(video)
        except (BadMask, BadVideo) as error:
            return self._fail(video.name, video.corruption, error)

    def predict_step(self, video: Video, batch_idx: int) -> None:
        """Track a video; callbacks write what they want of it."""
        self._track(video, None)

    @property
    def restorer_hash(self) -> str | None:
        """Of the restorer's weights, as the base's; None without one."""
        return None if self.restorer is None else state_hash(self.restorer)

    @property
    def protocol(self) -> Protocol:
        """As it is on the data at hand; raises UserError if they cannot obey it."""
        data = getattr(self.trainer, "datamodule", None)
        return protocol_for(self.protocol_name, getattr(data, "facts", DatasetFacts()))

    def _begin(self, prefix: str) -> None:
        self.metrics = mean_scores(self.protocol, prefix)
        self.results, self._errors = [], []

    def _fail(self, video: str, corruption: str, error: UserError) -> VideoResult:
        self.tracker = None
        self._errors.append(error)
        result = VideoResult(video, corruption, (), failure=str(error).strip().splitlines()[-1])
        return self._taken_up(result)

    def _taken_up(self, result: VideoResult) -> VideoResult:
        assert self.metrics is not None
        self.metrics.update(result)
        return result

    def _evaluate(self, video: Video) -> VideoResult:
        scorer = Scorer(VideoTruth(video), self.protocol)
        self._track(video, scorer)
        result = self._taken_up(scorer.result())
        self._tell("on_video_end", video, result)
        return result

    def _log_means(self) -> None:
        if self.metrics is None:
            return
        self.results = gathered_results(self.metrics)
        means = self.metrics.compute()
        # The same on every process; a figure that nothing defines is not logged.
        self.log_dict({name: mean for name, mean in means.items() if not mean.isnan()}, batch_size=1)
        if self.trainer.state.fn == "fit":
            clips = len({(result.video, result.corruption) for result in self.results})
            self.log("clips/val", float(clips), batch_size=1)
        self.metrics = None

    def _track(self, video: Video, scorer: Scorer | None) -> None:
        if self.masks == "tracked":
            self.tracker = self.system.tracker(overlapping=self.protocol.overlapping, num_frames=len(video.frames))
            stream = track_video(self.tracker, video, self.restorer)
        else:
            stream = true_visible(video)
        self._tell("on_video_start", video)
        for frame, tracked in stream if self.completion is None else completed(stream, self.completion):
            if scorer is not None:
                scorer.update(tracked)
            self._tell("on_tracked_frame", video, frame, tracked)
        self.tracker = None

    def _tell(self, event: str, *what: Any) -> None:
        """Tell those callbacks that listen to videos."""
        for callback in self.trainer.callbacks:
            listener = getattr(callback, event, None)
            if listener is not None:
                listener(self.trainer, self, *what)

    def _require_trained_adapter(self) -> None:
        """Load the adapter that is shipped for this base, or refuse: its numbers would be the frozen model's."""
        if self.masks == "truth":
            self.print(f"{self._verb()} on the true visible masks: nothing is tracked")
            return
        self.system.require_trained()
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
