"""Any timm backbone with features at strides 4, 8, 16 and 32 in the place of Hiera."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from robustvos.errors import UnknownName, UserError
from robustvos.sam2.cpu import computes_in_bfloat16
from robustvos.sam2.folded_norms import fold_norms

TIMM_PREFIX = "timm:"
_STRIDES = [4, 8, 16, 32]


class TimmTrunk(nn.Module):
    """A timm backbone seen through the interface of SAM 2's image encoder.

    Args:
        name: Name in timm's registry.
        image_size: Side ``S`` of the input; needed by those backbones, Swin for one, that are built for one size.
        pretrained: Fetch timm's ImageNet weights.
        fixed_norms: Batch norms keep their statistics in training too, as they must where a batch is a few clips of
            similar frames. In bodies of timm's ``EfficientNetFeatures``, of which MobileNetV2 is one, they are then folded
            into the convolutions.

    Attributes:
        name: As given.
        image_size: As given.
        channel_list: Channels of the feature maps, coarsest first, as ``FpnNeck`` expects them.

    Raises:
        UnknownName: If timm has no such model.
        UserError: If it cannot be built for this size, or gives no feature maps at strides 4, 8, 16, 32.
    """

    def __init__(self, name: str, image_size: int = 1024, pretrained: bool = False, fixed_norms: bool = False) -> None:
        super().__init__()
        self.name, self.image_size, self.fixed_norms = name, image_size, fixed_norms
        self.body = _pyramid(name, image_size, pretrained).to(memory_format=torch.channels_last)
        if fixed_norms and type(self.body).__name__ == "EfficientNetFeatures":
            fold_norms(self.body)
        self.channel_list = self.body.feature_info.channels()[::-1]
        self.has_channels_last = getattr(self.body, "output_fmt", "NCHW") == "NHWC"

    def train(self, mode: bool = True) -> TimmTrunk:
        """Training mode, of all but batch norms where these are fixed."""
        super().train(mode)
        if self.fixed_norms:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """``(B, 3, S, S)`` normalised image -> four maps ``(B, C_i, S / stride_i, S / stride_i)``, finest first."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._may_round(image)):
            features = [x.to(image.dtype) for x in self.body(image.contiguous(memory_format=torch.channels_last))]
        return [x.permute(0, 3, 1, 2).contiguous() for x in features] if self.has_channels_last else features

    def _may_round(self, image: Tensor) -> bool:
        """Whether bfloat16 serves: in training with a frozen trunk, on a CPU that computes with it at twice the speed."""
        frozen = self.training and not any(p.requires_grad for p in self.body.parameters())
        return frozen and image.device.type == "cpu" and computes_in_bfloat16()


def use_timm_trunk(node: DictConfig, variant: str) -> None:
    """Replace the trunk in a SAM 2 model node by the backbone that ``variant`` (``timm:NAME``) names."""
    settings: dict[str, Any] = {"name": variant.removeprefix(TIMM_PREFIX), "image_size": int(node.image_size)}
    with torch.device("meta"):  # its shapes alone
        channels = TimmTrunk(**settings).channel_list
    node.image_encoder.trunk = {"_target_": f"{__name__}.TimmTrunk", **settings}
    node.image_encoder.neck.backbone_channel_list = channels


def _pyramid(name: str, image_size: int, pretrained: bool) -> Any:
    """The backbone with its last feature map of each stride as outputs."""
    import timm

    if not timm.is_model(name):
        raise UnknownName.of("timm model", name, _similar(name, timm.list_models()))
    configuration = timm.get_pretrained_cfg(name)
    sized: dict[str, Any] = (
        {"img_size": image_size} if configuration is not None and configuration.fixed_input_size else {}
    )
    try:
        with torch.device("meta"), torch.no_grad():  # shapes alone
            probe: Any = timm.create_model(name, features_only=True, **sized).eval()
            strides = probe.feature_info.reduction()
            if set(_STRIDES) <= set(strides):
                probe(torch.zeros(1, 3, image_size, image_size))
    except Exception as error:  # of whatever kind the backbone raises
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"timm model '{name}' cannot take images of {image_size} px ({reason}); choose another"
        ) from error
    if not set(_STRIDES) <= set(strides):
        raise UserError(
            f"timm model '{name}' has features at strides {strides}; SAM 2 needs {_STRIDES}: choose another"
        )
    last = [len(strides) - 1 - strides[::-1].index(stride) for stride in _STRIDES]
    return timm.create_model(name, features_only=True, out_indices=last, pretrained=pretrained, **sized)


def _similar(name: str, known: list[str]) -> list[str]:
    """A few names near ``name`` out of timm's thousand."""
    return difflib.get_close_matches(name, known, n=5, cutoff=0.4) or ["mobilenetv4_conv_small", "convnext_tiny"]
