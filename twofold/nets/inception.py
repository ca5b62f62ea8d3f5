"""InceptionV3 as the Fréchet Inception Distance uses it, up to its 2,048 pooled features.

The network of Szegedy et al. 2016 (arXiv:1512.00567) with the quirks of the TensorFlow graph of
2015-12-05 behind every published FID (Heusel et al. 2017): average pools leave the padding out of
the mean, and the last block pools by maximum. Images are stretched to 299×299 by bilinear
interpolation without antialiasing and scaled to [-1, 1].

The tables `STEM` and `BLOCKS` are the whole architecture. A block runs its branches on the same
input and joins them by channels; a branch is a sequence of steps: a convolution (with batch
normalisation and ReLU), a pool, or a fork of convolutions. Module and parameter names are those of
the public file `pt_inception-2015-12-05-6726825d.pth`, so its tensors load by name; its classifier
`fc` is unused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 299
WIDTH = 2048


class Conv(NamedTuple):
    """One convolution: where its weights are, its output channels, kernel, stride and padding."""

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


Pool = Callable[[Tensor], Tensor]
Fork = tuple[Conv, ...]
Branch = list["Conv | Pool | Fork"]


def average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


def halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2)


def chain(prefix: str, *shape: tuple[int, tuple[int, int]], last: int = 1) -> Branch:
    """Numbered convolutions of one branch; the last may have stride 2, and then no padding."""
    steps: Branch = [Conv(f"{prefix}_{i}", *each) for i, each in enumerate(shape, 1)]
    return [*steps[:-1], Conv(f"{prefix}_{len(shape)}", *shape[-1], last, last == 1)]


ONE, THREE, FIVE, ROW, COLUMN = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


def block_a(pooled: int) -> list[Branch]:
    return [
        [Conv("branch1x1", 64)],
        chain("branch5x5", (48, ONE), (64, FIVE)),
        chain("branch3x3dbl", (64, ONE), (96, THREE), (96, THREE)),
        [average, Conv("branch_pool", pooled)],
    ]


def block_b() -> list[Branch]:
    return [
        [Conv("branch3x3", 384, THREE, 2, False)],
        chain("branch3x3dbl", (64, ONE), (96, THREE), (96, THREE), last=2),
        [halved],
    ]


def block_c(c: int) -> list[Branch]:
    return [
        [Conv("branch1x1", 192)],
        chain("branch7x7", (c, ONE), (c, ROW), (192, COLUMN)),
        chain("branch7x7dbl", (c, ONE), (c, COLUMN), (c, ROW), (c, COLUMN), (192, ROW)),
        [average, Conv("branch_pool", 192)],
    ]


def block_d() -> list[Branch]:
    return [
        chain("branch3x3", (192, ONE), (320, THREE), last=2),
        chain("branch7x7x3", (192, ONE), (192, ROW), (192, COLUMN), (192, THREE), last=2),
        [halved],
    ]


def block_e(pool: Pool) -> list[Branch]:
    def fork(prefix: str) -> Fork:
        return (Conv(f"{prefix}a", 384, (1, 3)), Conv(f"{prefix}b", 384, (3, 1)))

    return [
        [Conv("branch1x1", 320)],
        [Conv("branch3x3_1", 384), fork("branch3x3_2")],
        [*chain("branch3x3dbl", (448, ONE), (384, THREE)), fork("branch3x3dbl_3")],
        [pool, Conv("branch_pool", 192)],
    ]


STEM: Branch = [
    Conv("Conv2d_1a_3x3", 32, THREE, 2, False),
    Conv("Conv2d_2a_3x3", 32, THREE, 1, False),
    Conv("Conv2d_2b_3x3", 64, THREE),
    halved,
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, THREE, 1, False),
    halved,
]
BLOCKS: dict[str, list[Branch]] = {
    "Mixed_5b": block_a(32),
    "Mixed_5c": block_a(64),
    "Mixed_5d": block_a(64),
    "Mixed_6a": block_b(),
    "Mixed_6b": block_c(128),
    "Mixed_6c": block_c(160),
    "Mixed_6d": block_c(160),
    "Mixed_6e": block_c(192),
    "Mixed_7a": block_d(),
    "Mixed_7b": block_e(average),
    "Mixed_7c": block_e(maximum),
}


class Convolution(nn.Module):
    """relu(batch norm(W * x)), with the names `conv` and `bn`."""

    def __init__(self, inputs: int, shape: Conv) -> None:
        super().__init__()
        padding = [side // 2 if shape.padded else 0 for side in shape.kernel]
        self.conv = nn.Conv2d(
            inputs, shape.width, shape.kernel, shape.stride, (padding[0], padding[1]), bias=False
        )
        self.bn = nn.BatchNorm2d(shape.width, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.conv(x))
        return y.relu()


class Inception(nn.Module):
    """Images (B, 3, H, W) in [0, 1] to features (B, 2048). Frozen, in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        width = furnish(self, [STEM], 3)
        for name, branches in BLOCKS.items():
            self.add_module(name, nn.Module())
            width = furnish(self.get_submodule(name), branches, width)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = flow(self, STEM, 2 * x - 1)
        for name, branches in BLOCKS.items():
            home = self.get_submodule(name)
            x = torch.cat([flow(home, branch, x) for branch in branches], 1)
        return x.mean((2, 3))  # (B, 2048, 8, 8) to (B, 2048)


def furnish(home: nn.Module, branches: list[Branch], inputs: int) -> int:
    """Put the convolutions of the branches into a module; return the width of the joined output."""
    joined = 0
    for branch in branches:
        width = inputs
        for step in branch:
            convs = forked(step)
            for conv in convs:
                home.add_module(conv.name, Convolution(width, conv))
            width = sum(conv.width for conv in convs) or width
        joined += width
    return joined


def forked(step: Conv | Pool | Fork) -> Fork:
    """The convolutions that a step runs on its input: several, one, or none for a pool."""
    if callable(step):
        return ()
    return (step,) if isinstance(step, Conv) else step


def flow(home: nn.Module, branch: Branch, x: Tensor) -> Tensor:
    """Run one branch with the convolutions of its home."""
    for step in branch:
        if callable(step):
            x = step(x)
        else:
            x = torch.cat([home.get_submodule(conv.name)(x) for conv in forked(step)], 1)
    return x
