"""Growing: continuous at the switch, asleep until then, and resumed in mid-fade to the bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.adversarial import Objective, Relativistic, Wasserstein
from twofold.maths.growth import AtOnce, Even, Grown
from twofold.maths.penalties import R1, R2, GradientPenalty, Penalty
from twofold.models.progressive import Progressive
from twofold.nets.company import Deviation
from twofold.nets.scales import Widths
from twofold.train.feed import Feed
from twofold.train.loop import Loop, State
from twofold.train.options import Training

NOTHING = Space()
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))
SIZES = [(28, 28), (13, 9), (21,), (2, 5, 6)]


def space_of(axes: tuple[int, ...]) -> Space:
    return Space((Field("pixel", Bounded(0, 1), 2),), axes)


def progressive(space: Space, given: Space = NOTHING, **options: object) -> Progressive:
    torch.manual_seed(0)
    chosen = {"latent": 4, "widths": Widths(4, 2), "features": 8}
    model = Progressive(space, given, **chosen | options)  # type: ignore[arg-type]
    for parameter in model.parameters():  # nothing at nought, which would hide mistakes
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


def switches(model: Progressive) -> list[tuple[Grown, Grown]]:
    """Each stage whole, and the next of which nothing is there yet."""
    return [(Grown(s, 1.0), Grown(s + 1, 0.0)) for s in range(len(model.scales) - 1)]


@pytest.mark.parametrize("axes", SIZES)
def test_the_players_and_the_data_are_continuous_at_the_switch(axes: tuple[int, ...]) -> None:
    model = progressive(space_of(axes), LABEL, company=Deviation())
    z, x = torch.randn(3, 4), torch.rand(3, 2, *axes)
    c = LABEL.encode(torch.tensor([[0.0], [1.0], [1.0]]))
    assert switches(model)
    for old, new in switches(model):
        drawn = [model.generator(z, c, grown) for grown in (old, new)]
        torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=1e-6)
        judged = [model.critic(x, c, grown) for grown in (old, new)]
        torch.testing.assert_close(judged[0], judged[1], rtol=0, atol=1e-6)
        shown = [model.faded(x, grown) for grown in (old, new)]
        torch.testing.assert_close(shown[0], shown[1], rtol=0, atol=1e-6)
        half = model.generator(z, c, Grown(new.stage, 0.5))
        assert (half - drawn[0]).abs().max() > 1e-3  # and then it moves


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("objective", "penalties"),
    [(Relativistic(), (R1(), R2())), (Wasserstein(), (GradientPenalty(),))],
)
def test_the_game_is_continuous_at_the_switch(
    objective: Objective, penalties: tuple[Penalty, ...]
) -> None:
    """The losses of both players, penalties and all, and the gradients of what was awake."""
    model = progressive(space_of((13, 9)), objective=objective, penalties=penalties)
    batch = Batch.of(torch.rand(4, 2, 13, 9))
    for old, new in switches(model):
        seen = []
        for grown in (old, new):
            object.__setattr__(model, "growth", lambda t, stages, at=grown: at)
            torch.manual_seed(1)
            losses = [
                loss for turn in model.play(batch, Progress()) for loss in turn.losses.values()
            ]
            gradients = torch.autograd.grad(
                sum(losses), list(model.parameters()), allow_unused=True
            )
            seen.append((torch.stack(losses), gradients))
        (before, sloped), (after, slopes) = seen
        torch.testing.assert_close(before, after, rtol=0, atol=1e-6)
        for g, h in zip(sloped, slopes, strict=True):
            if g is not None:
                assert h is not None
                torch.testing.assert_close(g, h, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("axes", SIZES)
def test_a_picture_of_a_stage_is_as_coarse_as_that_and_sharp_when_shrunk(
    axes: tuple[int, ...],
) -> None:
    """What is drawn at a stage is its own projection, as are the real observations beside it."""
    model = progressive(space_of(axes))
    for stage in range(len(model.scales)):
        for x in (
            model.generator(torch.randn(2, 4), torch.zeros(2, 0), Grown(stage, 1.0)),
            model.faded(torch.rand(2, 2, *axes), Grown(stage, 1.0)),
        ):
            torch.testing.assert_close(model.projected(x, stage), x, rtol=0, atol=1e-5)
            colours = x[0, 0].unique()
            assert len(colours) <= model.scales.places(stage)
    whole = torch.rand(2, 2, *axes)
    torch.testing.assert_close(model.faded(whole, Grown(stage, 1.0)), whole)


def loop_of(model: Progressive, steps: int, **options: object) -> Loop:
    torch.manual_seed(3)
    values = torch.rand(11, *model.space.shape)
    feed = Feed(Memory(values, torch.zeros(11, 0)), model.space, NOTHING, 4, 0, torch.device("cpu"))
    return Loop(model, feed, Training(**{"steps": steps, "batch": 4, "average": 0.05, **options}))


def test_what_sleeps_has_no_gradient_and_does_not_move() -> None:
    """By stages: what trains grows by one block, one layer that paints and one that reads."""
    model = progressive(space_of((16,)), growth=Even(fade=0.5))
    loop = loop_of(model, 12)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    moved, awake = [], []
    while not loop.done:
        loop.advance()
        state = loop.players["generator"].optimiser.state
        awake.append(sum(p in state for p in model.generator.parameters()))
        still = {n for n, p in model.named_parameters() if p.equal(start[n])}
        moved.append(len(start) - len(still))
        stage = model.grown.stage
        later = [f"blocks.{stage + 1}.", f"paints.{stage + 1}."]
        assert all(f"generator.{k}" in still or stage == 2 for k in names(model, later))
    assert model.grown == Grown(2, 1.0)
    assert moved == sorted(moved)
    assert len(set(awake)) == 3
    assert not [n for n in still if "blocks" in n or "paints" in n or "reads" in n]


def names(model: Progressive, starts: list[str]) -> list[str]:
    return [n for n, _ in model.generator.named_parameters() if n.startswith(tuple(starts))]


def test_a_layer_that_has_faded_out_rests() -> None:
    model = progressive(space_of((8,)), growth=Even(fade=0.5))
    batch = Batch.of(torch.rand(4, 2, 8))
    for t, fading in ((0.2, True), (0.6, True), (0.9, False)):
        model.zero_grad()
        for turn in model.play(batch, Progress(int(100 * t), 100)):
            for loss in turn.losses.values():
                loss.backward()
        assert (model.generator.paints[0].weight.grad is not None) == fading


@pytest.mark.parametrize("midway", [3, 6, 10])
def test_a_run_resumed_in_mid_fade_is_the_uninterrupted_one(midway: int) -> None:
    def fresh() -> Loop:
        return loop_of(progressive(space_of((13,)), company=Deviation(), growth=Even(0.9)), 12)

    straight = fresh()
    while straight.step < midway:
        straight.advance()
    kept = straight.state()
    assert straight.model.grown.fade < 1 or midway == 3  # type: ignore[union-attr]
    ends = advanced(straight)
    resumed = fresh()
    torch.manual_seed(99)
    resumed.load(kept)
    again = advanced(resumed)
    for a, b in ((ends.weights, again.weights), (ends.average, again.average)):
        assert all(a[name].equal(b[name]) for name in a)


def advanced(loop: Loop) -> State:
    while not loop.done:
        loop.advance()
    return loop.state()


@pytest.mark.usefixtures("float64")
def test_the_parts_of_a_batch_are_the_whole_in_mid_fade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, table = Batch.of(torch.rand(5, 2, 13)), torch.randn(5, 4)
    gradients = []
    for parts in ([whole], whole.parts(2)):
        monkeypatch.undo()
        torch.set_default_dtype(torch.float64)
        model = progressive(space_of((13,)), growth=Even(0.9))
        total: dict[str, Tensor] = {}
        for part in parts:
            monkeypatch.setattr(torch, "randn_like", noise_of(table, part))
            for turn in model.play(part, Progress(2, 4)):
                for name, loss in turn.losses.items():
                    own = model.players()[name][0]
                    slopes = torch.autograd.grad(loss, list(own.parameters()), allow_unused=True)
                    for (key, _), g in zip(own.named_parameters(), slopes, strict=True):
                        if g is not None:
                            total[name + key] = total.get(name + key, 0) + g * len(part) / 5
        assert 0 < model.grown.fade < 1
        gradients.append(total)
    assert gradients[0].keys() == gradients[1].keys()
    for key, g in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], g, rtol=1e-8, atol=1e-10)


def noise_of(table: Tensor, part: Batch) -> Callable[[Tensor], Tensor]:
    return lambda like: table[part.rows].to(like)


def test_a_saved_model_draws_at_the_stage_it_had_reached() -> None:
    model = progressive(space_of((16, 16)))
    list(model.play(Batch.of(torch.rand(3, 2, 16, 16)), Progress(40, 100)))
    assert 0 < model.grown.fade < 1
    other = progressive(space_of((16, 16)))
    other.load_state_dict(model.state_dict())
    assert other.grown == model.grown
    z, given = torch.randn(3, 4), Given.none(3, NOTHING)
    assert other.decode(z, given).mean.equal(model.decode(z, given).mean)


def test_all_at_once_is_the_full_size_from_the_start() -> None:
    model = progressive(space_of((9, 9)), growth=AtOnce())
    list(model.play(Batch.of(torch.rand(3, 2, 9, 9)), Progress()))
    assert model.grown == Grown(len(model.scales) - 1, 1.0)


def test_rows_are_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="progressive paints grids of 1 to 3 axes"):
        Progressive(Space((Field("v", Real(), 3),)), NOTHING)


def test_trained_it_draws_stripes_like_those_it_was_shown() -> None:
    """Pictures of one bright half, either half: both appear, and little between."""
    space = Space((Field("pixel", Bounded(0, 1)),), (8, 6))
    upper = torch.zeros(100, 1, 8, 6)
    upper[:, :, :4] = 0.6 + 0.4 * torch.rand(100, 1, 1, 1)
    values = torch.cat([upper, upper.flip(2)])
    model = progressive(space, growth=Even(), features=16)
    feed = Feed(Memory(values, torch.zeros(200, 0)), space, NOTHING, 16, 0, torch.device("cpu"))
    loop = Loop(model, feed, Training(steps=120, batch=16, lr=5e-3, betas=(0.0, 0.99), average=0))
    while not loop.done:
        loop.advance()
    x = model.sample(Given.none(100, NOTHING))
    contrast = x[:, 0, :4].mean((1, 2)) - x[:, 0, 4:].mean((1, 2))
    assert (contrast.abs() > 0.2).float().mean() > 0.8
    assert 0.1 < (contrast > 0).float().mean() < 0.9
