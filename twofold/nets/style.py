r"""Networks of a style-based generator.

A code z is first *mapped* to a *style* w, by layers that learn a hundred times more slowly (Karras
et al. 2019, arXiv:1812.04948). *Synthesis* starts from a learned constant and paints from coarse to
fine; the style acts on each convolution by the size of its inputs alone (Karras et al. 2020,
arXiv:1912.04958, Eq. 1–3). With s = A(w) one number an input channel i, and weights $w_{oik}$ to
output o at offset k,

$$ w'_{oik} = s_i\, w_{oik}, \qquad
   w''_{oik} = w'_{oik} \Big/ \sqrt{\textstyle\sum_{i,k} {w'_{oik}}^2 + \epsilon} . $$

A convolution is linear, so that this is the same as to scale its inputs by s and its outputs by the
root: one convolution for the whole batch, on any number of axes, with no kernel of its own. After
each, normal noise comes to every place, by a strength that is learnt; and at each size a picture is
painted from the features and added to the smaller one, enlarged (the *skip* generator).

Notation: z, w (B, D); styles (B, L, D), one for each of the L layers: W where they are all the
same, W+ where they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.distributions import Reparameterised
from twofold.maths.guidance import by_parameter, guided
from twofold.nets.bodies import Body, join
from twofold.nets.decoders import Relaxed
from twofold.nets.equalised import EqualConv, EqualLinear, rectified, rowwise, unit
from twofold.nets.scales import Scales, Widths, enlarged

SLOWER = 0.01
"""The rate of the mapping's layers beside the others'."""
QUIET = 0.1
"""The rate at which the strength of noise is learnt: at the others' it runs ahead of the shapes."""


class MappingNet(nn.Module):
    """w = f(z, given), (B, D): z and an embedding of what is given, each of unit size, joined."""

    def __init__(self, latent: int, given: Space, depth: int) -> None:
        super().__init__()
        known = latent * bool(given.width)
        self.embed = nn.Parameter(torch.randn(known, given.width))
        widths = [latent + known, *[latent] * depth]
        self.layers = nn.ModuleList(EqualLinear(a, b, rate=SLOWER) for a, b in pairwise(widths))

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        h = join(unit(z), unit(c @ self.embed.T))
        for layer in self.layers:
            h = rectified(layer(h))
        return h


class StyledConv(nn.Module):
    """A convolution of h (B, C, *A) by the weights that a style w (B, D) makes, w″ or w′."""

    def __init__(
        self, axes: int, latent: int, inputs: int, outputs: int, size: int, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.style = EqualLinear(latent, inputs, bias=1.0)  # A
        self.conv = EqualConv(axes, inputs, outputs, size)
        self.demodulate = demodulate

    def forward(self, h: Tensor, w: Tensor) -> Tensor:
        conv, s = self.conv, self.style(w)  # (B, inputs)
        weight = conv.weight * conv.scale
        h = conv.convolve(h * rowwise(s, h), weight, padding=conv.padding)
        if self.demodulate:
            power = s.square() @ weight.square().flatten(2).sum(2).T  # (B, outputs)
            h = h * rowwise((power + 1e-8).rsqrt(), h)
        return h + rowwise(conv.bias.unsqueeze(0), h)


class Layer(nn.Module):
    """A styled convolution, noise at every place, and a rectifier."""

    def __init__(self, axes: int, latent: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = StyledConv(axes, latent, inputs, outputs, 3)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor, w: Tensor, sigma: Tensor) -> Tensor:
        h = self.conv(h, w)
        noise = torch.randn_like(h[:, :1]) * rowwise(sigma, h)  # (B, 1, *A)
        return rectified(h + QUIET * self.strength * noise)


class Synthesis(Body):
    """g(w): styles (B, L, D), and the deviation of the noise (B, 1), to raw channels (B, out, *A).

    At the first size a convolution, at each other one that enlarges and one more; then one that
    paints. A layer that paints shares its style with the next that convolves.
    """

    def __init__(self, scales: Scales, latent: int, widths: Widths, out: int) -> None:
        super().__init__()
        self.scales, axes = scales, len(scales.sizes[0])
        channels = [widths(scales.halving(i)) for i in range(len(scales))]
        self.constant = nn.Parameter(torch.randn(channels[0], *scales.sizes[0]))
        pairs = [(channels[0], channels[0])]
        for a, b in pairwise(channels):
            pairs += [(a, b), (b, b)]
        self.convs = nn.ModuleList(Layer(axes, latent, a, b) for a, b in pairs)
        self.paints = nn.ModuleList(
            StyledConv(axes, latent, b, out, 1, demodulate=False) for b in channels
        )
        self.layers = len(self.convs) + 1  # L

    @property
    def layer_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The size that each layer paints: one at the first, two at each other, and the last."""
        last = len(self.scales) - 1
        return tuple(self.scales.sizes[min((i + 1) // 2, last)] for i in range(self.layers))

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        w, sigma = h, c
        h = self.constant.expand(w.shape[0], *self.constant.shape)
        h = self.convs[0](h, w[:, 0], sigma)
        x = self.paints[0](h, w[:, 1])
        for scale, size in list(enumerate(self.scales.sizes))[1:]:
            first, second = 2 * scale - 1, 2 * scale
            h = self.convs[first](enlarged(h, size), w[:, first], sigma)
            h = self.convs[second](h, w[:, second], sigma)
            x = enlarged(x, size) + self.paints[scale](h, w[:, second + 1])
        return x


@dataclass(frozen=True)
class Styled(Reparameterised):
    """p(x | styles): what is drawn differs by the noise at each place, the mean has none of it.

    Args:
        synthesis: g. styles: (B, L, D). space, tau: as in `Relaxed`.
    """

    synthesis: Synthesis
    styles: Tensor
    space: Space
    tau: float

    def painted(self, sigma: float) -> Relaxed:
        """p(x | styles, noise), the noise of a standard deviation."""
        deviation = self.styles.new_full((self.styles.shape[0], 1), sigma)
        return Relaxed(self.synthesis(self.styles, deviation), self.space, self.tau)

    def rsample(self) -> Tensor:
        return self.painted(1.0).rsample()

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.painted(1.0).sample()

    @property
    def mean(self) -> Tensor:
        return self.painted(0.0).mean

    @property
    def mode(self) -> Tensor:
        return self.painted(0.0).mode


guided.register(Styled, by_parameter)  # in W: w of the way between the styles
