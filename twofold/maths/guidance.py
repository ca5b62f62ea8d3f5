r"""Guidance: drawing as if the condition had been said more than once, or less.

A model that was trained with its condition withheld from some rows knows both p(x | z, c) and
p(x | z), the same under the null condition. With a weight w, *guided* draws come from

$$ p_w(x \mid z, c) \;\propto\; p(x \mid z) \left( \frac{p(x \mid z, c)}{p(x \mid z)} \right)^{w},
$$

in which the ratio is what the condition has to say of x: by Bayes' rule it is p(c | z, x) up to a
factor, counted w times. This is the classifier-free guidance of diffusion models (Ho & Salimans
2022, arXiv:2207.12598), whose scores are gradients of such logarithms, with w in place of their
1 + w. In an exponential family with natural parameter η the product is of the same family, at

$$ \eta_w = \eta_\varnothing + w\,(\eta_c - \eta_\varnothing): $$

the logits of a Bernoulli, continuous Bernoulli or categorical value, the mean of a Gaussian whose
scale does not depend on c. So guidance goes w of the way from the parameters without to those with
the condition: w = 0 is the null condition, w = 1 the plain model, w > 1 goes beyond. Of the other
families, location and log-scale go the same way, and what a generator without a density puts out.

The code is guided alike where its prior sees c: mixtures in their logits; what has no such
parameters, as a flow, in its draws, $z_w = z_\varnothing + w (z_c - z_\varnothing)$, both made of
the same noise.

>>> import torch
>>> from twofold.maths.distributions import Normal
>>> null, full = (Normal(torch.tensor([[mu]]), torch.zeros(1, 1)) for mu in (0.0, 2.0))
>>> guided(full, null, 1.5).mu
tensor([[3.]])
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.game import Decodes, Distribution, Samples
from twofold.core.space import Space
from twofold.maths.distributions import (
    Affine,
    Beside,
    Categories,
    Density,
    Dirac,
    FullMixture,
    Implicit,
    Mixture,
    Normal,
    Resampled,
)
from twofold.maths.likelihoods import (
    CategoricalValues,
    Elementwise,
    Observation,
    ObservedField,
)


@singledispatch
def guided(full: Any, null: Any, weight: float) -> Any:
    """A distribution under guidance.

    Args:
        full, null: the same with and without the condition.
        weight: w. What is no parameter stays as it is in `full`.
    """
    return full


@guided.register
def parameters(full: Tensor, null: Tensor, weight: float) -> Tensor:
    """η_∅ + w (η_c - η_∅), bit-equal to its ends at w = 0 and 1."""
    return torch.lerp(null, full, weight)


@guided.register
def several(full: tuple, null: tuple, weight: float) -> tuple[Any, ...]:  # type: ignore[type-arg]
    return tuple(guided(a, b, weight) for a, b in zip(full, null, strict=True))


def by_parameter(full: Any, null: Any, weight: float) -> Any:
    """Each parameter of a distribution."""
    pairs = {f.name: (getattr(full, f.name), getattr(null, f.name)) for f in fields(full)}
    return replace(full, **{name: guided(*pair, weight) for name, pair in pairs.items()})


BY_PARAMETER = (
    Dirac,
    Normal,
    Mixture,
    Affine,
    Categories,
    Beside,
    Observation,
    ObservedField,
    Elementwise,
)
for sort in BY_PARAMETER:
    guided.register(sort, by_parameter)


@guided.register
def categories(full: CategoricalValues, null: CategoricalValues, weight: float) -> Any:
    """Logits, which sum to one again."""
    log_p = guided(full.log_p, null.log_p, weight)
    return CategoricalValues(log_p if weight in (0, 1) else log_p.log_softmax(2))


@guided.register
def components(full: FullMixture, null: FullMixture, weight: float) -> FullMixture:
    """The logits of a row's components; one that the condition excludes stays out for any w > 0."""
    excluded = full.logits.isneginf()
    between = torch.lerp(null.logits, full.logits.masked_fill(excluded, 0.0), weight)
    logits = torch.where(excluded, full.logits if weight else null.logits, between)
    return replace(full, logits=logits)


@dataclass(frozen=True)
class Drawn(Distribution):
    """What is guided in its draws, both made of the same noise."""

    full: Distribution
    null: Distribution
    weight: float

    def sample(self) -> Tensor:
        with torch.random.fork_rng([]):
            without = self.null.sample()
        return torch.lerp(without, self.full.sample(), self.weight)

    @property
    def mean(self) -> Tensor:
        return torch.lerp(self.null.mean, self.full.mean, self.weight)

    @property
    def mode(self) -> Tensor:
        return torch.lerp(self.null.mode, self.full.mode, self.weight)


def draws(full: Distribution, null: Distribution, weight: float) -> Distribution:
    """What has no parameters to move; at its ends it is one of the two, which may draw unalike."""
    ends: dict[float, Distribution] = {0.0: null, 1.0: full}
    return ends.get(weight, Drawn(full, null, weight))


for drawn in (Density, Implicit, Resampled):
    guided.register(drawn, draws)


@dataclass(frozen=True)
class Guided(Samples):
    """A model that draws under guidance.

    Args:
        model: what draws. space: of what it draws. weight: w.
    """

    model: Decodes
    space: Space
    weight: float

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """z from the guided prior, x from the guided decoder; of a picture, its mean if it has."""
        model, null = self.model, Given(torch.zeros_like(given.c))
        z = guided(model.prior(given), model.prior(null), self.weight).sample()
        p = guided(model.decode(z, given), model.decode(z, null), self.weight)
        mean = len(self.space.axes) > 1 and isinstance(p, Density)
        x: Tensor = p.mean if mean else p.sample()
        return x
