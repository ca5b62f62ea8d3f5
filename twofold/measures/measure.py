"""What a measure is: a number with its protocol in its name, never alone.

A `Measure` looks at `Evidence` (held-out real observations, training ones, drawn ones, and the
model where there is one) and returns `Figure`s. A figure carries its interval, the number of
observations, the seed and the split; its *floor*, the same measure of real against real at the same
sizes; and, where one exists, the figure of a simple *baseline*. A measure that does not apply to
some evidence says why, and is not computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from twofold.core.batch import Batch
from twofold.core.build import classes_in
from twofold.core.errors import UserError, nearest
from twofold.core.space import Space
from twofold.measures.estimate import Possible
from twofold.measures.factors import Factors

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Evidence:
    """What there is to measure on.

    Args:
        space: what one observation is; `given`: what may be known of it.
        real: held-out real observations, `split` says of which split.
        train: observations the model was trained on, at most some thousands.
        fake: observations drawn from the model, or from a second folder, with what was given.
        model: the model, for measures that ask for one of its roles; an empty tuple where none is.
        seed: of every random choice a measure makes.
        factors: of the held-out observations, as far as no model is given them.
    """

    space: Space
    given: Space
    real: Batch
    train: Batch
    fake: Batch
    model: object = ()
    split: str = "test"
    seed: int = 0
    factors: Factors = Factors()

    def figure(
        self, name: str, estimate: tuple[float, float, float], n: int, better: Better, **rest: Any
    ) -> Figure:
        """A figure of this evidence: its split and seed, and what else a `Figure` takes."""
        return Figure(name, *estimate, n, better, seed=self.seed, split=self.split, **rest)


@dataclass(frozen=True)
class Figure:
    """One number and all it needs to be read.

    Args:
        name: the protocol, such as `fd_tiny-v1`; unique within a report.
        value, low, high: the estimate and its 95 % interval, in the measure's own unit.
        n: observations (a side, where there are two sides).
        floor: the same measure, real against real, at the same sizes; NaN where it has no meaning.
        baseline: the same measure of a simple baseline named `baseline_name`; NaN where none.
        better: which way is good.
        unit: nats, bits, pixels; empty for a pure number.
        note: one sentence for the reader: what the number says, or what it does not.
        parts: the same by dimension or by class, where the number is made of such parts.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    better: Better
    floor: float = float("nan")
    baseline: float = float("nan")
    baseline_name: str = ""
    unit: str = ""
    seed: int = 0
    split: str = "test"
    note: str = ""
    parts: tuple[float, ...] = ()


class Measure(ABC):
    """One family of figures; final classes are default-constructible frozen dataclasses."""

    quick: ClassVar[bool] = False
    """Whether it is cheap enough to look at while training."""

    costly: ClassVar[bool] = False
    """Whether it takes minutes, and is computed only where it is asked for by name."""

    within: ClassVar[Mapping[str, Possible]] = {}
    """What a figure can be, by name, where that is not any number."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the figures it can return; unique among all measures."""

    @abstractmethod
    def refuses(self, evidence: Evidence) -> str:
        """Why it does not apply to this evidence; empty when it does."""

    @abstractmethod
    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        """The figures."""

    def lacks(self, made: Sequence[Figure]) -> str:
        """Why, of its names, some are not among the figures that it made."""
        return "it is for another layout of data than this"


UNASKED = "it takes minutes and is computed only when it is named"


def every_measure() -> list[Measure]:
    """One of each measure in this package, in the order of their files."""
    return [make() for make in classes_in("twofold.measures", Measure)]


def figures(
    evidence: Evidence, names: Iterable[str] = (), skip: Iterable[str] = ()
) -> tuple[list[Figure], dict[str, str]]:
    """All figures that apply to the evidence, and why each of the others does not.

    Args:
        names: only these; all of them but the costly ones when empty.
        skip: all but these.

    Raises:
        UserError: a name that no measure has.
    """
    measures = every_measure()
    named = set(names)
    wanted = chosen([name for measure in measures for name in measure.names], named, skip)
    costly = {name for measure in measures if measure.costly for name in measure.names}
    found: list[Figure] = []
    refused = dict.fromkeys(sorted((wanted & costly) - named), UNASKED)
    wanted -= set(refused)
    for measure in measures:
        asked = [name for name in measure.names if name in wanted]
        made, reasons = attempt(measure, evidence, asked) if asked else ([], {})
        found += made
        refused |= reasons
    return found, refused


def quick_figures(evidence: Evidence, n: int = 512) -> list[Figure]:
    """The cheap figures, on at most n observations a side: what a training tick can afford.

    A distance depends on n; compare such a figure only with others of the same n.
    """
    short = replace(
        evidence,
        real=evidence.real[:n],
        train=evidence.train[:n],
        fake=evidence.fake[:n],
        factors=evidence.factors[:n],
    )
    ready = [measure for measure in every_measure() if measure.quick and not measure.refuses(short)]
    return [figure for measure in ready for figure in measure(short)]


def chosen(known: Sequence[str], names: Iterable[str], skip: Iterable[str]) -> set[str]:
    """The names to compute, checked.

    >>> sorted(chosen(["elbo", "kl"], (), ("kl",)))
    ['elbo']
    >>> chosen(["elbo", "kl"], ("ebo",), ())
    Traceback (most recent call last):
    ...
    twofold.core.errors.UserError: 'ebo' is not a measure; did you mean 'elbo'?
    """
    only, without = set(names), set(skip)
    for name in sorted(only | without):
        if name not in known:
            raise UserError(f"{name!r} is not a measure; {nearest(name, known)}")
    return (only or set(known)) - without


def attempt(
    measure: Measure, evidence: Evidence, asked: Sequence[str]
) -> tuple[list[Figure], dict[str, str]]:
    """The figures asked of one measure, or its reason for each that it does not give."""
    if reason := measure.refuses(evidence):
        return [], dict.fromkeys(asked, reason)
    every = measure(evidence)
    made = [figure for figure in every if figure.name in asked]
    absent = [name for name in asked if name not in {figure.name for figure in made}]
    return made, dict.fromkeys(absent, measure.lacks(every))
