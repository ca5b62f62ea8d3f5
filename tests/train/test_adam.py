"""Our Adam takes the steps of PyTorch's, and leaves alone what has no gradient."""

import torch
from torch import nn

from twofold.train.adam import Adam


def parameters() -> list[nn.Parameter]:
    chance = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=chance)) for shape in ((3, 2), (4,), ())]


def gradients(step: int) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(step + 1)
    return [torch.randn(shape, generator=chance) for shape in ((3, 2), (4,), ())]


def test_the_steps_are_those_of_the_reference() -> None:
    ours, theirs = parameters(), parameters()
    adam = Adam(ours, (0.8, 0.95), 0.01)
    reference = torch.optim.Adam(theirs, lr=0.01, betas=(0.8, 0.95), fused=True)
    for step in range(5):
        adam.rate = reference.param_groups[0]["lr"] = 0.01 / (step + 1)
        for a, b, g in zip(ours, theirs, gradients(step), strict=True):
            a.grad, b.grad = g.clone(), g.clone()
        adam.step()
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_what_has_no_gradient_stays_and_does_not_count() -> None:
    moved, still, _ = everything = parameters()
    before = still.detach().clone()
    adam = Adam(everything, (0.9, 0.99), 0.01)
    adam.step()
    assert not adam.state
    moved.grad = torch.ones_like(moved)
    adam.step()
    assert torch.equal(still, before)
    assert list(adam.state) == [moved]
    assert adam.state[moved]["t"] == 1
