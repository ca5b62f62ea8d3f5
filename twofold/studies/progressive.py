r"""Does it pay to grow, when the time is the same?

Karras et al. (2018, arXiv:1710.10196) train a generator and a critic from coarse pictures to full
ones, and claim less time and a steadier outcome. Here the same networks are trained in both ways,
growing and at the full size from the start, for the same processor time: coarse steps are cheap,
so growing takes more of them. Steadier means that the distance to held-out pictures differs less
from seed to seed.

The switch must not show. At the moment a stage begins, with a fade α that goes to 0, generator,
critic and data are those of the stage before; `jump` asks how far they are from that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from twofold.core.batch import Given
from twofold.data.doctor import examine
from twofold.data.named import local
from twofold.maths.growth import Grown
from twofold.models.progressive import Progressive as Family
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import exact, finding, over_seeds
from twofold.studies.study import Budget, Row, Study

ARMS: Mapping[str, Any] = {
    "growing": {"name": "shares", "shares": [1.0, 2.0, 4.0], "fade": 0.2},
    "full size": "at-once",
}
JUMP = 1e-6
AT = 1e-9
"""The fade at which a switch is looked at: a stage that has just begun."""
FACE = 64
FACES: Mapping[str, Any] = {"name": "smiles", "split": {"validation": 0.1, "test": 0.1}}


@dataclass(frozen=True)
class Setting:
    """How much is done, at one size.

    Args:
        side: of the pictures. width: channels at full size.
        steps: of each arm, so that they take the same time. n: pictures a side of a figure.
    """

    side: int
    width: int
    steps: Mapping[str, int]
    n: int


SETTINGS: Mapping[Budget, tuple[Setting, ...]] = {
    "smoke": (Setting(8, 2, {"growing": 3, "full size": 2}, 60),),
    "cpu": (
        Setting(14, 8, {"growing": 3100, "full size": 2520}, 2048),
        Setting(28, 8, {"growing": 1700, "full size": 1140}, 2048),
    ),
    "paper": (
        Setting(32, 16, {"growing": 39_000, "full size": 26_000}, 10_000),
        Setting(64, 16, {"growing": 31_000, "full size": 14_000}, 500),
    ),
}


class Progressive(Study):
    """Growing against training at the full size."""

    claim = "For equal time, growing is no worse and steadier, and the switch does not show."
    paper = "Karras et al. 2018, arXiv:1710.10196"
    protocol = (
        "The family progressive, 8 channels at full size (paper 16), minibatch deviation, "
        "relativistic with R1 and R2 of 0.1, batch 32, Adam at 2e-3, the generator's four times "
        "that, averaged weights; growing, with shares of 1, 2, 4 and again 4 of training for the "
        "stages and a fifth of each for its fade, or all stages from the start. Fashion-MNIST "
        "without labels, averaged to 14 × 14, and at 28 × 28 (paper: 32 × 32 with a border, and, "
        "where they are at hand, 5,000 faces of 64 × 64, of which only numbers are kept). Steps: "
        "3,100 growing and 2,520 at full size of 14 × 14, 1,700 and 1,140 of 28 × 28, which take "
        "the same processor time by steps that were timed in turns (paper 39,000 and 26,000; "
        "31,000 and 14,000, reckoned from earlier timings of its stages); seconds are told. "
        "fd_tiny-v1 to 2,048 test pictures (10,000; 500 faces). Bars: the mean over seeds of "
        "growing less that of full size, at most 0; its standard deviation over seeds over that "
        "of full size, at most 1, with few seeds little more than a sign; the largest difference "
        "of generator, critic and data from the stage before at the beginning of each stage, at "
        "most 1e-6, in float64. Rates, shares and fade were chosen in half the steps, by "
        "validation pictures, seed 100: stages of equal length are worse than full size."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        folder = out
        return [
            row
            for setting in SETTINGS[budget]
            for data in material(setting.side)
            for row in of_size(data, setting, seeds, folder / str(setting.side))
        ]


def material(side: int) -> list[Material]:
    """Garments of a size, or faces of 64 × 64 where they are at hand."""
    if side != FACE:
        return [garments.opened(side)]
    places = local("smiles", "smiles_64.zip")
    return [faces(place) for place in places[:1]]


def faces(place: Path) -> Material:
    """Faces without labels."""
    found = examine(place, size=FACE, levels=256, given=())
    return Material.of(found.kind, found.source, (), FACES)


class Seen(NamedTuple):
    """What a seed of an arm found."""

    distance: float
    floor: float
    seconds: float
    jump: float


def of_size(data: Material, setting: Setting, seeds: int, folder: Path) -> list[Row]:
    """The rows of one size."""
    found = {
        arm: [of_seed(arm, data, setting, seed, folder) for seed in range(seeds)] for arm in ARMS
    }
    title = f"{setting.side} × {setting.side}"
    return [
        *(row for arm, seen in found.items() for row in of_arm(f"{title}, {arm}", seen)),
        *bars(title, found["growing"], found["full size"]),
    ]


def of_seed(arm: str, data: Material, setting: Setting, seed: int, folder: Path) -> Seen:
    """Train one seed of an arm, and judge its draws."""
    run = trained(arm, data, setting, seed, folder / f"{arm.replace(' ', '-')}-{seed}")
    figure = garments.judged(run, data, setting.n, ["fd_tiny-v1"])["fd_tiny-v1"]
    return Seen(figure.value, figure.floor, run.log[-1]["seconds"], jump(run))


def trained(arm: str, data: Material, setting: Setting, seed: int, folder: Path) -> Run:
    of = FACES if setting.side == FACE else {}
    run = garments.trained(model_of(arm, setting), train_of(arm, setting), data, seed, folder, of)
    if not of:
        garments.picture(run, folder.with_suffix(".png"))
    return run


def model_of(arm: str, setting: Setting) -> dict[str, Any]:
    return {
        "name": "progressive",
        "latent": 32,
        "widths": {"width": setting.width, "growth": 4},
        "growth": ARMS[arm],
        "company": "deviation",
        "penalties": [{"name": name, "gamma": 0.1} for name in ("r1", "r2")],
    }


def train_of(arm: str, setting: Setting) -> dict[str, Any]:
    steps = setting.steps[arm]
    return {
        "steps": steps,
        "batch": 32,
        "lr": 2e-3,
        "betas": [0.0, 0.99],
        "average": 2.0,
        "players": {"generator": {"lr": 4.0}},
    }


@torch.no_grad()
def jump(run: Run) -> float:
    """The largest difference from the stage before, of what each player and the data are."""
    model = run.plan.build(run.space, run.given)
    model.load_state_dict(run.model.state_dict())
    assert isinstance(model, Family)
    model.double()
    given = Given(torch.zeros(8, run.given.width).double())
    z, x = torch.randn(8, model.latent).double(), torch.rand(8, *run.space.shape).double()
    worst = 0.0
    for stage in range(1, len(model.scales)):
        for of in (
            lambda at: model.generator(z, given.c, at),
            lambda at: model.critic(x, given.c, at),
            lambda at: model.faded(x, at),
        ):
            apart = of(Grown(stage, AT)) - of(Grown(stage - 1, 1.0))
            worst = max(worst, float(apart.abs().max()))
    return worst


# Rows.


def of_arm(title: str, seen: Sequence[Seen]) -> list[Row]:
    distances = finding(f"{title}: fd_tiny-v1", [one.distance for one in seen], "test", "lower")
    seconds = [one.seconds for one in seen]
    return [
        replace(distances, floor=seen[0].floor),
        finding(f"{title}: seconds of training", seconds, "none", "lower"),
    ]


def bars(title: str, growing: Sequence[Seen], full: Sequence[Seen]) -> list[Row]:
    """No worse, steadier, and continuous."""
    worse = over_seeds([g.distance - f.distance for g, f in zip(growing, full, strict=True)])
    n, name = len(growing), f"{title}: fd_tiny-v1 of growing less that of full size"
    return [
        Row(name, "bar", *worse, n, "test", "lower", 0.0),
        *([spread(title, growing, full)] if n > 1 else []),
        exact(f"{title}: jump at a switch", [one.jump for one in growing], JUMP, "none"),
    ]


def spread(title: str, growing: Sequence[Seen], full: Sequence[Seen]) -> Row:
    """A bar on the ratio of deviations over seeds, with its 95 % interval by the F distribution."""
    from scipy.stats import f

    a, b = (deviation([one.distance for one in seen]) for seen in (growing, full))
    n, name = len(growing), f"{title}: spread over seeds of growing over that of full size"
    low, high = (a / b / math.sqrt(f.ppf(q, n - 1, n - 1)) for q in (0.975, 0.025))
    return Row(name, "bar", a / b, low, high, n, "test", "lower", 1.0)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample.

    >>> deviation([1.0, 2.0, 3.0])
    1.0
    """
    middle = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))
