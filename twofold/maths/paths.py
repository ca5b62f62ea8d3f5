r"""Ways between two codes: straight, along the sphere, and along the decoder's own geometry.

A path takes ends a, b (P, D) and times t (T,) from 0 to 1, and returns the curve z (P, T, D).

The *geodesic* is the shortest curve once lengths are measured where they are seen: in the space of
observations, through the mean μ(z) of the decoder. Its metric is the pull-back $J^\top J$ of the
Jacobian of μ (Arvanitidis et al. 2018, arXiv:1710.11379, of which this keeps the mean alone; Shao
et al. 2018, arXiv:1711.08014). A geodesic minimises the energy of the curve between its ends,

$$ E(z_0, \dots, z_n) = n \sum_{i=0}^{n-1} \lVert \mu(z_{i+1}) - \mu(z_i) \rVert^2, $$

here by gradient descent on the inner points, from the straight line. The energy bounds the square
of the length from above, $L^2 \le E$, with equality at constant speed: the points of a geodesic are
evenly spaced as one sees them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Decode = Callable[[Tensor], Tensor]
"""μ: codes (P, T, D) to means (P, T, …), each curve under what is given of it."""

Path = Callable[[Tensor, Tensor, Tensor, Decode], Tensor]

STEPS = 300
"""Steps of gradient descent."""
RATE = 0.05
"""The first step of a point, as a share of the distance between the ends."""
SEGMENTS = 16
"""Segments of a curve at least; it is refined where fewer are asked for."""


def linear(a: Tensor, b: Tensor, t: Tensor, decode: Decode) -> Tensor:
    """The straight way from a to b; the decoder has no say.

    >>> linear(torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.0, 0.5, 1.0]), abs)[0, :, 0]
    tensor([0.0000, 0.5000, 1.0000])
    """
    return torch.lerp(a.unsqueeze(1), b.unsqueeze(1), t.reshape(1, -1, 1))


def spherical(a: Tensor, b: Tensor, t: Tensor, decode: Decode) -> Tensor:
    """The way along the great circle, lengths interpolated (White 2016, arXiv:1609.04468)."""
    a, b, t = a.unsqueeze(1), b.unsqueeze(1), t.reshape(1, -1, 1)  # (P, 1, D), (1, T, 1)
    length = torch.lerp(a.norm(dim=2, keepdim=True), b.norm(dim=2, keepdim=True), t)
    u, v = (torch.nn.functional.normalize(e, dim=2) for e in (a, b))
    omega = (u * v).sum(2, keepdim=True).clamp(-1, 1).acos()
    arc = ((1 - t) * omega).sin() * u + (t * omega).sin() * v
    straight = torch.lerp(u, v, t)
    return length * torch.nn.functional.normalize(torch.where(omega < 1e-4, straight, arc), dim=2)


def geodesic(a: Tensor, b: Tensor, t: Tensor, decode: Decode) -> Tensor:
    """The curve of least energy; evenly spaced, whatever t, as one sees it."""
    steps = len(t) - 1
    refined = math.ceil(SEGMENTS / max(steps, 1))
    line = linear(a, b, torch.linspace(0, 1, steps * refined + 1, dtype=a.dtype), decode)
    return shortened(line, decode)[:, ::refined]


def shortened(curve: Tensor, decode: Decode) -> Tensor:
    """A curve (P, T, D) after gradient descent on the energy of its inner points.

    Adam, each curve on its own scale, its rate falling to zero; of all curves on the way the one of
    least energy is kept, so that none ever ends above the straight line.
    """
    ends, inner = curve[:, [0, -1]].detach(), curve[:, 1:-1].detach()
    scale = (ends[:, 1] - ends[:, 0]).norm(dim=1).clamp(min=1e-12).reshape(-1, 1, 1)
    shift = torch.zeros_like(inner, requires_grad=True)  # in units of the scale
    optimiser = torch.optim.Adam([shift], RATE / math.sqrt(curve.shape[2]))
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 1e-3, STEPS)
    best, least = curve, torch.full((len(curve),), math.inf, dtype=curve.dtype)
    for _ in range(STEPS):
        with torch.enable_grad():
            now = torch.cat([ends[:, :1], inner + scale * shift, ends[:, 1:]], 1)
            cost = energy(now, decode)
            (shift.grad,) = torch.autograd.grad(cost.sum(), shift)
        better = (cost < least).detach()
        best = torch.where(better.reshape(-1, 1, 1), now, best).detach()
        least = torch.where(better, cost, least).detach()
        optimiser.step()
        falling.step()
    return best


def energy(curve: Tensor, decode: Decode) -> Tensor:
    """E of each curve (P, T, D), (P,).

    >>> energy(torch.tensor([[[0.0], [1.0], [2.0]]]), lambda z: z)
    tensor([4.])
    """
    seen = decode(curve).flatten(2)  # (P, T, numel)
    return (curve.shape[1] - 1) * seen.diff(dim=1).square().sum((1, 2))


PATHS: Mapping[str, Path] = {"linear": linear, "spherical": spherical, "geodesic": geodesic}
