"""The same VAE, here and in pythae: how many times faster one of its epochs is.

Both sides train the same layers on the same pictures of Fashion-MNIST with Adam at 1e-3, batches
of 100 and the cross-entropy; pythae with the loop of its own trainer, in a process of its own, and
the product with its loop, with the guard and the averaged weights that pythae does without.
`dense` is pythae's default, 784-512-16-512-784; `conv` has three strided convolutions each way.
The bars are 1.5 and 1.4 where the processor multiplies bfloat16 natively; without that, 1.15 for
`dense`, and none for `conv` but not to be slower. The precision is the product's choice for the
processor; its mean loss over the last epoch stands beside pythae's. Run it with

    TWOFOLD_DATA=… TWOFOLD_PEER_PYTHON=… python benchmarks/pythae_speed.py
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from common import (
    PICTURE,
    Peer,
    Row,
    alternate_timed,
    data_path,
    fashion_mnist,
    fast_bfloat16,
    options,
    our_loop,
    save,
    seconds,
    speedup,
)
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.likelihoods import CrossEntropy
from twofold.models.vae import VAE
from twofold.nets.bodies import Architecture, Body, Dense
from twofold.train.options import Training

LATENT, BATCH, RATE, WIDTH = 16, 100, 1e-3, 32


@dataclass(frozen=True)
class Strided(Architecture):
    """Three strided convolutions of 28 × 28 and back; the layers of `peer.ConvEncoder`."""

    width: int = WIDTH

    def down(self, space: Space, given: Space, out: int) -> Body:
        a, b, c = self.width, 2 * self.width, 4 * self.width
        return Layers(
            nn.Conv2d(1, a, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(16 * c, out),
        )  # fmt: skip

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        a, b, c = self.width, 2 * self.width, 4 * self.width
        return Layers(
            nn.Linear(latent, 16 * c), nn.ReLU(), nn.Unflatten(1, (c, 4, 4)),
            nn.ConvTranspose2d(c, b, 3, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(b, a, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(a, out, 3, stride=2, padding=1, output_padding=1),
        )  # fmt: skip


class Layers(Body):
    """Layers one after the other; nothing is given."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        out: Tensor = self.layers(h)
        return out


@dataclass(frozen=True)
class Case:
    """A network on both sides, the pictures of a round, and the bars with and without bfloat16."""

    architecture: Architecture
    pictures: int
    with_bfloat16: float
    without: float


CASES = {
    "dense": Case(Dense(width=512, depth=1, activation="relu"), 6000, 1.5, 1.15),
    "conv": Case(Strided(), 1000, 1.4, 1.0),
}


def measure(name: str, peer: Peer, rounds: int) -> Row:
    """Alternate epochs of both sides over the first pictures."""
    case = CASES[name]
    count, fast = case.pictures, fast_bfloat16()
    peer.ask(
        "start", net=name, width=WIDTH, path=data_path("train"), count=count, batch=BATCH, rate=RATE
    )
    model = VAE(
        PICTURE, Space(), LATENT, case.architecture, case.architecture, likelihood=(CrossEntropy(),)
    )
    for body in model.modules():
        if isinstance(body, Body):
            body.precision = torch.bfloat16 if fast else torch.float32
    loop = our_loop(model, fashion_mnist("train")[:count], Training(batch=BATCH, lr=RATE))
    losses: dict[str, float] = {}

    def ours() -> float:
        spent = seconds(lambda: epoch(losses))
        return spent

    def epoch(losses: dict[str, float]) -> None:
        parts = [loop.advance()["autoencoder"] for _ in range(count // BATCH)]
        losses["ours"] = float(torch.stack(parts).mean())

    def theirs() -> float:
        answer = peer.ask("epoch")
        losses["theirs"] = answer["loss"]
        return float(answer["seconds"])

    times = alternate_timed({"ours": ours, "theirs": theirs}, rounds)
    bar = case.with_bfloat16 if fast else case.without
    note = f"mean loss of the last epoch {losses['ours']:.2f} here, {losses['theirs']:.2f} there"
    precision = "bfloat16" if fast else "float32"
    return speedup(f"VAE, {name}, {precision}", times, count, "pictures a second", bar, note)


def main() -> None:
    args = options(__doc__).parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    peer = Peer(args.peer, args.threads)
    rows = [measure(name, peer, args.rounds) for name in CASES if args.only in name]
    save("pythae_speed", __doc__, rows)


if __name__ == "__main__":
    main()
