"""The loop's own laws: guard, rates, clip, order of turns, and what it closes behind itself."""

import math
import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from twofold.core.batch import Batch
from twofold.core.errors import UserError
from twofold.core.game import Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.schedules import Linear
from twofold.train.loop import Diverged, Loop, parts_of
from twofold.train.options import Player, Training
from twofold.train.parallel import World

Build = Callable[..., Model]
LoopOf = Callable[..., Loop]


class Pair(Model):
    """Two players, each one linear layer, whose `game` is handed in."""

    def __init__(self, game: Callable[["Pair", Batch, Progress], Iterator[Turn]]) -> None:
        super().__init__(Space(), Space())
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 1)
        self.game = game

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"a": [self.a], "b": [self.b]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        yield from self.game(self, batch, progress)


def square(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x).square().mean()


def plain(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
    yield Turn(a=square(pair.a, batch.x))
    yield Turn(b=(pair.b(batch.x) - pair.a(batch.x).detach()).square().mean())


# Against loops written by hand.


@pytest.mark.usefixtures("float64")
def test_alternating_turns_are_a_hand_written_loop(loop: LoopOf) -> None:
    ours, by_hand = Pair(plain), Pair(plain)
    trained = loop(ours, lr=0.05, average=0.0)
    adam = {
        k: torch.optim.Adam(m[0].parameters(), lr=0.05, betas=(0.9, 0.99))
        for k, m in by_hand.players().items()
    }
    for step in range(4):
        x = trained.feed(5 * step, slice(0, 5)).x
        trained.advance()
        for name, loss in (
            ("a", lambda: square(by_hand.a, x)),  # noqa: B023
            ("b", lambda: (by_hand.b(x) - by_hand.a(x).detach()).square().mean()),  # noqa: B023
        ):
            adam[name].zero_grad()
            loss().backward()
            adam[name].step()
    for p, q in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("float64")
def test_simultaneous_players_see_the_same_parameters(loop: LoopOf) -> None:
    """Both gradients of a turn are taken before either player moves."""

    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        gap = (pair.a(batch.x) - pair.b(batch.x)).square().mean()
        yield Turn(a=gap, b=-gap)

    ours = Pair(game)
    trained = loop(ours, lr=0.1, average=0.0)
    x = trained.feed(0, slice(0, 5)).x
    before = {k: p.detach().clone() for k, p in ours.named_parameters()}
    gap = (ours.a(x) - ours.b(x)).square().mean()
    gradients = torch.autograd.grad(gap, list(ours.parameters()))
    trained.advance()
    for (name, p), g in zip(ours.named_parameters(), gradients, strict=True):
        sign = -1 if name.startswith("a") else 1  # Adam's first step is the rate times the sign
        torch.testing.assert_close(p, before[name] + sign * 0.1 * g.sign(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("split", [2, 5])
@pytest.mark.usefixtures("float64")
def test_unequal_parts_are_weighted_by_rows(loop: LoopOf, split: int) -> None:
    ends = []
    for parts in (1, split):
        pair = Pair(plain)
        trained = loop(pair, split=parts)
        notes = [trained.advance() for _ in range(3)][-1]
        ends.append((pair.state_dict(), notes))
    for a, b in zip(*ends, strict=True):
        for key in a:
            torch.testing.assert_close(a[key], b[key], rtol=1e-10, atol=1e-12)


# The guard.


def poisoned(times: int, step: int = 2) -> Callable[[Pair, Batch, Progress], Iterator[Turn]]:
    """A game where the gradient of b, not its loss, is NaN the first `times` it meets a step."""
    met = []

    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        yield Turn(a=square(pair.a, batch.x))
        loss = square(pair.b, batch.x)
        if progress.step == step and len(met) < times:
            met.append(progress.step)
            zero = (pair.b.weight - pair.b.weight.detach()).square().sum()
            loss = loss + zero.sqrt()  # 0, with the gradient 0 / 0
            assert loss.isfinite()
        yield Turn(b=loss)

    return game


def test_one_nan_gradient_rolls_back_and_goes_on_at_half_the_rate(loop: LoopOf) -> None:
    pair = Pair(poisoned(1))
    trained = loop(pair, lr=0.01)
    trained.advance()
    good = trained.keep()
    trained.advance()
    trained.advance()  # from step 1 again, with other noise
    assert (trained.step, trained.shown, trained.attempt) == (2, 10, 1)
    rates = {p.optimiser.rate for p in trained.players.values()}
    assert rates == {0.005}
    trained.advance()
    assert (trained.step, trained.attempt) == (3, 1)
    assert good.attempt == 0
    assert trained.state().attempt == 1
    assert all(p.isfinite().all() for p in pair.parameters())


def test_a_rolled_back_run_is_the_state_it_went_back_to(loop: LoopOf) -> None:
    """Nothing of the failed step remains: not a's move, not a moment, not the average."""
    pair = Pair(poisoned(1, step=1))
    trained = loop(pair)
    trained.advance()
    kept = trained.keep()
    trained.go_back = lambda trouble: (_ for _ in ()).throw(RuntimeError(trouble))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        trained.advance()
    assert not pair.a.weight.equal(kept.weights["a.weight"])
    Loop.go_back(trained, "here")
    after = trained.state()
    for mine, theirs in (
        (after.weights, kept.weights),
        (after.average, kept.average),
        (after.moments, kept.moments),
    ):
        assert mine.keys() == theirs.keys()
        assert all(mine[k].equal(theirs[k]) for k in mine)
    assert all(p.grad is None for p in pair.parameters())


def test_going_back_to_the_start_forgets_every_moment(loop: LoopOf) -> None:
    """a has moved when b's first gradient is NaN; the retried step is a's first again."""
    trained = loop(Pair(poisoned(1, step=0)))
    trained.advance()
    moments = trained.state().moments
    assert {v.item() for k, v in moments.items() if k.endswith("/t")} == {1.0}


def test_attempts_draw_other_noise(loop: LoopOf) -> None:
    drawn = []

    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        drawn.append(torch.rand(1).item())
        yield Turn(a=square(pair.a, batch.x), b=square(pair.b, batch.x))

    trained = loop(Pair(game))
    trained.advance()
    trained.load(trained.good)
    trained.attempt = 1
    trained.advance()
    assert drawn[0] != drawn[1]


def run(trained: Loop) -> None:
    while not trained.done:
        trained.advance()


def test_lasting_nan_stops_and_says_where(loop: LoopOf) -> None:
    trained = loop(Pair(poisoned(99)))
    where = r"diverged 3 times.*step 2, turn 1 \(b\), b\.weight, rows"
    with pytest.raises(Diverged, match=where) as said:
        run(trained)
    rows = trained.feed.rows(10).tolist()
    assert ", ".join(map(str, rows)) in str(said.value)
    assert isinstance(said.value, UserError)


def test_clip_bounds_the_norm_after_the_last_part(
    loop: LoopOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: dict[float, list[float]] = {}
    for clip in (math.inf, 0.01):
        pair = Pair(plain)
        trained = loop(pair, clip=clip, split=2)
        for player in trained.players.values():
            step = player.optimiser.step

            def watched(player: object = player, step: Callable[[], object] = step) -> None:
                total = sum(p.grad.square().sum().item() for p in player.list)  # type: ignore[attr-defined]
                norms.setdefault(clip, []).append(math.sqrt(total))  # noqa: B023
                step()

            monkeypatch.setattr(player.optimiser, "step", watched)
        trained.advance()
    assert min(norms[math.inf]) > 0.01
    assert norms[0.01] == pytest.approx([0.01, 0.01], rel=1e-5)


# What is closed and refused.


def test_games_are_closed_also_on_errors(loop: LoopOf) -> None:
    closed = []

    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        try:
            yield Turn(a=square(pair.a, batch.x))
            if progress.step == 1 and batch.rows.numel() < 3:
                raise ValueError("the second part fails")
            yield Turn(b=square(pair.b, batch.x))
        finally:
            closed.append(progress.step)

    trained = loop(Pair(game), split=2)
    trained.advance()
    assert closed == [0, 0]
    try:
        trained.advance()
    except ValueError as error:  # whose traceback keeps the games alive: only close ends them
        assert "second part" in str(error)  # noqa: PT017
        assert closed == [0, 0, 1, 1]
    assert closed == [0, 0, 1, 1]
    assert all(p.grad is None for p in trained.model.parameters())


def test_a_game_that_branches_on_data_is_named(loop: LoopOf) -> None:
    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        if len(batch) > 2:
            yield Turn(a=square(pair.a, batch.x))
        yield Turn(b=square(pair.b, batch.x))

    with pytest.raises(RuntimeError, match=r"turn 0 of step 0: .*\[\['a'\], \['b'\]\]"):
        loop(Pair(game), split=2).advance()


def test_a_game_that_ends_early_is_named(loop: LoopOf) -> None:
    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        yield Turn(a=square(pair.a, batch.x))
        if len(batch) > 2:
            yield Turn(b=square(pair.b, batch.x))

    with pytest.raises(RuntimeError, match="turn 1 of step 0"):
        loop(Pair(game), split=2).advance()


def test_a_game_without_a_turn_is_refused(loop: LoopOf) -> None:
    def silent(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        yield from ()

    with pytest.raises(UserError, match=r"Pair\.play yields no turn"):
        loop(Pair(silent)).advance()


def test_players_that_overlap_or_leave_something_out_are_named(loop: LoopOf) -> None:
    pair = Pair(plain)
    pair.players = lambda: {"a": [pair.a, pair.b], "b": [pair.b]}  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="bias belongs to two players"):
        loop(pair)
    pair.players = lambda: {"a": [pair.a]}  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="bias belongs to no player"):
        loop(pair)


def test_a_rate_for_a_player_that_does_not_play_is_refused(loop: LoopOf) -> None:
    with pytest.raises(UserError, match=r"train\.players\.c: no such player"):
        loop(Pair(plain), players={"c": Player(lr=2.0)})


def test_more_parts_than_rows_are_refused() -> None:
    with pytest.raises(UserError, match=r"train.batch = 3 is smaller than its 4 parts"):
        parts_of(3, 2, World(0, 2))


def test_parts_of_all_ranks_are_the_batch() -> None:
    for batch, split, size in ((7, 2, 3), (8, 1, 2), (5, 5, 1)):
        cuts = [cut for rank in range(size) for cut in parts_of(batch, split, World(rank, size))]
        assert [number for number, _ in cuts] == list(range(split * size))
        rows = [row for _, part in cuts for row in range(batch)[part]]
        assert rows == list(range(batch))


# Rates, averages, chance.


def test_a_player_has_its_own_rate_and_moments(loop: LoopOf) -> None:
    players = {"b": Player(lr=0.5, betas=(0.0, 0.9))}
    trained = loop(Pair(plain), lr=0.1, players=players, schedule=Linear(final=0.0))
    rates = []
    for _ in range(3):
        trained.advance()
        rates.append([p.optimiser.rate for p in trained.players.values()])
    for step, (a, b) in enumerate(rates):
        assert a == pytest.approx(0.1 * (1 - step / 6))
        assert b == pytest.approx(a / 2)
    assert trained.players["a"].optimiser.betas == (0.9, 0.99)
    assert trained.players["b"].optimiser.betas == (0.0, 0.9)
    assert not trained.done


@pytest.mark.usefixtures("float64")
def test_the_average_is_a_hand_written_ramp(loop: LoopOf) -> None:
    pair = Pair(plain)
    trained = loop(pair, average=0.05, lr=0.1)  # a half-life of 50 observations
    mean = pair.a.weight.detach().clone()
    for t in range(1, 30):
        trained.advance()
        beta = min(0.5 ** (5 / 50), (1 + t) / (10 + t))
        mean = beta * mean + (1 - beta) * pair.a.weight.detach()
    averaged = trained.averaged.a.weight  # type: ignore[union-attr]
    torch.testing.assert_close(averaged.detach(), mean)  # type: ignore[arg-type,operator]
    assert not averaged.requires_grad  # type: ignore[union-attr]


def test_the_average_follows_buffers(build: Build, loop: LoopOf) -> None:
    """A critic's singular vectors belong to its averaged twin as well."""
    trained = loop(build("gan", spectral=True))
    for _ in range(3):
        trained.advance()
    theirs = dict(trained.model.named_buffers())
    assert theirs
    for name, mine in trained.averaged.named_buffers():
        assert mine.equal(theirs[name])
        assert mine is not theirs[name]


def test_without_an_average_the_model_is_the_one_to_use(loop: LoopOf) -> None:
    pair = Pair(plain)
    assert loop(pair, average=0.0).averaged is pair


def test_chance_is_seeded_before_every_move(loop: LoopOf) -> None:
    """torch, numpy and random draw alike in a part whatever happened before; parts differ."""
    drawn: list[tuple[float, float, float]] = []

    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        for player in "ab":
            drawn.append((torch.rand(1).item(), np.random.rand(), random.random()))
            yield Turn(**{player: square(getattr(pair, player), batch.x)})

    ends = []
    for noise in (1, 2):
        drawn.clear()
        trained = loop(Pair(game), split=2)
        torch.manual_seed(noise)
        np.random.seed(noise)
        random.seed(noise)
        trained.advance()
        trained.advance()
        ends.append(list(drawn))
    assert ends[0] == ends[1]
    assert all(len({draw[i] for draw in ends[0]}) == 8 for i in range(3))


def test_notes_are_means_over_rows_of_the_last_turn(loop: LoopOf) -> None:
    def game(pair: Pair, batch: Batch, progress: Progress) -> Iterator[Turn]:
        rows = batch.rows.double().mean()
        yield Turn({"row": rows * 0}, a=square(pair.a, batch.x))
        yield Turn({"row": rows}, b=square(pair.b, batch.x))

    trained = loop(Pair(game), split=2)
    notes = trained.advance()
    assert set(notes) == {"a", "b", "row", "a_gradient", "b_gradient"}
    assert notes["row"].item() == pytest.approx(trained.feed.rows(0).double().mean().item())
    assert not any(note.requires_grad for note in notes.values())


def test_options_know_their_players() -> None:
    training = Training(lr=0.2, players={"critic": Player(lr=2.0)})
    assert (training.rate("critic"), training.rate("generator")) == (0.4, 0.2)
    assert training.moments("critic") == (0.9, 0.99)
