r"""What ails a game between critic and generator, and by what it is seen.

One reading, `Vitals`, is judged by rules in order; the first that holds is the diagnosis, for the
causes come before what they lead to:

* **diverged**: a gradient or a draw is not a number; half of the draws lie farther from any
  observation than observations lie from each other; or all draws are one and none is near the data.
* **overfitting**: the critic tells training rows from draws, and judges held-out rows more like
  draws than like training rows (Karras et al. 2020, arXiv:2006.06676, Fig. 2 and Eq. 1).
* **critic too strong**: it ranks nearly every held-out row above nearly every draw, and draws that
  reach a part of the data only become neither more various nor better: nothing is learnt.
* **collapsing**: draws reach a part of the data only. Either good ones are repeated: what is
  missing is variety, not time (Arora et al. 2018). Or draws reach no more of the data than at the
  reading before, and are good, or too much alike and no better than they were. Or classes are
  missing.
* **healthy**: none of these. A young game with poor draws, but better ones than before, is healthy.

The limits are `LIMITS`. They were set on games with other seeds than those that tests and pages
report, and each compares with what real rows reach, so that they hold for any data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from twofold.measures.measure import Figure
from twofold.measures.vitals import UNKNOWN, Spread, Vitals

Verdict = Literal["healthy", "collapsing", "critic too strong", "overfitting", "diverged"]


@dataclass(frozen=True)
class Limits:
    """Where a number begins to mean something.

    Args:
        apart: draws farther from the data than this are outside it, unless they are on their way.
        gone: draws farther from it than this are not on their way.
        alike: draws with a support below are all one.
        overfitting, least: r_v, and the lower end of its interval, from which held-out rows are
            judged as drawn ones are.
        told: ranks of training rows from which a critic tells them from draws at all.
        strong: ranks of held-out rows from which it is never fooled.
        poor: share of the floor's precision, recall or coverage below which draws are poor.
        crowded: share of the floor's support below which they are too much alike.
        repeated: share of it below which they are the same few.
        risen: how much a share of draws or of real rows must rise to be said to.
        missing: classes fewer than real data have that chance does not explain.
    """

    apart: float = 1.0
    gone: float = 2.0
    alike: float = 2.0
    overfitting: float = 0.4
    least: float = 0.2
    told: float = 0.7
    strong: float = 0.95
    poor: float = 0.6
    crowded: float = 0.5
    repeated: float = 0.1
    risen: float = 0.05
    missing: float = 0.5


LIMITS = Limits()
WORDS = {"critic too strong": "lost to a critic that is too strong"}


@dataclass(frozen=True)
class Diagnosis:
    """A verdict, and because of what, in words.

    >>> str(Diagnosis("collapsing", "recall is 0.04 where real data reach 0.71"))
    'collapsing: recall is 0.04 where real data reach 0.71'
    """

    verdict: Verdict
    because: str

    @property
    def healthy(self) -> bool:
        return self.verdict == "healthy"

    @property
    def words(self) -> str:
        """The verdict after "the game is"."""
        return WORDS.get(self.verdict, self.verdict)

    def __str__(self) -> str:
        return f"{self.verdict}: {self.because}"


def diagnose(vitals: Vitals) -> Diagnosis:
    """The first rule that holds.

    >>> print(diagnose(Vitals(train=0.9, held_out=0.5, overfitting=0.8, least=0.6)))
    overfitting: the critic ranks training observations above draws in 90% of pairs, held-out \
ones in 50%; r_v is 0.80, where 0 is even
    """
    for verdict, rule in RULES.items():
        found = list(rule(vitals))
        if found:
            return Diagnosis(verdict, "; ".join(found))
    return Diagnosis("healthy", well(vitals))


def diverged(vitals: Vitals) -> Iterator[str]:
    spread, away = vitals.spread, vitals.rise.apart >= -LIMITS.risen  # not where it is not known
    if not vitals.finite:
        yield "gradients were not finite"
    if not spread.finite:
        yield "draws are not finite"
    elif spread.apart > LIMITS.gone or (spread.apart > LIMITS.apart and away):
        yield (
            f"half of the draws lie {spread.apart:.2g} times as far from any observation as these "
            "lie from each other"
        )
    elif spread.support < LIMITS.alike and not spread.precision:
        yield "all draws are one and the same, and it is not near the data"


def overfitting(vitals: Vitals) -> Iterator[str]:
    sure = vitals.overfitting >= LIMITS.overfitting and vitals.least >= LIMITS.least
    if sure and vitals.train >= LIMITS.told:
        yield (
            f"the critic ranks training observations above draws in {vitals.train:.0%} of pairs, "
            f"held-out ones in {vitals.held_out:.0%}"
        )
        yield f"r_v is {vitals.overfitting:.2f}, where 0 is even"


def too_strong(vitals: Vitals) -> Iterator[str]:
    unseen = vitals.held_out == vitals.held_out  # else there are none, and training rows must do
    ranks, which = (vitals.held_out, "held-out") if unseen else (vitals.train, "training")
    names = ("recall", "precision")
    stuck = poor(vitals, "recall") and not any(risen(vitals, name) for name in names)
    if ranks >= LIMITS.strong and stuck:
        yield f"the critic ranks {which} observations above draws in {ranks:.1%} of pairs"
        yield from (reached(vitals, name) for name in names)


def collapsing(vitals: Vitals) -> Iterator[str]:
    support, good = vitals.spread.support / vitals.floor.support, not poor(vitals, "precision")
    repeated = support < LIMITS.repeated and good
    alike = support < LIMITS.crowded and not risen(vitals, "precision")
    stuck = not risen(vitals, "recall") and (alike or good)
    if poor(vitals, "recall") and (repeated or stuck):
        yield reached(vitals, "recall")
        yield again(vitals) if support < LIMITS.crowded else reached(vitals, "precision")
    if vitals.modes < vitals.classes - LIMITS.missing:
        yield f"{vitals.modes:.0f} of {vitals.classes:.0f} classes are drawn"


RULES: Mapping[Verdict, Callable[[Vitals], Iterator[str]]] = {
    "diverged": diverged,
    "overfitting": overfitting,
    "critic too strong": too_strong,
    "collapsing": collapsing,
}


def again(vitals: Vitals) -> str:
    """How soon draws repeat, beside real ones."""
    return (
        f"draws repeat as if there were {vitals.spread.support:,.0f} of them, real ones as if "
        f"there were {vitals.floor.support:,.0f}"
    )


def poor(vitals: Vitals, name: str) -> bool:
    """Whether draws reach little of what real rows do; not where that is not known."""
    mark: float = getattr(vitals.floor, name)
    return bool(getattr(vitals.spread, name) < LIMITS.poor * mark)


def risen(vitals: Vitals, name: str) -> bool:
    """Whether a number of the draws rose since the reading before; not where that is not known."""
    return bool(getattr(vitals.rise, name) >= LIMITS.risen)


def reached(vitals: Vitals, name: str) -> str:
    """A number of the draws beside the real one's."""
    ours, mark = (getattr(spread, name) for spread in (vitals.spread, vitals.floor))
    return f"{name} is {ours:.2f} where real data reach {mark:.2f}"


def well(vitals: Vitals) -> str:
    """What a healthy game is seen by."""
    told = [
        *([f"the critic ranks real above drawn in {vitals.train:.0%} of pairs"]
          if vitals.train == vitals.train else []),
        *([reached(vitals, "recall")] if vitals.spread.recall == vitals.spread.recall else []),
        *(["little as yet, and no sign of more than youth"] if poor(vitals, "recall") else []),
    ]  # fmt: skip
    return "; ".join(told) or "nothing speaks against it"


def vitals_of(figures: Sequence[Figure], rise: Spread = UNKNOWN) -> Vitals:
    """What measured figures say of a game; what they do not is NaN.

    Args:
        rise: of the spread over the last two readings of training.
    """
    known = {figure.name: figure for figure in figures}
    value = {name: figure.value for name, figure in known.items()}
    mark = {name: figure.floor for name, figure in known.items()}
    overfitting = known.get("critic_overfitting")
    judged = known["modes_accuracy"].value >= JUDGED if "modes_accuracy" in known else False
    modes = known["modes_covered"] if judged and "modes_covered" in known else ()
    return Vitals(
        value.get("critic_ranks_train", NAN),
        value.get("critic_ranks_held_out", NAN),
        overfitting.value if overfitting else NAN,
        overfitting.low if overfitting else NAN,
        spread_of(value),
        spread_of(mark),
        rise,
        modes=modes.value if modes else NAN,
        classes=modes.floor if modes else NAN,
    )


JUDGED = 0.7
"""Accuracy of the classifier below which classes cannot be counted."""
NAN = float("nan")


def spread_of(table: Mapping[str, float]) -> Spread:
    """The spread that numbers by the names of figures tell."""
    names = ("precision", "recall", "coverage", "birthday_support", "draws_apart")
    return Spread(*(table.get(name, NAN) for name in names))
