r"""What self-attention looks at, as it can be asked for while a network runs.

A block of attention mixes the P places of its grid by weights $A \in \mathbb R^{P \times P}$ a
head, each row a distribution over the places that one place looks at (Zhang et al. 2019,
arXiv:1805.08318). The blocks know nothing of where a place is beyond what the convolutions before
them have told: there is no encoding of positions.

>>> from twofold.nets.blocks import Attention
>>> block = Attention(4)
>>> with attending(block) as seen:
...     _ = block(torch.randn(2, 4, 3, 5))
>>> {where: look.weights.shape for where, look in seen.items()}
{'3x5': torch.Size([2, 4, 15, 15])}
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twofold.nets.blocks import Attention


@dataclass(frozen=True)
class Look:
    """The weights of one block on some rows.

    Args:
        axes: of the grid. weights: (B, heads, P, P), each row of the last two sums to one.
    """

    axes: tuple[int, ...]
    weights: Tensor

    @property
    def grid(self) -> Tensor:
        """The weights by place, (B, heads, *axes, *axes): from where, then to where."""
        return self.weights.unflatten(3, self.axes).unflatten(2, self.axes)

    def heat(self, at: tuple[int, ...] = ()) -> Tensor:
        """How much is looked at each place, (B, *axes), by all places or from the one named.

        The mean over heads; even attention is 1 / P everywhere.
        """
        heads = self.weights.mean(1).unflatten(1, self.axes)  # (B, *axes, P)
        seen = heads[(slice(None), *at)] if at else heads.flatten(1, -2).mean(1)
        return seen.unflatten(1, self.axes)


@contextmanager
def attending(model: nn.Module) -> Iterator[dict[str, Look]]:
    """The looks of every block of attention that runs inside, by the size of its grid."""
    seen: dict[str, Look] = {}

    def keep(block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(block, Attention)
        (h,) = inputs
        axes = tuple(h.shape[2:])
        seen[free("x".join(map(str, axes)), seen)] = Look(axes, block.maps(h).float())

    blocks = [module for module in model.modules() if isinstance(module, Attention)]
    hooks = [block.register_forward_pre_hook(keep) for block in blocks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def attends(model: nn.Module) -> bool:
    """Whether a network has any attention."""
    return any(isinstance(module, Attention) for module in model.modules())


def free(name: str, taken: dict[str, Look]) -> str:
    """A name that is not taken: of several blocks at one size each has a number.

    >>> free("4x4", {}), free("4x4", {"4x4": Look((), torch.zeros(0))})
    ('4x4', '4x4 2')
    """
    others = sum(one.partition(" ")[0] == name for one in taken)
    return f"{name} {others + 1}" if others else name


def joined(parts: list[dict[str, Look]]) -> dict[str, Look]:
    """The looks of several batches, one after the other."""
    return {
        name: Look(first.axes, torch.cat([part[name].weights for part in parts]))
        for name, first in parts[0].items()
    }
