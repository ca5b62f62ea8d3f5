"""Scores of predictions against sums written out, and what is taken for the last step."""

import math

import pandas as pd
import pytest
import torch

from twofold.apps.predicting import last, ranked
from twofold.data.kinds.series import Series
from twofold.data.recordings import Onward


@pytest.mark.usefixtures("float64")
def test_the_ranked_score_is_the_sum_over_all_pairs() -> None:
    draws, truth = torch.randn(7, 3, 2, 4), torch.randn(3, 2, 4)
    pairs = (draws[:, None] - draws[None]).abs().mean((0, 1))
    expected = (draws - truth).abs().mean(0) - pairs / 2
    torch.testing.assert_close(ranked(draws, truth), expected)


@pytest.mark.usefixtures("float64")
def test_the_ranked_score_prefers_the_law_that_made_the_data() -> None:
    torch.manual_seed(0)
    truth = torch.randn(4000, 1, 1)
    scores = {
        scale: float(ranked(scale * torch.randn(200, 4000, 1, 1), truth).mean())
        for scale in (0.5, 1.0, 2.0)
    }
    assert min(scores, key=lambda scale: scores[scale]) == 1.0
    assert scores[1.0] == pytest.approx(1 / math.sqrt(math.pi), abs=0.01)  # of N(0, 1) under itself


def test_the_last_known_step_is_repeated_and_of_none_the_mean() -> None:
    frame = pd.DataFrame({"a": [0.0, 1, 2, 3] * 10, "b": [4.0, 4, 6, 6] * 10})
    kind, _ = Series.inspect(frame, window=2, past=3, layout="wide")
    gap = math.nan
    given = torch.tensor([[1.0, 2.0, gap, gap, gap, gap]])
    assert last(kind, given).tolist() == [[2.0, 5.0]]


def test_time_goes_on_over_the_end_of_a_month() -> None:
    assert Onward(86400.0 * 30, 86400.0, "%Y-%m-%d").texts(2) == ["1970-02-01", "1970-02-02"]
