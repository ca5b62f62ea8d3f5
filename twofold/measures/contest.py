r"""What the critic of a game makes of training, held-out and drawn observations.

* **critic_ranks_train**, **critic_ranks_held_out**: the share of pairs of a real and a drawn
  observation of which it ranks the real one higher;
* **critic_accuracy_train**, **…_held_out**, **…_fake**: how often it is right, at the threshold
  that suits training and drawn ones best;
* **critic_overfitting**: $r_v$, 0 where held-out observations are judged as training ones are, and
  1 where they are judged as drawn ones (Karras et al. 2020, arXiv:2006.06676, Eq. 1).

All as in `measures/vitals.py`, where the equations are. A critic that is never wrong and one that
is always fooled can both belong to a good generator; what is telling is a difference between
training and held-out observations. The weights are those that are measured, averaged ones where the
run keeps them, of critic and generator alike. Intervals resample one side, with the other held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twofold.core.game import Criticises, Samples
from twofold.measures.estimate import SHARES, mean, some
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.vitals import judged

CHANCE = "chance"


@dataclass(frozen=True)
class Critic(Measure):
    """How the critic of a game judges training, held-out and drawn observations.

    Args:
        n: at most so many of each.
    """

    n: int = 2048
    names = (
        "critic_ranks_train",
        "critic_ranks_held_out",
        "critic_accuracy_train",
        "critic_accuracy_held_out",
        "critic_accuracy_fake",
        "critic_overfitting",
    )
    within = dict.fromkeys(names[:-1], SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if not isinstance(evidence.model, Criticises) or not isinstance(evidence.model, Samples):
            return "the model has no critic of observations"
        enough = min(len(evidence.real), len(evidence.train)) > 1
        return "" if enough else "it needs 2 held-out and 2 training observations"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        seed = evidence.seed
        train, real = (some(rows, self.n, seed) for rows in (evidence.train, evidence.real))
        told = judged(evidence.model, train, real, seed)
        shares = {f"critic_ranks_{side}": terms for side, terms in told.beaten.items()}
        shares |= {f"critic_accuracy_{side}": terms for side, terms in told.right.items()}
        found = [
            evidence.figure(
                name,
                mean(terms, seed),
                len(terms),
                "neither",
                baseline=0.5,
                baseline_name=CHANCE,
                note="pairs with a draw" if "ranks" in name else "at its best threshold",
            )
            for name, terms in shares.items()
        ]
        r_v = evidence.figure(
            "critic_overfitting",
            told.overfitting,
            len(real),
            "lower",
            floor=0.0,
            note="r_v: 1 where held-out observations are judged as drawn ones are",
        )
        return [*found, *([r_v] if r_v.value == r_v.value else [])]
