"""From a run, or two folders, to evidence and figures, and what is kept of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from twofold import __version__
from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Samples
from twofold.data.kind import Kind
from twofold.data.sources import Rows, Source
from twofold.measures.agreement import udr
from twofold.measures.diagnosis import Diagnosis, diagnose, vitals_of
from twofold.measures.estimate import ANY, Estimate, jackknife
from twofold.measures.factors import Factors
from twofold.measures.latent import Latent, infer
from twofold.measures.measure import Evidence, Figure, every_measure, figures
from twofold.measures.vitals import UNKNOWN, Spread, played
from twofold.runs.advice import advice, in_words
from twofold.runs.folder import write_json
from twofold.runs.run import Run
from twofold.train.chance import generator


def evidence_of_run(
    run: Run, train: Source, real: Source, n: int, seed: int, split: str
) -> Evidence:
    """What a run is measured on: held-out rows, training rows, and as many draws.

    The draws are given what the held-out rows are given, so that labels occur as often.
    """
    held = batch_of(run.kind, real, n, seed)
    seen = batch_of(run.kind, train, n, seed)
    drawn = drawn_like(run, held, seed) if isinstance(run.model, Samples) else held[:0]
    factors = factors_of(run.kind, real, held.rows)
    return Evidence(
        run.space, run.given, held, seen, drawn, run.model, split, seed, factors=factors
    )


def factors_of(kind: Kind, source: Source, rows: Tensor) -> Factors:
    """What the data knows of some rows and no model is given."""
    values = source.factors()
    fits = values.shape[1] == kind.factors.size  # other data than the run's may know less
    return Factors.of(kind.factors, values[rows]) if fits else Factors()


def drawn_like(run: Run, held: Batch, seed: int) -> Batch:
    """A draw for each held-out row, under its conditions."""
    torch.manual_seed(seed)
    model = run.role(Samples, "measure")
    with torch.inference_mode():
        parts = [model.sample(Given(c)) for c in held.given.c.split(run.chunk)]
    # as if written to files and read again: what is measured is what a user would get
    known = run.given.decode(held.given.c)
    rows = run.kind.settled(Rows(run.space.decode(torch.cat(parts)), known))
    return Batch(run.space.encode(rows.values), held.given, torch.arange(len(rows)))


def evidence_of_folders(kind: Kind, fake: Source, real: Source, n: int, seed: int) -> Evidence:
    """What two sets of files are measured on: no model, and half of the real ones as training."""
    held = batch_of(kind, real, 2 * n, seed)
    half = len(held) // 2
    return Evidence(
        kind.space,
        kind.given,
        held[:half],
        held[half:],
        batch_of(kind, fake, n, seed),
        (),
        "given",
        seed,
    )


def batch_of(kind: Kind, source: Source, n: int, seed: int) -> Batch:
    """At most n rows of a source, drawn without replacement, encoded."""
    rows = torch.randperm(len(source), generator=generator(seed, 7))[:n]
    read = source.read(rows)
    return Batch(kind.space.encode(read.values), Given(kind.given.encode(read.given)), rows)


@dataclass(frozen=True)
class Game:
    """The verdict on a game, and the settings to turn, as `--set` takes them."""

    found: Diagnosis
    turn: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """All of it, in a sentence."""
        turn = f"; to turn: {in_words(self.turn)}" if self.turn else ""
        return f"the game is {self.found.words}: {self.found.because}{turn}"


def game_of(run: Run, found: Sequence[Figure]) -> Game:
    """What figures of a run whose model plays a game against a critic say of it."""
    diagnosis = diagnose(vitals_of(found, rise_of(run)))
    if diagnosis.verdict == "healthy":
        return Game(diagnosis)
    return Game(diagnosis, tuple(advice(run.plan, run.model, diagnosis.verdict)))


def rise_of(run: Run) -> Spread:
    """How the spread of draws moved over the last two evaluations of training, if it was well."""
    seen = [line for line in run.log if len(line.get("spread", {})) == 5]
    if len(seen) < 2 or seen[-1]["game"] != "healthy":
        return UNKNOWN
    before, now = (Spread(**line["spread"]) for line in seen[-2:])
    return now.since(before)


def games(run: Run, found: Sequence[Figure]) -> list[Game]:
    """The verdict on a run's game, where it played one and the figures tell."""
    telling = any(figure.name in TELLING for figure in found)
    return [game_of(run, found)] if telling and played(run.model) else []


TELLING = ("critic_ranks_train", "recall", "birthday_support", "modes_covered")


def keep(
    path: Path,
    found: Sequence[Figure],
    refused: Mapping[str, str],
    said: Sequence[str] = (),
    game: Sequence[Game] = (),
) -> None:
    """Write figures as JSON; `said` is what a reader of all of them must know.

    Args:
        game: the verdict on the game of critic and generator; at most one.
    """
    data = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"twofold": __version__, "torch": torch.__version__},
        "said": [*said],
        "games": [asdict(one.found) | {"turn": [*one.turn], "said": one.said} for one in game],
        "figures": [finite(asdict(figure)) for figure in found],
        "refused": dict(refused),
    }
    write_json(path, data)


def finite(table: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with null for what is not a number."""
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in table.items()
    }


def kept(path: Path) -> list[Figure]:
    """The figures that were written; none if there are none."""
    if not path.is_file():
        return []
    return recalled(json.loads(path.read_text())["figures"])


def recalled(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Figures from plain data."""
    known = [{k: math.nan if v is None else v for k, v in row.items()} for row in rows]
    return TypeAdapter(list[Figure]).validate_python(known)


def alike(folder: Path) -> list[Figure]:
    """How far a fit of several seeds agrees, where its summary lies in this run; else nothing."""
    return [figure for figure in kept(folder / "seeds.json") if figure.name == "udr"]


def measured(
    evidence: Evidence, names: Iterable[str] = (), skip: Iterable[str] = ()
) -> tuple[list[Figure], dict[str, str]]:
    """All figures that apply, or those named."""
    return figures(evidence, names, skip)


def answered(evidence: Evidence, names: Sequence[str]) -> tuple[list[Figure], dict[str, str]]:
    """As `measured`, where there is an answer.

    Raises:
        UserError: none of those that are named applies, why, and which do.
    """
    found, refused = measured(evidence, names)
    if found or not names:
        return found, refused
    every = [one for one in every_measure() if not one.refuses(evidence)]
    fit = ", ".join(name for one in every for name in one.names if name not in names)
    why = "; ".join(f"{name} does not apply: {reason}" for name, reason in refused.items())
    raise UserError(f"{why}; those that do: {fit}")


def over_seeds(by_seed: Sequence[Sequence[Figure]]) -> list[Figure]:
    """The mean of each figure over runs of several seeds, with its 95 % interval by Student's t.

    The interval says how much seeds differ, and with it how much one run can be trusted. It ends
    where the figure must: no share is above 1.
    """
    from scipy.stats import t

    within = {name: can for one in every_measure() for name, can in one.within.items()}
    out = []
    for rows in zip(*by_seed, strict=True):
        values = torch.tensor([row.value for row in rows], dtype=torch.float64)
        half = float(t.ppf(0.975, len(values) - 1)) * float(values.std()) / math.sqrt(len(values))
        mean = float(values.mean())
        low, high = within.get(rows[0].name, ANY).cut(Estimate(mean, mean - half, mean + half))[1:]
        note = f"over {len(values)} seeds: {', '.join(f'{v:.4g}' for v in values.tolist())}"
        out.append(replace(rows[0], value=mean, low=low, high=high, note=note))
    return out


def agreement(runs: Sequence[Run], real: Source, n: int, seed: int) -> list[Figure]:
    """UDR: how far models of several seeds found the same dimensions, beside its floor.

    Nothing for models without a Gaussian code. The interval is over observations; the parts are
    the scores of the runs, by which the one to keep may be chosen without any label.
    """
    seen = [evidence_of_code(run, real, n, seed) for run in runs]
    if any(Latent().refuses(evidence) for evidence in seen):
        return []
    codes = [infer(evidence.model, evidence.real, seed) for evidence in seen]
    rates = [code.kl.mean(0) for code in codes]
    if any(len(rate) != code.mean.shape[1] for rate, code in zip(rates, codes, strict=True)):
        return []  # the KL is not known by dimension
    scores = udr([code.mean for code in codes], rates)
    rows = len(codes[0].mean)
    apart = udr(
        [
            code.mean[torch.randperm(rows, generator=generator(seed, i))]
            for i, code in enumerate(codes)
        ],
        rates,
    )

    def again(kept: Tensor) -> Tensor:
        return udr([code.mean[kept] for code in codes], rates).mean()[None]

    (span,) = jackknife(again, scores.mean()[None], rows, 20)
    parts = ", ".join(
        f"{run.path.name} {score:.3f}" for run, score in zip(runs, scores.tolist(), strict=True)
    )
    return [
        seen[0].figure(
            "udr",
            span,
            rows,
            "higher",
            floor=float(apart.mean()),
            parts=tuple(scores.tolist()),
            note=f"whether {len(runs)} runs found the same dimensions: {parts}",
        )
    ]


def evidence_of_code(run: Run, real: Source, n: int, seed: int) -> Evidence:
    """What a measure of the code alone looks at: nothing is drawn."""
    held = batch_of(run.kind, real, n, seed)
    return Evidence(run.space, run.given, held, held[:0], held[:0], run.model, "test", seed)
