"""The law of graphs: a family written down answers as it does, whatever the number of rows."""

import pytest
import torch
from torch import Tensor, nn

from tests.contract.conftest import small, values_of
from twofold.apps.graphs import Graph, installed
from twofold.apps.pieces import TOLERANCE, farthest
from twofold.core.batch import Given
from twofold.core.game import Decodes, Encodes, Model
from twofold.core.space import Space

pytestmark = pytest.mark.skipif(not installed(), reason="the extra export is not installed")


class ThereAndBack(nn.Module):
    """x, by its mean code, to what is likeliest of that; where nothing encodes, x is the code."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.held = (model,)  # no part of it, as a run is none of a piece: weights are constants

    def forward(self, x: Tensor, *c: Tensor) -> tuple[Tensor]:
        (model,), given = self.held, Given(c[0])
        z = model.encode(x, given).mean if isinstance(model, Encodes) else x
        assert isinstance(model, Decodes)
        return (model.decode(z, given).mode,)


def test_a_graph_of_any_family_answers_as_it_does(
    family: type[Model], toy: tuple[Space, Space]
) -> None:
    """Traced with three rows, it takes five, of which nothing is given."""
    model = small(family, *toy).eval()
    if not isinstance(model, Decodes):
        pytest.skip("it has no code")
    torch.manual_seed(1)
    space, given = toy
    encodes = isinstance(model, Encodes)
    x = space.encode(values_of(space, 5)) if encodes else torch.randn(5, model.latent)
    inputs = {"x": x, "c": Given.none(5, given).c}
    network = ThereAndBack(model)
    graph = Graph.of(network, {name: t[:3] for name, t in inputs.items()}, ["mode"])
    with torch.no_grad():
        (expected,) = network(*inputs.values())
    assert expected.isfinite().all()
    assert farthest(graph(inputs)["mode"], expected) <= TOLERANCE
