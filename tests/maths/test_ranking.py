"""Areas under curves, against scikit-learn, ties included."""

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from twofold.maths.ranking import auroc, average_precision


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_both_agree_with_scikit_learn(decimals: int) -> None:
    abnormal = (torch.randn(40) + 0.7).round(decimals=decimals)
    normal = torch.randn(90).round(decimals=decimals)
    scores, truth = torch.cat([abnormal, normal]), torch.arange(130) < 40
    assert float(auroc(abnormal, normal)) == pytest.approx(roc_auc_score(truth, scores))
    expected = average_precision_score(truth, scores)
    assert float(average_precision(abnormal, normal)) == pytest.approx(expected)


def test_the_ends() -> None:
    low, high = torch.zeros(5), torch.ones(5)
    assert float(auroc(high, low)) == float(average_precision(high, low)) == 1
    assert float(auroc(low, high)) == 0
    assert float(auroc(low, low)) == 0.5
