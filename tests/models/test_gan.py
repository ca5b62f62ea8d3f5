"""The GAN against its algorithm written by hand."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.adversarial import NonSaturating, Objective, Relativistic, Wasserstein
from twofold.maths.augmentations import Adaptive, DiffAugment, Jitter
from twofold.maths.penalties import R1, R2, Penalty
from twofold.maths.varying import Linear
from twofold.models.gan import GAN
from twofold.nets.bodies import Dense
from twofold.nets.company import Deviation, Discrimination
from twofold.nets.weights import Unrolling
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Player, Training

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))


def gan(objective: Objective, penalties: tuple[Penalty, ...] = (), turns: int = 1) -> GAN:
    torch.manual_seed(0)
    dense = Dense(8, 1)
    return GAN(SPACE, Space(), 2, dense, dense, 4, objective, penalties, critic_turns=turns)


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to begin a fixed sequence of noise again."""
    table = torch.randn(40, 5, 2, generator=torch.Generator().manual_seed(2))
    state: dict[str, Iterator[Tensor]] = {}

    def begin() -> None:
        state["next"] = iter(table)

    monkeypatch.setattr(torch, "randn_like", lambda t: next(state["next"])[: len(t)].clone())
    begin()
    return begin


def critic_loss(model: GAN, x: Tensor, fake: Tensor, gamma: float) -> Tensor:
    """Goodfellow's critic with R1, from the paper."""
    c = x[:, :0]
    x = x.clone().requires_grad_()
    real_logit, fake_logit = model.critic(x, c), model.critic(fake, c)
    loss = -(real_logit.sigmoid().log().mean() + (1 - fake_logit.sigmoid()).log().mean())
    (slope,) = torch.autograd.grad(real_logit.sum(), x, create_graph=True)
    return loss + gamma / 2 * slope.square().sum(1).mean()


def test_two_critic_turns_are_a_hand_written_loop(noise: Callable[[], None]) -> None:
    """A stale critic gradient would pass with one turn, and not with two."""
    values = torch.randn(7, 3)
    ours, hand = (gan(NonSaturating(), (R1(gamma=0.3),), turns=2) for _ in range(2))
    feed = Feed(Memory(values, values[:, :0]), SPACE, Space(), 5, 1, torch.device("cpu"))
    loop = Loop(ours, feed, Training(steps=3, batch=5, lr=0.02))
    for _ in range(3):
        loop.advance()
    noise()
    adam = {
        name: torch.optim.Adam([p for m in modules for p in m.parameters()], 0.02, (0.9, 0.99))
        for name, modules in hand.players().items()
    }

    def draw() -> Tensor:
        return hand.generator.body(torch.randn_like(torch.zeros(5, 2)), torch.zeros(5, 0))

    for step in range(3):
        x = values[feed.rows(5 * step)]
        for _ in range(2):
            adam["critic"].zero_grad()
            critic_loss(hand, x, draw().detach(), 0.3).backward()
            adam["critic"].step()
        adam["generator"].zero_grad()
        (-hand.critic(draw(), x[:, :0]).sigmoid().log().mean()).backward()
        adam["generator"].step()
    for (name, p), q in zip(ours.named_parameters(), hand.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-8, atol=1e-10, msg=name)


def test_the_critic_does_not_teach_the_generator_in_its_turn() -> None:
    model = gan(Relativistic(), (R1(),))
    turn = next(model.play(Batch.of(torch.randn(4, 3)), Progress()))
    own = list(model.generator.parameters())
    assert all(
        g is None for g in torch.autograd.grad(turn.losses["critic"], own, allow_unused=True)
    )


@pytest.mark.parametrize(("objective", "forwards"), [(Relativistic(), 2), (NonSaturating(), 1)])
def test_a_generator_asks_for_real_logits_only_when_it_needs_them(
    objective: Objective, forwards: int
) -> None:
    model = gan(objective)
    game = model.play(Batch.of(torch.randn(4, 3)), Progress())
    next(game)
    seen: list[nn.Module] = []
    model.critic.body.register_forward_hook(lambda module, _in, _out: seen.append(module))
    next(game)
    assert len(seen) == forwards


def test_critic_turns_advance_a_spectral_norm_once_each() -> None:
    model = GAN(SPACE, Space(), 2, Dense(8, 1), Dense(8, 1), 4, critic_turns=2, spectral=True)
    list(model.play(Batch.of(torch.randn(4, 3)), Progress(3, 10, 0)))
    turns = [b.item() for k, b in model.named_buffers() if k.endswith("turn")]
    assert turns
    assert set(turns) == {7}


# Switches.

LABEL = Space((Field("label", Category(("x", "y")), missing=True),))
START = Progress()


def switched(given: Space = LABEL, **switches: object) -> GAN:
    torch.manual_seed(0)
    dense = Dense(8, 1)
    return GAN(SPACE, given, 2, dense, dense, 4, **switches)  # type: ignore[arg-type]


def shown(rows: int = 8) -> Batch:
    torch.manual_seed(7)
    labels = torch.arange(rows).remainder(2).double().unsqueeze(1)
    return Batch.of(torch.randn(rows, 3), Given(LABEL.encode(labels)))


def costs(model: GAN, batch: Batch, progress: Progress = START) -> dict[str, Tensor]:
    """The losses and notes of one game, with the same chance each time."""
    torch.manual_seed(3)
    turns = list(model.play(batch, progress))
    return {k: v.detach() for turn in turns for k, v in (turn.losses | turn.notes).items()}


@pytest.mark.parametrize(
    "switches",
    [
        {"pac": 1},
        {"unrolled": Unrolling(0, rate=9.0)},
        {"top_k": 1.0},
        {"instance_noise": 0.0},
        {"instance_noise": Linear(0.5, 0.0, steps=1)},  # which has come to its end
        {"augment": DiffAugment(policy=(Jitter(0.0),))},
        {"weight_clip": 1e9},
    ],
    ids=lambda switches: next(iter(switches)),
)
def test_a_switch_that_is_off_is_the_plain_game(switches: dict[str, object]) -> None:
    """To the last bit, with the same chance."""
    plain, other = switched(), switched(**switches)
    if "augment" not in switches:  # a jitter of nothing draws all the same
        now = Progress(step=1)
        assert costs(other, shown(), now) == costs(plain, shown(), now)
    assert {k: v.shape for k, v in plain.state_dict().items()} == {
        k: v.shape for k, v in other.state_dict().items()
    }


def test_adaptive_augmentation_starts_as_the_plain_game() -> None:
    plain, other = (switched(penalties=(), **s) for s in ({}, {"augment": Adaptive()}))
    x, c = shown().x, shown().given.c
    assert other.augmenter(x).equal(x)
    assert other.critic(other.augmenter(x), c).equal(plain.critic(x, c))


def test_p_follows_the_critic_through_the_game() -> None:
    model = switched(augment=Adaptive(span=0.08, most=1.0), objective=NonSaturating())
    ps = [costs(model, shown(), Progress(step, 50, 8 * step))["augmented"] for step in range(40)]
    assert ps[0] == 0
    assert all(0 <= p <= 1 for p in ps)
    assert biased(model, 50.0) == pytest.approx(min(float(ps[-1]) + 0.2, 1), abs=0.11)


def test_a_bias_says_nothing_where_the_objective_is_relative() -> None:
    plain, sure = (switched(augment=Adaptive(span=0.08, most=1.0)) for _ in range(2))
    assert biased(plain, 0.0) == biased(sure, 50.0) < 1


def biased(model: GAN, by: float) -> float:
    """p after two games of a critic that finds everything so much more real."""
    torch.nn.init.constant_(model.critic.read.bias, by)
    for step in (40, 41):
        costs(model, shown(), Progress(step, 50, 8 * step))
    return float(model.augmenter.p)  # type: ignore[arg-type]


def test_real_and_drawn_go_through_the_same_augmentation_and_gradients_come_back() -> None:
    model = switched(augment=DiffAugment(policy=(Jitter(0.1),)), objective=NonSaturating())
    seen: list[Tensor] = []
    forward = model.augmenter.forward
    model.augmenter.forward = lambda x: seen.append(x) or forward(x)  # type: ignore
    turns = model.play(shown(), Progress())
    next(turns)
    assert [len(x) for x in seen] == [8, 8]
    assert seen[0].equal(shown().x)
    generators = next(turns).losses["generator"]
    own = list(model.generator.body.parameters())
    slopes = torch.autograd.grad(generators, own, allow_unused=True)
    assert any(s is not None and s.any() for s in slopes)


def test_r1_is_the_slope_at_what_is_real_before_it_is_augmented() -> None:
    """A critic that is shown 3x is three times as steep in x as in what it is shown."""

    class Tripled(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 3 * x

        def observe(self, real_logits: Tensor) -> None:
            pass

        def advance(self, progress: Progress) -> dict[str, Tensor]:
            return {}

    model = switched(penalties=(R1(gamma=2.0),))
    model.augmenter = Tripled()
    x = shown().x
    at = (3 * x).requires_grad_()
    (slope,) = torch.autograd.grad(model.critic(at, shown().given.c).sum(), at)
    expected = 9 * slope.square().sum(1).mean()
    torch.testing.assert_close(costs(model, shown())["steepness"], expected)


def test_packs_are_told_apart_as_one() -> None:
    """Rows, conditions and R1 of a packed game, against the critic called by hand."""
    model = switched(pac=2, penalties=(R1(gamma=2.0), R2(gamma=0.0)), objective=Wasserstein())
    torch.nn.init.normal_(model.critic.condition.weight)
    batch = shown()
    found = costs(model, batch)
    packs = batch.x.reshape(4, 6).requires_grad_()
    c = batch.given.c.reshape(4, -1)
    phi = torch.nn.functional.leaky_relu(model.critic.body(packs, c[:, :0]), 0.2)
    logits = model.critic.read(phi).squeeze(1) + (phi * model.critic.condition(c)).sum(1)
    torch.testing.assert_close(found["real"], logits.mean().detach())
    (slope,) = torch.autograd.grad(logits.sum(), packs)
    torch.testing.assert_close(found["steepness"], slope.square().sum(1).mean())
    assert model.judge(batch.x, batch.given).shape == (8,)


def test_a_pack_that_does_not_come_out_even_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of 3"):
        costs(switched(pac=3), shown())


def test_feature_matching_is_the_gap_of_the_mean_features() -> None:
    model = switched(matching=0.5, objective=NonSaturating(), penalties=())
    plain = switched(objective=NonSaturating(), penalties=())
    found, without = costs(model, shown()), costs(plain, shown())
    torch.testing.assert_close(found["generator"] - found["unmatched"], without["generator"])
    batch, c = shown(), shown().given.c
    turns = model.play(batch, Progress())
    next(turns)
    torch.manual_seed(3)
    unmatched = next(turns).notes["unmatched"]
    torch.manual_seed(3)
    fake = model.critic.look(model.draw(batch.given), c).phi.mean(0)
    real = model.critic.look(batch.x, c).phi.mean(0)
    torch.testing.assert_close(unmatched, 0.5 * (real - fake).square().sum().detach())


def test_an_auxiliary_classifier_takes_the_place_of_the_projection() -> None:
    model = switched(auxiliary=2.0, objective=NonSaturating(), penalties=())
    assert model.critic.condition.weight.numel() == 0
    found, batch = costs(model, shown()), shown()
    torch.manual_seed(3)
    drawn = model.draw(batch.given)
    looks = [model.critic.look(x, batch.given.c) for x in (batch.x, drawn)]
    said = [model.classifiers[0].log_prob(look.phi, batch.given.c).mean() for look in looks]
    torch.testing.assert_close(found["confused"], -2 * (said[0] + said[1]).detach())
    torch.testing.assert_close(found["mistaken"], found["mistaken"].clamp(min=0))
    logits = [look.logits for look in looks]
    by_hand = NonSaturating().critic(*logits).detach() + found["confused"]
    torch.testing.assert_close(found["critic"], by_hand)


def test_the_generator_sees_the_critic_that_it_would_meet() -> None:
    """K = 1 by hand: the critic's own step on the same draws, and the loss there."""
    model = switched(unrolled=Unrolling(1, rate=0.3), objective=NonSaturating(), penalties=())
    batch, c = shown(), shown().given.c
    turns = model.play(batch, Progress())
    next(turns)
    torch.manual_seed(3)
    found = next(turns).losses["generator"]
    torch.manual_seed(3)
    drawn = model.draw(batch.given)
    twin = switched(objective=NonSaturating())
    sgd = torch.optim.SGD(twin.critic.parameters(), 0.3)
    fake, real = twin.critic(drawn.detach(), c), twin.critic(batch.x, c)
    NonSaturating().critic(real, fake).backward()
    sgd.step()
    torch.testing.assert_close(found, NonSaturating().generator(real, twin.critic(drawn, c)))
    own = list(model.generator.parameters())
    plain = torch.autograd.grad(
        NonSaturating().generator(real.detach(), twin.critic(drawn, c)), own, allow_unused=True
    )
    ahead = torch.autograd.grad(found, own, allow_unused=True)
    assert not all(torch.allclose(a, b) for a, b in zip(ahead, plain, strict=True) if b is not None)


def test_weights_are_clipped_after_each_step_of_the_critic() -> None:
    values = torch.randn(7, 3)
    model = switched(Space(), weight_clip=0.05, critic_turns=2, penalties=())
    feed = Feed(Memory(values, values[:, :0]), SPACE, Space(), 5, 1, torch.device("cpu"))
    loop = Loop(model, feed, Training(steps=2, batch=5, lr=0.5))
    while not loop.done:
        loop.advance()
        largest = max(p.abs().max().item() for p in model.critic.parameters() if p.numel())
        assert largest == pytest.approx(0.05)
    assert max(p.abs().max().item() for p in model.generator.parameters() if p.numel()) > 0.05


def test_players_pay_for_leaving_their_past() -> None:
    model = switched(historical=0.5)
    assert costs(model, shown(), Progress(step=0))["critic_past"] == 0
    with torch.no_grad():
        for p in model.critic.parameters():
            p.add_(0.1)
    count = sum(p.numel() for p in model.critic.parameters())
    found = costs(model, shown(), Progress(step=1))  # the mean lies halfway
    assert found["critic_past"].item() == pytest.approx(0.5 * count * 0.05**2)
    assert found["generator_past"] == 0


def test_overlap_of_the_generators_filters_is_paid_for() -> None:
    model = switched(orthogonal=1.0)
    found, plain = costs(model, shown()), costs(switched(), shown())
    torch.testing.assert_close(found["generator"] - found["overlap"], plain["generator"])
    assert found["overlap"] > 0


@pytest.mark.parametrize("company", [Deviation(), Discrimination(4, 3)])
def test_a_critic_with_company_sees_that_draws_are_alike(company: object) -> None:
    """Rows that are each like a real one, and all the same: only company tells."""
    alone, together = switched(), switched(company=company)
    x, c = shown().x, shown().given.c
    same, labels = x[:1].expand(8, 3), c[:1].expand(8, -1)
    assert torch.allclose(alone.critic(x, labels)[0], alone.critic(same, labels)[0])
    assert not torch.allclose(together.critic(x, labels)[0], together.critic(same, labels)[0])


@pytest.mark.parametrize(
    ("given", "switches", "reason"),
    [
        (Space(), {"auxiliary": 1.0}, "nothing is given"),
        (LABEL, {"auxiliary": 1.0, "pac": 2}, "no one condition"),
        (LABEL, {"weight_clip": 0.1, "spectral": True}, "not bounded by clipping"),
    ],
)
def test_switches_that_make_no_sense_together_are_refused(
    given: Space, switches: dict[str, object], reason: str
) -> None:
    with pytest.raises(UserError, match=reason):
        switched(given, **switches)


def test_each_player_has_a_rate_and_moments_of_its_own() -> None:
    """Two time-scales: the rates of a recipe reach the optimisers."""
    values = torch.randn(7, 3)
    feed = Feed(Memory(values, values[:, :0]), SPACE, Space(), 5, 1, torch.device("cpu"))
    players = {"critic": Player(lr=4.0, betas=(0.0, 0.9))}
    loop = Loop(switched(Space()), feed, Training(batch=5, lr=1e-4, players=players))
    critic, generator = (loop.players[name].optimiser for name in ("critic", "generator"))
    assert (critic.rate, critic.betas) == (pytest.approx(4e-4), (0.0, 0.9))
    assert (generator.rate, generator.betas) == (pytest.approx(1e-4), (0.9, 0.99))
