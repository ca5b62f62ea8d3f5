"""InfoGAN against its bound written by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space
from twofold.models.infogan import InfoGAN
from twofold.nets.bodies import Dense

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))


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
    look = model.look(torch.randn(6, 3), none())
    said = model.information(model.unread(type(look)(sure, look.logits), z))
    assert float(said["information_category0"]) == pytest.approx(math.log(4), abs=1e-9)
    assert float(said["information_category1"]) == pytest.approx(math.log(2), abs=1e-9)


def test_a_code_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="needs a code"):
        InfoGAN(SPACE, Space(), categories=(), numbers=0)
