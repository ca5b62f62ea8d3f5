"""What the benchmarks share: real pictures, rounds that alternate, ratios, and results as JSON.

A figure is a ratio of two times taken in one run. The arms take turns in short rounds, forwards in
one round and backwards in the next (A B, B A, A B, …), so that a machine whose speed drifts slows
them alike; the figure is the median of the rounds' ratios, and the least and greatest stand beside
it. Times are the processor's: the seconds that an arm's process computed, on one thread unless
`--threads` says otherwise, which on an idle machine are the seconds that passed, and on a busy one
leave out those of the neighbours. What is compared does the same work: the same layers, batch,
arithmetic and data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from twofold.core.game import Model
from twofold.core.space import Bounded, Field, Space
from twofold.data.sources import Memory
from twofold.studies.peer import Peer as Process
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

RESULTS = Path(__file__).parent / "results"
FILES = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}
PICTURE = Space((Field("pixel", Bounded(0, 255, 256)),), (28, 28))

Work = Callable[[], object]


def data_path(split: str) -> str:
    """Where the pictures of a split are."""
    folder = os.environ.get("TWOFOLD_DATA", "")
    path = Path(folder) / "fashion-mnist" / FILES[split]
    if not folder or not path.is_file():
        sys.exit(
            f"needs Fashion-MNIST: set TWOFOLD_DATA to a folder with fashion-mnist/{FILES[split]}"
        )
    return str(path)


def fashion_mnist(split: str) -> Tensor:
    """Fashion-MNIST, (N, 1, 28, 28) in uint8, from the folder that TWOFOLD_DATA names."""
    with gzip.open(data_path(split)) as file:
        raw = bytearray(file.read())
    return torch.frombuffer(raw, dtype=torch.uint8, offset=16).reshape(-1, 1, 28, 28)


def our_loop(model: Model, pictures: Tensor, training: Training) -> Loop:
    """The product's loop over pictures that are held in memory."""
    source = Memory(pictures, torch.zeros(len(pictures), 0))
    feed = Feed(
        source, model.space, model.given, training.batch, training.seed, torch.device("cpu")
    )
    return Loop(model, feed, training)


def options(description: str | None) -> argparse.ArgumentParser:
    """The flags that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--threads", type=int, default=1, help="threads of each arm")
    parser.add_argument(
        "--peer", default=os.environ.get("TWOFOLD_PEER_PYTHON", ""), help="the peer's interpreter"
    )
    parser.add_argument("--only", default="", help="comparisons whose name has this in it")
    return parser


class Peer(Process):
    """The other side, in another process; without an interpreter the comparison is left out."""

    def __init__(self, python: str, threads: int) -> None:
        if not python:
            print("left out: set TWOFOLD_PEER_PYTHON to an interpreter with benchmarks/peers.txt")
            sys.exit(0)
        super().__init__(python, threads)


def seconds(work: Work) -> float:
    """Processor seconds that work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


@dataclass(frozen=True)
class Ratio:
    """The median of the rounds' ratios, and their range."""

    middle: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        """The ratios of two lists of times, round by round.

        >>> Ratio.of([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
        Ratio(middle=2.0, low=1.0, high=3.0, rounds=3)
        """
        each = [a / b for a, b in zip(above, below, strict=True)]
        return cls(median(each), min(each), max(each), len(each))


def alternate(arms: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of every arm in every round, after one round that is not counted."""
    return alternate_timed({name: lambda w=work: seconds(w) for name, work in arms.items()}, rounds)


def alternate_timed(arms: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The same for arms that time themselves, such as one in another process."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    order = list(arms)
    for number in range(rounds + 1):
        for name in order:
            spent = arms[name]()
            if number:
                times[name].append(spent)
        order.reverse()
    return times


@dataclass(frozen=True)
class Row:
    """One figure: what was compared, the ratio, and what it must reach.

    Args:
        what: in words, for the table.
        ours, theirs: the median of each side, in `unit`.
        target: the bar; `better` says on which side of it the ratio should lie.
        absolute: the figure is ours itself, in `unit`, and no ratio.
    """

    what: str
    unit: str
    ours: float
    theirs: float
    ratio: Ratio
    target: float
    better: str
    note: str = ""
    absolute: bool = False

    @property
    def holds(self) -> bool:
        middle = self.ratio.middle
        return middle <= self.target if self.better == "lower" else middle >= self.target

    def __str__(self) -> str:
        r = self.ratio
        verdict = "holds" if self.holds else "MISSED"
        sign = "≤" if self.better == "lower" else "≥"
        return (
            f"{self.what}: ×{r.middle:.3f} ({r.low:.3f}–{r.high:.3f} in {r.rounds} rounds), "
            f"{sign} {self.target} {verdict}; "
            f"ours {self.ours:.4g}, theirs {self.theirs:.4g} {self.unit}"
        )


def overhead(what: str, times: Mapping[str, list[float]], steps: int, target: float) -> Row:
    """Our time over theirs: what our loop costs, in milliseconds a step."""
    return Row(
        what,
        "ms a step",
        1e3 * median(times["ours"]) / steps,
        1e3 * median(times["theirs"]) / steps,
        Ratio.of(times["ours"], times["theirs"]),
        target,
        "lower",
    )


def speedup(
    what: str,
    times: Mapping[str, list[float]],
    count: float,
    unit: str,
    target: float,
    note: str = "",
) -> Row:
    """Their time over ours: how many times faster we are, with the rate of each side."""
    return Row(
        what,
        unit,
        count / median(times["ours"]),
        count / median(times["theirs"]),
        Ratio.of(times["theirs"], times["ours"]),
        target,
        "higher",
        note,
    )


def save(name: str, doc: str | None, rows: Sequence[Row], **more: object) -> None:
    """Print the rows and keep them, with where they were taken and how: the benchmark's doc."""
    for row in rows:
        print(row, flush=True)
    result = {
        "name": name,
        "title": " ".join((doc or "").split("\n\n")[0].split()),
        "protocol": " ".join((doc or "").split("\n\n")[1].split()).removesuffix(" Run it with"),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "rows": [asdict(row) | {"holds": row.holds} for row in rows],
        **more,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def machine() -> dict[str, object]:
    """What the figures were taken on, in plain words, and how busy it was."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "bfloat16": fast_bfloat16(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
