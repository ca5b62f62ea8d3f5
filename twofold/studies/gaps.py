r"""Tables with holes: how studies make them, and how each way fills them.

Of a complete table x (N, D), standardised, a mechanism hides values; s = 1 where it does:

| mechanism | s |
|---|---|
| completely at random | of a fixed number of values, each set of them as likely |
| at random | of the first half of the columns, by what stays of the row: $p(s_{ij} = 1) = \sigma(2\, u_{ij})$, $u_{\cdot j} = X_{\text{rest}} w_j$ standardised, $w_j \sim \mathcal N(0, I)$ |
| not at random | of the first half of the columns, by what is hidden: $s_{ij} = 1$ where $x_{ij} > 0$, above its mean (as Ipsen, Mattei & Frellsen 2021, arXiv:2006.12871, do) |

Models learn from the holed table and fill that table, as the papers have it; so do the simple ways.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.apps.imputation import Filled, Filling, completed
from twofold.core.batch import Given
from twofold.core.game import Model, Starts
from twofold.core.space import Space
from twofold.data.doctor import examine
from twofold.data.named import find
from twofold.data.sources import Memory
from twofold.measures.imputing import WAYS, column_fill, forest_fill
from twofold.models import families
from twofold.studies.binary import CPU
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import finding, gain, most, over_seeds
from twofold.studies.study import Row
from twofold.train.chance import generator, seed_all
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

OURS, FOREST, INSIDE = "ours", "iterated forests", "inside"
GLANCED = 2000
"""Rows that a model starts from."""


def wine(colour: str) -> Tensor:
    """The wines of one colour, 11 numbers and the grade, standardised: (N, 12)."""
    frame = find("wine-quality").where
    x = frame[frame.colour == colour].drop(columns="colour").to_numpy(float)
    return torch.from_numpy((x - x.mean(0)) / x.std(0))


def at_random(shape: torch.Size | tuple[int, ...], share: float, seed: int) -> Tensor:
    """A mask in which exactly such a share of the values is hidden, as MIWAE's notebook draws it.

    >>> at_random((4, 5), 0.5, 0).sum()
    tensor(10)
    """
    mask = np.zeros(int(np.prod(shape)), bool)
    chosen = np.random.RandomState(seed).choice(len(mask), int(share * len(mask)), replace=False)
    mask[chosen] = True
    return torch.from_numpy(mask.reshape(shape))


def of_half(x: Tensor, hidden: Tensor) -> Tensor:
    """A mask (N, D) that hides of the first half of the columns alone, by `hidden` (N, D // 2)."""
    mask = torch.zeros(x.shape, dtype=torch.bool)
    mask[:, : x.shape[1] // 2] = hidden
    return mask


def by_chance(x: Tensor, seed: int) -> Tensor:
    """Completely at random: half of the values of the first half of the columns."""
    return of_half(x, at_random((len(x), x.shape[1] // 2), 0.5, seed))


def by_the_rest(x: Tensor, seed: int) -> Tensor:
    """At random: values of the first half of the columns, by the other half."""
    half, chance = x.shape[1] // 2, generator(seed, 1)
    w = torch.randn(x.shape[1] - half, half, generator=chance, dtype=x.dtype)
    u = x[:, half:] @ w
    p = (2 * (u - u.mean(0)) / u.std(0)).sigmoid()
    return of_half(x, torch.rand(p.shape, generator=chance, dtype=x.dtype) < p)


def by_itself(x: Tensor, seed: int) -> Tensor:
    """Not at random: what is above its mean, of the first half of the columns."""
    return of_half(x, x[:, : x.shape[1] // 2] > 0)


def learnt(
    family: str, options: Mapping[str, Any], space: Space, values: Tensor, training: Training
) -> Model:
    """A model of values (N, F) with gaps, with its averaged weights."""
    seed_all(CPU, training.seed)
    model = families()[family](space, Space(), **options)
    source = Memory(values, torch.zeros(len(values), 0))
    if isinstance(model, Starts):
        model.start(space.encode(values[:GLANCED]))
    loop = Loop(model, Feed(source, space, Space(), training.batch, training.seed, CPU), training)
    while not loop.done:
        loop.advance()
    return loop.averaged.eval()


def filled_by(model: Model, space: Space, values: Tensor, filling: Filling) -> Filled:
    """The gaps of values (N, F) filled by a model."""
    return completed(model, space, values, Given.none(len(values), Space()), filling)


def simply(space: Space, values: Tensor, trees: int) -> dict[str, Tensor]:
    """The gaps of values (N, F) filled by each simple way, which sees these rows alone."""
    fills = {name: way.fill for name, way in WAYS.items()}
    fills[FOREST] = partial(forest_fill, trees=trees)
    seen = {fill: values if fill == column_fill else values[:0] for fill in fills.values()}
    return {name: fill(space, seen[fill], values) for name, fill in fills.items()}


def squared(truth: Tensor, guess: Tensor, mask: Tensor) -> float:
    """The mean squared error where a mask is true."""
    return float((truth - guess)[mask].double().square().mean())


def covered(truth: Tensor, found: Filled, mask: Tensor) -> float:
    """The share of hidden values inside their intervals."""
    inside = (found.low <= truth) & (truth <= found.high)
    return float(inside[mask].double().mean())


def contest(
    x: Tensor,
    mask: Tensor,
    options: Mapping[str, Any],
    training: Training,
    filling: Filling,
    trees: int,
) -> dict[str, float]:
    """The mean squared error of a VAE and of each simple way, and the share inside its intervals.

    Args:
        x: numbers (N, D), complete. mask: what is hidden of them. options: of the VAE.
    """
    values = x.masked_fill(mask, torch.nan)
    space, values = examine(values.numpy()).kind.space, values.float()
    model = learnt("vae", options, space, values, training)
    found = filled_by(model, space, values, filling)
    ways = {OURS: found.fill, **simply(space, values, trees)}
    errors = {way: squared(x, guess, mask) for way, guess in ways.items()}
    return errors | {INSIDE: covered(x, found, mask)}


def of_contest(title: str, every: Sequence[Mapping[str, float]], target: float) -> list[Row]:
    """The rows of one table: the error of each way over seeds, with the bars of ours.

    Args:
        every: what `contest` found, a seed each. target: of our error, the most it may be.
    """
    found = {name: [one[name] for one in every] for name in every[0]}
    inside = found.pop(INSIDE)
    name, split, ours = f"{title}, MSE", "the hidden half", over_seeds(found[OURS])
    return [
        Row(f"{name}: upper end of ours", "bar", most(ours), ours.low, ours.high, len(every), split,
            "lower", target),
        *(finding(f"{name}: {way}", values, split, "lower") for way, values in found.items()),
        gain(f"{name}: {FOREST} minus ours", differences(found[FOREST], found[OURS]), split),
        finding(f"{title}: share in intervals of 90 %", inside, split, "higher"),
    ]  # fmt: skip
