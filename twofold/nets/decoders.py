r"""Decoders and generators are one thing: modules that return p(x | z, given).

A `Decoder` ends in an `Observation`, which has a density; so does the decoder of tokens that spells
them one by one (`sequences.py`), and `decoding` makes the one that an architecture is for. A
`Generator` ends in `Relaxed`, which has none, but whose draws can be differentiated: numbers are
the network's output, in [0, 1] where the domain is bounded; a category, and which mode a number is
of, is a draw of the Gumbel-softmax at temperature τ (Jang et al. 2017, arXiv:1611.01144; Maddison
et al. 2017, arXiv:1611.00712), and hard, one-hot, when it is only drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twofold.core.space import (
    Bounded,
    Category,
    Count,
    Domain,
    Field,
    Modal,
    Space,
    Token,
    paste,
)
from twofold.maths.distributions import Reparameterised
from twofold.maths.guidance import by_parameter, guided
from twofold.maths.likelihoods import Observation, ObservationSpec, hard
from twofold.nets import perceptual  # noqa: F401 (a recipe may name its likelihoods)
from twofold.nets.bodies import Architecture, Body
from twofold.nets.sequences import SequenceDecoder, Sequential


class Observing(nn.Module):
    """p(x | z, given) as a product of likelihoods, from what a body makes of z.

    A fresh one can be started from the data: its p(x | z) is then near their mean for every z, and
    training has the differences left to learn.
    """

    def __init__(self, body: Body, spec: ObservationSpec) -> None:
        super().__init__()
        self.spec = spec
        self.body = body
        self.shared = nn.Parameter(torch.zeros(spec.shared))

    def forward(self, z: Tensor, c: Tensor) -> Observation:
        return self.spec(self.body(z, c), self.shared)

    def start(self, x: Tensor) -> None:
        """Let p(x | z) of a fresh network be near the mean of x (N, C, *A)."""
        self.body.lift(self.spec.near(x))


class Decoder(Observing):
    """p(x | z, given) from a code (B, D)."""

    def __init__(
        self, architecture: Architecture, latent: int, given: Space, spec: ObservationSpec
    ) -> None:
        super().__init__(architecture.up(latent, given, spec.predicted, spec.space.axes), spec)


def decoding(
    architecture: Architecture, latent: int, given: Space, spec: ObservationSpec
) -> Decoder | SequenceDecoder:
    """The decoder of codes (B, D): all values at once, or, of tokens, one after the other."""
    if isinstance(architecture, Sequential):
        return SequenceDecoder(architecture, latent, given, spec)
    return Decoder(architecture, latent, given, spec)


class GridDecoder(Observing):
    """p(x | z, given) from a code at each place of a grid, (B, D, *places)."""

    def __init__(
        self,
        architecture: Architecture,
        latent: int,
        places: tuple[int, ...],
        given: Space,
        spec: ObservationSpec,
    ) -> None:
        axes = spec.space.axes
        super().__init__(architecture.up_grid(latent, places, given, spec.predicted, axes), spec)


class Generator(nn.Module):
    """p(x | z, given) that can be drawn from with gradient."""

    def __init__(
        self, architecture: Architecture, latent: int, given: Space, space: Space, tau: float
    ) -> None:
        super().__init__()
        self.space = space
        self.tau = tau
        self.body = architecture.up(latent, given, space.width, space.axes)

    def forward(self, z: Tensor, c: Tensor) -> Relaxed:
        return Relaxed(self.body(z, c), self.space, self.tau)


@dataclass(frozen=True)
class Relaxed(Reparameterised):
    """Draws with gradient from raw channels (B, C, *A)."""

    raw: Tensor
    space: Space
    tau: float

    def rsample(self) -> Tensor:
        shown = [self.show(field, part, soft=True, noisy=True) for field, part in self.parts()]
        return paste(shown)

    def sample(self) -> Tensor:
        with torch.no_grad():
            shown = [self.show(field, part, soft=False, noisy=True) for field, part in self.parts()]
            return paste(shown).detach()

    @property
    def mean(self) -> Tensor:
        shown = [self.show(field, part, soft=True, noisy=False) for field, part in self.parts()]
        return paste(shown)

    @property
    def mode(self) -> Tensor:
        shown = [self.show(field, part, soft=False, noisy=False) for field, part in self.parts()]
        return paste(shown)

    def parts(self) -> Iterator[tuple[Field, Tensor]]:
        return self.space.parts(self.raw)

    def show(self, field: Field, raw: Tensor, soft: bool, noisy: bool) -> Tensor:
        """Raw channels of one field to its channels of x."""
        value, presence = field.split(raw)
        shown = self.value(field.domain, value, soft, noisy)
        if presence is None:
            return shown
        there = self.choose(torch.stack([presence, -presence], 2) / 2, soft, noisy)
        there = there.unflatten(1, (-1, 2)).select(2, 0)  # (B, F, *A)
        return torch.cat([shown * there.repeat_interleave(field.domain.width, 1), there], 1)

    def value(self, domain: Domain, raw: Tensor, soft: bool, noisy: bool) -> Tensor:
        if isinstance(domain, Category | Token):
            return self.choose(raw.unflatten(1, (-1, domain.width)), soft, noisy)
        if isinstance(domain, Modal):
            return self.placed(domain, raw, soft, noisy)
        if isinstance(domain, Bounded):
            return (2 * raw).sigmoid()  # (1 + tanh) / 2
        return raw.relu() if isinstance(domain, Count) else raw

    def placed(self, domain: Modal, raw: Tensor, soft: bool, noisy: bool) -> Tensor:
        """Which mode a number is of, and where in it: α = tanh, 0 as far as it has no width."""
        place, scores = domain.split(raw)
        hot = self.choose(scores, soft, noisy).unflatten(1, (-1, domain.modes))  # (B, F, K, *A)
        wide = (hot * (domain.parameters(raw)[1] > 0)).sum(2)
        alpha = place.tanh() * wide
        return torch.cat([alpha.unsqueeze(2), hot], 2).flatten(1, 2)

    def choose(self, scores: Tensor, soft: bool, noisy: bool) -> Tensor:
        """Scores (B, F, K, *A) to a point of the simplex a value, (B, F · K, *A)."""
        if noisy:
            u = torch.rand_like(scores).clamp(1e-20, 1 - 1e-7)
            scores = (scores - torch.log(-torch.log(u))) / self.tau
        return scores.softmax(2).flatten(1, 2) if soft else hard(scores)


guided.register(Relaxed, by_parameter)
