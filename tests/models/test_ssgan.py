"""The semi-supervised GAN against its losses written by hand, and what it is for."""

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.augmentations import DiffAugment, Jitter
from twofold.models.ssgan import SSGAN
from twofold.nets.bodies import Dense
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 2),))
LABEL = Space((Field("label", Category(("x", "y", "z")), missing=True),))


def ssgan(**changes: object) -> SSGAN:
    torch.manual_seed(0)
    dense = Dense(16, 1)
    return SSGAN(SPACE, LABEL, 2, dense, dense, features=8, **changes)  # type: ignore[arg-type]


def labelled(*labels: float) -> Given:
    return Given(LABEL.encode(torch.tensor(labels).unsqueeze(1)))


def test_the_losses_are_those_of_the_paper() -> None:
    """§5, over K + 1 classes with the last logit at 0; labels of two rows of four are known."""
    model, x = ssgan(supervised=2.0, deceiving=0.5, matching=3.0, penalties=()), torch.randn(4, 2)
    given = labelled(2, torch.nan, 0, torch.nan)
    torch.manual_seed(1)
    critic, generator = model.play(Batch.of(x, given), Progress())
    torch.manual_seed(1)

    def classes(seen: torch.Tensor) -> torch.Tensor:
        logits = model.look(seen, given).l
        return torch.cat([logits, logits.new_zeros(4, 1)], 1).softmax(1)  # (4, K + 1)

    p_real, p_fake = classes(x), classes(model.draw(given).detach())
    of_known = p_real[[0, 2], [2, 0]] / (1 - p_real[[0, 2], 3])  # p(y | x, y < K + 1)
    supervised = -of_known.log().sum() / 4
    unsupervised = -(1 - p_real[:, 3]).log().mean() - p_fake[:, 3].log().mean()
    torch.testing.assert_close(critic.losses["critic"], 2 * supervised + unsupervised)

    drawn = model.draw(given)
    phi = [model.look(t, given).phi.mean(0) for t in (x, drawn)]
    matched = (phi[0] - phi[1]).norm() ** 2
    deceived = -(1 - classes(drawn)[:, 3]).log().mean()
    torch.testing.assert_close(generator.losses["generator"], 3 * matched + 0.5 * deceived)


def test_rows_shown_too_often_count_less() -> None:
    """A row that counts twice is two rows to the game of real and drawn, and to the features."""
    model, x = ssgan(penalties=()), torch.randn(3, 2)
    batch = Batch(x, labelled(*[torch.nan] * 3), torch.arange(3), (), (torch.tensor([2.0, 1, 0]),))
    torch.manual_seed(1)
    critic, generator = model.play(batch, Progress())
    seen = model.look(x[[0, 0, 1]], batch.given)
    torch.manual_seed(1)
    drawn = model.look(model.draw(batch.given), batch.given)
    D_real, D_fake = seen.log_Z.sigmoid(), drawn.log_Z.sigmoid()
    expected = -D_real.log().mean() - (1 - D_fake).log().mean()
    torch.testing.assert_close(critic.losses["critic"], expected)
    drawn = model.look(model.draw(batch.given), batch.given)
    matched = (seen.phi.mean(0) - drawn.phi.mean(0)).norm() ** 2
    torch.testing.assert_close(generator.losses["generator"], matched)


def test_consistency_is_the_distance_of_two_views() -> None:
    x, given = torch.randn(400, 2), Given.none(400, LABEL)
    paid = []
    for sigma in (0.0, 0.1, 0.5):
        torch.manual_seed(1)
        model = ssgan(consistency=3.0, penalties=(), augment=DiffAugment((Jitter(sigma),)))
        turn = next(iter(model.play(Batch.of(x, given), Progress())))
        torch.manual_seed(2)
        views = [model.look(model.shown(x, 0.0), given).p.mean for _ in range(2)]
        expected = 3 * (views[0] - views[1]).square().sum(1).mean()
        torch.testing.assert_close(turn.notes["unsteady"], expected, rtol=0.3, atol=1e-12)
        paid.append(float(turn.notes["unsteady"]))
    assert paid[0] == 0 < paid[1] < paid[2]


def test_entropy_is_that_of_the_labels_of_real_rows() -> None:
    x, given = torch.randn(5, 2), Given.none(5, LABEL)
    paid = []
    for entropy in (0.0, 3.0):
        torch.manual_seed(1)
        model = ssgan(entropy=entropy, penalties=())
        turn = next(iter(model.play(Batch.of(x, given), Progress())))
        paid.append(turn.losses["critic"])
    p = model.classify(x, given).mean
    H = -(p * p.log()).sum(1).mean()
    torch.testing.assert_close(turn.notes["unsure"], H)
    torch.testing.assert_close(paid[1] - paid[0], 3 * H)


def test_real_is_what_belongs_to_some_label() -> None:
    """D(x) = Z / (Z + 1)."""
    model, x = ssgan(), torch.randn(5, 2)
    given = Given.none(5, LABEL)
    Z = model.look(x, given).l.exp().sum(1)
    torch.testing.assert_close(model.judge(x, given).sigmoid(), Z / (Z + 1))


@pytest.mark.parametrize("count", [6, 30])
def test_labels_are_learnt_from_a_few(count: int) -> None:
    """Three clusters, of 300 rows at most ten a label known: the rest are told."""
    centres = torch.tensor([[3.0, 0.0], [-2.0, 2.0], [-2.0, -2.0]])
    truth = torch.arange(300) % 3
    values = centres[truth] + 0.4 * torch.randn(300, 2)
    known = torch.where(torch.arange(300) < count, truth, torch.nan).unsqueeze(1)
    feed = Feed(Memory(values, known), SPACE, LABEL, 32, 0, torch.device("cpu"), labelled=0.5)
    model = ssgan()
    loop = Loop(model, feed, Training(steps=150, batch=32, lr=3e-3))
    while not loop.done:
        loop.advance()
    told = model.classify(values, Given.none(300, LABEL)).mode.argmax(1)
    assert (told == truth).double().mean() > 0.97


def test_draws_of_a_label_are_by_its_probability() -> None:
    """Many candidates: a share p(y | x) above what draws of any label have."""
    model = ssgan(candidates=64)
    with torch.no_grad():  # logits of all labels alike on average, and far apart
        nothing = Given.none(2000, LABEL)
        l = model.look(model.sample(nothing), nothing).l  # noqa: E741
        model.critic.read.bias.sub_(l.mean(0))
        for parameter in model.critic.read.parameters():
            parameter.mul_(3 / l.std(0).mean())
    torch.manual_seed(2)
    one = labelled(*[1.0] * 400)
    wanted = model.classify(model.sample(one), one).mean[:, 1].mean()
    p = model.classify(model.sample(Given.none(20000, LABEL)), Given.none(20000, LABEL)).mean[:, 1]
    expected = p.square().mean() / p.mean()  # E[p(y | x)] under x drawn with weight p(y | x)
    torch.testing.assert_close(wanted, expected, atol=0.04, rtol=0)
    assert expected > p.mean() + 0.1


def test_it_refuses_what_has_no_label() -> None:
    with pytest.raises(UserError, match="no labels to learn"):
        SSGAN(SPACE, Space((Field("dose", Real(), missing=True),)))
    with pytest.raises(UserError, match=r"model\.label = 'lable'.*'label'"):
        ssgan(label="lable")
    with pytest.raises(UserError, match="nothing to learn from"):
        ssgan(matching=0.0)
