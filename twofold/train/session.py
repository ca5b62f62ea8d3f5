"""A training session: the loop with its ticks, measurements, previews, checkpoints and stops.

A session ends when its steps are done, its time is up, held-out data has not improved for a while,
or someone asks: Ctrl-C and `kill` let it finish the step, save, and say how to go on. A process
that is killed outright loses at most the steps since its last checkpoint, and takes exactly those
again.

At each evaluation the code of a model that has one is read, and a game against a critic is judged
(`ward.py`). When it is not used at two of them in a
row the session says so, once; with `train.rescue` it asks the model to play otherwise from that
step on. How, only the family knows; the session remembers the step, and tells it to the model
again when the run is resumed.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from twofold.core.game import Model, Rescues, Trouble
from twofold.measures.diagnosis import diagnose
from twofold.measures.monitor import Reading
from twofold.train import checkpoint
from twofold.train.loop import Diverged, Loop
from twofold.train.record import Recorder, Tick, memory, rounded
from twofold.train.ward import Ward

Monitor = Callable[[Model], Reading]
"""Reads the code of a model on held-out data."""
UNUSED: Trouble = "unused"
NOTICED = 2
"""Evaluations in a row after which an unused code is spoken of."""

EARLY = (1, 10, 30)
"""Steps that are told besides the regular ones, so that speed and losses are seen at once."""


@dataclass(frozen=True)
class HeldOut:
    """One number from held-out data, by which checkpoints are compared.

    Args:
        name: of the measure. measure: the number of a model. higher: whether more is better.
    """

    name: str
    measure: Callable[[Model], float]
    higher: bool

    def beats(self, value: float, best: float) -> bool:
        return math.isnan(best) or (value > best if self.higher else value < best)


@dataclass
class Story:
    """What a session remembers from checkpoint to checkpoint.

    `unused` has the steps of the last evaluations in a row at which the code was not used, `ailing`
    those at which the game had one `ailment`, the last with draws of this `spread`; `told` is
    whether it was spoken of. `rescued` has the steps from which the model plays otherwise, each
    `against` a trouble. `attempts` counts the times that gradients were not finite, up to the last
    evaluation.
    """

    seconds: float = 0.0
    best_name: str = ""
    best_value: float = math.nan
    best_step: int = 0
    waited: int = 0
    ended: str = ""
    unused: list[int] = field(default_factory=list)
    rescued: list[int] = field(default_factory=list)
    against: list[str] = field(default_factory=list)
    spread: dict[str, float] = field(default_factory=dict)
    ailment: str = ""
    ailing: list[int] = field(default_factory=list)
    told: bool = False
    attempts: int = 0


class Session:
    """Train a loop in a folder.

    Args:
        loop: what trains.
        folder: the run's folder.
        recorders: who hears the ticks.
        held_out: how checkpoints are compared; at most one.
        monitors: what reads the model's code; at most one.
        wards: what watches the model's game; at most one.
        preview: called with the averaged model and the step, before the first step and at each
            checkpoint.
        story: what an earlier session remembered.
    """

    def __init__(
        self,
        loop: Loop,
        folder: Path,
        recorders: Sequence[Recorder],
        held_out: Sequence[HeldOut],
        monitors: Sequence[Monitor],
        wards: Sequence[Ward],
        preview: Callable[[Model, int], None],
        story: Story,
    ) -> None:
        self.loop, self.folder, self.recorders = loop, folder, recorders
        self.held_out, self.monitors, self.wards = held_out, monitors, wards
        self.preview, self.story = preview, story
        self.training = loop.training
        self.sums: dict[str, Tensor] = {}
        self.counted = 0
        self.asked = threading.Event()
        self.best: dict[str, Tensor] = {}
        self.started = time.monotonic() - story.seconds
        self.marked = (time.monotonic(), loop.shown)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def run(self) -> str:
        """Train until there is a reason to stop, and return it in words."""
        self.story.ended = ""
        with self.listening(), self.heard():
            if self.loop.step == 0:
                self.look()
                self.save()
            while not self.loop.done:
                self.step()
                if reason := self.reason():
                    break
            else:
                reason = "done"
            self.end(reason)
        return reason

    def step(self) -> None:
        """One step, and what is due after it."""
        attempt = self.loop.attempt
        try:
            self.note(self.loop.advance())
        except Diverged as trouble:
            self.say(str(trouble))
            raise
        if self.loop.attempt != attempt:
            self.say(
                f"gradients were not finite; went back to step {self.loop.good.step}, rate halved"
            )
            self.save()  # the attempt is not to be forgotten, or the same trouble comes for ever
        step, training = self.loop.step, self.training
        measured = self.measure() if step % training.evaluate == 0 or self.loop.done else {}
        if step % training.tick == 0 or step in EARLY or self.loop.done or measured:
            self.tick(measured)
        if step % training.checkpoint == 0 and not self.loop.done:
            self.look()
            self.save()

    def reason(self) -> str:
        """Why to stop now; empty to go on."""
        if self.loop.world.any(self.asked.is_set()):
            return "stopped"
        if self.loop.world.any(self.seconds > 60 * self.training.minutes):
            return "time is up"
        if self.story.waited >= self.training.patience:
            return f"no better {self.story.best_name} for {self.story.waited} evaluations"
        return ""

    def end(self, reason: str) -> None:
        """Save for the last time."""
        self.story.ended = reason
        self.look()
        self.save()

    def note(self, notes: dict[str, Tensor]) -> None:
        """Add a step's numbers to the tick's means; tensors stay where they are."""
        for name, value in notes.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.counted += 1

    def tick(self, measured: dict[str, Any]) -> None:
        """Tell the recorders the means since the last tick."""
        now, shown = time.monotonic(), self.loop.shown
        rate = (shown - self.marked[1]) / max(now - self.marked[0], 1e-9)
        means = {name: total.item() / self.counted for name, total in self.sums.items()}
        tick: Tick = {
            "step": self.loop.step,
            "shown": shown,
            "seconds": round(self.seconds, 3),
            "per_second": round(rate, 1),
            **rounded(means | self.glanced() | measured),
            "mem": round(memory(), 3),
        }
        for recorder in self.recorders:
            recorder.tick(tick)
        self.sums, self.counted, self.marked = {}, 0, (now, shown)

    def glanced(self) -> dict[str, Any]:
        """What a tick tells of the game."""
        return {k: v for ward in self.wards for k, v in ward.glance(self.loop.model).items()}

    def say(self, text: str) -> None:
        for recorder in self.recorders:
            recorder.say(text)

    def measure(self) -> dict[str, Any]:
        """Measure the averaged model on held-out data, and remember the best."""
        measured: dict[str, Any] = {}
        for held_out in self.held_out:
            value = held_out.measure(self.loop.averaged)
            measured[held_out.name] = value
            self.story.waited += 1
            if math.isfinite(value) and held_out.beats(value, self.story.best_value):
                self.story.best_name, self.story.best_value = held_out.name, value
                self.story.best_step, self.story.waited = self.loop.step, 0
                self.best = {k: v.clone() for k, v in self.loop.averaged.state_dict().items()}
        for monitor in self.monitors:
            reading = monitor(self.loop.averaged)
            measured |= reading.numbers()
            if self.loop.step % self.training.evaluate == 0:  # the same in a run that stops later
                self.heed(reading)
        for ward in self.wards:
            measured |= self.judge(ward)
        return measured

    def judge(self, ward: Ward) -> dict[str, Any]:
        """The verdict on the game; what follows from it is said, and kept."""
        loop, story = self.loop, self.story
        finite = loop.attempt == story.attempts
        vitals = ward.read(loop.model, loop.averaged, story, finite)
        verdict = diagnose(vitals).verdict
        if loop.step % self.training.evaluate == 0:  # the same in a run that stops later
            story.attempts, answered = loop.attempt, len(story.rescued)
            for text in ward.heed(vitals, story, loop.model, loop.step):
                self.say(text)
            if len(story.rescued) > answered:
                self.save()  # whoever goes on from here is to play the same
        return {**vitals.numbers(), "game": verdict}

    def heed(self, reading: Reading) -> None:
        """Say it when a code falls out of use or comes back, and answer it where that is wanted."""
        story, step = self.story, self.loop.step
        if reading.used:
            if len(story.unused) >= NOTICED:
                active = f"{reading.active_units} dimensions are active"
                self.say(f"the latent is used again at step {step}: {active}")
            story.unused = []
            return
        story.unused.append(step)
        if len(story.unused) != NOTICED:
            return
        since, model = story.unused[0], self.loop.model
        remedy = model.remedy(UNUSED) if isinstance(model, Rescues) else ""
        if self.training.rescue and remedy and UNUSED not in story.against:
            story.rescued, story.against = [*story.rescued, step], [*story.against, UNUSED]
            assert isinstance(model, Rescues)
            model.rescue(UNUSED, step)
            self.say(f"the latent is unused since step {since}: rescued by {remedy} from {step} on")
            self.save()  # whoever goes on from here is to play the same
        else:
            self.say(f"the latent is unused since step {since}: {ADVICE}")

    def look(self) -> None:
        """Draw a preview; only one process does."""
        if self.loop.world.first:
            self.preview(self.loop.averaged, self.loop.step)

    def save(self) -> None:
        """Write a checkpoint; only one process does."""
        self.story.seconds = self.seconds
        state = self.loop.keep()
        if self.loop.world.first:
            checkpoint.save(self.folder, state, asdict(self.story), self.best)
        self.loop.world.wait()
        self.best = {}

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Close the recorders in the end, whatever the end is."""
        try:
            yield
        finally:
            for recorder in self.recorders:
                recorder.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C and `kill` as a wish to stop after this step; obey a second at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:
            self.asked.set()
            signal.signal(number, before[number])

        before: dict[int, Any] = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


ADVICE = (
    "the decoder ignores its code; try --rescue, a lower beta or free_bits of the divergence, "
    "a beta that rises (linear or cyclic), or a smaller decoder"
)


def device_of(name: str) -> torch.device:
    """The device that `train.device` means."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
