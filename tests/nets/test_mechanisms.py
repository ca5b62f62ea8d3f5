"""How values go missing: laws of p(s | x), and that a VAE with the right one is not misled."""

import math

import pytest
import scipy.stats
import torch
import torch.nn.functional as F

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.core.space import Bounded, Category, Count, Field, Real, Space
from twofold.maths.bounds import IWAE
from twofold.maths.likelihoods import Gaussian
from twofold.maths.missing import Incomplete, absent, channels_of, completer
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.mechanisms import (
    Agnostic,
    ByCode,
    Hiding,
    Ignorable,
    Mechanism,
    SelfMasking,
)

NAN = math.nan
ROW = Space((
    Field("a", Real(), 2, missing=True), Field("kind", Category(("u", "v", "w")), missing=True),
    Field("b", Real()), Field("c", Count(), missing=True), Field("d", Bounded(), missing=True),
))  # fmt: skip
VALUES = torch.tensor([[1.0, NAN, 2.0, 0.3, 4.0, NAN], [NAN, 0.5, NAN, -1.0, NAN, 0.25]])
MASKED = (SelfMasking(), SelfMasking("high"), SelfMasking("low"), Agnostic(), Agnostic(8, 2))


def stirred(part: Mechanism, space: Space) -> Hiding:
    """What a part builds, its weights at random."""
    torch.manual_seed(0)
    net = part.build(space)
    assert isinstance(net, Hiding)
    for parameter in net.parameters():
        parameter.data.normal_()
    return net


def test_what_is_absent_is_told_by_presence_channels() -> None:
    gone = absent(ROW, ROW.encode(VALUES))
    assert gone.equal(VALUES.isnan())
    chosen = channels_of(ROW, gone)
    assert chosen.shape == (2, ROW.width)
    assert not ROW.encode(VALUES)[chosen].any()


@pytest.mark.parametrize("part", MASKED, ids=str)
def test_a_mask_has_probabilities_that_sum_to_one(part: Mechanism) -> None:
    """Over all masks of the values that may be missing; the others never go."""
    space = Space((Field("a", Real(), 2, missing=True), Field("b", Real())))
    net = stirred(part, space)
    x = torch.tensor([[0.4, -1.0, 1.0, 1.0, 0.7]])
    masks = torch.cartesian_prod(*[torch.tensor([False, True])] * 2)
    every = torch.cat([masks, torch.zeros(4, 1, dtype=torch.bool)], 1)
    log_p = net.log_prob(x.expand(4, -1), every)
    assert log_p.exp().sum().item() == pytest.approx(1.0)
    torch.manual_seed(0)
    hidden = absent(space, net.hide(x.expand(20_000, -1)))
    for mask, p in zip(every, log_p.exp(), strict=True):
        share = (hidden == mask).all(1).double().mean().item()
        assert share == pytest.approx(p.item(), abs=0.02)


@pytest.mark.parametrize(("direction", "sign"), [("high", 1), ("low", -1)])
def test_a_direction_holds_whatever_is_learnt(direction: str, sign: int) -> None:
    net = stirred(SelfMasking(direction), ROW)  # type: ignore[arg-type]
    x = ROW.encode(VALUES.nan_to_num(0.5)).requires_grad_()
    net.logits(x)[:, [0, 1, 4, 5]].sum().backward()
    assert x.grad is not None
    assert (x.grad[:, [0, 1, 9, 11]] * sign > 0).all()


def test_each_value_is_judged_by_itself_alone_and_by_all_if_it_is_agnostic() -> None:
    x = ROW.encode(VALUES.nan_to_num(0.5))
    for part, alone in ((SelfMasking(), True), (Agnostic(), False)):
        net = stirred(part, ROW)
        moved = x.clone()
        moved[:, 0] += 1.0
        changed = (net.logits(moved) != net.logits(x)).any(0)
        assert changed.tolist() == [True] + [not alone] * 5


def test_what_says_nothing_costs_nothing_and_hides_nothing() -> None:
    x = ROW.encode(VALUES)
    for part in (ByCode(), Ignorable()):
        net = part.build(ROW)
        assert not net.speaks
        assert net(None, x).tolist() == net.log_prob(x, absent(ROW, x)).tolist() == [0, 0]
        assert net.hide(x).equal(x)
    assert not SelfMasking().build(Space((Field("v", Real()),))).speaks


@pytest.mark.parametrize("part", [Ignorable(), SelfMasking()])
def test_presence_is_left_out_where_the_code_does_not_decode_it(part: Mechanism) -> None:
    """log p(x | z) is of what is there, and the mechanism's own draws have the gaps."""
    vae = VAE(ROW, Space(), 2, Dense(8, 1), Dense(8, 1), missing=part)
    x, given = ROW.encode(VALUES), Given.none(2, Space())
    p = vae.decode(torch.zeros(2, 2), given)
    torch.testing.assert_close(p.log_prob(x), p.log_prob_of(x, ~VALUES.isnan()))
    drawn = ROW.decode(vae.sample(Given.none(500, Space()))).isnan()
    assert drawn.any() == (part == SelfMasking())
    assert not drawn[:, 3].any()


def test_the_bound_is_that_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """log w_k = log p(x_o | z) + log p(s | x_o, x_m) + log p(z) − log q(z | x_o), by hand."""
    space = Space((Field("a", Real(), missing=True), Field("b", Real())))
    options = {"likelihood": (Gaussian("fixed", 0.5),), "bound": IWAE(3)}
    vae = VAE(space, Space(), 1, Dense(4, 1), Dense(4, 1), missing=SelfMasking("high"), **options)  # type: ignore[arg-type]
    x = space.encode(torch.tensor([[NAN, 0.4], [1.0, -0.2]]))
    torch.manual_seed(3)
    (turn,) = vae.play(Batch.of(x), Progress())
    torch.manual_seed(3)
    q = vae.encode(x, Given.none(2, Space())).repeat(3)
    z = q.rsample()
    p = vae.decode(z, Given.none(6, Space()))
    mean = p.mean[:, [0, 2]]
    x_m = mean[:, 0] + 0.5 * torch.randn_like(mean[:, 0:1])[:, 0]
    a = torch.where(torch.tensor([True] * 3 + [False] * 3), x_m, torch.tensor(1.0))
    (net,) = [part for part in vae.modules() if isinstance(part, Hiding)]
    logit = F.softplus(net.w[0]) * a + net.b[0]  # type: ignore[union-attr, index]
    gone = torch.tensor([1.0] * 3 + [0.0] * 3)
    log_s = torch.where(gone > 0, F.logsigmoid(logit), F.logsigmoid(-logit))
    shown = torch.tensor([0.4] * 3 + [-0.2] * 3)
    log_x = torch.distributions.Normal(mean[:, 1], 0.5).log_prob(shown)
    log_a = torch.distributions.Normal(mean[:, 0], 0.5).log_prob(torch.tensor(1.0))
    log_x = log_x + log_a * (1 - gone)
    log_w = log_x + log_s + torch.distributions.Normal(0.0, 1.0).log_prob(z[:, 0]) - q.log_prob(z)
    bound = log_w.unflatten(0, (2, 3)).logsumexp(1) - math.log(3)
    torch.testing.assert_close(turn.losses["autoencoder"], -bound.mean())


@pytest.mark.usefixtures("float64")
def test_what_was_censored_is_filled_from_the_truncated_law() -> None:
    """x ~ N(0, 1) whatever the code, gone above 0.5: the mean of what is gone is known.

    Left out, the mechanism leaves the mean of all of them, 0; and what was hidden on purpose did
    not go by it, so that it lies below.
    """
    space = Space((Field("a", Real(), missing=True),))
    linear = Dense(depth=0)
    options = {"likelihood": (Gaussian("fixed", 1.0),), "missing": SelfMasking("high")}
    vae = VAE(space, Space(), 1, linear, linear, **options)  # type: ignore[arg-type]
    for parameter in vae.parameters():
        parameter.data.zero_()
    (net,) = [part for part in vae.modules() if isinstance(part, Hiding)]
    net.w[0].data.fill_(60.0)  # type: ignore[union-attr, index]
    net.b.data.fill_(-30.0)  # type: ignore[union-attr, operator]
    gap, z = torch.tensor([[NAN]], dtype=torch.float64), 0.5
    above = scipy.stats.norm.pdf(z) / scipy.stats.norm.sf(z)
    below = -scipy.stats.norm.pdf(z) / scipy.stats.norm.cdf(z)
    for kept, truth in ((False, above), (True, below)):
        torch.manual_seed(0)
        with torch.no_grad():
            rows = Incomplete.of(space, gap, torch.tensor([[kept]]))
            found = completer(vae, 20_000, 0)(rows, Given.none(1, Space()))
        assert found.mean[0, 0].item() == pytest.approx(truth, abs=0.03)
        assert found.draws().shape == (20_000, 1, 2)
