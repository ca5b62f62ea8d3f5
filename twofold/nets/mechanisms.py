r"""How values go missing: a model of the mask, as a part of a VAE.

With s which values are missing, $x_o$ those that are there and $x_m$ the others, the likelihood of
what one sees is

$$ p(x_o, s) = \int p(z) \int p(x_o, x_m \mid z)\, p(s \mid \cdot)\, dx_m\, dz, $$

and what stands for the dot is the *mechanism* (Rubin 1976). If s depends on nothing that is hidden,
its term is a constant of what is learnt of x, and can be left out: `Ignorable`. `ByCode` lets it
depend on the code, p(s | z): the decoder then draws rows with gaps like those of the data. If
values go missing because of what they are, leaving that out biases all that is learnt: of incomes
that the rich keep to themselves the mean is too low. Then s depends on x, and the bound of a row
with K draws $z_k \sim q(z \mid x_o)$, $x_m^k \sim p(x_m \mid z_k)$ is

$$ \log \frac1K \sum_k
 \frac{p(s \mid x_o, x_m^k)\, p(x_o \mid z_k)\, p(z_k)}{q(z_k \mid x_o)}, $$

through whose draws of z and of $x_m$ gradients pass (not-MIWAE). In $p(s \mid x)$ every value that
may be missing is a Bernoulli of its own: `SelfMasking` looks at that value alone, `Agnostic` at all
of them. What is missing not at random cannot be seen from the data; the mechanism is knowledge that
the user brings, the more of it the better: a `direction`, if it is known.

Source: Ipsen, Mattei & Frellsen 2021, not-MIWAE, arXiv:2006.12871; Rubin 1976, Inference and
Missing Data.

Notation: x (B, C, *A) as networks see it; s of F values, (B, F, *A).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.space import Category, Field, Space, Token
from twofold.maths.likelihoods import Observation
from twofold.maths.missing import absent, channels_of


class Mechanism(Part, ABC):
    """How values go missing."""

    decoded: ClassVar[bool] = False
    """Whether the decoder says which values are there, from the code."""

    @abstractmethod
    def build(self, space: Space) -> Hider:
        """What is learnt of it, for one Space."""


class Hider(nn.Module, ABC):
    """p(s | x), or nothing."""

    speaks: ClassVar[bool]
    """Whether it says anything."""

    @abstractmethod
    def forward(self, p: object, x: Tensor) -> Tensor:
        """log p(s | x_o, x_m), x_m drawn from p = p(x | z) with gradient: (B,)."""

    @abstractmethod
    def log_prob(self, x: Tensor, gone: Tensor) -> Tensor:
        """log p(s | x) of x (B, C, *A) in which every value is there: (B,)."""

    @abstractmethod
    def hide(self, x: Tensor) -> Tensor:
        """x with values gone as they would be, (B, C, *A)."""


class Silent(Hider):
    """What says nothing of s beside what the decoder does."""

    speaks = False

    def forward(self, p: object, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))

    def log_prob(self, x: Tensor, gone: Tensor) -> Tensor:
        return x.new_zeros(len(x))

    def hide(self, x: Tensor) -> Tensor:
        return x


class Hiding(Hider):
    """p(s | x) as a Bernoulli for each value that may be missing, of the logits of a network."""

    speaks = True

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Of each value being gone, (B, F, *A)."""

    def forward(self, p: object, x: Tensor) -> Tensor:
        assert isinstance(p, Observation)
        gone = absent(self.space, x)
        return self.log_prob(torch.where(channels_of(self.space, gone), p.relaxed(), x), gone)

    def log_prob(self, x: Tensor, gone: Tensor) -> Tensor:
        logits = self.logits(x)
        each = F.binary_cross_entropy_with_logits(logits, gone.to(logits), reduction="none")
        return -(each * self.may(each)).flatten(1).sum(1)

    def hide(self, x: Tensor) -> Tensor:
        gone = torch.bernoulli(self.logits(x).sigmoid() * self.may(x)) > 0
        return x.masked_fill(channels_of(self.space, gone), 0)

    def may(self, like: Tensor) -> Tensor:
        """1 for each value that may be missing, (F, 1, …)."""
        may = [field.missing for field in self.space.fields for _ in range(field.size)]
        return torch.tensor(may).to(like).reshape(-1, *[1] * len(self.space.axes))


class BySelf(Hiding):
    """Logits of each value from its own channels: w · x + b, or ± softplus(w) x + b."""

    def __init__(self, space: Space, sign: int) -> None:
        super().__init__(space)
        self.sign = sign
        self.w = nn.ParameterList(
            torch.zeros(field.size * field.domain.width) for field in space.fields
        )
        self.b = nn.Parameter(torch.zeros(space.size))

    def logits(self, x: Tensor) -> Tensor:
        parts = zip(self.space.parts(x), self.w, strict=True)
        scores = torch.cat([self.score(field, part, w) for (field, part), w in parts], 1)
        return scores + self.b.reshape(-1, *[1] * len(self.space.axes))

    def score(self, field: Field, part: Tensor, w: Tensor) -> Tensor:
        """The channels of one field, weighted and summed to its values, (B, size, *A)."""
        directed = self.sign and not isinstance(field.domain, Category | Token)
        w = self.sign * F.softplus(w) if directed else w
        shown = field.split(part)[0] * w.reshape(-1, *[1] * (part.dim() - 2))
        return shown.unflatten(1, (field.size, -1)).sum(2)


class ByAll(Hiding):
    """Logits of each value from all values at its place."""

    def __init__(self, space: Space, width: int, depth: int) -> None:
        super().__init__(space)
        shown = sum(field.size * field.domain.width for field in space.fields)
        widths = [shown, *[width] * depth]
        hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.Tanh())]
        self.net = nn.Sequential(*hidden, nn.Linear(widths[-1], space.size))

    def logits(self, x: Tensor) -> Tensor:
        shown = torch.cat([field.split(part)[0] for field, part in self.space.parts(x)], 1)
        logits: Tensor = self.net(shown.movedim(1, -1)).movedim(-1, 1)  # values last, and back
        return logits


@dataclass(frozen=True)
class ByCode(Mechanism):
    r"""Which values are there is decoded like the values themselves.

    $$ p(s \mid z) = \prod_j \mathrm{Bernoulli}(s_j \mid \pi_j(z)) $$

    Source: as one more likelihood of the decoder, after Nazabal et al. 2020, arXiv:1807.03653.
    """

    decoded = True

    def build(self, space: Space) -> Hider:
        return Silent()


@dataclass(frozen=True)
class Ignorable(Mechanism):
    r"""Nothing is said of it: values are missing at random.

    $$ p(s \mid x_o) = \text{constant} $$

    Source: Rubin 1976, Inference and Missing Data; in a VAE, Mattei & Frellsen 2019,
    arXiv:1812.02633.
    """

    def build(self, space: Space) -> Hider:
        return Silent()


@dataclass(frozen=True)
class SelfMasking(Mechanism):
    r"""Each value goes missing by what it is itself.

    $$ \operatorname{logit} p(s_j = 1 \mid x) = w_j x_j + b_j $$

    Args:
        direction: what goes missing rather, where it is known: `high` values, w > 0, or `low` ones,
            w < 0, of numbers; `unknown` where it is not.

    Source: Ipsen, Mattei & Frellsen 2021, arXiv:2006.12871.
    """

    direction: Literal["unknown", "high", "low"] = "unknown"

    def build(self, space: Space) -> Hider:
        sign = {"unknown": 0, "high": 1, "low": -1}[self.direction]
        return BySelf(space, sign) if gappy(space) else Silent()


@dataclass(frozen=True)
class Agnostic(Mechanism):
    r"""Each value goes missing by what all of them are.

    $$ \operatorname{logit} p(s \mid x) = W_2 \tanh(W_1 x + b_1) + b_2, \quad
     \text{or } W x + b \text{ without hidden layers} $$

    Args:
        width: of a hidden layer. depth: hidden layers.

    Source: Ipsen, Mattei & Frellsen 2021, arXiv:2006.12871.
    """

    width: PositiveInt = 64
    depth: NonNegativeInt = 0

    def build(self, space: Space) -> Hider:
        return ByAll(space, self.width, self.depth) if gappy(space) else Silent()


def gappy(space: Space) -> bool:
    """Whether any value may be missing."""
    return any(field.missing for field in space.fields)
