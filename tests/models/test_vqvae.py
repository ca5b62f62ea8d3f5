"""The VQ-VAE's bound against all codes enumerated, its two players, and what it draws."""

import itertools

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.quantise import Codebook, of_moments
from twofold.models.vqvae import VQVAE
from twofold.nets.bodies import Conv, Dense
from twofold.nets.causal import CausalTransformer
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

SPACE = Space((Field("v", Real(), 3),))
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))
SMALL = CausalTransformer(width=8, depth=1, heads=2)


def vqvae(space: Space = SPACE, given: Space = LABEL, **options: object) -> VQVAE:
    """A small model whose entries all differ and none of whose weights is zero."""
    torch.manual_seed(0)
    dense = Dense(8, 1)
    book = Codebook(4, 2)
    chosen = {"codebook": book, "groups": 3, "encoder": dense, "decoder": dense, "prior": SMALL}
    model = VQVAE(space, given, **chosen | options)  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    known = of_moments(torch.full((4,), 0.25), torch.randn(4, 2), torch.ones(4, 2))
    model.codebook.average.copy_(known)
    return model


def given_of(rows: int) -> Given:
    label = torch.arange(rows).remainder(2).unsqueeze(1)
    return Given(LABEL.encode(label.to(torch.get_default_dtype())))


@pytest.mark.usefixtures("float64")
def test_the_bound_is_below_the_likelihood_of_all_codes_together() -> None:
    """log p(x) = log Σ_k p(k) p(x | k) over every k, which a small code allows to sum."""
    model, x, given = vqvae(), torch.randn(5, 3), given_of(5)
    every = torch.tensor(list(itertools.product(range(4), repeat=3)))  # (64, P)
    z = model.codebook.entries[every].flatten(1)
    terms = []
    for row in range(5):
        c = Given(given.c[row : row + 1]).repeat(64)
        log_px = model.decode(z, c).log_prob(x[row].expand(64, -1))
        terms.append(log_px + model.log_prior(every, c))
    exact = torch.stack(terms).logsumexp(1)
    bound = model.log_likelihood(x, given, 1)
    assert (bound < exact).all()
    k = model.indices(x, given)
    own = (k @ torch.tensor([16, 4, 1])).tolist()
    torch.testing.assert_close(bound, torch.stack(terms)[range(5), own])
    assert model.log_likelihood(x, given, 7).equal(bound)


@pytest.mark.usefixtures("float64")
def test_the_losses_are_minus_the_bound_and_the_commitment() -> None:
    model, x, given = vqvae(), torch.randn(6, 3), given_of(6)
    first, second = model.play(Batch.of(x, given), Progress(step=-1))
    parts = first.losses["autoencoder"] + second.losses["prior"] - first.notes["commitment"]
    torch.testing.assert_close(parts, -model.log_likelihood(x, given, 1).mean())
    z = model.encoder(x, given.c)
    own = model.grid(model.encode(x, given).mean.unflatten(1, (3, 2)))
    away = z - own
    torch.testing.assert_close(first.notes["commitment"], 0.25 * away.square().sum((1, 2)).mean())


@pytest.mark.usefixtures("float64")
def test_the_prior_teaches_the_autoencoder_nothing() -> None:
    model = vqvae()
    game = model.play(Batch.of(torch.randn(4, 3), given_of(4)), Progress())
    first, second = next(game), next(game)
    own = [p for module in model.players()["autoencoder"] for p in module.parameters()]
    other = list(model.prior_net.parameters())
    for turn, idle in ((second.losses["prior"], own), (first.losses["autoencoder"], other)):
        assert all(g is None for g in torch.autograd.grad(turn, idle, allow_unused=True))


@pytest.mark.usefixtures("float64")
def test_a_code_is_made_of_entries_and_decoded_from_the_nearest() -> None:
    model, given = vqvae(), given_of(4)
    code = model.encode(torch.randn(4, 3), given).mean
    assert code.shape == (4, model.latent) == (4, 6)
    rows = code.reshape(-1, 1, 2)
    assert (rows == model.codebook.entries).all(2).any(1).all()
    near = code + 1e-3 * torch.randn_like(code)
    assert model.decode(near, given).mean.equal(model.decode(code, given).mean)


@pytest.mark.parametrize(
    ("axes", "places"),
    [((28, 28), (7, 7)), ((8, 8), (4, 4)), ((140,), (35,)), ((2, 5, 6), (2, 3, 3)), ((), (3,))],
)
def test_places_follow_from_the_axes(axes: tuple[int, ...], places: tuple[int, ...]) -> None:
    conv = Conv(2) if axes else Dense(8, 1)
    space = Space((Field("p", Bounded(0, 1, 2)),), axes)
    model = vqvae(space, encoder=conv, decoder=conv)
    assert model.places == places
    x = torch.rand(2, *space.shape).round()
    assert model.indices(x, given_of(2)).shape == (2, torch.tensor(places).prod())
    assert model.decode(model.encode(x, given_of(2)).mean, given_of(2)).mean.shape == x.shape


def test_a_place_of_a_picture_is_drawn_where_it_is() -> None:
    """Changing one index of a picture's grid changes the picture there, and nowhere far away."""
    space = Space((Field("p", Bounded(0, 1, 2)),), (32, 32))
    model = vqvae(space, encoder=Conv(2, blocks=0), decoder=Conv(2, blocks=0))
    k = torch.zeros(1, 64, dtype=torch.long)
    other = k.clone()
    other[0, 0] = 1  # the upper left
    shown = [
        model.decode(model.codebook.entries[i].flatten(1), given_of(1)).mean for i in (k, other)
    ]
    changed = (shown[0] != shown[1])[0, 0]
    assert changed[:4, :4].any()
    assert not changed[16:, :].any()
    assert not changed[:, 16:].any()


def halves(rows: int) -> tuple[Tensor, Tensor]:
    """Four numbers near 2, all of one sign, which is the label."""
    label = torch.arange(rows).remainder(2).unsqueeze(1).float()
    return (2 * label - 1) * 2 + 0.3 * torch.randn(rows, 4), label


def test_trained_it_draws_what_is_asked_for() -> None:
    space = Space((Field("v", Real(), 4),))
    values, label = halves(400)
    torch.manual_seed(1)
    dense = Dense(32, 1)
    model = VQVAE(space, LABEL, Codebook(8, 4), groups=2, encoder=dense, decoder=dense, prior=SMALL)
    feed = Feed(Memory(values, label), space, LABEL, 32, 0, torch.device("cpu"), null=0.1)
    loop = Loop(model, feed, Training(steps=150, batch=32, lr=1e-2, average=0))
    first = loop.advance()
    while not loop.done:
        last = loop.advance()
    assert last["codes_used"] > 2
    assert last["autoencoder"] < first["autoencoder"] - 1
    drawn = model.sample(given_of(200))
    right = (drawn > 0) == (given_of(200).c[:, 1:2] > 0)
    assert right.float().mean() > 0.95
    free = model.sample(Given.none(200, LABEL))
    assert 0.3 < (free.mean(1) > 0).float().mean() < 0.7
    assert ((free > 0).float().mean(1).sub(0.5).abs() > 0.4).float().mean() > 0.9  # of one sign
