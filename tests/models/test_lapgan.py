"""The pyramid: exact both ways, a game a level at the same parameters, and drawn coarse to fine."""

import pytest
import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.adversarial import NonSaturating
from twofold.maths.guidance import guided
from twofold.models.lapgan import LAPGAN
from twofold.nets.bodies import Conv
from twofold.nets.refining import Refiner
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

NOTHING = Space()
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))
SIZES = [(28, 28), (13, 9), (64, 78), (21,), (2, 5, 6), (4, 4)]


def space_of(axes: tuple[int, ...]) -> Space:
    return Space((Field("pixel", Bounded(0, 1), 2),), axes)


def lapgan(space: Space, given: Space = NOTHING, **options: object) -> LAPGAN:
    torch.manual_seed(0)
    conv = Conv(4)
    chosen = {"noise": 4, "generator": conv, "critic": conv, "refiner": Refiner(4, 1)}
    model = LAPGAN(space, given, **chosen | {"features": 8} | options)  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axes", SIZES)
def test_a_pyramid_is_rebuilt_exactly(axes: tuple[int, ...]) -> None:
    model, x = lapgan(space_of(axes)), torch.randn(3, 2, *axes)
    levels = model.pyramid(x)
    assert [level.h.shape[2:] for level in levels] == model.scales.sizes
    assert not levels[0].l.any()
    torch.testing.assert_close(model.rebuilt(levels), x, rtol=0, atol=1e-12)
    torch.testing.assert_close(levels[-1].image, x, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axes", SIZES[:-1])
def test_detail_adds_nothing_to_what_is_coarser(axes: tuple[int, ...]) -> None:
    """d(h_k) = 0: the residual of a level has no part in the levels below."""
    model, x = lapgan(space_of(axes)), torch.randn(3, 2, *axes)
    for k, level in enumerate(model.pyramid(x)[1:], 1):
        shrunk = model.scales.shrinks[k - 1](level.h)
        torch.testing.assert_close(shrunk, torch.zeros_like(shrunk), rtol=0, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_each_level_plays_the_game_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goodfellow's losses at every level, written by hand upon real coarse observations."""
    model = lapgan(space_of((9,)), LABEL, objective=NonSaturating(), penalties=())
    x, c = torch.rand(4, 2, 9), LABEL.encode(torch.tensor([[0.0], [1.0], [1.0], [0.0]]))
    noise = {n: torch.randn(4, n) for n in model.noise}
    monkeypatch.setattr(torch, "randn_like", lambda like: noise[like.shape[1]])
    first, second = model.play(Batch.of(x, Given(c)), Progress())
    assert list(first.losses) == ["critic0", "critic1", "critic2"]
    assert list(second.losses) == ["generator0", "generator1", "generator2"]
    small = model.scales.reduce(x, 0)
    middle, full = model.scales.reduce(x, 1), x
    pairs = [(small, None), (middle, model.scales.resizes[0](small)),
             (full, model.scales.resizes[1](middle))]  # fmt: skip
    for k, (image, low) in enumerate(pairs):
        if low is None:
            drawn = model.coarse(noise[4], c).mean
            real, fake = model.critics[0](image, c), model.critics[0](drawn, c)
        else:
            h = model.refiners[k - 1](torch.cat([low, noise[low.shape[2]].unsqueeze(1)], 1), c)
            real = model.critics[k](torch.cat([image, low], 1), c)
            fake = model.critics[k](torch.cat([low + h, low], 1), c)
        told = -(real.sigmoid().log() + (1 - fake.sigmoid()).log()).mean()
        torch.testing.assert_close(first.losses[f"critic{k}"], told)
        torch.testing.assert_close(second.losses[f"generator{k}"], -fake.sigmoid().log().mean())


def test_a_level_teaches_itself_alone() -> None:
    model = lapgan(space_of((9,)))
    for turn in model.play(Batch.of(torch.rand(4, 2, 9)), Progress()):
        for name, loss in turn.losses.items():
            side = name.rstrip("0123456789")
            fellows = [p for other, nets in model.players().items()
                       if other != name and other.startswith(side)
                       for net in nets for p in net.parameters()]  # fmt: skip
            slopes = torch.autograd.grad(loss, fellows, retain_graph=True, allow_unused=True)
            assert all(g is None for g in slopes)


def test_sampling_stands_each_level_on_the_one_drawn_below() -> None:
    model = lapgan(space_of((13, 9)))
    seen: list[Tensor] = []

    def watch(net: nn.Module, inputs: tuple[Tensor, Tensor], out: Tensor) -> None:
        seen.append(inputs[0][:, :-1] + out)  # l + h̃ of this level

    model.coarse.register_forward_hook(lambda net, inputs, out: seen.append(out.mean))
    lows: list[Tensor] = []
    for net in model.refiners:
        net.register_forward_hook(watch)
        net.register_forward_pre_hook(lambda net, inputs: lows.append(inputs[0][:, :-1]))
    z = torch.randn(2, model.latent)
    x = model.decode(z, Given.none(2, NOTHING)).mean
    assert len(seen) == len(model.scales)
    for up, below, low in zip(model.scales.resizes, seen, lows, strict=False):
        assert up(below).equal(low)
    torch.testing.assert_close(x, seen[-1].clamp(0, 1))


def test_a_judgement_is_the_sum_over_the_levels() -> None:
    model = lapgan(space_of((9, 9)))
    x, given = torch.rand(3, 2, 9, 9), Given.none(3, NOTHING)
    logits = [
        model.judge_level(k, level.l, given, level.image)
        for k, level in enumerate(model.pyramid(x))
    ]
    assert len(logits) == 3
    torch.testing.assert_close(model.judge(x, given), sum(logits))


def test_guidance_reaches_the_picture() -> None:
    model, z = lapgan(space_of((9,)), LABEL), torch.randn(3, 4 + 5 + 9)
    full = model.decode(z, Given(LABEL.encode(torch.tensor([[0.0], [1.0], [1.0]]))))
    null = model.decode(z, Given.none(3, LABEL))
    assert guided(full, null, 1.0).mean.equal(full.mean)
    assert guided(full, null, 0.0).mean.equal(null.mean)
    assert not guided(full, null, 2.0).mean.equal(full.mean)


def test_a_small_picture_has_one_level_and_is_a_plain_gan() -> None:
    model = lapgan(space_of((8, 8)), coarsest=8)
    assert list(model.players()) == ["critic0", "generator0"]
    assert model.latent == 4


def test_rows_are_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="lapgan paints grids of 1 to 3 axes"):
        LAPGAN(Space((Field("v", Real(), 3),)), NOTHING)


def test_trained_the_fine_level_fits_the_coarse_one() -> None:
    """Series that fall within each pair of places: the detail is known from what is coarse."""
    space = Space((Field("v", Bounded(0, 1)),), (8,))
    coarse = 0.3 + 0.4 * torch.rand(200, 1, 4).repeat_interleave(2, 2)
    sign = torch.tensor([1.0, -1.0]).repeat(4)
    model = lapgan(space, refiner=Refiner(16, 1))
    feed = Feed(
        Memory(coarse + 0.2 * sign, torch.zeros(200, 0)), space, NOTHING, 16, 0, torch.device("cpu")
    )
    loop = Loop(model, feed, Training(steps=120, batch=16, lr=5e-3, betas=(0.0, 0.99), average=0))
    while not loop.done:
        loop.advance()
    x = model.sample(Given.none(200, NOTHING))
    falls = x[:, 0, 0::2] - x[:, 0, 1::2]
    assert (falls > 0).float().mean() > 0.9
    assert falls.mean().item() == pytest.approx(0.4, abs=0.2)
