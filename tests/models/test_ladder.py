"""The ladder VAE: with one layer it is the VAE; on a linear-Gaussian ladder its bound is exact."""

import math

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.distributions import Normal, product
from twofold.maths.divergences import KL
from twofold.maths.likelihoods import Gaussian
from twofold.maths.varying import Linear
from twofold.models.ladder import Ladder, drawn
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))
S1, S2 = 0.7, 0.5


def ladder(*latents: int, **options: object) -> Ladder:
    torch.manual_seed(0)
    small = Dense(8, 1)
    return Ladder(SPACE, Space(), latents, small, small, small, **options)  # type: ignore[arg-type]


def nothing(x: Tensor) -> Given:
    return Given.none(len(x), Space())


def test_one_layer_is_the_vae() -> None:
    """The same weights give the same loss, the same bound and the same code."""
    ours = ladder(4)
    vae = VAE(SPACE, Space(), 4, Dense(8, 1), Dense(8, 1))
    vae.q.body.load_state_dict(ours.first.state_dict())
    vae.p.load_state_dict(ours.p.state_dict())
    x = torch.randn(6, 3)
    found = []
    for model in (ours, vae):
        torch.manual_seed(3)
        (turn,) = model.play(Batch.of(x), Progress())
        bound = model.log_likelihood(x, nothing(x), 5)
        found.append((turn.losses["autoencoder"], bound, model.encode(x, nothing(x)).mean))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_product_of_gaussians_is_their_densities_multiplied() -> None:
    a, b = (Normal(torch.randn(1, 2), torch.randn(1, 2)) for _ in range(2))
    z = torch.randn(7, 2)
    c = product(a, b)
    difference = a.elementwise(z) + b.elementwise(z) - c.elementwise(z)
    torch.testing.assert_close(difference, difference[:1].expand(7, -1))  # a constant: normalised


def test_a_rung_below_is_weighed_with_what_is_expected() -> None:
    """q(z_1 | z_2, x) lies between what x suggests and p(z_1 | z_2), surer than either."""
    model, x = ladder(3, 2), torch.randn(5, 3)
    suggested = model.climb(x, nothing(x))
    top, low = model.descend(suggested, nothing(x), drawn)
    assert top.q.mu.equal(suggested[1].mu)  # the top one is not weighed with the prior
    assert (low.q.sigma < torch.minimum(suggested[0].sigma, low.p.sigma)).all()
    span = torch.stack([suggested[0].mu, low.p.mu])
    assert ((low.q.mu >= span.amin(0)) & (low.q.mu <= span.amax(0))).all()


def test_the_code_is_another_coordinate_of_the_same_layers() -> None:
    """Decoding the noise is decoding z_1; its density and KL are those of the layers."""
    model, x = ladder(3, 2, 2), torch.randn(5, 3)
    rungs = model.descend(model.climb(x, nothing(x)), nothing(x), drawn)
    noise = torch.cat([rung.noise for rung in rungs], 1)
    torch.testing.assert_close(
        model.decode(noise, nothing(x)).mean, model.p(rungs[-1].z, x[:, :0]).mean
    )
    in_z = sum(rung.q.log_prob(rung.z) - rung.p.log_prob(rung.z) for rung in rungs)
    q = model.encode(x, nothing(x))
    torch.testing.assert_close(q.log_prob(noise) - model.prior(nothing(x)).log_prob(noise), in_z)


def test_every_layer_of_the_code_matters_to_the_decoder() -> None:
    model = ladder(3, 2, 2)
    z = torch.randn(4, 7, requires_grad=True)
    model.decode(z, Given.none(4, Space())).mean.sum().backward()
    assert z.grad is not None
    assert (z.grad != 0).all()


def test_the_notes_have_the_nats_of_each_layer() -> None:
    model, x = ladder(3, 2, divergence=KL(beta=2.0)), torch.randn(6, 3)
    (turn,) = model.play(Batch.of(x), Progress())
    notes = turn.notes
    torch.testing.assert_close(2 * (notes["kl_1"] + notes["kl_2"]), notes["rate"])
    torch.testing.assert_close(turn.losses["autoencoder"], notes["distortion"] + notes["rate"])


def test_warm_up_and_free_bits_are_numbers_of_the_divergence() -> None:
    x = torch.randn(6, 3)
    warm = ladder(3, 2, divergence=KL(beta=Linear(0, 1, steps=10)))
    rates = [next(warm.play(Batch.of(x), Progress(step))).notes["rate"] for step in (0, 10)]
    assert rates[0] == 0 < rates[1]
    free = ladder(3, 2, divergence=KL(free_bits=100.0))
    assert next(free.play(Batch.of(x), Progress())).notes["rate"] == pytest.approx(500)


def linear_gaussian() -> tuple[Ladder, Tensor, Tensor]:
    """z_2 ~ N(0, 1), z_1 ~ N(a z_2 + e, S1²), x ~ N(W z_1 + b, S2² I): our ladder, μ and Σ of x."""
    model = Ladder(
        SPACE, Space(), (1, 1), Dense(depth=0), Dense(depth=0), Dense(4, 0),
        (Gaussian(scale="fixed", std=S2),),
    )  # fmt: skip
    below = model.down[0][0]  # type: ignore[index]
    below.weight.data[1].zero_()  # the scale of z_1 does not depend on z_2
    below.bias.data[1] = 6 * math.atanh(math.log(S1) / 6)  # it ends in 6 tanh(· / 6)
    a, e = below.weight.data[0, 0], below.bias.data[0]
    layer = model.p.body.layers[0]  # type: ignore[union-attr,index]
    W, b = layer.weight.data[:, 0], layer.bias.data  # type: ignore[union-attr,operator,index]
    variance = a**2 + S1**2
    return model, W * e + b, variance * torch.outer(W, W) + S2**2 * torch.eye(3)  # type: ignore[arg-type]


def exact(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    return torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)


def test_the_bound_meets_the_exact_likelihood() -> None:
    model, mean, covariance = linear_gaussian()
    x = mean + 0.5 * torch.randn(4, 3) @ torch.linalg.cholesky(covariance).T
    truth = exact(x, mean, covariance)
    rows, means, errors = 300, [], []
    many = x.repeat_interleave(rows, 0)
    for k in (1, 8, 256):
        with torch.no_grad():
            bound = model.log_likelihood(many, nothing(many), k).unflatten(0, (-1, rows))
        means.append(bound.mean(1))
        errors.append(bound.std(1) / math.sqrt(rows))
    assert (means[0] < means[1] + 3 * errors[0]).all()
    assert (means[0] < truth - 0.01).all()
    assert (means[2] <= truth + 4 * errors[2]).all()
    torch.testing.assert_close(means[2], truth, atol=0.05, rtol=0)


def test_the_true_posterior_makes_the_bound_exact_with_one_draw() -> None:
    """It has the ladder's own form: what x suggests of z_1 is p(x | z_1), read as a Gaussian."""
    model, mean, covariance = linear_gaussian()
    layer, below = model.p.body.layers[0], model.down[0][0]  # type: ignore[union-attr,index]
    W, b = layer.weight.data[:, 0], layer.bias.data  # type: ignore[union-attr,operator,index]
    a, e = below.weight.data[0, 0], below.bias.data[0]
    y, variance = W / W.square().sum(), S2**2 / W.square().sum()  # y (x − b) = z_1 + noise
    first = model.first.layers[0]  # type: ignore[union-attr,index]
    first.weight.data.copy_(torch.stack([y, 0 * y, y, -y, 0 * y, 0 * y]))  # type: ignore[union-attr,operator]
    first.bias.data.copy_(  # type: ignore[union-attr,operator]
        torch.stack([-y @ b, raw(variance), -y @ b, y @ b, 0 * e, 0 * e])
    )
    precision = 1 + a**2 / (S1**2 + variance)
    slope = a / (S1**2 + variance) / precision
    up = model.up[0][0]  # type: ignore[index]
    both = slope / 1.2  # the leaky rectifier of u less that of −u is 1.2 u
    up.weight.data.copy_(torch.stack([torch.stack([both, -both, 0 * e, 0 * e]), torch.zeros(4)]))
    up.bias.data.copy_(torch.stack([-slope * e, raw(1 / precision)]))
    x = torch.randn(5, 3)
    for k in (1, 3):
        bound = model.log_likelihood(x, nothing(x), k)
        torch.testing.assert_close(bound, exact(x, mean, covariance))


def raw(variance: Tensor) -> Tensor:
    """What a network says for a variance: it ends in log σ = 6 tanh(· / 6)."""
    return 6 * torch.atanh(variance.log() / 2 / 6)


def test_exactly_so_many_draws_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _, _ = linear_gaussian()
    made, randn = [], torch.randn_like
    monkeypatch.setattr(torch, "randn_like", lambda t: made.append(tuple(t.shape)) or randn(t))
    model.log_likelihood(torch.randn(3, 3), Given.none(3, Space()), 7)
    assert made == [(21, 1), (21, 1)]


def test_a_reconstruction_keeps_what_every_layer_knows() -> None:
    """After some steps, decoding the mean of the code is nearer to x than the mean of all x."""
    space = Space((Field("v", Bounded(), 4),))
    torch.manual_seed(0)
    model = Ladder(space, Space(), (2, 2), Dense(16, 1), Dense(16, 1), Dense(16, 1))
    x = torch.rand(64, 1).expand(-1, 4).contiguous()
    adam = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(300):
        adam.zero_grad()
        next(model.play(Batch.of(x), Progress(step))).losses["autoencoder"].backward()
        adam.step()
    again = model.decode(model.encode(x, nothing(x)).mean, nothing(x)).mean
    assert (again - x).square().mean() < 0.3 * x.var()


def test_a_ladder_without_a_layer_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.latents = \[16, 8\]"):
        ladder()
