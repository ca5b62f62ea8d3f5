r"""How far two samples are apart, and how sure one can be of it.

Rows are observations: a (N, D), b (M, D). Everything is computed in float64 and returned as a
float64 tensor; nothing here knows files, devices or models. Three views of sample quality:

* **Distances between laws.** `frechet` fits a Gaussian to each side (Heusel et al. 2017,
  arXiv:1706.08500); it is biased upwards, by $D(D+5)/2N$ between two samples of $N(0, I_D)$ with
  N = M. `kernel` is the unbiased squared maximum mean discrepancy of Gretton et al. 2012 under the
  polynomial kernel of Bińkowski et al. 2018 (arXiv:1801.01401), 0 on average for one law.
* **Neighbourhoods.** `prdc`: precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991),
  density and coverage (Naeem et al. 2020, arXiv:2002.09797).
* **Columns, pairs and classes.** Kolmogorov–Smirnov, Wasserstein, total variation, correlation,
  association, mutual information, coverage of modes.

**Intervals.** `bootstrap` draws rows *with* replacement and suits means, ratios of means, column
statistics. It must not be used for what looks at neighbours or at a covariance of few rows: a
repeated row is its own neighbour at distance 0, and repetition alone raises a Fréchet distance.
`half_samples` draws halves *without* replacement and suits those: see there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 1024
"""Rows of one block of a pairwise computation: memory is BLOCK × the other side."""

# --- Distances between laws ----------------------------------------------------------------------


def frechet(a: Tensor, b: Tensor) -> Tensor:
    r"""$\|\mu_a-\mu_b\|^2+\operatorname{tr}(\Sigma_a+\Sigma_b-2(\Sigma_a\Sigma_b)^{1/2})$.

    With $\Sigma = R^\top R$ the last trace is the nuclear norm of $R_a R_b^\top$. R is the
    triangular factor of the centred rows, so no covariance is squared or inverted, and fewer rows
    than features are no special case.

    >>> a = torch.tensor([[0.0], [2.0]])
    >>> frechet(a, a + 3)
    tensor(9., dtype=torch.float64)
    """
    a, b = a.double(), b.double()
    return _frechet(a.mean(0), _root(a), b.mean(0), _root(b))


def frechet_from_moments(mu_a: Tensor, sigma_a: Tensor, mu_b: Tensor, sigma_b: Tensor) -> Tensor:
    """The same of means (D,) and covariances (D, D), which may be singular.

    >>> zero, one = torch.zeros(2), torch.eye(2)
    >>> frechet_from_moments(zero, one, zero, 4 * one)
    tensor(2., dtype=torch.float64)
    """
    roots = (_symmetric_root(sigma_a), _symmetric_root(sigma_b))
    return _frechet(mu_a.double(), roots[0], mu_b.double(), roots[1])


def _frechet(mu_a: Tensor, R_a: Tensor, mu_b: Tensor, R_b: Tensor) -> Tensor:
    cross = torch.linalg.svdvals(R_a @ R_b.T).sum()
    apart = (mu_a - mu_b).square().sum() + R_a.square().sum() + R_b.square().sum()
    return (apart - 2 * cross).clamp(min=0)


def _root(x: Tensor) -> Tensor:
    """R, (min(N, D), D), with R^T R the covariance of the rows."""
    R: Tensor = torch.linalg.qr(x - x.mean(0), mode="r").R
    return R / (len(x) - 1) ** 0.5


def _symmetric_root(sigma: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(sigma.double())
    return values.clamp(min=0).sqrt()[:, None] * vectors.T


def kernel(a: Tensor, b: Tensor, degree: int = 3) -> Tensor:
    """Unbiased squared MMD under (x·y / D + 1)^degree, a block of rows at a time.

    >>> x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    >>> bool(kernel(x, x + 1) > kernel(x, x + 0.5) > 0)
    True
    """
    a, b = a.double(), b.double()
    n, m = len(a), len(b)
    within_a = (_gram(a, a, degree) - _norms(a, degree)) / (n * (n - 1))
    within_b = (_gram(b, b, degree) - _norms(b, degree)) / (m * (m - 1))
    return within_a + within_b - 2 * _gram(a, b, degree) / (n * m)


def _gram(a: Tensor, b: Tensor, degree: int) -> Tensor:
    """The sum of the kernel over all pairs of rows."""
    blocks = [((x @ b.T / a.shape[1] + 1) ** degree).sum() for x in a.split(BLOCK)]
    return torch.stack(blocks).sum()


def _norms(a: Tensor, degree: int) -> Tensor:
    """The sum of the kernel over the pairs of a row with itself."""
    return ((a.square().sum(1) / a.shape[1] + 1) ** degree).sum()


# --- Neighbourhoods ------------------------------------------------------------------------------


class PRDC(NamedTuple):
    """Precision, recall, density, coverage: four scalars, or one term an observation."""

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


def prdc(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """The four means of `membership`, in [0, 1] but for density.

    1 is not the mark: two samples of one law in 64 dimensions reach a precision and a recall near
    0.7, and a coverage of `expected_coverage`.

    >>> x = torch.arange(8.0)[:, None]
    >>> [float(value) for value in prdc(x, x + 100, k=2)]
    [0.0, 0.0, 0.0, 0.0]
    """
    return PRDC(*(terms.mean() for terms in membership(real, fake, k)))


def membership(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """What each observation adds to each mean: (M,) fakes for precision and density, else (N,).

    B(x) is the closed ball around x that reaches its k-th neighbour in its own sample. Precision:
    the fake lies in some B(real). Recall: the real lies in some B(fake). Density: balls B(real)
    that the fake lies in, over k. Coverage: B(real) holds a fake.
    """
    real, fake = real.double(), fake.double()
    in_real = torch.zeros(len(fake), dtype=torch.float64, device=real.device)
    recall, coverage = [], []
    reach_fake = radii(fake, k)
    for x, reach in zip(real.split(BLOCK), radii(real, k).split(BLOCK), strict=True):
        apart = torch.cdist(x, fake)  # (block, M)
        near = apart <= reach[:, None]
        in_real += near.sum(0)
        coverage.append(near.any(1))
        recall.append((apart <= reach_fake).any(1))
    inside = (in_real > 0).double()
    return PRDC(inside, torch.cat(recall).double(), in_real / k, torch.cat(coverage).double())


def radii(x: Tensor, k: int) -> Tensor:
    """The distance of each row to its k-th nearest other row, (N,).

    >>> radii(torch.tensor([[0.0], [1.0], [3.0]]), 1).tolist()
    [1.0, 1.0, 2.0]
    """
    x, k = x.double(), min(k + 1, len(x))  # the nearest of all is the row itself
    return torch.cat([torch.cdist(part, x).kthvalue(k, 1).values for part in x.split(BLOCK)])


def expected_coverage(n: int, m: int, k: int = 5) -> float:
    r"""Coverage when both sides follow one law: $1 - \prod_{j=1}^k (n-j)/(m+n-j)$.

    n reals, m fakes. It is exact for every continuous law and tends to $1 - 2^{-k}$ for n = m.

    >>> round(expected_coverage(1000, 1000), 3)
    0.969
    """
    missed = 1.0
    for j in range(1, k + 1):
        missed *= (n - j) / (m + n - j)
    return 1 - missed


# --- Intervals -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """An estimate between the bounds of its confidence interval."""

    value: float
    low: float
    high: float


Statistic = Callable[..., Tensor]


def bootstrap(
    statistic: Statistic, *samples: Tensor, repeats: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Rows of each sample drawn again with replacement; the percentiles (Efron 1979).

    For means, ratios of means, and statistics of a column. Biased, and so not to be used, for the
    Fréchet distance, `prdc` and `kernel`, whose repeated rows look like structure: those take
    `half_samples`. Row i of one sample is never tied to row i of another; pass pairs as one sample.

    >>> bootstrap(torch.mean, torch.ones(9), repeats=10)
    Interval(value=1.0, low=1.0, high=1.0)
    """
    stream = torch.Generator().manual_seed(seed)
    values = [statistic(*(_again(x, stream) for x in samples)) for _ in range(repeats)]
    low, high = _tails(torch.stack(values), level)
    return Interval(float(statistic(*samples)), low, high)


def half_samples(
    statistic: Statistic, *samples: Tensor, repeats: int = 100, seed: int = 0, level: float = 0.95
) -> Interval:
    """Random halves of each sample, without replacement: the delete-half jackknife.

    Given the data, a mean over a random half scatters with variance (1/(n/2) - 1/n) s² = s²/n:
    exactly that of the whole sample (Shao & Wu 1989). So the deviations of the halves from *their
    own* mean are, unscaled, those of the estimate, and the larger bias at n/2 cancels. For
    `frechet`, `kernel` and `prdc`. The interval is for the expectation of the statistic at these
    sizes: it says nothing of the bias, which the floor (real against real at the same sizes) shows.
    Where both samples follow one law it is too wide, never too narrow.

    >>> half_samples(torch.mean, torch.ones(9), repeats=10)
    Interval(value=1.0, low=1.0, high=1.0)
    """
    stream = torch.Generator().manual_seed(seed)
    values = torch.stack(
        [statistic(*(_half(x, stream) for x in samples)) for _ in range(repeats)]
    ).double()
    value = float(statistic(*samples))
    low, high = _tails(values.mean() - values, level)
    return Interval(value, value + low, value + high)


def _again(x: Tensor, stream: torch.Generator) -> Tensor:
    return x[torch.randint(len(x), (len(x),), generator=stream)]


def _half(x: Tensor, stream: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=stream)[: len(x) // 2]]


def _tails(values: Tensor, level: float) -> tuple[float, float]:
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.quantile(values.double(), tails).tolist()
    return low, high


# --- Classes and modes ---------------------------------------------------------------------------


def reverse_kl(counts: Tensor, reference: Tensor) -> Tensor:
    """KL(q ‖ p) in nats of class counts (C,) against reference counts; infinite where p is 0 < q.

    >>> reverse_kl(torch.tensor([4, 0]), torch.tensor([1, 1]))
    tensor(0.6931, dtype=torch.float64)
    """
    q, p = _shares(counts), _shares(reference)
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum()


def mode_coverage(labels: Tensor, k: int) -> Tensor:
    """The share of k classes that at least one label names (Srivastava et al. 2017).

    >>> mode_coverage(torch.tensor([0, 0, 3]), 4)
    tensor(0.5000, dtype=torch.float64)
    """
    return (torch.bincount(labels, minlength=k)[:k] > 0).double().mean()


def total_variation(counts: Tensor, reference: Tensor) -> Tensor:
    """Half the L1 distance of two vectors of counts, each made to sum to 1; in [0, 1].

    >>> total_variation(torch.tensor([3, 1]), torch.tensor([1, 3]))
    tensor(0.5000, dtype=torch.float64)
    """
    return (_shares(counts) - _shares(reference)).abs().sum() / 2


def _shares(counts: Tensor) -> Tensor:
    return counts.double() / counts.sum()


# --- Images --------------------------------------------------------------------------------------


def sharpness(images: Tensor) -> Tensor:
    """The variance of the Laplacian of each grey image, (B, C, H, W) to (B,) (Pech-Pacheco 2000).

    Blur lowers it, texture and noise raise it: read it as a ratio to that of real images.

    >>> sharpness(torch.ones(2, 3, 5, 5))
    tensor([0., 0.], dtype=torch.float64)
    """
    x = images.double().mean(1, keepdim=True)  # (B, 1, H, W)
    missing = [max(0, 3 - side) for side in x.shape[:1:-1]]
    x = F.pad(x, (0, missing[0], 0, missing[1]), mode="replicate")
    around = x[..., 2:, 1:-1] + x[..., :-2, 1:-1] + x[..., 1:-1, 2:] + x[..., 1:-1, :-2]
    laplacian = around - 4 * x[..., 1:-1, 1:-1]  # (B, 1, H - 2, W - 2)
    return laplacian.flatten(1).var(1, correction=0)


# --- Columns and pairs ---------------------------------------------------------------------------


def ks_distance(a: Tensor, b: Tensor) -> Tensor:
    """The largest gap between the empirical distribution functions of (N,) and (M,).

    >>> ks_distance(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0]))
    tensor(0.5000, dtype=torch.float64)
    """
    at = torch.cat([a, b]).double()
    return (_distribution(a, at) - _distribution(b, at)).abs().max()


def wasserstein_1d(a: Tensor, b: Tensor) -> Tensor:
    """∫ |F - G| dx of (N,) and (M,): the mean distance mass must move, in the column's unit.

    >>> wasserstein_1d(torch.tensor([0.0, 1.0]), torch.tensor([5.0]))
    tensor(4.5000, dtype=torch.float64)
    """
    at = torch.cat([a, b]).double().sort().values
    gap = (_distribution(a, at) - _distribution(b, at)).abs()
    return (gap[:-1] * at.diff()).sum()


def _distribution(x: Tensor, at: Tensor) -> Tensor:
    """The share of x at or below each point."""
    return torch.searchsorted(x.double().sort().values, at, right=True).double() / len(x)


def correlation_matrix(x: Tensor) -> Tensor:
    """Pearson's correlations of the columns of (N, D); those of a constant column are 0.

    >>> x = torch.tensor([[0.0, 1.0, 7.0], [1.0, -1.0, 7.0]])
    >>> correlation_matrix(x).round(decimals=6).tolist()
    [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    centred = x.double() - x.double().mean(0)
    scale = centred.square().sum(0).sqrt()
    unit = centred / torch.where(scale > 0, scale, 1.0)
    return (unit.T @ unit).clamp(-1, 1)


def contingency(a: Tensor, b: Tensor, rows: int, columns: int) -> Tensor:
    """How often codes a (N,) in 0..rows and b (N,) in 0..columns meet: (rows, columns).

    >>> contingency(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2, 2).tolist()
    [[1, 0], [1, 1]]
    """
    return torch.bincount(a * columns + b, minlength=rows * columns).view(rows, columns)


def cramers_v(table: Tensor) -> Tensor:
    """The association of two categories from their table of counts, in [0, 1] (Cramér 1946).

    >>> cramers_v(torch.tensor([[5, 0], [0, 5]]))
    tensor(1., dtype=torch.float64)
    """
    table = table[table.sum(1) > 0][:, table.sum(0) > 0].double()
    expected = table.sum(1, keepdim=True) * table.sum(0, keepdim=True) / table.sum()
    phi2 = ((table - expected).square() / expected).sum() / table.sum()
    return (phi2 / max(min(table.shape) - 1, 1)).sqrt()


def contingency_similarity(real: Tensor, fake: Tensor) -> Tensor:
    """1 minus the total variation of two tables of counts of the same shape; 1 is equal.

    >>> contingency_similarity(torch.eye(2), 3 * torch.eye(2))
    tensor(1., dtype=torch.float64)
    """
    return 1 - total_variation(real.flatten(), fake.flatten())


def mutual_information(a: Tensor, b: Tensor, bins: int = 20) -> Tensor:
    """I(a; b) of (N,) and (N,) in nats, by equally filled bins, with Miller's correction (1955).

    The plug-in estimate is too high by about (cells - rows - columns + 1) / 2N, over what is
    occupied; that is taken off, and what falls below 0 is 0.

    >>> x = torch.arange(1000.0)
    >>> mutual_information(x, x, bins=4)
    tensor(1.3878, dtype=torch.float64)
    """
    table = contingency(_binned(a, bins), _binned(b, bins), bins, bins).double()
    p = table / table.sum()
    independent = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
    plug_in = (torch.xlogy(p, p) - torch.xlogy(p, independent)).sum()
    occupied = (p > 0).sum() - (p.sum(1) > 0).sum() - (p.sum(0) > 0).sum() + 1
    return (plug_in - occupied / (2 * len(a))).clamp(min=0)


def _binned(x: Tensor, bins: int) -> Tensor:
    """The index of the quantile bin of each value; equal values share a bin."""
    edges = torch.quantile(x.double(), torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1])
    return torch.searchsorted(edges, x.double(), right=True)
