r"""Densities fitted to codes after training: what is drawn from instead of the prior.

The codes that a decoder has learnt to decode are those of the training data,
$q(z) = \mathbb E_x\, q(z \mid x)$. Where they do not fill the prior, draws of the prior decode
badly, and draws of a density fitted to q(z) do not: *ex-post density estimation* (Ghosh et al.
2020, arXiv:1903.12436). Each part here fits one by maximum likelihood to codes of training data;
what it leaves open (how many Gaussians, how many steps) is chosen by the likelihood of validation
codes:

* `Gmm`: a mixture of K Gaussians of any covariance, by expectation–maximisation (scikit-learn);
* `Flow`: a neural spline flow (Durkan et al. 2019, arXiv:1906.04032; zuko);
* `Vamp`: $\frac1K \sum_k q(z \mid u_k)$, the posteriors of K *pseudo-inputs*, which start as
  training observations and are learnt, the encoder being frozen: they raise
  $\mathbb E_{q(z)} \log \frac1K \sum_k q(z \mid u_k)$ (Tomczak & Welling 2018, arXiv:1705.07120,
  who learn them beside the encoder);
* `TwoStage`: a second VAE on the codes (Dai & Wipf 2019, arXiv:1903.05789).

Under conditions, `Gmm` and `Vamp` hold a mixture for each condition that occurs, and all of them
together, as often as they occur, where the condition is not known; `Flow` and `TwoStage` see the
condition as a context, hidden from a tenth of the rows.

Notation: z (N, D) codes, c (N, G) what is given of each, u (K, C, *A) pseudo-inputs.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.bounds import importance_weighted
from twofold.maths.distributions import Affine, Density, FullMixture, Normal
from twofold.maths.divergences import kl_by_dimension
from twofold.maths.likelihoods import ObservationSpec
from twofold.nets.bodies import Dense
from twofold.nets.decoders import Decoder
from twofold.nets.encoders import Encoder as Inference
from twofold.nets.fit import fit
from twofold.nets.flows import splines
from twofold.nets.priors import Encoder, FlowDensity, PriorNet

F = TypeVar("F", bound="Fitted")
CONDITIONS = 64  # more conditions than these share one mixture
FEWEST = 50  # so do conditions with fewer codes
HIDDEN = 0.1  # of the contexts
ROWS = 512  # codes that are scored at once


@dataclass(frozen=True)
class Codes:
    """Codes of observations.

    Args:
        z: one draw of q(z | x) each, (N, D). c: what is given of each, (N, G).
        mu, sigma: of q(z | x), (N, D); (N, 0) where it is no diagonal Gaussian.
    """

    z: Tensor
    c: Tensor
    mu: Tensor
    sigma: Tensor

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: slice | Tensor) -> Codes:
        return Codes(self.z[rows], self.c[rows], self.mu[rows], self.sigma[rows])


@dataclass(frozen=True)
class Origin:
    """Where codes come from.

    Args:
        space: of the observations. q: the encoder.
        x: the observations of some training codes, by their rows, (n, C, *A).
    """

    space: Space
    q: Encoder
    x: Callable[[Tensor], Tensor]


class Fitted(PriorNet):
    """A density of codes, after its fit, for which no encoder is asked."""

    @abstractmethod
    def density(self, c: Tensor) -> Density:
        """p(z | c), a row for each of c (B, G)."""

    def forward(self, c: Tensor, q: Encoder) -> Density:
        return self.density(c)

    @property
    @abstractmethod
    def words(self) -> str:
        """What it is, for the reader: its size, and what it does with a condition."""

    @torch.no_grad()
    def score(self, codes: Codes) -> Tensor:
        """log p(z | c) of each code, (N,), in nats."""
        pairs = zip(codes.z.split(ROWS), codes.c.split(ROWS), strict=True)
        return torch.cat([self.density(c).log_prob(z) for z, c in pairs])


class ExPost(Part, ABC):
    """A density to be fitted to the codes of a trained model."""

    @abstractmethod
    def fit(self, train: Codes, validation: Codes, seed: int, origin: Origin) -> Fitted:
        """The density of `train`, its choices made by the likelihood of `validation`."""

    @abstractmethod
    def build(self, tensors: Mapping[str, Tensor], latent: int, given: int) -> Fitted:
        """The density again from what is kept of it: codes of `latent`, conditions of `given`."""


class OfCodes(ExPost):
    """One that asks for the codes alone, which may be points."""


class DrawnAfter(ABC):
    """A model whose codes have no prior: `density` is fitted to them when training ends."""

    density: OfCodes


# Mixtures.


@dataclass(frozen=True)
class Gmm(OfCodes):
    r"""A mixture of Gaussians of any covariance.

    $$ p(z) = \sum_{k=1}^K \pi_k\, \mathcal N(z; \mu_k, \Sigma_k) $$

    Args:
        most: K is at most so many; 1, 2, 4, … are tried while the likelihood of validation codes
            rises.
        rows: codes that are fitted to, at most.

    Source: Ghosh et al. 2020, arXiv:1903.12436.
    """

    most: PositiveInt = 64
    rows: PositiveInt = 20_000

    def fit(self, train: Codes, validation: Codes, seed: int, origin: Origin) -> Fitted:
        kept = train[some(len(train), self.rows, seed)]
        parts = [
            belonging(mixture(z, held, self.most, seed), c, len(z) / len(kept))
            for c, z, held in by_condition(kept, validation)
        ]
        return Bank({name: torch.cat([part[name] for part in parts]) for name in parts[0]})

    def build(self, tensors: Mapping[str, Tensor], latent: int, given: int) -> Fitted:
        return Bank(tensors)


@dataclass(frozen=True)
class Vamp(ExPost):
    r"""The posteriors of pseudo-inputs, mixed alike.

    $$ p(z) = \frac1K \sum_{k=1}^K q(z \mid u_k) $$

    What is drawn from it is near to an observation that was trained on.

    Args:
        most: K is at most so many; an eighth of them, half and all are tried.
        steps: in which they are learnt; with 0 they stay the observations they start as.
        lr: their rate, in units of x.

    Source: Tomczak & Welling 2018, arXiv:1705.07120, who learn them beside the encoder.
    """

    most: PositiveInt = 1024
    steps: NonNegativeInt = 300
    lr: PositiveFloat = 0.03

    def fit(self, train: Codes, validation: Codes, seed: int, origin: Origin) -> Fitted:
        if not train.mu.shape[1]:
            raise UserError(
                "vamp mixes the posteriors of observations, which must be diagonal Gaussians, and "
                "this model has others; choose another --fit, such as gmm"
            )
        order = some(len(train), self.most, seed)
        sizes = sorted({max(1, len(order) * share // 8) for share in (1, 4, 8)})
        starts = [PseudoInputs(train, order[:n], origin).posteriors() for n in sizes]
        start = best(starts, validation, seed)
        if not self.steps:
            return start
        u = PseudoInputs(train, order[: len(start.u)], origin)
        return best([start, u.learnt(train, self, seed)], validation, seed)

    def build(self, tensors: Mapping[str, Tensor], latent: int, given: int) -> Fitted:
        bank = {name.removeprefix("bank."): tensors[name] for name in tensors if name != "u"}
        return Posteriors(Bank(bank), tensors["u"])


class PseudoInputs(nn.Module):
    """u, with all that makes their posteriors a density of codes; its output is what falls.

    They stay where an observation can be, and each keeps the condition c of the one it started as.
    """

    def __init__(self, train: Codes, rows: Tensor, origin: Origin) -> None:
        super().__init__()
        self.origin, self.c = origin, train.c[rows]
        self.seen = self.c if separate(train.c) else torch.zeros_like(self.c)
        self.u = nn.Parameter(origin.x(rows).clone())

    def forward(self, codes: Tensor) -> Tensor:
        """-log p(z | c), a mean over codes (B, D + G)."""
        z, c = codes.tensor_split([codes.shape[1] - self.c.shape[1]], 1)
        u = self.u + (self.inside() - self.u).detach()  # what is cut off keeps its gradient
        return -self.bank(u).density(c).log_prob(z).mean()

    def learnt(self, train: Codes, part: Vamp, seed: int) -> Posteriors:
        """The posteriors after so many steps."""
        codes = torch.cat([train.z, train.c], 1)
        fit(self, codes, codes, itself, steps=part.steps, batch=256, lr=part.lr, seed=seed)
        return self.posteriors()

    @torch.no_grad()
    def posteriors(self) -> Posteriors:
        """The posteriors as they are."""
        u = self.inside()
        return Posteriors(self.bank(u), u)

    def bank(self, u: Tensor) -> Bank:
        """The mixture of q(z | u)."""
        q = self.origin.q(u, self.c)
        assert isinstance(q, Normal)
        even = q.mu.new_zeros(len(u))
        return Bank({"logits": even, "c": self.seen, "mu": q.mu, "scale": q.sigma})

    def inside(self) -> Tensor:
        """u, in [0, 1] where the observations are."""
        fields = self.origin.space.fields
        bounded = [isinstance(f.domain, Bounded) for f in fields for _ in range(f.width)]
        keep = torch.tensor(bounded).reshape(-1, *[1] * (self.u.dim() - 2))
        return torch.where(keep, self.u.clamp(0, 1), self.u)


class Posteriors(Fitted):
    """The posteriors of pseudo-inputs u (K, C, *A), which are kept to be looked at."""

    u: Tensor

    def __init__(self, bank: Bank, u: Tensor) -> None:
        super().__init__()
        self.bank = bank
        self.register_buffer("u", u)

    @property
    def words(self) -> str:
        return f"{self.bank.words}, each the posterior of a pseudo-input"

    def density(self, c: Tensor) -> Density:
        return self.bank.density(c)


class Bank(Fitted):
    """M Gaussians, each for the condition c (M, G) that it belongs to.

    Its tensors: `logits` (M,), `c` (M, G), `mu` (M, D), and `scale` L (M, D, D) or σ (M, D).
    """

    logits: Tensor
    c: Tensor
    mu: Tensor
    scale: Tensor

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.contiguous())

    @property
    def words(self) -> str:
        conditions, counts = occurring(self.c)
        low, high = int(counts.min()), int(counts.max())
        number = f"{low}" if low == high else f"{low} to {high}"
        gaussians = f"{number} Gaussian{'s' * (high > 1)}"
        if len(conditions) > 1:
            return f"{gaussians} for each of {len(conditions)} conditions"
        return gaussians + (", whatever is given" if self.c.shape[1] else "")

    def density(self, c: Tensor) -> Density:
        suits = self.suits(c)
        suits = suits | ~suits.any(1, keepdim=True)  # all, where a condition has none of its own
        logits = self.logits.masked_fill(~suits, -torch.inf)  # (B, M)
        return FullMixture(logits, self.mu, self.whole)

    def suits(self, c: Tensor) -> Tensor:
        """Whether a component's condition agrees with all that is known of a row's, (B, M)."""
        known = c.unsqueeze(1)  # (B, 1, G)
        return ((known == 0) | (known == self.c)).all(2)

    @property
    def whole(self) -> Tensor:
        return self.scale if self.scale.dim() == 3 else torch.diag_embed(self.scale)


def mixture(z: Tensor, held: Tensor, most: int, seed: int) -> dict[str, Tensor]:
    """The mixture of codes z (N, D) whose number of Gaussians makes `held` likeliest."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    z = z if len(z) > 1 else z.expand(2, -1)  # one code has no spread; scikit-learn asks for two
    shift, scale = moments(z)
    x, y = (((t - shift) / scale).double().numpy() for t in (z, held))
    found: list[tuple[float, GaussianMixture]] = []
    for k in doublings(min(most, max(1, len(x) // (2 * x.shape[1])))):
        made = GaussianMixture(k, tol=1e-2, reg_covar=1e-5, max_iter=200, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found.append((made.fit(x).score(y), made))
        if found[-1][0] < max(score for score, _ in found):
            break
    chosen = max(found, key=lambda pair: pair[0])[1]
    logits, mu, covariance = (
        torch.from_numpy(t).to(z) for t in (chosen.weights_, chosen.means_, chosen.covariances_)
    )
    L = torch.linalg.cholesky(covariance.double()).to(z)
    return {"logits": logits.log(), "mu": shift + scale * mu, "scale": scale.unsqueeze(1) * L}


def belonging(made: Mapping[str, Tensor], c: Tensor, share: float) -> dict[str, Tensor]:
    """A mixture as that of a condition c (G,), which a share of the codes has."""
    logits = made["logits"] + torch.tensor(share).log()
    return {**made, "logits": logits, "c": c.expand(len(logits), -1)}


def by_condition(train: Codes, validation: Codes) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each condition with its codes and its validation codes; all in one where they are many."""
    if not separate(train.c):
        yield torch.zeros_like(train.c[0]), train.z, validation.z
        return
    for c in occurring(train.c)[0]:
        z, held = (codes.z[(codes.c == c).all(1)] for codes in (train, validation))
        few = len(held) < FEWEST // 5
        yield (c, z[len(z) // 5 :], z[: len(z) // 5]) if few else (c, z, held)


def separate(c: Tensor) -> bool:
    """Whether conditions are few, and each has codes enough for a density of its own."""
    counts = occurring(c)[1]
    return len(counts) <= CONDITIONS and int(counts.min()) >= FEWEST


def occurring(c: Tensor) -> tuple[Tensor, Tensor]:
    """The conditions that occur in c (N, G), each once, and how often."""
    beside = torch.cat([c, c.new_zeros(len(c), 1)], 1)  # conditions of no numbers are one condition
    rows, counts = beside.unique(dim=0, return_counts=True)
    return rows[:, :-1], counts


def doublings(most: int) -> list[int]:
    """1, 2, 4, … up to `most`.

    >>> doublings(12)
    [1, 2, 4, 8]
    """
    return [2**i for i in range(most.bit_length())]


# Networks.


class Learnt(Fitted):
    """A density with parameters, of codes that are standardised by those it was fitted to."""

    shift: Tensor
    scale: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))

    @abstractmethod
    def standard(self, c: Tensor) -> Density:
        """The density of standardised codes."""

    @abstractmethod
    def loss(self, z: Tensor, c: Tensor) -> Tensor:
        """What falls while it is fitted to standardised codes: a scalar, a mean over rows."""

    def density(self, c: Tensor) -> Density:
        return Affine(self.standard(c), self.shift, self.scale)


@dataclass(frozen=True)
class Flow(OfCodes):
    r"""A neural spline flow.

    $$ \log p(z \mid c) = \log \mathcal N(f(z; c); 0, I)
     + \log \Big| \det \frac{\partial f}{\partial z} \Big| $$

    Args:
        transforms, width: of its layers.
        steps: of training, at most; a quarter of them is tried as well. lr: its rate.

    Source: Durkan et al. 2019, arXiv:1906.04032.
    """

    transforms: PositiveInt = 3
    width: PositiveInt = 64
    steps: PositiveInt = 1000
    lr: PositiveFloat = 1e-3

    def fit(self, train: Codes, validation: Codes, seed: int, origin: Origin) -> Fitted:
        return trained(self, train, validation, seed)

    def build(self, tensors: Mapping[str, Tensor], latent: int, given: int) -> FlowOfCodes:
        return restored(FlowOfCodes(latent, given, self), tensors)


class FlowOfCodes(Learnt):
    def __init__(self, latent: int, given: int, part: Flow) -> None:
        super().__init__(latent)
        self.given = given
        self.flow = splines(latent, given, part.transforms, part.width)

    @property
    def words(self) -> str:
        return "a spline flow" + context(self.given)

    def standard(self, c: Tensor) -> Density:
        return FlowDensity(self.flow(c), len(c))

    def loss(self, z: Tensor, c: Tensor) -> Tensor:
        return -self.standard(c).log_prob(z).mean()


@dataclass(frozen=True)
class TwoStage(OfCodes):
    r"""A second VAE, on the codes, with a code u of as many dimensions and one learnt scale.

    $$ p(z) = \int \mathcal N\big(z;\, \mu(u),\, \gamma^2 I\big)\, \mathcal N(u; 0, I)\, du $$

    Args:
        width, depth: of its hidden layers.
        steps: of training, at most; a quarter of them is tried as well. lr: its rate.
        draws: of u for a likelihood, which is a lower bound.

    Source: Dai & Wipf 2019, arXiv:1903.05789.
    """

    width: PositiveInt = 256
    depth: PositiveInt = 2
    steps: PositiveInt = 3000
    lr: PositiveFloat = 1e-3
    draws: PositiveInt = 16

    def fit(self, train: Codes, validation: Codes, seed: int, origin: Origin) -> Fitted:
        return trained(self, train, validation, seed)

    def build(self, tensors: Mapping[str, Tensor], latent: int, given: int) -> SecondStage:
        return restored(SecondStage(latent, given, self), tensors)


class SecondStage(Learnt):
    """q(u | z, c) and p(z | u, c)."""

    def __init__(self, latent: int, given: int, part: TwoStage) -> None:
        super().__init__(latent)
        self.given, self.latent, self.draws = given, latent, part.draws
        space = Space((Field("z", Real(), latent),))
        known = Space((Field("c", Real(), given),)) if given else Space()
        body = Dense(part.width, part.depth)
        self.q = Inference(body, space, known, latent)
        self.p = Decoder(body, latent, known, ObservationSpec(space))
        nn.init.constant_(self.p.shared, -2.0)  # a small scale: u is of use from the first step

    @property
    def words(self) -> str:
        return "a second VAE" + context(self.given)

    def standard(self, c: Tensor) -> Density:
        return Generated(self, c)

    def loss(self, z: Tensor, c: Tensor) -> Tensor:
        q = self.q(z, c)
        u = q.rsample()
        rate = kl_by_dimension(q, u, self.prior(c)).sum(1)
        return (rate - self.p(u, c).log_prob(z)).mean()

    def prior(self, c: Tensor) -> Normal:
        return Normal.standard(len(c), self.latent, self.shift)


@dataclass(frozen=True)
class Generated(Density):
    """The codes that a second stage generates: u ~ N(0, I), z ~ p(z | u, c).

    `log_prob` is the logarithm of an unbiased estimate of p(z), from importance-weighted draws of
    q(u | z, c): on average it is below log p(z), so that a bound that is made with it stays one.
    """

    stage: SecondStage
    c: Tensor

    def sample(self) -> Tensor:
        return self.stage.p(self.stage.prior(self.c).sample(), self.c).sample()

    def log_prob(self, x: Tensor) -> Tensor:
        k, stage = self.stage.draws, self.stage
        q, c = stage.q(x, self.c).repeat(k), self.c.repeat_interleave(k, 0)
        u = q.rsample()
        log_pz = stage.p(u, c).log_prob(x.repeat_interleave(k, 0))
        log_w = log_pz + stage.prior(c).log_prob(u) - q.log_prob(u)
        return importance_weighted(log_w.unflatten(0, (-1, k)).T)

    @property
    def mean(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(64)]).mean(0)

    @property
    def mode(self) -> Tensor:
        prior = self.stage.prior(self.c)
        return self.stage.p(prior.mode, self.c).mode


def trained(part: Flow | TwoStage, train: Codes, validation: Codes, seed: int) -> Fitted:
    """The network after so many steps, or a quarter of them: whichever `validation` prefers."""
    shift, scale = moments(train.z)
    made: list[Fitted] = []
    for steps in sorted({max(1, part.steps // 4), part.steps}):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            net = part.build({}, train.z.shape[1], train.c.shape[1])
        net.shift.copy_(shift)
        net.scale.copy_(scale)
        rows = torch.cat([(train.z - shift) / scale, train.c], 1)
        fit(Loss(net), rows, rows, itself, steps=steps, batch=256, lr=part.lr, seed=seed)
        made.append(net)
    return best(made, validation, seed)


def itself(loss: Tensor, rows: Tensor) -> Tensor:
    """What `Loss` returns is a loss already."""
    return loss


class Loss(nn.Module):
    """The loss of a density at rows (B, D + G): codes, and what is given of each."""

    def __init__(self, net: Learnt) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows: Tensor) -> Tensor:
        latent = len(self.net.shift)
        z, c = rows[:, :latent], rows[:, latent:]
        shown = torch.rand(len(c), 1) >= HIDDEN
        return self.net.loss(z, c * shown.to(c))


def best(made: Sequence[F], validation: Codes, seed: int) -> F:
    """The density under which validation codes are likeliest."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return max(made, key=lambda net: float(net.score(validation).mean()))


def restored(net: F, tensors: Mapping[str, Tensor]) -> F:
    """A network with its tensors; without any, as it starts."""
    if tensors:
        net.load_state_dict(dict(tensors))
    return net


def context(given: int) -> str:
    """What a network does with conditions of so many numbers, in words."""
    return ", the condition as context" if given else ""


def moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and standard deviation of each dimension, (D,); none so small that it vanishes."""
    scale = z.std(0, correction=0)
    return z.mean(0), scale.clamp(min=1e-4 * float(scale.max()) + 1e-12)


def some(n: int, most: int, seed: int) -> Tensor:
    """At most so many of n rows, in an order of their own."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:most]
