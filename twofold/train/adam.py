r"""Adam (Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1), as one fused kernel over all parameters.

$$ m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, $$
$$ \theta \leftarrow \theta
- \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}, $$

with t counted for each parameter: one without a gradient stays as it is, moments and count too. The
numbers are those of `torch.optim.Adam(fused=True)`; calling the kernel without the class around it
saves a small network a tenth of its step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class Adam:
    """The optimiser of one player.

    Args:
        parameters: what it moves.
        betas: the decay of both moments.
        rate: η, which may change between steps.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], betas: tuple[float, float], rate: float
    ) -> None:
        self.parameters, self.betas, self.rate = parameters, betas, rate
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        moving: list[Tensor] = [p for p in self.parameters if p.grad is not None]
        if not moving:
            return
        gradients = [p.grad for p in moving if p.grad is not None]
        states = [self.moments(p) for p in moving]
        m, v, t = ([state[key] for state in states] for key in ("m", "v", "t"))
        torch._foreach_add_(t, 1)
        torch._fused_adam_(
            moving, gradients, m, v, [], t, lr=self.rate, beta1=self.betas[0], beta2=self.betas[1],
            weight_decay=0.0, eps=EPSILON, amsgrad=False, maximize=False,
        )  # fmt: skip

    def moments(self, parameter: Tensor) -> dict[str, Tensor]:
        """m, v and t of a parameter, zero at first."""
        if parameter not in self.state:
            m, v = torch.zeros_like(parameter), torch.zeros_like(parameter)
            self.state[parameter] = {"m": m, "v": v, "t": torch.zeros((), device=parameter.device)}
        return self.state[parameter]
