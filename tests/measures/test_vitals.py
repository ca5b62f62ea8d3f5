"""The reading of a game: exact where the answer is known, blind to what means nothing."""

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Samples
from twofold.core.space import Field, Real, Space
from twofold.measures.contest import Critic
from twofold.measures.measure import Evidence
from twofold.measures.support import Birthday
from twofold.measures.vitals import Judged, Spread, judged, nearness, support


def logits(decimals: int = 12) -> Judged:
    chance = torch.Generator().manual_seed(0)
    sides = torch.randn(3, 60, generator=chance, dtype=torch.float64)
    train, held, fake = sides.round(decimals=decimals)
    return Judged(train + 1, held[:40] + 0.5, fake)


def moved(told: Judged, scale: float, shift: float) -> Judged:
    return Judged(*(scale * side + shift for side in (told.train, told.held_out, told.fake)))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, -7.0), (0.01, 3.0), (40.0, 0.0)])
def test_scale_and_shift_of_logits_mean_nothing(scale: float, shift: float) -> None:
    plain, other = logits(), moved(logits(), scale, shift)
    assert other.ranks == pytest.approx(plain.ranks)
    assert other.accuracy == pytest.approx(plain.accuracy)
    assert other.overfitting == pytest.approx(plain.overfitting)


def test_ranks_are_the_share_of_pairs_and_the_threshold_is_the_best() -> None:
    told = logits(decimals=1)  # with ties
    for name, side in told.real.items():
        difference = side[:, None] - told.fake[None]
        pairs = (difference > 0).double() + 0.5 * (difference == 0)
        assert told.ranks[name] == pytest.approx(pairs.mean().item())
    best = max(
        float((told.train > t).double().mean() + (told.fake <= t).double().mean())
        for t in torch.cat([told.train, told.fake])
    )
    assert told.accuracy["train"] + told.accuracy["fake"] == pytest.approx(best)


def test_r_v_is_0_for_rows_judged_as_training_ones_and_1_for_rows_judged_as_drawn_ones() -> None:
    chance = torch.Generator().manual_seed(0)
    train, fake = (torch.randn(500, generator=chance).double() + m for m in (2.0, 0.0))
    alike, unlike = (torch.randn(500, generator=chance).double() + m for m in (2.0, 0.0))
    for held, value in ((alike, 0.0), (unlike, 1.0)):
        found = Judged(train, held, fake).overfitting
        assert found.low < value < found.high
        assert found.high - found.low < 0.2


def test_the_support_of_a_few_values_is_how_many_they_are() -> None:
    chance = torch.Generator().manual_seed(0)
    for size in (1, 5, 40):
        x = torch.randint(size, (2000, 1), generator=chance).float()
        assert support(x, 0.5) == pytest.approx(size, rel=0.1)


def test_real_rows_have_the_spread_of_real_rows_and_one_repeated_has_a_support_of_one() -> None:
    a, b, c = torch.randn(3, 300, 4, generator=torch.Generator().manual_seed(0)).unbind()
    same = Spread.of(a, b, c)
    assert same.precision > 0.85
    assert same.recall > 0.85
    assert 300 < support(b, nearness(c)) < 1200  # about 2n
    assert same.support == support(b, nearness(c))
    one = Spread.of(a, b[:1].expand(300, -1), c)
    assert one.support == pytest.approx(1.0)
    assert one.recall < 0.05
    far = Spread.of(a, b + 100, c)
    assert far.apart > 20 > 1 > same.apart


class Toy(torch.nn.Module, Samples, Criticises):
    """Draws zeros, and judges by the first number."""

    def sample(self, given: Given) -> Tensor:
        return torch.zeros(len(given), 2) + 0 * torch.rand(1)

    def judge(self, x: Tensor, given: Given) -> Tensor:
        assert not self.training
        return x[:, 0]


def test_it_looks_without_disturbing() -> None:
    model, rows = Toy(), Batch.of(torch.ones(7, 2))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    told = judged(model, rows, rows[:0])
    assert torch.rand(2).equal(expected)
    assert model.training
    assert told.ranks == {"train": 1.0}
    assert set(told.accuracy) == {"train", "fake"}


def evidence(model: object, fake: Tensor) -> Evidence:
    space = Space((Field("v", Real(), 2),))
    chance = torch.Generator().manual_seed(0)
    real, train = (Batch.of(torch.randn(200, 2, generator=chance)) for _ in "ab")
    return Evidence(space, Space(), real, train, Batch.of(fake), model)


def test_a_count_has_an_interval_above_nothing() -> None:
    chance = torch.Generator().manual_seed(1)
    shown = evidence(Toy(), torch.randn(200, 2, generator=chance) * 3)
    found = next(figure for figure in Birthday()(shown) if figure.name == "birthday_support")
    assert 0 < found.low <= found.value <= found.high


def test_the_figures_of_a_run_have_the_same_numbers_and_their_floors() -> None:
    shown = evidence(Toy(), torch.zeros(200, 2))
    found = {figure.name: figure for figure in [*Critic()(shown), *Birthday()(shown)]}
    told = judged(shown.model, shown.train, shown.real)
    assert found["critic_ranks_held_out"].value == pytest.approx(told.ranks["held_out"])
    assert found["critic_accuracy_fake"].value == pytest.approx(told.accuracy["fake"])
    assert found["birthday_support"].value == pytest.approx(1.0)
    assert 200 < found["birthday_support"].floor < 800
    assert all(figure.low <= figure.value <= figure.high for figure in found.values())
    assert "no critic" in Critic().refuses(evidence((), torch.zeros(200, 2)))
