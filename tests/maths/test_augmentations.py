"""What a critic is shown: the same for real and drawn, differentiable, and p within its bounds."""

import math

import pytest
import torch
from torch import Tensor

from twofold.core.build import parts_of
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.maths.augmentations import (
    Adapting,
    Adaptive,
    Affine,
    Colour,
    Cutout,
    DiffAugment,
    Jitter,
    Scaling,
    Thickness,
    Transformation,
    Translation,
    Unchanged,
    applied,
    suited,
)

pytestmark = pytest.mark.usefixtures("float64")
SHAPES = {0: (5,), 1: (2, 9), 2: (3, 6, 7), 3: (1, 4, 6, 5)}


def observations(axes: int, rows: int = 4) -> Tensor:
    return torch.rand(rows, *SHAPES[axes])


@pytest.mark.parametrize("axes", sorted(SHAPES))
def test_what_suits_a_layout_keeps_its_shape_and_changes_it(axes: int) -> None:
    x = observations(axes)
    changed = applied(suited(axes), x)
    assert changed.shape == x.shape
    assert changed.isfinite().all()
    assert not changed.equal(x)


@pytest.mark.parametrize("name", sorted(parts_of(Transformation)))
@pytest.mark.parametrize("axes", sorted(SHAPES))
def test_gradients_pass_as_finite_differences_say(name: str, axes: int) -> None:
    transformation = parts_of(Transformation)[name]()
    if transformation.least > axes:
        with pytest.raises(UserError, match=name):
            DiffAugment((transformation,)).build(axes)
        return

    def fixed(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return transformation(x)

    x = observations(axes, 2).requires_grad_()
    assert torch.autograd.gradcheck(fixed, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(fixed, x, fast_mode=True)


def test_each_row_draws_its_own() -> None:
    x = torch.rand(1, *SHAPES[2]).expand(64, -1, -1, -1)
    for name, make in parts_of(Transformation).items():
        assert len(make()(x).flatten(1).unique(dim=0)) > 4, name


def test_a_translation_moves_whole_steps_and_lets_zeros_in() -> None:
    x = torch.arange(1.0, 9.0).reshape(1, 1, 8).expand(200, 1, 8)
    moved = Translation(share=0.25)(x)
    found = {tuple(row.flatten().tolist()) for row in moved}
    padded = torch.cat([torch.zeros(2), torch.arange(1.0, 9.0), torch.zeros(2)])
    assert found == {tuple(padded[i : i + 8].tolist()) for i in range(5)}


def test_a_film_moves_as_one_picture() -> None:
    frame = torch.rand(20, 1, 1, 6, 5)
    moved = Translation(share=0.5)(frame.expand(20, 1, 4, 6, 5))
    assert all(moved[:, :, i].equal(moved[:, :, 0]) for i in range(4))


def test_an_affine_change_of_nothing_is_nothing() -> None:
    x = torch.rand(5, 2, 6, 9)
    torch.testing.assert_close(Affine(0.0, 0.0, 0.0, 0.0)(x), x)


def test_a_picture_is_turned_scaled_and_slanted_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With u = 1: a quarter turn, half the size, a column for each row, a quarter of the way."""
    monkeypatch.setattr(torch, "rand", lambda *size, **how: torch.ones(*size, **how))
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(Affine(90.0, 0.0, 0.0, 0.0)(x), x.rot90(1, (2, 3)))
    half = Affine(0.0, math.log(2), 0.0, 0.0)(x)
    assert half[:, :, 2:6, 2:6].sum() > 0 == half[:, :, :2].sum() + half[:, :, 6:].sum()
    moved = Affine(0.0, 0.0, 0.0, 0.25)(x)
    torch.testing.assert_close(moved[:, :, :6, :6], x[:, :, 2:, 2:])
    bar = torch.zeros(1, 1, 9, 5)
    bar[0, 0, :, 2] = 1.0  # a pixel is as wide as it is high, whatever the sides of the picture
    leaning = Affine(0.0, 0.0, 1.0, 0.0)(bar)[0, 0]
    torch.testing.assert_close(leaning[2:7], torch.eye(5).flip(1))


def test_a_stroke_grows_to_its_neighbours_or_gives_way_to_them() -> None:
    x = torch.zeros(400, 1, 9, 9)
    x[:, :, 3:6, 3:6] = 1.0
    changed = Thickness()(x)
    torch.testing.assert_close(changed[:, :, 4, 4], torch.ones(400, 1))  # within reach of both
    rim, edge = changed[:, 0, 2, 2:7], changed[:, 0, 3, 3:6]
    torch.testing.assert_close(rim, rim[:, :1].expand_as(rim))  # one u a row
    torch.testing.assert_close(edge, edge[:, :1].expand_as(edge))
    assert rim.max() > 0.99
    assert edge.min() < 0.01
    assert ((rim[:, 0] > 0) != (edge[:, 0] < 1)).all()  # thicker or thinner, and not both
    assert changed[:, :, :2].eq(0).all()  # a reach of one place
    assert Thickness(reach=2)(x)[:, 0, 1, 1].max() > 0.99
    assert Thickness(share=0.0)(x).equal(x)


def test_a_cutout_is_a_box_of_zeros_and_the_rest_stays() -> None:
    x = 1 + torch.rand(300, 2, 8, 8)
    cut = Cutout(share=0.5)(x)
    gone = (cut == 0).all(1)
    assert cut[~gone.unsqueeze(1).expand_as(cut)].equal(x[~gone.unsqueeze(1).expand_as(x)])
    for row in gone:
        i, j = row.any(1).nonzero().flatten(), row.any(0).nonzero().flatten()
        assert row.sum() == len(i) * len(j) > 0  # a full box
        assert len(i) <= 4
        assert len(j) <= 4


def test_colour_does_what_it_says() -> None:
    x = torch.rand(500, 3, 4, 4)
    brighter = Colour(saturation=0, contrast=0)(x) - x
    torch.testing.assert_close(brighter, brighter[:, :1, :1, :1].expand_as(x))
    assert brighter.abs().max() <= 0.25
    assert brighter.max() > 0.2
    assert brighter.min() < -0.2
    # Saturation keeps the mean of the channels, contrast that of the picture.
    duller = Colour(brightness=0, contrast=0)(x)
    torch.testing.assert_close(duller.mean(1), x.mean(1))
    flatter = Colour(brightness=0, saturation=0)(x)
    torch.testing.assert_close(flatter.flatten(1).mean(1), x.flatten(1).mean(1))
    spread = flatter.flatten(1).std(1) / x.flatten(1).std(1)
    assert 0.5 <= spread.min() < 0.6
    assert 1.4 < spread.max() <= 1.5


def test_jitter_and_scaling_have_their_size() -> None:
    x = torch.ones(4000, 3)
    assert (Jitter(sigma=0.3)(x) - x).std().item() == pytest.approx(0.3, rel=0.05)
    factors = Scaling(share=0.25)(x)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(x))  # one a row
    assert 0.75 <= factors.min() < 0.76
    assert 1.24 < factors.max() <= 1.25


def test_nothing_is_nothing() -> None:
    x = observations(2)
    assert Unchanged().build(2)(x) is x
    adaptive = Adaptive().build(2)
    assert adaptive(x).equal(x)  # p starts at 0


def test_the_probability_is_the_share_of_rows_that_change() -> None:
    adaptive = adapting(Adaptive(policy=(Jitter(),)))
    adaptive.p.fill_(0.3)
    x = torch.zeros(5000, 2)
    assert (adaptive(x) != 0).any(1).double().mean().item() == pytest.approx(0.3, abs=0.03)


def adapting(part: Adaptive) -> Adapting:
    built = part.build(1)
    assert isinstance(built, Adapting)
    return built


def test_p_rises_while_the_critic_is_too_sure_and_falls_when_it_is_not() -> None:
    adaptive = adapting(Adaptive(span=0.1, most=1.0))  # 100 observations from 0 to 1
    sure, unsure = torch.ones(10), torch.tensor([1.0, -1.0] * 5)
    ps = []
    for step in range(1, 41):
        adaptive.observe(sure if step <= 20 else unsure)
        adaptive.advance(Progress(step=step, shown=10 * step))
        ps.append(adaptive.p.item())
    rising = [min(0.1 * step, 1.0) for step in range(1, 21)]
    falling = [max(1 - 0.1 * step, 0.0) for step in range(1, 21)]
    assert ps == pytest.approx(rising + falling, abs=1e-9)
    assert adapting(Adaptive()).part.most == 0.8


def test_parts_move_p_as_the_whole_and_a_step_moves_it_once() -> None:
    whole, parts = (adapting(Adaptive(span=1.0)) for _ in range(2))
    logits = torch.linspace(-0.1, 1, 10)
    whole.observe(logits)
    for part in logits.split(3):
        parts.observe(part)
    for adaptive in (whole, parts, parts):
        adaptive.advance(Progress(step=1, shown=10))
    assert whole.p.item() == parts.p.item() == pytest.approx(0.01)


def test_what_is_augmented_alike_stays_told_apart_only_where_it_differs() -> None:
    """Equal distributions stay equal, and a shift of the mean comes through the noise."""
    a, b = torch.randn(20000, 1), torch.randn(20000, 1)
    change = Jitter(sigma=1.0)
    assert abs(change(a).mean() - change(b).mean()) < 0.04
    assert abs(change(a).std() - change(b).std()) < 0.04
    assert (change(a + 1).mean() - change(b).mean()).item() == pytest.approx(1, abs=0.05)
