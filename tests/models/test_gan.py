"""The GAN against its algorithm written by hand."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from twofold.core.batch import Batch
from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.adversarial import NonSaturating, Objective, Relativistic
from twofold.maths.penalties import R1, Penalty
from twofold.models.gan import GAN
from twofold.nets.bodies import Dense
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

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
    model.critic.register_forward_hook(lambda module, _in, _out: seen.append(module))
    next(game)
    assert len(seen) == forwards


def test_critic_turns_advance_a_spectral_norm_once_each() -> None:
    model = GAN(SPACE, Space(), 2, Dense(8, 1), Dense(8, 1), 4, critic_turns=2, spectral=True)
    list(model.play(Batch.of(torch.randn(4, 3)), Progress(3, 10, 0)))
    turns = [b.item() for k, b in model.named_buffers() if k.endswith("turn")]
    assert turns
    assert set(turns) == {7}
