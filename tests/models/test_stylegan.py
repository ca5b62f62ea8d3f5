"""StyleGAN: path length against the Jacobian, mixing, truncation, and its two running means."""

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.guidance import guided
from twofold.models.stylegan import PathLength, StyleGAN
from twofold.nets.bodies import Conv
from twofold.nets.scales import Widths
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

NOTHING = Space()
GREY = Space((Field("pixel", Bounded(0, 1)),), (6, 5))


def stylegan(space: Space = GREY, given: Space = NOTHING, **options: object) -> StyleGAN:
    torch.manual_seed(0)
    chosen = {"latent": 4, "depth": 2, "widths": Widths(4, 2), "critic": Conv(4), "features": 8}
    return StyleGAN(space, given, **chosen | options)  # type: ignore[arg-type]


def nothing(rows: int) -> Given:
    return Given.none(rows, Space())


@pytest.mark.usefixtures("float64")
def test_the_path_length_is_that_of_the_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    """‖Jᵀy‖ with J written out by torch, and its gradient in the generator's weights."""
    model = stylegan()
    z, y = torch.randn(3, 4), torch.randn(3, 1, 6, 5)
    fixed = iter([z])

    def noise(like: Tensor) -> Tensor:
        known = {z.shape: lambda: next(fixed), y.shape: lambda: y}
        return known[like.shape]() if like.shape in known else torch.zeros_like(like)

    monkeypatch.setattr(torch, "randn_like", noise)
    model.length.mean.fill_(0.3)
    paid = model.unevenness(nothing(3))
    lengths = []
    for row, w in enumerate(model.map(z, nothing(3)).detach()):
        jacobian = torch.autograd.functional.jacobian(
            lambda w: model.synthesise(w.unsqueeze(0)).mean.flatten(), w
        )  # (30, 4)
        lengths.append((y[row].flatten() / 30**0.5 @ jacobian).norm())
    expected = torch.stack(lengths)
    torch.testing.assert_close(paid, (expected - 0.3).square().mean())
    torch.testing.assert_close(model.length.total, expected.sum())
    assert model.length.mean == 0.3  # it moves with the next step, for all parts at once
    generator = [*model.mapping.parameters(), *model.synthesis.parameters()]
    gradients = torch.autograd.grad(paid, generator, allow_unused=True)
    assert any(g is not None and g.any() for g in gradients)


def test_a_share_of_styles_is_mixed_at_one_crossing() -> None:
    for share in (0.0, 0.5, 1.0):
        model = stylegan(mixing=share)
        w, other = torch.zeros(2000, 4), torch.ones(2000, 4)
        styles = model.mixed(w, other)[:, :, 0]  # (B, L)
        assert (styles.diff(dim=1) >= 0).all()  # once the other, always the other
        assert not styles[:, 0].any()
        assert abs(styles[:, -1].mean().item() - share) < 0.05
    crossings = styles.sum(1).unique(return_counts=True)
    assert crossings[0].tolist() == list(range(1, model.synthesis.layers))
    assert crossings[1].min() > 0.7 * crossings[1].max()


def test_truncation_goes_to_the_mean_style() -> None:
    model = stylegan()
    loop = Loop(
        model,
        Feed(Memory(torch.rand(20, 1, 6, 5), torch.zeros(20, 0)), GREY, Space(), 20, 0,
             torch.device("cpu")),
        Training(steps=3, batch=20, lr=1e-6, average=0),
    )  # fmt: skip
    while not loop.done:
        loop.advance()
    w = model.map(torch.randn(3000, 4), nothing(3000))
    torch.testing.assert_close(model.middle.mean, w.mean(0), rtol=0.2, atol=0.1)
    assert model.truncate(w, 1.0).equal(w)
    assert model.truncate(w, 0.0).equal(model.middle.mean.expand_as(w))
    half = model.truncate(w, 0.5)
    torch.testing.assert_close(half.std(0), w.std(0) / 2)
    layered = w[:2].unsqueeze(1).repeat(1, model.synthesis.layers, 1)
    torch.testing.assert_close(model.truncate(layered, 0.5)[:, 0], half[:2])


def test_w_is_w_plus_with_one_style_everywhere() -> None:
    model = stylegan()
    w = model.map(torch.randn(3, 4), nothing(3))
    plus = w.unsqueeze(1).repeat(1, model.synthesis.layers, 1)
    assert model.synthesise(w).mean.equal(model.synthesise(plus).mean)
    z = torch.randn(3, 4)
    assert model.decode(z, nothing(3)).mean.equal(model.synthesise(model.map(z, nothing(3))).mean)


def test_guidance_goes_between_styles_and_beyond() -> None:
    given = Space((Field("label", Category(("low", "high")), missing=True),))
    model, c = stylegan(given=given), Given(given.encode(torch.tensor([[1.0], [0.0]])))
    z = torch.randn(2, 4)
    full, null = model.decode(z, c), model.decode(z, Given.none(2, given))
    for weight in (0.0, 1.0, 3.0):
        between = torch.lerp(null.styles, full.styles, weight)
        assert guided(full, null, weight).styles.equal(between)
    assert not full.styles.equal(null.styles)


def test_the_mean_is_still_and_draws_differ_by_noise() -> None:
    model = stylegan()
    for conv in model.synthesis.convs:
        conv.strength.data.fill_(3.0)
    p = model.synthesise(torch.randn(2, 4))
    assert p.mean.equal(p.mean)
    assert p.mode.equal(p.mode)
    assert not p.sample().equal(p.sample())


def test_path_length_comes_every_so_many_steps() -> None:
    model, batch = stylegan(path=PathLength(every=3)), Batch.of(torch.rand(4, 1, 6, 5))
    seen = []
    for step in range(7):
        list(model.play(batch, Progress(step, 10)))
        seen.append(int(model.length.rows))
    assert seen == [4, 0, 0, 4, 0, 0, 4]
    quiet = stylegan(path=PathLength(weight=0.0))
    list(quiet.play(batch, Progress()))
    assert quiet.length.rows == 0


def test_rows_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        UserError, match="stylegan paints grids of 1 to 3 axes, and this data has 0"
    ):
        StyleGAN(Space((Field("v", Real(), 3),)), Space())


def stripes(rows: int) -> tuple[Tensor, Tensor]:
    """Pictures whose upper or lower half is bright, and which; each of a brightness of its own."""
    label = torch.arange(rows).remainder(2).float().unsqueeze(1)
    upper = torch.zeros(rows, 1, 6, 5)
    upper[:, :, :3] = 1
    bright = 0.6 + 0.4 * torch.rand(rows, 1, 1, 1)
    return bright * torch.where(label.reshape(-1, 1, 1, 1) > 0, upper, 1 - upper), label


def test_trained_it_draws_what_is_asked_for() -> None:
    given = Space((Field("label", Category(("low", "high")), missing=True),))
    values, label = stripes(200)
    model = stylegan(given=given, features=16)
    feed = Feed(Memory(values, label), GREY, given, 16, 0, torch.device("cpu"))
    loop = Loop(model, feed, Training(steps=100, batch=16, lr=5e-3, betas=(0.0, 0.99), average=0))
    while not loop.done:
        loop.advance()
    x = model.sample(Given(given.encode(torch.tensor([[0.0]] * 50 + [[1.0]] * 50))))
    contrast = x[:, 0, :3].mean((1, 2)) - x[:, 0, 3:].mean((1, 2))
    assert contrast[50:].mean() > 0.2
    assert contrast[:50].mean() < -0.2
