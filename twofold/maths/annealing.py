r"""Annealed importance sampling: log p(x) of a model with a code, as exactly as one can wait for.

Between the prior and the posterior of a code lies a path of densities

$$ f_t(z) = p(z)\, p(x \mid z)^{\beta_t}, \qquad 0 = \beta_0 < \dots < \beta_T = 1 . $$

A draw of the prior is moved along it: at each t its weight grows by what the density grows there,
and a transition that leaves $f_t$ as it is carries it on (Neal 2001, *Annealed importance
sampling*; for decoders Wu et al. 2017, arXiv:1611.04273),

$$ \log w = \sum_{t=1}^{T} (\beta_t - \beta_{t-1}) \log p(x \mid z_{t-1}), \qquad
E[w] = p(x) . $$

So the mean of $\log w$, and the log of the mean of several w, is below log p(x) on average. Run
backwards from an exact draw of the posterior, which is at hand where x was drawn from the model
itself, E[1 / w] = 1 / p(x), and the same numbers lie above: together they bracket log p(x), and
their gap says how good the chain is (Grosse, Ghahramani & Adams 2015, arXiv:1511.02543).

The transition is Hamiltonian Monte Carlo: L leapfrog steps of size ε, accepted by Metropolis' rule.
The ε of each t is set in a trial run and then fixed: a chain that tuned itself on its way would not
leave $f_t$ alone, and its weights would mean nothing.

Notation: z (B, D), a row a chain; `log_prior` and `log_likelihood` map z to (B,), in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

LogDensity = Callable[[Tensor], Tensor]
ACCEPTED = 0.65
"""The share of accepted moves that is aimed at (Neal 2011, arXiv:1206.1901)."""
PACE = 1.0
"""How fast log ε follows the acceptance."""


@dataclass(frozen=True)
class Target:
    """The two factors of the posterior."""

    log_prior: LogDensity
    log_likelihood: LogDensity

    def log_density(self, z: Tensor, beta: float) -> Tensor:
        """log f of (B, D), (B,)."""
        return self.log_prior(z) + beta * self.log_likelihood(z)


class Move(NamedTuple):
    """Where chains are after a transition, and how likely each was accepted."""

    z: Tensor
    chance: Tensor


def temperatures(T: int, steepness: float = 4.0) -> list[float]:
    """β_0 … β_T, close together at both ends, along a logistic curve as in Wu et al. 2017.

    >>> [round(beta, 2) for beta in temperatures(4)]
    [0.0, 0.1, 0.5, 0.9, 1.0]
    """
    raw = [1 / (1 + math.exp(-steepness * (2 * t / T - 1))) for t in range(T + 1)]
    return [(value - raw[0]) / (raw[-1] - raw[0]) for value in raw]


def forward(
    target: Target, z: Tensor, betas: list[float], sizes: list[float], leapfrog: int
) -> Tensor:
    """log w of chains that start at draws z of the prior, (B,)."""
    log_w = z.new_zeros(len(z))
    for before, beta, size in zip(betas[:-1], betas[1:], sizes, strict=True):
        log_w = log_w + (beta - before) * target.log_likelihood(z).detach()
        z = hamiltonian(target, z, beta, size, leapfrog).z
    return log_w


def backward(
    target: Target, z: Tensor, betas: list[float], sizes: list[float], leapfrog: int
) -> Tensor:
    """log w of the same path from its other end: chains that start at draws z of the posterior."""
    log_w = z.new_zeros(len(z))
    for before, beta, size in reversed(list(zip(betas[:-1], betas[1:], sizes, strict=True))):
        z = hamiltonian(target, z, beta, size, leapfrog).z
        log_w = log_w + (beta - before) * target.log_likelihood(z).detach()
    return log_w


def tuned(target: Target, z: Tensor, betas: list[float], leapfrog: int) -> list[float]:
    """ε for each transition, from a trial run in which it grows while moves are accepted."""
    size, sizes = 0.5, []
    for beta in betas[1:]:
        z, chance = hamiltonian(target, z, beta, size, leapfrog)
        sizes.append(size)
        size *= math.exp(PACE * (float(chance.mean()) - ACCEPTED))
    return sizes


def hamiltonian(target: Target, z: Tensor, beta: float, size: float, leapfrog: int) -> Move:
    """One transition of Hamiltonian Monte Carlo (Duane et al. 1987)."""
    momentum = torch.randn_like(z)
    before, slope = risen(target, z, beta)
    at, p = z, momentum + 0.5 * size * slope
    for step in range(leapfrog):
        at = at + size * p
        after, slope = risen(target, at, beta)
        p = p + (size if step < leapfrog - 1 else 0.5 * size) * slope
    gain = after - before + 0.5 * (momentum.square() - p.square()).sum(1)
    chance = gain.nan_to_num(-math.inf).clamp(max=0).exp()
    accept = torch.rand_like(chance) < chance
    return Move(torch.where(accept[:, None], at, z), chance)


def risen(target: Target, z: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """log f of each row, (B,), and its slope, (B, D)."""
    z = z.detach().requires_grad_()
    value = target.log_density(z, beta)
    (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope
