"""Worlds whose answers are known: a linear-Gaussian model, and data of each layout."""

import math

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Encodes, Scores
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.maths.distributions import Normal
from twofold.measures.factors import Factors
from twofold.measures.measure import Evidence


class LinearGaussian(nn.Module, Decodes, Encodes, Scores):
    """z ~ N(0, I), x | z ~ N(Wz, s²I) with orthogonal columns: the true posterior is factorised.

    `widen` multiplies the posterior's standard deviation: 1 makes every bound exact.
    """

    def __init__(self, scales: Tensor, dimensions: int, noise: float = 0.5, widen: float = 1.0):
        super().__init__()
        torch.manual_seed(7)
        axes = torch.linalg.qr(torch.randn(dimensions, len(scales), dtype=torch.float64)).Q
        self.W = nn.Parameter((axes * scales).to(torch.get_default_dtype()))
        self.noise, self.widen, self.latent = noise, widen, len(scales)
        self.dropout = nn.Dropout(0.5)  # must be asleep while it is measured
        self.drawn: list[tuple[int, int]] = []  # (rows, draws) of every call

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, self.W)

    def decode(self, z: Tensor, given: Given) -> Normal:
        mean = self.dropout(z @ self.W.T)
        return Normal(mean, torch.full_like(mean, math.log(self.noise)))

    def encode(self, x: Tensor, given: Given) -> Normal:
        precision = 1 + self.W.square().sum(0) / self.noise**2  # (d,)
        mean = x @ self.W / self.noise**2 / precision
        return Normal(mean, (self.widen * precision.rsqrt()).log().expand_as(mean))

    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()

    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        self.drawn.append((len(x), samples))
        x, given = x.repeat_interleave(samples, 0), given.repeat(samples)
        q = self.encode(x, given)
        z = q.sample()
        log_w = self.decode(z, given).log_prob(x) + self.prior(given).log_prob(z) - q.log_prob(z)
        return log_w.unflatten(0, (-1, samples)).logsumexp(1) - math.log(samples)

    def exact(self, x: Tensor) -> Tensor:
        """log p(x): a Gaussian with covariance WWᵀ + s²I."""
        covariance = self.W @ self.W.T + self.noise**2 * torch.eye(len(self.W))
        p = torch.distributions.MultivariateNormal(torch.zeros(len(self.W)), covariance)
        return p.log_prob(x)


def vectors(dimensions: int) -> Space:
    return Space(tuple(Field(f"v{i}", Real()) for i in range(dimensions)))


def linear_evidence(model: LinearGaussian, n: int = 400, seed: int = 0) -> Evidence:
    """Observations that the model itself drew: it is the truth."""
    model.eval()
    with torch.no_grad():
        draws = [Batch.of(model.sample(Given(torch.zeros(n, 0)))) for _ in range(3)]
    model.train()
    return Evidence(vectors(len(model.W)), Space(), *draws, model=model, seed=seed)


IMAGE = Space((Field("pixels", Bounded(0, 255, 256)),), (16, 16))
SERIES = Space((Field("leads", Real(), 2),), (40,))
VECTOR = vectors(6)
TABLE = Space(
    (
        Field("age", Real(40, 10)),
        Field("income", Real(10, 2), missing=True),
        Field("sex", Category(("f", "m"))),
        Field("job", Category(("a", "b", "c")), missing=True),
    )
)
LABEL = Space((Field("label", Category(("0", "1", "2", "3")), missing=True),))


def images(n: int, stream: torch.Generator, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Stripes, bars, checks or a disc, with a phase and grain of their own; labelled so."""
    label = torch.randint(classes, (n,), generator=stream)
    phase = torch.randint(2, (n, 1, 1), generator=stream) * math.pi
    row, column = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    wave = math.pi / 2
    patterns = torch.stack(
        [
            (row * wave + phase).sin(),
            (column * wave + phase).sin(),
            (row * wave / 2 + phase).sin() * (column * wave / 2).sin(),
            ((row - 8).hypot(column - 8) < 4 + phase / 2).float().sub(0.5).mul(2),
        ]
    )  # (4, n, H, W)
    shape = patterns[label, torch.arange(n)].unsqueeze(1)
    strength = 0.2 + 0.1 * torch.rand(n, 1, 1, 1, generator=stream)
    x = 0.5 + strength * shape + 0.1 * torch.randn(n, 1, 16, 16, generator=stream)
    return IMAGE.encode((x.clamp(0, 1) * 255).round()), label


def labelled(x: Tensor, label: Tensor) -> Batch:
    return Batch.of(x, Given(LABEL.encode(label[:, None].float())))


def image_batch(n: int, seed: int, classes: int = 4) -> Batch:
    return labelled(*images(n, torch.Generator().manual_seed(seed), classes))


def image_evidence(n: int = 200, fake: Batch | None = None) -> Evidence:
    fake = image_batch(n, 3) if fake is None else fake
    return Evidence(IMAGE, LABEL, image_batch(n, 1), image_batch(n, 2), fake)


def series_batch(n: int, seed: int) -> Batch:
    stream = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 6.28, 40)
    phase = torch.rand(n, 2, 1, generator=stream) * 6.28
    return Batch.of((t * 2 + phase).sin() + 0.1 * torch.randn(n, 2, 40, generator=stream))


def vector_batch(n: int, seed: int) -> Batch:
    stream = torch.Generator().manual_seed(seed)
    return Batch.of(torch.randn(n, 6, generator=stream) * torch.linspace(1, 1.5, 6))


def table_batch(n: int, seed: int) -> Batch:
    stream = torch.Generator().manual_seed(seed)
    age = 40 + 10 * torch.randn(n, generator=stream)
    income = 10 + (age - 40) / 10 + torch.randn(n, generator=stream)
    income[torch.rand(n, generator=stream) < 0.2] = math.nan
    sex = (torch.rand(n, generator=stream) < 0.5).float()
    job = torch.randint(3, (n,), generator=stream).float()
    job[torch.rand(n, generator=stream) < 0.1] = math.nan
    return Batch.of(TABLE.encode(torch.stack([age, income, sex, job], 1)))


def evidence_of(layout: str, n: int = 160) -> Evidence:
    """Real, train and fake observations of one layout, all from the same law."""
    if layout == "image":
        return image_evidence(n)
    make, space = {
        "series": (series_batch, SERIES),
        "vector": (vector_batch, VECTOR),
        "table": (table_batch, TABLE),
    }[layout]
    real = make(n, 1)
    known = FACTORS_OF.get(layout, lambda batch: Factors())(real)
    return Evidence(space, Space(), real, make(n, 2), make(n, 3), factors=known)


def of_vectors(batch: Batch) -> Factors:
    """The sign of one number and the size of another, as if somebody had written them down."""
    space = Space((Field("sign", Category(("-", "+"))), Field("size", Real())))
    return Factors.of(space, torch.stack([batch.x[:, 0].sign() / 2 + 0.5, batch.x[:, 1]], 1))


FACTORS_OF = {"vector": of_vectors}
