r"""A contest between real and drawn observations, and what a critic loses in it.

For an objective $(\ell_D, \ell_G)$ and penalties $P_i$, a critic D minimises

$$ \ell_D\big(D(x), D(\hat x)\big) + \sum_i \mathbb E\, P_i , $$

x real and x̂ drawn, neither of which learns from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from twofold.core.game import Progress
from twofold.maths.adversarial import Objective
from twofold.maths.penalties import Contest, Penalty, steepness


def contest(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, penalties: Sequence[Penalty]
) -> Contest:
    """A critic's judgement of a real batch and a drawn one, ready for its penalties."""
    real, fake = (t.detach().requires_grad_(bool(penalties)) for t in (real, fake))
    return Contest(judge, real, fake, judge(real), judge(fake))


def sureness(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """How real the critic finds real observations (B,), from logits: above 0 it knows them as such.

    Where the objective looks at differences alone, logits have no zero of their own, and the mean
    of the drawn is in its place.

    >>> from twofold.maths.adversarial import NonSaturating, Relativistic
    >>> real, fake = torch.tensor([5.0, 6.0]), torch.tensor([4.0, 7.0])
    >>> [sureness(part, real, fake).tolist() for part in (NonSaturating(), Relativistic())]
    [[5.0, 6.0], [-0.5, 0.5]]
    """
    return real - fake.mean() if objective.relative else real


def critic_loss(
    contest: Contest, objective: Objective, penalties: Sequence[Penalty], progress: Progress
) -> tuple[Tensor, dict[str, Tensor]]:
    """What the critic minimises, and what the log keeps of it."""
    real, fake = contest.real_logits, contest.fake_logits
    paid = steepness(penalties, contest, progress)
    notes = {"steepness": paid, "real": real.mean(), "fake": fake.mean()}
    return objective.critic(real, fake) + paid, notes


def generator_loss(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, objective: Objective
) -> Tensor:
    """What the generator minimises; the real observations are looked at only where that matters."""
    fake_logits = judge(fake)
    with torch.no_grad():
        real_logits = judge(real) if objective.relative else torch.zeros_like(fake_logits)
    return objective.generator(real_logits, fake_logits)
