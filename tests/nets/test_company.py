"""What a critic sees of the others: against the papers' formulas, row by row."""

import pytest
import torch
from torch import nn

from twofold.core.build import parts_of
from twofold.nets.company import Alone, Beside, Company, Deviation, Discrimination, Nearness, Spread

pytestmark = pytest.mark.usefixtures("float64")


@torch.no_grad()
def test_nearness_is_the_formula_written_out() -> None:
    near = Nearness(5, kernels=3, width=2)
    phi = torch.randn(4, 5)
    M = (phi @ near.project.weight.T).reshape(4, 3, 2)
    for i in range(4):
        for k in range(3):
            others = [(-(M[i, k] - M[j, k]).abs().sum()).exp() for j in range(4) if j != i]
            assert near(phi)[i, k].item() == pytest.approx(float(sum(others)) / 3)


def test_a_collapsed_batch_is_as_near_as_can_be_and_has_no_spread() -> None:
    same = torch.randn(1, 5).expand(6, 5)
    torch.testing.assert_close(Nearness(5, 3, 2)(same), torch.ones(6, 3))
    assert Spread()(same).max() < 2e-4
    assert Spread()(torch.randn(400, 5)).mean().item() == pytest.approx(1, abs=0.1)


def test_spread_is_the_mean_of_the_deviations() -> None:
    phi = torch.randn(7, 5)
    expected = phi.std(0, correction=0).mean()
    torch.testing.assert_close(Spread()(phi), expected.expand(7, 1), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", sorted(parts_of(Company)))
@pytest.mark.parametrize("rows", [1, 6])
def test_order_does_not_matter_and_one_row_is_enough(name: str, rows: int) -> None:
    layer = parts_of(Company)[name]().build(5)
    phi = torch.randn(rows, 5, requires_grad=True)
    out = layer(phi)
    assert out.shape == phi.shape
    order = torch.randperm(rows)
    torch.testing.assert_close(layer(phi[order]), out[order])
    (slope,) = torch.autograd.grad(out.square().sum(), phi, create_graph=True)
    slope.square().sum().backward()
    assert phi.grad is not None
    assert phi.grad.isfinite().all()


@pytest.mark.parametrize("part", [Discrimination(), Deviation()])
def test_a_row_sees_its_company(part: Company) -> None:
    layer = part.build(5)
    assert isinstance(layer, Beside)
    phi = torch.randn(4, 5)
    other = torch.cat([phi[:1], phi[1:] + 3])
    assert not torch.allclose(layer(phi)[0], layer(other)[0])
    assert isinstance(Alone().build(5), nn.Identity)
