"""How long until the held-out ELBO that pythae reaches in 20 epochs.

pythae trains in its own benchmark configuration: its default network 784-512-16-512-784, Adam at
1e-3, batches of 100, 20 epochs of the 60,000 pictures of Fashion-MNIST in [0, 1] under the
cross-entropy. The product trains the recipe below, on the same pictures, likelihood and latent
width, and is timed until its ELBO on the 10,000 test pictures is pythae's last. One evaluator
looks at both sides after each epoch, with the same noise, outside the time: the mean over pictures
and three draws of log p(x | z) − KL. The two take turns, so that both have the same machine. The
precision is the product's own choice for the processor, and the recipe the one of `CANDIDATES`
that `--search` found best for its time on the last 5,000 training pictures, with the other 55,000
to learn from; the test pictures had no say. The figure is pythae's time over
ours; it must be at least 3. A round is a whole training, with its own seed. Run it with

    TWOFOLD_DATA=… TWOFOLD_PEER_PYTHON=… python benchmarks/time_to_elbo.py --rounds 1
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from common import (
    PICTURE,
    Peer,
    Ratio,
    Row,
    data_path,
    fashion_mnist,
    options,
    our_loop,
    save,
    seconds,
)
from torch import Tensor
from weights import read

from twofold.core.batch import Given
from twofold.core.space import Space
from twofold.maths.likelihoods import CrossEntropy
from twofold.maths.schedules import Cosine
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.precision import lower, precision_of
from twofold.train.options import Training

LATENT, THEIR_EPOCHS, DRAWS, TARGET = 16, 20, 3, 3.0


@dataclass(frozen=True)
class Recipe:
    """How our side trains; pythae's own network unless it says otherwise."""

    epochs: int = 18
    batch: int = 256  # fewer steps an epoch, each nearly as cheap
    lr: float = 4e-3
    width: int = 512
    depth: int = 1

    def network(self) -> Dense:
        return Dense(width=self.width, depth=self.depth, activation="relu")


CANDIDATES = {
    "batch 128": Recipe(epochs=6, batch=128, lr=3e-3),
    "batch 256": Recipe(epochs=6),
    "batch 512": Recipe(epochs=6, batch=512, lr=6e-3),
    "lower rate": Recipe(epochs=6, lr=2e-3),
    "deeper": Recipe(epochs=6, lr=2e-3, depth=2),
    "long": Recipe(),
    "long, batch 128": Recipe(epochs=14, batch=128, lr=3e-3),
    "long, deeper": Recipe(epochs=12, lr=2e-3, depth=2),
}
CHOSEN = "long, deeper"
SCHEDULE = Cosine(warmup=0.05)  # a constant rate leaves noise in the weights; the end removes it
BETAS = (0.9, 0.99)
AVERAGE = 10.0  # thousands of pictures: a few dozen steps
HELD_OUT = 5_000


@dataclass
class Curve:
    """Held-out ELBO against seconds of training."""

    seconds: list[float] = field(default_factory=lambda: [0.0])
    elbo: list[float] = field(default_factory=list)

    def add(self, spent: float, elbo: float) -> None:
        self.seconds.append(self.seconds[-1] + spent)
        self.elbo.append(elbo)

    def until(self, elbo: float) -> float:
        """The seconds after which it is reached; infinity when it never is."""
        pairs = zip(self.seconds[1:], self.elbo, strict=True)
        return next((spent for spent, reached in pairs if reached >= elbo), float("inf"))

    def points(self) -> list[tuple[float, float]]:
        pairs = zip(self.seconds[1:], self.elbo, strict=True)
        return [(round(spent, 2), round(elbo, 3)) for spent, elbo in pairs]


@torch.inference_mode()
def evaluate(model: VAE, test: Tensor) -> float:
    """The mean ELBO of pictures (N, 1, 28, 28), in nats."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = [bound(model, part) for part in test.split(1000) for _ in range(DRAWS)]
    return float(torch.cat(parts).mean())


def bound(model: VAE, x: Tensor) -> Tensor:
    """log p(x | z) − KL(q ‖ p) of each picture, z drawn once."""
    given = Given.none(len(x), Space())
    z = model.encode(x, given).rsample()
    return model.decode(z, given).log_prob(x) - model.rate(x, given).sum(1)


class Ours:
    """The product's side, an epoch at a time."""

    def __init__(self, recipe: Recipe, pictures: Tensor, seed: int) -> None:
        torch.manual_seed(seed)
        net = recipe.network()
        model = VAE(PICTURE, Space(), LATENT, net, net, likelihood=(CrossEntropy(),))
        lower(model, precision_of("auto", torch.device("cpu")))
        self.epochs, self.steps = recipe.epochs, recipe.epochs * len(pictures) // recipe.batch
        training = Training(
            steps=self.steps,
            batch=recipe.batch,
            lr=recipe.lr,
            betas=BETAS,
            schedule=SCHEDULE,
            average=AVERAGE,
            seed=seed,
        )
        self.loop = our_loop(model, pictures, training)

    def epoch(self, number: int) -> float:
        """Train to the end of an epoch; the seconds it took."""
        end = (number + 1) * self.steps // self.epochs

        def train() -> None:
            while self.loop.step < end:
                self.loop.advance()

        return seconds(train)


def search() -> None:
    """Train every candidate, and print where it gets on pictures held out of training."""
    pictures = fashion_mnist("train")
    train, held_out = pictures[:-HELD_OUT], pictures[-HELD_OUT:] / 255
    for name, recipe in CANDIDATES.items():
        ours, curve = Ours(recipe, train, seed=0), Curve()
        for epoch in range(recipe.epochs):
            curve.add(ours.epoch(epoch), evaluate(ours.loop.averaged, held_out))
        print(f"{name:18} {curve.points()[-1]}  {recipe}", flush=True)


def contest(peer: Peer, seed: int) -> dict[str, Curve]:
    """One whole training of both sides, taking turns."""
    test = fashion_mnist("test") / 255
    ours = Ours(CANDIDATES[CHOSEN], fashion_mnist("train"), seed)
    curves = {"ours": Curve(), "theirs": Curve()}
    peer.ask(
        "start", net="dense", path=data_path("train"), count=60_000, batch=100, rate=1e-3,
        seed=seed,
    )  # fmt: skip
    for epoch in range(THEIR_EPOCHS):
        curves["theirs"].add(float(peer.ask("epoch")["seconds"]), evaluate(read(peer), test))
        if epoch < ours.epochs:
            curves["ours"].add(ours.epoch(epoch), evaluate(ours.loop.averaged, test))
        for side, curve in curves.items():
            print(f"{side:6} {curve.seconds[-1]:6.1f} s  {curve.elbo[-1]:8.2f} nats", flush=True)
    return curves


def main() -> None:
    parser = options(__doc__)
    parser.set_defaults(rounds=1)
    parser.add_argument("--search", action="store_true", help="try every candidate, and stop")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.search:
        return search()
    peer = Peer(args.peer, args.threads)
    races = [contest(peer, seed) for seed in range(args.rounds)]
    theirs = [race["theirs"].seconds[-1] for race in races]
    ours = [race["ours"].until(race["theirs"].elbo[-1]) for race in races]
    goal, reached = races[0]["theirs"].elbo[-1], races[0]["ours"].elbo[-1]
    epochs = len(races[0]["ours"].elbo)
    note = f"goal {goal:.2f} nats; ours ends at {reached:.2f} after {epochs} epochs"
    row = Row(
        f"Seconds to pythae's test ELBO after {THEIR_EPOCHS} epochs",
        "s",
        ours[0],
        theirs[0],
        Ratio.of(theirs, ours),
        TARGET,
        "higher",
        note,
    )
    points = [{side: curve.points() for side, curve in race.items()} for race in races]
    save("time_to_elbo", __doc__, [row], curves=points)


if __name__ == "__main__":
    main()
