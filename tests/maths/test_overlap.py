"""The curves of a score, and the overlap of regions, against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_curve, roc_curve

from twofold.maths.ranking import precision_recall, region_overlap, roc


def scores() -> tuple[torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(0)
    draw = [torch.randn(n, generator=stream, dtype=torch.float64) for n in (30, 50)]
    return (draw[0] + 1).mul(4).round() / 4, draw[1].mul(4).round() / 4  # with ties


def test_the_curves_are_those_of_scikit_learn() -> None:
    abnormal, normal = scores()
    truth = np.r_[np.ones(len(abnormal)), np.zeros(len(normal))]
    values = torch.cat([abnormal, normal]).numpy()
    fpr, tpr, _ = roc_curve(truth, values, drop_intermediate=False)
    false, true = roc(abnormal, normal)
    np.testing.assert_allclose((false, true), (fpr, tpr))
    precision, recall, _ = precision_recall_curve(truth, values)
    ours = precision_recall(abnormal, normal)
    np.testing.assert_allclose(ours[0], recall[:-1][::-1])
    np.testing.assert_allclose(ours[1], precision[:-1][::-1])


def test_regions_count_alike_however_large() -> None:
    """A map that finds the small region alone covers one of two; one that finds neither, none."""
    masks = torch.zeros(1, 20, 20, dtype=torch.bool)
    masks[0, 1:3, 1:3] = masks[0, 8:18, 8:18] = True
    small, noise = (
        torch.zeros(1, 20, 20),
        torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0)),
    )
    small[0, 1:3, 1:3] = 2.0
    normal = noise.masked_fill(masks, -1.0)
    assert region_overlap(normal + small, masks) == pytest.approx(0.5)
    assert region_overlap(normal, masks) == pytest.approx(0.0)
    # chance: a region is covered as much as normal pixels are, so the mean of the curve is half
    chance = torch.rand(1, 200, 200, generator=torch.Generator().manual_seed(1))
    wide = torch.zeros(1, 200, 200, dtype=torch.bool)
    wide[0, 50:150, 50:150] = True
    assert region_overlap(chance, wide) == pytest.approx(0.15, abs=0.01)
