r"""Bounds of log p(x) from draws of the posterior.

With $w_k = p(x | z_k)\, p(z_k) / q(z_k | x)$ and $z_1 … z_K \sim q(z | x)$,

$$ \mathcal L_K = \mathbb E \log \frac1K \sum_k w_k \;\le\; \log p(x), $$

the ELBO at K = 1, non-decreasing in K, and tight as K grows (Burda et al. 2016,
arXiv:1509.00519, Theorem 1). A larger K helps the decoder and starves the encoder of signal
(Rainforth et al. 2018, arXiv:1802.04537); `MIWAE` averages M bounds of K draws each, `PIWAE` gives
the encoder that and the decoder $\mathcal L_{MK}$, `CIWAE` mixes $\mathcal L_1$ and
$\mathcal L_K$. `Dreg` is $\mathcal L_K$ with the doubly reparameterised gradient of the encoder,
$\sum_k \tilde w_k^2\, \partial \log w_k / \partial z_k \cdot \partial z_k / \partial \phi$,
$\tilde w_k = w_k / \sum_j w_j$ (Tucker et al. 2019, arXiv:1810.04152).

Notation: $w_k = p(x | z_k)\, p(z_k) / q(z_k | x)$ with $z_k \sim q(z | x)$; log w (K, B), in nats.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pydantic import PositiveInt
from torch import Tensor

from twofold.core.build import Part
from twofold.maths.distributions import Density, Detachable, Posterior


@dataclass(frozen=True)
class Draws:
    """K draws of each row's code, one after the other: B · K rows.

    Args:
        log_px: log p(x | z), (B · K,).
        q: q(z | x). z: the draws, (B · K, D). p: p(z). k: K.
    """

    log_px: Tensor
    q: Posterior
    z: Tensor
    p: Density
    k: int

    @cached_property
    def log_w(self) -> Tensor:
        """log p(x | z) p(z) / q(z | x), (K, B)."""
        return self.weights(self.q)

    @property
    def log_w_by_path(self) -> Tensor:
        """The same, whose gradient reaches the encoder through z alone."""
        assert isinstance(self.q, Detachable)  # a VAE refuses another
        return self.weights(self.q.detach())

    def weights(self, q: Posterior) -> Tensor:
        log_w = self.log_px + self.p.log_prob(self.z) - q.log_prob(self.z)
        return log_w.unflatten(0, (-1, self.k)).T


class Bound(Part, ABC):
    """What a VAE raises: a bound of log p(x), from `draws` draws a row.

    `weighs` says that it needs importance weights, so that the rate is the KL and nothing else;
    `parts` that encoder and decoder have losses of their own.
    """

    weighs: ClassVar[bool] = True
    parts: ClassVar[bool] = False

    @property
    @abstractmethod
    def draws(self) -> int:
        """Draws a row."""

    @abstractmethod
    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        """A loss a player, each a mean over the rows."""


@dataclass(frozen=True)
class ELBO(Bound):
    r"""The evidence lower bound; its rate is whatever the divergence says.

    $$ \mathcal L_1 = \mathbb E_{q(z \mid x)} \log p(x \mid z)
     - \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big) $$

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    weighs = False

    @property
    def draws(self) -> int:
        return 1

    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        return {"autoencoder": -draws.log_w.mean()}


@dataclass(frozen=True)
class IWAE(Bound):
    r"""The importance-weighted bound, of `k` draws.

    $$ \mathcal L_K = \mathbb E \log \frac1K \sum_{k=1}^K w_k $$

    Args:
        k: K, the draws of a row.

    Source: Burda et al. 2016, arXiv:1509.00519.
    """

    k: PositiveInt = 5

    @property
    def draws(self) -> int:
        return self.k

    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        return {"autoencoder": -importance_weighted(draws.log_w).mean()}


@dataclass(frozen=True)
class MIWAE(Bound):
    r"""The mean of `m` bounds of `k` draws each.

    $$ \frac1M \sum_{m=1}^M \log \frac1K \sum_{k=1}^K w_{mk} $$

    Args:
        m: M, bounds. k: K, draws of each.

    Source: Rainforth et al. 2018, arXiv:1802.04537.
    """

    m: PositiveInt = 4
    k: PositiveInt = 8

    @property
    def draws(self) -> int:
        return self.m * self.k

    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        return {"autoencoder": -averaged(draws.log_w, self.m).mean()}


@dataclass(frozen=True)
class PIWAE(Bound):
    r"""The mean of `m` bounds of `k` draws for the encoder, one of m · k for the decoder.

    $$ \text{encoder: } \frac1M \sum_{m=1}^M \log \frac1K \sum_{k=1}^K w_{mk}, \qquad
     \text{decoder: } \log \frac1{MK} \sum_{m, k} w_{mk} $$

    Args:
        m: M, bounds of the encoder. k: K, draws of each.

    Source: Rainforth et al. 2018, arXiv:1802.04537.
    """

    m: PositiveInt = 4
    k: PositiveInt = 8
    parts = True

    @property
    def draws(self) -> int:
        return self.m * self.k

    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        return {
            "encoder": -averaged(draws.log_w, self.m).mean(),
            "decoder": -importance_weighted(draws.log_w).mean(),
        }


@dataclass(frozen=True)
class CIWAE(Bound):
    r"""The bounds of one draw and of `k` draws, mixed.

    $$ \beta\, \frac1K \sum_k \log w_k + (1 - \beta) \log \frac1K \sum_k w_k $$

    Args:
        beta: β. k: K, the draws of a row.

    Source: Rainforth et al. 2018, arXiv:1802.04537.
    """

    beta: float = 0.05
    k: PositiveInt = 5

    @property
    def draws(self) -> int:
        return self.k

    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        tight, loose = importance_weighted(draws.log_w), draws.log_w.mean(0)
        return {"autoencoder": -(self.beta * loose + (1 - self.beta) * tight).mean()}


@dataclass(frozen=True)
class Dreg(Bound):
    r"""The bound of `k` draws, with the doubly reparameterised gradient for the encoder.

    $$ \nabla_\phi \mathcal L_K = \mathbb E \sum_k \tilde w_k^2\,
     \frac{\partial \log w_k}{\partial z_k} \frac{\partial z_k}{\partial \phi}, \qquad
     \tilde w_k = \frac{w_k}{\sum_j w_j} $$

    Args:
        k: K, the draws of a row.

    Source: Tucker et al. 2019, arXiv:1810.04152.
    """

    k: PositiveInt = 5
    parts = True

    @property
    def draws(self) -> int:
        return self.k

    def losses(self, draws: Draws) -> Mapping[str, Tensor]:
        log_w = draws.log_w_by_path
        share = log_w.detach().softmax(0)  # w̃, (K, B)
        return {
            "encoder": -(share.square() * log_w).sum(0).mean(),
            "decoder": -importance_weighted(draws.log_w).mean(),
        }


def importance_weighted(log_w: Tensor) -> Tensor:
    """The bound of each row from its K log-weights: (K, B) to (B,), in nats.

    >>> import torch
    >>> importance_weighted(torch.zeros(5, 2))
    tensor([0., 0.])
    """
    return log_w.logsumexp(0) - math.log(len(log_w))


def averaged(log_w: Tensor, m: int) -> Tensor:
    """The mean of m bounds, each of K draws: (M · K, B) to (B,).

    >>> import torch
    >>> averaged(torch.tensor([[0.0], [0.0], [1.0], [1.0]]), 2)
    tensor([0.5000])
    """
    by_bound = log_w.unflatten(0, (m, -1))  # (M, K, B)
    return (by_bound.logsumexp(1) - math.log(by_bound.shape[1])).mean(0)
