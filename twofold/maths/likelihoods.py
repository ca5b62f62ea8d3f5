r"""p(x | z): one likelihood a domain, and their product over the fields of a Space.

A decoder ends in *raw* channels. A `Likelihood` says how many raw channels a value needs
(`predicted`), how many numbers it learns once for all rows (`shared`), and turns both into an
elementwise distribution over the value's channels of x:

| domain | likelihood | log p(x) of one value |
|---|---|---|
| Bounded, 2 levels | `Bernoulli` | $x \log p + (1-x) \log (1-p)$ |
| Bounded, L levels | `DiscretisedLogistic` | $\log[F(x + \tfrac1{2(L-1)}) - F(x - \tfrac1{2(L-1)})]$, tails to the ends, $F(x) = 1 / (1 + e^{-(x - \mu)/s})$ |
| Bounded | `ContinuousBernoulli` | $x \log p + (1-x)\log(1-p) + \log C(p),\; C(p) = \frac{2 \tanh^{-1}(1 - 2p)}{1 - 2p}$ |
| Bounded | `CrossEntropy` | $x \log p + (1-x) \log (1-p)$, without $\log C(p)$ |
| Real, Bounded | `Gaussian` | $-\tfrac12 \big(\frac{x - \mu}\sigma\big)^2 - \log \sigma - \tfrac12 \log 2\pi$ |
| Real, Bounded | `SquaredError` | $-(x - \mu)^2$ |
| Real | `StudentT` | $\log \frac{\Gamma((\nu + 1) / 2)}{\Gamma(\nu / 2) \sqrt{\nu \pi}\, \sigma} - \frac{\nu + 1}2 \log \big(1 + \frac{(x - \mu)^2}{\nu \sigma^2}\big)$ |
| Modal | `ModeSpecific` | $\log \pi_k + \log N(\alpha; m_k, s_k)$; of a mode without width $\log \pi_k$ alone |
| Count | `NegativeBinomial` | $\log \frac{\Gamma(x + r)}{\Gamma(x + 1) \Gamma(r)} + r \log \frac r{r + m} + x \log \frac m{r + m}$, of mean $m$ |
| Category, Token | `Categorical` | $\log p_k$ |

`CrossEntropy` and `SquaredError` go by their true names: the first is the Bernoulli formula on
numbers that are not binary, the second a Gaussian of fixed variance ½ without its constant; neither
is a density of such data, and their sums are not log-likelihoods. Nor are the scores of whole
images in `maths/similarity.py` and `nets/perceptual.py`.

`Observation` is the product over the fields. Where a value may be missing, its presence m is a
Bernoulli of its own and the value counts only where it is present:
$\log p(x, m) = \log p(m) + m \log p(x)$. Without `presence` the first term is left out: then
$\log p(x)$ is of what is there, and every draw is complete.

Sources: continuous Bernoulli, Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845; discretised
logistic, Kingma et al. 2016, arXiv:1606.04934, and Salimans et al. 2017, arXiv:1701.05517; a shared
learnt scale, Rybkin et al. 2021, arXiv:2006.13202.

Notation: x a value as networks see it; p, μ, σ, s, r, m what the decoder says of it, or learns once.
"""  # noqa: E501

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor

from twofold.core.build import Part, kebab
from twofold.core.errors import UserError
from twofold.core.space import (
    Bounded,
    Category,
    Count,
    Domain,
    Field,
    Modal,
    Real,
    Space,
    Token,
    cut,
    paste,
)
from twofold.maths.distributions import LOG_2PI, Density

Scale = Literal["shared", "predicted", "fixed"]
CERTAIN = 100.0  # a logit of probability 1, in double precision too
FLAT, HALVINGS = 30.0, 40
"""Logits beyond which the mean of a continuous Bernoulli hardly moves; and steps to find one."""
RELAXED = 0.5
"""τ, the temperature at which what is discrete is relaxed."""
EDGE = 1e-3
"""The least probability that a network is started from: a surer start would be slow to unlearn."""


class Elementwise(ABC):
    """Independent numbers: a distribution for each channel and place of x."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log p of each value, (B, F, *A), one for all the channels of a value."""

    @abstractmethod
    def sample(self) -> Tensor:
        """A draw of x."""

    def relaxed(self) -> Tensor:
        """A draw of x that a gradient passes; a category's lies inside the simplex (τ = ½).

        Of a count it is a draw that none passes.
        """
        return self.sample()

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """The expectation of x."""

    @property
    def mode(self) -> Tensor:
        """The most probable x; the mean where they coincide."""
        return self.mean


class Likelihood(Part, ABC):
    """A family of distributions of one value, chosen by the domain."""

    domains: ClassVar[tuple[type[Domain], ...]]
    """Where it makes sense."""

    def suits(self, field: Field, axes: tuple[int, ...]) -> bool:
        """Whether it makes sense for a field over these axes."""
        return isinstance(field.domain, self.domains)

    def predicted(self, domain: Domain) -> int:
        """Raw channels a value that the decoder predicts."""
        return 1

    def shared(self, domain: Domain) -> int:
        """Numbers a field that are learnt once, for all its values and all rows."""
        return 0

    @abstractmethod
    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        """Raw channels (B, P · F, *A) of a distribution whose mean is near channels of x."""

    @abstractmethod
    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        """The distribution of F values.

        Args:
            raw: what is predicted, (B, P · F, *A), parameter by parameter.
            shared: what is learnt once, (S, 1, …), to be broadcast over all F values.
            domain: of the values.
        """


def logit(p: Tensor) -> Tensor:
    """log p/(1 − p) of probabilities, none of them surer than `EDGE`."""
    return torch.logit(p, EDGE)


def located(mean: Tensor, predicted: int) -> Tensor:
    """A location, and neutral numbers for what else is predicted of a value."""
    return torch.cat([mean, *[torch.zeros_like(mean)] * (predicted - 1)], 1)


class LocationScale(Likelihood):
    """One with a location, which is predicted, and a scale that is so, learnt once, or fixed."""

    scale: Scale

    def predicted(self, domain: Domain) -> int:
        return 2 if self.scale == "predicted" else 1

    def shared(self, domain: Domain) -> int:
        return 1 if self.scale == "shared" else 0

    def parameters(self, raw: Tensor, shared: Tensor, fixed: float) -> tuple[Tensor, Tensor]:
        """A location and a log-scale, soft-clipped to [-7, 7]."""
        if self.scale == "fixed":
            return raw, raw.new_full((), math.log(fixed))
        location, log_scale = raw.chunk(2, 1) if self.scale == "predicted" else (raw, shared[0])
        return location, 7 * torch.tanh(log_scale / 7)


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """For a value that is 0 or 1.

    Source: Kingma & Welling 2014, arXiv:1312.6114, App. C.1.
    """

    domains = (Bounded,)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return logit(mean)

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return BernoulliValues(raw)


@dataclass(frozen=True)
class CrossEntropy(Likelihood):
    """The Bernoulli formula on values in [0, 1]: a loss much in use, and not a density there.

    Source: as it is criticised by Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845.
    """

    domains = (Bounded,)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return logit(mean)

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return BernoulliValues(raw)


@dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """For a value anywhere in [0, 1]; the density that the cross-entropy lacks.

    Source: Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845.
    """

    domains = (Bounded,)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        """The mean is flat in the logit at both ends: it is met by halving where it lies."""
        low = torch.full_like(mean, -FLAT)
        high = -low
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = ContinuousBernoulliValues(middle).mean < mean
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return low

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return ContinuousBernoulliValues(raw)


@dataclass(frozen=True)
class DiscretisedLogistic(LocationScale):
    """For one of L equal steps in [0, 1], such as a pixel: a probability, comparable in bits.

    Args:
        scale: of s: `shared`, learnt once for all values; `predicted` for each; or `fixed`.

    Source: Kingma et al. 2016, arXiv:1606.04934; Salimans et al. 2017, arXiv:1701.05517.
    """

    scale: Scale = "shared"
    domains = (Bounded,)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return located(mean, self.predicted(domain))

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        assert isinstance(domain, Bounded)
        location, log_scale = self.parameters(raw, shared, 0.1)
        levels = domain.levels or 256
        return DiscretisedLogisticValues(location, log_scale - 2, levels)


@dataclass(frozen=True)
class Gaussian(LocationScale):
    """For a real number; its scale predicted, learnt once for all (σ-VAE), or `fixed` to `std`.

    Args:
        scale: of σ: `shared`, learnt once for all values; `predicted` for each; or `fixed`.
        std: σ where it is fixed.

    Source: Kingma & Welling 2014, arXiv:1312.6114, App. C.2; a shared learnt scale, Rybkin et al.
    2021, arXiv:2006.13202.
    """

    scale: Scale = "shared"
    std: PositiveFloat = 1.0
    domains = (Real, Bounded)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return located(mean, self.predicted(domain))

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return GaussianValues(*self.parameters(raw, shared, self.std))


@dataclass(frozen=True)
class SquaredError(Likelihood):
    """The squared error: a Gaussian of variance ½ without its constant.

    Source: as a loss in wide use; what its variance stands for, Rybkin et al. 2021,
    arXiv:2006.13202.
    """

    domains = (Real, Bounded)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return located(mean, self.predicted(domain))

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return SquaredErrorValues(raw)


@dataclass(frozen=True)
class StudentT(LocationScale):
    """For a real number with outliers: Student's t with `df` degrees of freedom.

    Args:
        df: ν. scale: of σ: `predicted` for each value; `shared`, learnt once for all; or `fixed`.

    Source: as a decoder, Mattei & Frellsen 2019, MIWAE, arXiv:1812.02633.
    """

    df: PositiveFloat = 5.0
    scale: Scale = "predicted"
    domains = (Real,)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return located(mean, self.predicted(domain))

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return StudentTValues(*self.parameters(raw, shared, 1.0), df=self.df)


@dataclass(frozen=True)
class ModeSpecific(Likelihood):
    """For a number in one of K modes: which mode, and where in it, a location a mode.

    The scale of each mode is learnt once for all rows.

    Source: the decoder of TVAE, Xu et al. 2019, arXiv:1907.00503, section 4.5, which has one
    location for all modes; with one each, p(v | z) is a mixture and α may depend on its mode.
    """

    domains = (Modal,)

    def predicted(self, domain: Domain) -> int:
        assert isinstance(domain, Modal)
        return 2 * domain.modes

    def shared(self, domain: Domain) -> int:
        assert isinstance(domain, Modal)
        return domain.modes

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        assert isinstance(domain, Modal)
        shares = domain.split(mean)[1].clamp(min=EDGE).log()  # (1, F, K, *A)
        return torch.cat([shares, torch.zeros_like(shares)], 2).flatten(1, 2)

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        assert isinstance(domain, Modal)
        logits, m = raw.unflatten(1, (-1, 2 * domain.modes)).chunk(2, 2)  # (B, F, K, *A) each
        log_s = 7 * torch.tanh((shared.flatten() - 1) / 7)
        log_s = log_s.reshape(-1, *[1] * (raw.dim() - 2))
        return ModalValues(logits.log_softmax(2), m, log_s, domain)


@dataclass(frozen=True)
class NegativeBinomial(Likelihood):
    """For a count; over-dispersed where the data are, Poisson in the limit.

    Source: as a decoder, and there zero-inflated, Lopez et al. 2018, Deep generative modeling for
    single-cell transcriptomics.
    """

    domains = (Count,)

    def predicted(self, domain: Domain) -> int:
        return 2

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        """The mean of the logarithms shown is a geometric one: a little low, and robust."""
        assert isinstance(domain, Count)
        count = (mean * domain.scale).expm1().clamp(min=EDGE)
        return located(count.log(), 2)

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        assert isinstance(domain, Count)
        log_mean, log_r = raw.chunk(2, 1)
        return NegativeBinomialValues(log_mean.clamp(-10, 15), log_r.clamp(-5, 10), domain)


@dataclass(frozen=True)
class Categorical(Likelihood):
    """For one of K labels or tokens.

    Source: as a decoder of tables, Nazabal et al. 2020, arXiv:1807.03653.
    """

    domains = (Category, Token)

    def predicted(self, domain: Domain) -> int:
        return domain.width

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return mean.clamp(min=EDGE).log()

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return CategoricalValues(raw.unflatten(1, (-1, domain.width)).log_softmax(2))


def suited(domain: Domain) -> Likelihood:
    """The likelihood for a domain when none is named."""
    if isinstance(domain, Bounded):
        return {0: ContinuousBernoulli(), 2: Bernoulli()}.get(domain.levels, DiscretisedLogistic())
    return SUITED[type(domain)]


SUITED: dict[type[Domain], Likelihood] = {
    Real: Gaussian(),
    Modal: ModeSpecific(),
    Count: NegativeBinomial(),
    Category: Categorical(),
    Token: Categorical(),
}


def chosen(field: Field, axes: tuple[int, ...], wanted: Sequence[Likelihood]) -> Likelihood:
    """The first wanted likelihood that fits a field, or the suited one."""
    return next((w for w in wanted if w.suits(field, axes)), suited(field.domain))


@dataclass(frozen=True)
class ObservationSpec:
    """How raw channels become p(x | z): a likelihood for each field of a Space.

    Args:
        space: what is observed.
        wanted: likelihoods to prefer where they fit; each other domain has its suited one.
        presence: whether it says, too, which of the values that may be missing are there.

    >>> spec = ObservationSpec(Space((Field("pixel", Bounded(0, 255, 256)),), (4, 4)), ())
    >>> spec.predicted, spec.shared
    (1, 1)
    """

    space: Space
    wanted: tuple[Likelihood, ...] = ()
    presence: bool = True

    def __post_init__(self) -> None:
        for wanted in self.wanted:
            if not any(wanted.suits(field, self.space.axes) for field in self.space.fields):
                name = kebab(type(wanted).__name__)
                raise UserError(f"the likelihood {name} fits no field of this data; leave it out")

    @cached_property
    def likelihoods(self) -> list[Likelihood]:
        return [chosen(field, self.space.axes, self.wanted) for field in self.space.fields]

    @cached_property
    def channels(self) -> list[tuple[int, int]]:
        """For each field, its raw channels predicted (presence included) and shared."""
        return [
            (f.size * (w.predicted(f.domain) + self.says(f)), w.shared(f.domain))
            for f, w in zip(self.space.fields, self.likelihoods, strict=True)
        ]

    def says(self, field: Field) -> bool:
        """Whether the presence of a field's values is predicted."""
        return field.missing and self.presence

    @property
    def predicted(self) -> int:
        return sum(predicted for predicted, _ in self.channels)

    @property
    def shared(self) -> int:
        return sum(shared for _, shared in self.channels)

    def near(self, x: Tensor) -> Tensor:
        """Raw channels (P, *A) of a p(x | z) whose mean is near that of x (N, C, *A).

        >>> coins = ObservationSpec(Space((Field("coin", Bounded(0, 1, 2)),)))
        >>> coins.near(torch.tensor([[1.0], [0.0], [0.0], [0.0]])).sigmoid()
        tensor([0.2500])
        """
        parts = zip(self.space.parts(x), self.likelihoods, strict=True)
        near_to = [near(field, part, w, self.says(field)) for (field, part), w in parts]
        return paste(near_to).squeeze(0)

    def __call__(self, predicted: Tensor, shared: Tensor) -> Observation:
        """Raw channels (B, P, *A) and shared numbers (S,) to p(x | z)."""
        ours = cut(predicted, [p for p, _ in self.channels])
        common = shared.split([s for _, s in self.channels])
        says = map(self.says, self.space.fields)
        fields = zip(self.space.fields, self.likelihoods, ours, common, says, strict=True)
        return Observation(tuple(observed(*field) for field in fields))


def near(field: Field, x: Tensor, likelihood: Likelihood, says: bool) -> Tensor:
    """Raw channels (1, P, *A) of one field: the mean of its values that are there, and presence."""
    shown, presence = field.split(x)
    if presence is None:
        return likelihood.near(shown.mean(0, keepdim=True), field.domain)
    there = presence.sum(0, keepdim=True).clamp(min=1)  # (1, F, *A); what is absent is shown as 0
    mean = shown.sum(0, keepdim=True) / there.repeat_interleave(field.domain.width, 1)
    value = likelihood.near(mean, field.domain)
    return torch.cat([value, logit(presence.mean(0, keepdim=True))], 1) if says else value


def observed(
    field: Field, likelihood: Likelihood, raw: Tensor, shared: Tensor, says: bool
) -> ObservedField:
    """The distribution of one field, and of its presence if the raw channels say of it."""
    wide = shared.reshape(-1, *[1] * raw.dim())  # (S, 1, …)
    if says:
        value, presence = raw[:, : -field.size], raw[:, -field.size :]
        values = likelihood(value, wide, field.domain)
        return ObservedField(field, values, BernoulliValues(presence))
    there = raw.new_ones(raw.shape[0], field.size * field.missing, *raw.shape[2:])
    return ObservedField(field, likelihood(raw, wide, field.domain), Unsaid(there))


@dataclass(frozen=True)
class ObservedField:
    """The distribution of one field's channels of x."""

    field: Field
    values: Elementwise
    presence: BernoulliValues | Unsaid

    def log_prob(self, x: Tensor) -> Tensor:
        shown, presence = self.field.split(x)
        if presence is None:
            return self.values.log_prob(shown).flatten(1).sum(1)
        value = self.values.log_prob(shown) * presence
        return (value + self.presence.log_prob(presence)).flatten(1).sum(1)

    def elementwise(self, x: Tensor) -> Tensor:
        """log p of each value if it is there, (B, size, *A)."""
        return self.values.log_prob(self.field.split(x)[0])

    def log_presence(self, x: Tensor) -> Tensor:
        """log p of which values are there, (B,)."""
        presence = self.field.split(x)[1]
        if presence is None:
            return x.new_zeros(x.shape[0])
        return self.presence.log_prob(presence).flatten(1).sum(1)

    def present(self) -> ObservedField:
        """The same, every value being there."""
        return ObservedField(self.field, self.values, self.presence.certain())

    def relaxed(self) -> Tensor:
        """A draw of every value that a gradient passes, as channels of x."""
        values = self.values.relaxed()
        return self.show(values, self.present().presence.mean.detach())

    def show(self, values: Tensor, presence: Tensor) -> Tensor:
        """Channels of x: values hidden where they are absent."""
        if not self.field.missing:
            return values
        width = self.field.domain.width
        return torch.cat([values * presence.repeat_interleave(width, 1), presence], 1)


@dataclass(frozen=True)
class Observation(Density):
    """p(x | z): the product over the fields of a Space."""

    fields: tuple[ObservedField, ...]

    def log_prob(self, x: Tensor) -> Tensor:
        return reduce(torch.add, (f.log_prob(part) for f, part in self.parts(x)))

    def by_field(self, x: Tensor) -> dict[str, Tensor]:
        """log p of each field, (B,) each."""
        return {f.field.name: f.log_prob(part) for f, part in self.parts(x)}

    def elementwise(self, x: Tensor) -> Tensor:
        """log p of each value if it is there, in the shape of the values, (B, F, *A)."""
        return paste([f.elementwise(part) for f, part in self.parts(x)])

    def log_prob_of(self, x: Tensor, shown: Tensor) -> Tensor:
        """log p of the values that a mask `shown` (B, F, *A) selects, (B,); not of presence."""
        each = self.elementwise(x)
        return torch.where(shown, each, torch.zeros_like(each)).flatten(1).sum(1)

    def log_presence(self, x: Tensor) -> Tensor:
        """log p of which values are there, (B,); 0 where none can be missing."""
        return reduce(torch.add, (f.log_presence(part) for f, part in self.parts(x)))

    def present(self) -> Observation:
        """p(x | z, every value is there): what a missing value would be."""
        return Observation(tuple(f.present() for f in self.fields))

    def parts(self, x: Tensor) -> Iterator[tuple[ObservedField, Tensor]]:
        return zip(self.fields, cut(x, [f.field.width for f in self.fields]), strict=True)

    def relaxed(self) -> Tensor:
        """A draw of x, every value being there, that a gradient passes."""
        return paste([f.relaxed() for f in self.fields])

    def sample(self) -> Tensor:
        with torch.no_grad():
            return paste([f.show(f.values.sample(), f.presence.sample()) for f in self.fields])

    @property
    def mean(self) -> Tensor:
        return paste([f.show(f.values.mean, f.presence.mean) for f in self.fields])

    @property
    def mode(self) -> Tensor:
        return paste([f.show(f.values.mode, f.presence.mode) for f in self.fields])


# The elementwise distributions, each a table of formulas.


@dataclass(frozen=True)
class BernoulliValues(Elementwise):
    logits: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        minus = x.new_tensor(-1.0)  # as a weight it is applied in place
        return F.binary_cross_entropy_with_logits(self.logits, x, minus, reduction="none")

    def sample(self) -> Tensor:
        return torch.bernoulli(self.mean)

    def relaxed(self) -> Tensor:
        u = torch.rand_like(self.logits).clamp(1e-6, 1 - 1e-6)
        return ((self.logits + torch.logit(u)) / RELAXED).sigmoid()

    def certain(self) -> BernoulliValues:
        """The same, every value being 1."""
        return BernoulliValues(torch.full_like(self.logits, CERTAIN))

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    @property
    def mode(self) -> Tensor:
        return (self.logits > 0).to(self.logits.dtype)


@dataclass(frozen=True)
class Unsaid(Elementwise):
    """Presence of which nothing is said: where it matters, every value is there."""

    there: Tensor  # ones, (B, F, *A)

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def sample(self) -> Tensor:
        return self.there

    @property
    def mean(self) -> Tensor:
        return self.there

    def certain(self) -> Unsaid:
        """Itself."""
        return self


@dataclass(frozen=True)
class ContinuousBernoulliValues(Elementwise):
    logits: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        cross_entropy = F.binary_cross_entropy_with_logits(self.logits, x, reduction="none")
        return self.log_constant() - cross_entropy

    def log_constant(self) -> Tensor:
        """log C(λ) = log(2 artanh(1-2λ) / (1-2λ)) = log(η / tanh(η/2)), η the logit; log 2 at 0."""
        y = self.logits.square() / 4
        near = math.log(2) + y * (1 / 3 - y * (7 / 90 - y * (62 / 2835 - y * 127 / 18900)))
        far = (self.safe / torch.tanh(self.safe / 2)).log()
        return torch.where(self.small, near, far)

    @property
    def small(self) -> Tensor:
        """Where the closed forms cancel, and their Taylor series at η = 0 are exact."""
        return self.logits.abs() < 0.5

    @property
    def safe(self) -> Tensor:
        return torch.where(self.small, torch.ones_like(self.logits), self.logits)

    @property
    def mean(self) -> Tensor:
        y = self.logits.square()
        near = 0.5 + self.logits * (1 / 12 - y * (1 / 720 - y * (1 / 30240 - y / 1209600)))
        far = 0.5 + 0.5 / torch.tanh(self.safe / 2) - 1 / self.safe
        return torch.where(self.small, near, far)

    def sample(self) -> Tensor:
        """The inverse of F(x) = (e^{ηx} - 1) / (e^η - 1), for η < 0; for η > 0 its mirror image."""
        u, steep = torch.rand_like(self.logits), self.logits.abs().clamp(min=1e-6)
        x = torch.log1p(u * torch.expm1(-steep)) / -steep
        return torch.where(self.logits < 0, x, 1 - x)


@dataclass(frozen=True)
class GaussianValues(Elementwise):
    mu: Tensor
    log_sigma: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        standard = (x - self.mu) * (-self.log_sigma).exp()
        return -0.5 * (standard.square() + LOG_2PI) - self.log_sigma

    def sample(self) -> Tensor:
        return self.mu + self.log_sigma.exp() * torch.randn_like(self.mu)

    @property
    def mean(self) -> Tensor:
        return self.mu


@dataclass(frozen=True)
class SquaredErrorValues(Elementwise):
    mu: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x - self.mu).square()

    def sample(self) -> Tensor:
        return self.mu

    @property
    def mean(self) -> Tensor:
        return self.mu


@dataclass(frozen=True)
class StudentTValues(Elementwise):
    mu: Tensor
    log_sigma: Tensor
    df: float

    def log_prob(self, x: Tensor) -> Tensor:
        nu = self.df
        constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi)
        standard = (x - self.mu) * (-self.log_sigma).exp()
        return constant - self.log_sigma - (nu + 1) / 2 * torch.log1p(standard.square() / nu)

    def sample(self) -> Tensor:
        # t = normal / √(χ²_ν / ν)
        half = torch.full_like(self.mu, self.df / 2)
        chi = 2 * torch._standard_gamma(half)
        return self.mu + self.log_sigma.exp() * torch.randn_like(self.mu) * (self.df / chi).sqrt()

    @property
    def mean(self) -> Tensor:
        return self.mu


@dataclass(frozen=True)
class ModalValues(Elementwise):
    log_p: Tensor  # (B, F, K, *A)
    m: Tensor  # (B, F, K, *A)
    log_s: Tensor  # (K, …)
    domain: Modal

    @property
    def wide(self) -> Tensor:
        """Which modes have a width, (K, …)."""
        return self.domain.parameters(self.m[:, :, 0])[1] > 0

    def log_prob(self, x: Tensor) -> Tensor:
        alpha, hot = self.domain.split(x)
        inside = GaussianValues(self.m, self.log_s.expand_as(self.m)).log_prob(alpha.unsqueeze(2))
        return (hot * (self.log_p + torch.where(self.wide, inside, 0.0))).sum(2)

    def sample(self) -> Tensor:
        gumbel = -torch.log(-torch.log(torch.rand_like(self.log_p).clamp(1e-20, 1 - 1e-7)))
        noise = self.log_s.exp() * torch.randn_like(self.m)
        return self.at(self.log_p + gumbel, self.m + noise)

    @property
    def mode(self) -> Tensor:
        return self.at(self.log_p, self.m)

    @property
    def mean(self) -> Tensor:
        """The x of the expected value: that of x itself would mix places in different modes."""
        mu, sigma, _ = self.domain.parameters(self.m[:, :, 0])
        return self.domain.encode((self.log_p.exp() * (mu + 4 * sigma * self.m)).sum(2))

    def at(self, scores: Tensor, alpha: Tensor) -> Tensor:
        """The mode of the highest score, and the place in it."""
        k = scores.argmax(2, keepdim=True)
        best = torch.zeros_like(scores).scatter_(2, k, 1.0)
        place = torch.where(self.wide, alpha, 0.0).gather(2, k)
        return torch.cat([place, best], 2).flatten(1, 2)


@dataclass(frozen=True)
class NegativeBinomialValues(Elementwise):
    log_mean: Tensor
    log_r: Tensor
    domain: Count

    def log_prob(self, x: Tensor) -> Tensor:
        log_mean, log_r = wide(self.log_mean), wide(self.log_r)
        k, r = self.domain.decode(wide(x)), log_r.exp()
        log_total = torch.logaddexp(log_mean, log_r)
        choose = torch.lgamma(k + r) - torch.lgamma(k + 1) - torch.lgamma(r)
        return (choose + r * (log_r - log_total) + k * (log_mean - log_total)).to(x.dtype)

    def sample(self) -> Tensor:
        rate = torch._standard_gamma(self.log_r.exp()) * (self.log_mean - self.log_r).exp()
        return self.domain.encode(torch.poisson(rate))

    @property
    def mean(self) -> Tensor:
        """The expected count, as it is shown: not the expectation of its logarithm."""
        return self.domain.encode(self.log_mean.exp())


@dataclass(frozen=True)
class DiscretisedLogisticValues(Elementwise):
    mu: Tensor
    log_s: Tensor
    levels: int

    def log_prob(self, x: Tensor) -> Tensor:
        half, inverse = 0.5 / (self.levels - 1), (-self.log_s).exp()
        above, below = (x - self.mu + half) * inverse, (x - self.mu - half) * inverse
        # log[σ(a) - σ(b)] = log σ(a) + log σ(-b) + log(1 - e^{b-a}), and b - a = -2 half / s
        gap = torch.log(-torch.expm1(-2 * half * inverse))
        inside = F.logsigmoid(above) + F.logsigmoid(-below) + gap
        last = x > 1 - half
        return torch.where(
            x < half, F.logsigmoid(above), torch.where(last, F.logsigmoid(-below), inside)
        )

    def masses(self) -> Tensor:
        """p of every level, (L, B, F, *A): what lies between its borders, as of `log_prob`.

        All at once it is many times faster; in single precision, what is below 1e-7 is rounded.
        """
        borders = torch.arange(0.5, self.levels - 1).to(self.mu) / (self.levels - 1)
        inverse = (-self.log_s).exp()
        F = (borders.reshape(-1, *[1] * self.mu.dim()) - self.mu).mul_(inverse).sigmoid_()
        return torch.cat([F[:1], F[1:] - F[:-1], 1 - F[-1:]])

    def sample(self) -> Tensor:
        u = torch.rand_like(self.mu).clamp(1e-6, 1 - 1e-6)
        x = self.mu + self.log_s.exp() * torch.logit(u)
        return (x.clamp(0, 1) * (self.levels - 1)).round() / (self.levels - 1)

    def relaxed(self) -> Tensor:
        u = torch.rand_like(self.mu).clamp(1e-6, 1 - 1e-6)
        return (self.mu + self.log_s.exp() * torch.logit(u)).clamp(0, 1)

    @property
    def mean(self) -> Tensor:
        """1 - ∫₀¹ F, the mean of the logistic clipped to [0, 1]; the rounding averages out."""
        s = self.log_s.exp()
        return 1 - s * (F.softplus((1 - self.mu) / s) - F.softplus(-self.mu / s))

    @property
    def mode(self) -> Tensor:
        return self.mu.clamp(0, 1)


@dataclass(frozen=True)
class CategoricalValues(Elementwise):
    log_p: Tensor  # (B, F, K, *A)

    def log_prob(self, x: Tensor) -> Tensor:
        return (x.unflatten(1, (-1, self.log_p.shape[2])) * self.log_p).sum(2)

    def sample(self) -> Tensor:
        return hard(self.log_p + self.gumbel())

    def gumbel(self) -> Tensor:
        return -torch.log(-torch.log(torch.rand_like(self.log_p).clamp(1e-20, 1 - 1e-7)))

    def relaxed(self) -> Tensor:
        return ((self.log_p + self.gumbel()) / RELAXED).softmax(2).flatten(1, 2)

    @property
    def mean(self) -> Tensor:
        return self.log_p.exp().flatten(1, 2)

    @property
    def mode(self) -> Tensor:
        return hard(self.log_p)


def wide(x: Tensor) -> Tensor:
    """In double precision where the device has it: log Γ of a large count cancels in single."""
    return x if x.device.type == "mps" else x.double()


def hard(scores: Tensor) -> Tensor:
    """The one-hot of the highest score: (B, F, K, *A) to (B, F · K, *A)."""
    best = torch.zeros_like(scores).scatter_(2, scores.argmax(2, keepdim=True), 1.0)
    return best.flatten(1, 2)
