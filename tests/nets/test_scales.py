"""Shrink undoes Resize exactly, whatever the size."""

import pytest
import torch

from twofold.nets.blocks import Resize
from twofold.nets.scales import Scales, Shrink, enlarged

SIZES = [(28, 28), (64, 78), (5, 5), (140,), (9,), (2, 5, 6), (3, 17), (4, 4)]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axes", SIZES)
def test_what_is_enlarged_and_shrunk_is_as_it_was(axes: tuple[int, ...]) -> None:
    scales = Scales(axes)
    assert scales.sizes[-1] == axes
    assert max(scales.sizes[0]) <= 4
    for scale, size in enumerate(scales.sizes):
        h = torch.randn(2, 3, *size)
        whole = scales.enlarge(h, scale)
        assert whole.shape == (2, 3, *axes)
        torch.testing.assert_close(scales.reduce(whole, scale), h, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axes", SIZES)
def test_a_shrunk_observation_has_the_mean_of_the_places_it_stands_for(
    axes: tuple[int, ...],
) -> None:
    """What is shrunk and enlarged is the nearest, in squares, of all that could be enlarged."""
    scales = Scales(axes)
    x, scale = torch.randn(2, 1, *axes), max(0, len(scales) - 2)
    near = scales.enlarge(scales.reduce(x, scale), scale)
    other = scales.enlarge(torch.randn(2, 1, *scales.sizes[scale]), scale)
    torch.testing.assert_close(((x - near) * other).sum(), x.new_zeros(()), rtol=0, atol=1e-9)


def test_halves_are_the_mean_of_pairs() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert Shrink((4, 4), (2, 2))(x).equal(torch.nn.functional.avg_pool2d(x, 2))
    assert Resize((4, 4))(Shrink((4, 4), (2, 2))(x))[0, 0, 1, 1] == 2.5


def test_a_coarsest_size_may_be_asked_for() -> None:
    assert Scales((28, 28), coarsest=8).sizes == [(7, 7), (14, 14), (28, 28)]
    assert Scales((28, 28), coarsest=99).sizes == [(28, 28)]


@pytest.mark.parametrize("axes", [(5,), (5, 4), (5, 4, 3)])
def test_enlarged_keeps_what_is_constant(axes: tuple[int, ...]) -> None:
    larger = tuple(2 * a for a in axes)
    assert enlarged(torch.ones(2, 3, *axes), larger).equal(torch.ones(2, 3, *larger))
