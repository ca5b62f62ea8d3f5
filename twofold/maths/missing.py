r"""p(x_mis | x_obs): what a latent-variable model says of the values that are not there.

An observation x has values that are observed, $x_o$, and gaps, $x_m$. Given the code all values are
independent, so that

$$ p(x_m \mid x_o) = \int p(x_m \mid z)\, p(z \mid x_o)\, dz, \qquad
p(z \mid x_o) \propto p(z) \prod_{j \in o} p(x_j \mid z). $$

**Where the encoder knows gaps**, as fields with presence channels let it, K draws of
$q(z \mid x_o)$ are weighted (MIWAE: Mattei & Frellsen 2019, arXiv:1812.02633):

$$ \log w_k = \sum_{j \in o} \log p(x_j \mid z_k) + \log p(z_k) - \log q(z_k \mid x_o), $$

normalised over the K draws of a row. Only observed values are in it: which values are missing says
nothing (missing at random), unless $\log p(m \mid z_k)$ is asked for.

**Where the model says how values go missing**, from what they are, each draw has values of its own
in the gaps, $x_m^k \sim p(x_m \mid z_k)$, and $\log p(s \mid x_o, x_m^k)$ is added to its weight, s
being which values went missing by themselves (not-MIWAE: Ipsen, Mattei & Frellsen 2021,
arXiv:2006.12871). What someone hides on purpose, to check or to ask, did not.

**Where the model fills gaps by itself**, as a GAN imputer does, its draws count equally.

**Where it does not**, K chains each keep a fill of the gaps and go on in rounds (Rezende, Mohamed &
Wierstra 2014, arXiv:1401.4082, appendix F; Mattei & Frellsen 2018, arXiv:1802.04826): propose
$z' \sim q(z \mid x_o, x_m)$, accept it with probability

$$ \rho = \min\Big(1, \frac{p(x_o, x_m \mid z')\, p(z')}{p(x_o, x_m \mid z)\, p(z)}
\cdot \frac{q(z \mid x_o, x_m)}{q(z' \mid x_o, x_m)}\Big), $$

then draw $x_m \sim p(x_m \mid z)$. That is Metropolis within Gibbs, whose law is p(z, x_m | x_o) in
the limit. The chains start from the prior, and the first half of the rounds accept everything
(pseudo-Gibbs): a chain that starts far away would refuse to move. Chains count equally, log w = 0.

Notation: x (B, C, *A), values and gaps (B, F, *A), z (B, D), log w (K, B).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.game import Decodes, Encodes, Fills, Hides
from twofold.core.space import Space, paste
from twofold.maths import importance
from twofold.maths.distributions import Density, Posterior
from twofold.maths.likelihoods import Observation


@dataclass(frozen=True)
class Incomplete:
    """B observations with gaps.

    Args:
        x: what the encoder sees, (B, C, *A); 0 in every gap.
        observed: which values are known, (B, F, *A).
        hidden: which gaps the encoder knows of by their presence channel, (B, F, *A).
        unfilled: the channels of the other gaps, which need a fill, (B, C, *A).
        gaps: the channels of every gap, its presence among them, (B, C, *A).
        gone: which values went missing by themselves, (B, F, *A).
    """

    x: Tensor
    observed: Tensor
    hidden: Tensor
    unfilled: Tensor
    gaps: Tensor
    gone: Tensor

    @classmethod
    def of(cls, space: Space, values: Tensor, kept: Tensor | bool = False) -> Incomplete:
        """From values (B, F, *A) in the units of the file, NaN in every gap.

        Gaps that are `kept` from us (B, F, *A) did not go missing: someone knows what is there.

        >>> from twofold.core.space import Field, Real
        >>> space = Space((Field("a", Real()), Field("b", Real(), missing=True)))
        >>> nan = float("nan")
        >>> rows = Incomplete.of(space, torch.tensor([[nan, 1.0], [2.0, nan]]))
        >>> rows.x, rows.unfilled[0]
        (tensor([[0., 1., 1.],
                [2., 0., 0.]]), tensor([ True, False, False]))
        """
        gaps = values.isnan()
        parts = zip(space.fields, gaps.split([f.size for f in space.fields], 1), strict=True)
        unfilled, hidden = [], []
        for field, gap in parts:
            channels = gap.repeat_interleave(field.domain.width, 1)  # (B, size · width, *A)
            silent = torch.zeros_like(gap)
            unfilled += [torch.zeros_like(channels), silent] if field.missing else [channels]
            hidden.append(gap if field.missing else silent)
        needs, every = torch.cat(unfilled, 1), channels_of(space, gaps)
        x = space.encode(values).masked_fill(needs, 0)
        return cls(x, ~gaps, paste(hidden), needs, every, paste(hidden) & ~torch.as_tensor(kept))

    def completed(self, x: Tensor) -> Tensor:
        """What is known, and the rest taken from x, in which every value is there."""
        return torch.where(self.gaps, x, self.x)

    def filled(self, fill: Tensor) -> Tensor:
        """x with the channels that need it taken from `fill`."""
        return torch.where(self.unfilled, fill, self.x)

    def repeat(self, times: int) -> Incomplete:
        """Every row `times` times, one after the other."""
        each = (self.x, self.observed, self.hidden, self.unfilled, self.gaps, self.gone)
        return Incomplete(*(t.repeat_interleave(times, 0) for t in each))


def channels_of(space: Space, chosen: Tensor) -> Tensor:
    """The channels of chosen values (B, F, *A), that of their presence among them: (B, C, *A)."""
    parts = zip(space.fields, chosen.split([f.size for f in space.fields], 1), strict=True)
    each = [[part.repeat_interleave(f.domain.width, 1), *[part] * f.missing] for f, part in parts]
    return torch.cat([channels for field in each for channels in field], 1)


def absent(space: Space, x: Tensor) -> Tensor:
    """Which values of x (B, C, *A) are missing, (B, F, *A), as their presence channels tell."""
    gone = [
        torch.zeros_like(shown[:, : field.size]) if presence is None else 1 - presence
        for field, part in space.parts(x)
        for shown, presence in [field.split(part)]
    ]
    return paste(gone) > 0.5


class Completions(ABC):
    """K weighted draws of each row; their `log_w` is (K, B)."""

    log_w: Tensor

    @abstractmethod
    def means(self) -> Tensor:
        """What each draw expects x to be, every value being there, (K, B, C, *A)."""

    @property
    def mean(self) -> Tensor:
        """E[x | x_o], (B, C, *A); of a category, its probabilities."""
        return importance.average(self.log_w, self.means())

    @abstractmethod
    def draws(self) -> Tensor:
        """K draws of x in which every value is there, (K, B, C, *A), to be weighted by w̃."""

    def sample(self) -> Tensor:
        """A draw of p(x | x_o), (B, C, *A), by sampling importance resampling."""
        return importance.resampled(self.log_w, self.draws())

    @property
    def effective(self) -> Tensor:
        """How many equal draws each row's K are worth, (B,)."""
        return importance.effective(self.log_w)

    def by_draw(self, x: Tensor) -> Tensor:
        """(B · K, …) to (K, B, …)."""
        return x.unflatten(0, (-1, len(self.log_w))).transpose(0, 1)


@dataclass(frozen=True)
class Decoded(Completions):
    """Draws of the code, as what they say of x.

    Args:
        p: p(x | z_k) where every value is there, B · K rows, a row's draws one after the other.
        log_w: (K, B).
    """

    p: Observation
    log_w: Tensor

    def means(self) -> Tensor:
        return self.by_draw(self.p.mean)

    def draws(self) -> Tensor:
        return self.by_draw(self.p.sample())


@dataclass(frozen=True)
class Drawn(Completions):
    """Draws of x itself, B · K rows, a row's draws one after the other."""

    x: Tensor
    log_w: Tensor

    def means(self) -> Tensor:
        return self.draws()

    def draws(self) -> Tensor:
        return self.by_draw(self.x)


Completer = Callable[[Incomplete, Given], Completions]
"""What completes B rows."""


@dataclass(frozen=True)
class ByItself:
    """Completes observations by a model that fills gaps by itself, in `draws` equal draws."""

    model: Fills
    draws: int = 100

    def __call__(self, rows: Incomplete, given: Given) -> Drawn:
        every, known = rows.repeat(self.draws), given.repeat(self.draws)
        x = self.model.fill(every.x, every.observed, known)
        return Drawn(every.completed(x), x.new_zeros(self.draws, len(given)))


@dataclass(frozen=True)
class ByCodes:
    """Completes observations by a model that encodes and decodes.

    Args:
        encode, decode, prior: q(z | x, given), p(x | z, given), p(z | given).
        draws: K, weighted draws or chains.
        rounds: of a chain; the first half accept everything.
        telling: count p(m | z) in the weights: which values are missing tells of the others.
        hidden: log p(s | x), where the model says how values go missing; one or none.
    """

    encode: Callable[[Tensor, Given], Posterior]
    decode: Callable[[Tensor, Given], Observation]
    prior: Callable[[Given], Density]
    draws: int = 100
    rounds: int = 20
    telling: bool = False
    hidden: tuple[Callable[[Tensor, Tensor], Tensor], ...] = ()

    def __call__(self, rows: Incomplete, given: Given) -> Completions:
        """What p(x_mis | x_obs) is, for B rows."""
        every, known = rows.repeat(self.draws), given.repeat(self.draws)
        z, log_w = (self.chains if rows.unfilled.any() else self.weighted)(rows, every, given)
        p = self.decode(z, known).present()
        if not self.hidden:
            return Decoded(p, by_draw(log_w, self.draws))
        x = every.completed(p.sample())  # x_m^k ~ p(x_m | z_k)
        for log_hidden in self.hidden:
            log_w = log_w + log_hidden(x, every.gone)
        return Drawn(x, by_draw(log_w, self.draws))

    def weighted(self, rows: Incomplete, every: Incomplete, given: Given) -> tuple[Tensor, Tensor]:
        """Draws of the code of K times each row, and their log w (B · K,)."""
        known = given.repeat(self.draws)
        q = self.encode(rows.x, given).repeat(self.draws)
        z = q.sample()
        p = self.decode(z, known)
        log_w = p.log_prob_of(every.x, every.observed) + self.prior(known).log_prob(z)
        return z, log_w - q.log_prob(z) + (p.log_presence(every.x) if self.telling else 0)

    def chains(self, rows: Incomplete, every: Incomplete, given: Given) -> tuple[Tensor, Tensor]:
        """The same by chains, which count equally."""
        z = self.chain(every, given.repeat(self.draws))
        return z, z.new_zeros(len(z))

    def chain(self, rows: Incomplete, given: Given) -> Tensor:
        """A draw of p(z | x_o) a row, (B, D), by Metropolis within Gibbs."""
        z = self.prior(given).sample()
        for t in range(self.rounds):
            x = rows.filled(self.decode(z, given).present().sample())  # x_m ~ p(x_m | z)
            q = self.encode(x, given)
            new = q.sample()
            log_rho = self.log_joint(rows, x, new, given) - self.log_joint(rows, x, z, given)
            log_rho = log_rho + q.log_prob(z) - q.log_prob(new)
            accepted = (torch.rand_like(log_rho).log() < log_rho) | (t < self.rounds // 2)
            z = torch.where(accepted.unsqueeze(1), new, z)
        return z

    def log_joint(self, rows: Incomplete, x: Tensor, z: Tensor, given: Given) -> Tensor:
        """log p(x_o, x_m | z) p(z) of every value but those that stay hidden, (B,)."""
        p = self.decode(z, given)
        log_p = p.log_prob_of(x, ~rows.hidden) + self.prior(given).log_prob(z)
        return log_p + (p.log_presence(x) if self.telling else 0)


def by_draw(log_w: Tensor, draws: int) -> Tensor:
    """(B · K,) to (K, B)."""
    return log_w.unflatten(0, (-1, draws)).T


def incompletable(model: object, space: Space, given: Space) -> str:
    """Why a model cannot complete observations; empty when it can."""
    if isinstance(model, Fills):
        return ""
    if not (isinstance(model, Encodes) and isinstance(model, Decodes)):
        return "it has no encoder" if not isinstance(model, Encodes) else "it does not decode"
    one = Given.none(1, given)
    prior = model.prior(one)
    if not isinstance(prior, Density):
        return "its prior has no density"
    if not isinstance(model.decode(prior.sample(), one), Observation):
        return "its decoder has no likelihood of single values"
    if not isinstance(model.encode(torch.zeros(1, *space.shape), one), Posterior):
        return "its encoder's codes have no density"
    return ""


def completer(model: object, draws: int, rounds: int, telling: bool = False) -> Completer:
    """The completer of a model that `incompletable` says nothing against."""
    if isinstance(model, Fills):
        return ByItself(model, draws)
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    hidden = (model.log_hidden,) if isinstance(model, Hides) and model.hides else ()
    return ByCodes(model.encode, model.decode, model.prior, draws, rounds, telling, hidden)  # type: ignore[arg-type]
