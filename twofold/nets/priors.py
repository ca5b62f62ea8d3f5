r"""What a code is expected to be before anything is seen: p(z), as a part of a VAE.

`Standard` is N(0, I); `Gmm` a learnt mixture of Gaussians; `Vamp` the mixture of the posteriors of
K learnt pseudo-inputs, $\frac1K \sum_k q(z \mid u_k)$ (Tomczak & Welling 2018, arXiv:1705.07120);
`Autoregressive` factorises p(z) by dimensions, each Gaussian given those before it (Papamakarios et
al. 2017, arXiv:1705.07057); `Spline` is a neural spline flow (Durkan et al. 2019,
arXiv:1906.04032). The last two see what is given, so that p(z | c) may differ by condition.

Notation: z (B, D) the code, c (B, G) what is given, q the encoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Given
from twofold.core.build import Part
from twofold.core.space import Bounded, Space
from twofold.maths.distributions import Density, Mixture, Normal, Posterior
from twofold.nets.flows import masked_affine, splines

Encoder = Callable[[Tensor, Tensor], Posterior]
"""q: x (B, C, *A) and what is given c (B, G) to q(z | x)."""


class Prior(Part, ABC):
    """A distribution of codes, which may be learnt.

    `encodes` says that it is made of the encoder's posteriors.
    """

    encodes: ClassVar[bool] = False

    @abstractmethod
    def build(self, latent: int, space: Space, given: Space) -> PriorNet:
        """The network of codes of `latent` dimensions."""


class PriorNet(nn.Module, ABC):
    """From what is given to p(z)."""

    @abstractmethod
    def forward(self, c: Tensor, q: Encoder) -> Density:
        """p(z | c), a row for each of c (B, G)."""


@dataclass(frozen=True)
class Standard(Prior):
    r"""The standard normal, which learns nothing.

    $$ p(z) = \mathcal N(z; 0, I) $$

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    def build(self, latent: int, space: Space, given: Space) -> PriorNet:
        return StandardNet(latent)


@dataclass(frozen=True)
class Gmm(Prior):
    r"""A learnt mixture of `components` Gaussians.

    $$ p(z) = \sum_{k=1}^K \pi_k\, \mathcal N\big(z; \mu_k, \operatorname{diag} \sigma_k^2\big) $$

    Args:
        components: K.

    Source: as the baseline of Tomczak & Welling 2018, arXiv:1705.07120.
    """

    components: PositiveInt = 16

    def build(self, latent: int, space: Space, given: Space) -> PriorNet:
        return MixtureNet(self.components, latent)


@dataclass(frozen=True)
class Vamp(Prior):
    r"""The posteriors of `components` pseudo-inputs, mixed alike.

    $$ p(z) = \frac1K \sum_{k=1}^K q(z \mid u_k) $$

    Args:
        components: K.

    Source: Tomczak & Welling 2018, arXiv:1705.07120.
    """

    components: PositiveInt = 64
    encodes = True

    def build(self, latent: int, space: Space, given: Space) -> PriorNet:
        return VampNet(self.components, space, given)


@dataclass(frozen=True)
class Autoregressive(Prior):
    r"""Each dimension Gaussian given the ones before, in `transforms` orders one upon the other.

    $$ p(z \mid c) = \prod_d \mathcal N\big(z_d;\, \mu_d(z_{<d}, c),\,
     \sigma_d^2(z_{<d}, c)\big) \quad \text{with one order} $$

    Args:
        transforms: orders. width: of the hidden layers.

    Source: Papamakarios et al. 2017, arXiv:1705.07057.
    """

    transforms: PositiveInt = 3
    width: PositiveInt = 64

    def build(self, latent: int, space: Space, given: Space) -> PriorNet:
        context = context_of(latent, given)
        return FlowNet(masked_affine(latent, context, self.transforms, self.width), context)


@dataclass(frozen=True)
class Spline(Prior):
    r"""A neural spline flow.

    $$ \log p(z \mid c) = \log \mathcal N(f(z; c); 0, I)
     + \log \Big| \det \frac{\partial f}{\partial z} \Big|,
     \qquad f \text{ of monotonic rational-quadratic splines} $$

    Args:
        transforms: layers of f. width: of their hidden layers.

    Source: Durkan et al. 2019, arXiv:1906.04032.
    """

    transforms: PositiveInt = 3
    width: PositiveInt = 64

    def build(self, latent: int, space: Space, given: Space) -> PriorNet:
        context = context_of(latent, given)
        return FlowNet(splines(latent, context, self.transforms, self.width), context)


class StandardNet(PriorNet):
    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent

    def forward(self, c: Tensor, q: Encoder) -> Density:
        return Normal.standard(len(c), self.latent, c)


class MixtureNet(PriorNet):
    def __init__(self, components: int, latent: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.mu = nn.Parameter(torch.randn(components, latent))
        self.log_sigma = nn.Parameter(torch.zeros(components, latent))

    def forward(self, c: Tensor, q: Encoder) -> Density:
        return Mixture(self.logits, self.mu, self.log_sigma, len(c))


class VampNet(PriorNet):
    """Pseudo-inputs u (K, C, *A), kept in [0, 1] where the data are."""

    keep: Tensor

    def __init__(self, components: int, space: Space, given: Space) -> None:
        super().__init__()
        self.given = given
        bounded = [isinstance(f.domain, Bounded) for f in space.fields for _ in range(f.width)]
        keep = torch.tensor(bounded).reshape(-1, *[1] * len(space.axes))
        self.register_buffer("keep", keep, persistent=False)
        start = 0.5 + 0.2 * torch.randn(components, space.width, *space.axes)
        self.u = nn.Parameter(torch.where(keep, start, 5 * (start - 0.5)))

    def forward(self, c: Tensor, q: Encoder) -> Density:
        u = torch.where(self.keep, self.u.clamp(0, 1), self.u)
        nothing = Given.none(len(u), self.given, c.device).c.to(c.dtype)
        posterior = q(u, nothing)
        assert isinstance(posterior, Normal)
        even = posterior.mu.new_zeros(len(u))
        return Mixture(even, posterior.mu, posterior.log_sigma, len(c))


class FlowNet(PriorNet):
    def __init__(self, flow: nn.Module, context: int) -> None:
        super().__init__()
        self.flow, self.context = flow, context

    def forward(self, c: Tensor, q: Encoder) -> Density:
        return FlowDensity(self.flow(F.pad(c, (0, self.context - c.shape[1]))), len(c))


def context_of(latent: int, given: Space) -> int:
    """The numbers a flow sees: what is given, and for a single dimension one at least.

    With neither other dimensions nor anything given, zuko's layers would have no input at all.
    """
    return max(given.width, 1) if latent == 1 else given.width


@dataclass(frozen=True)
class FlowDensity(Density):
    """A flow's distribution of codes, with or without context; its mean is that of draws."""

    flow: Any
    rows: int

    def log_prob(self, x: Tensor) -> Tensor:
        return self.flow.log_prob(x)

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.flow.sample()

    @property
    def mean(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(64)]).mean(0)

    @property
    def mode(self) -> Tensor:
        with torch.no_grad():
            return self.flow.transform.inv(torch.zeros_like(self.sample()))
