r"""Truncation: draws from the middle of what a model can draw.

Values of a normal code beyond a threshold are not drawn: what is rare is lost, and what is typical
is drawn more often and better (the truncation trick, Brock et al. 2019, arXiv:1809.11096, §3.1).

Notation: z (B, D) of a standard normal prior, each value within ± `threshold`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Samples
from twofold.core.space import Space
from twofold.maths.distributions import StandardNormal


@dataclass(frozen=True)
class Truncated(Samples):
    """A model that draws from the middle of its codes.

    Args:
        model: what draws. space: of what it draws. threshold: the most that a value may be.
    """

    model: Decodes
    space: Space
    threshold: float

    def sample(self, given: Given) -> Tensor:
        """One x a row.

        Raises:
            UserError: codes are not drawn from a standard normal.
        """
        prior = self.model.prior(given)
        if not isinstance(prior, StandardNormal):
            raise UserError(
                "truncation cuts the tails of a standard normal, and this model draws its codes "
                "from another density; leave it out, or try --prior own where one was fitted"
            )
        p = self.model.decode(prior.truncated(self.threshold), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()
