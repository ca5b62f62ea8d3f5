"""Chance as a pure function of where training is.

Before each move of a game the generators are seeded from (seed, step, attempt, turn, part), with
the part numbered over all processes. So a resumed run draws what the uninterrupted one drew, and P
processes of S parts draw what one process of P · S parts draws.
"""

from __future__ import annotations

import random

import numpy as np
import torch

MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """One well-mixed 63-bit number from several (the finaliser of SplitMix64, chained).

    >>> mix(1, 2) != mix(2, 1)
    True
    """
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
        state ^= state >> 31
    return state >> 1


def seed_all(device: torch.device, *numbers: int) -> None:
    """Seed torch, numpy and random, and the device's own generator.

    `torch.manual_seed` would seed every device there is, at fifty times the cost.
    """
    seed = mix(*numbers)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    random.seed(seed)


def generator(*numbers: int) -> torch.Generator:
    """A generator of its own, seeded so."""
    return torch.Generator().manual_seed(mix(*numbers))
