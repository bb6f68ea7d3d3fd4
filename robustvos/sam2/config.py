"""Which SAM 2 to stand on: its variants, where their weights come from, how large they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from robustvos.errors import UserError
from robustvos.sam2.views import View

PACKAGE_WEIGHTS = Path(__file__).parent / "weights"
_META = "https://dl.fbaipublicfiles.com/segment_anything_2"


Upsampling = Literal["bilinear", "guided"]


@dataclass(frozen=True)
class Variant:
    """One architecture and its published weights.

    Attributes:
        config: YAML with the model node; a path inside the ``sam2`` package, or a file beside this one (``*.yaml``).
        weights: File name of the published checkpoint; None where none is published.
        url: Where to fetch it.
        hub_id: Its Hugging Face repository.
        megabytes: Size of the file.
        settings: Of the model node, where they differ from the YAML's.
        upsampling: Where :class:`Sam2Config` does not say.
        view: The same.
    """

    config: str
    weights: str | None = None
    url: str | None = None
    hub_id: str | None = None
    megabytes: int = 0
    settings: tuple[tuple[str, bool], ...] = ()
    upsampling: Upsampling = "bilinear"
    view: View = "frame"


def _official(version: str, letter: str, word: str, folder: str, megabytes: int) -> Variant:
    weights = f"{version}_hiera_{word}.pt"
    return Variant(
        config=f"sam2:configs/{version}/{version}_hiera_{letter}.yaml",
        weights=weights,
        url=f"{_META}/{folder}/{weights}",
        hub_id=f"facebook/{version}-hiera-{word.replace('_', '-')}",
        megabytes=megabytes,
    )


_POINTER_TIMES = (("add_tpos_enc_to_obj_ptrs", True), ("use_signed_tpos_enc_to_obj_ptrs", True))
_SIZES = (("t", "tiny", 156), ("s", "small", 184), ("b+", "base_plus", 324), ("l", "large", 898))

_BASE_PLUS = _official("sam2", "b+", "base_plus", "072824", 324)

VARIANTS: dict[str, Variant] = {
    "nano": Variant(config="nano.yaml", weights="nano.safetensors"),
    "small": Variant(config="small.yaml", weights="small.safetensors", upsampling="guided", view="objects"),
    **{f"sam2_hiera_{s}": _official("sam2", s, word, "072824", mb) for s, word, mb in _SIZES},
    "sam2_hiera_b+_tpos": replace(_BASE_PLUS, settings=_POINTER_TIMES),  # as the public MoGA code has it
    **{f"sam2.1_hiera_{s}": _official("sam2.1", s, word, "092824", mb) for s, word, mb in _SIZES},
}
"""Every named variant. ``timm:NAME`` besides: SAM 2.1's memory and decoder on a timm trunk."""


@dataclass(frozen=True)
class Sam2Config:
    """Which SAM 2, at which size, with which weights.

    Attributes:
        variant: A name in :data:`VARIANTS`, or ``timm:NAME`` for any timm backbone with features at strides 4 to 32.
        checkpoint: ``auto`` (weights shipped in the package; for official variants ``checkpoints/<file>`` or
            ``$ROBUSTVOS_WEIGHTS/<file>``), a path, a Hugging Face id, or ``random`` (no weights; the only choice for
            timm trunks that were never trained).
        image_size: Side of the square that frames are resized to; a multiple of 32. None: the variant's own.
        trunk_weights: Where training from ``random`` begins, the weights of a timm trunk: ``timm`` (those that timm
            fetches), or a file (:mod:`robustvos.sam2.trunk_weights`). None: random too.
        resize: How tracked frames come to that square, see :func:`robustvos.sam2.preprocess.preprocess`: ``official`` gives the
            logits that SAM 2's own predictor gives from the same files.
        upsampling: How masks come from the decoder's grid to the frame: ``bilinear``, as SAM 2 has it, or ``guided``, along
            the frame's edges (:func:`robustvos.sam2.postprocessing.follow_edges`). None: the variant's own.
        view: What of each frame is looked at: ``frame``, all of it, as SAM 2 has it, or ``objects``, a window that follows
            what is tracked (:class:`robustvos.sam2.views.FollowingWindow`). None: the variant's own. Memory policies, motion
            cues and masks that may overlap need the whole frame, and have it.
    """

    variant: str = "nano"
    checkpoint: str = "auto"
    image_size: int | None = None
    trunk_weights: str | None = None
    resize: Literal["fast", "official"] = "fast"
    upsampling: Upsampling | None = None
    view: View | None = None


@dataclass(frozen=True)
class PromptSampling:
    """How prompts are drawn from the ground truth in training (SAM 2 paper, appendix D.2.2).

    Clips shorter than a number of frames below get as many as they have. Clips of one frame are always prompted by
    clicks or a box, as SAM 2 has it.

    Attributes:
        point_probability: Chance that a batch is prompted by clicks or a box rather than by a mask.
        box_probability: Chance of a box among those.
        conditioning_frames: At most this many frames are prompted before tracking; the first always is.
        corrected_frames: At most this many frames receive correction clicks, in batches without mask prompts; all
            prompted ones do, so it is at least ``conditioning_frames``.
        correction_clicks: Clicks on each of them, at least 1.
        ground_truth_click_probability: Chance that a correction click ignores the error region.

    Raises:
        UserError: If a probability is outside [0, 1], or a number is too small.
    """

    point_probability: float = 0.5
    box_probability: float = 0.5
    conditioning_frames: int = 2
    corrected_frames: int = 2
    correction_clicks: int = 7
    ground_truth_click_probability: float = 0.1

    def __post_init__(self) -> None:
        for name in ("point_probability", "box_probability", "ground_truth_click_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name):g}; a probability is in [0, 1]")
        for name, least in (
            ("conditioning_frames", 1),
            ("corrected_frames", self.conditioning_frames),  # SAM 2 corrects every frame that it prompts by clicks
            ("correction_clicks", 1),
        ):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}; SAM 2's training needs at least {least}")
