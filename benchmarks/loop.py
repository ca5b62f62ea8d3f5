"""What the loop costs: the product's loop against the loop one would write by hand.

Both sides train the same network on the same pictures in the same arithmetic, with fused Adam, an
exponential moving average of the weights and a guard that looks at the norm of the gradients
before every step. The hand-written side is the shortest good PyTorch for it: plain layers,
pictures in one tensor, `index_select` by a permutation. A round is a step or a few of each side, so
that both have the same machine. The figure is our time over theirs; it must be at most 1.05. Run
it with

    TWOFOLD_DATA=… python benchmarks/loop.py
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from common import PICTURE, Row, alternate, fashion_mnist, options, our_loop, overhead, save
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating
from twofold.maths.likelihoods import CrossEntropy
from twofold.maths.penalties import R1, R2, Penalty
from twofold.models.gan import GAN
from twofold.models.vae import VAE
from twofold.nets.bodies import Architecture, Conv, Dense
from twofold.train.options import Training

LATENT = 16
BATCH = 100
TARGET = 1.05
LIMIT = 6.0  # nats of log σ, as in the product's encoder
DENSE = Dense(width=512, depth=1, activation="relu")
CONV = Conv(width=8)
STRIDED = Conv(width=16, blocks=0)
NOTHING = torch.zeros(BATCH, 0)  # what is given


class Pictures:
    """Every picture in [0, 1] in one tensor, drawn by a permutation an epoch."""

    def __init__(self, values: Tensor) -> None:
        self.values = values / 255
        self.order, self.at = torch.randperm(len(values)), 0

    def next(self) -> Tensor:
        if self.at + BATCH > len(self.values):
            self.order, self.at = torch.randperm(len(self.values)), 0
        rows = self.order[self.at : self.at + BATCH]
        self.at += BATCH
        return self.values.index_select(0, rows)


class Side:
    """One player by hand: its network, fused Adam, guard and averaged weights."""

    def __init__(self, *nets: nn.Module) -> None:
        self.parameters = [p for net in nets for p in net.parameters() if p.numel()]
        self.adam = torch.optim.Adam(self.parameters, lr=1e-3, betas=(0.9, 0.99), fused=True)
        self.averaged = [p.detach().clone() for p in self.parameters]

    def step(self, loss: Tensor) -> None:
        loss.backward(inputs=self.parameters)
        norms = torch._foreach_norm([p.grad for p in self.parameters])
        if not math.isfinite(torch.linalg.vector_norm(torch.stack(norms)).item()):
            raise ArithmeticError("a gradient is not finite")
        self.adam.step()
        self.adam.zero_grad()

    @torch.no_grad()
    def follow(self) -> None:
        torch._foreach_lerp_(self.averaged, self.parameters, 1e-3)


def vae_by_hand(encoder: Net, decoder: Net, pictures: Tensor) -> Callable[[], None]:
    """One step of a VAE with the cross-entropy and the closed-form KL."""
    data, side = Pictures(pictures), Side(encoder.net, decoder.net)

    def step() -> None:
        x = data.next()
        mu, raw = encoder(x).chunk(2, 1)
        log_sigma = LIMIT * torch.tanh(raw / LIMIT)
        sigma = log_sigma.exp()
        logits = decoder(mu + sigma * torch.randn_like(mu))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
        kl = 0.5 * (sigma.square() + mu.square() - 1) - log_sigma
        side.step(distortion.flatten(1).sum(1).mean() + kl.sum(1).mean())
        side.follow()

    return step


def slope(logits: Tensor, x: Tensor) -> Tensor:
    """½ ‖∇D‖², which can be differentiated once more."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def dcgan_by_hand(generator: Net, critic: Net, pictures: Tensor) -> Callable[[], None]:
    """One step of a GAN with the non-saturating loss and R1."""
    data, ours, theirs = Pictures(pictures), Side(critic.net), Side(generator.net)

    def draw() -> Tensor:
        return (2 * generator(torch.randn(BATCH, LATENT))).sigmoid()

    def step() -> None:
        real = data.next().requires_grad_()
        with torch.no_grad():
            fake = draw()
        a, b = critic(real), critic(fake)
        ours.step(F.softplus(-a).mean() + F.softplus(b).mean() + slope(a, real))
        theirs.step(F.softplus(-critic(draw())).mean())
        ours.follow()
        theirs.follow()

    return step


def gan_by_hand(
    generator: Net, critic: Net, pictures: Tensor, penalised: bool
) -> Callable[[], None]:
    """One step of a relativistic GAN, with R1 + R2 where it is penalised."""
    data, ours, theirs = Pictures(pictures), Side(critic.net), Side(generator.net)

    def draw() -> Tensor:
        return (2 * generator(torch.randn(BATCH, LATENT))).sigmoid()

    def step() -> None:
        real = data.next().requires_grad_(penalised)
        with torch.no_grad():
            fake = draw()
        fake.requires_grad_(penalised)
        a, b = critic(real), critic(fake)
        loss = F.softplus(b - a).mean()
        ours.step(loss + slope(a, real) + slope(b, fake) if penalised else loss)
        with torch.no_grad():
            a = critic(real)
        theirs.step(F.softplus(a - critic(draw())).mean())
        ours.follow()
        theirs.follow()

    return step


@dataclass(frozen=True)
class Net:
    """A network of the hand-written side, as a function of one tensor."""

    net: nn.Module
    call: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        return self.call(x)


def plain(inputs: int, outputs: int, *shape: int) -> Net:
    """784-512-… and back, of layers only."""
    net = nn.Sequential(nn.Linear(inputs, 512), nn.ReLU(), nn.Linear(512, outputs))
    if shape:
        return Net(net, lambda z: net(z).view(-1, *shape))
    return Net(net, lambda x: net(2 * x.flatten(1) - 1))


def body(net: nn.Module) -> Net:
    """One of the product's convolutional bodies, called directly."""
    return Net(net, lambda x: net(x, NOTHING))


def read(trunk: Net, features: int) -> Net:
    """A critic: features to a logit."""
    last = nn.Linear(features, 1)
    return Net(
        nn.ModuleList([trunk.net, last]), lambda x: last(F.leaky_relu(trunk(x), 0.2)).squeeze(1)
    )


def down(architecture: Architecture, outputs: int) -> Net:
    if architecture == DENSE:
        return plain(PICTURE.numel, outputs)
    return body(architecture.down(PICTURE, Space(), outputs))


def up(architecture: Architecture) -> Net:
    if architecture == DENSE:
        return plain(LATENT, PICTURE.numel, *PICTURE.shape)
    return body(architecture.up(LATENT, Space(), 1, PICTURE.axes))


def vae(architecture: Architecture, pictures: Tensor) -> dict[str, Callable[[], object]]:
    """A step of either side for a VAE."""
    model = VAE(PICTURE, Space(), LATENT, architecture, architecture, likelihood=(CrossEntropy(),))
    loop = our_loop(model, pictures, Training(batch=BATCH))
    by_hand = vae_by_hand(down(architecture, 2 * LATENT), up(architecture), pictures)
    return {"ours": loop.advance, "theirs": by_hand}


def gan(
    architecture: Architecture, pictures: Tensor, penalties: tuple[Penalty, ...]
) -> dict[str, Callable[[], object]]:
    """A step of either side for a GAN."""
    model = GAN(PICTURE, Space(), LATENT, architecture, architecture, penalties=penalties)
    loop = our_loop(model, pictures, Training(batch=BATCH))
    critic = read(down(architecture, 128), 128)
    by_hand = gan_by_hand(up(architecture), critic, pictures, bool(penalties))
    return {"ours": loop.advance, "theirs": by_hand}


def dcgan(pictures: Tensor) -> dict[str, Callable[[], object]]:
    """A step of either side for the strided networks and the loss of DCGAN."""
    model = GAN(
        PICTURE, Space(), LATENT, STRIDED, STRIDED, objective=NonSaturating(), penalties=(R1(),)
    )
    loop = our_loop(model, pictures, Training(batch=BATCH))
    by_hand = dcgan_by_hand(up(STRIDED), read(down(STRIDED, 128), 128), pictures)
    return {"ours": loop.advance, "theirs": by_hand}


CASES: dict[str, tuple[int, Callable[[Tensor], dict[str, Callable[[], object]]]]] = {
    "VAE, dense 784-512-16": (4, lambda x: vae(DENSE, x)),
    "VAE, residual": (1, lambda x: vae(CONV, x)),
    "GAN, dense": (3, lambda x: gan(DENSE, x, ())),
    "GAN, dense, R1 + R2": (2, lambda x: gan(DENSE, x, (R1(), R2()))),
    "GAN, residual": (1, lambda x: gan(CONV, x, ())),
    "GAN, residual, R1 + R2": (1, lambda x: gan(CONV, x, (R1(), R2()))),
    "GAN, strided (DCGAN), R1": (1, dcgan),
}


def measure(name: str, pictures: Tensor, rounds: int) -> Row:
    """One comparison: so many steps of each side a round."""
    steps, make = CASES[name]
    sides = make(pictures)
    arms = {side: lambda s=step: repeat(s, steps) for side, step in sides.items()}
    return overhead(name, alternate(arms, rounds), steps, TARGET)


def repeat(step: Callable[[], object], times: int) -> None:
    for _ in range(times):
        step()


def main() -> None:
    parser = options(__doc__)
    parser.set_defaults(rounds=101)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    pictures = fashion_mnist("train")
    rows = [measure(name, pictures, args.rounds) for name in CASES if args.only in name]
    save("loop", __doc__, rows)


if __name__ == "__main__":
    main()
