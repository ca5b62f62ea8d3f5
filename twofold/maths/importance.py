r"""Draws that count unequally: self-normalised importance sampling.

Of K draws $z_k \sim q$, where p is known up to a constant, $w_k = p(z_k) / q(z_k)$ and
$\tilde w_k = w_k / \sum_j w_j$, normalised **over the K draws of a row**:

$$ \mathbb E_p f \approx \sum_k \tilde w_k f(z_k), \qquad
\text{ESS} = \frac{1}{\sum_k \tilde w_k^2}, $$

consistent as K grows. The effective sample size, 1 to K, says how many equal draws they are worth
(Kong 1992). Drawing indices with probability $\tilde w_k$ gives draws of p itself, nearly: sampling
importance resampling (Rubin 1987).

Notation: log w (K, B), in nats; what is averaged has the draws first, (K, B, …).
"""

from __future__ import annotations

import torch
from torch import Tensor


def weights(log_w: Tensor) -> Tensor:
    """w̃, (K, B): each row's weights sum to 1.

    >>> weights(torch.tensor([[0.0], [0.0]]))
    tensor([[0.5000],
            [0.5000]])
    """
    return log_w.softmax(0)


def effective(log_w: Tensor) -> Tensor:
    """The effective sample size of each row, (B,), from 1 to K."""
    return 1 / weights(log_w).square().sum(0)


def average(log_w: Tensor, f: Tensor) -> Tensor:
    """Σ w̃_k f_k: (K, B, …) to (B, …)."""
    return (shaped(weights(log_w), f) * f).sum(0)


def resampled(log_w: Tensor, f: Tensor) -> Tensor:
    """One of each row's f_k, chosen with probability w̃_k: (K, B, …) to (B, …)."""
    chosen = torch.multinomial(weights(log_w).T, 1)[:, 0]  # (B,)
    return f[chosen, torch.arange(f.shape[1])]


def quantile(log_w: Tensor, f: Tensor, level: float) -> Tensor:
    """The smallest f_k up to which the weights reach `level`: (K, B, …) to (B, …).

    >>> quantile(torch.zeros(3, 1), torch.tensor([[3.0], [1.0], [2.0]]), 0.5)
    tensor([2.])
    """
    ordered, order = f.sort(0)
    reached = shaped(weights(log_w), f).expand_as(f).gather(0, order).cumsum(0)
    below = (reached < level - 1e-6).sum(0, keepdim=True).clamp(max=len(f) - 1)
    return ordered.gather(0, below)[0]


def shaped(w: Tensor, f: Tensor) -> Tensor:
    """(K, B) to (K, B, 1, …), as many axes as f."""
    return w.reshape(*w.shape, *[1] * (f.dim() - 2)).to(f.dtype)
