"""An encoder: x, with what is given, to q(z | x)."""

from __future__ import annotations

from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.distributions import Posterior
from twofold.nets.bodies import Architecture
from twofold.nets.posteriors import Diagonal, Form


class Encoder(nn.Module):
    """q(z | x, given).

    Args:
        architecture: of the body. space, given: what it sees. latent: dimensions of z.
        form: of the posterior.
    """

    def __init__(
        self,
        architecture: Architecture,
        space: Space,
        given: Space,
        latent: int,
        form: Form = Diagonal(),
    ) -> None:
        super().__init__()
        self.head = form.build(latent)
        self.body = architecture.down(space, given, self.head.inputs)

    def forward(self, x: Tensor, c: Tensor) -> Posterior:
        return self.head(self.body(x, c))
