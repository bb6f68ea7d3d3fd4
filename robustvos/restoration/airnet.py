"""AirNet: one network for noise, rain and haze, steered by features of the degradation itself.

Source: Li et al., CVPR 2022. An encoder that was trained by contrast describes how the image is degraded; every block of
the restorer bends its convolution's grid by that description, and scales and shifts its features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

from robustvos.restoration.base import Restorer
from robustvos.restoration.weights import find_weights, load_exactly, read_weights

_REMEDY = "fetch the all-in-one model All.pth as the README of https://github.com/XLearning-SCU/2022-CVPR-AirNet says"
_ONLY_TRAINED_WITH = ("E.E.encoder_k.", "E.E.queue")  # the other half of the contrast
_WIDTH = 64
_POINTS = 9  # of a 3x3 kernel
_SLOPE = 0.1
_COUNT = 5  # of groups, and of blocks in each


class AirNet(Restorer):
    """AirNet with its published weights.

    Args:
        checkpoint: Path, or name of a file in ``$ROBUSTVOS_WEIGHTS`` or ``./checkpoints``.
    """

    multiple = 16  # as it was published; images were cropped to that

    def __init__(self, checkpoint: str = "All.pth") -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.network = AirNetwork()

    def load(self) -> None:
        """Fill the network from the published file; what only its training needs is left out."""
        path = find_weights(self.checkpoint, "AirNet", _REMEDY)
        content = {str(name): value for name, value in read_weights(path).items()}
        state = {name: value for name, value in content.items() if not name.startswith(_ONLY_TRAINED_WITH)}
        load_exactly(self.network, state, str(path))

    def enhance(self, images: Tensor) -> Tensor:
        """Run the network."""
        restored: Tensor = self.network(images)
        return restored


class AirNetwork(nn.Module):
    """``(B, 3, H, W)`` in [0, 1] to the same; submodules are called as in the published file."""

    def __init__(self) -> None:
        super().__init__()
        self.E = nn.ModuleDict({"E": nn.ModuleDict({"encoder_q": DegradationEncoder()})})
        self.R = GuidedRestorer()

    def forward(self, images: Tensor) -> Tensor:
        """Describe the degradation, then restore."""
        restored: Tensor = self.R(images, self.get_submodule("E.E.encoder_q")(images))
        return restored


class DegradationEncoder(nn.Module):
    """``(B, 3, H, W)`` to the degradation's features ``(B, 64, H, W)``.

    ``E`` and ``mlp`` only served to train ``E_pre`` by contrast. They are kept so that the published file fits exactly.
    """

    def __init__(self) -> None:
        super().__init__()
        self.E_pre = _Residual(3, _WIDTH, stride=1)
        self.E = nn.Sequential(_Residual(_WIDTH, 128, stride=2), _Residual(128, 256, stride=2))
        self.mlp = nn.Sequential(nn.Linear(256, 256), nn.LeakyReLU(_SLOPE), nn.Linear(256, 256))

    def forward(self, images: Tensor) -> Tensor:
        """The features that the restorer reads."""
        features: Tensor = self.E_pre(images)
        return features


class _Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.backbone(x) + self.shortcut(x), _SLOPE)


class GuidedRestorer(nn.Module):
    """Images and their degradation's features ``(B, 64, H, W)`` to restored images: five groups of five blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(_conv(3, _WIDTH))
        self.body = nn.ModuleList([*(_Group() for _ in range(_COUNT)), _conv(_WIDTH, _WIDTH)])
        self.tail = nn.Sequential(_conv(_WIDTH, 3))

    def forward(self, images: Tensor, degradation: Tensor) -> Tensor:
        """Restore."""
        x = self.head(images)
        restored: Tensor = self.tail(x + _chain(self.body, x, degradation))
        return restored


class _Group(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList([*(_Block() for _ in range(_COUNT)), _conv(_WIDTH, _WIDTH)])

    def forward(self, x: Tensor, degradation: Tensor) -> Tensor:
        return x + _chain(self.body, x, degradation)


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dgm1, self.dgm2 = Guidance(), Guidance()
        self.conv1, self.conv2 = _conv(_WIDTH, _WIDTH), _conv(_WIDTH, _WIDTH)

    def forward(self, x: Tensor, degradation: Tensor) -> Tensor:
        y = F.leaky_relu(self.dgm1(x, degradation), _SLOPE)
        y = F.leaky_relu(self.conv1(y), _SLOPE)
        y = F.leaky_relu(self.dgm2(y, degradation), _SLOPE)
        refined: Tensor = x + self.conv2(y)
        return refined


class Guidance(nn.Module):
    """``x + deformed(x) + (x * gamma + beta)``; offsets, gamma and beta come from the degradation's features."""

    def __init__(self) -> None:
        super().__init__()
        self.dcn = _DeformedConv()
        self.sft = nn.ModuleDict({"conv_gamma": _map(), "conv_beta": _map()})

    def forward(self, x: Tensor, degradation: Tensor) -> Tensor:
        """``(B, 64, H, W)`` twice to ``(B, 64, H, W)``."""
        modulated = x * self.sft["conv_gamma"](degradation) + self.sft["conv_beta"](degradation)
        guided: Tensor = x + self.dcn(x, degradation) + modulated
        return guided


class _DeformedConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(_WIDTH, _WIDTH, 3, 3))
        self.conv_offset_mask = _conv(2 * _WIDTH, 3 * _POINTS)
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor, degradation: Tensor) -> Tensor:
        offset, mask = self.conv_offset_mask(torch.cat([x, degradation], dim=1)).split([2 * _POINTS, _POINTS], dim=1)
        deformed: Tensor = deform_conv2d(x, offset, self.weight, padding=1, mask=mask.sigmoid())
        return deformed


def _chain(body: nn.ModuleList, x: Tensor, degradation: Tensor) -> Tensor:
    """All parts but the last, which is a plain convolution, are guided."""
    for part in list(body)[:-1]:
        x = part(x, degradation)
    last: Tensor = body[-1](x)
    return last


def _conv(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def _map() -> nn.Sequential:
    """Two 1x1 convolutions."""
    return nn.Sequential(
        nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False), nn.LeakyReLU(_SLOPE), nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False)
    )
