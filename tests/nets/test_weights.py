"""What is asked of weights, against the papers' equations."""

import pytest
import torch
from torch import nn

from twofold.nets.weights import History, Unrolling, clip, off_diagonal, overlap, unrolled

pytestmark = pytest.mark.usefixtures("float64")


def test_clipping_bounds_every_weight_and_leaves_small_ones() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    before = [p.detach().clone() for p in net.parameters()]
    clip(net, 0.2)
    for p, old in zip(net.parameters(), before, strict=True):
        assert p.equal(old.clamp(-0.2, 0.2))
    clip(net, float("inf"))
    assert all(p.abs().max() <= 0.2 for p in net.parameters())


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5), (4, 2, 3, 3)])
def test_orthogonal_weights_have_no_overlap_whatever_their_length(shape: tuple[int, ...]) -> None:
    weight = nn.init.orthogonal_(torch.empty(shape)).flatten(1)
    assert off_diagonal(weight) < 1e-20
    by = 1 if weight.shape[0] > weight.shape[1] else 0
    scale = torch.rand(weight.shape[by]).unsqueeze(1 - by)
    assert off_diagonal(weight * scale) < 1e-20  # lengths are free
    assert off_diagonal(weight + 0.1) > 1e-3


def test_overlap_is_brocks_equation_over_all_layers() -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.Conv2d(2, 3, 3), nn.LayerNorm(4))
    expected = torch.zeros(())
    for W in (net[0].weight.T, net[1].weight.flatten(1)):  # the fewer of rows and columns
        product = W @ W.T
        expected = expected + (product * (1 - torch.eye(len(W)))).square().sum()
    torch.testing.assert_close(overlap(net), expected)


def test_history_is_the_mean_of_what_was() -> None:
    layer, seen = nn.Linear(2, 2), []
    history = History(layer)
    for step in range(4):
        seen.append([p.detach().clone() for p in layer.parameters()])
        history.advance(layer, step)
        history.advance(layer, step)  # another part of the same step
        means = [torch.stack(ps).mean(0) for ps in zip(*seen, strict=True)]
        for mine, mean in zip(history.means(), means, strict=True):
            torch.testing.assert_close(mine, mean)
        distance = sum(
            (p - m).square().sum() for p, m in zip(layer.parameters(), means, strict=True)
        )
        torch.testing.assert_close(history(layer), distance)
        with torch.no_grad():
            for p in layer.parameters():
                p.add_(torch.randn_like(p))


def test_no_step_ahead_is_the_network_itself() -> None:
    net, x = nn.Linear(3, 1), torch.randn(4, 3)
    assert unrolled(net, lambda n: n(x).sum(), Unrolling(0))(x).equal(net(x))


def test_steps_ahead_are_gradient_descent() -> None:
    net, twin, x = nn.Linear(3, 1), nn.Linear(3, 1), torch.randn(4, 3)
    twin.load_state_dict(net.state_dict())
    sgd = torch.optim.SGD(twin.parameters(), 0.05)
    for _ in range(3):
        sgd.zero_grad()
        twin(x).square().mean().backward()
        sgd.step()
    before = net.weight.detach().clone()
    ahead = unrolled(net, lambda n: n(x).square().mean(), Unrolling(3, rate=0.05))
    torch.testing.assert_close(ahead(x), twin(x))
    assert net.weight.equal(before)


def test_gradients_pass_through_the_steps() -> None:
    """min_g max_d of d·g: one step up, d' = d + η g, so that the generator sees η g² + d g."""
    net = nn.Linear(1, 1, bias=False)
    g = torch.tensor([[0.7]], requires_grad=True)
    ahead = unrolled(net, lambda n: -n(g).sum(), Unrolling(1, rate=0.1))
    (slope,) = torch.autograd.grad(ahead(g).sum(), g)
    torch.testing.assert_close(slope, net.weight + 2 * 0.1 * g)
