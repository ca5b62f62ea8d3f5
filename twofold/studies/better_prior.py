r"""A density fitted to the codes draws better than the prior that training assumed.

A decoder has learnt the codes of the data, $q(z) = \mathbb E_x\, q(z \mid x)$. The draws of the
prior are others wherever q(z) and p(z) differ, as the bound itself says (Hoffman & Johnson 2016):

$$ \mathbb E_x \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big)
 = I_q(x; z) + \mathrm{KL}\big(q(z) \,\|\, p(z)\big). $$

To draw from a density fitted to q(z) afterwards removes the last term and changes nothing else: the
networks are the same in every row of a seed. Chadebec, Vincent & Allassonnière (2022,
arXiv:2206.08309) compare such samplers over many autoencoders; Ghosh et al. (2020,
arXiv:1903.12436) need one, as their autoencoder has no prior at all. Here they are compared on
Fashion-MNIST: a mixture of Gaussians, a spline flow, the posteriors of learnt pseudo-inputs, and a
second VAE (`nets/expost.py`), fitted to the codes of one VAE, and the mixture to those of a RAE.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.data.doctor import examine
from twofold.data.pictures import grid, png
from twofold.data.sources import Subset
from twofold.measures.fidelity import gauge
from twofold.nets.expost import ExPost, Flow, Gmm, TwoStage, Vamp
from twofold.runs import measuring
from twofold.runs.refit import refit
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study

DATA: Mapping[str, Any] = {"name": "fashion-mnist", "given": (), "split": {"validation": 0.1}}
LATENT, BATCH, RATE = 16, 128, 1e-3
SHOWN = 36
OF_FAMILY: Mapping[str, Mapping[str, Any]] = {
    "vae": {},
    "rae": {"density": {"name": "gmm", "most": 1}},  # ends its training; the one compared follows
}


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of training. width: of the networks.
        train: pictures to train on and to fit to. n: observations a side of a distance.
        fits: the densities, by name.
    """

    steps: int
    width: int
    train: int
    n: int
    fits: Mapping[str, ExPost]


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(
        2, 16, 500, 50, {"gmm": Gmm(2, 500), "vamp": Vamp(8, 2), "two-stage": TwoStage(8, 1, 2)}
    ),
    "cpu": Setting(
        1000,
        256,
        54_000,
        2048,
        {
            "gmm": Gmm(16, 10_000),
            "flow": Flow(steps=200),
            "vamp": Vamp(256, 100),
            "two-stage": TwoStage(steps=600),
        },
    ),
    "paper": Setting(
        30_000,
        1000,
        54_000,
        10_000,
        {
            "gmm": Gmm(128, 50_000),
            "flow": Flow(5, 128, 10_000),
            "vamp": Vamp(1024, 2000),
            "two-stage": TwoStage(512, 3, 30_000),
        },
    ),
}


class BetterPrior(Study):
    """Densities fitted after training against the prior."""

    claim = "Drawing codes from a density fitted to them brings draws closer to the data."
    paper = "Chadebec et al. 2022, arXiv:2206.08309; Ghosh et al. 2020, arXiv:1903.12436"
    protocol = (
        "Fashion-MNIST without labels, the publisher's test split, a tenth of the training "
        "pictures for validation. VAE and RAE: dense networks 2 × 256 (paper 1,000), latent 16, "
        "discretised logistic of a shared scale, 1,000 steps of 128 (paper 30,000), Adam at 1e-3 "
        "with a cosine; averaged weights. Densities are fitted by maximum likelihood to one draw "
        "of the code of each training picture; what they leave open is chosen by the likelihood of "
        "validation codes, and nothing by any distance: gmm at most 16 Gaussians of any covariance "
        "(paper 128), flow 200 steps (10,000), vamp at most 256 pseudo-inputs learnt for 100 steps "
        "(1,024 for 2,000), two-stage 600 steps (30,000). fd_tiny-v1 between 2,048 test pictures "
        "and as many draws (paper 10,000): no FID, and not comparable with published ones; its "
        "floor is between test and training pictures. The baseline of a row is the prior that "
        "training assumed, in the same networks. A bar asks that the lower end of the paired gain "
        "over seeds is above zero. Code likelihoods are of validation pictures; that of two-stage "
        "is an estimate from below. The RAE's own prior is the small mixture that follows its "
        "codes in training. paper can be interrupted, and goes on with its runs."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = opened(setting.train)
        vaes = [compared("vae", data, setting, setting.fits, s, out) for s in range(seeds)]
        mixture = {"gmm": setting.fits["gmm"]}
        raes = [compared("rae", data, setting, mixture, s, out) for s in range(seeds)]
        return [*of_family("vae", vaes), *bars(vaes), *of_family("rae", raes)]


class Seen(NamedTuple):
    """What one seed of a family found: by prior, the distance and the likelihood of codes."""

    distance: Mapping[str, float]
    likelihood: Mapping[str, float]
    floor: float


OWN = "own prior"


def opened(most: int) -> Material:
    """Fashion-MNIST, divided, with nothing given, and at most so many pictures to train on."""
    found = examine(DATA["name"], given=DATA["given"])
    data = Material.of(found.kind, found.source, (), DATA)
    return replace(data, train=Subset(data.train, torch.arange(min(most, len(data.train)))))


def compared(
    family: str,
    data: Material,
    setting: Setting,
    fits: Mapping[str, ExPost],
    seed: int,
    folder: Path,
) -> Seen:
    """Train one seed of a family, fit every density to its codes, and measure draws of each."""
    run = trained(family, data, setting, seed, folder / f"{family}-{seed}")
    judge = distance_of(run, data, setting.n)
    distance = {OWN: judge.draws(replace(run, prior="own"))}
    likelihood = {}
    picture(replace(run, prior="own"), folder / f"{family}-{seed}-own.png")
    for name, part in fits.items():
        (figure,) = refit(run, data.train, data.validation, part, seed, drawn=False)
        fresh = Run.open(run.path, prior="fitted")
        distance[name], likelihood[name] = judge.draws(fresh), figure.value
        likelihood[OWN] = figure.baseline
        picture(fresh, folder / f"{family}-{seed}-{name}.png")
    return Seen(distance, likelihood, judge.floor)


def trained(family: str, data: Material, setting: Setting, seed: int, folder: Path) -> Run:
    """A run of a family, gone on with where it was interrupted."""
    net = {"name": "dense", "width": setting.width, "depth": 2}
    model = {"name": family, "latent": LATENT, "encoder": net, "decoder": net, **OF_FAMILY[family]}
    schedule = {"name": "cosine", "warmup": 0.02}
    train = {"steps": setting.steps, "batch": BATCH, "lr": RATE, "schedule": schedule}
    recipe = {"model": model, "train": {**train, "seed": seed, "best": "none"}}
    return kept.trained(recipe, DATA, data, folder)


class Judge(NamedTuple):
    """How far draws of a run are from test pictures, and how far training pictures are."""

    draws: Callable[[Run], float]
    floor: float


def distance_of(run: Run, data: Material, n: int) -> Judge:
    """The distance to so many test pictures."""
    held = measuring.batch_of(run.kind, data.test, n, 0)
    _, distance = gauge(run.space, held)

    def draws(other: Run) -> float:
        return distance(measuring.drawn_like(other, held, 0).x)

    return Judge(draws, distance(measuring.batch_of(run.kind, data.train, n, 0).x))


def picture(run: Run, path: Path) -> None:
    """Draws as a sheet, with seed 0; none is picked by hand."""
    sheet: Tensor = grid(run.kind.draw(run.draw(SHOWN, {}, 0)))
    path.write_bytes(png(sheet))


# Rows.


def of_family(family: str, by_seed: Sequence[Seen]) -> list[Row]:
    """The distance and the code likelihood of each prior."""
    floor = math.fsum(seen.floor for seen in by_seed) / len(by_seed)
    own = math.fsum(seen.distance[OWN] for seen in by_seed) / len(by_seed)
    distances = [
        replace(
            finding(f"{family}, {name}: fd_tiny-v1", column(by_seed, "distance", name), "test",
                    "lower"),
            floor=floor,
            baseline=math.nan if name == OWN else own,
        )
        for name in by_seed[0].distance
    ]  # fmt: skip
    likelihoods = [
        finding(f"{family}, {name}: log-likelihood of codes, nats",
                column(by_seed, "likelihood", name), "validation", "higher")
        for name in by_seed[0].likelihood
    ]  # fmt: skip
    return [*distances, *likelihoods]


def column(by_seed: Sequence[Seen], what: str, name: str) -> list[float]:
    """A figure of a prior, a seed each."""
    return [getattr(seen, what)[name] for seen in by_seed]


def bars(by_seed: Sequence[Seen]) -> list[Row]:
    """What each fitted density gains over the prior."""
    return [
        gain(f"vae, {name}: fd_tiny-v1 below that of the own prior", gains(by_seed, name), "test")
        for name in by_seed[0].distance
        if name != OWN
    ]


def gains(by_seed: Sequence[Seen], name: str) -> list[float]:
    """How much nearer draws are than those of the own prior, a seed each."""
    return [seen.distance[OWN] - seen.distance[name] for seen in by_seed]
