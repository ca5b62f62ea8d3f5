r"""Draws that are partly known: p(x_m | x_o), where some fields of an observation are asked for.

A model that was never told of a field as a condition still has a law of it. With $x_o$ the fields
that are asked for and $x_m$ all others, missing values among them,

$$ p(x_m \mid x_o) = \int p(x_m \mid z)\, p(z \mid x_o)\, dz, \qquad
p(z \mid x_o) \propto p(z) \prod_{j \in o} p(x_j \mid z). $$

Codes are drawn by *sampling importance resampling* (Rubin 1987): of K draws of the prior a row, one
is kept with probability proportional to $w_k = \prod_{j \in o} p(x_j \mid z_k)$. Where the codes of
the encoder have a density, rounds of Metropolis within Gibbs follow, which leave
$p(z, x_m \mid x_o)$ as it is (Mattei & Frellsen 2018, arXiv:1802.04826): draw
$x_m \sim p(x_m \mid z)$, propose $z' \sim q(z \mid x_o, x_m)$, and accept with probability

$$ \rho = \min\Big(1, \frac{p(x \mid z')\, p(z')}{p(x \mid z)\, p(z)}
\cdot \frac{q(z \mid x)}{q(z' \mid x)}\Big). $$

They matter where the K draws are worth few equal ones, because what is asked for is rare.

In `maths/missing.py` a gap is a value that was there and is not known; here an unasked field is
drawn as the data have it, missing as often.

Notation: x (B, C), z (B, D), log w (K, B).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.game import Decodes, Encodes
from twofold.core.space import Space
from twofold.maths import importance
from twofold.maths.distributions import Density, Posterior
from twofold.maths.likelihoods import Observation

Proposal = Callable[[Tensor, Given], Posterior]


@dataclass(frozen=True)
class Asked:
    """What is asked of B observations.

    Args:
        x: the channels of all fields, (B, C); those of fields that are not asked do not count.
        known: which channels are asked, (C,). names: of the fields asked.
    """

    x: Tensor
    known: Tensor
    names: tuple[str, ...]

    @classmethod
    def of(cls, space: Space, values: Tensor, names: Sequence[str]) -> Asked:
        """From values (B, F) of a space without axes, of which the fields `names` are asked.

        >>> from twofold.core.space import Field, Real
        >>> space = Space((Field("a", Real()), Field("b", Real(), missing=True)))
        >>> asked = Asked.of(space, torch.tensor([[0.0, 2.0]]), ["b"])
        >>> asked.known.tolist(), asked.with_rest(torch.tensor([[7.0, 7.0, 0.0]])).tolist()
        ([False, True, True], [[7.0, 2.0, 1.0]])
        """
        known = [field.name in names for field in space.fields for _ in range(field.width)]
        return cls(space.encode(values), torch.tensor(known), tuple(names))

    def with_rest(self, rest: Tensor) -> Tensor:
        """x with the channels that are not asked taken from `rest`."""
        return torch.where(self.known, self.x, rest)

    def log_prob(self, p: Observation) -> Tensor:
        """log p(x_o | z), (B,)."""
        each = p.by_field(self.x)
        return torch.stack([each[name] for name in self.names]).sum(0)

    def repeat(self, times: int) -> Asked:
        """Every row `times` times, one after the other."""
        return Asked(self.x.repeat_interleave(times, 0), self.known, self.names)


@dataclass(frozen=True)
class Chosen:
    """B draws.

    Args:
        x: (B, C). rows: which of the B · K rows given each is of, (B,).
        effective: of how many equal draws the K of each row were worth, (B,).
    """

    x: Tensor
    rows: Tensor
    effective: Tensor


@dataclass(frozen=True)
class Partly:
    """Draws observations of which some fields are asked.

    Args:
        decode, prior: p(x | z, given) and p(z | given).
        encode: q(z | x, given), one or none.
        draws: K.
        rounds: of Metropolis within Gibbs, where there is an encoder.
    """

    decode: Callable[[Tensor, Given], Observation]
    prior: Callable[[Given], Density]
    encode: tuple[Proposal, ...] = ()
    draws: int = 100
    rounds: int = 10

    def __call__(self, asked: Asked, given: Given) -> Chosen:
        """A draw for each of the B rows asked; what is given has K rows for each of them.

        They may differ: then what is given is drawn as well.
        """
        z = self.prior(given).sample()  # (B · K, D), a row's draws one after the other
        log_w = asked.repeat(self.draws).log_prob(self.decode(z, given))
        log_w = log_w.unflatten(0, (-1, self.draws)).T  # (K, B)
        numbers = torch.arange(len(z)).unflatten(0, (-1, self.draws)).T
        rows = importance.resampled(log_w, numbers)  # (B,)
        z, given = z[rows], given[rows]
        for encode in self.encode:
            for _ in range(self.rounds):
                z = self.moved(asked, z, given, encode)
        x = asked.with_rest(self.decode(z, given).sample())
        return Chosen(x, rows, importance.effective(log_w))

    def moved(self, asked: Asked, z: Tensor, given: Given, encode: Proposal) -> Tensor:
        """A round: x_m anew, then z anew where it is accepted."""
        p = self.decode(z, given)
        x = asked.with_rest(p.sample())
        q = encode(x, given)
        new = q.sample()
        there, here = self.decode(new, given).log_prob(x), p.log_prob(x)
        prior = self.prior(given)
        log_rho = there + prior.log_prob(new) - here - prior.log_prob(z)
        log_rho = log_rho + q.log_prob(z) - q.log_prob(new)
        accepted = torch.rand_like(log_rho).log() < log_rho
        return torch.where(accepted.unsqueeze(1), new, z)


def partly(model: object, space: Space, given: Space) -> list[Partly]:
    """How a model draws what is partly known, by its own law; nothing where it has none."""
    if space.axes or not isinstance(model, Decodes):
        return []
    one = Given.none(1, given)
    prior = model.prior(one)
    if not isinstance(prior, Density):
        return []
    if not isinstance(model.decode(prior.sample(), one), Observation):
        return []
    encode: tuple[Proposal, ...] = ()
    if isinstance(model, Encodes):
        q = model.encode(torch.zeros(1, *space.shape), one)
        encode = (model.encode,) if isinstance(q, Posterior) else ()  # type: ignore[assignment]
    return [Partly(model.decode, model.prior, encode)]  # type: ignore[arg-type]
