"""Looking at a model leaves no trace, and intervals cover."""

from math import isnan

import pytest
import torch
from torch import nn

from twofold.core.batch import Batch
from twofold.measures.estimate import chunks, mean, resampled, some, steady


def test_modes_randomness_and_gradients_are_put_back() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    net[0].eval()
    before = torch.get_rng_state()
    with steady(net, 3):
        assert not any(module.training for module in net.modules())
        torch.rand(3)
    assert [net.training, net[0].training, net[1].training] == [True, False, True]
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.is_inference_mode_enabled()


def test_modes_are_put_back_after_an_error() -> None:
    net = nn.Dropout()
    try:
        with steady(net, 0):
            raise ValueError
    except ValueError:
        assert net.training


def test_an_interval_covers_nineteen_times_in_twenty() -> None:
    hits = 0
    for seed in range(50):
        estimate = mean(torch.randn(60, generator=torch.Generator().manual_seed(seed)), seed)
        hits += estimate.low <= 0 <= estimate.high
    assert 0.88 <= hits / 50 <= 0.99


def test_a_ratio_is_that_of_the_means() -> None:
    terms = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
    estimate = resampled(terms, lambda means: means[0] / means[1], 0)
    assert estimate.value == 1
    assert estimate.low == 0.5
    assert estimate.high == 1.5


def test_some_rows_are_distinct_and_chunks_are_all_of_them() -> None:
    batch = Batch.of(torch.arange(10.0)[:, None])
    assert len(set(some(batch, 4, 0).x.flatten().tolist())) == 4
    assert sorted(some(batch, 99, 1).rows.tolist()) == list(range(10))
    assert torch.equal(torch.cat([part.x for part in chunks((), batch, 3)]), batch.x)


def test_a_single_observation_has_a_value_and_no_interval() -> None:
    one = mean(torch.tensor([0.3433]), seed=0)
    assert round(one.value, 4) == 0.3433
    assert isnan(one.low)
    assert isnan(one.high)
    share = resampled(torch.tensor([[1.0, 4.0]]), lambda m: m[0] / m[1], seed=0)
    assert share.value == 0.25
    assert isnan(share.low)


@pytest.mark.parametrize("truth", [0.0, 0.01, 0.3, 1.0])
def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says(truth: float) -> None:
    stream = torch.Generator().manual_seed(0)
    draws = (torch.rand(1000, 60, generator=stream) < truth).double()
    each = [mean(terms, seed=0) for terms in draws]
    assert sum(one.low <= truth <= one.high for one in each) > 900
    assert all(0 <= one.low < one.high <= 1 for one in each)
