r"""How much a number says about a label, in nats.

From n observations of a number z and of a label v with K values, the mutual information

$$ I(z; v) = \sum_{z, v} p(z, v) \log \frac{p(z, v)}{p(z)\, p(v)} $$

is estimated in two ways:

* `Histogram` cuts the range of z into bins of equal width and takes the frequencies for the
  probabilities. With 20 bins it is what published disentanglement scores use (Locatello et al.
  2019, arXiv:1811.12359). It is biased upwards by about (bins − 1)(K − 1) / 2n, and a single far
  value of z empties its bins.
* `Neighbours` compares the distance to the k-th neighbour of the same label with how many
  observations of any label are as near (Ross 2014, *Mutual information between discrete and
  continuous data sets*); equal values of z are counted as Gao et al. 2017 (arXiv:1709.06212) do:

$$ \hat I = \psi(n) + \frac1n \sum_i \big[ \psi(k_i) - \psi(n_{v_i}) - \psi(m_i) \big] . $$

  Its bias is far smaller, and it does not depend on bins.

Both are our own: no library's version changes a figure. Notation: code (n, D), label (n,) with
values 0 … K − 1; results are in float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.maths.statistics import contingency


class Information(ABC):
    """An estimator of the mutual information between numbers and a label."""

    @abstractmethod
    def __call__(self, code: Tensor, label: Tensor) -> Tensor:
        """I of each dimension of the code (n, D) and the label (n,), in nats: (D,)."""


@dataclass(frozen=True)
class Histogram(Information):
    """Frequencies in bins of equal width.

    >>> label = torch.tensor([0, 0, 1, 1])
    >>> Histogram(2)(torch.tensor([[0.0, 0.0], [0.1, 1.0], [0.9, 0.0], [1.0, 1.0]]), label)
    tensor([0.6931, 0.0000], dtype=torch.float64)
    """

    bins: int = 20

    def __call__(self, code: Tensor, label: Tensor) -> Tensor:
        columns = binned(code.double(), self.bins).T
        K = int(label.max()) + 1
        return torch.stack([of_counts(contingency(z, label, self.bins, K)) for z in columns])


@dataclass(frozen=True)
class Neighbours(Information):
    """Distances to the k-th neighbour of the same label; never below 0."""

    k: int = 3

    def __call__(self, code: Tensor, label: Tensor) -> Tensor:
        columns = code.double().T
        return torch.stack([self.of(z, label) for z in columns]).clamp(min=0)

    def of(self, z: Tensor, label: Tensor) -> Tensor:
        """Of one number (n,)."""
        order = z.argsort(stable=True)
        order = order[label[order].argsort(stable=True)]  # by label, and within it by z
        groups = Groups.of(z[order], label[order])
        distance = groups.kth_distance(self.k)
        apart = distance > 0
        k = torch.where(apart, (groups.count - 1).clamp(1, self.k), groups.equal)
        m = within(z.sort().values, groups.z, distance)
        terms = k.double().digamma() - groups.count.double().digamma() - m.double().digamma()
        return torch.tensor(float(len(z)), dtype=torch.float64).digamma() + terms.mean()


@dataclass(frozen=True)
class Groups:
    """Numbers (n,) sorted by label and, within a label, by size.

    Args:
        z: the numbers. start: where the label of each begins; count: how many share it.
        equal: how many are equal to it and share its label.
    """

    z: Tensor
    start: Tensor
    count: Tensor
    equal: Tensor

    @classmethod
    def of(cls, z: Tensor, label: Tensor) -> Groups:
        """From numbers and labels, sorted so."""
        label, count = label.unique_consecutive(return_inverse=True, return_counts=True)[1:]
        start = count.cumsum(0) - count
        new = (z.diff() != 0) | (label.diff() != 0)
        run = torch.cat([new.new_zeros(1), new]).cumsum(0)
        times = torch.bincount(run)[run]
        return cls(z, start[label], count[label], times)

    def kth_distance(self, k: int) -> Tensor:
        """How far the k-th nearest of the same label is, or the farthest of fewer, (n,).

        The k + 1 nearest of sorted numbers, oneself included, stand side by side.
        """
        i, stop = torch.arange(len(self.z)), self.start + self.count
        width = (self.count - 1).clamp(max=k)
        spans = []
        for j in range(k + 1):
            low, high = i - j, i - j + width
            fits = (low >= self.start) & (high < stop) & (j <= width)
            ends = (low.clamp(min=0), high.clamp(max=len(self.z) - 1))
            span = torch.maximum(self.z - self.z[ends[0]], self.z[ends[1]] - self.z)
            spans.append(torch.where(fits, span, torch.inf))
        return torch.stack(spans).min(0).values


def within(every: Tensor, x: Tensor, distance: Tensor) -> Tensor:
    """How many of the sorted `every` are nearer to each x than a distance; at 0, equal to it.

    The k-th neighbour stands on the edge and is not nearer: a hair is taken off the distance, so
    that rounding cannot count it.
    """
    reach = distance * (1 - 1e-10)
    right = torch.searchsorted(every, x + reach, right=True)
    left = torch.searchsorted(every, x - reach, right=False)
    return right - left


def entropy(label: Tensor) -> Tensor:
    """H(v) of labels (n,), in nats.

    >>> entropy(torch.tensor([0, 1, 2, 3]))
    tensor(1.3863, dtype=torch.float64)
    """
    p = torch.bincount(label).double() / len(label)
    return -xlogx(p).sum()


def xlogx(p: Tensor) -> Tensor:
    """p log p, 0 at 0."""
    return torch.special.xlogy(p, p)


def binned(code: Tensor, bins: int) -> Tensor:
    """Numbers (n, D) as the index of their bin, of equal widths over each dimension's range.

    A constant lies in bin 0.
    """
    low, high = code.min(0).values, code.max(0).values
    width = torch.where(high > low, high - low, 1)
    return ((code - low) / width * bins).long().clamp(max=bins - 1)


def of_counts(counts: Tensor) -> Tensor:
    """The mutual information of a table of counts (A, B), in nats, with frequencies for p."""
    p = counts.double() / counts.sum()
    independent = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
    logs = torch.where(p > 0, p.log() - independent.log(), 0)
    return (p * logs).sum()
