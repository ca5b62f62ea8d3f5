"""What the studies of the VAE measure with: each check sees the fault that it is there for."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Field, Space
from twofold.maths import bounds
from twofold.maths.distributions import Normal
from twofold.models.vae import VAE
from twofold.nets.posteriors import Full
from twofold.studies import adam, attention_vae, iwae_order, linear_gaussian, mnist_nll, peer
from twofold.studies.beta_tradeoff import Discs, apart, gap, in_order
from twofold.studies.binary import Pictures, loop_of, mean_nll, measured, pictures, trained
from twofold.studies.linear_vae_ppca import standardised
from twofold.studies.study import BUDGETS, folder_of
from twofold.train.options import Training


def confused(log_w: Tensor, m: int) -> Tensor:
    """The mean over m bounds with M and K exchanged."""
    by_bound = log_w.unflatten(0, (m, -1))  # (M, K, B)
    return by_bound.logsumexp(0).mean(0) - torch.tensor(float(m)).log()


# linear-gaussian


def test_confused_axes_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    x = standardised("wine")[:5]
    truth = linear_gaussian.fitted(standardised("wine"), 0)
    assert max(linear_gaussian.formulas(x, truth).values()) < 1e-9
    monkeypatch.setattr(bounds, "averaged", confused)
    found = linear_gaussian.formulas(x, truth)
    assert found["miwae, M = 2, K = 3"] > 0.01
    assert found["piwae, M = 3, K = 2"] > 0.01
    assert found["iwae, K = 6"] < 1e-9


def test_a_posterior_that_is_off_is_seen() -> None:
    x = standardised("wine")[:5]
    truth = linear_gaussian.fitted(standardised("wine"), 0)
    assert max(linear_gaussian.exactness(x, truth).values()) < 1e-9
    wider = linear_gaussian.Truth(truth.W, truth.b, 1.01 * truth.sigma)
    vae = linear_gaussian.at_posterior(linear_gaussian.vae_of(truth, Full(), bounds.ELBO()), wider)
    draws = linear_gaussian.drawn(vae, x, 1)
    assert (draws.log_w - truth.log_likelihood(x)).abs().max() > 1e-3


def test_the_closed_forms_agree_with_each_other() -> None:
    """log p(x) = log p(x, z) − log p(z | x) at any z, and the least diagonal KL is reached."""
    x = standardised("wine")[:7]
    truth = linear_gaussian.fitted(standardised("wine"), 1)
    z = torch.randn(7, linear_gaussian.LATENT).double()
    noise = torch.distributions.Normal(z @ truth.W.T + truth.b, truth.sigma)
    joint = noise.log_prob(x).sum(1) + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    torch.testing.assert_close(
        joint - truth.posterior(x).log_prob(z), truth.log_likelihood(x), atol=1e-9, rtol=0
    )
    best = truth.precision.diagonal().rsqrt().log().expand(7, -1)
    q = Normal(truth.posterior(x).mu, best)
    least = linear_gaussian.from_truth(q, truth, x)
    torch.testing.assert_close(least.mean(), torch.tensor(truth.diagonal_gap).double())


# iwae-order


def test_the_formula_of_miwae_sees_confused_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures("digits")
    vae = VAE(data.space, Space(), 3)
    draws = iwae_order.log_weights(vae, data.validation[:4], 14)
    assert iwae_order.error(draws, 2, 7) < 1e-9
    monkeypatch.setattr(bounds, "averaged", confused)
    assert iwae_order.error(draws, 2, 7) > 0.01


# What is shared


@pytest.fixture
def grey() -> Tensor:
    return torch.rand(40, 1, 4, 4)


def small(grey: Tensor) -> VAE:
    torch.manual_seed(0)
    space = Pictures(grey, grey, grey).space
    return VAE(space, Space(), 2, mnist_nll.NETWORK, mnist_nll.NETWORK)


def test_a_long_run_goes_on_where_it_stopped(grey: Tensor, tmp_path: Path) -> None:
    whole = trained(loop_of(small(grey), grey, Training(6, 10)), tmp_path / "whole")
    stopped = loop_of(small(grey), grey, Training(6, 10))
    monkey = iter(range(4))
    advance = stopped.advance

    def until_killed() -> dict[str, Tensor]:
        if next(monkey, None) is None:
            raise KeyboardInterrupt
        return advance()

    stopped.advance = until_killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trained(stopped, tmp_path / "stopped", every=3)
    again = loop_of(small(grey), grey, Training(6, 10))
    resumed = trained(again, tmp_path / "stopped", every=3)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_paper_goes_on_with_old_runs_and_cpu_with_those_that_have_no_result(tmp_path: Path) -> None:
    def places() -> list[str]:
        return [folder_of(tmp_path, "adam", budget).name for budget in BUDGETS]

    for budget in BUDGETS:
        (tmp_path / f"adam.{budget}").mkdir()
    assert places() == ["adam.smoke-2", "adam.cpu", "adam.paper"]
    for budget in BUDGETS:
        (tmp_path / f"adam.{budget}.json").touch()
    assert places() == ["adam.smoke-2", "adam.cpu-2", "adam.paper"]


def test_pictures_are_tossed_anew_in_training_and_once_when_held_out() -> None:
    data = pictures("digits")
    assert set(data.test.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(data.test, pictures("digits").test)
    loop = loop_of(small(data.train), data.train, Training(2, 50))
    first = loop.feed(0, slice(0, 50)).x
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(first, loop.feed(0, slice(0, 50)).x)
    rows = loop.feed(0, slice(0, 50)).rows
    epoch = len(data.train)
    again = loop.feed.fetch(rows, epoch, slice(0, 50)).x
    assert not torch.equal(first, again)
    assert ((data.train[rows] == 0) <= (again == 0)).all()


def test_more_draws_lie_below_the_elbo(grey: Tensor) -> None:
    vae, x = small(grey), torch.bernoulli(grey)
    assert mean_nll(vae, x, 200) < -measured(vae, x).elbo
    assert mean_nll(vae, x, 200) == mean_nll(vae, x, 200)


# mnist-nll


class Theirs(nn.Module):
    """The networks of the peer's program, in plain PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({
            "layers": nn.Sequential(
                nn.Flatten(), nn.Linear(784, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh()
            ),
            "embedding": nn.Linear(200, 50),
            "log_var": nn.Linear(200, 50),
        })  # fmt: skip
        self.decoder = nn.ModuleDict({
            "layers": nn.Sequential(
                nn.Linear(50, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 784)
            )
        })  # fmt: skip


@torch.no_grad()
def test_the_peers_weights_are_the_same_function_in_ours() -> None:
    theirs = Theirs()
    space = Space((Field("pixel", Bounded(0, 1, 2)),), (28, 28))
    ours = mnist_nll.same_function(theirs.state_dict(), space)
    x, z = torch.bernoulli(torch.rand(5, 1, 28, 28)), torch.randn(5, 50)
    h, nothing = theirs.encoder["layers"](x), Given.none(5, Space())
    q = ours.encode(x, nothing)
    torch.testing.assert_close(q.mean, theirs.encoder["embedding"](h), atol=1e-5, rtol=1e-4)
    sigma = (theirs.encoder["log_var"](h) / 2).exp()
    torch.testing.assert_close(q.sigma, sigma, atol=1e-5, rtol=1e-4)
    p = ours.decode(z, nothing).mean.flatten(1)
    torch.testing.assert_close(p, theirs.decoder["layers"](z).sigmoid(), atol=1e-5, rtol=1e-4)


def test_a_network_starts_from_the_mean_picture() -> None:
    grey = torch.rand(30, 1, 28, 28) * torch.rand(28, 28)
    vae = mnist_nll.started(Pictures(grey, grey, grey), bounds.ELBO())
    with torch.no_grad():
        found = vae.decode(torch.zeros(1, 50), Given.none(1, Space())).mean
    torch.testing.assert_close(found[0], grey.mean(0), atol=0.05, rtol=0)


def test_the_paper_budget_sets_bars_and_goes_on_with_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = torch.rand(30, 1, 28, 28)
    binary = torch.bernoulli(grey[:3])
    monkeypatch.setattr(mnist_nll, "pictures", lambda *_, **__: Pictures(grey, binary, binary))
    monkeypatch.setattr(mnist_nll, "PAPER_STEPS", {1: 2, 5: 2, 50: 1})
    monkeypatch.setattr(mnist_nll, "PAPER_SAMPLES", 10)
    out = tmp_path / "mnist-nll.paper"
    rows = mnist_nll.MnistNll().rows("paper", 1, out)
    assert [row.target for row in rows] == [87.26, 86.04, 85.28]
    assert not any(row.holds for row in rows)  # two steps on noise reach nothing
    monkeypatch.setattr(VAE, "play", None)  # nothing is trained again
    again = mnist_nll.MnistNll().rows("paper", 1, out)
    assert [row.ours for row in again] == [row.ours for row in rows]


ECHO = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "end":
        break
    print(json.dumps(request["what"] + 1), flush=True)
"""


def test_a_peer_answers_and_its_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    program = tmp_path / "peer.py"
    program.write_text(ECHO, "utf-8")
    monkeypatch.setattr(peer, "PROGRAM", program)
    monkeypatch.setenv("TWOFOLD_PEER_PYTHON", sys.executable)
    (python,) = peer.interpreters()
    with peer.Peer(python, 1) as other:
        assert other.ask("add", what=41) == 42
        with pytest.raises(UserError, match="the peer ended with 0 at 'end'"):
            other.ask("end")
    monkeypatch.delenv("TWOFOLD_PEER_PYTHON")
    assert peer.interpreters() == []


# beta-tradeoff


def test_the_gap_is_one_for_factors_and_less_for_their_mixture() -> None:
    factors = Discs.made().factors
    turn = torch.linalg.qr(torch.randn(3, 3)).Q
    assert gap(factors.float(), factors) == pytest.approx(1, abs=0.05)
    assert gap(factors.float() @ turn, factors) < 0.6


def test_curves_out_of_order_are_seen() -> None:
    rising, dented = [1.0, 2, 3, 4, 5, 6, 7, 8], [1.0, 2, 4, 3, 5, 6, 7, 8]
    assert in_order("", [rising, rising]).holds
    assert not in_order("", [rising, dented]).holds
    assert apart("", [rising, rising]).holds
    assert not apart("", [rising, dented]).holds


# adam


def test_momentum_and_adagrad_are_those_of_the_page() -> None:
    gradients = torch.randn(4, 3)
    for name, expected in (("momentum", nesterov), ("adagrad", adagrad)):
        parameter = nn.Parameter(torch.ones(3))
        step = adam.OPTIMISERS[name]([parameter])
        for g in gradients:
            parameter.grad = g.clone()
            step(0.1)
        torch.testing.assert_close(parameter.detach(), expected(gradients))


def nesterov(gradients: Tensor) -> Tensor:
    theta, v = torch.ones(3), torch.zeros(3)
    for g in gradients:
        v = 0.9 * v + g
        theta = theta - 0.1 * (g + 0.9 * v)
    return theta


def adagrad(gradients: Tensor) -> Tensor:
    theta, s = torch.ones(3), torch.zeros(3)
    for g in gradients:
        s = s + g.square()
        theta = theta - 0.1 * g / (s.sqrt() + 1e-10)
    return theta


# attention-vae


def test_a_pair_is_one_glyph_twice() -> None:
    x = attention_vae.paired(50, 0).squeeze(1)
    left, right = x[:, :, :8], x[:, :, 8:]
    assert torch.equal(left.sum((1, 2)), right.sum((1, 2)))
    for a, b in zip(left, right, strict=True):
        assert torch.equal(trimmed(a), trimmed(b))
    assert not torch.equal(left, right)


def trimmed(x: Tensor) -> Tensor:
    """A picture without its empty edges."""
    rows, columns = x.sum(1).nonzero().flatten(), x.sum(0).nonzero().flatten()
    if not len(rows):
        return x[:0]
    return x[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize(("scale", "within"), [(1, 0.01), (3, 0.03)])
def test_the_arms_have_as_many_parameters(scale: int, within: float) -> None:
    space = Pictures(*(torch.zeros(1, 1, 16, 16) for _ in range(3))).space
    sizes = [
        attention_vae.size(attention_vae.vae_of(space, arm, scale)) for arm in attention_vae.ARMS
    ]
    assert abs(sizes[0] / sizes[1] - 1) < within
