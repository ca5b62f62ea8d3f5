"""The product's GAN against the loop that tutorials write: same networks, same losses, same data.

The other side feeds from a `DataLoader` over a data set that turns each picture into floats when
it is asked for, zeroes and steps `torch.optim.Adam` as it comes, and reads its losses every step.
Both sides play the relativistic objective with R1 + R2 at every step, on the same dense or
convolutional networks of the product. float32 on both sides; bfloat16 on both, too, where the
processor multiplies it natively. The figure is their time over ours: never less than 1. Run it
with

    TWOFOLD_DATA=… python benchmarks/gan_loop.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from common import (
    PICTURE,
    Row,
    alternate,
    fashion_mnist,
    fast_bfloat16,
    options,
    our_loop,
    save,
    speedup,
)
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from twofold.core.space import Space
from twofold.models.gan import GAN
from twofold.nets.bodies import Architecture, Body, Conv, Dense
from twofold.train.options import Training

LATENT, BATCH, TARGET = 64, 64, 1.0


class Pictures(Dataset[Tensor]):
    """Pictures in [0, 1], one at a time."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Tensor:
        return self.values[index].float() / 255


def endless(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from loader


class Plain:
    """The GAN as tutorials train it."""

    def __init__(self, model: GAN, pictures: Tensor) -> None:
        self.model = model
        self.batches = endless(
            DataLoader(Pictures(pictures), batch_size=BATCH, shuffle=True, drop_last=True)
        )
        self.critic = torch.optim.Adam(model.critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
        self.generator = torch.optim.Adam(model.generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
        self.nothing = torch.zeros(BATCH, 0)

    def draw(self) -> Tensor:
        return self.model.generator(torch.randn(BATCH, LATENT), self.nothing).rsample()

    def judge(self, x: Tensor) -> Tensor:
        return self.model.critic(x, self.nothing)

    def step(self) -> None:
        real = next(self.batches).requires_grad_()
        fake = self.draw().detach().requires_grad_()
        a, b = self.judge(real), self.judge(fake)
        loss = F.softplus(b - a).mean() + slope(a, real) + slope(b, fake)
        self.critic.zero_grad()
        loss.backward()
        self.critic.step()
        loss.item()
        loss = F.softplus(self.judge(real).detach() - self.judge(self.draw())).mean()
        self.generator.zero_grad()
        loss.backward()
        self.generator.step()
        loss.item()


def slope(logits: Tensor, x: Tensor) -> Tensor:
    """R1 at γ = 1."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


@dataclass(frozen=True)
class Case:
    """A network, and steps a round."""

    architecture: Architecture
    steps: int


CASES = {"dense": Case(Dense(256, 2), 30), "convolutional": Case(Conv(width=8), 3)}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def gan(architecture: Architecture, precision: torch.dtype) -> GAN:
    """A GAN whose networks compute in some precision."""
    model = GAN(PICTURE, Space(), LATENT, architecture, architecture)
    for body in model.modules():
        if isinstance(body, Body):
            body.precision = precision
    return model


def measure(name: str, precision: str, pictures: Tensor, rounds: int) -> Row:
    """Alternate steps of both sides."""
    case, dtype = CASES[name], PRECISIONS[precision]
    loop = our_loop(gan(case.architecture, dtype), pictures, Training(batch=BATCH))
    plain = Plain(gan(case.architecture, dtype), pictures)

    def steps(step: Callable[[], object]) -> Callable[[], None]:
        def take() -> None:
            for _ in range(case.steps):
                step()

        return take

    arms = {"ours": steps(loop.advance), "theirs": steps(plain.step)}
    times = alternate(arms, rounds)
    what = f"GAN, {name}, R1 + R2, {precision}"
    return speedup(what, times, case.steps * BATCH, "pictures a second", TARGET)


def main() -> None:
    args = options(__doc__).parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    pictures = fashion_mnist("train")
    precisions = ["float32", *["bfloat16"] * fast_bfloat16()]
    rows = [
        measure(name, precision, pictures, args.rounds)
        for name in CASES
        for precision in precisions
        if args.only in name
    ]
    save("gan_loop", __doc__, rows)


if __name__ == "__main__":
    main()
