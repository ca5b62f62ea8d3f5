"""Densities fitted to codes: they are densities, find what is there, and obey conditions."""

import copy
import math
from functools import cache

import pytest
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.distributions import Affine, FullMixture, FullNormal, Normal
from twofold.nets.expost import (
    Bank,
    Codes,
    ExPost,
    Fitted,
    Flow,
    Gmm,
    Origin,
    Posteriors,
    TwoStage,
    Vamp,
    by_condition,
    separate,
)

PARTS = [Gmm(8), Flow(1, 16, 120, 0.02), TwoStage(32, 1, 300, 0.01), Vamp(64, 20)]
NAMES = [type(part).__name__ for part in PARTS]


def codes(rows: int, labels: int = 0, seed: int = 0) -> Codes:
    """Codes (N, 2) on two far blobs; with labels, one blob a label, and a one-hot with presence."""
    chance = torch.Generator().manual_seed(seed)
    which = torch.randint(2, (rows,), generator=chance)
    mu = torch.stack([4.0 * which - 2, 0.5 * torch.randn(rows, generator=chance)], 1)
    sigma = torch.full_like(mu, 0.3)
    z = mu + sigma * torch.randn(rows, 2, generator=chance)
    c = torch.cat([torch.nn.functional.one_hot(which, 2).float(), torch.ones(rows, 1)], 1)
    return Codes(z, c if labels else c[:, :0], mu, sigma)


def fit(part: ExPost, train: Codes, held: Codes) -> Fitted:
    """The density of codes whose encoder is the identity, with one σ."""

    def q(x: Tensor, c: Tensor) -> Normal:
        return Normal(x, torch.full_like(x, 0.3).log())

    fields = tuple(Field(f"x{i}", Real()) for i in range(train.mu.shape[1]))
    return part.fit(train, held, 0, Origin(Space(fields), q, lambda rows: train.mu[rows]))


@cache
def fitted(part: ExPost, labels: int = 0) -> Fitted:
    return fit(part, codes(600, labels), codes(150, labels, seed=1))


def drawn(net: Fitted, c: Tensor) -> Tensor:
    with torch.no_grad():
        return net.density(c).sample()


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_codes_that_were_not_seen_are_likelier_than_under_one_gaussian(part: ExPost) -> None:
    held = codes(400, seed=2)
    one = fit(Gmm(1), codes(600), codes(150, seed=1))
    assert fitted(part).score(held).mean() > one.score(held).mean() + 0.1


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_a_condition_decides_where_codes_are_drawn(part: ExPost) -> None:
    """And without it both kinds occur."""
    net = fitted(part, labels=2)
    for label in (0, 1):
        c = torch.zeros(200, 3)
        c[:, [label, 2]] = 1
        near = (drawn(net, c)[:, 0] - (4 * label - 2)).abs() < 2
        assert near.float().mean() > 0.9
    left = (drawn(net, torch.zeros(400, 3))[:, 0] < 0).float().mean()
    assert 0.2 < left < 0.8


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_what_is_kept_makes_the_same_density(part: ExPost) -> None:
    net = fitted(part, labels=2)
    again = part.build(net.state_dict(), 2, 3)
    held = codes(50, 2, seed=3)
    found = []
    for each in (net, again):
        torch.manual_seed(1)
        found.append((each.score(held), drawn(each, held.c)))
    for one, other in zip(*found, strict=True):
        assert one.equal(other)
    assert again.words == net.words


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_equal_seeds_give_equal_fits_and_leave_the_callers_stream_alone(part: ExPost) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = fit(part, codes(600), codes(150, seed=1)).state_dict()
    assert torch.rand(3).equal(expected)
    assert all(first[name].equal(tensor) for name, tensor in fitted(part).state_dict().items())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "part", [Gmm(4), Flow(1, 16, 40, 0.02), Vamp(16)], ids=lambda p: type(p).__name__
)
def test_a_density_integrates_to_one(part: ExPost) -> None:
    double = [Codes(*(t.double() for t in vars(c).values())) for c in (codes(300), codes(80))]
    net = fit(part, *double)
    side = torch.linspace(-12, 12, 401)
    grid = torch.cartesian_prod(side, side)
    every = Codes(grid, grid[:, :0], grid, grid)
    mass = net.score(every).exp().sum() * (side[1] - side[0]) ** 2
    assert mass.item() == pytest.approx(1.0, abs=5e-3)


def test_a_second_stages_likelihood_is_below_the_truth_and_rises_with_draws() -> None:
    """Its exponential is unbiased: by numerical integration it is p(z)."""
    net = copy.deepcopy(fitted(TwoStage(16, 1, 100, 0.01)))
    z = codes(40, seed=4).z
    standard = (z - net.shift) / net.scale  # type: ignore[operator]
    side = torch.linspace(-6, 6, 201)
    u = torch.cartesian_prod(side, side)
    with torch.no_grad():
        prior = Normal.standard(len(u), 2, u).log_prob(u)
        x = net.p(u, u[:, :0])  # type: ignore[operator]
        joint = [prior + x.log_prob(row.expand(len(u), 2)) for row in standard]
        inside = torch.stack([j.logsumexp(0) for j in joint]) + 2 * math.log(side[1] - side[0])
    truth = inside - net.scale.log().sum()  # type: ignore[union-attr,operator]
    means = []
    for k in (1, 16, 256):
        net.draws = k
        torch.manual_seed(0)
        many = Codes(*(t.repeat_interleave(64, 0) for t in (z, z[:, :0], z, z)))
        means.append(net.score(many).mean())
    assert means[0] < means[1] < means[2] < truth.mean() + 0.02
    assert means[2].item() == pytest.approx(truth.mean().item(), abs=0.05)


def test_vamp_is_the_mixture_of_the_posteriors() -> None:
    train = codes(3)
    net = fit(Vamp(3, steps=0), train, codes(20, seed=1))
    assert isinstance(net, Posteriors)
    z = torch.randn(5, 2)
    each = torch.stack([Normal(u, torch.full_like(u, 0.3).log()).log_prob(z) for u in net.u])
    expected = each.logsumexp(0) - math.log(3)
    torch.testing.assert_close(net.score(Codes(z, z[:, :0], z, z)), expected)
    assert sorted(net.u.tolist()) == sorted(train.mu.tolist())


@pytest.mark.parametrize("labels", [0, 2])
def test_pseudo_inputs_are_learnt(labels: int) -> None:
    """Eight that start as observations end where codes that no fit has seen are likelier."""
    train, held = codes(600, labels), codes(150, labels, seed=1)
    unseen = codes(1000, labels, seed=2)
    start, end = (fit(Vamp(8, steps), train, held) for steps in (0, 60))
    assert isinstance(start, Posteriors)
    assert isinstance(end, Posteriors)
    assert end.score(unseen).mean() > start.score(unseen).mean() + 0.02
    assert start.u.shape == end.u.shape
    assert not start.u.equal(end.u)


def test_learning_that_does_harm_is_not_kept() -> None:
    """Two Gaussians that are where they belong, and a rate that throws them out."""
    train, held = codes(600), codes(150, seed=1)
    start, thrown = (fit(Vamp(64, steps, lr), train, held) for steps, lr in ((0, 1.0), (1, 1e3)))
    assert start.score(held).mean() == thrown.score(held).mean()


def test_pseudo_inputs_stay_where_observations_are() -> None:
    """Codes beyond 1 pull at a pixel, which ends at 1."""
    z = torch.full((300, 1), 1.4) + 0.1 * torch.randn(300, 1)
    far = Codes(z, z[:, :0], torch.full_like(z, 0.5), torch.full_like(z, 0.3))
    space = Space((Field("pixel", Bounded(0, 1)),))

    def q(x: Tensor, c: Tensor) -> Normal:
        return Normal(x, torch.full_like(x, 0.3).log())

    net = Vamp(4, 200, 0.05).fit(far, far, 0, Origin(space, q, lambda rows: far.mu[rows]))
    assert isinstance(net, Posteriors)
    torch.testing.assert_close(net.u, torch.ones_like(net.u))


def test_vamp_refuses_points() -> None:
    point = Codes(*(torch.zeros(4, n) for n in (2, 0, 0, 0)))
    with pytest.raises(UserError, match="diagonal Gaussians"):
        fit(Vamp(), point, point)


def test_validation_decides_how_many_gaussians() -> None:
    """Two blobs need two; points on a line need one."""
    two = fit(Gmm(16), codes(2000), codes(500, seed=1))
    assert isinstance(two, Bank)
    assert len(two.mu) >= 2
    flat = [Codes(z, z[:, :0], z, z) for z in (torch.randn(2000, 2), torch.randn(2000, 2))]
    one = fit(Gmm(16), *flat)
    assert len(one.mu) == 1  # type: ignore[arg-type]
    assert one.words == "1 Gaussian"


def test_many_conditions_or_rare_ones_share_a_mixture() -> None:
    assert separate(codes(600, 2).c)
    assert not separate(torch.arange(600.0).unsqueeze(1))
    rare = torch.zeros(600, 1)
    rare[:5] = 1
    assert not separate(rare)
    whole = codes(600, 2)
    shared = Codes(whole.z, torch.rand(600, 3), whole.mu, whole.sigma)
    assert len(list(by_condition(shared, shared))) == 1
    net = fit(Gmm(4), shared, shared)
    assert "whatever is given" in net.words
    assert drawn(net, torch.rand(7, 3)).shape == (7, 2)


def test_one_code_alone_is_no_trouble() -> None:
    one = Codes(*(t[:1] for t in vars(codes(9)).values()))
    net = fit(Gmm(), one, one)
    torch.testing.assert_close(drawn(net, one.c), one.z, atol=1e-3, rtol=0)


def test_constant_and_tiny_dimensions_are_no_trouble() -> None:
    z = torch.cat([torch.randn(300, 2), torch.zeros(300, 1), 1e-6 * torch.randn(300, 1)], 1)
    still = Codes(z, z[:, :0], z, z.abs() + 1e-3)
    for part in (Gmm(2), TwoStage(8, 1, 4)):
        assert drawn(fit(part, still, still), still.c).isfinite().all()


# The distributions they return.


def test_a_mixture_of_full_gaussians_by_its_parts() -> None:
    mu = torch.randn(3, 2)
    scale = torch.tril(torch.randn(3, 2, 2), -1) + torch.diag_embed(torch.rand(3, 2) + 0.5)
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.5, -torch.inf, 0.0]])
    p = FullMixture(logits, mu, scale)
    x = torch.randn(2, 2)
    each = torch.stack(
        [
            FullNormal(x * 0 + m, L.expand(2, 2, 2)).log_prob(x)
            for m, L in zip(mu, scale, strict=True)
        ]
    )
    expected = (each.T + logits.log_softmax(1)).logsumexp(1)
    torch.testing.assert_close(p.log_prob(x), expected)
    torch.testing.assert_close(p.mean, logits.softmax(1) @ mu)
    many = FullMixture(logits[1:].expand(20_000, -1), mu, scale).sample()
    torch.testing.assert_close(many.mean(0), p.mean[1], atol=0.05, rtol=0)


def test_an_affine_image_has_the_density_of_its_points() -> None:
    shift, scale = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 0.5])
    moved = Affine(Normal.standard(4, 2, shift), shift, scale)
    x = torch.randn(4, 2)
    expected = Normal(shift.expand(4, -1), scale.log().expand(4, -1)).log_prob(x)
    torch.testing.assert_close(moved.log_prob(x), expected)
    assert moved.mean.equal(shift.expand(4, -1))
