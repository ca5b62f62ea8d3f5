"""InfoGAN against its bound written by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space
from twofold.maths.augmentations import Scaling
from twofold.maths.varying import Linear
from twofold.models.infogan import InfoGAN
from twofold.nets.bodies import Dense

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))


class Spy(torch.nn.Module):
    """Keeps what it is shown."""

    def __init__(self, seen: list[torch.Tensor]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        self.seen.append(z)
        return z[:, :3]


def none() -> Given:
    return Given.none(6, Space())


def infogan(**changes: object) -> InfoGAN:
    torch.manual_seed(0)
    return InfoGAN(
        SPACE, Space(), 3, (4, 2), 2, Dense(8, 1), Dense(8, 1), 5, penalties=(), **changes
    )  # type: ignore[arg-type]


def test_a_code_is_one_label_a_category_and_numbers_between_minus_one_and_one() -> None:
    z = infogan().prior(Given.none(500, Space())).sample()
    code = z[:, 3:]
    assert code.shape == (500, 8)
    assert (code[:, :4].sum(1) == 1).all()
    assert (code[:, 4:6].sum(1) == 1).all()
    assert (code[:, 6:].abs() <= 1).all()
    assert (code[:, :6].mean(0) > 0.15).all()
    assert code[:, 6:].std() == pytest.approx(1 / math.sqrt(3), rel=0.1)


def test_both_players_pay_for_a_code_that_cannot_be_read() -> None:
    """−λ E log Q(c | x̂), with a Gaussian Q of numbers, beside the adversarial losses."""
    model, x = infogan(weight=2.0, number_weight=0.5), torch.randn(6, 3)
    torch.manual_seed(1)
    critic, generator = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    z = model.prior(none()).sample()
    look = model.look(model.decode(z, none()).rsample(), none())
    raw, real = model.readers.read(look.phi), model.look(x, none())
    first = F.cross_entropy(raw[:, :4], z[:, 3:7].argmax(1))
    second = F.cross_entropy(raw[:, 4:6], z[:, 7:9].argmax(1))
    numbers = -torch.distributions.Normal(raw[:, 6:], 1.0).log_prob(z[:, 9:]).sum(1).mean()
    unread = 2 * (first + second) + 0.5 * numbers
    objective = model.objective
    torch.testing.assert_close(
        critic.losses["critic"], objective.critic(real.logits, look.logits) + unread
    )
    torch.testing.assert_close(
        generator.losses["generator"], objective.generator(real.logits, look.logits) + unread
    )
    torch.testing.assert_close(critic.notes["information_category0"], math.log(4) - first.detach())


def test_a_reader_that_knows_the_code_has_all_its_information() -> None:
    """L_I of a category is its entropy where Q is sure and right."""
    model = infogan()
    z = model.prior(none()).sample()
    model.readers.read = torch.nn.Identity()  # φ is then what Q says
    sure = torch.cat([80 * (z[:, 3:9] - 0.5), z[:, 9:]], 1)
    x = torch.randn(6, 3)
    look = model.look(x, none())
    said = model.information(model.unread(x, type(look)(sure, look.logits), z, none()))
    assert float(said["information_category0"]) == pytest.approx(math.log(4), abs=1e-9)
    assert float(said["information_category1"]) == pytest.approx(math.log(2), abs=1e-9)


def test_categories_are_read_off_what_is_changed_and_numbers_off_what_is_drawn() -> None:
    """With values that are scaled, Q must say of a category what it says of the scaled ones."""
    model = infogan(changes=(Scaling(0.5),))
    x, z = torch.randn(6, 3), model.prior(none()).sample()
    at = model.look(x, none())
    torch.manual_seed(2)
    found = model.unread(x, at, z, none())
    torch.manual_seed(2)
    raw = model.readers.read(model.look(model.changes(x), none()).phi)
    first = F.cross_entropy(raw[:, :4], z[:, 3:7].argmax(1))
    torch.testing.assert_close(found["category0"], first)
    plain = model.readers.read(at.phi)
    numbers = -torch.distributions.Normal(plain[:, 6:], 1.0).log_prob(z[:, 9:]).sum(1).mean()
    torch.testing.assert_close(found["numbers"], numbers)
    assert (raw - plain).abs().max() > 1e-3


def test_agreement_is_at_most_what_categories_can_say_and_reaches_it() -> None:
    """H(Q) − E CE: log 4 + log 2 of a reader that is sure, alike after changes and says all."""
    model = infogan(changes=(Scaling(0.5),), agreement=1.0)
    x = torch.randn(8, 3)
    assert float(model.agreed(x, Given.none(8, Space())).detach()) < 0.1
    row = torch.arange(8)
    sure = 60 * torch.cat([F.one_hot(row % 4, 4), F.one_hot(row // 4, 2), torch.zeros(8, 2)], 1)
    spec, shared = model.readers.spec, model.readers.shared
    model.said = lambda x, given: spec(sure.double(), shared)  # type: ignore[method-assign]
    found = float(model.agreed(x, Given.none(8, Space())).detach())
    assert found == pytest.approx(math.log(4) + math.log(2), abs=1e-9)


def test_a_reader_that_is_sure_of_one_label_has_no_nan_for_a_gradient() -> None:
    """The entropy of a label that never comes is steep without end at 0."""
    model = infogan(changes=(Scaling(0.5),), agreement=1.0)
    with torch.no_grad():
        model.readers.read.bias[0] = 2000.0
    model.agreed(torch.randn(6, 3), none()).backward()
    gradient = model.readers.read.weight.grad
    assert gradient is not None
    assert gradient.isfinite().all()


def test_the_critic_alone_is_paid_for_agreement_and_as_much_as_the_step_says() -> None:
    x, model = torch.randn(6, 3), infogan(changes=(Scaling(),), agreement=Linear(0, 3, steps=10))
    model.agreed = lambda x, given: torch.tensor(0.7)  # type: ignore[method-assign]
    before, after = (losses(model, x, step) for step in (0, 10))
    torch.testing.assert_close(after["critic"], before["critic"] - 3 * 0.7)
    torch.testing.assert_close(after["generator"], before["generator"])


def losses(model: InfoGAN, x: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
    """What each player pays in a step."""
    torch.manual_seed(1)
    turns = [turn.losses for turn in model.play(Batch.of(x), Progress(step=step))]
    return {name: loss.detach() for turn in turns for name, loss in turn.items()}


def test_an_agreement_on_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.categories names none"):
        InfoGAN(SPACE, Space(), categories=(), changes=(Scaling(),), agreement=1.0)


def test_without_changes_an_agreement_is_the_information_of_what_is_read() -> None:
    """Regularised information maximisation (Krause et al. 2010): H(E Q) − E H(Q)."""
    model, x = infogan(agreement=1.0), torch.randn(6, 3)
    raw = model.readers.read(model.look(x, none()).phi)
    wanted = torch.zeros(())
    for logits in (raw[:, :4], raw[:, 4:6]):
        q = logits.softmax(1)
        wanted = wanted + torch.special.entr(q.mean(0)).sum() - torch.special.entr(q).sum(1).mean()
    torch.testing.assert_close(model.agreed(x, none()), wanted)


def test_a_balance_multiplies_the_entropy_of_all_alone() -> None:
    """β H(E Q) − E H(Q): two classes in one category pay more, and an unsure reader does not."""
    x, model = torch.randn(6, 3), infogan(agreement=1.0)
    raw = model.readers.read(model.look(x, none()).phi)
    whole = [raw[:, part].softmax(1).mean(0) for part in (slice(0, 4), slice(4, 6))]
    entropy = torch.stack([torch.special.entr(q).sum() for q in whole]).sum()
    even = model.agreed(x, none())
    model.balance = 3.0
    torch.testing.assert_close(model.agreed(x, none()), even + 2 * entropy)


def test_a_category_enters_the_generator_as_long_as_the_noise() -> None:
    model = infogan()
    seen: list[torch.Tensor] = []
    model.generator.body = Spy(seen)  # type: ignore[assignment]
    model.decode(torch.ones(1, 11), none())
    assert seen[0][0].tolist() == pytest.approx([1] * 3 + [math.sqrt(3)] * 6 + [1] * 2)


def test_a_code_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="needs a code"):
        InfoGAN(SPACE, Space(), categories=(), numbers=0)
