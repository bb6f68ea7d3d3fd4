"""Any timm backbone with features at strides 4, 8, 16 and 32 in the place of Hiera."""

from __future__ import annotations

from omegaconf import DictConfig
from torch import Tensor, nn

from robustvos.errors import UnknownName, UserError

TIMM_PREFIX = "timm:"
_STRIDES = [4, 8, 16, 32]


class TimmTrunk(nn.Module):
    """A timm backbone seen through the interface of SAM 2's image encoder.

    Args:
        name: Name in timm's registry.
        pretrained: Fetch timm's ImageNet weights.

    Attributes:
        channel_list: Channels of the feature maps, coarsest first, as ``FpnNeck`` expects them.

    Raises:
        UnknownName: If timm has no such model.
        UserError: If it gives no feature maps at strides 4, 8, 16, 32.
    """

    def __init__(self, name: str, pretrained: bool = False) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            raise UnknownName.of("timm model", name, timm.list_models(f"{name[:5]}*") or timm.list_models("mobilenetv4*"))
        probe = timm.create_model(name, features_only=True, pretrained=False)
        strides = probe.feature_info.reduction()
        if not set(_STRIDES) <= set(strides):
            raise UserError(f"timm model '{name}' has features at strides {strides}; SAM 2 needs {_STRIDES}")
        indices = [strides.index(s) for s in _STRIDES]
        self.body = timm.create_model(name, features_only=True, out_indices=indices, pretrained=pretrained)
        self.channel_list = self.body.feature_info.channels()[::-1]

    def forward(self, image: Tensor) -> list[Tensor]:
        """``(B, 3, S, S)`` normalised image -> four maps ``(B, C_i, S / stride_i, S / stride_i)``, finest first."""
        return [_channels_first(x, c) for x, c in zip(self.body(image), self.channel_list[::-1], strict=True)]


def use_timm_trunk(node: DictConfig, variant: str) -> None:
    """Replace the trunk in a SAM 2 model node by the backbone that ``variant`` (``timm:NAME``) names."""
    name = variant.removeprefix(TIMM_PREFIX)
    node.image_encoder.trunk = {"_target_": f"{__name__}.TimmTrunk", "name": name}
    node.image_encoder.neck.backbone_channel_list = TimmTrunk(name).channel_list


def _channels_first(features: Tensor, channels: int) -> Tensor:
    """Some timm models (Swin) give ``(B, H, W, C)``."""
    if features.shape[1] != channels and features.shape[-1] == channels:
        return features.permute(0, 3, 1, 2).contiguous()
    return features
