"""TimeGAN: states that follow one another, and the supervision against a loop written by hand."""

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Category, Field, Real, Space
from twofold.maths.likelihoods import ObservationSpec
from twofold.models.timegan import TimeGAN
from twofold.nets.recurrent import Emission, Recurrence

PULSE = Space((Field("pulse", Real()), Field("flow", Real(), missing=True)), (7,))
WARD = Space((Field("ward", Category(("a", "b")), missing=True),))


def made() -> TimeGAN:
    torch.manual_seed(0)
    return TimeGAN(PULSE, WARD, hidden=5, noise=3)


@pytest.mark.usefixtures("float64")
def test_a_state_has_seen_nothing_behind_it() -> None:
    moves = Recurrence(2, 1, 4)
    x, c = torch.randn(3, 2, 7), torch.randn(3, 1)
    other = x.clone()
    other[:, :, 4:] += 1
    before, after = moves(x, c), moves(other, c)
    assert before[:, :, :4].equal(after[:, :, :4])
    assert not before[:, :, 4:].isclose(after[:, :, 4:]).any()


@pytest.mark.usefixtures("float64")
def test_the_supervision_is_the_error_one_step_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    c = WARD.encode(torch.tensor([[0.0], [1.0], [float("nan")]]))
    h, z = torch.rand(3, 5, 7), torch.randn(3, 3, 6)
    monkeypatch.setattr(torch, "randn_like", lambda like: z)
    errors = []
    for t in range(1, 7):
        inputs = torch.cat([z[:, :, t - 1], c], 1).unsqueeze(1)
        _, on = model.g.gru(inputs, h[:, :, t - 1].unsqueeze(0).contiguous())
        errors.append((h[:, :, t] - on[0]).square())
    torch.testing.assert_close(model.supervised(h, Given(c)), torch.stack(errors).mean())


@pytest.mark.usefixtures("float64")
def test_three_turns_are_played_at_their_own_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = made(), PULSE.encode(torch.randn(4, 2, 7))
    given = Given.none(4, WARD)
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    first, second, third = model.play(Batch.of(x, given), Progress())
    assert [list(turn.losses) for turn in (first, second, third)] == [
        ["autoencoder"], ["critic"], ["generator"],
    ]  # fmt: skip
    h = model.e(x, given.c)
    supervised = model.supervised(h, given)
    cost = -model.p(h).log_prob(x).mean() + supervised
    torch.testing.assert_close(first.losses["autoencoder"], cost)
    drawn = model.states(torch.zeros(4, 21), given)
    assert drawn.shape == (4, 5, 7)


def test_a_scale_comes_down_as_fast_as_the_error_does() -> None:
    """States that say what is observed: after 500 steps of 1e-3 draws are within 0.2 of it.

    A logarithm that moves by the rate a step is at −0.5 then, and what is drawn mostly noise.
    """
    torch.manual_seed(0)
    space = Space((Field("pulse", Real()),), (6,))
    x = torch.randn(64, 1, 6)
    emission = Emission(1, ObservationSpec(space, ()))
    emission.read = torch.nn.Conv1d(1, 1, 1)  # type: ignore[assignment]
    optimiser = torch.optim.Adam(emission.parameters(), 1e-3, betas=(0.0, 0.99))
    emission.read.weight.data.fill_(1.0)
    emission.read.bias.data.fill_(0.0)
    for _ in range(500):
        optimiser.zero_grad()
        (-emission(x).log_prob(x).mean()).backward()
        optimiser.step()
    assert float((emission(x).sample() - x).std()) < 0.2


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(UserError, match="is for series"):
        TimeGAN(Space((Field("age", Real()),)), Space())
