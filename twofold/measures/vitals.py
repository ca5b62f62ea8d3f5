r"""How a game between critic and generator stands: a reading that costs little, for the log.

**The critic.** An objective of logits need not have a threshold: relativistic ones see differences
only, a Wasserstein critic has no zero. So nothing here asks for one:

* how well it **ranks**: the share of pairs of a real and a drawn row of which the real one has the
  higher logit, of training and of held-out rows; 1/2 is chance, 1 is never fooled;
* its **accuracy** on training, held-out and drawn rows (Brock et al. 2019, arXiv:1809.11096, watch
  it to see their critic learn by heart), at the threshold that suits training and drawn rows best;
* the overfitting heuristic of Karras et al. 2020 (arXiv:2006.06676, Eq. 1), in which neither shift
  nor scale of the logits matters: 0 where held-out rows are judged as training rows are, 1 where
  they are judged as drawn ones,

$$ r_v = \frac{\mathbb E\,D_\text{train} - \mathbb E\,D_\text{held-out}}
              {\mathbb E\,D_\text{train} - \mathbb E\,D_\text{drawn}}. $$

**The draws**, in the features of `measures/views.py` and beside n real rows and n others:

* **precision**, **recall**, **coverage** as `measures/coverage.py` has them;
* **support**: N, if two of the draws are as good as one with the chance 1/N: by the birthday
  paradox, how many different observations there are to draw (Arora, Risteski & Zhang 2018,
  arXiv:1706.08224). There people say which pairs are duplicates; here those are that lie nearer
  than one in 2n of the pairs of real rows do, so that real data have a support near 2n;
* **apart**: how far half of the draws lie from any real row, in units of how far real rows lie
  from each other.

The floor of each is the same number of the n other real rows.

Notation: D(·) logits (n,); features (n, d).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Criticises, Samples
from twofold.core.space import Space
from twofold.maths.statistics import BLOCK, prdc
from twofold.measures.baselines import canonical
from twofold.measures.estimate import Estimate, chunks, some, steady
from twofold.measures.views import EXTRACTORS, featureless, sort
from twofold.nets import extractors
from twofold.nets.critics import critics

ROWS = 256
GROUND = 256
"""Real rows, at most, that draws are laid beside while training, and as many others."""
K = 5
FEWEST = 40
"""Real rows below which neighbourhoods say nothing."""
NAN = math.nan


# --- The critic ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """Logits of training, held-out and drawn rows; there may be no held-out ones.

    >>> judged = Judged(torch.tensor([3.0, 5.0]), torch.tensor([0.0, 3.0]), torch.tensor([1.0]))
    >>> judged.accuracy, judged.ranks
    ({'train': 1.0, 'held_out': 0.5, 'fake': 1.0}, {'train': 1.0, 'held_out': 0.5})
    >>> round(judged.overfitting.value, 2)
    0.83
    """

    train: Tensor
    held_out: Tensor
    fake: Tensor

    @property
    def real(self) -> dict[str, Tensor]:
        """The logits of real rows, by where they come from."""
        sides = {"train": self.train, "held_out": self.held_out}
        return {name: logits for name, logits in sides.items() if len(logits)}

    @property
    def threshold(self) -> float:
        """Above which a row is called real: where training and drawn rows are told apart best."""
        cuts = torch.cat([self.train, self.fake]).unique()
        above = len(self.train) - torch.searchsorted(self.train.sort().values, cuts, right=True)
        below = torch.searchsorted(self.fake.sort().values, cuts, right=True)
        return float(cuts[(above / len(self.train) + below / len(self.fake)).argmax()])

    @property
    def right(self) -> dict[str, Tensor]:
        """Where the critic is right, (n,) each."""
        t = self.threshold
        told = {name: logits > t for name, logits in self.real.items()} | {"fake": self.fake <= t}
        return {name: right.double() for name, right in told.items()}

    @property
    def accuracy(self) -> dict[str, float]:
        return {name: float(right.mean()) for name, right in self.right.items()}

    @property
    def beaten(self) -> dict[str, Tensor]:
        """The share of draws that each real row ranks above, (n,); a tie counts half."""
        fake = self.fake.sort().values
        counts = {
            name: [torch.searchsorted(fake, logits, right=right) for right in (False, True)]
            for name, logits in self.real.items()
        }
        return {
            name: (low + high).double() / (2 * len(fake)) for name, (low, high) in counts.items()
        }

    @property
    def ranks(self) -> dict[str, float]:
        return {name: float(shares.mean()) for name, shares in self.beaten.items()}

    @property
    def gap(self) -> float:
        """How much higher training rows are judged than drawn ones."""
        return float(self.train.mean() - self.fake.mean())

    @property
    def overfitting(self) -> Estimate:
        """r_v, with the 95 % interval from the errors of the two means of real rows."""
        if len(self.held_out) < 2 or not self.gap > 0:
            return Estimate(NAN, NAN, NAN)
        lost = float(self.train.mean() - self.held_out.mean())
        error = sum(float(side.var()) / len(side) for side in (self.train, self.held_out)) ** 0.5
        return Estimate(*((lost + z * error) / self.gap for z in (0.0, -1.96, 1.96)))

    def numbers(self) -> dict[str, Any]:
        """What the log keeps: for each, a table by where rows come from."""
        logits = {**self.real, "fake": self.fake}
        return {
            "judged": {name: float(side.mean()) for name, side in logits.items()},
            "ranks": self.ranks,
            "accuracy": self.accuracy,
        }


def judged(model: object, train: Batch, held_out: Batch, seed: int = 0) -> Judged:
    """What a model's critic makes of rows, and of as many draws under what training rows have."""
    assert isinstance(model, Criticises)
    assert isinstance(model, Samples)
    with steady(model, seed):
        fake = [replace(p, x=model.sample(p.given)) for p in chunks(model, train, ROWS)]
        told = [
            [model.judge(part.x, part.given).double().cpu() for part in parts]
            for parts in (chunks(model, train, ROWS), chunks(model, held_out, ROWS), fake)
        ]
    empty = torch.zeros(0, dtype=torch.float64)
    return Judged(*(torch.cat([empty, *parts]) for parts in told))


# --- The draws -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """How draws lie among real rows."""

    precision: float
    recall: float
    coverage: float
    support: float
    apart: float

    @property
    def finite(self) -> bool:
        """Whether the draws were numbers."""
        return not math.isinf(self.apart)

    def since(self, before: Spread) -> Spread:
        """How much more each number is than it was."""
        now = asdict(self)
        return Spread(**{name: now[name] - was for name, was in asdict(before).items()})

    @classmethod
    def of(cls, real: Tensor, fake: Tensor, other: Tensor) -> Spread:
        """The spread of draws, all three (n, d); `other` real rows say what counts as near."""
        near = prdc(real, fake, K)
        return cls(
            float(near.precision),
            float(near.recall),
            float(near.coverage),
            support(fake, nearness(other)),
            apart(real, fake, other),
        )


UNKNOWN = Spread(NAN, NAN, NAN, NAN, NAN)
NOWHERE = Spread(0.0, 0.0, 0.0, 1.0, math.inf)
"""Of draws that are not numbers."""


def nearness(real: Tensor) -> float:
    """The distance that one in 2n of the pairs of n real rows lie within."""
    distances = torch.pdist(real.double())
    return float(distances.kthvalue(max(1, round(len(distances) / (2 * len(real))))).values)


def support(x: Tensor, near: float) -> float:
    """1 / P(two rows lie within `near` of each other); at most, and so at least, all pairs.

    >>> round(support(torch.arange(4.0).repeat(50)[:, None], 0.5), 1)  # four different rows
    4.1
    """
    x = x.double()
    within = sum(int((torch.cdist(part, x) <= near).sum()) for part in x.split(BLOCK)) - len(x)
    return len(x) * (len(x) - 1) / max(within, 2)


def apart(real: Tensor, fake: Tensor, other: Tensor) -> float:
    """The median distance of draws to the nearest real row, over that of real rows to others."""
    real, fake, other = (side.double() for side in (real, fake, other))
    usual = torch.cdist(real, other).median()
    nearest = torch.cdist(fake, real).min(1).values.median()
    return float(nearest / usual.clamp(min=1e-12))


@dataclass(frozen=True)
class Ground:
    """The real rows that draws are laid beside while training: two halves, and their own spread.

    Args:
        space: of one row. real, other: features (n, d). given: what draws are given.
    """

    space: Space
    real: Tensor
    other: Tensor
    given: Batch

    @classmethod
    def of(cls, space: Space, rows: Batch) -> Ground:
        """Halves of some real rows, drawn at random: files are often sorted by class."""
        mixed = some(rows, 2 * GROUND, 0)
        half = len(mixed) // 2
        first, second = mixed[:half], mixed[half : 2 * half]
        return cls(space, features(space, first.x), features(space, second.x), first)

    @cached_property
    def floor(self) -> Spread:
        return Spread.of(self.real, self.other, self.other)

    def spread(self, model: object, seed: int = 0) -> Spread:
        """Of as many draws of a model."""
        assert isinstance(model, Samples)
        with steady(model, seed):
            drawn = [model.sample(part.given).cpu() for part in chunks(model, self.given, ROWS)]
        x = torch.cat(drawn)
        if not x.isfinite().all():
            return NOWHERE
        return Spread.of(self.real, features(self.space, x), self.other)


def groundable(space: Space, rows: Batch) -> bool:
    """Whether draws of a Space can be laid beside real rows."""
    return not featureless(space) and len(rows) >= FEWEST


def features(space: Space, x: Tensor) -> Tensor:
    """Rows as the extractor for their layout sees them, (n, d)."""
    extractor = extractors.extractor(EXTRACTORS[sort(space)])
    return extractors.features(extractor, canonical(space, x)).double().cpu()


# --- Both ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vitals:
    """A game at one moment; what could not be looked at is NaN.

    Args:
        train, held_out: how well the critic ranks such rows above drawn ones.
        overfitting, least: r_v, and the lower end of its interval.
        spread: of the draws. floor: of real rows.
        rise: how much more each number of the spread is than at the reading before.
        finite: whether every gradient was, since then.
        modes, classes: classes that are drawn, and that real data have.
    """

    train: float = NAN
    held_out: float = NAN
    overfitting: float = NAN
    least: float = NAN
    spread: Spread = UNKNOWN
    floor: Spread = UNKNOWN
    rise: Spread = UNKNOWN
    finite: bool = True
    modes: float = NAN
    classes: float = NAN

    def numbers(self) -> dict[str, Any]:
        """What the log keeps, none of it that is not known."""
        known = {"overfitting": self.overfitting} if math.isfinite(self.overfitting) else {}
        spread = {name: v for name, v in asdict(self.spread).items() if math.isfinite(v)}
        return known | ({"spread": spread} if spread else {})


@dataclass(frozen=True)
class Watched:
    """What a game is read on while it trains.

    Args:
        train, held_out: rows. ground: the real rows that draws are laid beside; at most one.
    """

    train: Batch
    held_out: Batch
    ground: tuple[Ground, ...] = ()

    def judged(self, model: object, seed: int = 0) -> tuple[Judged, ...]:
        """What the critic of a model makes of the rows; nothing where it judges codes."""
        if not isinstance(model, Criticises):
            return ()
        return (judged(model, self.train, self.held_out, seed),)

    def read(
        self,
        model: object,
        averaged: object,
        before: Spread = UNKNOWN,
        finite: bool = True,
        seed: int = 0,
    ) -> Vitals:
        """The critic of a model as it plays, and the draws of its averaged twin.

        Args:
            before: their spread at the reading before. finite: whether gradients were since.
        """
        vitals = Vitals(finite=finite)
        for told in self.judged(model, seed):
            vitals = replace(
                vitals,
                train=told.ranks["train"],
                held_out=told.ranks.get("held_out", NAN),
                overfitting=told.overfitting.value,
                least=told.overfitting.low,
            )
        for ground in self.ground:
            spread = ground.spread(averaged, seed)
            vitals = replace(vitals, spread=spread, floor=ground.floor, rise=spread.since(before))
        return vitals


def played(model: object) -> bool:
    """Whether a model draws, and learns to by a game against a critic."""
    return isinstance(model, Samples) and (isinstance(model, Criticises) or bool(critics(model)))
