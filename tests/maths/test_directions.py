"""Directions of attributes, in a linear world where every answer is known."""

import pytest
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.maths.directions import Direction, orthonormal, shifts

pytestmark = pytest.mark.usefixtures("float64")
N, D = 20_000, 5


def world() -> tuple[Tensor, Tensor, Tensor]:
    """Codes z = a u + b v + noise of two numbers a and b with correlation 0.6."""
    a = torch.randn(N, 1)
    b = 0.6 * a + 0.8 * torch.randn(N, 1)
    u, v = torch.eye(D)[:1], torch.eye(D)[1:2]
    return a @ u + b @ v + 0.1 * torch.randn(N, D), a, b


def test_the_effect_of_a_category_is_the_difference_of_class_means() -> None:
    labels = torch.randint(3, (N,))
    means = torch.randn(3, D)
    z = means[labels] + torch.randn(N, D)
    effect = Direction.of(z, torch.nn.functional.one_hot(labels, 3).double()).effect
    for k in range(3):
        torch.testing.assert_close(effect[k], z[labels == k].mean(0))
    step = torch.tensor([[-1.0, 0.0, 1.0]])
    torch.testing.assert_close(shifts(Direction(effect, effect, effect[:, 0]), step)[0],
                               z[labels == 2].mean(0) - z[labels == 0].mean(0))  # fmt: skip


def test_the_effect_of_a_number_moves_what_goes_with_it_too() -> None:
    """E[z | a] = a u + 0.6 a v: the first coordinate by one, the second by the correlation."""
    z, a, _ = world()
    effect = Direction.of(z, a).effect[0]
    torch.testing.assert_close(effect[:2], torch.tensor([1.0, 0.6]), atol=0.03, rtol=0)


def test_the_reading_is_the_least_squares_predictor() -> None:
    z, a, _ = world()
    reading = Direction.of(z, a).reading
    again = torch.linalg.lstsq(z - z.mean(0), a - a.mean(0)).solution.T
    torch.testing.assert_close(reading, again)


def test_what_is_kept_is_read_as_before_and_the_attribute_moves_as_far() -> None:
    z, a, b = world()
    toward, kept = Direction.of(z, a), Direction.of(z, b)
    step = torch.tensor([[1.0], [-2.0]])
    free, held = shifts(toward, step), shifts(toward, step, [kept])
    assert ((free @ kept.reading.T).abs() > 0.5).all()
    torch.testing.assert_close(held @ kept.reading.T, torch.zeros(2, 1), atol=1e-12, rtol=0)
    torch.testing.assert_close(held @ toward.reading.T, free @ toward.reading.T)


def test_an_attribute_cannot_be_kept_and_changed() -> None:
    z, a, _ = world()
    one = Direction.of(z, a)
    with pytest.raises(UserError, match="keep fewer"):
        shifts(one, torch.ones(1, 1), [one])


def test_a_basis_is_orthonormal_and_spans() -> None:
    rows = torch.randn(3, D)
    rows = torch.cat([rows, rows.sum(0, keepdim=True)])
    basis = orthonormal(rows)
    assert basis.shape == (D, 3)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3))
    torch.testing.assert_close(rows @ basis @ basis.T, rows)
