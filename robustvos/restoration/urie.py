"""URIE: a small U-Net that mixes batch and instance normalisation by attention, place by place.

Source: Son et al., ECCV 2020. It was trained to help recognition, not to please the eye.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustvos.restoration.base import Restorer
from robustvos.restoration.weights import find_weights, load_exactly, read_weights

_PREFIX = "module."  # the published file was saved from a DataParallel
_REMEDY = "fetch ECCV_MODELS/ECCV_SKUNET_OURS.ckpt.pt (2.7 MB) from https://github.com/taeyoungson/urie"
_CELLS = 4  # attention is decided in a grid of 4 x 4 cells over the image
_REDUCTION = 16  # of the attention's bottleneck
_SLOPE = 0.01


class URIE(Restorer):
    """URIE with its published weights.

    Args:
        checkpoint: Path, or name of a file in ``$ROBUSTVOS_WEIGHTS`` or ``./checkpoints``.
    """

    multiple = 4  # two poolings
    smallest = 8  # instance normalisation needs more than one pixel at the bottom
    mean: Tensor
    deviation: Tensor

    def __init__(self, checkpoint: str = "ECCV_SKUNET_OURS.ckpt.pt") -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.network = SelectiveUNet()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def load(self) -> None:
        """Fill the network from the published file."""
        path = find_weights(self.checkpoint, "URIE", _REMEDY)
        state = {str(name).removeprefix(_PREFIX): value for name, value in read_weights(path).items()}
        load_exactly(self.network, state, str(path))

    def enhance(self, images: Tensor) -> Tensor:
        """Normalise as for ImageNet, restore, and back."""
        restored: Tensor = self.network((images - self.mean) / self.deviation)
        return restored * self.deviation + self.mean


class SelectiveUNet(nn.Module):
    """``(B, 3, H, W)`` to the same, H and W multiples of 4; submodules are called as in the published file."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(3, 32, 9, padding=4)
        self.down2 = _Down(32, 64)
        self.down3 = _Down(64, 64)
        self.up1 = _Up(128, 32)
        self.up2 = _Up(64, 16)
        self.up3 = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Add a residual to the images."""
        whole = self.down1(images)
        half = self.down2(whole)
        quarter = self.down3(half)
        restored: Tensor = images + self.up3(self.up2(whole, self.up1(half, quarter)))
        return restored


class _Down(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), SelectiveConv(channels, out))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.maxpool_conv(x)
        return features


class _Up(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = SelectiveConv(channels, out)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        features: Tensor = self.conv(torch.cat([skip, x], dim=1))
        return features


class SelectiveConv(nn.Module):
    """Two 3x3 convolutions, after batch and after instance normalisation, weighed against each other in each cell."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.selector = _Selector(out)
        self.BN = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to ``(B, out, H, W)``."""
        batch = self.conv1(F.leaky_relu(self.BN(x), _SLOPE))
        instance = self.conv2(F.leaky_relu(F.instance_norm(x), _SLOPE))
        share = F.interpolate(self.selector(batch + instance), size=x.shape[-2:], mode="nearest")
        mixed: Tensor = share * batch + (1 - share) * instance
        return mixed


class _Selector(nn.Module):
    """The first branch's share in [0, 1], for each channel and cell: ``(B, C, H, W)`` to ``(B, C, 4, 4)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        size = channels * _CELLS**2
        self.fc = nn.Sequential(nn.Linear(size, size // _REDUCTION, bias=False), nn.ReLU())
        self.att_conv1 = nn.Linear(size // _REDUCTION, size)
        self.att_conv2 = nn.Linear(size // _REDUCTION, size)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc(F.adaptive_avg_pool2d(x, _CELLS).flatten(1))
        share = torch.sigmoid(self.att_conv1(hidden) - self.att_conv2(hidden))  # softmax over two
        return share.view(*x.shape[:2], _CELLS, _CELLS)
