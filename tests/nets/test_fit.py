"""The plain fit repeats itself and converges; the evaluators tell apart what they should."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from twofold.nets.evaluators import ImageClassifier, SeriesClassifier, SeriesPredictor, groups
from twofold.nets.fit import fit, minibatches


def regression() -> tuple[Tensor, Tensor]:
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    return x, x @ torch.tensor([[1.0], [-2.0], [0.5]])


def fitted(seed: int = 0, before: int = 1) -> Tensor:
    x, y = regression()
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    torch.rand(before)  # what others have drawn from the global stream
    return torch.cat([p.flatten() for p in fit(net, x, y, F.mse_loss, steps=20, seed=seed)
                      .parameters()]).detach()  # fmt: skip


def test_equal_arguments_give_equal_parameters_whatever_came_before() -> None:
    first = fitted()
    assert torch.equal(first, fitted(before=7))
    assert not torch.equal(first, fitted(seed=1))


def test_fit_leaves_the_random_stream_alone_and_works_under_no_grad() -> None:
    x, y = regression()
    net = nn.Linear(3, 1)
    before = torch.get_rng_state()
    with torch.no_grad():
        fit(net, x, y, F.mse_loss, steps=400, lr=0.05)
    assert torch.equal(before, torch.get_rng_state())
    assert not net.training
    assert net.weight.flatten().tolist() == pytest.approx([1, -2, 0.5], abs=1e-2)


def test_minibatches_show_every_row_equally_often() -> None:
    draw = minibatches(7, 3, seed=0)
    epochs = [torch.cat([next(draw), next(draw)]) for _ in range(4)]
    assert all(len(rows.unique()) == 6 for rows in epochs)
    assert next(minibatches(5, 99, seed=0)).sort().values.tolist() == [0, 1, 2, 3, 4]


def test_image_classifier_reads_digits() -> None:
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    y = torch.tensor(digits.target)
    net = fit(ImageClassifier(1, (8, 8), 10), x[:1200], y[:1200], F.cross_entropy, steps=150)
    assert float((net(x[1200:]).argmax(1) == y[1200:]).float().mean()) > 0.9


@pytest.mark.parametrize(("channels", "size"), [(1, (1, 1)), (4, (5, 17)), (3, (64, 48))])
def test_image_classifier_takes_any_size(channels: int, size: tuple[int, int]) -> None:
    assert ImageClassifier(channels, size, 3)(torch.rand(2, channels, *size)).shape == (2, 3)


def test_groups_divide() -> None:
    assert [groups(width) for width in (1, 3, 8, 24, 48)] == [1, 1, 2, 6, 12]


def waves(rows: int, step: float, seed: int) -> Tensor:
    """Sines (rows, 1, 20) of random phase."""
    phase = 6.3 * torch.rand(rows, 1, 1, generator=torch.Generator().manual_seed(seed))
    return torch.sin(phase + step * torch.arange(20.0))


def test_series_classifier_tells_two_frequencies_apart_and_not_one() -> None:
    def accuracy(other: float) -> float:
        x = torch.cat([waves(400, 0.5, 0), waves(400, other, 1)])
        y = torch.cat([torch.zeros(400), torch.ones(400)]).long()
        shown = torch.arange(800) % 2 == 0
        net = fit(SeriesClassifier(1, 2), x[shown], y[shown], F.cross_entropy, steps=80, lr=2e-2)
        return float((net(x[~shown]).argmax(1) == y[~shown]).float().mean())

    assert accuracy(0.8) > 0.95
    assert accuracy(0.5) < 0.6


def test_series_predictor_beats_the_last_value_and_never_looks_ahead() -> None:
    x = waves(256, 0.7, 0)
    net = fit(SeriesPredictor(1, 1), x[..., :-1], x[..., 1:], F.l1_loss, steps=200, lr=1e-2)
    unseen = waves(100, 0.7, 1)
    prediction = net(unseen[..., :-1]).detach()
    error = (prediction - unseen[..., 1:]).abs()[..., 3:].mean()
    assert float(error) < 0.5 * float((unseen.diff(dim=-1)).abs().mean())
    changed = unseen.clone()
    changed[..., 10:] = 9
    assert torch.equal(net(changed[..., :-1]).detach()[..., :10], prediction[..., :10])
