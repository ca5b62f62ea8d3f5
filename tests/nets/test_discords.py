"""Laws of discords: normal stretches are near, odd ones far, wherever they are and whenever."""

import math

import pytest
import torch
from torch import Tensor

from twofold.nets import discords


def beats(n: int, seed: int, T: int = 96) -> Tensor:
    """Alike waves (n, 2, T) that start up to four steps early or late."""
    stream = torch.Generator().manual_seed(seed)
    late = torch.randint(-4, 5, (n, 1, 1), generator=stream)
    t = torch.arange(T) - late
    wave = torch.stack([torch.exp(-((t - 40) / 6).square()), torch.sin(2 * math.pi * t / T)], 1)
    return wave[:, :, 0] + 0.02 * torch.randn(n, 2, T, generator=stream)


@pytest.mark.parametrize("T", [1, 2, 5, 24, 140, 999])
def test_every_step_is_in_a_stretch(T: int) -> None:
    starts, L = discords.starts(T), discords.length(T)
    held = {t for s in starts for t in range(s, s + L)}
    assert held == set(range(T))
    assert discords.stretches(torch.rand(3, 2, T)).shape == (3, len(starts), 2 * L)


@pytest.mark.parametrize("aligned", [True, False])
def test_what_was_seen_is_at_no_distance(aligned: bool) -> None:
    x = torch.rand(4, 2, 24).half().float()
    far = discords.distances(x, discords.bank(x, aligned))
    torch.testing.assert_close(far, torch.zeros_like(far), rtol=0, atol=5e-3)


@pytest.mark.parametrize("aligned", [True, False])
def test_an_odd_stretch_is_found_where_it_is(aligned: bool) -> None:
    memory, x = discords.bank(beats(60, 0), aligned), beats(20, 1)
    normal = discords.distances(x, memory).max(1).values
    x[:, 0, 70:80] += 0.3
    odd = discords.distances(x, memory)
    assert odd.max(1).values.min() > normal.max()
    where = discords.unlike(x, memory)
    assert (where[:, 0].argmax(1) // 10 == 7).double().mean() > 0.9
    assert (where[:, 0].amax(1) > where[:, 1].amax(1)).all()  # and in which channel


def test_time_counts_where_series_are_taken_alike() -> None:
    """The same wave, half a series later, is odd among beats and usual among windows."""
    x = beats(20, 1).roll(48, 2)
    alike, any_time = (
        discords.distances(x, discords.bank(beats(60, 0), aligned)).max(1).values.median()
        for aligned in (True, False)
    )
    assert alike > 2 * any_time


def test_a_memory_of_long_series_with_many_channels_has_room() -> None:
    x = torch.zeros(200, 12, 3000)
    assert discords.bank(x, True).numel() <= 3 * discords.NUMBERS


@pytest.mark.parametrize("T", [5, 24, 140])
def test_a_step_is_as_unlike_as_it_is_off_however_many_stretches_hold_it(T: int) -> None:
    memory = discords.bank(torch.zeros(3, 2, T), True)
    x = torch.full((2, 2, T), 0.5)
    torch.testing.assert_close(discords.unlike(x, memory), x.square())
