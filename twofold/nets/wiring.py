"""Where a code enters a decoder, and what the decoder makes of it first.

Nothing is asked of a network but to run: it is watched while it decodes a few codes. A layer of
weights that is handed the code's own numbers, alone or beside what is given, as they are or
brought to unit size, is one that the code *enters*, and what it does is a linear map of the code,
found by trying it on a basis: so scaled and normalised weights count as they act. The *early
features* are what the first layer is handed that sees the code through others.

>>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
>>> (A,) = entering(net, net, torch.randn(4, 2))
>>> bool(torch.allclose(A, net[0].weight))
True
>>> early(net, net, torch.randn(4, 2)).shape
torch.Size([4, 3])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from twofold.nets.equalised import unit

TRIED = 4
"""Codes by which a number is told from any other."""

Seen = list[tuple[nn.Module, tuple[Any, ...]]]


def entering(model: nn.Module, decode: Callable[[Tensor], Any], codes: Tensor) -> list[Tensor]:
    """The linear maps that a code enters, each (O, *code), in the order of the layers.

    Args:
        model: the network. decode: runs it. codes: some draws (B, *code).
    """
    some = codes[:TRIED]
    with torch.no_grad(), watched(model) as seen:
        decode(some)
        wired = [(layer, handed, wiring(handed[0], some)) for layer, handed in seen]
    return [
        (linear(layer, handed) @ wires).unflatten(1, codes.shape[1:])
        for layer, handed, wires in wired
        if dimensions(layer) == 2 and wires.any()
    ]


def early(model: nn.Module, decode: Callable[[Tensor], Any], codes: Tensor) -> Tensor:
    """What the first layer is handed that sees the code through others, (B, F).

    Without such a layer, the mean of what is decoded.
    """
    with torch.no_grad(), watched(model) as seen:
        decoded = decode(codes)
        for _, handed in seen:
            h = handed[0].flatten(1)
            if varies(h) and not wiring(handed[0][:TRIED], codes[:TRIED]).any():
                return h
    return (decoded if isinstance(decoded, Tensor) else decoded.mean).flatten(1)


@contextmanager
def watched(model: nn.Module) -> Iterator[Seen]:
    """What each layer of weights is handed, in the order in which they run."""
    seen: Seen = []
    layers = [m for m in model.modules() if dimensions(m) > 1]

    def note(layer: nn.Module, handed: tuple[Any, ...]) -> None:
        if handed and isinstance(handed[0], Tensor) and handed[0].dim() > 1:
            seen.append((layer, handed))

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def dimensions(layer: nn.Module) -> int:
    """Of the layer's own weights: 2 where it is linear, more where it convolves, 0 of none."""
    weight = getattr(layer, "weight", 0)
    return weight.dim() if isinstance(weight, Tensor) else 0


def wiring(h: Tensor, codes: Tensor) -> Tensor:
    """Which number of the code each number of h (B, W) is: (W, numbers of a code) of 0 and 1."""
    code = codes.flatten(1)
    if h.dim() != 2 or len(h) != len(code):
        return code.new_zeros(0, code.shape[1])
    forms = [code, unit(code)] if codes.dim() == 2 else [code]
    same = [torch.isclose(h.unsqueeze(2), form.unsqueeze(1), 1e-5).all(0) for form in forms]
    return torch.stack(same).any(0).to(code)  # (W, numbers)


def varies(h: Tensor) -> bool:
    """Whether rows differ."""
    return bool(h.numel() and (h != h[:1]).any())


def linear(layer: nn.Module, handed: tuple[Any, ...]) -> Tensor:
    """What an affine layer does to each number that it is handed, (O, W)."""
    h, *rest = handed
    basis = torch.cat([torch.eye(h.shape[1]).to(h), h.new_zeros(1, h.shape[1])])
    beside = [part[:1].expand(len(basis), *part.shape[1:]) for part in rest]
    out = layer(basis, *beside).flatten(1)
    return (out[:-1] - out[-1:]).T
