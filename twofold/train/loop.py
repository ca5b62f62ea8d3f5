r"""The one loop.

A step shows a batch. It is cut into parts; each part starts the model's game; all games advance in
lockstep, turn by turn. A turn is settled: each player's gradient of its own loss, with respect to
its own parameters, summed over parts weighted by rows and over processes; guarded; clipped; then
every player of the turn steps. Nothing here knows what is being learnt.

The guard looks at the norm of each reduced gradient. When it is not finite the loop goes back to
the last good state, halves the rate, and tries again with other noise; after two attempts it stops
and names the turn, the tensor and the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch
from twofold.core.errors import UserError, nearest
from twofold.core.game import Model, Progress, Turn
from twofold.train.adam import Adam
from twofold.train.average import Average, clone, kept
from twofold.train.chance import seed_all
from twofold.train.feed import Feed
from twofold.train.memory import keep_freed
from twofold.train.options import Training
from twofold.train.parallel import World

ATTEMPTS = 2


class Diverged(UserError):
    """Gradients were not finite, again and again."""


class NotFinite(Exception):
    """A gradient is not finite; what the loop catches to go back."""


@dataclass
class Player:
    """One side of the game: its parameters by name, and their optimiser."""

    name: str
    parameters: dict[str, nn.Parameter]
    optimiser: Adam
    rate: float

    def __post_init__(self) -> None:
        self.list = list(self.parameters.values())


class Loop:
    """Training as a state that steps.

    Args:
        model: what is trained, on its device.
        feed: the observations.
        training: the options.
        world: the processes.
    """

    def __init__(
        self, model: Model, feed: Feed, training: Training, world: World = World()
    ) -> None:
        self.model, self.feed, self.training, self.world = model, feed, training, world
        self.device = next(model.parameters()).device
        keep_freed()
        self.players = {
            name: self.player(name, modules) for name, modules in model.players().items()
        }
        check_players(model, self.players)
        check_names(training.players, self.players)
        half_life = 1000 * training.average
        self.averages = [Average(model, half_life)] if half_life else []
        self.step, self.shown, self.attempt = 0, 0, 0
        self.buffers = [b for b in kept(model) if b.is_floating_point()]
        self.slices = parts_of(training.batch, training.split, world)
        self.good = self.state()

    def player(self, name: str, modules: Any) -> Player:
        """A player with its parameters under the names they have in the model."""
        names = {id(p): key for key, p in self.model.named_parameters()}
        parameters = {
            names[id(p)]: p for module in modules for p in module.parameters() if p.requires_grad
        }
        rate = self.training.rate(name)
        optimiser = Adam(list(parameters.values()), self.training.moments(name), rate)
        return Player(name, parameters, optimiser, rate)

    @property
    def averaged(self) -> Model:
        """The model to use: averaged where an average is kept."""
        return self.averages[0].model if self.averages else self.model

    @property
    def done(self) -> bool:
        return self.step >= self.training.steps

    def advance(self) -> dict[str, Tensor]:
        """Take one step, and return its losses and notes, as tensors."""
        while True:
            try:
                notes = self.play()
                break
            except NotFinite as trouble:
                self.go_back(str(trouble))
        self.step += 1
        self.shown += self.training.batch
        for average in self.averages:
            average.update(self.step, self.training.batch)
        return notes

    def play(self) -> dict[str, Tensor]:
        """One batch's game, all parts in lockstep."""
        batches = [self.feed(self.shown, part) for _, part in self.slices]
        progress = Progress(self.step, self.training.steps, self.shown, len(self.feed.source))
        games = [self.model.play(batch, progress) for batch in batches]
        weights = [len(batch) / self.training.batch for batch in batches]
        self.set_rates(progress)
        notes: dict[str, Tensor] = {}
        try:
            for number, turns in enumerate(self.lockstep(games)):
                steepness = self.settle(number, turns, weights, batches)
                record(notes, turns, weights)
                notes |= steepness if len(self.players) > 1 else {}
        finally:
            for game in games:
                game.close()  # type: ignore[attr-defined]
            self.clear()
        self.world.mean(self.buffers)
        return notes

    def lockstep(self, games: list[Iterator[Turn]]) -> Iterator[list[Turn]]:
        """The turns of all parts, one after the other, until all games end."""
        number = 0
        while True:
            turns = []
            for (part, _), game in zip(self.slices, games, strict=True):
                seed_all(self.device, self.training.seed, self.step, self.attempt, number, part)
                turns.append(next(game, Turn()))
            if len({tuple(turn.losses) for turn in turns}) > 1:
                raise RuntimeError(
                    f"turn {number} of step {self.step}: the parts of a batch play different "
                    f"players, {[list(t.losses) for t in turns]}; play must not branch on the data"
                )
            if not turns[0].losses:
                self.check_played(number)
                return
            yield turns
            number += 1

    def check_played(self, turns: int) -> None:
        """A game of players has turns; without one nothing would ever be learnt."""
        if self.players and not turns:
            name = type(self.model).__name__
            raise UserError(f"{name}.play yields no turn; let it yield Turn(PLAYER=LOSS)")

    def settle(
        self, number: int, turns: list[Turn], weights: list[float], batches: list[Batch]
    ) -> dict[str, Tensor]:
        """Gradients of every player of a turn at the same parameters; then all of them step.

        Returns:
            The norm of each player's gradient, for the log.
        """
        names, norms = list(turns[0].losses), {}
        for name in names:
            self.backward(name, turns, weights, keep=name != names[-1])
        for name in names:
            player = self.players[name]
            self.world.reduce(player.list)
            norms[f"{name}_gradient"] = self.guard(player, number, batches)
        for name in names:
            self.players[name].optimiser.step()
        for name in names:
            clear(self.players[name])
        return norms

    def backward(self, name: str, turns: list[Turn], weights: list[float], keep: bool) -> None:
        """Accumulate one player's gradient over the parts."""
        parameters = self.players[name].list
        for turn, weight in zip(turns, weights, strict=True):
            loss = turn.losses[name]
            weighted = loss if weight == 1 else loss * weight
            weighted.backward(inputs=parameters, retain_graph=keep)

    def guard(self, player: Player, number: int, batches: list[Batch]) -> Tensor:
        """Refuse a gradient that is not finite, then clip it; its norm before that."""
        gradients = [p.grad for p in player.list if p.grad is not None]
        if not gradients:
            return torch.zeros((), device=self.device)
        steepness = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        norm = steepness.item()
        if not math.isfinite(norm):
            raise NotFinite(self.blame(player, number, batches))
        if norm > self.training.clip:
            torch._foreach_mul_(gradients, self.training.clip / norm)
        return steepness

    def blame(self, player: Player, number: int, batches: list[Batch]) -> str:
        """Where the trouble is: turn, tensor, rows."""
        bad = [
            k
            for k, p in player.parameters.items()
            if p.grad is not None and not p.grad.isfinite().all()
        ]
        rows = torch.cat([batch.rows for batch in batches]).tolist()
        some = ", ".join(map(str, rows[:8])) + (", …" if len(rows) > 8 else "")
        tensor = bad[0] if bad else "the norm over all tensors"
        return f"step {self.step}, turn {number} ({player.name}), {tensor}, rows {some}"

    def go_back(self, trouble: str) -> None:
        """Return to the last good state at half the rate, or give up."""
        attempt = self.attempt + 1
        if attempt > ATTEMPTS:
            raise Diverged(
                f"training diverged {attempt} times: gradients are not finite at {trouble}; "
                "look at those rows, or lower train.lr or set train.clip"
            )
        self.load(self.good)
        self.attempt = attempt

    def set_rates(self, progress: Progress) -> None:
        """The rate of each player now: its own, the schedule's, halved at each attempt."""
        factor = self.training.schedule(progress.fraction) * 0.5**self.attempt
        for name, player in self.players.items():
            player.optimiser.rate = player.rate * factor * self.model.paces.get(name, 1.0)

    def clear(self) -> None:
        for player in self.players.values():
            clear(player)

    # The state, by name.

    def state(self) -> State:
        """A copy of everything a later run needs to go on exactly."""
        moments = {
            f"{player.name}/{name}/{key}": tensor.clone()
            for player in self.players.values()
            for name, parameter in player.parameters.items()
            for key, tensor in player.optimiser.state.get(parameter, {}).items()
        }
        average = clone(self.averages[0].model) if self.averages else {}
        return State(self.step, self.shown, self.attempt, clone(self.model), average, moments)

    def keep(self) -> State:
        """Remember this state as the last good one, and return it."""
        self.good = self.state()
        return self.good

    def load(self, state: State) -> None:
        """Go to a state."""
        self.step, self.shown, self.attempt = state.step, state.shown, state.attempt
        self.model.load_state_dict(state.weights)
        for average in self.averages:
            average.model.load_state_dict(state.average)
        for player in self.players.values():
            player.optimiser.state.clear()
            for name, parameter in player.parameters.items():
                prefix = f"{player.name}/{name}/"
                moments = {
                    key.removeprefix(prefix): tensor.clone().to(parameter.device)
                    for key, tensor in state.moments.items()
                    if key.startswith(prefix)
                }
                if moments:
                    player.optimiser.state[parameter] = moments
        self.good = state


@dataclass(frozen=True)
class State:
    """Where training is: counters, weights, averaged weights, and moments, each by name."""

    step: int
    shown: int
    attempt: int
    weights: dict[str, Tensor]
    average: dict[str, Tensor]
    moments: dict[str, Tensor]


def clear(player: Player) -> None:
    """Forget a player's gradients."""
    for parameter in player.list:
        parameter.grad = None


def record(notes: dict[str, Tensor], turns: list[Turn], weights: list[float]) -> None:
    """Add a turn's losses and notes, weighted by rows; of several turns the last stays."""
    for key in (*turns[0].losses, *turns[0].notes):
        values = [(turn.losses | turn.notes)[key].detach() for turn in turns]
        notes[key] = (
            values[0]
            if len(values) == 1
            else sum((v * w for v, w in zip(values, weights, strict=True)), values[0] * 0)
        )


def parts_of(batch: int, split: int, world: World) -> list[tuple[int, slice]]:
    """This process's parts of a batch: the number of each over all processes, and its rows."""
    total = split * world.size
    if total > batch:
        raise UserError(
            f"train.batch = {batch} is smaller than its {total} parts; lower train.split"
        )
    edges = [sum(batch // total + (i < batch % total) for i in range(p)) for p in range(total + 1)]
    mine = range(world.rank * split, (world.rank + 1) * split)
    return [(p, slice(edges[p], edges[p + 1])) for p in mine]


def check_names(told: Iterable[str], players: Iterable[str]) -> None:
    """What a recipe says of a player is of one that plays."""
    for name in told:
        if name not in players:
            raise UserError(f"train.players.{name}: no such player; {nearest(name, players)}")


def check_players(model: Model, players: dict[str, Player]) -> None:
    """Players are disjoint, and hold all that trains."""
    names = [name for player in players.values() for name in player.parameters]
    twice = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    )
    if twice:
        raise RuntimeError(f"{sorted(twice)[0]} belongs to two players; players must be disjoint")
    free = {k for k, p in model.named_parameters() if p.requires_grad} - set(names)
    if free:
        raise RuntimeError(f"{sorted(free)[0]} belongs to no player; name it in players()")
