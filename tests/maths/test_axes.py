"""Directions of a linear generator x = A z, of which every answer is known."""

import pytest
import torch
from torch import Tensor, nn

from twofold.core.errors import UserError
from twofold.maths.axes import conditional, ganspace, sefa
from twofold.nets.equalised import EqualLinear
from twofold.nets.wiring import early, entering

pytestmark = pytest.mark.usefixtures("float64")
D, F, N = 4, 7, 40_000


def aligned(rows: Tensor, others: Tensor) -> Tensor:
    """|cos| of each pair of rows."""
    return (rows * others).sum(1).abs()


def generator() -> tuple[nn.Linear, Tensor, Tensor]:
    """x = A z + b, with the singular values and right singular vectors of A."""
    net = nn.Linear(D, F)
    u, v = (torch.linalg.qr(torch.randn(n, n)).Q for n in (F, D))
    s = torch.tensor([4.0, 3.0, 2.0, 1.0])
    net.weight.data = u[:, :D] * s @ v.T
    return net, s, v.T


def test_sefa_of_a_linear_generator_is_its_singular_vectors() -> None:
    net, s, v = generator()
    (A,) = entering(net, net, torch.randn(5, D))
    torch.testing.assert_close(A, net.weight)
    axes = sefa(A, 3)
    torch.testing.assert_close(aligned(axes.rows, v[:3]), torch.ones(3))
    torch.testing.assert_close(axes.shares, (s.square() / s.square().sum())[:3])


def test_ganspace_of_a_linear_generator_is_its_principal_axes() -> None:
    """z ~ N(0, I), so that the axes of A z are A's left singular vectors, and U the right ones."""
    net, s, v = generator()
    z = torch.randn(N, D)
    y = early(net, net, z)
    torch.testing.assert_close(y, net(z).detach())  # there is no second layer
    axes = ganspace(y, z, 3)
    assert (aligned(axes.rows, v[:3]) > 0.999).all()
    torch.testing.assert_close(axes.shares, (s.square() / s.square().sum())[:3], atol=0.01, rtol=0)
    few = ganspace(y[:5], z[:5], 2)  # fewer rows than features
    assert few.rows.shape == (2, D)


def test_ganspace_of_styles_is_their_pca() -> None:
    w = torch.randn(N, D) * torch.tensor([1.0, 5.0, 0.5, 3.0])
    axes = ganspace(w, w, 2)
    assert (aligned(axes.rows, torch.eye(D)[[1, 3]]) > 0.999).all()


def test_scaled_weights_count_as_they_act() -> None:
    net = EqualLinear(D, F, gain=3.0, bias=1.0)
    (A,) = entering(net, net, torch.randn(5, D))
    torch.testing.assert_close(A, net.weight * net.scale)


def test_a_code_is_found_beside_what_is_given_and_in_pieces() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 2), nn.Linear(4, 2)

        def forward(self, z: Tensor) -> Tensor:
            c = z.new_ones(len(z), 1)
            h = self.first(torch.cat([z[:, :2], c], 1))
            return self.second(torch.cat([h, z[:, 2:]], 1))

    net = Net()
    first, second = entering(net, net, torch.randn(6, D))
    torch.testing.assert_close(first[:, :2], net.first.weight[:, :2])
    assert not first[:, 2:].any()
    torch.testing.assert_close(second[:, 2:], net.second.weight[:, 2:])
    assert not second[:, :2].any()


def test_early_features_are_what_the_second_layer_is_handed() -> None:
    net = nn.Sequential(nn.Linear(D, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2))
    z = torch.randn(8, D)
    torch.testing.assert_close(early(net, net, z), net[0](z).tanh().detach())


def test_a_conditional_direction_is_orthogonal_to_the_others() -> None:
    n, others = torch.randn(D), torch.randn(2, D)
    found = conditional(n, others)
    torch.testing.assert_close(others @ found, torch.zeros(2), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.norm(), torch.ones(()))
    assert found @ n > 0
    with pytest.raises(UserError, match="keep fewer"):
        conditional(n, torch.stack([n + 1e-4 * others[0], others[1]]))


def test_a_direction_learnt_again_points_the_same_way() -> None:
    z = torch.randn(200, D)
    pair = [ganspace(y, z, 2).rows for y in (z @ torch.diag(torch.arange(1.0, 5.0)),) * 2]
    torch.testing.assert_close(*pair)
    assert (pair[0].gather(1, pair[0].abs().argmax(1, keepdim=True)) > 0).all()
