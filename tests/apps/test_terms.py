"""Laws of the terms of a score: what is usual at a place is no news, wherever it is."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from twofold.apps.anomaly import looker, measuring, sparing
from twofold.apps.places import smooth
from twofold.apps.terms import TERMS
from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Distribution, Encodes
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.distributions import Dirac

SCORE = TERMS["standardised_error"]
PICTURES = Space((Field("grey", Bounded(0, 1)),), (8, 8))
ROW = Space((Field("a", Real()), Field("b", Real(), missing=True)))


class Mean(Decodes, Encodes):
    """Gives back the mean of what it was shown, whatever it is asked."""

    latent = 1

    def __init__(self, space: Space, shown: Tensor) -> None:
        self.space, self.given, self.mean = space, Space(), shown.mean(0)

    def encode(self, x: Tensor, given: Given) -> Distribution:
        return Dirac(x.new_zeros(len(x), 1))

    def prior(self, given: Given) -> Distribution:
        return Dirac(torch.zeros(len(given), 1))

    def decode(self, z: Tensor, given: Given) -> Distribution:
        return Dirac(self.mean.expand(len(z), *self.mean.shape))

    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()


def scored(space: Space, shown: Tensor, asked: Tensor) -> Tensor:
    judge = Mean(space, shown)
    learnt = SCORE.fit(judge, space, Batch.of(shown), 0)
    return SCORE.score(judge, space, learnt, Batch.of(asked), 1)


@pytest.fixture
def pictures() -> Tensor:
    """A bright left half alike in all; the top row is noise in every picture."""
    stream = torch.Generator().manual_seed(0)
    x = torch.zeros(200, 1, 8, 8) + 0.02 * torch.randn(200, 1, 8, 8, generator=stream)
    x[..., :4] += 0.5
    x[:, :, 0] += 0.3 * torch.randn(200, 1, 8, generator=stream)
    return x


def test_a_place_that_always_varies_must_vary_more(pictures: Tensor) -> None:
    quiet, loud = pictures[:2].clone()
    quiet[0, 5, 5] += 0.2
    loud[0, 0, 5] += 0.2
    scores = scored(PICTURES, pictures, torch.stack([quiet, loud]))
    usual = scored(PICTURES, pictures, pictures)
    assert scores[0] > usual.max()
    assert scores[1] < usual.max()


def test_the_unit_of_the_data_does_not_matter(pictures: Tensor) -> None:
    each = [scored(PICTURES, c * pictures, c * pictures[:20]) for c in (1.0, 0.01)]
    assert torch.allclose(*each, rtol=1e-3)


def test_a_missing_value_says_nothing() -> None:
    x = ROW.encode(torch.tensor([[0.0, 1.0], [1.0, 3.0], [0.0, torch.nan], [9.0, torch.nan]]))
    scores = scored(ROW, x[:2], x[2:])
    assert scores.isfinite().all()
    assert scores[1] > scores[0]


@pytest.mark.parametrize("axes", [(), (6,), (4, 4), (3, 4, 4)])
@pytest.mark.parametrize("level", [0.0, 5.0])
def test_rows_of_any_layout_have_a_score_alike_or_not(axes: tuple[int, ...], level: float) -> None:
    space = Space((Field("v", Real(), 2),), axes)
    x = torch.randn(50, 2, *axes, generator=torch.Generator().manual_seed(0))
    x[:, 0] += level  # of which rows are alike
    scores = scored(space, x, torch.cat([x[:5], x[:5] + 9]))
    assert scores.shape == (10,)
    assert scores[5:].min() > scores[:5].max()


def test_the_map_is_of_the_places_that_the_score_is_of(pictures: Tensor) -> None:
    judge, batch = Mean(PICTURES, pictures), Batch.of(pictures[:5])
    learnt = SCORE.fit(judge, PICTURES, Batch.of(pictures), 0)
    where = SCORE.map(judge, PICTURES, learnt, batch)  # type: ignore[attr-defined]
    assert where.shape == (5, 1, 8, 8)
    assert (
        smooth(where).flatten(1).max(1).values.equal(SCORE.score(judge, PICTURES, learnt, batch, 1))
    )


@pytest.mark.parametrize("name", ["discord", "svdd"])
def test_what_memorises_is_measured_on_rows_that_were_new_to_it(name: str) -> None:
    """Else training rows, which it knows, would make every new row look far out."""
    space = Space((Field("v", Real()),), (24,))
    run = SimpleNamespace(
        space=space,
        model=Mean(space, torch.zeros(1, 1, 24)),
        batch=lambda x, rows: Batch.of(x[rows]),
    )
    x = torch.randn(200, 1, 24, generator=torch.Generator().manual_seed(0))
    whole, names = looker(run, [name], x, 0)  # type: ignore[arg-type]
    spared = sparing(whole, names, x, 0)  # type: ignore[arg-type]
    rows = measuring(torch.arange(200))
    known, new = (one.scores([name], Batch.of(x[rows]), 1)[name] for one in (whole, spared))
    assert rows.sum() == 40
    assert (known < new).double().mean() > 0.9
