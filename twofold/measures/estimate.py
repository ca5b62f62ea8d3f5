r"""How a measure looks: repeatably, without disturbing the model, and with an interval.

A figure is most often a mean of n terms, one an observation; its 95 % interval comes from the
bootstrap (Efron 1979): the terms are drawn again n times with replacement, and the spread of the
means of many such draws stands for the spread over other data sets of the same size. Of a share,
whose terms are 0 and 1, it has no width where all terms are alike, and yet none of 60 copied does
not mean that none ever is: a share has the interval of Wilson 1927,

$$ \frac{p + z^2/2n \pm z \sqrt{p (1 - p) / n + z^2 / 4n^2}}{1 + z^2/n}, \qquad z = 1.96. $$
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, isnan, nan, sqrt
from typing import NamedTuple

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch
from twofold.maths.statistics import Interval, bootstrap

GROUPS = 20
NORMAL = 1.959964  # the 97.5 % point of the standard normal law
STUDENT = 2.093  # the 97.5 % point of Student's t with 19 degrees of freedom


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Possible:
    """What a figure can be; Student's t does not know, and an interval ends there.

    >>> SHARES.cut(Estimate(0.9, 0.7, 1.1))
    Estimate(value=0.9, low=0.7, high=1.0)
    """

    least: float = -inf
    most: float = inf

    def cut(self, found: Estimate) -> Estimate:
        """An estimate with its interval cut to what can be; without an interval as it was."""
        if isnan(found.low):
            return found
        return Estimate(found.value, max(found.low, self.least), min(found.high, self.most))


ANY = Possible()
SHARES = Possible(0.0, 1.0)
AMOUNTS = Possible(least=0.0)
CORRELATIONS = Possible(-1.0, 1.0)


@contextmanager
def steady(model: object, seed: int) -> Iterator[None]:
    """No gradient, evaluation mode, a random stream of its own; all of it put back at the end.

    >>> net = nn.Dropout()
    >>> with steady(net, 0):
    ...     net.training, torch.is_inference_mode_enabled()
    (False, True)
    >>> net.training
    True
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    device = device_of(model)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.inference_mode():
        torch.manual_seed(seed)
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode


def device_of(model: object) -> torch.device:
    """Where a model's parameters lie; the processor for what has none."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


def on(device: torch.device, batch: Batch) -> Batch:
    """A batch on a device."""
    return Batch(batch.x.to(device), batch.given.to(device), batch.rows)


def chunks(model: object, batch: Batch, rows: int) -> Iterator[Batch]:
    """A batch in pieces of at most `rows` rows, each where the model is."""
    device = device_of(model)
    for start in range(0, len(batch), rows):
        yield on(device, batch[start : start + rows])


def generator(seed: int) -> torch.Generator:
    """A random stream of its own."""
    return torch.Generator().manual_seed(seed)


def some(batch: Batch, n: int, seed: int) -> Batch:
    """n rows at random, or all when there are fewer: files are often sorted by class.

    >>> len(some(Batch.of(torch.zeros(5, 1)), 3, seed=0))
    3
    """
    rows = torch.randperm(len(batch), generator=generator(seed))[:n]
    return Batch(batch.x[rows], batch.given[rows], batch.rows[rows])


def mean(terms: Tensor, seed: int) -> Estimate:
    """The mean of terms (n,), with its bootstrap interval; that of Wilson where it is a share.

    >>> mean(torch.tensor([2.0, 2.0, 2.0]), seed=0)
    Estimate(value=2.0, low=2.0, high=2.0)
    >>> mean(torch.tensor([2.0]), seed=0)
    Estimate(value=2.0, low=nan, high=nan)
    """
    ones = terms == 1
    if len(terms) > 1 and bool((ones | (terms == 0)).all()):
        return share(float(ones.double().mean()), len(terms))
    return resampled(terms, torch.clone, seed)


def share(p: float, n: int) -> Estimate:
    """A share p of n observations, with its interval.

    >>> found = share(0.0, 60)
    >>> found.low, round(found.high, 3)
    (0.0, 0.06)
    """
    squared = NORMAL**2
    middle, half = p + squared / (2 * n), NORMAL * sqrt(p * (1 - p) / n + squared / (4 * n**2))
    low, high = ((middle + side * half) / (1 + squared / n) for side in (-1, 1))
    return within(Interval(p, max(low, 0.0), min(high, 1.0)))


def resampled(terms: Tensor, of: Callable[[Tensor], Tensor], seed: int) -> Estimate:
    """A function of the means of terms (n, k), such as a ratio, with its bootstrap interval.

    One row tells nothing of how others would scatter: it has no interval.
    """
    rows = terms.detach().double().cpu()
    if len(rows) == 1:
        return Estimate(float(of(rows[0])), nan, nan)
    return within(bootstrap(lambda again: of(again.mean(0)), rows, seed=seed))


def jackknifed(of: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Estimate:
    r"""A smooth statistic of two samples that repeated rows would mislead, with its interval.

    With $\theta_j$ the statistic without group j of each sample, its variance is
    $\frac{g-1}{g} \sum_j (\theta_j - \bar\theta)^2$ (Tukey 1958), on g - 1 degrees of freedom. A
    bias of order 1/n is nearly the same in all $\theta_j$, and cancels.
    """
    g = min(GROUPS, len(x), len(y))
    kept = [(x[keep(len(x), g, j)], y[keep(len(y), g, j)]) for j in range(g)]
    without = torch.tensor([float(of(a, b)) for a, b in kept], dtype=torch.float64)
    spread = STUDENT * float(((g - 1) * without.var(correction=0)).sqrt())
    value = float(of(x, y))
    return Estimate(value, value - spread, value + spread)


def jackknife(
    again: Callable[[Tensor], Tensor], values: Tensor, n: int, groups: int
) -> list[Estimate]:
    """Several statistics (K,) of n rows with their intervals, from few groups left out in turn.

    Args:
        again: the statistics of the rows (m,) that are kept. values: of all rows.
    """
    from scipy.stats import t

    g = min(groups, n)
    without = torch.stack([again(keep(n, g, j).nonzero()[:, 0]) for j in range(g)]).double()
    spread = float(t.ppf(0.975, g - 1)) * ((g - 1) * without.var(0, correction=0)).sqrt()
    ends = zip(values.tolist(), spread.tolist(), strict=True)
    return [Estimate(value, value - half, value + half) for value, half in ends]


def keep(n: int, groups: int, left_out: int) -> Tensor:
    """The rows of all groups but one; a row's group is its number modulo the groups."""
    return torch.arange(n) % groups != left_out


def within(found: Interval) -> Estimate:
    """The value always lies inside: a rough interval must not exclude what it is for."""
    value = found.value
    return Estimate(value, min(found.low, value), max(found.high, value))


def interval(value: float, resamples: Tensor) -> Estimate:
    """A value between the 2.5 % and 97.5 % points of what resamples (R,) made of it."""
    tails = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = torch.quantile(resamples.double(), tails).tolist()
    return within(Interval(value, low, high))
