r"""TimeGAN: a game over the states of series, which are also taught to go on as the data do.

An autoencoder turns each window into states, step by step and never looking ahead, and states into
windows again; a generator draws states of noise, each from the one before; a critic tells drawn
states from those of data. The generator is moreover *supervised*: from the states of real windows
it is to make the next ones. With $h = e(x)$ and $\hat h_t = g(\hat h_{t-1}, z_t)$,

$$ \begin{aligned}
\text{autoencoder:}\quad & \mathcal L_R + \lambda \mathcal L_S,
   & \mathcal L_R &= -\mathbb E \log p(x \mid h), \\
\text{critic, generator:}\quad & \mathcal L_U \text{ and } \mathcal L_U + \eta\, \mathcal L_S,
   & \mathcal L_S &= \mathbb E\, \| h_t - g(h_{t-1}, z_t) \|^2, \\
\end{aligned} $$

$\mathcal L_U$ the losses of a GAN of h against ĥ. The game teaches which windows there are, the
supervision how a step follows the last, which a critic of whole windows says only late. Since p
observes states, and is not differentiated through, fields may be anything, categories too.

Here the three are trained in one game, where the publication first trains the autoencoder and the
supervision by themselves; the squared error is a mean over the numbers of a state, and x has a
likelihood in place of one.

Source: Yoon et al. 2019, Time-series Generative Adversarial Networks, NeurIPS 32, §4.

Notation: x (B, C, T); h, ĥ (B, W, T); z (B, Z, T), as a code (B, Z T); D(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Criticises, Decodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.distributions import Normal
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.penalties import R1, R2, Penalty
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.coding import CodeCritic
from twofold.nets.recurrent import Emission, Recurrence
from twofold.nets.steadying import Steadied


class TimeGAN(Model, Decodes, Criticises, Steadied):
    """The TimeGAN of a Space of series.

    Args:
        hidden: W, the width of a state.
        noise: Z, the numbers of noise a step.
        critic: the architecture of D, over the states of a window.
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        ahead: λ, the weight of the supervision in what the autoencoder minimises.
        supervision: η, its weight in what the generator minimises.
        objective: what critic and generator minimise of the game.
        penalties: what the critic pays besides, summed.

    Raises:
        UserError: the data are no series.

    >>> from twofold.core.space import Field, Real
    >>> pulse = Space((Field("pulse", Real()), Field("flow", Real())), (9,))
    >>> TimeGAN(pulse, Space()).sample(Given.none(3, Space())).shape
    torch.Size([3, 2, 9])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        hidden: PositiveInt = 32,
        noise: PositiveInt = 8,
        critic: Architecture = Suited(),
        likelihood: tuple[Likelihood, ...] = (),
        ahead: NonNegativeFloat = 1.0,
        supervision: NonNegativeFloat = 10.0,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(0.1), R2(0.1)),
    ) -> None:
        super().__init__(space, given)
        if len(space.axes) != 1 or space.layout != "grid":
            raise UserError("timegan is for series, and these data are none; use gan or vae")
        self.noise, self.latent = noise, noise * space.axes[0]
        self.ahead, self.supervision = ahead, supervision
        self.e = Recurrence(space.width, given.width, hidden)
        self.p = Emission(hidden, ObservationSpec(space, likelihood))
        self.g = Recurrence(noise, given.width, hidden)
        self.D = CodeCritic(critic, hidden, given, objective, penalties, space.axes)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.e, self.p], "critic": [self.D], "generator": [self.g]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        h = self.e(x, given.c)
        distortion = -self.p(h).log_prob(x).mean()
        missed = self.supervised(h, given)
        notes = {"distortion": distortion, "supervised": missed}
        yield Turn(notes, autoencoder=distortion + self.ahead * missed)
        with torch.no_grad():
            h, h_hat = self.e(x, given.c), self.drawn(given)
        loss, notes = self.D.told(h, h_hat, given.c, progress)
        yield Turn(notes, critic=loss)
        deceived = self.D.deceived(h, self.drawn(given), given.c)
        yield Turn(generator=deceived + self.supervision * self.supervised(h, given))

    def supervised(self, h: Tensor, given: Given) -> Tensor:
        """L_S: how far g, told each state, is from the next, a mean over numbers."""
        z = torch.randn_like(h[:, :1, 1:].expand(-1, self.noise, -1))
        return (h[:, :, 1:] - self.g.step(z, h[:, :, :-1], given.c)).square().mean()

    def drawn(self, given: Given) -> Tensor:
        """ĥ, with gradient."""
        return self.states(self.prior(given).sample(), given)

    def states(self, z: Tensor, given: Given) -> Tensor:
        """ĥ (B, W, T) of a code (B, Z T)."""
        states: Tensor = self.g(z.unflatten(1, (self.noise, -1)), given.c)
        return states

    def judge(self, x: Tensor, given: Given) -> Tensor:
        """The logit of an observation's states."""
        logit: Tensor = self.D(self.e(x, given.c), given.c)
        return logit

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Observation:
        return self.p(self.states(z, given))

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
