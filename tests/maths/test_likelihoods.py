"""Every likelihood is a density of its domain, draws what it says, and stays finite."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from twofold.core import space
from twofold.core.build import parts_of
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Count, Domain, Field, Modal, Real, Space, Token
from twofold.maths.likelihoods import (
    Bernoulli,
    BernoulliValues,
    CategoricalValues,
    ContinuousBernoulli,
    ContinuousBernoulliValues,
    DiscretisedLogistic,
    DiscretisedLogisticValues,
    Elementwise,
    Gaussian,
    GaussianValues,
    Likelihood,
    ModeSpecific,
    NegativeBinomialValues,
    ObservationSpec,
    StudentT,
    StudentTValues,
)
from twofold.maths.similarity import Likeness

NOT_DENSITIES = ("cross-entropy", "squared-error")
# Whose draws may leave [0, 1], or its steps, or lie nearer to another mode than to their own.
LOOSE = ("gaussian", "squared-error", "continuous-bernoulli", "mode-specific")
DOMAINS: list[Domain] = [
    Real(2.0, 3.0),
    Modal((0.0, 1.0, -2.0), (0.0, 0.5, 0.25), (0.5, 0.3, 0.2)),
    Bounded(0, 1),
    Bounded(0, 255, 256),
    Bounded(0, 1, 2),
    Bounded(1, 5, 5),
    Count(1.5),
    Category(("a", "b", "c")),
    Token(("a", "b", "c", "d")),
]
FITTING = [
    (name, domain)
    for name, make in parts_of(Likelihood).items()
    for domain in DOMAINS
    if make().suits(Field("v", domain), ())
]
STEPS = [d for d in DOMAINS if isinstance(d, Bounded) and d.levels]


def made(name: str, domain: Domain, rows: int) -> Elementwise:
    """A likelihood of one value with random raw channels, the same for every row."""
    likelihood = parts_of(Likelihood)[name]()
    raw = torch.randn(1, likelihood.predicted(domain))
    shared = torch.randn(likelihood.shared(domain), 1, 1)
    return likelihood(raw.expand(rows, -1), shared, domain)


def support(name: str, domain: Domain) -> tuple[Tensor, Tensor]:
    """Points x (N, width) over the whole domain, and the measure of each."""
    if isinstance(domain, Category | Token):
        return torch.eye(domain.width), torch.ones(domain.width)
    if isinstance(domain, Count):
        return domain.encode(torch.arange(4000.0)).unsqueeze(1), torch.ones(4000)
    if isinstance(domain, Modal):
        line, weight = trapezoid(20 * torch.sinh(torch.linspace(-7, 7, 40_001)))
        modes = torch.eye(3).repeat_interleave(len(line), 0)
        spike = torch.cat([torch.ones(1), torch.zeros(len(line) - 1)])  # of no width: one point
        return torch.cat([line.repeat(3, 1), modes], 1), torch.cat([spike, weight, weight])
    if name == "bernoulli":
        return torch.tensor([[0.0], [1.0]]), torch.ones(2)
    if name == "discretised-logistic":
        levels = domain.levels or 256  # type: ignore[attr-defined]
        return torch.linspace(0, 1, levels).unsqueeze(1), torch.ones(levels)
    if name == "continuous-bernoulli":
        return trapezoid(torch.linspace(0, 1, 4001))
    return trapezoid(20 * torch.sinh(torch.linspace(-7, 7, 40_001)))


def trapezoid(line: Tensor) -> tuple[Tensor, Tensor]:
    gaps = line.diff()
    weights = torch.cat([gaps[:1], gaps[1:] + gaps[:-1], gaps[-1:]]) / 2
    return line.unsqueeze(1), weights


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "domain"), [f for f in FITTING if f[0] not in NOT_DENSITIES])
def test_probability_sums_to_one(name: str, domain: Domain) -> None:
    x, weight = support(name, domain)
    p = made(name, domain, len(x))
    total = (p.log_prob(x).squeeze(1).exp() * weight).sum()  # type: ignore[attr-defined]
    assert total.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "domain"), FITTING)
def test_draws_have_the_mean_and_lie_in_the_domain(name: str, domain: Domain) -> None:
    p, n = made(name, domain, 20_000), 20_000
    x = p.sample()
    expected = p.mean[0]
    shown = domain.decode(x)
    if isinstance(domain, Modal):  # whose mean is shown as the expected value
        x, expected = shown, domain.decode(p.mean)[0]
    if isinstance(domain, Count):  # whose mean is shown as the expected count
        x, expected = shown, domain.scale * expected
        expected = expected.expm1()
    error = 5 * x.std(0) / math.sqrt(n) + 0.5 / 255
    if isinstance(domain, Bounded) and domain.levels:  # the mean overlooks the rounding
        error = error + 0.1 / (domain.levels - 1)
    assert ((x.mean(0) - expected).abs() < error).all()
    if name not in LOOSE:
        fresh = p.sample()
        torch.testing.assert_close(domain.encode(domain.decode(fresh)), fresh)
    if isinstance(domain, Category | Token):
        assert x.sum(1).eq(1).all()


@pytest.mark.parametrize(("name", "domain"), FITTING)
def test_near_is_the_inverse_of_the_mean(name: str, domain: Domain) -> None:
    """Raw channels asked for by a mean have it, but where tails are cut."""
    likelihood = parts_of(Likelihood)[name]()
    mean = torch.tensor([[0.05], [0.3], [0.5], [0.9]])
    if domain.width > 1:
        mean = torch.cat([mean, (1 - mean).expand(-1, domain.width - 1) / (domain.width - 1)], 1)
    raw = likelihood.near(mean, domain)
    assert raw.shape == (4, likelihood.predicted(domain))
    if isinstance(domain, Modal):  # shares of the modes; places in them start in the middle
        shares = mean[:, 1:] / mean[:, 1:].sum(1, keepdim=True)
        torch.testing.assert_close(raw[:, :3].softmax(1), shares, rtol=0, atol=1e-4)
        return
    shared = torch.full((likelihood.shared(domain), 1, 1), -4.0)  # a narrow scale
    atol = 0.02 if name == "discretised-logistic" else 1e-4
    torch.testing.assert_close(likelihood(raw, shared, domain).mean, mean, rtol=0, atol=atol)


@pytest.mark.parametrize(("name", "domain"), FITTING)
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("sign", [-1, 1])
def test_gradients_are_finite_at_extremes(
    name: str, domain: Domain, scale: float, sign: int
) -> None:
    """Raw channels from 0 to ± 10,000, and observations at both ends of the domain."""
    likelihood = parts_of(Likelihood)[name]()
    ends = {Real: [-50.0, 50.0], Bounded: [0.0, 1.0], Count: [0.0, 9.0]}.get(type(domain))
    x = torch.eye(domain.width)[:2] if ends is None else torch.tensor(ends).unsqueeze(1)
    raw = torch.full((2, likelihood.predicted(domain)), sign * scale, requires_grad=True)
    shared = torch.full((likelihood.shared(domain), 1, 1), sign * scale, requires_grad=True)
    p = likelihood(raw, shared, domain)
    value = p.log_prob(x)
    assert value.isfinite().all()
    gradients = torch.autograd.grad(value.sum(), (raw, shared), allow_unused=True)
    assert all(g is None or g.isfinite().all() for g in gradients)
    for shown in (p.mean, p.mode, p.sample()):
        assert shown.isfinite().all()


# Against another library.


@pytest.mark.usefixtures("float64")
def test_those_that_torch_has() -> None:
    a, b, x = torch.randn(5, 1), 0.5 * torch.randn(5, 1), torch.randn(5, 1)
    dist = torch.distributions
    pairs: list[tuple[Tensor, Tensor]] = [
        (GaussianValues(a, b).log_prob(x), dist.Normal(a, b.exp()).log_prob(x)),
        (StudentTValues(a, b, 5.0).log_prob(x), dist.StudentT(5.0, a, b.exp()).log_prob(x)),
        (
            BernoulliValues(a).log_prob((x > 0).double()),
            dist.Bernoulli(logits=a).log_prob((x > 0).double()),
        ),
        (
            ContinuousBernoulliValues(3 * a).log_prob(x.sigmoid()),
            dist.ContinuousBernoulli(logits=3 * a).log_prob(x.sigmoid()),
        ),
        (ContinuousBernoulliValues(3 * a).mean, dist.ContinuousBernoulli(logits=3 * a).mean),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    log_p = torch.randn(5, 2, 3).log_softmax(2)
    k = torch.randint(3, (5, 2))
    hot = torch.nn.functional.one_hot(k, 3).double().flatten(1)
    torch.testing.assert_close(
        CategoricalValues(log_p).log_prob(hot), dist.Categorical(logits=log_p).log_prob(k)
    )


@pytest.mark.usefixtures("float64")
def test_the_negative_binomial_is_scipys() -> None:
    domain = Count(2.0)
    k = torch.tensor([[0.0], [1.0], [7.0], [300.0]])
    for mean, r in ((0.3, 0.5), (4.0, 2.0), (250.0, 20.0)):
        p = NegativeBinomialValues(
            torch.full((4, 1), math.log(mean)), torch.full((4, 1), math.log(r)), domain
        )
        theirs = scipy.stats.nbinom.logpmf(k.numpy(), r, r / (r + mean))
        torch.testing.assert_close(p.log_prob(domain.encode(k)), torch.from_numpy(theirs))


@pytest.mark.usefixtures("float64")
def test_modes_together_are_the_mixture_of_torch() -> None:
    """With the unit of each mode, 4σ, undone: a mixture of normals in the value itself."""
    domain = Modal((1.0, -2.0), (0.5, 0.25), (0.6, 0.4))
    raw, v = torch.randn(5, 4), torch.randn(5)
    p = ModeSpecific()(raw, torch.ones(2, 1, 1), domain)
    mu, sigma = torch.tensor(domain.means), torch.tensor(domain.stds)
    alpha = (v[:, None] - mu) / (4 * sigma)  # (B, K), a place in each mode
    terms = [
        p.log_prob(torch.cat([alpha[:, k : k + 1], torch.eye(2)[k].expand(5, -1)], 1))[:, 0]
        - (4 * sigma[k]).log()
        for k in range(2)
    ]
    parts = torch.distributions.Normal(mu + 4 * sigma * raw[:, 2:], 4 * sigma)
    mixed = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=raw[:, :2]), parts
    )
    torch.testing.assert_close(torch.stack(terms).logsumexp(0), mixed.log_prob(v))


def test_a_large_count_is_exact_in_single_precision() -> None:
    domain = Count(1.0)
    k, mean, r = 90_000.0, 90_000.0, 20_000.0
    x = domain.encode(torch.tensor([[k]]))
    at = [torch.tensor([[math.log(v)]]) for v in (mean, r)]
    theirs = scipy.stats.nbinom.logpmf(round(k), r, r / (r + mean))
    assert NegativeBinomialValues(*at, domain).log_prob(x).item() == pytest.approx(theirs, abs=2e-3)


@pytest.mark.usefixtures("float64")
def test_the_discretised_logistic_is_a_difference_of_cdfs() -> None:
    mu, log_s, half = 0.4, -1.5, 0.5 / 255
    x = torch.linspace(0, 1, 256).unsqueeze(1)
    p = DiscretisedLogisticValues(torch.tensor(mu), torch.tensor(log_s), 256)
    F = scipy.stats.logistic(mu, math.exp(log_s)).cdf
    inner = torch.from_numpy(F(x + half) - F(x - half))
    inner[0], inner[-1] = float(F(half)), 1 - float(F(1 - half))
    torch.testing.assert_close(p.log_prob(x).exp(), inner)


# Single precision where formulas cancel.


@pytest.mark.parametrize(
    "eta", [0.0, 1e-6, 1e-3, 0.0099, 0.0101, 0.1, 0.49, 0.51, 2.0, 40.0, 500.0]
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_continuous_bernoulli_is_accurate_around_a_half(eta: float, sign: int) -> None:
    """Values and slopes in float32 against integrals in float64."""
    logit = torch.tensor([sign * eta], requires_grad=True)
    p = ContinuousBernoulliValues(logit)
    constant, mean = reference(sign * eta)
    assert p.log_constant().item() == pytest.approx(constant, abs=1e-6, rel=1e-6)
    assert p.mean.item() == pytest.approx(mean, abs=2e-6)
    # log p = log C + xη - softplus(η) has the slope x - mean, as in every exponential family
    (slope,) = torch.autograd.grad(p.log_prob(torch.tensor([0.3])).sum(), logit)
    assert slope.item() == pytest.approx(0.3 - mean, abs=3e-6)


def reference(eta: float) -> tuple[float, float]:
    """log C and the mean, from the integral of e^{ηx} over [0, 1] by Gauss and Legendre."""
    x, w = np.polynomial.legendre.leggauss(200)
    x, shift = (x + 1) / 2, max(eta, 0.0)
    density = w / 2 * np.exp(eta * x - shift)
    total = density.sum()
    # C (1-λ) ∫ e^{ηx} dx = 1, and log (1-λ) = -softplus(η)
    log_constant = -math.log(total) - shift + np.logaddexp(0, eta)
    return float(log_constant), float((density * x).sum() / total)


@pytest.mark.parametrize("log_s", [-40.0, -20.0, -9.0, 0.0, 5.0])
@pytest.mark.parametrize("x", [0.0, 1 / 255, 0.5019608, 1.0])
@pytest.mark.parametrize("mu", [-30.0, 0.0, 0.5, 1.0, 30.0])
def test_the_tails_of_the_discretised_logistic(log_s: float, x: float, mu: float) -> None:
    m, s = torch.tensor([mu], requires_grad=True), torch.tensor([log_s], requires_grad=True)
    value = DiscretisedLogisticValues(m, s, 256).log_prob(torch.tensor([x]))
    assert value.item() <= 1e-6
    assert value.isfinite().all()
    gradients = torch.autograd.grad(value.sum(), (m, s))
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("log_s", [-3.0, 0.0, 5.0])
@pytest.mark.parametrize("mu", [-9.7, 0.5, 9.7])
def test_the_discretised_logistic_is_accurate_at_wide_scales(log_s: float, mu: float) -> None:
    """In single precision the two bounds of a step are nearly one."""
    x = torch.tensor([[100 / 255]])
    single = DiscretisedLogisticValues(torch.tensor(mu), torch.tensor(log_s), 256).log_prob(x)
    wide = (torch.tensor(v, dtype=torch.float64) for v in (mu, log_s))
    double = DiscretisedLogisticValues(*wide, 256).log_prob(x.double())
    assert single.item() == pytest.approx(double.item(), rel=1e-6, abs=2e-6)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mu", [-0.3, 0.0, 0.5, 1.2])
@pytest.mark.parametrize("levels", [5, 256])
def test_the_mean_of_the_discretised_logistic_knows_its_ends(mu: float, levels: int) -> None:
    """Against the sum over all levels; what is clipped at an end pulls the mean inwards."""
    x = torch.linspace(0, 1, levels)
    p = DiscretisedLogisticValues(torch.tensor(mu), torch.tensor(-1.0), levels)
    expected = (p.log_prob(x).exp() * x).sum()
    assert p.mean.item() == pytest.approx(expected.item(), abs=2e-3)
    assert abs(p.mean.item() - min(max(mu, 0), 1)) > 0.05 or mu == 0.5


# The product over fields.


ROW = Space(
    (
        Field("age", Real(40, 10), 2, missing=True),
        Field("sex", Category(("f", "m")), missing=True),
        Field("share", Bounded(0, 1)),
        Field("visits", Count(1.0), missing=True),
    )
)
VALUES = torch.tensor(
    [[50.0, 30.0, 1.0, 0.3, 2.0], [math.nan, 20.0, math.nan, 0.9, math.nan]], dtype=torch.float64
)


def observation(wanted: tuple[Likelihood, ...] = ()) -> tuple[object, Tensor]:
    spec = ObservationSpec(ROW, wanted)
    raw = torch.randn(2, spec.predicted, requires_grad=True)
    return spec(raw, torch.zeros(spec.shared)), raw


@pytest.mark.usefixtures("float64")
def test_the_product_is_the_sum_over_fields() -> None:
    p, _ = observation()
    x = ROW.encode(VALUES)
    by_field = p.by_field(x)  # type: ignore[attr-defined]
    assert list(by_field) == ["age", "sex", "share", "visits"]
    torch.testing.assert_close(p.log_prob(x), sum(by_field.values()))  # type: ignore[attr-defined]


@pytest.mark.usefixtures("float64")
def test_a_missing_value_counts_by_its_presence_alone() -> None:
    """log p(x, m) = log p(m) + m log p(x), and no gradient reaches an absent value's channels."""
    p, raw = observation()
    x = ROW.encode(VALUES)
    assert x.isfinite().all()
    age, sex = p.fields[0], p.fields[1]  # type: ignore[attr-defined]
    own = age.log_prob(x[:, :4])
    values, presence = age.values.log_prob(x[:, :2]), age.presence.log_prob(x[:, 2:4])
    torch.testing.assert_close(own[0], (values + presence)[0].sum())
    torch.testing.assert_close(own[1], values[1, 1] + presence[1].sum())
    torch.testing.assert_close(sex.log_prob(x[:, 4:7])[1], sex.presence.log_prob(x[:, 6:7])[1, 0])
    (gradient,) = torch.autograd.grad(p.log_prob(x)[1], raw)  # type: ignore[attr-defined]
    assert gradient[0].eq(0).all()
    assert gradient[1, 0] == 0  # the location of the absent age
    assert gradient[1, 1] != 0
    assert gradient[1, 4:6].eq(0).all()  # the scores of the absent sex
    assert gradient.isfinite().all()


@pytest.mark.usefixtures("float64")
def test_draws_hide_what_is_absent() -> None:
    spec = ObservationSpec(ROW, ())
    p = spec(torch.randn(1, spec.predicted).expand(500, -1), torch.zeros(spec.shared))
    x = p.sample()
    assert ROW.encode(ROW.decode(x)).sub(x).abs().max() < 1e-9
    assert ROW.decode(x).isnan().any()
    assert not ROW.decode(x)[:, 3].isnan().any()


def test_a_likelihood_is_chosen_by_domain_and_by_wish() -> None:
    names = [type(w).__name__ for w in ObservationSpec(ROW).likelihoods]
    assert names == ["Gaussian", "Categorical", "ContinuousBernoulli", "NegativeBinomial"]
    wished = ObservationSpec(ROW, (StudentT(), DiscretisedLogistic())).likelihoods
    names = [type(w).__name__ for w in wished]
    assert names == ["StudentT", "Categorical", "DiscretisedLogistic", "NegativeBinomial"]
    pixels = ObservationSpec(Space((Field("p", STEPS[0]), Field("q", STEPS[1])))).likelihoods
    assert pixels == [DiscretisedLogistic(), Bernoulli()]
    with pytest.raises(UserError, match="the likelihood student-t fits no field"):
        ObservationSpec(Space((Field("share", Bounded()),)), (StudentT(),))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("scale", ["shared", "predicted", "fixed"])
@pytest.mark.parametrize("make", [Gaussian, StudentT, DiscretisedLogistic])
def test_shared_predicted_and_fixed_scales_agree_where_they_say_the_same(
    make: Callable[..., Likelihood], scale: str
) -> None:
    """With the scale's raw channel at 0, a field of two values on three places."""
    domain = Bounded() if make is DiscretisedLogistic else Real()
    spec = ObservationSpec(Space((Field("v", domain, 2),), (3,)), (make(scale=scale),))
    location = torch.randn(4, 2, 3)
    raw = torch.cat([location, location.new_zeros(4, spec.predicted - 2, 3)], 1)
    p = spec(raw, torch.zeros(spec.shared))
    x = torch.rand(4, 2, 3)
    both = torch.cat([location, location * 0], 1)
    reference = make(scale="predicted")(both, torch.zeros(0), domain)
    if (scale, make) != ("fixed", DiscretisedLogistic):  # which is fixed elsewhere
        torch.testing.assert_close(p.log_prob(x), reference.log_prob(x).sum((1, 2)))
    assert p.log_prob(x).shape == (4,)
    assert spec.shared == (1 if scale == "shared" else 0)


def test_the_domains_here_are_all_there_are() -> None:
    assert {type(domain) for domain in DOMAINS} == set(space.DOMAINS.values())
    single = {name for name, make in parts_of(Likelihood).items() if not issubclass(make, Likeness)}
    assert {name for name, _ in FITTING} == single
    assert ContinuousBernoulli().domains == (Bounded,)
