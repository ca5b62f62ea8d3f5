"""Networks for anomaly scores: their centre, their encoder, their memory."""

import pytest
import torch

from twofold.core.batch import Batch
from twofold.core.space import Bounded, Field, Real, Space
from twofold.models.gan import GAN
from twofold.nets import patches
from twofold.nets.bodies import Conv, Dense
from twofold.nets.inversion import Inverted, encoder_for, inverted, unlike
from twofold.nets.svdd import NOUGHT, SVDD, fitted

VECTOR = Space((Field("v", Real(), 3),))


def test_a_sphere_shrinks_and_does_not_collapse() -> None:
    """Normal rows come near the centre; the centre stays, no layer has a bias, others stay away."""
    torch.manual_seed(0)
    net = SVDD(Dense(32, 1), VECTOR, 4)
    assert not [name for name, _ in net.named_parameters() if name.endswith("bias")]
    x = torch.randn(256, 3) * 0.3 + torch.tensor([1.0, 2.0, -1.0])
    x = x / x.norm(dim=1, keepdim=True)  # without biases twice x is twice φ: of one length here
    before = net(x).mean(0)
    fitted(net, x, steps=1, lr=0.0)
    start, centre = net.distance(x).mean(), net.centre.clone()
    assert (centre.abs() >= NOUGHT - 1e-6).all()
    kept = before.abs() > NOUGHT
    torch.testing.assert_close(centre[kept], before[kept])
    fitted(net, x, steps=300, lr=1e-2)
    assert net.distance(x).mean() < 0.5 * start
    assert net.distance(-x).mean() > 10 * net.distance(x).mean()


def test_a_convolutional_sphere_has_no_bias() -> None:
    space = Space((Field("pixel", Bounded(0.0, 255.0, 256)),), (8, 8))
    net = SVDD(Conv(4), space, 4)
    assert not [name for name, _ in net.named_parameters() if name.endswith("bias")]
    assert net.distance(torch.rand(2, 1, 8, 8)).isfinite().all()


def test_an_encoder_is_trained_and_the_generator_left_alone() -> None:
    torch.manual_seed(0)
    gan = GAN(VECTOR, Space(), latent=2, generator=Dense(16, 1), critic=Dense(16, 1)).eval()
    weights = {name: p.clone() for name, p in gan.named_parameters()}
    gan.requires_grad_(False)
    rows = Batch.of(gan.sample(Batch.of(torch.zeros(128, 3)).given))  # what it can bring back
    body = encoder_for(Dense(32, 1), gan)
    fresh = Inverted(gan, body)

    @torch.no_grad()
    def loss(one: Inverted) -> float:
        z = one.encode(rows.x, rows.given).point
        return float(unlike(one, rows.x, rows.given, z).mean())

    before = loss(fresh)
    with torch.no_grad():  # as scoring calls it
        after = loss(inverted(gan, body, rows, steps=150, lr=1e-2))
    assert after < 0.2 * before
    assert all(p.equal(weights[name]) for name, p in gan.named_parameters())


def test_a_coreset_covers_as_greedily_as_by_hand() -> None:
    points = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))
    chosen = patches.coreset(points, 8)
    by_hand = [points[0]]
    while len(by_hand) < 8:
        away = torch.cdist(points, torch.stack(by_hand)).min(1).values
        by_hand.append(points[away.argmax()])
    assert chosen.equal(torch.stack(by_hand))


@pytest.mark.parametrize("aligned", [True, False])
def test_a_stain_is_found_where_it_is(aligned: bool) -> None:
    stream = torch.Generator().manual_seed(0)
    pictures = 0.5 + 0.05 * torch.randn(24, 1, 64, 64, generator=stream)
    memory = patches.bank(pictures[:20], aligned)
    stained = pictures[20:].clone()
    stained[:, :, 40:56, 8:24] = 0.0
    clean, found = (patches.distances(p, memory) for p in (pictures[20:], stained))
    assert found.shape == (4, 8, 8)
    assert (found.flatten(1).max(1).values > 2 * clean.flatten(1).max(1).values).all()
    places = found.flatten(1).argmax(1)
    assert (((places // 8) >= 4) & ((places // 8) <= 7) & (places % 8 <= 3)).all()
