r"""An encoder for a generator that was trained without one, by what the critic sees: izi_f.

With G and D as they are, an encoder E is trained so that an observation comes back (image → z →
image), and looks alike to the critic, whose features are f:

$$ \mathcal L = \frac1n \big\|x - G(E(x))\big\|^2
   + \frac\kappa{n_d} \big\|f(x) - f(G(E(x)))\big\|^2 . $$

The same sum is the anomaly score of f-AnoGAN; `apps/terms.py` has its two halves.

Source: Schlegl, Seeböck, Waldstein, Langs & Schmidt-Erfurth 2019, f-AnoGAN: Fast unsupervised
anomaly detection with generative adversarial networks, Medical Image Analysis 54.

Notation: n numbers of an observation, n_d features of the critic.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Distribution, Encodes, Model, Regards
from twofold.maths.distributions import Dirac
from twofold.nets.bodies import Architecture
from twofold.nets.fit import minibatches

KAPPA = 1.0


class Inverted(Decodes, Encodes, Regards):
    """A generator with an encoder of its own: what the roles of a GAN lack to score.

    Args:
        model: decodes, and perhaps has a critic. body: E.
    """

    def __init__(self, model: Model, body: nn.Module) -> None:
        assert isinstance(model, Decodes)
        self.model, self.body, self.latent = model, body, model.latent
        self.space, self.given = model.space, model.given

    def encode(self, x: Tensor, given: Given) -> Dirac:
        return Dirac(self.body(x, given.c))

    def prior(self, given: Given) -> Distribution:
        return self.model.prior(given)

    def decode(self, z: Tensor, given: Given) -> Distribution:
        return self.model.decode(z, given)

    def sample(self, given: Given) -> Tensor:
        return self.model.sample(given)

    def regard(self, x: Tensor, z: Tensor, given: Given) -> Tensor:
        """f, where the model has a critic that can be asked; else no features."""
        if isinstance(self.model, Regards):
            return self.model.regard(x, z, given)
        return x.new_zeros(x.shape[0], 0)


def encoder_for(architecture: Architecture, model: Model) -> nn.Module:
    """A fresh E."""
    assert isinstance(model, Decodes)
    return architecture.down(model.space, model.given, model.latent)


def unlike(model: Inverted, x: Tensor, given: Given, z: Tensor) -> Tensor:
    """The loss of each row, (B,)."""
    x_hat = model.decode(z, given).mean
    error = (x - x_hat).flatten(1).square().mean(1)
    f_x, f_hat = (model.regard(t, z, given) for t in (x, x_hat))
    return error + KAPPA * (f_x - f_hat).square().sum(1) / max(1, f_x.shape[1])


def inverted(
    model: Model, body: nn.Module, train: Batch, *, steps: int, lr: float = 1e-3, seed: int = 0
) -> Inverted:
    """Train a fresh E in place, for a model whose weights stay."""
    whole = Inverted(model, body)
    optimiser = torch.optim.Adam(body.parameters(), lr)
    draw = minibatches(len(train), 64, seed)
    with torch.enable_grad():
        for _ in range(steps):
            rows = next(draw)
            x, given = train.x[rows], train.given[rows]
            optimiser.zero_grad()
            unlike(whole, x, given, whole.encode(x, given).point).mean().backward()
            optimiser.step()
    body.eval().requires_grad_(False)
    return whole
