r"""Projection: the code whose decoding is nearest to an observation.

A model without an encoder can still be asked which of its own draws an observation is. From a start
code, Adam lowers the distance, each row for itself,

$$ \ell(c) = \frac{\lVert m \odot (x - \hat x(c)) \rVert^2}{\sum m}
   + \lambda \, \frac{\lVert f(x) - f(\hat x(c)) \rVert^2}{F}, $$

$\hat x(c)$ the mean of what is decoded, m the values that are there, f the features of `tiny-v1`
for pictures, in place of the VGG of Karras et al. 2020, arXiv:1912.04958, whose projector's
schedule this is: the rate rises over the first twentieth and falls as a cosine over the last
quarter; noise on the code, which fades out over the first three quarters, keeps it from settling
too early. Their noise maps are not fitted: $\hat x$ is decoded without any.

The start is the encoder's code, where there is an encoder. Else it is the nearest of many draws;
among styles the mean one is a candidate too. The code is moved in units of the deviation of draws.
What is kept is the best code on the way, the start included.

How near it came, the *residual*, is the root of the mean squared error a number of x: shares of the
range for pixels, standard deviations for numbers, probabilities for categories. Beside it stand
what needs no model: the nearest training observation, their mean, and PCA with as many dimensions
as the code has.

Notation: x (B, C, *A); c (B, D), or (B, L, D) in w+; f (B, F).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes, Quantises
from twofold.core.space import Field, Space, together
from twofold.data.sources import Rows, Source, Subset, whole
from twofold.maths.latents import LatentName, Latents, latents
from twofold.measures.baselines import PPCA
from twofold.measures.estimate import generator, mean
from twofold.measures.measure import Figure
from twofold.measures.reconstruction import if_present
from twofold.measures.views import pictures
from twofold.nets.extractors import Extractor, extractor
from twofold.runs.codes import Codes, decoded
from twofold.runs.run import Run
from twofold.train.chance import seed_all

DRAWS = 1000
"""Draws that the start is the nearest of."""
AT_ONCE = 64
"""Rows that are moved together."""
RATE = 0.1
"""Of Adam, in deviations of draws."""
SHAKE = 0.05
"""Of the noise on the code at first, in deviations of draws."""
COMPARED = 2000
"""Training observations that the simple ways see, at most."""
PICTURED = "tiny-v1"


@dataclass(frozen=True)
class Asked:
    """How to project.

    Args:
        space: where the code is looked for. steps: of Adam.
        features: λ, the weight of the features of pictures; 0 is none.
        seed: of draws and noise.
    """

    space: LatentName = "z"
    steps: int = 300
    features: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Projected:
    """N observations and the codes nearest to them.

    Args:
        seen: the observations. codes: what was found. again: what they decode to.
        residual, start: how far they and the starts are from the observations, (N,).
        encoded: whether the start is an encoder's.
    """

    seen: Rows
    codes: Codes
    again: Rows
    residual: Tensor
    start: Tensor
    encoded: bool


def project(run: Run, seen: Rows, asked: Asked) -> Projected:
    """The codes whose decodings are nearest to observations.

    Raises:
        UserError: the model decodes no code that can be moved.
    """
    refuse(run)
    seed_all(torch.device("cpu"), asked.seed)
    with torch.enable_grad():
        parts = [
            one_part(run, Rows(seen.values[rows], seen.given[rows]), asked)
            for rows in torch.arange(len(seen)).split(AT_ONCE)
        ]
    code, residual, start = (torch.cat(column) for column in zip(*parts, strict=True))
    codes = Codes(asked.space, code, seen.given)
    encoded = isinstance(run.model, Encodes)
    return Projected(seen, codes, decoded(run, codes), residual, start, encoded)


def refuse(run: Run) -> None:
    """Refuse a model whose code cannot be moved little by little."""
    run.role(Decodes, "project")
    if isinstance(run.model, Quantises):
        raise UserError(
            "the code of this model is a choice of entries, which cannot be moved little by "
            "little; its encoder finds them: twofold reconstruct"
        )


def one_part(run: Run, seen: Rows, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """The codes of some observations, how far they are from them, and how far the starts were."""
    model = run.role(Decodes, "project")
    place, given = latents(model, asked.space), run.known(seen.given)
    x = run.space.encode(seen.values)
    with torch.no_grad():
        target = Target.of(run.space, x, asked.features)
        start, scale = begin(run, place, x, target, given)
    code = descend(place, target, given, start, scale, asked.steps)
    with torch.no_grad():
        far = [target.residual(place.decode(c, given).mean) for c in (code, start)]
    return code, far[0], far[1]


# The distance.


@dataclass(frozen=True)
class Feature:
    """An extractor, and what it makes of the observations, (B, F)."""

    f: Extractor
    seen: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return (self.f(x) - self.seen).square().mean(1)


@dataclass(frozen=True)
class Target:
    """Observations to come near to.

    Args:
        space: what they are. values: (B, V, *A), nought where missing. there: 1 where known.
        features: what they are compared by beside their values. weight: λ.
    """

    space: Space
    values: Tensor
    there: Tensor
    features: Sequence[Feature]
    weight: float

    @classmethod
    def of(cls, space: Space, x: Tensor, weight: float) -> Target:
        values = together([field.split(part)[0] for field, part in space.parts(x)], x)
        there = together([present(field, part) for field, part in space.parts(x)], x)
        names = [] if pictures(space) or not weight else [PICTURED]
        seen = [Feature(f, f(x)) for f in map(extractor, names)]
        return cls(space, values, there, seen, weight)

    def shown(self, x: Tensor) -> Tensor:
        """What is expected of each value if it is there, (B, V, *A)."""
        return together([if_present(field, part) for field, part in self.space.parts(x)], x)

    def squared(self, x: Tensor) -> Tensor:
        """The mean squared error a number of each row of x, (B,)."""
        off = (self.shown(x) - self.values).square() * self.there
        return off.flatten(1).sum(1) / self.there.flatten(1).sum(1).clamp(min=1)

    def __call__(self, x: Tensor) -> Tensor:
        """The distance of each row, (B,)."""
        apart = [self.weight * feature(x) for feature in self.features]
        return sum(apart, self.squared(x))

    def residual(self, x: Tensor) -> Tensor:
        """The root of the mean squared error a number, (B,)."""
        return self.squared(x).sqrt()

    def nearest(self, x: Tensor) -> Tensor:
        """Which of M rows x is nearest to each observation, (B,), by values alone."""
        other, known = self.shown(x).flatten(1), self.there.flatten(1)
        seen = self.values.flatten(1) * known
        return (known @ other.square().T - 2 * seen @ other.T).argmin(1)


def present(field: Field, x: Tensor) -> Tensor:
    """1 for each channel of a field's values that is known."""
    value, presence = field.split(x)
    if presence is None:
        return torch.ones_like(value)
    return presence.repeat_interleave(field.domain.width, 1)


# The start.


def begin(
    run: Run, place: Latents, x: Tensor, target: Target, given: Given
) -> tuple[Tensor, Tensor]:
    """The codes to start from, and the deviation of draws, one for each number of a code."""
    some = place.draw(given[torch.randint(len(given), (DRAWS,))])
    scale = some.std(0).clamp(min=1e-6 + 0.01 * float(some.std()))
    if isinstance(run.model, Encodes):
        return place.of_z(run.model.encode(x, given).mean, given), scale
    return nearest_draws(place, target, given), scale


def nearest_draws(place: Latents, target: Target, given: Given) -> Tensor:
    """The nearest of many draws to each observation, under its own condition."""
    numbered = F.pad(given.c, (1, 0))  # rows of no width cannot be told apart
    alike, which = numbered.unique(dim=0, return_inverse=True)
    found = []
    for c in alike[:, 1:]:
        every = Given(c.expand(DRAWS, -1))
        some = torch.cat([place.draw(every), place.middle(every[:1])])
        parts = [place.decode(part, every[: len(part)]).mean for part in some.split(AT_ONCE)]
        found.append(some[target.nearest(torch.cat(parts))])
    return torch.stack(found)[which, torch.arange(len(which))]


# The way.


def descend(
    place: Latents, target: Target, given: Given, start: Tensor, scale: Tensor, steps: int
) -> Tensor:
    """The best codes of the start and the quiet end of the way from there."""
    moved = torch.zeros_like(start).requires_grad_()  # in deviations
    adam = torch.optim.Adam([moved], lr=RATE)
    best, least = start, target(place.decode(start, given).mean).detach()
    for step in range(steps):
        t = step / steps
        adam.param_groups[0]["lr"] = RATE * pace(t)
        code = start + scale * moved
        far = target(place.decode(code + scale * shake(t) * torch.randn_like(code), given).mean)
        if not shake(t):
            best, least = better(best, least, code.detach(), far.detach())
        moved.grad = slope(far, moved)
        adam.step()
    last = (start + scale * moved).detach()
    return better(best, least, last, target(place.decode(last, given).mean).detach())[0]


def better(code: Tensor, far: Tensor, other: Tensor, far_other: Tensor) -> tuple[Tensor, Tensor]:
    """Of two codes a row that which is nearer, and how far it is."""
    wins = far_other < far
    rows = wins.reshape(-1, *[1] * (code.dim() - 1))
    return torch.where(rows, other, code), torch.where(wins, far_other, far)


def slope(far: Tensor, moved: Tensor) -> Tensor:
    """The gradient of each row's own distance.

    Raises:
        UserError: the decoder has none.
    """
    (found,) = torch.autograd.grad(far.sum(), moved)
    if far.detach().any() and not found.any():
        raise UserError(
            "what this model decodes is rounded and has no gradient by its code, so that nothing "
            "can be projected"
        )
    return found


def pace(t: float) -> float:
    """The rate at a share t of the way: up over 5 %, down as a cosine over the last 25 %.

    >>> [round(pace(t), 3) for t in (0.0, 0.05, 0.5, 0.875, 1.0)]
    [0.0, 1.0, 1.0, 0.5, 0.0]
    """
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / 0.25))
    return down * min(1.0, t / 0.05)


def shake(t: float) -> float:
    """The deviation of the noise at a share t of the way.

    >>> shake(0.0), shake(0.75)
    (0.05, 0.0)
    """
    return SHAKE * max(0.0, 1 - t / 0.75) ** 2


# How near that is.


Ways = Sequence[tuple[str, Tensor]]
"""How far each observation is from what another way makes of it, (N,), by name."""


def figures(made: Projected, simple: Ways, asked: Asked) -> list[Figure]:
    """The residual, with PCA beside it, and how far the start and the simple ways are."""
    started = "encoder alone" if made.encoded else "nearest draw"
    ways = [(f"residual {started}", made.start), *simple]
    pca = next((float(far.mean()) for name, far in simple if " pca-" in name), math.nan)
    width = next((name.partition(" ")[2] for name, _ in simple if " pca-" in name), "")
    note = f"root mean squared error a number of x, in {asked.space}, after {asked.steps} steps"
    first = Figure(
        "residual", *mean(made.residual, asked.seed), len(made.seen), "lower",
        baseline=pca, baseline_name=width, seed=asked.seed, split="given", note=note,
    )  # fmt: skip
    rest = [
        Figure(name, *mean(far, asked.seed), len(far), "lower", seed=asked.seed, split="given")
        for name, far in ways
    ]
    return [first, *rest]


def simple_ways(run: Run, made: Projected, train: Sequence[Source], seed: int) -> Ways:
    """How far each observation is from what needs no model; nothing without training data."""
    x, found = run.space.encode(made.seen.values), []
    target = Target.of(run.space, x, 0.0)
    for source in train:
        rows = torch.randperm(len(source), generator=generator(seed))[:COMPARED]
        seen = run.space.encode(whole(Subset(source, rows)).values)
        fitted = PPCA.fit(seen, made.codes.code[0].numel())
        width = fitted.axes.shape[1]
        found += [
            ("residual nearest", target.residual(seen[target.nearest(seen)])),
            ("residual mean", target.residual(seen.mean(0, keepdim=True).expand_as(x))),
            (f"residual pca-{width}", target.residual(fitted.reconstruct(x))),
        ]
    return found


def listed(
    made: Projected, simple: Ways, names: Sequence[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """The residual of each row, numbered from 0, beside that of the start and of simple ways.

    Args:
        names: what the user calls each row, where they have names.
    """
    columns = {"residual": made.residual, "start": made.start, **dict(simple)}
    texts = [[f"{far:.6g}" for far in column.tolist()] for column in columns.values()]
    lines = [[str(i), *row] for i, row in enumerate(zip(*texts, strict=True))]
    called = ["name"] if names else []
    lines = [[i, *names[at : at + 1], *row] for at, (i, *row) in enumerate(lines)]
    return ["row", *called, *(name.removeprefix("residual ") for name in columns)], lines
