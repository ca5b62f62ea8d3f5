r"""Adam against momentum and AdaGrad, as published, and on our VAE.

Kingma & Ba (2015, arXiv:1412.6980, §6.1–6.2) compare their optimiser with SGD with Nesterov
momentum and AdaGrad on MNIST, each with the best rate of a grid, in batches of 128: L2-penalised
logistic regression with rates $\alpha / \sqrt t$, where Adam and momentum come down alike and both
faster than AdaGrad, and a network of two layers of 1000 rectified units with dropout, where Adam
comes down fastest. They say neither how strong the penalty is nor how much is dropped; both are
ours. With g the gradient,

$$ \text{momentum: } v \leftarrow \mu v + g, \quad \theta \leftarrow \theta - \alpha (g + \mu v);
   \qquad
   \text{AdaGrad: } s \leftarrow s + g^2, \quad
   \theta \leftarrow \theta - \alpha\, g / (\sqrt s + \varepsilon), $$

and Adam is the product's own (`train/adam.py`). The third problem is the product's VAE on
dynamically binarised MNIST. Each optimiser has the rate of its own grid that is best on validation
pictures; what is reported is the cost of pictures that were trained on, as in the paper: the
question is how fast the cost comes down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.core.batch import Batch
from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Space
from twofold.data.named import find
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.studies.binary import CPU
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study
from twofold.train.adam import Adam
from twofold.train.chance import seed_all
from twofold.train.checkpoint import replace as write

BATCH, DECAY, SEARCHED = 128, 1e-4, 1000
"""Rows a step; the weight of the L2 penalty of the two classifiers; the seed of the search."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of each run. width: of the hidden layers. looked: pictures whose cost is reported.
    """

    steps: int
    width: int
    looked: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 16, 100),
    "cpu": Setting(300, 300, 2000),
    "paper": Setting(19_000, 1000, 10_000),
}


class AdamOrder(Study):
    """Three optimisers on three problems."""

    claim = "Adam comes down as fast as momentum or faster, and faster than AdaGrad."
    paper = "Kingma & Ba 2015, arXiv:1412.6980, §6.1–6.2"
    protocol = (
        "MNIST, 54,000 pictures to train on, 6,000 to choose by; batches of 128. Logistic "
        "regression with rates α / √t; two hidden layers of rectified units (cpu 300, paper 1000) "
        "with dropout ½; both with an L2 penalty of 1e-4; and a VAE (2 × 200, latent 20, ELBO) "
        "on dynamically binarised pictures. cpu 300 steps, paper 19,000, about 45 passes; it can "
        "be interrupted, and goes on with the runs that are finished. Adam (0.9, 0.999) is the "
        "product's, Nesterov momentum 0.9 and AdaGrad are PyTorch's. Each has the rate, of a grid "
        "of its own a factor of about 3 apart, whose validation cost is least after as many "
        "steps, from another seed; the rate stands in the row. Reported: the cost of 2,000 (paper "
        "10,000) training pictures at the end, without dropout or penalty, in nats a picture. "
        "Bars are paired over seeds: the lower end of the interval of the difference is above zero."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        bench = Bench(mnist(), SETTINGS[budget], out)
        return [row for problem in PROBLEMS for row in compared(bench, problem, seeds)]


# Problems.


class Labelled(NamedTuple):
    """Pictures (N, 1, 28, 28) in [0, 1], with their classes (N,)."""

    x: Tensor
    y: Tensor


class Task(NamedTuple):
    """A network, and what a batch costs it."""

    net: nn.Module
    cost: Callable[[Tensor, Tensor], Tensor]


def logistic(width: int) -> Task:
    """Multinomial logistic regression."""
    return classifier(nn.Linear(784, 10))


def multilayer(width: int) -> Task:
    """Two hidden layers with dropout."""
    return classifier(
        nn.Sequential(
            nn.Linear(784, width), nn.ReLU(), nn.Dropout(),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(), nn.Linear(width, 10),
        )
    )  # fmt: skip


def classifier(net: nn.Module) -> Task:
    """The cross-entropy; with the penalty while it trains."""

    def cost(x: Tensor, y: Tensor) -> Tensor:
        nats = F.cross_entropy(net(x.flatten(1)), y)
        if not net.training:
            return nats
        squares = [p.square().sum() for p in net.parameters() if p.dim() > 1]
        return nats + DECAY / 2 * torch.stack(squares).sum()

    return Task(net, cost)


def autoencoder(width: int) -> Task:
    """The product's VAE; its cost is minus the ELBO."""
    net = Dense(200, 2)
    vae = VAE(Space((Field("pixel", Bounded(0, 1, 2)),), (28, 28)), Space(), 20, net, net)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        turn = next(vae.play(Batch.of(torch.bernoulli(x)), Progress(0, 1, 0, len(x))))
        return turn.losses["autoencoder"]

    return Task(vae, cost)


def constant(step: int) -> float:
    return 1.0


def root(step: int) -> float:
    """1 / √t."""
    return 1 / math.sqrt(step + 1)


@dataclass(frozen=True)
class Problem:
    """What is minimised.

    Args:
        make: the network, of a width. schedule: the factor on the rate at each step.
        grids: the rates that each optimiser may have.
        beaten: pairs of optimisers, of which the publication says that the first comes down faster.
    """

    make: Callable[[int], Task]
    schedule: Callable[[int], float]
    grids: Mapping[str, Sequence[float]]
    beaten: Sequence[tuple[str, str]]


FASTEST = (("adam", "momentum"), ("adam", "adagrad"))
PROBLEMS: Mapping[str, Problem] = {
    "logistic": Problem(
        logistic,
        root,
        {
            "adam": (0.003, 0.01, 0.03, 0.1),
            "momentum": (0.03, 0.1, 0.3, 1.0),
            "adagrad": (0.01, 0.03, 0.1, 0.3),
        },
        (("adam", "adagrad"), ("momentum", "adagrad")),
    ),
    "multilayer": Problem(
        multilayer,
        constant,
        {
            "adam": (0.0003, 0.001, 0.003, 0.01),
            "momentum": (0.01, 0.03, 0.1, 0.3),
            "adagrad": (0.003, 0.01, 0.03, 0.1),
        },
        FASTEST,
    ),
    "VAE": Problem(
        autoencoder,
        constant,
        {
            "adam": (0.0003, 0.001, 0.003, 0.01),
            "momentum": (0.0001, 0.0003, 0.001, 0.003),
            "adagrad": (0.003, 0.01, 0.03, 0.1),
        },
        FASTEST,
    ),
}


# Optimisers.

Step = Callable[[float], None]
"""Moves the parameters at a rate."""


def adam(parameters: list[nn.Parameter]) -> Step:
    """The product's."""
    ours = Adam(parameters, (0.9, 0.999), 0.0)

    def step(rate: float) -> None:
        ours.rate = rate
        ours.step()

    return step


def momentum(parameters: list[nn.Parameter]) -> Step:
    return at_rate(torch.optim.SGD(parameters, lr=1.0, momentum=0.9, nesterov=True))


def adagrad(parameters: list[nn.Parameter]) -> Step:
    return at_rate(torch.optim.Adagrad(parameters, lr=1.0))


def at_rate(optimiser: torch.optim.Optimizer) -> Step:
    """One of PyTorch's."""

    def step(rate: float) -> None:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()

    return step


OPTIMISERS: Mapping[str, Callable[[list[nn.Parameter]], Step]] = {
    "adam": adam,
    "momentum": momentum,
    "adagrad": adagrad,
}


# Runs.


@dataclass(frozen=True)
class Costs:
    """At the end, in nats a picture, of pictures trained on and held out."""

    train: float
    validation: float


@dataclass(frozen=True)
class Bench:
    """What all runs share: the data, the setting, and a folder for their results."""

    data: tuple[Labelled, Labelled]
    setting: Setting
    folder: Path

    def run(self, problem: str, optimiser: str, rate: float, seed: int) -> Costs:
        """The costs of one run, from the folder where it is finished already."""
        path = self.folder / f"{problem}-{optimiser}-{rate:g}-{seed}.json"
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            costs = self.computed(PROBLEMS[problem], optimiser, rate, seed)
            write(path, json.dumps([costs.train, costs.validation]).encode())
        return Costs(*map(float, json.loads(path.read_bytes())))

    def computed(self, problem: Problem, optimiser: str, rate: float, seed: int) -> Costs:
        """Train, and look."""
        train, validation = self.data
        seed_all(CPU, seed)
        task = problem.make(self.setting.width)
        parameters = list(task.net.parameters())
        step = OPTIMISERS[optimiser](parameters)
        for number in range(self.setting.steps):
            rows = torch.randint(len(train.x), (BATCH,))
            task.cost(train.x[rows], train.y[rows]).backward()
            step(rate * problem.schedule(number))
            for parameter in parameters:
                parameter.grad = None
        return Costs(self.looked(task, train), self.looked(task, validation))

    @torch.no_grad()
    def looked(self, task: Task, data: Labelled) -> float:
        """The cost of the first pictures, infinite where the run came to nothing."""
        seed_all(CPU, 0)
        task.net.eval()
        n = self.setting.looked
        cost = float(task.cost(data.x[:n], data.y[:n]))
        return cost if math.isfinite(cost) else math.inf


def mnist() -> tuple[Labelled, Labelled]:
    """Pictures to train on, and to choose by; the test pictures are not looked at."""
    block = find("mnist").where
    rows = torch.from_numpy(block.official["train"])
    x = torch.from_numpy(block.rows[:])[rows].unsqueeze(1) / 255
    y = torch.from_numpy(block.labels)[rows]
    return Labelled(x[:54_000], y[:54_000]), Labelled(x[54_000:], y[54_000:])


def compared(bench: Bench, problem: str, seeds: int) -> list[Row]:
    """The rows of one problem."""
    rates = {name: chosen(bench, problem, name) for name in OPTIMISERS}
    costs = {
        name: [bench.run(problem, name, rate, seed).train for seed in range(seeds)]
        for name, rate in rates.items()
    }
    found = [
        finding(f"{problem}: {name} at {rates[name]:g}, cost, nats", values, "train", "lower")
        for name, values in costs.items()
    ]
    bars = [
        gain(f"{problem}: {slow}'s cost minus {fast}'s, nats",
             [a - b for a, b in zip(costs[slow], costs[fast], strict=True)], "train")
        for fast, slow in PROBLEMS[problem].beaten
    ]  # fmt: skip
    return [*found, *bars]


def chosen(bench: Bench, problem: str, optimiser: str) -> float:
    """The rate of the grid with the least validation cost."""
    grid = PROBLEMS[problem].grids[optimiser]
    return min(grid, key=lambda rate: bench.run(problem, optimiser, rate, SEARCHED).validation)
