"""A plain supervised fit, for measures that must train an evaluator; models train in `train/`.

Adam (Kingma & Ba 2015, arXiv:1412.6980) on minibatches drawn without replacement, one permutation
of the rows after another, under a rate that falls to zero along half a cosine (Loshchilov & Hutter
2017, arXiv:1608.03983).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def fit(
    module: M,
    inputs: Tensor,
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    steps: int = 500,
    batch: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
) -> M:
    """Fit `module` in place so that loss(module(inputs), targets) is small; return it, evaluating.

    The module arrives with its parameters drawn: the seed decides the order of the rows and the
    noise of layers such as dropout. Equal arguments give equal parameters, and the caller's random
    stream is left as it was.

    Args:
        inputs, targets: (N, ...) each; row i belongs to row i.
        loss: (prediction, target) to a scalar, a mean over rows.
        batch: rows a step, all of them where N is smaller.

    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> line = fit(nn.Linear(1, 1), x, 3 * x + 1, nn.functional.mse_loss, lr=0.1)
    >>> round(line.weight.item(), 2), round(line.bias.item(), 2)
    (3.0, 1.0)
    """
    optimiser = torch.optim.Adam(module.parameters(), lr)
    plan = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    devices = [inputs.device] if inputs.is_cuda else []
    module.train()
    with torch.random.fork_rng(devices), torch.enable_grad():
        torch.manual_seed(seed)
        draw = minibatches(len(inputs), batch, seed)
        for _ in range(steps):
            rows = next(draw).to(inputs.device)
            optimiser.zero_grad()
            loss(module(inputs[rows]), targets[rows]).backward()
            optimiser.step()
            plan.step()
    return module.eval()


def minibatches(rows: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Indices of `batch` rows without end: every row once before any comes again.

    >>> draw = minibatches(4, 2, seed=0)
    >>> sorted(torch.cat([next(draw), next(draw)]).tolist())
    [0, 1, 2, 3]
    """
    stream = torch.Generator().manual_seed(seed)
    size = min(batch, rows)
    while True:
        order = torch.randperm(rows, generator=stream)
        yield from order[: rows - rows % size].split(size)
