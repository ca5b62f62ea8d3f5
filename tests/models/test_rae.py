"""The regularised autoencoder: its loss term by term, and that its density only follows."""

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress, Scores
from twofold.core.space import Field, Real, Space
from twofold.maths.likelihoods import SquaredError
from twofold.models.rae import RAE
from twofold.nets.bodies import Dense
from twofold.nets.regularisers import L2, GradientPenalty, Regulariser, Spectral, squared_jacobian

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))


SLIGHT = L2()


def rae(regulariser: Regulariser = SLIGHT, depth: int = 1, **options: object) -> RAE:
    torch.manual_seed(0)
    dense = Dense(8, depth)
    squared = (SquaredError(),)
    return RAE(SPACE, Space(), 2, dense, dense, squared, regulariser=regulariser, **options)  # type: ignore[arg-type]


def test_the_loss_is_the_papers() -> None:
    """‖x − D(E(x))‖² + β/2 ‖z‖² + λ ‖θ‖², a mean over the rows."""
    model, x = rae(L2(0.3), beta=0.7), torch.randn(6, 3)
    turn = next(model.play(Batch.of(x), Progress()))
    z = model.E(x, x[:, :0])
    error = (x - model.p.body(z, x[:, :0])).square().sum(1).mean()
    theta = sum(p.square().sum() for p in model.p.parameters())
    expected = error + 0.35 * z.square().sum(1).mean() + 0.3 * theta
    torch.testing.assert_close(turn.losses["autoencoder"], expected)


def test_the_density_follows_and_does_not_lead() -> None:
    """Its turn moves the mixture towards the codes, and gives the autoencoder no gradient."""
    model, x = rae(), torch.randn(6, 3)
    _, turn = model.play(Batch.of(x), Progress())
    players = model.players()
    loss = turn.losses["density"]
    for name, moved in (("autoencoder", False), ("density", True)):
        own = [p for module in players[name] for p in module.parameters()]
        found = torch.autograd.grad(loss, own, allow_unused=True, retain_graph=True)
        assert [g is not None and bool(g.any()) for g in found] == [moved] * len(own)


def test_the_jacobians_norm_is_estimated_without_bias() -> None:
    """Of a linear decoder the Jacobian is its matrix."""
    model = rae(depth=0)
    W = model.p.body.layers[0].weight  # type: ignore[union-attr,index]
    z = torch.zeros(20_000, 2)
    found = squared_jacobian(model.p, z, z[:, :0])
    error = 4 * found.std().item() / len(z) ** 0.5
    assert found.mean().item() == pytest.approx(W.square().sum().item(), abs=error)  # type: ignore[operator]


def test_the_gradient_penalty_teaches_the_decoder() -> None:
    model, x = rae(GradientPenalty(1.0)), torch.randn(6, 3)
    turn = next(model.play(Batch.of(x), Progress()))
    first = model.p.body.layers[0].weight  # type: ignore[union-attr,index]
    z = model.encode(x, Given.none(6, Space())).rsample()
    penalty = model.regulariser(model.p, z, x[:, :0])
    (gradient,) = torch.autograd.grad(penalty, first)  # type: ignore[arg-type]
    assert gradient.any()
    assert turn.notes["roughness"] > 0


def test_a_spectral_decoder_has_singular_values_of_one() -> None:
    model, x = rae(Spectral()), torch.randn(6, 3)
    for step in range(60):
        list(model.play(Batch.of(x), Progress(step)))
    for layer in (model.p.body.layers[0], model.p.body.layers[2]):  # type: ignore[union-attr,index]
        top = torch.linalg.matrix_norm(layer.weight, 2)  # type: ignore[union-attr,arg-type]
        assert top.item() == pytest.approx(1.0, abs=1e-3)
    assert next(model.play(Batch.of(x), Progress(60))).notes["roughness"] == 0


def test_a_point_has_no_likelihood_to_claim() -> None:
    model, x = rae(), torch.randn(2, 3)
    assert not isinstance(model, Scores)
    assert model.encode(x, Given.none(2, Space())).sigma.eq(0).all()
