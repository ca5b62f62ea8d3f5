r"""The form of q(z | x), as a part of a VAE.

An encoder's body ends in as many numbers as its posterior needs. `Diagonal` takes a mean and a
scale a dimension; `Full` a whole covariance, $L L^\top$; `Flow` a diagonal Gaussian that invertible
layers bend, each seeing the encoder's output (Rezende & Mohamed 2015, arXiv:1505.05770; affine
couplings, Dinh et al. 2017, arXiv:1605.08803, as zuko has them).

Notation: x (B, C, *A), z (B, D), μ and σ (B, D) and L (B, D, D) by the encoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.maths.distributions import FullNormal, Normal, Posterior
from twofold.nets.flows import affine_couplings

LIMIT = 6.0
SPREAD_DRAWS = 64


class Head(nn.Module, ABC):
    """From `inputs` numbers a row to q(z | x)."""

    inputs: int

    @abstractmethod
    def forward(self, raw: Tensor) -> Posterior:
        """The posterior of rows (B, inputs)."""


class Form(Part, ABC):
    """A form of posterior."""

    @abstractmethod
    def build(self, latent: int) -> Head:
        """The head for codes of so many dimensions."""


@dataclass(frozen=True)
class Diagonal(Form):
    r"""A Gaussian of independent dimensions.

    $$ q(z \mid x) = \mathcal N\big(z;\, \mu(x),\, \operatorname{diag} \sigma^2(x)\big) $$

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    def build(self, latent: int) -> Head:
        return DiagonalHead(latent)


@dataclass(frozen=True)
class Full(Form):
    r"""A Gaussian of any covariance.

    $$ q(z \mid x) = \mathcal N\big(z;\, \mu(x),\, L(x) L(x)^\top\big),
     \qquad L \text{ lower triangular, with a positive diagonal} $$

    Source: Kingma & Welling 2019, An Introduction to Variational Autoencoders, arXiv:1906.02691.
    """

    def build(self, latent: int) -> Head:
        return FullHead(latent)


@dataclass(frozen=True)
class Flow(Form):
    r"""A diagonal Gaussian through affine couplings.

    $$ z = f(\varepsilon; h(x)), \qquad
     \log q(z \mid x) = \log \mathcal N(\varepsilon; \mu(x), \operatorname{diag} \sigma^2(x))
     - \log \Big| \det \frac{\partial f}{\partial \varepsilon} \Big| $$

    Args:
        transforms: couplings. width: of their hidden layer. context: numbers h each sees of x.

    Source: Rezende & Mohamed 2015, arXiv:1505.05770; couplings, Dinh et al. 2017, arXiv:1605.08803.
    """

    transforms: PositiveInt = 4
    width: PositiveInt = 64
    context: PositiveInt = 16

    def build(self, latent: int) -> Head:
        return FlowHead(latent, self)


class DiagonalHead(Head):
    def __init__(self, latent: int) -> None:
        super().__init__()
        self.inputs = 2 * latent

    def forward(self, raw: Tensor) -> Normal:
        mu, log_sigma = raw.chunk(2, 1)
        return Normal(mu, limited(log_sigma))


class FullHead(Head):
    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent, self.inputs = latent, 2 * latent + latent * (latent - 1) // 2

    def forward(self, raw: Tensor) -> FullNormal:
        D = self.latent
        mu, log_sigma, below = raw.split([D, D, self.inputs - 2 * D], 1)
        L = torch.diag_embed(limited(log_sigma).exp())
        row, column = torch.tril_indices(D, D, -1, device=raw.device)
        return FullNormal(
            mu, L.index_put((torch.arange(raw.shape[0]).unsqueeze(1), row, column), below)
        )


class FlowHead(Head):
    def __init__(self, latent: int, form: Flow) -> None:
        super().__init__()
        self.latent, self.inputs = latent, 2 * latent + form.context
        self.flow = affine_couplings(latent, form.context, form.transforms, form.width)

    def forward(self, raw: Tensor) -> FlowPosterior:
        mu, log_sigma, context = raw.split(
            [self.latent, self.latent, self.inputs - 2 * self.latent], 1
        )
        return FlowPosterior(Normal(mu, limited(log_sigma)), context, self.flow)


@dataclass(frozen=True)
class FlowPosterior(Posterior):
    """z = f(ε; h), ε from a diagonal Gaussian: `flow` maps z to ε, given `context` h (B, H).

    Its mean and standard deviation have no closed form: `mean` is the image of the base's mean, and
    `sigma` is taken over draws.
    """

    base: Normal
    context: Tensor
    flow: nn.Module

    @cached_property
    def transform(self) -> Any:
        return self.flow(self.context)

    @property
    def mean(self) -> Tensor:
        return self.transform.inv(self.base.mu)

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def sigma(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(SPREAD_DRAWS)]).std(0)

    def rsample(self) -> Tensor:
        return self.transform.inv(self.base.rsample())

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.rsample()

    def log_prob(self, x: Tensor) -> Tensor:
        noise, log_det = self.transform.call_and_ladj(x)
        return self.base.log_prob(noise) + log_det

    def repeat(self, times: int) -> FlowPosterior:
        again = self.context.repeat_interleave(times, 0)
        return FlowPosterior(self.base.repeat(times), again, self.flow)


def limited(raw: Tensor) -> Tensor:
    """log σ, which starts near the prior's and can neither explode nor vanish."""
    return LIMIT * torch.tanh(raw / LIMIT)
