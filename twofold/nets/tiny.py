"""The network behind the extractor `tiny-v1`: six small convolutions, read at three depths.

An image x in [0, 1]³ of 64×64 pixels passes h_l = relu(W_l * h_{l-1} + b_l). The features are the
spatial means of three of the layers, early, middle and late,

    f(x) = (mean h_1, mean h_3, mean h_6 − m) / s,

so that they see noise and compression (layer 1 covers 4 pixels), texture (layer 3, 16 pixels) and
shape (layer 6, 56 of the 64 pixels). Location m and scale s are the moments on the training images:
every feature weighs the same in a distance. There is no normalisation layer at use; those of the
training are folded into W and b by `tools/train_tiny.py`, which says what the network has learned.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Layer(NamedTuple):
    """One convolution: output channels, kernel, stride, and whether its mean is a feature."""

    width: int
    kernel: int
    stride: int
    pooled: bool


LAYERS = (
    Layer(16, 4, 2, True),  # 64 -> 32 pixels
    Layer(40, 3, 2, False),  # 32 -> 16
    Layer(40, 3, 1, True),
    Layer(80, 3, 2, False),  # 16 -> 8
    Layer(80, 3, 1, False),
    Layer(80, 3, 2, True),  # 8 -> 4
)
SIDE = 64
WIDTH = sum(layer.width for layer in LAYERS if layer.pooled)


class Tiny(nn.Module):
    """Images (B, 3, 64, 64) in [0, 1] to features (B, 136), standardised on the training images.

    >>> Tiny()(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2, 136])
    """

    location: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        inputs = (3, *(layer.width for layer in LAYERS))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(c, layer.width, layer.kernel, layer.stride, padding=1)
            for c, layer in zip(inputs, LAYERS, strict=False)
        )
        self.register_buffer("location", torch.zeros(WIDTH))
        self.register_buffer("scale", torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        pools = [
            h.mean((2, 3))  # (B, width)
            for layer, h in zip(LAYERS, self.layers(x), strict=True)
            if layer.pooled
        ]
        return (torch.cat(pools, 1) - self.location) / self.scale

    def layers(self, x: Tensor) -> list[Tensor]:
        """h_1, …, h_6 of images (B, 3, H, W)."""
        h, found = 2 * x - 1, []
        for convolution in self.convolutions:
            h = convolution(h).relu()
            found.append(h)
        return found
