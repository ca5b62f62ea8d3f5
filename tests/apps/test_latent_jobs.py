"""What is asked of every decoder: its code can be projected, and its directions found."""

from __future__ import annotations

import torch

from twofold.apps.projecting import Target, descend, nearest_draws
from twofold.core.batch import Batch, Given
from twofold.core.build import options
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Quantises
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.maths.latents import Z
from twofold.models import families
from twofold.models.gan import GAN
from twofold.nets.bodies import Architecture, Conv, Dense, Suited
from twofold.nets.refining import Refiner
from twofold.nets.scales import Widths
from twofold.nets.wiring import early, entering

SMALL = {Architecture: Suited(Dense(8, 1), Conv(4)), Widths: Widths(4, 2), Refiner: Refiner(4, 1)}
TABLE = Space((Field("a", Real()), Field("b", Category(("u", "v")), missing=True)))
GRID = Space((Field("pixel", Bounded(0.0, 255.0, 256)),), (5, 5))
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))
ROUNDS = {"lapgan"}
"""What it decodes is rounded to whole levels."""


def decoders(space: Space) -> list[tuple[str, Decodes]]:
    """A narrow network of every family that decodes a code that can be moved."""
    found = []
    for name, family in families().items():
        if not issubclass(family, Decodes) or issubclass(family, Quantises):
            continue
        sorts = options(family, ("space", "given"))
        parts = {k: SMALL[o.annotation] for k, o in sorts.items() if o.annotation in SMALL}
        torch.manual_seed(0)
        try:
            found.append((name, family(space, LABEL, **parts).eval().requires_grad_(False)))
        except UserError:
            continue  # it is for other data
    return found  # type: ignore[return-value]


def batch(space: Space) -> Batch:
    torch.manual_seed(1)
    values = torch.rand(3, space.size, *space.axes)
    values = (255 * values).round() if space.axes else values.round()
    return Batch.of(space.encode(values), Given.none(3, LABEL))


def test_every_decoder_comes_nearer_to_what_is_asked() -> None:
    seen = set()
    for space in (GRID, TABLE):
        for name, model in decoders(space):
            rows = batch(space)
            target, place = Target.of(space, rows.x, 0.0), Z(model)
            start = place.draw(rows.given)
            scale = torch.ones(start.shape[1:])
            if name in ROUNDS and space.axes:
                continue
            code = descend(place, target, rows.given, start, scale, 20)
            before, after = (
                target.residual(place.decode(c, rows.given).mean) for c in (start, code)
            )
            assert (after < before).all(), (name, before, after)
            seen.add(name)
    assert len(seen) > 10


def test_the_start_is_the_nearest_of_many_draws_with_and_without_a_condition() -> None:
    """Each observation starts nearer than its own draw does on average, under what it is given."""
    for given in (LABEL, Space()):
        torch.manual_seed(0)
        rows = Batch.of(batch(GRID).x, Given.none(3, given))
        model = GAN(GRID, given, generator=Dense(8, 1), critic=Dense(8, 1)).requires_grad_(False)
        target, place = Target.of(GRID, rows.x, 0.0), Z(model)
        chosen, any_draw = nearest_draws(place, target, rows.given), place.draw(rows.given)
        near, far = (target.residual(place.decode(z, rows.given).mean) for z in (chosen, any_draw))
        assert (near <= far).all()


def test_every_decoder_has_features_and_linear_maps_of_its_code() -> None:
    for space in (GRID, TABLE):
        for name, model in decoders(space):
            given = Given.none(6, LABEL)
            z = Z(model).draw(given)

            def decode(code: torch.Tensor, model: Decodes = model) -> torch.Tensor:
                return model.decode(code, Given.none(len(code), LABEL)).mean

            assert isinstance(model, torch.nn.Module)
            assert early(model, decode, z).shape[0] == 6
            maps = entering(model, decode, z)
            assert maps, name
            assert all(A.shape[1:] == (z.shape[1],) for A in maps)


def test_what_is_missing_does_not_count() -> None:
    x = TABLE.encode(torch.tensor([[1.0, torch.nan], [1.0, 0.0]]))
    target = Target.of(TABLE, x, 0.0)
    other = TABLE.encode(torch.tensor([[3.0, 1.0], [1.0, 1.0]]))
    torch.testing.assert_close(target.squared(other), torch.tensor([4.0, 2.0 / 3]))
    assert target.nearest(other).tolist() == [1, 1]


def test_features_count_beside_pixels() -> None:
    torch.manual_seed(0)
    x, other = torch.rand(2, 2, 1, 5, 5)
    plain, both = Target.of(GRID, x, 0.0), Target.of(GRID, x, 0.5)
    assert (both(other) > plain(other)).all()
    torch.testing.assert_close(both(x), torch.zeros(2))
