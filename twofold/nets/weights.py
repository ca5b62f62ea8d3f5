r"""What is asked of weights themselves, whatever the observations.

* *Clipping* (Arjovsky et al. 2017, WGAN, arXiv:1701.07875, Algorithm 1): after each of its steps,
  each weight of the critic is brought back to $[-c, c]$, which bounds its slope.
* *Orthogonal regularisation* (Brock et al. 2019, BigGAN, arXiv:1809.11096, Eq. 3) pays for
  $\|W^\top W \odot (1 - I)\|_F^2$, the overlap of the filters of each layer and not their length,
  which lets a generator be drawn from with truncated noise. Of the rows and columns of W those that
  are fewer are compared, since more of them than their length cannot be orthogonal.
* *Historical averaging* (Salimans et al. 2016, arXiv:1606.03498, §3.3) pays for
  $\|\theta - \frac1t \sum_i \theta_i\|^2$, the distance of a player from its own past, which damps
  cycles about an equilibrium. The mean is a buffer that moves once a step.
* *Unrolling* (Metz et al. 2017, arXiv:1611.02163, Eq. 5–7) lets the generator see the critic as it
  would be after K more steps of gradient descent, $\theta^{k+1} = \theta^k - \eta \nabla f(\theta^k)$,
  and learn through those steps as well.
"""  # noqa: E501

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from pydantic import NonNegativeInt, PositiveFloat
from torch import Tensor, nn
from torch.func import functional_call

from twofold.core.build import Part

Net = Callable[[Tensor], Any]
"""A network as a function of x."""


@torch.no_grad()
def clip(module: nn.Module, bound: float) -> None:
    """Bring every parameter back to [−bound, bound]; those within are not touched.

    A part of a batch may have used them already by the time that the next comes to clip.

    >>> layer = nn.Linear(3, 3)
    >>> clip(layer, 0.01)
    >>> bool(layer.weight.abs().max() <= 0.01)
    True
    """
    if bound < math.inf:
        for parameter in module.parameters():
            if parameter.numel() and parameter.abs().max() > bound:
                parameter.clamp_(-bound, bound)


def overlap(module: nn.Module) -> Tensor:
    """Σ ‖WᵀW ⊙ (1 − I)‖² over the weights of the layers, a scalar."""
    layers = [m for m in module.modules() if isinstance(m, LAYERS)]
    return torch.stack([off_diagonal(layer.weight.flatten(1)) for layer in layers]).sum()


LAYERS = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def off_diagonal(weight: Tensor) -> Tensor:
    """The squares of the products of different rows, or of columns where they are fewer, summed.

    >>> off_diagonal(torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0]]))
    tensor(8.)
    """
    shorter = weight if weight.shape[0] <= weight.shape[1] else weight.T
    gram = shorter @ shorter.T
    return (gram - gram.diag().diag()).square().sum()


class History(nn.Module):
    """The mean of a module's parameters over the steps so far.

    >>> layer = nn.Linear(2, 1)
    >>> history = History(layer)
    >>> history.advance(layer, step=0)
    >>> history(layer).item()
    0.0
    """

    step: Tensor

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for i, parameter in enumerate(module.parameters()):
            self.register_buffer(f"mean{i}", parameter.detach().clone())
        self.register_buffer("step", torch.tensor(-1))

    def means(self) -> list[Tensor]:
        return [buffer for name, buffer in self.named_buffers() if name != "step"]

    @torch.no_grad()
    def advance(self, module: nn.Module, step: int) -> None:
        """Take in the parameters as they are before a step, unless this step has done so."""
        if step != int(self.step):
            torch._foreach_lerp_(self.means(), list(module.parameters()), 1 / (step + 1))
            self.step.fill_(step)

    def forward(self, module: nn.Module) -> Tensor:
        """‖θ − mean‖², a scalar."""
        pairs = zip(module.parameters(), self.means(), strict=True)
        return torch.stack([(p - mean).square().sum() for p, mean in pairs]).sum()


@dataclass(frozen=True)
class Unrolling(Part):
    r"""How far ahead the generator looks.

    $$ \theta^{k+1} = \theta^k - \eta \nabla_\theta \ell_D(\theta^k), \quad k < K $$

    Args:
        steps: K; 0 looks at the critic as it is.
        rate: η.

    Source: Metz et al. 2017, arXiv:1611.02163.
    """

    steps: NonNegativeInt = 0
    rate: PositiveFloat = 0.1


def unrolled(net: nn.Module, cost: Callable[[Net], Tensor], ahead: Unrolling) -> Net:
    """A network after K more steps down a cost, which gradients pass through; it stays as it is.

    Args:
        cost: of the network, as a function that may have other weights.
    """
    weights: dict[str, Tensor] = dict(net.named_parameters())
    moved: Net = net
    for _ in range(ahead.steps):
        slopes = torch.autograd.grad(
            cost(moved), list(weights.values()), create_graph=True, materialize_grads=True
        )
        pairs = zip(weights.items(), slopes, strict=True)
        weights = {name: w - ahead.rate * slope for (name, w), slope in pairs}
        moved = partial(with_weights, net, weights)
    return moved


def with_weights(net: nn.Module, weights: dict[str, Tensor], x: Tensor) -> Any:
    """What a network with other weights makes of x."""
    return functional_call(net, weights, (x,))
