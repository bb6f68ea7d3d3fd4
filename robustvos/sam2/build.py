"""Build SAM 2 from the YAML files that its package ships, and fill it with weights."""

from __future__ import annotations

import importlib.resources
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from robustvos.errors import UnknownName, UserError
from robustvos.sam2.checkpoints import find_checkpoint, load_checkpoint
from robustvos.sam2.config import VARIANTS, PromptSampling, Sam2Config, Variant
from robustvos.sam2.postprocessing import UPSAMPLING
from robustvos.sam2.preprocess import RESIZING
from robustvos.sam2.timm_trunk import TIMM_PREFIX, use_timm_trunk
from robustvos.sam2.trunk_weights import load_trunk_weights
from robustvos.sam2.views import VIEW

_HOST = "training.model.sam2.SAM2Train"
_MEMORY_STRIDE = 16  # of the features that memory attention works on


def build_sam2(config: Sam2Config | None = None, sampling: PromptSampling | None = None) -> Any:
    """Build a SAM 2 and load its weights.

    Args:
        config: Which one; None is the embedded nano model.
        sampling: How training prompts are drawn; it does not change the parameters.

    Returns:
        A ``training.model.sam2.SAM2Train`` in eval mode on the CPU: SAM 2's own class, which trains and, being a
        ``SAM2Base``, also serves the tracker. Its ``hidden_dim``, ``mem_dim`` and ``image_size`` say its shapes.

    Raises:
        UnknownName: If the variant is not known.
        UserError: If the image size is not a multiple of 32, or a timm backbone cannot serve.
        CheckpointNotFound: If the weights are not where they were looked for; says where to fetch them.
        CheckpointMismatch: If a key is missing, superfluous or of another shape.
    """
    config = config or Sam2Config()
    node = architecture(config)
    if config.checkpoint != "random":
        find_checkpoint(config)  # a large model takes seconds to build: look for its weights first
    model = instantiate(node, sampling or PromptSampling())
    load_checkpoint(model, config)
    load_trunk_weights(model, config)
    setattr(model, RESIZING, config.resize)
    setattr(model, UPSAMPLING, config.upsampling or _variant(config).upsampling)
    setattr(model, VIEW, config.view or _variant(config).view)
    return model.eval()


def architecture(config: Sam2Config) -> DictConfig:
    """The hydra node of the model that ``config`` asks for, at its image size; raises as :func:`build_sam2` does."""
    variant = _variant(config)
    node = OmegaConf.merge(_read_yaml(variant.config), dict(variant.settings))
    assert isinstance(node, DictConfig)
    if config.image_size is not None:
        _set_image_size(node, config.image_size)
    if config.variant.startswith(TIMM_PREFIX):
        use_timm_trunk(node, config.variant)
    return node


def _variant(config: Sam2Config) -> Variant:
    """What is known of a variant; of timm trunks, what is known of the memory and decoder around them."""
    is_timm = config.variant.startswith(TIMM_PREFIX)
    if not is_timm and config.variant not in VARIANTS:
        raise UnknownName.of("SAM 2 variant", config.variant, [*VARIANTS, f"{TIMM_PREFIX}NAME"])
    return VARIANTS["sam2.1_hiera_t" if is_timm else config.variant]


def instantiate(node: DictConfig, sampling: PromptSampling) -> Any:
    """Build the official classes named in ``node``, hosted by ``SAM2Train``."""
    from hydra.utils import instantiate as build

    settings: dict[Any, Any] = {"_target_": _HOST, **_sampling_arguments(sampling)}
    hosted: Any = OmegaConf.merge(node, settings)
    hosted.pop("compile_image_encoder", None)
    with _silent_root_logger():
        return build(hosted, _recursive_=True)


@contextmanager
def _silent_root_logger() -> Iterator[None]:
    """SAM 2 reports to the root logger while it builds, and would give it a handler if it had none."""
    root, absorber = logging.getLogger(), logging.NullHandler()
    level = root.level
    root.addHandler(absorber)
    root.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(absorber)


def _read_yaml(location: str) -> DictConfig:
    if location.startswith("sam2:"):
        path = importlib.resources.files("sam2") / location.removeprefix("sam2:")
    else:
        path = Path(__file__).parent / location
    node = OmegaConf.load(str(path)).model
    assert isinstance(node, DictConfig)
    return node


def _set_image_size(node: DictConfig, image_size: int) -> None:
    if image_size % 32 or image_size < 64:
        raise UserError(
            f"image_size {image_size} is not a multiple of 32 of at least 64; try {max(64, image_size // 32 * 32)}"
        )
    node.image_size = image_size
    grid = [image_size // _MEMORY_STRIDE] * 2
    layer = node.memory_attention.layer
    layer.self_attention.feat_sizes = grid
    layer.cross_attention.feat_sizes = grid


def _sampling_arguments(sampling: PromptSampling) -> dict[str, Any]:
    return {
        "prob_to_use_pt_input_for_train": sampling.point_probability,
        "prob_to_use_box_input_for_train": sampling.box_probability,
        "num_init_cond_frames_for_train": sampling.conditioning_frames,
        "rand_init_cond_frames_for_train": True,
        "num_frames_to_correct_for_train": sampling.corrected_frames,
        "rand_frames_to_correct_for_train": True,
        "add_all_frames_to_correct_as_cond": True,
        "num_correction_pt_per_frame": sampling.correction_clicks,
        "prob_to_sample_from_gt_for_train": sampling.ground_truth_click_probability,
    }
