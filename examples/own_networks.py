"""An encoder and a decoder of your own, in PyTorch, in one file outside the package.

An `Architecture` builds two networks. `down` maps an observation x (B, C, H, W) to `out` numbers:
the mean and the log-scale of q(z | x), when it is an encoder. `up` maps a code z (B, D) to `out`
channels (B, out, H, W): the parameters of p(x | z), as many a pixel as its likelihood needs. Both
are told the Space, so they fit any image; both see what is given, c (B, G), which is (B, 0) when
nothing is. A `Body` is an `nn.Module` whose forward pass is called `run`: whatever PyTorch can do
may stand in it, but for BatchNorm, since a batch cut into parts must be the batch whole.

The fields of the dataclass are the options of a recipe, so `--set model.encoder.width=64` works:

    twofold fit digits \\
        --set model.encoder.name=examples/own_networks.py \\
        --set model.decoder.name=examples/own_networks.py \\
        --set model.encoder.width=64

Naming a file on the command line is trusting it; a run made with it keeps its path and sha256, and
is opened with `--trust examples/own_networks.py`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.nets.bodies import Architecture, Body

SIDE = 4  # of the smallest picture, whatever the size of the largest


@dataclass(frozen=True)
class Plain(Architecture):
    """Three convolutions down, three up.

    Args:
        width: channels at full size.
    """

    width: int = 32

    def down(self, space: Space, given: Space, out: int) -> Body:
        check(space.axes)
        return Encoder(space.width, given.width, out, self.width)

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        check(axes)
        return Decoder(latent + given.width, out, axes, self.width)


class Encoder(Body):
    """x (B, C, H, W), with c (B, G), to (B, out)."""

    def __init__(self, channels: int, given: int, out: int, width: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(SIDE),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.read = nn.Linear(2 * width * SIDE**2 + given, out)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.read(torch.cat([self.look(h), c], 1))


class Decoder(Body):
    """z (B, D), with c (B, G), to (B, out, H, W)."""

    def __init__(self, inputs: int, out: int, axes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.start = nn.Linear(inputs, 2 * width * SIDE**2)
        self.paint = nn.Sequential(
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(axes),
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, out, 3, padding=1),
        )

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        start = self.start(torch.cat([h, c], 1))
        return self.paint(start.unflatten(1, (-1, SIDE, SIDE)))


def check(axes: tuple[int, ...]) -> None:
    """This one is for pictures."""
    if len(axes) != 2:
        raise UserError(f"own_networks.py draws images, and this data has {len(axes)} axes")
