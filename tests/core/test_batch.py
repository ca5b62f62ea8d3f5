"""Rows that are asked of several draws."""

import torch

from twofold.core.batch import repeated


def test_repeated_rows_are_those_of_torch_and_lie_as_they_lay() -> None:
    """Tokens come place by place; rows put channel by channel are slow to read again."""
    x = torch.randn(2, 5, 7).movedim(-1, 1)  # (2, 7, 5), channels side by side
    again = repeated(x, 3)
    assert torch.equal(again, x.repeat_interleave(3, 0))
    assert again.stride()[1:] == x.stride()[1:]
