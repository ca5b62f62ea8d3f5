r"""Whether drawn series are like real ones: told apart, learnt from, correlated, and as fast.

The two scores of Yoon, Jarrett & van der Schaar (2019), *Time-series generative adversarial
networks*, section 5, with one network for all data, a GRU of 24 units (`nets/evaluators.py`):

* **discriminative_gru**: $|a - \tfrac12|$, with a the held-out accuracy of a GRU that is taught to
  tell drawn windows from real ones; 0 is not to be told apart, ½ is at a glance. The floor is the
  same with real windows of training in the place of the drawn ones.
* **predictive_gru**: a GRU is taught on drawn windows to predict the next step from all before, and
  tested on held-out real ones; the mean absolute error, in standard deviations. The floor is the
  same taught on real windows of training.
* **autocorrelation**: the mean over channels and lags of
  $|\rho_\text{real}(\ell) - \rho_\text{fake}(\ell)|$, ρ pooled over windows.
* **power_spectrum**: the mean over channels of
  $\sum_f |P_\text{real}(f) - P_\text{fake}(f)| / \sum_f (P_\text{real}(f) + P_\text{fake}(f))$,
  P the mean periodogram of the windows (Schuster 1898): how much of the power stands at another
  frequency, or is more or less than it should be. 0 is the same, 1 is nothing in common.

Each floor is of held-out windows against training ones, so that it also holds what time itself has
changed between the two. The baseline of each is *shuffled time*: real windows whose steps are in
random order. The paper's own figures come from another network, other scaling and windows that
overlap between training and test: compare these figures with each other, never with those. Here the
held-out fifth of the real windows is the last in the order of their row numbers, so that windows of
one stretch of time stay together, and every real window is held out of the generator's training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.core.batch import Batch
from twofold.measures.baselines import canonical
from twofold.measures.estimate import (
    Estimate,
    Possible,
    generator,
    jackknifed,
    mean,
    resampled,
    some,
)
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.nets.evaluators import SeriesClassifier, SeriesPredictor
from twofold.nets.fit import fit

Loss = Callable[[Tensor, Tensor], Tensor]

FEWEST = 20
HELD_OUT = 0.2
BATCH = 128
RATE = 5e-3
EPOCHS = 30  # at most, on few windows
LONG = 48  # time steps from which on teaching is cut short in proportion, to stay within minutes
LAGS = 24
BASELINE = "real, its time shuffled"


class Sides(NamedTuple):
    """Equally many windows (n, C, T) a side: `shuffled` is `real` with its time in disorder."""

    real: Tensor
    train: Tensor
    fake: Tensor
    shuffled: Tensor


def sides(evidence: Evidence, n: int) -> Sides:
    """At most n windows a side, in the order of their rows."""
    n, seed, space = equal(evidence, n), evidence.seed, evidence.space
    real, train = some(evidence.real, n, seed), some(evidence.train, n, seed)
    if not len(evidence.train):
        both = in_order(some(evidence.real, 2 * n, seed))
        real, train = both[:n], both[n : 2 * n]
    batches = in_order(real), in_order(train), some(evidence.fake, n, seed + 1)
    a, b, c = (canonical(space, batch.x) for batch in batches)
    return Sides(a, b, c, disordered(a, seed))


def equal(evidence: Evidence, n: int) -> int:
    """Windows a side: at most n, and as many as the smallest side has."""
    real = len(evidence.real)
    rest = (real, len(evidence.train)) if len(evidence.train) else (real // 2,)
    return min(n, len(evidence.fake), *rest)


def in_order(batch: Batch) -> Batch:
    """Rows by their number: windows of one stretch of time beside each other."""
    order = batch.rows.cpu().argsort()
    return Batch(batch.x[order], batch.given[order], batch.rows[order])


def disordered(x: Tensor, seed: int) -> Tensor:
    """Windows (n, C, T) with the steps of each in an order of its own."""
    order = torch.rand(len(x), 1, x.shape[2], generator=generator(seed)).argsort(2)
    return x.gather(2, order.expand_as(x))


def refusal(evidence: Evidence) -> str:
    """Why two sides are no series that can be compared; empty when they are."""
    if len(evidence.space.axes) != 1 or evidence.space.layout != "grid":
        return "it is for series"
    if evidence.space.axes[0] < 4:
        return "it is for series of at least 4 steps"
    n = equal(evidence, FEWEST)
    return "" if n >= FEWEST else f"it needs {FEWEST} windows a side; there are {n}"


def taught(
    make: Callable[[], nn.Module], x: Tensor, y: Tensor, loss: Loss, steps: int, seed: int
) -> nn.Module:
    """A new network fitted on inputs x (N, …) and targets y, the global seeds untouched."""
    most = steps * min(1.0, LONG / x.shape[2])
    steps = max(20, min(round(most), EPOCHS * len(x) // BATCH))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make()
    return fit(network, x, y, loss, steps=steps, batch=BATCH, lr=RATE, seed=seed)


@dataclass(frozen=True)
class Discriminative(Measure):
    """How well a recurrent network tells drawn windows from real ones.

    Args:
        n: at most so many windows a side.
        steps: of teaching, at most.
        repeats: networks, from seeds of their own.
    """

    n: int = 2000
    steps: int = 300
    repeats: int = 2
    names = ("discriminative_gru",)
    within = dict.fromkeys(names, Possible(0.0, 0.5))

    def refuses(self, evidence: Evidence) -> str:
        return refusal(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        s, seed = sides(evidence, self.n), evidence.seed
        ours = self.told(s.real, s.fake, seed)
        figure = evidence.figure(
            self.names[0],
            resampled(ours, lambda mean: (mean - 0.5).abs(), seed),
            len(s.real),
            "lower",
            floor=float((self.told(s.real, s.train, seed).mean() - 0.5).abs()),
            baseline=float((self.told(s.real, s.shuffled, seed).mean() - 0.5).abs()),
            baseline_name=BASELINE,
            note=f"held-out accuracy {float(ours.mean()):.3f}, mean of {self.repeats} networks; "
            "0 is not to be told apart, 0.5 is at a glance",
        )
        return [figure]

    def told(self, real: Tensor, other: Tensor, seed: int) -> Tensor:
        """For each held-out window, the share of networks that are right about it, (2 m,)."""
        cut = round(len(real) * (1 - HELD_OUT))
        shown = torch.cat([real[:cut], other[:cut]])  # (2 cut, C, T)
        asked = torch.cat([real[cut:], other[cut:]])  # (2 m, C, T)
        labels = (torch.arange(2 * cut) < cut).long()
        truth = (torch.arange(len(asked)) < len(real) - cut).long()
        make = partial(SeriesClassifier, real.shape[1], 2, layers=1)
        right = []
        for i in range(self.repeats):
            judge = taught(make, shown, labels, F.cross_entropy, self.steps, seed + i)
            with torch.inference_mode():
                right.append((judge(asked).argmax(1) == truth).double())
        return torch.stack(right).mean(0)


@dataclass(frozen=True)
class Predictive(Measure):
    """How well the next step of real windows is learnt from drawn ones.

    Args:
        n: at most so many windows a side.
        steps: of teaching, at most.
        repeats: networks, from seeds of their own.
    """

    n: int = 2000
    steps: int = 300
    repeats: int = 2
    names = ("predictive_gru",)

    def refuses(self, evidence: Evidence) -> str:
        return refusal(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        s, seed = sides(evidence, self.n), evidence.seed
        still = float((s.real[..., 1:] - s.real[..., :-1]).abs().mean())
        figure = evidence.figure(
            self.names[0],
            mean(self.missed(s.fake, s.real, seed), seed),
            len(s.real),
            "lower",
            floor=float(self.missed(s.train, s.real, seed).mean()),
            baseline=float(self.missed(s.shuffled, s.real, seed).mean()),
            baseline_name=BASELINE,
            unit="standard deviations",
            note=f"mean absolute error one step ahead; repeating the last step has {still:.3f}",
        )
        return [figure]

    def missed(self, shown: Tensor, asked: Tensor, seed: int) -> Tensor:
        """The mean absolute error of each window that is asked, (n,), over the networks."""
        past, future = asked[..., :-1], asked[..., 1:]
        make = partial(SeriesPredictor, asked.shape[1], asked.shape[1])
        errors = []
        for i in range(self.repeats):
            network = taught(make, shown[..., :-1], shown[..., 1:], F.l1_loss, self.steps, seed + i)
            with torch.inference_mode():
                errors.append((network(past) - future).abs().mean((1, 2)).double())
        return torch.stack(errors).mean(0)


@dataclass(frozen=True)
class Autocorrelation(Measure):
    """How alike the correlation over time is.

    Args:
        n: at most so many windows a side.
    """

    n: int = 2000
    names = ("autocorrelation",)

    def refuses(self, evidence: Evidence) -> str:
        return refusal(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        s = sides(evidence, self.n)
        note = f"mean over channels and {lags(s.real)} lags; 0 is the same"
        return [distance(evidence, self.names[0], s, apart, note)]


@dataclass(frozen=True)
class PowerSpectrum(Measure):
    """How alike the power at each frequency is.

    Args:
        n: at most so many windows a side.
    """

    n: int = 2000
    names = ("power_spectrum",)

    def refuses(self, evidence: Evidence) -> str:
        return refusal(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        s = sides(evidence, self.n)
        note = (
            f"mean over channels, {s.real.shape[2] // 2 + 1} frequencies; 0 is the same, 1 is all"
        )
        return [distance(evidence, self.names[0], s, detuned, note)]


def distance(
    evidence: Evidence, name: str, s: Sides, between: Callable[[Tensor, Tensor], Tensor], note: str
) -> Figure:
    """A distance of drawn from held-out windows, with its floor and its baseline."""
    return evidence.figure(
        name,
        positive(jackknifed(between, s.real, s.fake)),
        len(s.real),
        "lower",
        floor=float(between(s.real, s.train)),
        baseline=float(between(s.real, s.shuffled)),
        baseline_name=BASELINE,
        note=note,
    )


def positive(found: Estimate) -> Estimate:
    """An interval of what cannot be below 0."""
    return Estimate(found.value, max(found.low, 0.0), found.high)


def lags(x: Tensor) -> int:
    """How many lags are compared of windows (n, C, T)."""
    return min(LAGS, x.shape[2] // 2)


def apart(a: Tensor, b: Tensor) -> Tensor:
    """The mean distance of two samples' autocorrelations."""
    return (autocorrelations(a) - autocorrelations(b)).abs().mean()


def autocorrelations(x: Tensor) -> Tensor:
    """ρ of each channel and lag, pooled over windows (n, C, T): (C, L); 0 of a constant channel.

    >>> x = torch.tensor([1.0, -1.0] * 8).reshape(1, 1, 16)
    >>> autocorrelations(x)[0, :3].tolist()
    [-1.0, 1.0, -1.0]
    """
    x = x.double() - x.double().mean((0, 2), keepdim=True)
    found = []
    for lag in range(1, lags(x) + 1):
        now, later = x[..., :-lag], x[..., lag:]
        scale = (now.square().mean((0, 2)) * later.square().mean((0, 2))).sqrt()
        found.append((now * later).mean((0, 2)) / scale.clamp(min=1e-12))
    return torch.stack(found, 1)


def detuned(a: Tensor, b: Tensor) -> Tensor:
    """The mean distance of two samples' spectra; 0 of a channel without any power."""
    p, q = spectra(a), spectra(b)  # (C, F)
    return ((p - q).abs().sum(1) / (p + q).sum(1).clamp(min=1e-12)).mean()


def spectra(x: Tensor) -> Tensor:
    """The power of each channel of windows (n, C, T) by frequency, (C, T // 2 + 1).

    Frequencies are 0, 1, … cycles a window; together they have the mean square about the mean.

    >>> wave = torch.tensor([1.0, -1.0] * 4).reshape(1, 1, 8)
    >>> spectra(wave)[0].tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0]
    """
    x = x.double() - x.double().mean((0, 2), keepdim=True)
    T = x.shape[2]
    power = torch.fft.rfft(x, dim=2).abs().square().mean(0) / T**2
    both = torch.full((power.shape[1],), 2.0, dtype=torch.float64)  # f and −f
    both[0] = 1
    both[T // 2 :] = 1 + T % 2  # the highest of an even T is its own mirror image
    return power * both
