"""What a run writes down: a line a tick, in `log.jsonl`, on the terminal, and to TensorBoard.

A tick line has a fixed order and is greppable:

    step 2000  shown 256k  1m40s  2560/s  critic .68  generator .91  fd_tiny-v1 31.2  mem 0.6G

In the log a number may stand for several: a list, such as the KL by dimension, or a table by name.
The line leaves these out, and TensorBoard has a curve for each of their entries.

A resumed run drops the lines after its checkpoint, since it takes those steps again, so that the
log has neither a gap nor a line twice.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twofold.train.checkpoint import replace

Tick = dict[str, Any]  # step, shown, seconds, per_second, mem, and the numbers by name
HEAD = ("step", "shown", "seconds", "per_second")


class Recorder(ABC):
    """Something that hears every tick."""

    @abstractmethod
    def tick(self, tick: Tick) -> None:
        """One tick's numbers."""

    def say(self, text: str) -> None:
        """A sentence worth keeping, between ticks."""
        return

    def close(self) -> None:
        """No more ticks will come."""
        return


class Log(Recorder):
    """`log.jsonl`: a JSON object a line.

    Args:
        path: of the file. step: lines after this step are dropped, to be written again.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        kept = [line for line in lines(path) if line.get("step", 0) <= step]
        replace(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self.file = path.open("a")

    def tick(self, tick: Tick) -> None:
        self.file.write(json.dumps(tick) + "\n")
        self.file.flush()

    def say(self, text: str) -> None:
        self.tick({"say": text})

    def close(self) -> None:
        os.fsync(self.file.fileno())
        self.file.close()


class Plain(Recorder):
    """Tick lines on a stream that is not a terminal."""

    def tick(self, tick: Tick) -> None:
        print(line(tick), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Silent(Recorder):
    """Nothing on the screen."""

    def tick(self, tick: Tick) -> None:
        return


class Bar(Recorder):
    """A progress bar with the time left, the throughput and the losses, on a terminal."""

    def __init__(self, steps: int, title: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
        )
        self.task = self.bar.add_task(title, total=steps, numbers="")
        self.bar.start()

    def tick(self, tick: Tick) -> None:
        numbers = "  ".join([f"{tick['per_second']:.0f}/s", *spelled(tick)])
        self.bar.update(self.task, completed=tick["step"], numbers=numbers)

    def say(self, text: str) -> None:
        self.bar.console.print(text)

    def close(self) -> None:
        self.bar.stop()


class TensorBoard(Recorder):
    """Events for TensorBoard, in the run's folder `tensorboard/`."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def tick(self, tick: Tick) -> None:
        for name, value in leaves(measured(tick)):
            self.writer.add_scalar(name, value, tick["step"])

    def close(self) -> None:
        self.writer.close()


def screen(steps: int, title: str) -> Recorder:
    """A bar on a terminal, tick lines elsewhere."""
    return Bar(steps, title) if sys.stderr.isatty() else Plain()


def lines(path: Path) -> list[Tick]:
    """The whole lines of a log; one cut short by a kill is dropped."""
    found = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found


def line(tick: Tick) -> str:
    """A tick as one line of text.

    >>> head = {"step": 20, "shown": 2560, "seconds": 100.0, "per_second": 25.6}
    >>> line({**head, "loss": 0.68, "mem": 0.6})
    'step 20  shown 2.56k  1m40s  26/s  loss .68  mem 0.6G'
    """
    head = f"step {tick['step']}  shown {tick['shown'] / 1000:.4g}k  {clock(tick['seconds'])}"
    speed, held = f"{tick['per_second']:.0f}/s", f"mem {tick['mem']:.1f}G"
    return "  ".join([head, speed, *spelled(tick), held])


def spelled(tick: Tick) -> list[str]:
    """The numbers of a tick, each with its name."""
    return [f"{name} {short(value)}" for name, value in numbers(tick).items()]


def numbers(tick: Tick) -> Mapping[str, float]:
    """What a tick measured, one number each, without its head."""
    return {k: v for k, v in measured(tick).items() if isinstance(v, int | float)}


def measured(tick: Tick) -> Mapping[str, Any]:
    """What a tick measured, without its head."""
    return {k: v for k, v in tick.items() if k not in (*HEAD, "mem", "say")}


def leaves(table: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every number of a table, those of lists and tables inside by the path to them.

    >>> list(leaves({"kl": 3.0, "by": [1.0, 2.0]}))
    [('kl', 3.0), ('by/0', 1.0), ('by/1', 2.0)]
    """
    for name, value in table.items():
        inner = {str(i): v for i, v in enumerate(value)} if isinstance(value, list) else value
        if isinstance(inner, Mapping):
            yield from ((f"{name}/{path}", leaf) for path, leaf in leaves(inner))
        else:
            yield name, inner


def rounded(value: Any) -> Any:
    """A number to six digits, and so each of a list or table.

    >>> rounded({"kl": 1 / 3, "by": [2 / 3, 1]})
    {'kl': 0.333333, 'by': [0.666667, 1]}
    """
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def short(value: float) -> str:
    """Three digits, and no zero before the point."""
    text = f"{value:.3g}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and "e" not in text else text


def clock(seconds: float) -> str:
    """A duration.

    >>> clock(5.2), clock(100), clock(3700)
    ('5s', '1m40s', '1h01m')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
    )


def memory() -> float:
    """The most memory this process has held, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 30 if sys.platform == "darwin" else 1 << 20)
