"""The adversarial autoencoders against their losses written by hand, and what they are for."""

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.statistics import kernel
from twofold.models.aae import AAE
from twofold.models.ssaae import SSAAE
from twofold.nets.bodies import Dense
from twofold.nets.imposed import Ring, SwissRoll
from twofold.nets.inference import Inference, Point, Stochastic, Universal
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 2),))
LABEL = Space((Field("label", Category(("x", "y", "z")), missing=True),))
DENSE = Dense(16, 1)


def aae(**changes: object) -> AAE:
    torch.manual_seed(0)
    return AAE(SPACE, Space(), 2, DENSE, DENSE, DENSE, **changes)  # type: ignore[arg-type]


def ssaae(**changes: object) -> SSAAE:
    torch.manual_seed(0)
    return SSAAE(SPACE, LABEL, 2, DENSE, DENSE, DENSE, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("inference", [Point(), Stochastic(), Universal()])
def test_the_phases_are_those_of_the_paper(inference: Inference) -> None:
    model, x = aae(inference=inference, penalties=(), pressure=3.0), torch.randn(6, 2)
    none = Given.none(6, Space())
    torch.manual_seed(1)
    reconstruction, critic, regularisation = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    z_hat = model.encode(x, none).rsample()
    hand = -model.decode(z_hat, none).log_prob(x).mean()
    torch.testing.assert_close(reconstruction.losses["autoencoder"], hand)

    z_hat, z = model.encode(x, none).rsample(), torch.randn(6, 2)
    real, fake = (model.D(t, none.c).sigmoid() for t in (z, z_hat))
    torch.testing.assert_close(
        critic.losses["critic"], -real.log().mean() - (1 - fake).log().mean()
    )

    z_hat = model.encode(x, none).rsample()
    deceived = -model.D(z_hat, none.c).sigmoid().log().mean()
    torch.testing.assert_close(regularisation.losses["autoencoder"], 3 * deceived)


def test_a_universal_posterior_is_no_gaussian_and_draws_differ() -> None:
    model, x = aae(inference=Universal(4)), torch.randn(3, 2)
    q = model.encode(x, Given.none(3, Space()))
    assert not q.sample().equal(q.sample())
    assert q.mean.equal(q.mean)
    assert (q.sigma > 0).all()
    one = aae(inference=Point()).encode(x, Given.none(3, Space()))
    assert one.sample().equal(one.sample())


@pytest.mark.parametrize("prior", [Ring(4, 3.0, 0.7, 0.2), SwissRoll(1.0, 2.0, 0.05)])
def test_imposed_priors_are_what_they_say(prior: Ring | SwissRoll) -> None:
    z = prior(20000, 3, torch.zeros(())).sample()
    radius, angle = z[:, :2].norm(dim=1), torch.atan2(z[:, 1], z[:, 0])
    torch.testing.assert_close(z[:, 2].std(), torch.tensor(1.0), atol=0.03, rtol=0)
    if isinstance(prior, Ring):  # four arms, as many draws each; turned to the first
        arm = (angle / (torch.pi / 2)).round().long() % 4
        assert (arm.bincount(minlength=4) / 20000 - 0.25).abs().max() < 0.02
        first = z[arm == 0][:, :2]
        torch.testing.assert_close(first.mean(0), torch.tensor([3.0, 0.0]), atol=0.03, rtol=0)
        torch.testing.assert_close(first.std(0), torch.tensor([0.7, 0.2]), atol=0.03, rtol=0)
    else:  # one turn: the radius grows with the angle
        expected = 2.0 * (angle % (2 * torch.pi)) / (2 * torch.pi)
        middle = (radius > 0.5) & (radius < 1.8)
        assert (radius - expected)[middle].abs().max() < 0.3
    with pytest.raises(UserError, match=r"model\.latent is 1"):
        AAE(SPACE, Space(), 1, prior=prior)


def test_codes_come_to_follow_the_prior() -> None:
    """Data far from N(0, I): the kernel distance of their codes to it falls to a tenth."""
    values = torch.randn(400, 2) @ torch.tensor([[3.0, 0.0], [2.0, 1.0]]) + 4
    feed = Feed(Memory(values, values[:, :0]), SPACE, Space(), 64, 0, torch.device("cpu"))
    model = aae(inference=Point())
    z, none = torch.randn(400, 2), Given.none(400, Space())

    def away() -> float:
        return float(kernel(model.encode(values, none).mean.detach(), z))

    before = away()
    loop = Loop(model, feed, Training(steps=300, batch=64, lr=3e-3, betas=(0.5, 0.99)))
    while not loop.done:
        loop.advance()
    assert away() < before / 10


def test_the_semi_supervised_phases_are_those_of_the_paper() -> None:
    """§5, with the labels of two rows of four known."""
    model = ssaae(penalties=(), pressure=2.0, supervised=5.0)
    x = torch.randn(4, 2)
    given = Given(LABEL.encode(torch.tensor([[2.0], [torch.nan], [0.0], [torch.nan]])))
    none = x[:, :0]
    torch.manual_seed(1)
    turns = list(model.play(Batch.of(x, given), Progress()))
    torch.manual_seed(1)
    y_hat, z_hat = model.q_y(x, none).softmax(1), model.q_z(x, none).point
    hand = -model.p(torch.cat([y_hat, z_hat], 1), none).log_prob(x).mean()
    torch.testing.assert_close(turns[0].losses["autoencoder"], hand)

    y, z = model.any(given).first.sample(), torch.randn(4, 2)
    assert y.sum(1).equal(torch.ones(4))
    logits = (
        *(model.D_y(t, none) for t in (y, y_hat)),
        *(model.D_z(t, y_hat) for t in (z, z_hat)),  # which sees the label beside the style
    )
    D = [logit.sigmoid() for logit in logits]
    told = [(-D[i].log() - (1 - D[i + 1]).log()).mean() for i in (0, 2)]
    torch.testing.assert_close(turns[1].losses["critic"], sum(told))
    torch.testing.assert_close(
        turns[2].losses["autoencoder"], -2 * (D[1].log().mean() + D[3].log().mean())
    )
    entropy = -(y_hat[0, 2].log() + y_hat[2, 0].log()) / 4
    torch.testing.assert_close(turns[3].losses["autoencoder"], 5 * entropy)


def test_a_wanted_label_is_in_the_code() -> None:
    model = ssaae()
    values = torch.tensor([[1.0]] * 50 + [[torch.nan]] * 50)
    y = model.prior(Given(LABEL.encode(values))).sample()[:, :3]
    assert y[:50, 1].equal(torch.ones(50))
    assert (y[50:].sum(0) > 5).all()


def test_labels_are_learnt_from_a_few() -> None:
    """Three clusters, of 300 rows two a label known: the rest are told."""
    centres = torch.tensor([[3.0, 0.0], [-2.0, 2.0], [-2.0, -2.0]])
    truth = torch.arange(300) % 3
    values = centres[truth] + 0.4 * torch.randn(300, 2)
    known = torch.where(torch.arange(300) < 6, truth, torch.nan).unsqueeze(1)
    rows = Memory(values, known)
    feed = Feed(rows, SPACE, LABEL, 32, 0, torch.device("cpu"), labelled=0.25)
    model = ssaae()
    loop = Loop(model, feed, Training(steps=150, batch=32, lr=3e-3))
    while not loop.done:
        loop.advance()
    told = model.classify(values, Given.none(300, LABEL)).mode.argmax(1)
    assert (told == truth).double().mean() > 0.97
