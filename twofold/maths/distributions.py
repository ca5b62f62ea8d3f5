r"""Distributions over rows: what encoders, priors and generators return.

`Normal` is the diagonal Gaussian $\mathcal N(\mu, \operatorname{diag} \sigma^2)$ of a latent
code, `FullNormal` one of any covariance; `Mixture` and `FullMixture` finite mixtures of them;
`Affine` another one moved and stretched; `Categories` one of K labels, and `Beside` such a label
with a code; `Implicit` what a network makes of noise; `Resampled` draws of another, chosen; `Dirac`
a point mass, so that a deterministic network too returns a distribution. A distribution that offers
`log_prob` is a `Density`; one whose draws carry gradient to the parameters (the pathwise
derivative, Kingma & Welling 2014, arXiv:1312.6114, §2.4) is `Reparameterised`. A `Posterior` is
both, and says what `encode` and the importance-weighted bounds ask of a code.

Notation: B rows, D latent dimensions; `log_prob` sums over all but the rows and is in nats.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.game import Distribution

LOG_2PI = math.log(2 * math.pi)
SPREAD_DRAWS = 64


class Density(Distribution):
    """A distribution with a density."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), (B,), in nats."""


class Reparameterised(Distribution):
    """A distribution whose draws can be differentiated."""

    @abstractmethod
    def rsample(self) -> Tensor:
        """One draw a row, with gradient."""


class Posterior(Density, Reparameterised):
    """What an encoder returns: q(z | x), a row each."""

    @property
    @abstractmethod
    def sigma(self) -> Tensor:
        """The standard deviation of each dimension, (B, D)."""

    @abstractmethod
    def repeat(self, times: int) -> Posterior:
        """Every row `times` times, one after the other."""


class Detachable(Posterior):
    """A posterior that is its parameters alone, whose gradient can be cut off."""

    @abstractmethod
    def detach(self) -> Detachable:
        """The same, without gradient to its parameters."""


@dataclass(frozen=True)
class Normal(Detachable):
    """The diagonal Gaussian N(μ, σ²), with `mu` and `log_sigma` of shape (B, D).

    >>> Normal(torch.zeros(1, 2), torch.zeros(1, 2)).log_prob(torch.zeros(1, 2))
    tensor([-1.8379])
    """

    mu: Tensor
    log_sigma: Tensor

    @staticmethod
    def standard(rows: int, latent: int, like: Tensor) -> StandardNormal:
        """N(0, I), `rows` times, with the type and device of `like`."""
        zeros = like.new_zeros(rows, latent)
        return StandardNormal(zeros, zeros)

    @property
    def mean(self) -> Tensor:
        return self.mu

    @property
    def mode(self) -> Tensor:
        return self.mu

    @property
    def sigma(self) -> Tensor:
        return self.log_sigma.exp()

    def rsample(self) -> Tensor:
        return torch.addcmul(self.mu, self.sigma, torch.randn_like(self.mu))

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.rsample()

    def elementwise(self, x: Tensor) -> Tensor:
        """log p of every dimension, (B, D)."""
        standard = (x - self.mu) * (-self.log_sigma).exp()
        return -0.5 * (standard.square() + LOG_2PI) - self.log_sigma

    def log_prob(self, x: Tensor) -> Tensor:
        return self.elementwise(x).flatten(1).sum(1)

    def repeat(self, times: int) -> Normal:
        """Every row `times` times, one after the other."""
        return Normal(
            self.mu.repeat_interleave(times, 0), self.log_sigma.repeat_interleave(times, 0)
        )

    def detach(self) -> Normal:
        return Normal(self.mu.detach(), self.log_sigma.detach())


def product(a: Normal, b: Normal) -> Normal:
    """The normalised product of two Gaussian densities: precisions add, means are weighted by them.

    >>> product(Normal(torch.zeros(1, 1), torch.zeros(1, 1)),
    ...         Normal(torch.ones(1, 1), torch.zeros(1, 1))).mu
    tensor([[0.5000]])
    """
    share = torch.sigmoid(2 * (b.log_sigma - a.log_sigma))  # a's precision over the sum
    log_sigma = -0.5 * torch.logaddexp(-2 * a.log_sigma, -2 * b.log_sigma)
    return Normal(torch.lerp(b.mu, a.mu, share), log_sigma)


@dataclass(frozen=True)
class StandardNormal(Normal):
    """N(0, I), by a name of its own: a divergence from it need not look at its zeros."""

    def truncated(self, threshold: float) -> Tensor:
        """One draw a row of N(0, I) given that no value is beyond ± the threshold, (B, D).

        The truncation trick (Brock et al. 2019, arXiv:1809.11096, §3.1): what drawing values
        again until they are within gives, from one uniform draw a value. With the same chance, a
        smaller threshold moves the same codes inwards.

        >>> z = Normal.standard(1000, 2, torch.zeros(())).truncated(0.5)
        >>> bool((z.abs() <= 0.5).all())
        True
        """
        edge = torch.special.ndtr(torch.tensor(-threshold, dtype=torch.float64)).item()
        u = edge + (1 - 2 * edge) * torch.rand_like(self.mu)
        return torch.special.ndtri(u).clamp(-threshold, threshold)


@dataclass(frozen=True)
class FullNormal(Detachable):
    """The Gaussian N(μ, L Lᵀ), with `mu` (B, D) and `scale` L (B, D, D), lower triangular.

    >>> FullNormal(torch.zeros(1, 2), torch.eye(2).unsqueeze(0)).log_prob(torch.zeros(1, 2))
    tensor([-1.8379])
    """

    mu: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return self.mu

    @property
    def mode(self) -> Tensor:
        return self.mu

    @property
    def sigma(self) -> Tensor:
        return self.scale.norm(dim=2)

    def rsample(self) -> Tensor:
        noise = torch.randn_like(self.mu).unsqueeze(2)
        return self.mu + (self.scale @ noise).squeeze(2)

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.rsample()

    def log_prob(self, x: Tensor) -> Tensor:
        shift = (x - self.mu).unsqueeze(2)
        standard = torch.linalg.solve_triangular(self.scale, shift, upper=False).squeeze(2)
        log_det = self.scale.diagonal(dim1=1, dim2=2).log()
        return (-0.5 * (standard.square() + LOG_2PI) - log_det).sum(1)

    def repeat(self, times: int) -> FullNormal:
        return FullNormal(*(t.repeat_interleave(times, 0) for t in (self.mu, self.scale)))

    def detach(self) -> FullNormal:
        return FullNormal(self.mu.detach(), self.scale.detach())


@dataclass(frozen=True)
class Mixture(Density):
    """A mixture of K diagonal Gaussians, the same for each of `rows` rows.

    Args:
        logits: (K,), of the weights. mu, log_sigma: (K, D).
    """

    logits: Tensor
    mu: Tensor
    log_sigma: Tensor
    rows: int

    @property
    def mean(self) -> Tensor:
        return (self.logits.softmax(0) @ self.mu).expand(self.rows, -1)

    @property
    def mode(self) -> Tensor:
        heights = self.logits - self.log_sigma.sum(1)
        return self.mu[heights.argmax()].expand(self.rows, -1)

    def sample(self) -> Tensor:
        with torch.no_grad():
            k = torch.multinomial(self.logits.softmax(0), self.rows, replacement=True)
            return Normal(self.mu[k], self.log_sigma[k]).rsample()

    def log_prob(self, x: Tensor) -> Tensor:
        components = Normal(self.mu, self.log_sigma)
        by_component = components.elementwise(x.unsqueeze(1)).sum(2)  # (B, K)
        return (by_component + self.logits.log_softmax(0)).logsumexp(1)


@dataclass(frozen=True)
class FullMixture(Density):
    """A mixture of M Gaussians N(μ, L Lᵀ), with weights of its own in each row.

    Args:
        logits: of the weights, (B, M); -inf where a component is not for a row.
        mu: (M, D). scale: L, lower triangular, (M, D, D).
    """

    logits: Tensor
    mu: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.softmax(1) @ self.mu

    @property
    def mode(self) -> Tensor:
        heights = self.logits - self.log_det
        return self.mu[heights.argmax(1)]

    @property
    def log_det(self) -> Tensor:
        return self.scale.diagonal(dim1=1, dim2=2).log().sum(1)  # (M,)

    def sample(self) -> Tensor:
        with torch.no_grad():
            k = torch.multinomial(self.logits.softmax(1), 1).squeeze(1)
            return FullNormal(self.mu[k], self.scale[k]).rsample()

    def log_prob(self, x: Tensor) -> Tensor:
        shift = (x.unsqueeze(0) - self.mu.unsqueeze(1)).transpose(1, 2)  # (M, D, B)
        standard = torch.linalg.solve_triangular(self.scale, shift, upper=False)
        square = standard.square().sum(1).T  # (B, M)
        by_component = -0.5 * (square + x.shape[1] * LOG_2PI) - self.log_det
        return (by_component + self.logits.log_softmax(1)).logsumexp(1)


@dataclass(frozen=True)
class Affine(Density):
    """The distribution of `shift` + `scale` · z, z from `base`; shift and scale (D,)."""

    base: Density
    shift: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return self.shift + self.scale * self.base.mean

    @property
    def mode(self) -> Tensor:
        return self.shift + self.scale * self.base.mode

    def sample(self) -> Tensor:
        return self.shift + self.scale * self.base.sample()

    def log_prob(self, x: Tensor) -> Tensor:
        return self.base.log_prob((x - self.shift) / self.scale) - self.scale.log().sum()


@dataclass(frozen=True)
class Categories(Density):
    """One of K labels a row, one-hot, with `logits` (B, K) of its probabilities.

    >>> Categories(torch.zeros(1, 4)).log_prob(torch.eye(4)[:1]).exp()
    tensor([0.2500])
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.softmax(1)

    @property
    def mode(self) -> Tensor:
        return one_of(self.logits)

    def sample(self) -> Tensor:
        return one_of(self.logits + gumbel(self.logits)).detach()

    def log_prob(self, x: Tensor) -> Tensor:
        return (self.logits.log_softmax(1) * x).sum(1)

    def entropy(self) -> Tensor:
        """−Σ p log p of each row, in nats, (B,).

        >>> Categories(torch.zeros(1, 4)).entropy().exp()
        tensor([4.])
        """
        return -self.log_prob(self.mean)


def one_of(scores: Tensor) -> Tensor:
    """The largest of each row of scores (B, K), one-hot."""
    return torch.zeros_like(scores).scatter(1, scores.argmax(1, keepdim=True), 1)


def gumbel(like: Tensor) -> Tensor:
    """Draws of −log(−log u), u uniform: the largest of logits with them is drawn by softmax."""
    u = torch.rand_like(like).clamp(1e-20, 1 - 1e-7)
    return -torch.log(-torch.log(u))


@dataclass(frozen=True)
class Beside(Reparameterised):
    """Independent `first` and `second`, a row of the one before the other's: (B, K + D).

    Labels are drawn one-hot; to be differentiated they stand as their probabilities.
    """

    first: Categories
    second: Distribution

    @property
    def mean(self) -> Tensor:
        return torch.cat([self.first.mean, self.second.mean], 1)

    @property
    def mode(self) -> Tensor:
        return torch.cat([self.first.mode, self.second.mode], 1)

    @property
    def sigma(self) -> Tensor:
        p, second = self.first.mean, self.second
        assert isinstance(second, Posterior | Dirac | Implicit)
        return torch.cat([(p * (1 - p)).sqrt(), second.sigma], 1)

    def rsample(self) -> Tensor:
        assert isinstance(self.second, Reparameterised)
        return torch.cat([self.first.mean, self.second.rsample()], 1)

    def sample(self) -> Tensor:
        return torch.cat([self.first.sample(), self.second.sample()], 1)


@dataclass(frozen=True)
class Implicit(Reparameterised):
    """The image of N(0, I): `image` maps noise (B, N), shaped like `like`, to rows (B, D).

    It has no density, and no mean in closed form: `mean` is the image of the noise's mean, and
    `sigma` is taken over draws.
    """

    image: Callable[[Tensor], Tensor]
    like: Tensor

    @property
    def mean(self) -> Tensor:
        return self.image(torch.zeros_like(self.like))

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def sigma(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(SPREAD_DRAWS)]).std(0)

    def rsample(self) -> Tensor:
        return self.image(torch.randn_like(self.like))

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.rsample()


@dataclass(frozen=True)
class Resampled(Distribution):
    """Draws of `base`, each chosen among `candidates` with a chance ∝ exp `fitting`(z), (B,).

    Sampling importance resampling: with many candidates, a draw of p(z) exp fitting(z) / constant.
    Its mean is taken over draws.
    """

    base: Distribution
    fitting: Callable[[Tensor], Tensor]
    candidates: int

    def sample(self) -> Tensor:
        with torch.no_grad():
            z = self.base.sample()
            height = self.fitting(z) + gumbel(z[:, 0])
            for _ in range(self.candidates - 1):
                other = self.base.sample()
                higher = self.fitting(other) + gumbel(z[:, 0])  # the highest is each by its chance
                z = torch.where((higher > height).unsqueeze(1), other, z)
                height = torch.maximum(higher, height)
            return z

    @property
    def mean(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(SPREAD_DRAWS)]).mean(0)

    @property
    def mode(self) -> Tensor:
        return self.mean


@dataclass(frozen=True)
class Dirac(Reparameterised):
    """The point mass at `point` (B, …)."""

    point: Tensor

    @property
    def mean(self) -> Tensor:
        return self.point

    @property
    def mode(self) -> Tensor:
        return self.point

    @property
    def sigma(self) -> Tensor:
        return torch.zeros_like(self.point)

    def rsample(self) -> Tensor:
        return self.point

    def sample(self) -> Tensor:
        return self.point.detach()
