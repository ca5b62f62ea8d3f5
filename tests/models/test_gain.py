"""The GAN imputer: what its players pay, what it is told, and that it fills from what is there."""

import math

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.missing import Incomplete, completer, incompletable
from twofold.models.gain import GAIN
from twofold.nets.bodies import Dense
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

SPACE = Space((
    Field("a", Real(), missing=True), Field("kind", Category(("u", "v", "w")), missing=True),
    Field("b", Real(2.0, 3.0)),
))  # fmt: skip
NAN = math.nan
ROWS = torch.tensor([[0.5, NAN, 1.0], [NAN, 2.0, 5.0], [1.5, 0.0, -1.0], [NAN, NAN, 3.0]])
SMALL = Dense(16, 1)


def gain(**options: object) -> GAIN:
    torch.manual_seed(0)
    return GAIN(SPACE, Space(), SMALL, SMALL, 8, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("hint", [1.0, 0.5, 0.0])
def test_every_row_has_a_value_that_the_critic_is_not_told(hint: float) -> None:
    torch.manual_seed(0)
    b = gain(hint=hint).told(torch.ones(4000, 3))
    untold = (1 - b).sum(1)
    assert untold.min() == (1 if hint else 3)
    assert untold.mean().item() == pytest.approx(1 + 2 * (1 - hint), abs=0.05)
    assert (1 - b).mean(0).std() < 0.02  # no column more than another


def test_the_players_pay_what_the_paper_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of Algorithm 1, written out by hand for a critic whose verdicts are fixed."""
    model = gain(hide=0.0, alpha=3.0)
    x = SPACE.encode(ROWS)
    m = (~ROWS.isnan()).float()
    b = torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 1], [1, 0, 1]])
    m_hat = torch.tensor([[0.9, 0.2, 0.7], [0.3, 0.6, 0.8], [0.5, 0.4, 0.9], [0.2, 0.1, 0.6]])
    monkeypatch.setattr(model, "told", lambda m: b)
    asked: list[Tensor] = []

    def judge(x_hat: Tensor, h: Tensor, given: Given) -> Tensor:
        asked.append(h)
        return torch.logit(m_hat)

    monkeypatch.setattr(model, "judge_cells", judge)
    critic, generator = model.play(Batch.of(x), Progress())
    assert asked[0].tolist() == (b * m + 0.5 * (1 - b)).tolist()
    # one untold value a row: there, gone, there, gone
    loss = -(math.log(0.7) + math.log(1 - 0.3) + math.log(0.4) + math.log(1 - 0.1)) / 4
    assert critic.losses["critic"].item() == pytest.approx(loss)
    adversarial = -(math.log(0.3) + math.log(0.1)) / 4
    assert generator.notes["adversarial"].item() == pytest.approx(adversarial)
    kept = generator.notes["kept"].item()
    assert generator.losses["generator"].item() == pytest.approx(adversarial + 3 * kept)


def test_only_what_is_there_is_kept() -> None:
    """What a number costs is its squared error, of a category its surprise; gaps cost nothing."""
    model = gain()
    x = torch.tensor([[1.0, 0, 1, 0, 2.0]])
    x_bar = torch.tensor([[3.0, 0.25, 0.5, 0.25, 1.0]])
    assert model.misfit(x, x_bar).tolist()[0] == pytest.approx([4.0, math.log(2), 1.0])


def test_nothing_of_a_gap_reaches_the_generator() -> None:
    """What stands in the place of a gap cannot matter: x is replaced by noise there."""
    model = gain()
    x, seen = SPACE.encode(ROWS), ~ROWS.isnan()
    other = torch.where(Incomplete.of(SPACE, ROWS).gaps, 7.0, x)
    drawn = []
    for one in (x, other):
        torch.manual_seed(1)
        drawn.append(model.fill(one, seen, Given.none(4, Space())))
    assert drawn[0].equal(drawn[1])
    values = SPACE.decode(drawn[0])
    assert not values.isnan().any()
    torch.testing.assert_close(values[seen], ROWS[seen])
    assert model.fill(x, seen, Given.none(4, Space()))[0, 2:5].sum() == 1  # a category is hard


def test_it_completes_by_draws_that_count_equally_and_learns_what_goes_together() -> None:
    """b = −a with little noise; half of b is gone, and comes back from a."""
    torch.manual_seed(0)
    space = Space((Field("a", Real()), Field("b", Real(), missing=True)))
    a = torch.randn(600)
    values = torch.stack([a, -a + 0.1 * torch.randn(600)], 1)
    truth = values.clone()
    values[::2, 1] = NAN
    torch.manual_seed(0)
    model = GAIN(space, Space(), Dense(32, 1), Dense(32, 1), 16, hide=0.0)
    training = Training(steps=400, batch=64, lr=3e-3, betas=(0.5, 0.99))
    source = Memory(values, torch.zeros(600, 0))
    cpu = torch.device("cpu")
    loop = Loop(model, Feed(source, space, Space(), 64, 0, cpu), training)
    while not loop.done:
        loop.advance()
    assert incompletable(loop.model, space, Space()) == ""
    rows = Incomplete.of(space, values[:100])
    with torch.no_grad():
        found = completer(loop.averaged, 20, 0)(rows, Given.none(100, Space()))
    assert found.effective.tolist() == pytest.approx([20.0] * 100)
    assert found.draws().shape == (20, 100, 3)
    gone = values[:100, 1].isnan()
    error = (space.decode(found.mean)[:, 1] - truth[:100, 1])[gone].square().mean().sqrt()
    assert error < 0.5  # the mean would leave 1
    assert found.draws()[:, gone, 1].std(0).min() > 0
