"""Series: scores of worlds whose answers are known."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.measures import worlds
from twofold.core.batch import Batch
from twofold.core.space import Field, Real, Space
from twofold.measures.measure import Evidence
from twofold.measures.series import (
    Autocorrelation,
    Discriminative,
    PowerSpectrum,
    Predictive,
    autocorrelations,
    detuned,
    disordered,
    in_order,
    spectra,
)

SPACE = Space((Field("wave", Real()), Field("walk", Real())), (16,))


def waves(n: int, seed: int, noise: float = 0.1) -> Tensor:
    """A sine of any phase, and an autoregression of coefficient 0.8: (n, 2, 16)."""
    stream = torch.Generator().manual_seed(seed)
    phase = 6.28 * torch.rand(n, 1, generator=stream)
    sine = 1.4 * (torch.arange(16.0) * 0.6 + phase).sin()
    walk = [torch.randn(n, generator=stream)]
    for _ in range(15):
        walk.append(0.8 * walk[-1] + 0.6 * torch.randn(n, generator=stream))
    x = torch.stack([sine, torch.stack(walk, 1)], 1)
    return x + noise * torch.randn(n, 2, 16, generator=stream)


def evidence(fake: Tensor) -> Evidence:
    n = len(fake)
    return Evidence(SPACE, Space(), Batch.of(waves(n, 1)), Batch.of(waves(n, 2)), Batch.of(fake))


def test_draws_of_the_same_law_are_not_told_apart() -> None:
    [found] = Discriminative(repeats=1, steps=100)(evidence(waves(400, 3)))
    assert found.value < 0.1
    assert found.floor < 0.1
    assert found.baseline > 0.35


def test_noisier_draws_are_told_apart() -> None:
    [noisy] = Discriminative(repeats=1, steps=100)(evidence(waves(400, 3, noise=1.0)))
    assert noisy.low > 0.2


def test_what_is_learnt_from_the_same_law_predicts_as_well_as_from_real() -> None:
    [same] = Predictive(repeats=1, steps=100)(evidence(waves(400, 3)))
    [other] = Predictive(repeats=1, steps=100)(evidence(disordered(waves(400, 3), 0)))
    assert same.value == pytest.approx(same.floor, rel=0.1)
    assert other.low > 1.2 * same.high
    assert other.value == pytest.approx(other.baseline, rel=0.2)


def test_autocorrelation_of_an_autoregression_is_its_power() -> None:
    found = autocorrelations(waves(20_000, 0, noise=0.0))[1, :4]
    assert found.tolist() == pytest.approx([0.8, 0.64, 0.512, 0.41], abs=0.02)


def test_autocorrelation_sees_shuffled_time() -> None:
    [same] = Autocorrelation()(evidence(waves(400, 3)))
    [other] = Autocorrelation()(evidence(disordered(waves(400, 3), 0)))
    assert same.value < 0.05
    assert other.low > 0.2
    assert other.value == pytest.approx(other.baseline, abs=0.05)


@pytest.mark.parametrize("steps", [15, 16])
def test_the_power_of_all_frequencies_is_the_mean_square(steps: int) -> None:
    x = waves(300, 0)[..., :steps].double()
    squares = (x - x.mean((0, 2), keepdim=True)).square().mean((0, 2))
    assert spectra(x).sum(1).tolist() == pytest.approx(squares.tolist())


def test_the_spectrum_of_an_autoregression_is_the_known_one() -> None:
    """P(f) = σ² / |1 − φ exp(−iω)|², of long windows, whose ends leak little."""
    stream = torch.Generator().manual_seed(0)
    walk = [torch.randn(2000, generator=stream)]
    for _ in range(255):
        walk.append(0.5 * walk[-1] + 0.75**0.5 * torch.randn(2000, generator=stream))
    found = spectra(torch.stack(walk, 1)[:, None])[0, 1:-1]
    omega = 2 * torch.pi * torch.arange(1, 128) / 256
    known = 2 / 256 * 0.75 / (1.25 - omega.cos())
    assert (found / known - 1).abs().max() < 0.15


def test_waves_twice_as_high_or_of_another_pitch_are_seen() -> None:
    """Four times the power is (4 − 1) / (4 + 1) away; what has no frequency in common is 1 away."""
    time = torch.arange(16.0) * 2 * torch.pi / 16
    low, high = (f * time + torch.arange(8.0)[:, None] for f in (2, 5))
    assert float(detuned(low.sin()[:, None], 2 * low.sin()[:, None])) == pytest.approx(0.6)
    assert float(detuned(low.sin()[:, None], high.sin()[:, None])) == pytest.approx(1, abs=1e-6)


def test_the_spectrum_sees_shuffled_time() -> None:
    [same] = PowerSpectrum()(evidence(waves(400, 3)))
    [other] = PowerSpectrum()(evidence(disordered(waves(400, 3), 0)))
    assert same.value < 0.06
    assert other.low > 0.2
    assert other.value == pytest.approx(other.baseline, abs=0.05)


def test_shuffled_time_keeps_the_steps_of_all_channels_together() -> None:
    x = torch.arange(24.0).reshape(2, 3, 4)
    mixed = disordered(x, 0)
    assert torch.equal(mixed.sort(2).values, x)
    assert torch.equal(mixed[:, 1] - mixed[:, 0], x[:, 1] - x[:, 0])


def test_held_out_windows_are_the_last_in_time() -> None:
    order = torch.tensor([3, 0, 2, 1])
    batch = Batch(order[:, None].float(), Batch.of(order[:, None]).given, order)
    assert in_order(batch).x[:, 0].tolist() == [0, 1, 2, 3]


def test_without_training_windows_real_ones_are_halved() -> None:
    whole = evidence(waves(120, 3))
    [found] = Discriminative(repeats=1)(replace(whole, train=whole.train[:0]))
    assert found.n == 60


def test_what_is_no_series_is_refused() -> None:
    for measure in (Discriminative(), Predictive(), Autocorrelation(), PowerSpectrum()):
        assert measure.refuses(worlds.evidence_of("table", 40)) == "it is for series"
        assert "needs 20 windows" in measure.refuses(worlds.evidence_of("series", 8))
