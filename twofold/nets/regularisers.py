r"""What keeps a decoder smooth, as a part of a regularised autoencoder.

Where codes are points, nothing but the decoder itself makes near codes decode alike. A
`Regulariser` is the term $\mathcal L_\text{REG}$ of Ghosh et al. 2020 (arXiv:1903.12436, §3):

* `L2`: $\|\theta\|^2$ of the decoder's parameters (Tikhonov);
* `GradientPenalty`: $\|\nabla_z D(z)\|^2$, the squared Frobenius norm of the Jacobian J, from one
  draw: $\mathbb E_v \|J^\top v\|^2 = \|J\|_F^2$ for $v \sim \mathcal N(0, I)$ (Hutchinson 1990);
* `Spectral`: no term, but each weight divided by its largest singular value.

Notation: z (B, D), c what is given (B, G), θ the parameters of the decoder D.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.build import Part
from twofold.nets.critics import normalise
from twofold.nets.decoders import Decoder


class Regulariser(Part, ABC):
    """A price of roughness."""

    def prepare(self, decoder: Decoder) -> None:
        """Change a decoder that was just built; most leave it alone."""
        return

    @abstractmethod
    def __call__(self, decoder: Decoder, z: Tensor, c: Tensor) -> Tensor:
        """The price, a scalar: a mean over the rows where it depends on them."""


@dataclass(frozen=True)
class L2(Regulariser):
    r"""`weight` times the squared norm of the parameters.

    $$ \lambda\, \|\theta\|^2 $$

    Args:
        weight: λ.

    Source: Ghosh et al. 2020, arXiv:1903.12436, §3.
    """

    weight: float = 1e-4

    def __call__(self, decoder: Decoder, z: Tensor, c: Tensor) -> Tensor:
        return self.weight * torch.stack([p.square().sum() for p in decoder.parameters()]).sum()


@dataclass(frozen=True)
class GradientPenalty(Regulariser):
    r"""`weight` times the squared norm of the decoder's Jacobian at the codes.

    $$ \lambda\, \big\| \nabla_z D(z) \big\|_F^2 $$

    Args:
        weight: λ.

    Source: Ghosh et al. 2020, arXiv:1903.12436, §3.
    """

    weight: float = 1e-2

    def __call__(self, decoder: Decoder, z: Tensor, c: Tensor) -> Tensor:
        return self.weight * squared_jacobian(decoder, z, c).mean()


@dataclass(frozen=True)
class Spectral(Regulariser):
    r"""Each weight divided by its largest singular value; nothing is paid.

    $$ W \leftarrow W / \sigma_{\max}(W) $$

    Source: Ghosh et al. 2020, arXiv:1903.12436, §3; Miyato et al. 2018, arXiv:1802.05957.
    """

    def prepare(self, decoder: Decoder) -> None:
        normalise(decoder)

    def __call__(self, decoder: Decoder, z: Tensor, c: Tensor) -> Tensor:
        return z.new_zeros(())


def squared_jacobian(decoder: Decoder, z: Tensor, c: Tensor) -> Tensor:
    """An unbiased draw of ‖∂E[x | z] / ∂z‖² of each row, (B,), differentiable in θ and z."""
    z = z if z.requires_grad else z.detach().requires_grad_()
    x = decoder(z, c).mean
    (pulled,) = torch.autograd.grad((x * torch.randn_like(x)).sum(), z, create_graph=True)
    return pulled.square().sum(1)
