r"""Vector quantisation: a vector becomes the nearest of K.

A *codebook* has K entries $e_k$; a vector z goes to the nearest (van den Oord et al. 2017,
arXiv:1711.00937, eq. 1 and 2),

$$ k(z) = \arg\min_k \lVert z - e_k \rVert^2, \qquad z_q = e_{k(z)}. $$

Nothing flows back through the argmin, so the gradient of $z_q$ is handed on to z as it is: the
*straight-through* estimator (Bengio et al. 2013, arXiv:1308.3432). What holds z near its entry is
the *commitment* $\beta \lVert z - \operatorname{sg}(z_q) \rVert^2$, where sg stops the gradient.

The entries are no parameters. They are an online k-means: moving averages of the number of vectors
that went to each entry, of their sum, and here of their squares too (App. A.1),

$$ N_k \leftarrow \gamma N_k + (1 - \gamma) \, n_k, \qquad
   m_k \leftarrow \gamma m_k + (1 - \gamma) \!\!\sum_{i: k(z_i) = k}\!\! z_i, \qquad
   e_k = m_k / \hat N_k, $$

with $\hat N_k = (N_k + \varepsilon) / (1 + K \varepsilon)$ for N that sum to one (Laplace
smoothing: an entry that is used by nobody is not divided by zero).

An entry that almost nobody uses is *dead*. It is put to work by halving the entry with the most
scatter: the two halves stand half a standard deviation to either side of the old one, and have the
same moments together as it had (the splitting of Linde, Buzo & Gray 1980). A codebook that has seen
nothing is all zeros, which is one entry in use; so it doubles, at least, from step to step
until it is full.

All of this is made of sums and draws nothing: a batch in parts teaches the same entries as the
batch whole, in any order of the parts. What a step saw is taken in when the next one begins. Over
processes the loop averages buffers, which divides every sum by the same number; as only shares of
sums are used, that changes nothing.

Notation: z (…, D), k (…), K entries of D numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.maths.varying import Number

EPSILON = 1e-6  # ε, as a share of all vectors
TINY = 1e-30


@dataclass(frozen=True)
class Codebook(Part):
    r"""A codebook learnt by moving averages.

    $$ k(z) = \arg\min_k \lVert z - e_k \rVert^2, \qquad z_q = e_{k(z)}, \qquad
     \text{commitment } \beta \lVert z - \operatorname{sg}(z_q) \rVert^2 $$

    Args:
        size: K, entries. width: D, numbers of an entry.
        beta: β, the weight of the commitment.
        decay: γ of the moving averages.
        least: an entry is dead below this share of an even one, which is 1 / K.

    Source: van den Oord et al. 2017, arXiv:1711.00937, eq. 1 to 3 and App. A.1.
    """

    size: PositiveInt = 256
    width: PositiveInt = 32
    beta: Number = 0.25
    decay: float = 0.99
    least: PositiveFloat = 0.03

    def build(self) -> CodebookNet:
        """The codebook as a module; its buffers are what it has learnt."""
        return CodebookNet(self)


@dataclass(frozen=True)
class Quantised:
    """Vectors z (B, P, D), the entries nearest to them, of the same shape, and which, k (B, P)."""

    z: Tensor
    nearest: Tensor
    k: Tensor

    @property
    def straight_through(self) -> Tensor:
        """z_q, whose gradient is handed to z."""
        return self.z + (self.nearest - self.z).detach()

    @property
    def commitment(self) -> Tensor:
        """‖z − sg(z_q)‖² of each row, (B,), before β."""
        return (self.z - self.nearest.detach()).square().flatten(1).sum(1)


class CodebookNet(nn.Module):
    """The entries, from moving averages.

    A row of `average` (K, 1 + 2D) has N, m and the sum of squares of one entry; `seen` has the sums
    of a step that are not in it yet, and `step` says which step that was.
    """

    average: Tensor
    seen: Tensor
    step: Tensor

    def __init__(self, part: Codebook) -> None:
        super().__init__()
        self.part = part
        self.register_buffer("average", torch.zeros(part.size, 1 + 2 * part.width))
        self.register_buffer("seen", torch.zeros(part.size, 1 + 2 * part.width))
        self.register_buffer("step", torch.tensor(-1))

    @property
    def entries(self) -> Tensor:
        """e, (K, D)."""
        return entries(self.average)

    @property
    def shares(self) -> Tensor:
        """How much of what was seen of late went to each entry, (K,)."""
        return shares(self.average)

    @property
    def used(self) -> Tensor:
        """How many entries are not dead, a scalar."""
        return (self.shares >= self.part.least / self.part.size).sum().to(self.average.dtype)

    def forward(self, z: Tensor) -> Quantised:
        """Each vector of z (B, P, D) to its entry."""
        e = self.entries
        k = nearest(z, e)
        return Quantised(z, e[k], k)

    @torch.no_grad()
    def observe(self, code: Quantised) -> None:
        """Add what a batch, or a part of one, was quantised to."""
        self.seen += tally(code.z.flatten(0, 1), code.k.flatten(), self.part.size)

    @torch.no_grad()
    def advance(self, step: int) -> None:
        """Take in what was seen before a step, unless this step has done so."""
        if step != int(self.step):
            whole = self.seen[:, 0].sum().clamp(min=TINY)
            self.average.lerp_(self.seen / whole, 1 - self.part.decay)
            self.average.copy_(revived(self.average, self.part.least))
            self.seen.zero_()
            self.step.fill_(step)


def nearest(z: Tensor, e: Tensor) -> Tensor:
    """The index of the entry nearest to each vector, (…); the first of several as near.

    >>> nearest(torch.tensor([[0.9, 0.0], [0.2, 0.1]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    tensor([1, 0])
    """
    return (e.square().sum(1) - 2 * z.detach() @ e.T).argmin(-1)  # ‖z‖² is the same for all


def tally(z: Tensor, k: Tensor, size: int) -> Tensor:
    """The number, sum and sum of squares of the vectors z (N, D) of each entry, (K, 1 + 2D).

    >>> tally(torch.tensor([[1.0], [3.0]]), torch.tensor([1, 1]), 2)
    tensor([[ 0.,  0.,  0.],
            [ 2.,  4., 10.]])
    """
    belongs = (k == torch.arange(size, device=k.device).unsqueeze(1)).to(z.dtype)  # (K, N)
    return belongs @ torch.cat([torch.ones_like(z[:, :1]), z, z.square()], 1)


def moments(table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """N (K,), m (K, D) and the sums of squares (K, D), of a tally or an average of them."""
    D = table.shape[1] // 2
    return table[:, 0], table[:, 1 : 1 + D], table[:, 1 + D :]


def shares(table: Tensor) -> Tensor:
    """N as shares of their sum, (K,)."""
    return table[:, 0] / table[:, 0].sum().clamp(min=TINY)


def entries(table: Tensor) -> Tensor:
    """e_k = m_k / N̂_k, (K, D)."""
    N, m, _ = moments(table)
    whole = N.sum().clamp(min=TINY)
    smoothed = (N / whole + EPSILON) / (1 + len(N) * EPSILON)
    return m / whole / smoothed.unsqueeze(1)


def revived(table: Tensor, least: float) -> Tensor:
    """The moments (K, 1 + 2D) with each dead entry made a half of one with much scatter.

    Entries are halved in the order of their scatter, N_k times their variance, each at most once
    and only where both halves live: as many as are dead, or as there are.
    """
    N, m, square = moments(table)
    share, even = shares(table), 1 / len(N)
    dead, heavy = share < least * even, share >= 2 * least * even
    mean = m / N.clamp(min=TINY).unsqueeze(1)
    variance = (square / N.clamp(min=TINY).unsqueeze(1) - mean.square()).clamp(min=0)
    scatter = torch.where(heavy, N * variance.sum(1), -1)
    donor = scatter.argsort(descending=True, stable=True)
    taker = dead.to(N.dtype).argsort(descending=True, stable=True)
    pairs = (heavy[donor] & dead[taker]).unsqueeze(1)
    number, centre, spread = N[donor] / 2, mean[donor], variance[donor]
    away = spread.sqrt() / 2
    out = table.clone()
    for place, point in ((donor, centre + away), (taker, centre - away)):
        half = of_moments(number, point, spread - away.square())
        out[place] = torch.where(pairs, half, out[place])
    return out


def of_moments(number: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """The inverse of `moments`, from means and variances."""
    N = number.unsqueeze(1)
    return torch.cat([N, N * mean, N * (mean.square() + variance)], 1)


def perplexity(share: Tensor) -> Tensor:
    """exp of the entropy of shares (…, K): the number of entries that would be as even.

    >>> perplexity(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    tensor([2., 1.])
    """
    return torch.special.entr(share).sum(-1).exp()
