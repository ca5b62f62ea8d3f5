"""Seeds that are far apart for numbers that are close."""

import torch

from twofold.train.chance import generator, mix


def test_every_coordinate_and_its_place_counts() -> None:
    seeds = {mix(a, b, c) for a in range(20) for b in range(20) for c in range(20)}
    assert len(seeds) == 8000
    assert all(0 <= seed < 1 << 63 for seed in seeds)


def test_neighbours_share_no_bits() -> None:
    """A change of one flips each of the 63 bits about half of the time."""
    flips = [bin(mix(3, n) ^ mix(3, n + 1)).count("1") for n in range(500)]
    assert abs(sum(flips) / len(flips) - 31.5) < 1


def test_a_generator_is_its_own() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draw = torch.rand(3, generator=generator(1, 2))
    assert torch.get_rng_state().equal(before)
    assert torch.rand(3, generator=generator(1, 2)).equal(draw)
