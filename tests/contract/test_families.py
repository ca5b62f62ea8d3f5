"""The laws asked of every family, on every layout, with and without something given."""

import copy
import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from typing import get_args, get_origin

import pytest
import torch
from torch import Tensor, nn

from tests.contract.conftest import refusal
from twofold.core.batch import Batch, Given
from twofold.core.build import Part, arguments, complete, is_part, kebab, options, parts_of
from twofold.core.errors import UserError
from twofold.core.game import (
    Classifies,
    Criticises,
    Decodes,
    Detects,
    Encodes,
    Fills,
    Hides,
    Model,
    Progress,
    Quantises,
    Regards,
    Rescues,
    Samples,
    Scores,
    Starts,
    Styles,
    Truncates,
    Turn,
)
from twofold.core.space import Bounded, Category, Count, Domain, Space, Token
from twofold.maths.augmentations import Transformation
from twofold.maths.guidance import Guided
from twofold.maths.likelihoods import Likelihood
from twofold.maths.missing import absent, channels_of
from twofold.maths.noise import Noise
from twofold.models import families
from twofold.nets.bags import BagOfWords
from twofold.nets.bodies import Conv
from twofold.nets.sequences import Places, Sequential
from twofold.train.loop import Loop, State

Build = Callable[..., Model]
LoopOf = Callable[..., Loop]
Toy = tuple[Space, Space]
SPACES = ("space", "given")


def settle(model: Model, turn: Turn) -> dict[str, list[Tensor | None]]:
    """Each player's gradients of its own loss, by player; the loop's rule in three lines."""
    found = {}
    for name, loss in turn.losses.items():
        own = [p for module in model.players()[name] for p in module.parameters()]
        found[name] = list(torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True))
    return found


def play(model: Model, batch: Batch) -> Iterator[Turn]:
    return model.play(batch, Progress(0, 10, 0))


def parameters(modules: object) -> set[int]:
    return {id(p) for module in modules for p in module.parameters()}  # type: ignore[attr-defined]


def test_losses_are_finite_scalars(model: Model, batch: Batch) -> None:
    turns = list(play(model, batch))
    assert turns
    for turn in turns:
        assert turn.losses
        for value in (*turn.losses.values(), *turn.notes.values()):
            assert value.shape == ()
            assert value.isfinite()
        assert not any(note.requires_grad for note in turn.notes.values())


def test_every_parameter_has_one_player_and_every_player_a_turn(model: Model, batch: Batch) -> None:
    owners = [parameters(modules) for modules in model.players().values()]
    assert sum(map(len, owners)) == len(set().union(*owners))
    assert set().union(*owners) == {id(p) for p in model.parameters() if p.requires_grad}
    assert {name for turn in play(model, batch) for name in turn.losses} == set(model.players())


def test_what_moves_learns_from_its_turns(model: Model, batch: Batch) -> None:
    """Every parameter gets a finite gradient in some turn of its player, and not all zeros."""
    moved: dict[str, list[Tensor | None]] = {}
    for turn in play(model, batch):
        for name, gradients in settle(model, turn).items():
            moved.setdefault(name, []).extend(gradients)
    for gradients in moved.values():
        there = [g for g in gradients if g is not None]
        assert all(g.isfinite().all() for g in there)
        assert any(g.any() for g in there)


def test_only_the_moving_player_gets_gradients(
    model: Model, loop_of: LoopOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backward pass of the loop leaves the others' gradients: None, never zero.

    Of those that move in the same turn some have theirs already, and keep it as it is.
    """
    loop = loop_of(model)
    backward = Loop.backward

    def watched(self: Loop, name: str, turns: list[Turn], *args: object, **kwargs: object) -> None:
        others = [p for player in self.players.values() if player.name != name for p in player.list]
        before = [None if p.grad is None else p.grad.clone() for p in others]
        backward(self, name, turns, *args, **kwargs)  # type: ignore[arg-type]
        for p, g in zip(others, before, strict=True):
            assert p.grad is None if g is None else p.grad.equal(g)
        idle = [p for player in self.players.values() for p in player.list
                if player.name not in turns[0].losses]  # fmt: skip
        assert all(p.grad is None for p in idle)

    monkeypatch.setattr(Loop, "backward", watched)
    loop.advance()
    assert all(p.grad is None for p in model.parameters())


def test_an_unused_parameter_has_no_gradient_and_stays(
    family: type[Model], toy: Toy, build: Build, loop_of: LoopOf
) -> None:
    model = build(family, *toy)
    name, modules = next(iter(model.players().items()))
    modules[0].register_parameter("idle", nn.Parameter(torch.ones(2)))
    loop = loop_of(model)
    loop.advance()
    idle = next(p for key, p in loop.players[name].parameters.items() if key.endswith("idle"))
    assert idle.tolist() == [1.0, 1.0]
    assert idle not in loop.players[name].optimiser.state


def test_the_modes_at_every_yield_are_those_at_entry(model: Model, batch: Batch) -> None:
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, autocast):
            for _ in play(model, batch):
                assert torch.is_grad_enabled()
                assert torch.is_autocast_enabled("cpu") is autocast
            assert torch.is_grad_enabled()
            assert torch.is_autocast_enabled("cpu") is autocast


def test_play_leaves_its_batch_alone(model: Model, batch: Batch) -> None:
    x, c = batch.x.clone(), batch.given.c.clone()
    list(play(model, batch))
    assert batch.x.equal(x)
    assert batch.given.c.equal(c)
    assert not batch.x.requires_grad


# Roles.


def test_one_sample_a_given_row_and_each_lies_in_its_domain(model: Model, batch: Batch) -> None:
    assert isinstance(model, Samples)
    x = model.sample(batch.given)
    assert x.shape == batch.x.shape
    assert not x.requires_grad
    values = model.space.decode(x)
    assert values.shape == (len(x), model.space.size, *model.space.axes)
    start = 0
    for field in model.space.fields:
        own = values[:, start : start + field.size]
        assert field.missing or not own.isnan().any()
        assert lies_in(field.domain, own[~own.isnan()])
        start += field.size


def lies_in(domain: Domain, values: Tensor) -> bool:
    if isinstance(domain, Category | Token):
        return bool(torch.isin(values, torch.arange(domain.width)).all())
    if isinstance(domain, Count):
        return bool(((values >= 0) & (values == values.round())).all())
    if isinstance(domain, Bounded):
        steps = (values - domain.low) / (domain.high - domain.low) * max(domain.levels - 1, 1)
        whole = (steps - steps.round()).abs().max() < 1e-3 if domain.levels else True
        return bool(((values >= domain.low) & (values <= domain.high)).all() and whole)
    return bool(values.isfinite().all())


def test_roles_keep_their_promises(model: Model, batch: Batch) -> None:
    """Each role that a family claims answers in the shape it promises, for every row."""
    rows, given = len(batch), batch.given
    if isinstance(model, Decodes):
        p = model.prior(given)
        assert p.sample().shape == (rows, model.latent)
        x = model.decode(p.sample(), given)
        for shown in (x.sample(), x.mean, x.mode):
            assert shown.shape == batch.x.shape
            assert shown.isfinite().all()
    if isinstance(model, Encodes):
        assert model.encode(batch.x, given).mean.shape[0] == rows
    if isinstance(model, Fills):
        keeps_what_it_knows(model, batch)
    if isinstance(model, Hides):
        seen = absent(model.space, batch.x)
        assert model.log_hidden(batch.x, seen).shape == (rows,)
    if isinstance(model, Scores):
        assert model.log_likelihood(batch.x, given, 3).shape == (rows,)
    if isinstance(model, Criticises):
        assert model.judge(batch.x, given).shape == (rows,)
    if isinstance(model, Detects):
        assert model.oddness(batch.x, given).shape == (rows,)
    if isinstance(model, Regards):
        assert isinstance(model, Decodes)
        z = model.prior(given).sample()
        assert model.regard(batch.x, z, given).flatten(1).shape[0] == rows
    if isinstance(model, Truncates):
        assert model.typical(given, 0.5).sample().shape == batch.x.shape
    if isinstance(model, Styles):
        w = model.map(model.prior(given).sample(), given)
        every = w.unsqueeze(1).expand(-1, len(model.layer_sizes), -1)
        for styles in (w, every, model.truncate(every, 0.5)):
            assert model.synthesise(styles).mean.shape == batch.x.shape
        torch.testing.assert_close(model.synthesise(w).mean, model.synthesise(every).mean)
    if isinstance(model, Classifies):
        labels = model.classify(batch.x, given)
        assert labels.mean.shape == (rows, len(model.label.names))
        torch.testing.assert_close(labels.mean.sum(1), torch.ones(rows))
        for shown in (labels.sample(), labels.mode):
            assert shown.sum(1).equal(torch.ones(rows))
            assert shown.max(1).values.equal(torch.ones(rows))
    if isinstance(model, Quantises):
        k = model.indices(batch.x, given)
        assert k.shape == (rows, math.prod(model.places))
        assert ((k >= 0) & (k < model.codes)).all()
        assert model.log_prior(k, given).shape == (rows,)


def keeps_what_it_knows(model: Model, batch: Batch) -> None:
    """A fill has every value, and those that are known bit for bit."""
    assert isinstance(model, Fills)
    known = ~absent(model.space, batch.x)
    filled = model.fill(batch.x, known, batch.given)
    assert not absent(model.space, filled).any()
    kept = channels_of(model.space, known)
    assert filled[kept].equal(batch.x[kept])
    assert filled.isfinite().all()


def test_a_start_is_the_mean_of_the_data(model: Model, batch: Batch) -> None:
    """Where every weight is nought, what is decoded is near the mean of the data."""
    if not isinstance(model, Starts):
        return
    assert isinstance(model, Decodes)
    for parameter in model.parameters():
        parameter.data.zero_()
    x = batch.x[:1].expand_as(batch.x)  # one row, many times: its mean is itself
    model.start(x)
    decoded = model.decode(model.prior(batch.given).sample(), batch.given).mean
    for (field, shown), (_, wanted) in zip(
        model.space.parts(decoded), model.space.parts(x), strict=True
    ):
        loose = 0.1 if isinstance(field.domain, Bounded) else 0.03
        torch.testing.assert_close(
            *(field.split(part)[0] for part in (shown, wanted)), rtol=0.01, atol=loose
        )


def test_roles_are_honest(family: type[Model]) -> None:
    """A family that has a role's methods claims the role, and the other way round."""
    roles = (
        Samples,
        Decodes,
        Encodes,
        Fills,
        Hides,
        Scores,
        Criticises,
        Classifies,
        Quantises,
        Rescues,
        Starts,
        Truncates,
        Detects,
        Regards,
        Styles,
    )
    for role in roles:
        needed = role.__abstractmethods__
        assert issubclass(family, role) == all(hasattr(family, name) for name in needed), role


def test_a_label_is_told_from_the_observation_alone(model: Model, batch: Batch) -> None:
    """What is given of it, known or not, true or not, changes nothing."""
    if not isinstance(model, Classifies):
        return
    values = model.given.decode(batch.given.c)
    values[:, model.label.at] = torch.arange(len(batch)) % len(model.label.names)
    shown = [model.classify(batch.x, batch.given).mean]
    for label in (values, values.roll(1, 0)):
        values[:, model.label.at] = label[:, model.label.at]
        shown.append(model.classify(batch.x, Given(model.given.encode(values))).mean)
    assert shown[0].equal(shown[1])
    assert shown[0].equal(shown[2])


def test_known_labels_teach(model: Model, batch: Batch) -> None:
    """The gradients of a family that classifies change with a label, and with its absence."""
    if not isinstance(model, Classifies):
        return
    values = model.given.decode(batch.given.c)
    taught = []
    for label in (0.0, 1.0, math.nan):
        values[:, model.label.at] = label
        known = Batch(batch.x, Given(model.given.encode(values)), batch.rows)
        torch.manual_seed(5)
        found = [settle(model, turn) for turn in play(model, known)]
        taught.append(
            torch.cat([g.flatten() for t in found for p in t.values() for g in p if g is not None])
        )
    assert not taught[0].equal(taught[1])
    assert not taught[0].equal(taught[2])


def test_a_family_has_data_that_it_takes(family: type[Model], toy: Toy) -> None:
    """One that refuses everything would be asked nothing."""
    assert family(*toy).players()


def test_rows_do_not_look_at_each_other(model: Model, batch: Batch) -> None:
    """A row encodes, scores and is judged alike alone and in company."""
    one, last = batch[2:3], slice(2, 3)
    if isinstance(model, Encodes):
        alone, together = (model.encode(b.x, b.given).mean for b in (one, batch))
        torch.testing.assert_close(alone, together[last], rtol=1e-4, atol=1e-5)
    if isinstance(model, Criticises):
        alone, together = (model.judge(b.x, b.given) for b in (one, batch))
        torch.testing.assert_close(alone, together[last], rtol=1e-4, atol=1e-5)
    if isinstance(model, Detects):
        alone, together = (model.oddness(b.x, b.given) for b in (one, batch))
        torch.testing.assert_close(alone, together[last], rtol=1e-4, atol=1e-5)
    if isinstance(model, Classifies):
        alone, together = (model.classify(b.x, b.given).mean for b in (one, batch))
        torch.testing.assert_close(alone, together[last], rtol=1e-4, atol=1e-5)


def test_what_is_given_matters_and_the_null_row_does_not_fail(
    family: type[Model], toy: Toy, build: Build
) -> None:
    space, given = toy
    model = build(family, space, given)
    assert isinstance(model, Samples)
    draws = []
    for c in (Given.none(4, given), Given(given.encode(torch.tensor([[2.0, 1.0]] * 4)))):
        torch.manual_seed(5)
        draws.append(model.sample(c))
        assert draws[-1].isfinite().all()
    assert not draws[0].equal(draws[1])


def test_guidance_goes_from_the_null_condition_through_the_plain_model(
    model: Model, batch: Batch
) -> None:
    """w = 1 is the plain draw and w = 0 that under the null condition, bit for bit."""
    if not isinstance(model, Decodes):
        return
    null = Given(torch.zeros_like(batch.given.c))
    for weight, given in ((1.0, batch.given), (0.0, null)):
        draws = []
        for each, c in ((model, given), (Guided(model, model.space, weight), batch.given)):
            torch.manual_seed(5)
            draws.append(each.sample(c))
        assert draws[0].equal(draws[1])
    beyond = Guided(model, model.space, 3.0).sample(batch.given)
    assert beyond.shape == batch.x.shape
    assert beyond.isfinite().all()


# The state.


def same(a: State, b: State) -> bool:
    if (a.step, a.shown, a.attempt) != (b.step, b.shown, b.attempt):
        return False
    pairs = ((a.weights, b.weights), (a.average, b.average), (a.moments, b.moments))
    return all(p.keys() == q.keys() and all(p[k].equal(q[k]) for k in p) for p, q in pairs)


def test_a_resumed_run_equals_the_uninterrupted_one(
    family: type[Model], space: Space, given: Space, build: Build, loop_of: LoopOf
) -> None:
    straight = loop_of(build(family, space, given))
    for _ in range(2):
        straight.advance()
    midway = straight.state()
    ends = [straight.advance(), straight.advance()][-1]
    torch.manual_seed(99)  # whatever else the process did meanwhile
    resumed = loop_of(build(family, space, given))
    resumed.load(midway)
    resumed.advance()
    again = resumed.advance()
    assert same(straight.state(), resumed.state())
    assert all(ends[key].equal(again[key]) for key in ends)


def test_a_state_is_a_copy(family: type[Model], toy: Toy, build: Build, loop_of: LoopOf) -> None:
    loop = loop_of(build(family, *toy))
    loop.advance()
    before = loop.state()
    twin = copy.deepcopy(before)
    loop.advance()
    assert same(before, twin)
    assert not same(before, loop.state())


def test_saved_weights_make_the_same_model(
    family: type[Model], space: Space, given: Space, build: Build, batch: Batch, loop_of: LoopOf
) -> None:
    model = build(family, space, given)
    loop_of(model).advance()
    other = build(family, space, given)
    other.load_state_dict({k: v.clone() for k, v in model.state_dict().items()})
    draws = []
    for each in (model, other):
        torch.manual_seed(7)
        draws.append(each.sample(batch.given))
    assert draws[0].equal(draws[1])


# Parts of a batch.


class Fixed:
    """Noise that depends on the row alone: `randn` and its kin read from a long table."""

    def __init__(self) -> None:
        self.start = 0
        self.table = torch.randn(64, 4096, generator=torch.Generator().manual_seed(2))

    def normal(self, tensor: Tensor) -> Tensor:
        rows = self.table[self.start : self.start + len(tensor)]
        return rows[:, : tensor[0].numel()].reshape(tensor.shape).to(tensor.dtype)

    def uniform(self, tensor: Tensor) -> Tensor:
        return torch.special.ndtr(self.normal(tensor))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("split", [2, 5])
def test_split_is_whole(
    family: type[Model],
    space: Space,
    given: Space,
    split: int,
    build: Build,
    loop_of: LoopOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With noise fixed to the row, a batch in unequal parts is the batch in one."""
    noise = Fixed()
    ends = []
    build(family, space, given)  # where it refuses the data
    for parts in (1, split):
        model = build(family, space, given, **family.coupled)
        loop = loop_of(model, split=parts)
        monkeypatch.setattr(model, "play", located(loop, noise))
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn_like", noise.normal)
            patch.setattr(torch, "rand_like", noise.uniform)
            loop.advance()
            notes = loop.advance()
        ends.append((loop.state(), notes))
    (whole, said), (cut, says) = ends
    for name in whole.weights:
        torch.testing.assert_close(cut.weights[name], whole.weights[name], rtol=1e-7, atol=1e-9)
    for name in said:
        torch.testing.assert_close(says[name], said[name], rtol=1e-7, atol=1e-9)


def located(loop: Loop, noise: Fixed) -> Callable[..., Iterator[Turn]]:
    """The loop's game, with the noise set to the place of the part before each turn."""
    play = loop.model.play

    def game(batch: Batch, progress: Progress) -> Iterator[Turn]:
        start = int((loop.feed.rows(loop.shown) == batch.rows[0]).nonzero()[0])
        turns = play(batch, progress)
        while True:
            noise.start = start
            try:
                yield next(turns)
            except StopIteration:
                return

    return game


# What a family is for.


def test_data_are_refused_in_one_sentence_and_only_for_axes_or_a_label(
    family: type[Model], space: Space, given: Space
) -> None:
    """It says what is wrong, and after a semicolon what to do."""
    if text := refusal(family, space, given):
        by_axes = "grids of" in text and not space.axes
        by_tokens = "for tokens" in text and space.layout != "tokens"
        series = len(space.axes) == 1 and space.layout == "grid"
        by_series = "for series" in text and not series
        assert (
            by_axes
            or by_tokens
            or by_series
            or ("no labels to learn" in text and issubclass(family, Classifies))
        )
        assert re.fullmatch(r"[^;]{20,}; [^;]{10,}", text)
        assert ". " not in text


# Every choice of every part.


def choices() -> list[tuple[type[Model], str, Part, str]]:
    """Each part that each option of each family can be, at its defaults, on rows or pictures."""
    every = [
        (family, name, make())
        for family in families().values()
        for name, option in options(family, SPACES).items()
        for sort in (option.annotation, *get_args(option.annotation))
        if is_part(sort)
        for make in parts_of(sort).values()
    ]
    return [(*one, ("table", "colour")[i % 2]) for i, one in enumerate(every)]


def title(value: object) -> str:
    return kebab(value.__name__ if isinstance(value, type) else type(value).__name__)


@pytest.mark.parametrize(
    ("family", "name", "part", "space"),
    choices(),
    indirect=["space"],
    ids=lambda value: value if isinstance(value, str) else title(value),
)
def test_every_part_trains(
    family: type[Model],
    name: str,
    part: Part,
    space: Space,
    toy: Toy,
    build: Build,
    loop_of: LoopOf,
) -> None:
    """It plays in two parts, or is refused by name where it does not fit the data."""
    several = get_origin(options(family, SPACES)[name].annotation) is tuple
    chosen = {name: (part,) if several else part}
    build(family, space, toy[1])  # where it refuses the data
    if misfit(part, space):
        with pytest.raises(UserError, match=title(part)):
            build(family, space, toy[1], **chosen)
        return
    model = build(family, space, toy[1], **chosen)
    notes = loop_of(model, split=2).advance()
    assert all(value.isfinite() for value in notes.values())
    assert all(p.isfinite().all() for p in model.parameters())


def misfit(part: Part, space: Space) -> bool:
    """Whether the data have no field for a likelihood or noise, or no axes for what needs them."""
    if isinstance(part, Transformation):
        return part.least > len(space.axes)
    if isinstance(part, Likelihood):
        return not any(part.suits(field, space.axes) for field in space.fields)
    if isinstance(part, Noise):
        return not any(isinstance(field.domain, part.domains) for field in space.fields)
    if isinstance(part, Sequential | Places | BagOfWords):
        return space.layout != "tokens"
    return isinstance(part, Conv) and not space.axes


# Documents.


def test_docs_teach_and_cite(family: type[Model]) -> None:
    module = sys.modules[family.__module__].__doc__ or ""
    assert len(module.split("\n\n")) >= 2
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|et al\. \d{4}|& \w+ \d{4}", module)
    text = inspect.getdoc(family) or ""
    assert ">>>" in text
    for name in complete(family, {}, SPACES):
        assert re.search(rf"^    {name}: ", text, re.M), f"{name} is not explained"


def test_options_come_back_from_plain_data(family: type[Model], toy: Toy) -> None:
    plain = complete(family, {}, SPACES)
    table = json.loads(json.dumps(plain))
    assert table == plain
    again = arguments(family, table, "model", skip=SPACES)
    assert complete(family, again, SPACES) == plain
    family(*toy, **again)


def sorts(base: type = Part) -> list[type]:
    """Every abstract sort of part."""
    found = [sub for sub in base.__subclasses__() if sub.__module__.startswith("twofold.")]
    return [s for s in found if inspect.isabstract(s)] + [t for s in found for t in sorts(s)]


@pytest.mark.parametrize("sort", sorts(), ids=lambda sort: sort.__name__)
def test_parts_are_reached_by_name(sort: type) -> None:
    """Each is default-constructible, documented and frozen, and its name is its own."""
    names = [kebab(sub.__name__) for sub in concrete(sort)]
    assert len(names) == len(set(names))
    assert set(parts_of(sort)) == set(names)
    for make in concrete(sort):
        assert make() == make()
        assert hash(make()) == hash(make())
        assert vars(make).get("__doc__")
        assert sys.modules[make.__module__].__doc__


def concrete(sort: type) -> list[type]:
    subs = [s for s in sort.__subclasses__() if s.__module__.startswith("twofold.")]
    return [s for s in subs if not inspect.isabstract(s)] + [t for s in subs for t in concrete(s)]
