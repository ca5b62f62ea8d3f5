"""From a recipe and data to a trained run, and on from where a run stopped."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from twofold import __version__
from twofold.core.batch import Batch, Given
from twofold.core.build import NO_TRUST, Trust, arguments
from twofold.core.errors import UserError
from twofold.core.game import Model, Rescues, Samples, Scores, Starts
from twofold.core.space import Category, Space
from twofold.core.switches import REMEDIES
from twofold.data.doctor import fitting, with_official
from twofold.data.few import few
from twofold.data.kind import Finding, Kind, Where
from twofold.data.named import find
from twofold.data.pictures import grid, png
from twofold.data.sources import Rows, Source, Subset, whole
from twofold.data.split import labelled, only, split, strata
from twofold.measures.fidelity import gauge
from twofold.measures.measure import Evidence, Figure, figures
from twofold.measures.monitor import read, readable
from twofold.measures.vitals import GROUND, Ground, Watched, groundable, played
from twofold.nets.expost import DrawnAfter
from twofold.nets.precision import lower, precision_of, speed_up
from twofold.runs import folder as place
from twofold.runs.advice import advice, in_words
from twofold.runs.lock import alone
from twofold.runs.recipe import Plan, plan
from twofold.runs.refit import refit
from twofold.runs.run import Run
from twofold.train import checkpoint
from twofold.train.chance import seed_all
from twofold.train.feed import Feed
from twofold.train.loop import Loop, check_names
from twofold.train.options import Training
from twofold.train.parallel import world
from twofold.train.record import Log, Recorder, Silent, TensorBoard, screen
from twofold.train.session import UNUSED, HeldOut, Monitor, Session, Story, device_of
from twofold.train.ward import Ward

PREVIEWED = 36
JUDGED = 512
READ = 512
WATCHED = 256
"""Training and held-out rows that a critic is looked at with."""
GLANCED = 1024
"""Training rows whose mean a model starts from."""


@dataclass(frozen=True)
class Material:
    """The data of a run: its codec, its splits, and what the doctor found."""

    kind: Kind
    train: Source
    validation: Source
    test: Source
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(
        cls, kind: Kind, source: Source, findings: Sequence[Finding], data: Mapping[str, Any]
    ) -> Self:
        """Divide a source as the `data.split` table says; without any, a tenth each is held out.

        Its key `normal` names the labels that train and validate: rows of another do neither.
        """
        fixed = ("rows", "labels", "groups", "official")
        asked = dict(data.get("split", {}))
        normal = texts_of(asked.pop("normal", ()))
        options = arguments(split, asked, "data.split", skip=fixed)
        if kind.patient and options.get("ordered"):
            raise UserError(
                "data.split.ordered may part the rows of one patient; leave out either it or "
                "data.patient"
            )
        groups = source.groups()
        shared = len(groups.unique()) < len(groups)
        made = split(
            len(source),
            labels=strata(kind.given, source.labels()),
            groups=groups if shared else groups[:0],
            official=source.official,
            **options,
        )
        if normal:
            made = only(made, labelled(kind.given, source.labels(), normal))
        train, validation, test = (
            Subset(source, r) for r in (made.train, made.validation, made.test)
        )
        return cls(kind, train, validation, test, (*findings, *made.findings))

    @property
    def sizes(self) -> str:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return ", ".join(f"{len(rows)} {part}" for part, rows in parts.items())


def texts_of(named: Any) -> tuple[str, ...]:
    """Labels as a recipe names them: one or a list, numbers as the texts that they are.

    >>> texts_of("33"), texts_of([3, "b"])
    (('33',), ('3', 'b'))
    """
    return tuple(map(str, named if isinstance(named, list | tuple) else [named]))


def place_of(data: Mapping[str, Any]) -> Where:
    """Where the `data` table of a recipe says the data is: at a path, or under a name."""
    return data["path"] if "path" in data else find(data["name"])


def material_of(run: Run, where: Where) -> Material:
    """The data of a run, opened again with the codec that the run keeps.

    Args:
        run: the run. where: where the data is now, when it is not where the recipe says.
    """
    found = fitting(data_of(run, where), run.kind)
    source = with_official(run.kind.open(found.where), found)
    return Material.of(run.kind, source, (), run.recipe["data"])


def data_of(run: Run, where: Where = "") -> Where:
    """Where the data of a run is: as asked, what the run holds, or as its recipe says.

    Raises:
        UserError: it was an object in memory that is not there any more.
    """
    for one in (where, *run.data):
        if not isinstance(one, str) or one:
            return one
    data = run.recipe["data"]
    if "path" in data or "name" in data:
        return place_of(data)
    raise UserError(
        f"{run.path} was trained on an object in memory; give it again with data=, or in Python "
        f"as twofold.load({str(run.path)!r}, data=...)"
    )


def start(
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    material: Material,
    out: str | Path = "",
    root: Path = Path("runs"),
    trust: Trust = NO_TRUST,
    warm: str | Path = "",
    title: str = "",
    quiet: bool = False,
) -> Run:
    """Make a new run and train it.

    Args:
        recipe: the `model` and `train` tables. data: the complete `data` table.
        material: the data.
        out: the folder; without it the next numbered one under `root`, with `title`.
        trust: the user's own files that may run.
        warm: a run to start from.
        quiet: nothing on the screen.
    """
    made = plan(recipe, dict(data), trust)
    kind, files = material.kind, [*trust.files.values()]
    seed_all(torch.device("cpu"), made.training.seed)
    model = made.build(kind.space, kind.given)
    check_names(made.training.players, model.players())
    if made.training.rescue:
        played_otherwise(model)
    if isinstance(model, Starts):
        model.start(here_and_there(material.train, kind, GLANCED, torch.device("cpu")).x)
    taken = [warm_start(model, Run.open(warm, files))] if warm else []
    feed = feed_of(made.training, material)  # before there is a folder: a refusal leaves none
    folder = new_run(made, material, out, root, title or made.recipe["model"]["name"])
    with alone(folder):
        session = session_of(made, model, material, feed, folder, quiet, Story())
        for text in [*(f"{f.level}: {f.text}" for f in material.findings), *taken]:
            session.say(text)
        reason = session.run()
        return finished(Run.open(folder, files), material, reason)


def new_run(made: Plan, material: Material, out: str | Path, root: Path, title: str) -> Path:
    """The folder of a new run, with what it is: made by the first process, known to all."""
    here = world()
    if not here.first:
        return Path(here.told(""))
    folder = place.new_folder(out, root, title)
    place.write_recipe(folder, made.recipe, header(material))
    place.write_space(folder, material.kind, known_conditions(material.train, material.kind))
    (folder / "previews").mkdir()
    return Path(here.told(str(folder)))


def go_on(run: Run, material: Material, changes: Mapping[str, Any], quiet: bool = False) -> Run:
    """Train a run further, exactly as if it had never stopped.

    Args:
        run: the run. material: its data.
        changes: to the `train` table, such as `steps`: only what does not alter the past.

    Raises:
        UserError: another process is training it, or there is nothing left to do.
    """
    with alone(run.path):
        return gone_on(replace(run), material, changes, quiet)


def gone_on(run: Run, material: Material, changes: Mapping[str, Any], quiet: bool) -> Run:
    """As `go_on`, of a run of which nothing was read yet, and that nobody else trains."""
    made = replace(run.plan, training=replace(run.plan.training, **changes))
    state, remembered = checkpoint.load(run.path)
    model = made.build(run.space, run.given)
    story = Story(**remembered)
    for step, trouble in zip(story.rescued, story.against, strict=True):
        played_otherwise(model).rescue(trouble, step)  # type: ignore[arg-type]
    feed = feed_of(made.training, material)
    session = session_of(made, model, material, feed, run.path, quiet, story, state.step)
    session.loop.load(state)
    session.marked = (session.marked[0], state.shown)
    if session.loop.done:
        raise UserError(f"{run.path} has taken its {state.step} steps; ask for more with --steps N")
    if changes:
        recipe = {**run.recipe, "train": {**run.recipe["train"], **changes}}
        place.write_recipe(run.path, recipe, header(material))
    if run.kept and not isinstance(model, DrawnAfter):
        session.say(f"note: the fitted prior will be stale; {again(run)}")
    reason = session.run()
    trained = Run.open(run.path, [*run.trust.files.values()], run.weights)
    return finished(trained, material, reason)


def again(run: Run) -> str:
    """How to fit the prior of a run again."""
    return f"fit it again with: twofold prior {run.path} --fit {run.kept[0].name}"


def finished(run: Run, material: Material, reason: str) -> Run:
    """A trained run, with the density of its codes where its family is drawn from one."""
    if reason != "stopped" and world().first and isinstance(run.model, DrawnAfter):
        refit(run, material.train, material.validation, run.model.density, run.seed, drawn=False)
        return Run.open(run.path, [*run.trust.files.values()], run.weights)
    return run


def played_otherwise(model: Model) -> Rescues:
    """The model as one that can be rescued, or why it cannot."""
    name = type(model).__module__.rpartition(".")[2]
    if not isinstance(model, Rescues):
        raise UserError(
            f"rescue needs a code that can be called back, or a game that can be steadied; {name} "
            "has neither; leave it out"
        )
    if not any(model.remedy(trouble) for trouble in (*REMEDIES, UNUSED)):
        raise UserError(
            f"rescue has no remedy for this {name}, as its rate has no weight to ease; leave it out"
        )
    return model


def session_of(
    made: Plan,
    model: Model,
    material: Material,
    feed: Feed,
    folder: Path,
    quiet: bool,
    story: Story,
    step: int = 0,
) -> Session:
    """A loop with everything around it."""
    training, device = made.training, device_of(made.training.device)
    model.to(device)
    lower(model, precision_of(training.precision, device))
    notes = speed_up(model) if training.compile else []
    here = world()
    loop = Loop(model, feed, training, here)
    judge = held_out(model, material, training, device)
    readers = monitors(model, material, device)
    watching = wards(made, model, material, feed, device)
    preview = previewer(material, training, folder, device)
    recorders = recorders_of(training, folder, quiet, step) if here.first else [Silent()]
    session = Session(loop, folder, recorders, judge, readers, watching, preview, story)
    for note in notes:
        session.say(note)
    return session


def feed_of(training: Training, material: Material) -> Feed:
    """Where batches come from; it refuses what these data cannot give."""
    kind = material.kind
    return Feed(
        few(material.train, training.labels, training.seed),
        kind.space,
        kind.given,
        training.batch,
        training.seed,
        device_of(training.device),
        tuple(kind.augments),
        training.balance,
        training.null,
        training.labelled,
    )


def recorders_of(training: Training, folder: Path, quiet: bool, step: int) -> list[Recorder]:
    """Who hears the ticks: the log, the screen, TensorBoard if wanted."""
    shown = Silent() if quiet else screen(training.steps, folder.name)
    board = [TensorBoard(folder, step)] if training.tensorboard else []
    return [Log(folder / "log.jsonl", step), shown, *board]


# What training looks at on the way.


def held_out(
    model: Model, material: Material, training: Training, device: torch.device
) -> list[HeldOut]:
    """How checkpoints are compared on validation data; nothing when there is none."""
    if not len(material.validation) or training.best == "none":
        return []
    real = encoded(material.validation, material.kind, JUDGED, device)
    if training.best in ("auto", "elbo") and isinstance(model, Scores):
        return [HeldOut("elbo", lambda m: elbo(m, real), higher=True)]
    if training.best == "auto":
        return nearness(material.kind.space, real)
    train = encoded(material.train, material.kind, JUDGED, device)

    def figure(m: Model) -> Figure:
        return first_figure(m, material.kind, real, train, training.best)

    higher = figure(model).better == "higher"
    return [HeldOut(training.best, lambda m: figure(m).value, higher)]


def monitors(model: Model, material: Material, device: torch.device) -> list[Monitor]:
    """What reads the model's code: on validation data, or on training data where there is none."""
    source = material.validation if len(material.validation) > 1 else material.train
    real = encoded(source, material.kind, READ, device)
    return [lambda m: read(m, real)] if readable(model, real) else []


def wards(
    made: Plan, model: Model, material: Material, feed: Feed, device: torch.device
) -> list[Ward]:
    """What watches the game of a model that has one."""
    if not played(model):
        return []
    kind = material.kind
    train, rows = (here_and_there(feed.source, kind, n, device) for n in (WATCHED, 2 * GROUND))
    held = here_and_there(material.validation, kind, WATCHED, device)
    ground = (Ground.of(kind.space, rows),) if groundable(kind.space, rows) else ()
    return [
        Ward(
            Watched(train, held, ground),
            lambda trouble: in_words(advice(made, model, trouble)),
            made.training.rescue,
        )
    ]


def nearness(space: Space, real: Batch) -> list[HeldOut]:
    """The distance of draws to held-out data; nothing when there is too little to compare by."""
    try:
        name, distance = gauge(space, real)
    except UserError:
        return []

    def measure(model: Model) -> float:
        return distance(drawn(model, real)) if isinstance(model, Samples) else math.nan

    return [HeldOut(name, measure, higher=False)]


def drawn(model: Model, real: Batch) -> Tensor:
    """A draw for each held-out observation, the noise the same at every evaluation."""
    if not isinstance(model, Samples):
        raise UserError("train.best needs a model that samples; set train.best=none")
    seed_all(real.x.device, 0)
    with evaluating(model):
        return model.sample(real.given)


def elbo(model: Model, real: Batch) -> float:
    """The ELBO of held-out observations, the noise the same at every evaluation."""
    assert isinstance(model, Scores)
    seed_all(real.x.device, 0)
    with evaluating(model):
        return float(model.log_likelihood(real.x, real.given, 1).mean())


def first_figure(model: Model, kind: Kind, real: Batch, train: Batch, name: str) -> Figure:
    """One figure of a model against held-out data."""
    fake = Batch(drawn(model, real), real.given, real.rows)
    evidence = Evidence(kind.space, kind.given, real, train, fake, model, "validation")
    found, refused = figures(evidence, [name])
    if not found:
        raise UserError(f"train.best = {name!r} cannot be measured here: {refused[name]}")
    return found[0]


class evaluating:  # noqa: N801
    """Evaluation mode and no gradients, for as long as it lasts."""

    def __init__(self, model: Model) -> None:
        self.model, self.was = model, model.training
        self.grad = torch.inference_mode()

    def __enter__(self) -> None:
        self.model.eval()
        self.grad.__enter__()

    def __exit__(self, *error: object) -> None:
        self.grad.__exit__(None, None, None)
        self.model.train(self.was)


def previewer(
    material: Material, training: Training, folder: Path, device: torch.device
) -> Callable[[Model, int], None]:
    """Draws the same latents, under the same conditions, through the whole run."""
    kind = material.kind
    given = encoded(material.train, kind, PREVIEWED, device).given

    def preview(model: Model, step: int) -> None:
        if not isinstance(model, Samples):
            return
        seed_all(device, training.seed)
        with evaluating(model):
            x = model.sample(given).cpu()
            rows = Rows(kind.space.decode(x), x.new_zeros(len(x), 0))
            checkpoint.replace(folder / "previews" / f"{step:08d}.png", png(grid(kind.draw(rows))))
        for old in place.thinned(list((folder / "previews").glob("*.png"))):
            old.unlink()

    return preview


def encoded(source: Source, kind: Kind, limit: int, device: torch.device) -> Batch:
    """The first rows of a source, encoded."""
    rows = whole(source, limit)
    given = Given(kind.given.encode(rows.given).to(device))
    return Batch(kind.space.encode(rows.values).to(device), given, torch.arange(len(rows)))


# What a run is told at its start.


def here_and_there(source: Source, kind: Kind, n: int, device: torch.device) -> Batch:
    """At most n rows from all over a source, encoded."""
    rows = torch.linspace(0, len(source) - 1, min(len(source), n)).long()
    return encoded(Subset(source, rows), kind, n, device)


def known_conditions(source: Source, kind: Kind) -> dict[str, Any]:
    """The labels that occur and how often; nothing when a condition is a number of one person."""
    labels = source.labels()
    if not kind.given.fields or not all(isinstance(f.domain, Category) for f in kind.given.fields):
        return {"rows": [], "counts": []}
    rows, counts = labels.nan_to_num(-1).unique(dim=0, return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:1000]
    listed = [[None if v < 0 else v for v in row] for row in rows[order].tolist()]
    return {"rows": listed, "counts": counts[order].tolist()}


def warm_start(model: Model, run: Run) -> str:
    """Take over every tensor of another run that has the same name and shape."""
    theirs, mine = run.model.state_dict(), model.state_dict()
    fitting = {k: v for k, v in theirs.items() if k in mine and mine[k].shape == v.shape}
    if not fitting:
        raise UserError(
            f"--from {run.path}: none of its tensors fits this model; use the same family and sizes"
        )
    model.load_state_dict(fitting, strict=False)
    return f"note: {len(fitting)} of {len(mine)} tensors start from {run.path}"


def header(material: Material) -> str:
    """What stands above a resolved recipe."""
    versions = {
        "twofold": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    made_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{material.kind.name}: {material.sizes}\n{made_with}, {sys.platform}"
