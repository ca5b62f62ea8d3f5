"""Ways between codes: ends, straight lines, great circles, and the shortest curve of a decoder."""

import math

import pytest
import torch
from torch import Tensor

from twofold.maths.paths import PATHS, energy, geodesic, linear, spherical

pytestmark = pytest.mark.usefixtures("float64")
T = torch.linspace(0, 1, 9, dtype=torch.float64)


def sphere(z: Tensor) -> Tensor:
    """Longitude and latitude to the unit sphere: its geodesics are great circles."""
    longitude, latitude = z[..., 0], z[..., 1]
    flat = latitude.cos()
    return torch.stack([flat * longitude.cos(), flat * longitude.sin(), latitude.sin()], -1)


@pytest.mark.parametrize("name", sorted(PATHS))
def test_every_way_starts_at_a_and_ends_at_b(name: str) -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    way = PATHS[name](a, b, T, torch.sin)
    assert way.shape == (3, 9, 4)
    torch.testing.assert_close(way[:, 0], a)
    torch.testing.assert_close(way[:, -1], b)


def test_spherical_keeps_the_length_and_the_angle_even() -> None:
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    way = spherical(a, b, T, torch.sin)[0]
    torch.testing.assert_close(way.norm(dim=1), torch.full((9,), 2.0))
    torch.testing.assert_close(torch.atan2(way[:, 1], way[:, 0]), T * math.pi / 2)


def test_the_geodesic_of_a_linear_decoder_is_the_straight_line() -> None:
    matrix = torch.randn(4, 6)
    a, b = torch.randn(2, 4), torch.randn(2, 4)
    way = geodesic(a, b, T, lambda z: z @ matrix)
    torch.testing.assert_close(way, linear(a, b, T, torch.sin), atol=1e-6, rtol=0)


def test_the_geodesic_of_a_sphere_is_its_great_circle() -> None:
    """Two places of one latitude: the great circle goes nearer to the pole; its energy is the
    squared angle between them, and the straight line's is that of the parallel, by closed form."""
    a, b = torch.tensor([[0.0, 0.9]]), torch.tensor([[2.0, 0.9]])
    n = 32
    t = torch.linspace(0, 1, n + 1)
    way, line = geodesic(a, b, t, sphere), linear(a, b, t, sphere)
    u, v = sphere(a)[0], sphere(b)[0]
    angle = torch.arccos(u @ v).item()
    chord = (2 * n * math.sin(angle / (2 * n))) ** 2  # n even chords of the arc
    assert energy(way, sphere).item() == pytest.approx(chord, rel=1e-3)
    parallel = (2 * n * math.cos(0.9) * math.sin(2.0 / (2 * n))) ** 2
    assert energy(line, sphere).item() == pytest.approx(parallel, rel=1e-9)
    assert energy(way, sphere) < 0.98 * energy(line, sphere)
    middle = (u + v) / (u + v).norm()
    torch.testing.assert_close(sphere(way)[0, n // 2], middle, atol=0.01, rtol=0)
    gaps = sphere(way)[0].diff(dim=0).norm(dim=1)
    assert gaps.max() / gaps.min() < 1.05


def test_a_geodesic_never_ends_above_the_straight_line() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5))
    net.requires_grad_(False)
    a, b = 3 * torch.randn(8, 3), 3 * torch.randn(8, 3)
    t = torch.linspace(0, 1, 17)
    way, line = energy(geodesic(a, b, t, net), net), energy(linear(a, b, t, net), net)
    assert (way <= line).all()
    assert (way < 0.9 * line).any()


def test_equal_ends_stay_where_they_are() -> None:
    a = torch.randn(2, 3)
    torch.testing.assert_close(geodesic(a, a, T, torch.sin), a.unsqueeze(1).expand(-1, 9, -1))


def test_few_points_lie_on_the_curve_of_many() -> None:
    a, b = torch.tensor([[0.0, 0.9]]), torch.tensor([[2.0, 0.9]])
    few = geodesic(a, b, torch.linspace(0, 1, 3), sphere)
    many = geodesic(a, b, torch.linspace(0, 1, 17), sphere)
    torch.testing.assert_close(few, many[:, ::8])
