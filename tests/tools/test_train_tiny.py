"""The training script repeats itself, folds exactly, and names the amounts of its degradations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tools.train_tiny import Learner, degraded, drawers, drawn, saved, standardised, trained


@pytest.fixture(scope="module", autouse=True)
def photographs() -> None:
    pytest.importorskip("skimage")


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    def digest(seed: int) -> str:
        data = drawn(96, seed)
        tiny = standardised(trained(data, 2, seed).eval().folded(), data.images)
        return saved(tiny, tmp_path / "tiny.safetensors")

    assert digest(0) == digest(0)
    assert digest(0) != digest(1)


def test_folding_keeps_the_function() -> None:
    learner = Learner(5)
    images = torch.rand(16, 3, 64, 64)
    for _ in range(3):
        learner(images)  # moves the running moments
    learner.eval()
    f = learner.folded()(images)
    standard = learner.standard(f)
    kinds, _, _ = learner(images)
    assert torch.allclose(learner.heads[0](standard), kinds, atol=1e-4)


def test_classes_come_in_turn_and_look_different() -> None:
    makers, flat = drawers()
    data = drawn(2 * len(makers), 0)
    assert data.kinds == len(makers) == 94
    assert data.classes[:94].tolist() == data.classes[94:].tolist()
    assert int(data.upright.sum()) == 2 * (94 - flat)
    assert data.factors.isfinite().all()
    assert (data.images.float().flatten(1).std(1) > 0).float().mean() > 0.9


def test_degradation_tells_its_true_resolution() -> None:
    rng = np.random.default_rng(0)
    picture = rng.uniform(size=(64, 64, 3))
    for _ in range(20):
        image, amounts = degraded(picture, rng)
        assert isinstance(image, Image.Image)
        assert 2 ** (amounts[3] + 5) == pytest.approx(image.width)
        assert ((amounts[:3] >= 0) & (amounts[:3] <= 1)).all()
