r"""A critic of codes: z, with what is given, to a logit, and the game that it plays.

What is told apart are not observations but codes: draws z of a distribution that they are to follow
and codes ẑ that a network made. The `objective` says what critic and network minimise (see
`maths/adversarial.py`), and the penalties are those of any critic, with slopes in z.
"""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space
from twofold.maths.adversarial import Objective
from twofold.maths.penalties import Contest, Penalty, steepness
from twofold.nets.bodies import Architecture
from twofold.nets.critics import Critic, Judge


class CodeCritic(Judge):
    """D(z, given), (B,): high for a code that follows the distribution.

    Args:
        architecture: of the body, dense. latent: dimensions of z. features: the width of φ.
        objective: what the two minimise. penalties: what the critic pays besides.
        axes: of a code that has numbers at each place, z (B, D, *A).

    >>> from twofold.maths.adversarial import NonSaturating
    >>> from twofold.nets.bodies import Dense
    >>> critic = CodeCritic(Dense(), 2, Space(), NonSaturating(), ())
    >>> critic(torch.randn(5, 2), torch.zeros(5, 0)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        architecture: Architecture,
        latent: int,
        given: Space,
        objective: Objective,
        penalties: tuple[Penalty, ...],
        axes: tuple[int, ...] = (),
        features: int = 128,
    ) -> None:
        super().__init__()
        codes = Space((Field("z", Real(), latent),), axes)
        self.net = Critic(architecture, codes, given, features, False)
        self.objective, self.penalties = objective, penalties

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        logits: Tensor = self.net(z, c)
        return logits

    def told(
        self, z: Tensor, z_hat: Tensor, c: Tensor, progress: Progress
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What the critic minimises, a mean over rows, and what the log keeps of it."""
        z, z_hat = (t.detach().requires_grad_(bool(self.penalties)) for t in (z, z_hat))
        contest = Contest(lambda t: self(t, c), z, z_hat, self(z, c), self(z_hat, c))
        loss = self.objective.critic(contest.real_logits, contest.fake_logits)
        paid = steepness(self.penalties, contest, progress)
        notes = {"drawn": contest.real_logits.mean(), "coded": contest.fake_logits.mean()}
        return loss + paid, {"steepness": paid, **notes}

    def deceived(self, z: Tensor, z_hat: Tensor, c: Tensor) -> Tensor:
        """What a network that makes ẑ minimises, a mean over rows."""
        with torch.no_grad():
            real = self(z, c)
        return self.objective.generator(real, self(z_hat, c))
