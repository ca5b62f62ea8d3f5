"""The public functions, one a verb: the command, the web page and `import twofold` are its skins.

Every function takes what the command takes, under the same names, and returns what a program needs:
a `Run`, figures, paths. What a verb writes goes where `out` says and never over anything.

>>> import twofold
>>> {"gan", "vae"} <= set(twofold.models())
True
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image

from twofold.apps import (
    analogies,
    anomaly,
    attending,
    augmentation,
    classification,
    colouring,
    denoising,
    discovering,
    editing,
    exporting,
    following,
    foretelling,
    fragments,
    imputation,
    mixing,
    optimising,
    predicting,
    projecting,
    sayings,
    steering,
    traversing,
    ways,
    wording,
)
from twofold.apps import neighbours as near
from twofold.apps import score as scoring
from twofold.apps.imputation import Filling, Imputed
from twofold.apps.predicting import Asking, Predicted
from twofold.apps.score import Asked, Scored
from twofold.core.build import Trust, build_part, complete
from twofold.core.errors import BadFile, UserError
from twofold.core.game import (
    Classifies,
    Criticises,
    Decodes,
    Encodes,
    Quantises,
    Rescues,
    Samples,
    Scores,
    Starts,
    Styles,
    Truncates,
)
from twofold.core.ranges import Amount, Count, Ends, Extra, Seed, in_range
from twofold.core.switches import takes
from twofold.core.words import harmless
from twofold.data import named as sets
from twofold.data import schema
from twofold.data.doctor import Examination, examine, fitting
from twofold.data.kind import Kind, Where
from twofold.data.kinds.molecules import Molecules
from twofold.data.kinds.tables import Tables
from twofold.data.kinds.text import Text
from twofold.data.places import folder as made_folder
from twofold.data.places import free_name, new, untaken
from twofold.data.sources import Rows, Source, Subset, whole
from twofold.maths.choosing import Choice
from twofold.maths.latents import LatentName
from twofold.measures.figures import Figures
from twofold.measures.measure import Figure, every_measure
from twofold.models import families
from twofold.models import names as family_names
from twofold.nets.expost import ExPost
from twofold.report import alarms, card, files, maps, moved, raster, structures
from twofold.report import compare as comparison_page
from twofold.report import found as found_page
from twofold.report import run as run_page
from twofold.runs import codes as coded
from twofold.runs import learnt, measuring
from twofold.runs import matrix as trial
from twofold.runs.conditions import of_pairs
from twofold.runs.drawing import Drawn
from twofold.runs.folder import existing, free, slug
from twofold.runs.lock import alone
from twofold.runs.other import Other, numbers, titles
from twofold.runs.recipe import (
    SPACES,
    Named,
    Settings,
    Table,
    load_recipe,
    merged,
    plan,
    settings,
)
from twofold.runs.recipe import recipes as packaged_recipes
from twofold.runs.refit import refit
from twofold.runs.run import From, Path_, Run, Weights
from twofold.runs.training import Material, data_of, go_on, material_of, place_of, start
from twofold.studies import Result, study
from twofold.studies import studies as every_study

NOTES = "drawn.txt"
"""What is said of a draw that met conditions or constraints."""
DRAWN = 16
"""Observations that are drawn when nothing is said."""
MEASURED = 2048
"""Observations a side when nothing is said."""
SECONDS = 4.0
"""How long a film takes to go to its end and back."""


# What a fit is of.


@dataclass(frozen=True)
class Wish:
    """What `fit` was asked for: a recipe's tables, and where the data is."""

    recipe: Table
    where: Where
    data: Table


def wish(what: Where, recipe: Named, model: str, changes: Table) -> tuple[Wish, Examination]:
    """Read what was asked: a path wins over a recipe's name, a recipe over a data set's."""
    asked, where = told(what, recipe)
    named_model = model or changes.get("model", {}).get("name", "")
    check_family(named_model)
    if named_model not in ("", asked.get("model", {}).get("name", named_model)):
        raise UserError(
            f"the recipe is for another model than {named_model}; leave one of them out"
        )
    data = merged(asked, changes).get("data", {})
    where = source_of(data, where)
    options = {k: v for k, v in data.items() if k not in ("name", "path", "split")}
    examination = examine(where, **options)
    base = asked if "model" in asked else merged(suggested(examination, named_model), asked)
    table = merged(base, merged({"model": {"name": model}} if model else {}, changes))
    return Wish(table, where, {**named(where), **data}), examination


def check_family(name: str) -> None:
    """Refuse the name of a recipe where that of a family is asked for."""
    if name in packaged_recipes() and name not in family_names():
        raise UserError(f"{name} is a recipe, not a family; name it with --recipe {name}")


def suggested(examination: Examination, model: str) -> Table:
    """The packaged recipe for a family on this data; of a family without one, only its training."""
    name = f"{model or 'vae'}-{examination.suggestion.recipe.partition('-')[2]}"
    if name in packaged_recipes():
        return load_recipe(name)
    return {"train": load_recipe(examination.suggestion.recipe).get("train", {})}


def told(what: Where, recipe: Named) -> tuple[Table, Where]:
    """The recipe and the data that the first argument and `--recipe` name between them."""
    is_recipe = isinstance(what, str | Path) and (
        str(what).endswith(".toml") or (not Path(what).exists() and str(what) in packaged_recipes())
    )
    if is_recipe:
        return merged(load_recipe(str(what)), load_recipe(recipe) if recipe else {}), ""
    return (load_recipe(recipe) if recipe else {}), what


def source_of(data: Mapping[str, Any], where: Where) -> Where:
    """Where the data is: as given, or as the recipe says."""
    if not isinstance(where, str) or where:
        return where
    if "path" not in data and "name" not in data:
        raise UserError(
            "the recipe names no data; add data.name or data.path, or --set data.path=..."
        )
    return place_of(data)


def named(where: Where) -> Table:
    """The data's place, for the run's recipe; an object in memory has none."""
    if not isinstance(where, str | Path):
        return {}
    if not Path(where).exists() and str(where) in sets.NAMED:
        return {"name": str(where)}
    return {"path": str(Path(where).resolve())}


@contextmanager
def offering() -> Iterator[None]:
    """Of the verbs that learn what data are: a bad file can be left out."""
    try:
        yield
    except BadFile as bad:
        raise bad.but("leave such files out with --skip-bad") from None


# Training.


@in_range
@offering()
def fit(
    what: Where,
    *,
    model: str | Path = "",
    recipe: Named = "",
    set: Settings = (),
    from_: str | Path = "",
    seeds: Count = 1,
    rescue: bool = False,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
    dry_run: bool = False,
    quiet: bool = False,
    **data: Any,
) -> Run:
    """Train a model into a new run.

    Args:
        what: a path, the name of a recipe or of a data set, or an array or data frame.
        model: the family, or the path of a Python file that defines one.
        recipe: a recipe by name or path, or its tables, for the data named first.
        set: settings, such as ["model.latent=8"], or {"model.latent": 8, "train.steps": 500}.
        from_: a run to start from.
        seeds: how many seeds to train; the last run is returned, and the summary stands beside.
        rescue: answer a latent that falls out of use, or a game that goes wrong, as `train.rescue`
            does.
        out: the folder; without it the next numbered one under runs/.
        trust: the user's own files that may run.
        dry_run: print the resolved recipe, and train nothing.
        quiet: nothing on the screen.
        data: options of the data, as under `data` in a recipe.

    Raises:
        UserError: anything the user can mend.

    >>> run = fit("digits", set=["train.steps=2", "train.batch=8"], quiet=True)  # doctest: +SKIP
    """
    wanted: Table = {"train": {"rescue": True}} if rescue else {}
    changes = merged(merged(settings(set), wanted), {"data": data} if data else {})
    asked, examination = wish(what, recipe, str(model), changes)
    own = [model] if str(model).endswith(".py") else []
    trusted = Trust.of([*trust, *own, *own_files(settings(set))])
    whole = {**asked.data, "split": {**split_defaults(), **asked.data.get("split", {})}}
    if dry_run:
        raise DryRun(plan(asked.recipe, whole, trusted).recipe)
    material = Material.of(examination.kind, examination.source, examination.findings, whole)
    title = f"{Path(asked.recipe['model'].get('name', 'vae')).stem}-{label(whole, what)}"
    first = int(asked.recipe.get("train", {}).get("seed", 0))
    runs = [
        start(
            merged(asked.recipe, {"train": {"seed": seed}}),
            whole,
            material,
            f"{out}/seed-{seed}" if out and seeds > 1 else out,
            trust=trusted,
            warm=from_,
            title=title if seeds == 1 else f"{title}-seed-{seed}",
            quiet=quiet,
        )
        for seed in range(first, first + seeds)
    ]
    held = () if isinstance(what, str | Path) else (what,)
    runs = [replace(run, data=held) for run in runs]
    if seeds > 1:
        summarise(runs, material)
    return runs[-1]


def summarise(runs: Sequence[Run], material: Material) -> Path:
    """Measure every seed; write each figure's mean and interval beside the last run."""
    by_seed = [measure(run, quiet=True) for run in runs]
    summary = runs[-1].path / "seeds.json"
    alike = measuring.agreement(runs, material.test, MEASURED, 0)
    measuring.keep(summary, [*measuring.over_seeds(by_seed), *alike], {})
    return summary


class DryRun(Exception):
    """Not an error: the resolved recipe that was asked for, as `recipe`."""

    def __init__(self, recipe: Table) -> None:
        super().__init__("nothing was trained")
        self.recipe = recipe


def split_defaults() -> Table:
    """How data is divided when nothing is said."""
    return {"validation": 0.1, "test": 0.1, "seed": 0}


def own_files(changes: Any) -> list[str]:
    """Python files that the command line itself names: naming them there is trusting them.

    >>> own_files({"model": {"penalties": [{"name": "mine.py"}, "r1"], "encoder": "net.py"}})
    ['mine.py', 'net.py']
    """
    if isinstance(changes, str):
        return [changes] if changes.endswith(".py") else []
    if isinstance(changes, Mapping):
        return own_files(list(changes.values()))
    inner = changes if isinstance(changes, Sequence) else ()
    return [name for one in inner for name in own_files(one)]


def label(data: Table, what: Where) -> str:
    """A short name of the data for the run's folder."""
    return Path(data.get("name") or data.get("path") or type(what).__name__).stem


@in_range
def resume(
    run: Run | str | Path,
    *,
    steps: Extra = 0,
    minutes: Amount = 0.0,
    data: Where = "",
    trust: Sequence[str | Path] = (),
    quiet: bool = False,
) -> Run:
    """Go on with a run, exactly as if it had never stopped.

    Args:
        run: the run.
        steps: to take in all, where it should be more than the recipe says.
        minutes: of wall clock in all, likewise.
        data: where the data is now, when it has moved or was an object in memory.
        trust: the user's own files that may run.
        quiet: nothing on the screen.
    """
    opened = load(run, trust=trust, data=data)
    changes: Table = {
        **({"steps": steps} if steps else {}),
        **({"minutes": minutes} if minutes else {}),
    }
    return replace(go_on(opened, material_of(opened, ""), changes, quiet), data=opened.data)


@in_range
def load(
    run: Run | str | Path,
    *,
    trust: Sequence[str | Path] = (),
    weights: Weights = "average",
    prior: From = "auto",
    data: Where = "",
) -> Run:
    """Open a run; nothing in its folder is executed.

    Args:
        run: the path of its folder.
        trust: files of the user's own that it needs, which may run.
        weights: `average`, `last`, or `best` on held-out data.
        prior: where codes are drawn from: `fitted`, the density that `prior` keeps with the run;
            `own`, the model's; `auto`, the fitted one where it is kept and fits the weights.
        data: its data, where they were an object in memory or have moved, for what asks of them.
    """
    held = () if isinstance(data, str) and not data else (data,)
    if not isinstance(run, Run):
        return replace(Run.open(run, trust, weights, prior), data=held)
    asked = run if prior == "auto" else replace(run, prior=prior)
    return replace(asked, data=held) if held else asked


# Using a run.


@in_range
def sample(
    run: Run | str | Path,
    n: Count = DRAWN,
    *,
    given: Mapping[str, Any] | Sequence[str] = (),
    guidance: float = 1.0,
    seed: Seed = 0,
    truncation: float = math.inf,
    mix: str = "",
    codes: str | Path = "",
    temperature: float = 1.0,
    top_p: float = 1.0,
    containing: str = "",
    begin: str = "",
    out: str | Path = "",
    weights: Weights = "average",
    prior: From = "auto",
    trust: Sequence[str | Path] = (),
) -> list[Path]:
    """Draw observations and write them as native files, an overview first.

    Args:
        run: the run.
        n: how many.
        given: conditions, {"label": 3} or ["label=3"], or the path of a file of rows. Of a row, any
            field may be named; how it was met is written to `drawn.txt`.
        guidance: how many times the condition counts: 1 is plain, more goes beyond, 0 without.
        seed: of the draw: the same seed gives the same files.
        truncation: the most that a value of a normal code may be, either way (the truncation
            trick), or of a style-based model the share ψ of the way from the mean style: the
            smaller, the more typical and the less varied.
        mix: layers of a style-based model whose styles come from a second draw: coarse, middle,
            fine, or numbers such as 2-4; `mixed.png` shows both draws above the mixed one.
        codes: a file of codes that `encode` or `project` wrote for this run, to decode instead of
            drawing: all of them, each with what is given of it.
        temperature, top_p: of tokens that are spelt one by one: below 1 they are likelier and less
            varied, at temperature 0 the likeliest each time; top_p keeps the likeliest tokens whose
            probabilities sum to it.
        containing: of molecules, only those that have this fragment, as SMILES or SMARTS.
        begin: of molecules, a fragment as SMILES that all begin with.
        out: a folder; without it `samples` in the run, numbered when it is taken.
        weights, prior, trust: as in `load`.
    """
    opened = load(run, trust=trust, weights=weights, prior=prior)
    wanted = fragments.Wanted(containing, begin)
    if wanted and (codes or mix):
        raise UserError("--containing and --begin are of plain draws; leave out --codes and --mix")
    if codes:
        found = codes_in(opened, codes)
        if n not in (DRAWN, len(found)):
            raise UserError(f"{codes} holds {len(found)} codes, and all are decoded; leave out -n")
        if given or mix:
            raise UserError("a file of codes says what is given; leave out --given and --mix")
        folder = Path(out) if out else free(opened.path / "samples")
        return opened.kind.rewrite(coded.decoded(opened, found), folder, found.names)
    if mix:
        return mixed(opened, n, mix, conditions(given), seed, truncation, guidance, out)
    choice, known = Choice(temperature, top_p), conditions(given)

    def draw(n: int, seed: int) -> Drawn:
        return opened.drawn(n, known, seed, guidance, truncation, choice)

    drawn = fragments.drawn(opened, wanted, n, seed, draw) if wanted else draw(n, seed)
    paths = written(opened, drawn.rows, out, "samples")
    return [*paths, *noted(drawn.said, paths[0].parent)]


def noted(said: Sequence[str], folder: Path) -> list[Path]:
    """What is to be said of how rows were drawn, beside them; nothing where it is nothing."""
    if said:
        (folder / NOTES).write_text("\n".join(said) + "\n", encoding="utf-8")
    return [folder / NOTES] if said else []


def mixed(
    run: Run,
    n: int,
    layers: str,
    given: Mapping[str, Any],
    seed: int,
    truncation: float,
    guidance: float,
    out: str | Path,
) -> list[Path]:
    """Draws of mixed styles, the picture of their sources first."""
    if guidance != 1:
        raise UserError("a draw is guided or mixed; give --guidance or --mix alone")
    made = mixing.mix(run, n, layers, given, seed, min(truncation, 1.0))
    kept = written(run, made.mixed, out, "samples")
    sides = {"first draw": made.first, "second draw": made.second, f"{layers} of it": made.mixed}
    drawn = moved.picture(run.kind, list(sides), files.joined([*map(files.first, sides.values())]))
    return [files.pictured(kept[0].parent, "mixed.png", drawn), *kept]


def codes_in(run: Run, where: str | Path) -> coded.Codes:
    """The codes of a file.

    Raises:
        UserError: it holds none.
    """
    for codes in coded.read(run, where):
        return codes
    raise UserError(f"{where} holds no codes; give an NPZ that encode or project wrote")


def written(run: Run, rows: Rows, out: str | Path, name: str, across: int = 0) -> list[Path]:
    """Write rows as native files into a folder of their own; see `Kind.write`."""
    folder = Path(out) if out else free(run.path / name)
    return run.kind.write(rows, folder, across)


def conditions(
    given: Mapping[str, Any] | Sequence[str], flag: str = "--given"
) -> Mapping[str, Any]:
    """Conditions from `name=value` pairs and files of rows."""
    return given if isinstance(given, Mapping) else of_pairs(given, flag)


@in_range
def encode(
    run: Run | str | Path,
    data: Where,
    *,
    how: Literal["mean", "sample", "distribution"] = "mean",
    map: bool = False,
    by: str = "",
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Path:
    """The codes of observations, as an NPZ file with `z` (N, D), or `mean` and `std`.

    What is given of each row stands beside them, `given` (N, G), where a file has rows its number
    there, `row` (N,), as what could not be read has no code, where observations have names these,
    `name` (N,), and the sha256 of the weights, `run`: codes mean nothing to other runs, which
    refuse them.

    Args:
        run: the run. data: observations of the same form.
        how: the mean of q(z | x), one draw from it, or its mean and standard deviation.
        map: draw them on their principal plane as well, coloured by label, as a PNG beside.
        by: colour the map by a number instead: what is given, a field of a row, and of molecules
            any numeric column of the file or a property that RDKit computes, such as qed.
        seed: of the draw.
        out: the file, or a folder for it where the name has no suffix; without it `codes.npz` in
            the run, numbered when it is taken.
        trust: as in `load`.
    """
    opened = load(run, trust=trust)
    asked = Other.of(opened, data)
    source, rows = asked.open(), asked.rows()
    codes = opened.encode(source, how, seed)
    arrays = (
        dict(zip(("mean", "std"), codes, strict=True)) if how == "distribution" else {"z": codes}
    )
    path = file_in(Path(out), "codes.npz") if out else free_name(opened.path, "codes.npz")
    path = untaken(path)
    if by and not map:
        raise UserError(f"--by {by} colours a map; say --map as well")
    arrays["given"] = source.labels().numpy()
    if rows:
        arrays["row"] = np.array(rows)
    arrays |= coded.called(asked.titles(source))
    path.parent.mkdir(parents=True, exist_ok=True)
    if map:
        drawn = picture_of_codes(opened, next(iter(arrays.values())), source, data, by)
        with new(path.with_suffix(".png")) as file:
            drawn.save(file, "PNG")
    with new(path) as npz:
        coded.write(opened, arrays, npz)
    return path


def passed_over(
    run: Run | str | Path, data: Where, *, trust: Sequence[str | Path] = ()
) -> list[str]:
    """What an answer about each of the data passes over, and why."""
    return Other.of(load(run, trust=trust), data).passed()


def picture_of_codes(run: Run, codes: Any, source: Source, data: Where, by: str) -> Image.Image:
    """The map of codes (N, D) of some data, coloured by a number or by label."""
    if len(codes) < 3:
        raise UserError("a map needs at least three observations; leave out --map")
    if by:
        return maps.by_number(torch.as_tensor(codes), colouring.numbers(run, data, by), by)
    return maps.picture(run, torch.as_tensor(codes), source.labels())


@in_range
def reconstruct(
    run: Run | str | Path,
    data: Where,
    *,
    attention: bool = False,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> list[Path]:
    """Observations encoded and decoded again, as native files.

    Args:
        run: the run. data: observations of the same form.
        attention: lay what the networks look at over the first 64 of them, as pictures in
            `attention/`, with the weights beside.
        out: a folder; without it `reconstructions` in the run. trust: as in `load`.

    Raises:
        UserError: the model has no encoder; or no attention, where that is asked for.
    """
    opened = load(run, trust=trust)
    source, numbered = lenient(opened, data)
    again = opened.reconstructed(source)
    looks = [attending.attend(opened, source)] if attention else []
    folder = Path(out) if out else free(opened.path / "reconstructions")
    paths = opened.kind.rewrite(again, folder, titles(opened, data, source))
    paths += told_back(opened, again, source, numbered, folder)
    beside = free(folder / "attention")
    return [*paths, *(path for look in looks for path in look.write(beside))]


def lenient(run: Run, data: Where) -> tuple[Source, list[int]]:
    """The rows of some data and their numbers; of molecules without those the run cannot take."""
    if isinstance(run.kind, Molecules) and not isinstance(data, Source):
        asked = Other.of(run, data)
        return asked.open(), asked.rows()
    source = run.source(data)
    return source, numbers(run, data, len(source))


def told_back(
    run: Run, again: Rows, source: Source, numbered: Sequence[int], folder: Path
) -> list[Path]:
    """What came back of sentences and molecules beside what was asked; nothing of others."""
    if run.space.layout != "tokens":
        return []
    every = sayings.back(run, whole(source), again)
    tables = [
        files.delimited(folder, "reconstructed.csv", made.columns, [*made.lines(numbered)])
        for made in every
    ]
    return [*tables, *noted([made.words for made in every], folder)]


@in_range
def interpolate(
    run: Run | str | Path,
    data: Where = (),
    *,
    of: Sequence[str] = (),
    steps: Ends = 8,
    pairs: Count = 4,
    path: Path_ = "spherical",
    given: Mapping[str, Any] | Sequence[str] = (),
    seed: Seed = 0,
    out: str | Path = "",
    prior: From = "auto",
    trust: Sequence[str | Path] = (),
) -> list[Path]:
    """Observations on the way between pairs, as native files; of molecules, drawn step by step.

    Args:
        run: the run.
        data: observations to go between, two and two, or a file of their codes; without any, draws
            of the prior.
        of: instead, observations written out, two and two: SMILES, or sentences.
        steps: observations a pair, both ends included. pairs: at most so many.
        path: `spherical`, `linear`, or the `geodesic` of the decoder.
        given: conditions that hold on the way, instead of what is given of the first of a pair;
            of a file of several, each pair takes one, in turn.
        seed: of the draws.
        out: a folder; without it `interpolations` in the run. prior, trust: as in `load`.
    """
    opened = load(run, trust=trust, prior=prior)
    ends = opened.kind.spelt(of) if of else data
    found = coded.read(opened, ends)
    rows = (
        coded.between(opened, found[0], steps, pairs, path, conditions(given))
        if found
        else opened.between(ends, steps, pairs, path, conditions(given), seed)
    )
    paths = written(opened, rows, out, "interpolations", across=steps)
    known = [] if found or (isinstance(ends, tuple) and not ends) else [opened.source(ends)]
    told = told_ways(opened, rows, known, steps, paths[0].parent)
    return [*told, *paths, *filmed_ways(opened, rows, steps, paths[0].parent)]


def filmed_ways(run: Run, rows: Rows, steps: int, folder: Path) -> list[Path]:
    """Ways of pictures as a film; none of others."""
    if len(run.space.axes) != 2:
        return []
    frames = raster.there_and_back(run.kind.draw(rows), steps)
    return [files.filmed(folder, "way.gif", frames, SECONDS)]


def told_ways(run: Run, rows: Rows, ends: Sequence[Source], steps: int, folder: Path) -> list[Path]:
    """Ways of molecules and sentences, step by step: drawn, as a table, told; none of others.

    Args:
        ends: what they go between, where it is not drawn.
    """
    kind = run.kind
    if isinstance(kind, Text):
        return told_sentences(kind, rows, ends, steps, folder)
    if not isinstance(kind, Molecules):
        return []
    smiles = kind.molecules(rows.values)
    many = 2 * (len(smiles) // steps)
    given = [one for end in ends for one in kind.molecules(whole(end, many).values)]
    made = ways.between(smiles, given, steps)
    table = files.delimited(folder, "ways.csv", ways.COLUMNS, [*ways.lines(made)])
    drawn = structures.sheet([(f"pair {i}", cells_of(way)) for i, way in enumerate(made, 1)])
    said = [f"pair {i}, {way.words}" for i, way in enumerate(made, 1)]
    return [files.pictured(folder, "ways.png", drawn), table, *noted(said, folder)]


def told_sentences(
    kind: Text, rows: Rows, ends: Sequence[Source], steps: int, folder: Path
) -> list[Path]:
    """Ways of sentences as a table, between the ends that were given, and what each has."""
    made = kind.sentences(rows)
    many = 2 * (len(made) // steps)
    given = [one for end in ends for one in kind.sentences(whole(end, many))]
    lines = [*sayings.between(made, given, steps)]
    table = files.delimited(folder, "ways.csv", sayings.BETWEEN, lines)
    return [table, *noted(sayings.in_words(made, steps), folder)]


def cells_of(way: ways.Between) -> list[structures.Structure]:
    """A way as a row of pictures, between the molecules that were given."""
    steps = [structures.Structure(one.smiles, one.lines) for one in way.steps]
    ends = [structures.Structure(end, ("given",)) for end in way.ends if way.given]
    return [*ends[:1], *steps, *ends[1:]]


@in_range
def neighbours(
    run: Run | str | Path,
    data: Where = (),
    *,
    of: Sequence[str] = (),
    k: Count = 8,
    among: Where = "",
    n: Count = 8,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Made:
    """The observations whose codes are nearest to those of others, as a table and a picture.

    Args:
        run: the run.
        data: observations of the same form; molecules that the run cannot take are passed over.
        of: instead, observations written out: SMILES, or sentences.
        k: neighbours of each. among: where they are looked for; without it, the run's own data.
        n: observations, the first of these.
        seed: of what is drawn to compare with. out: a folder; without it `neighbours` in the run.
        trust: as in `load`.
    """
    opened = load(run, trust=trust)
    if not of and isinstance(data, tuple) and not data:
        raise UserError("neighbours needs observations: name a file, or write some out with --of")
    own = data_of(opened, among)
    others, numbered = lenient(opened, own)
    every = opened.kind.spelt(of) if of else lenient(opened, data)[0]
    asked = Subset(every, torch.arange(min(n, len(every))))
    made = near.neighbours(opened, asked, others, k)
    names = list(of)[:n] if of else near.called(opened, data, len(asked))
    called = near.called(opened, own, len(others))
    folder = Path(out) if out else free(opened.path / "neighbours")
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(opened.kind, Molecules):
        spelt = opened.kind.molecules(whole(asked).values)
        like = near.alike(made, spelt, called, seed)
        return near_molecules(made, like, spelt, called, numbered, folder)
    seen, at = whole(asked), made.at.flatten()
    found = others.read(at)
    rows = near.side_by_side(
        [*near.lines(made, names, called, numbered, made.distance.new_zeros(*made.at.shape, 0))],
        near.contents(opened, every if of else data, torch.arange(len(asked)), seen),
        near.contents(opened, own, at, found),
    )
    table = files.delimited(folder, "neighbours.csv", [*rows[0]], [[*row.values()] for row in rows])
    if len(opened.space.axes) != 2:
        return Near([table], rows=rows)
    drawn = pictures_beside(opened, seen, found)
    return Near([files.pictured(folder, "neighbours.png", drawn), table], rows=rows)


def near_molecules(
    made: near.Neighbours,
    like: near.Likeness,
    asked: Sequence[str],
    others: Sequence[str],
    numbered: Sequence[int],
    folder: Path,
) -> Made:
    """Molecules and those near to them, with their similarity, as a table and as structures."""
    lines = near.lines(made, asked, others, numbered, like.each.unsqueeze(2))
    columns = [*near.COLUMNS, "similarity"]
    table = files.delimited(folder, "neighbours.csv", columns, [*lines])
    rows = []
    for i, one in enumerate(asked):
        facts = zip(made.at[i].tolist(), made.distance[i].tolist(), like.each[i].tolist(),
                    strict=True)  # fmt: skip
        found = [
            structures.Structure(others[at], (f"at {far:.2f}", f"similarity {alike:.2f}"))
            for at, far, alike in facts
        ]
        rows.append((str(i + 1), [structures.Structure(one, ("asked",)), *found]))
    drawn = files.pictured(folder, "neighbours.png", structures.sheet(rows))
    return Made([drawn, table], said=[str(like)])


def pictures_beside(run: Run, asked: Rows, found: Rows) -> Image.Image:
    """Each picture, and the k that were found of it, in a row."""
    k = len(found) // len(asked)
    rows = torch.arange(len(asked))
    order = torch.cat(
        [rows[:, None], len(asked) + rows[:, None] * k + torch.arange(k)], 1
    ).flatten()
    both = files.joined([asked, found])
    names = [str(i + 1) for i in rows.tolist()]
    return moved.picture(run.kind, names, Rows(both.values[order], both.given[order]))


@in_range
def analogy(
    run: Run | str | Path,
    data: Where,
    *,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> list[Path]:
    """Of each three observations a, b, c the one decoded from a − b + c, as native files.

    Args:
        run: the run. data: observations in threes.
        out: a folder; without it `analogies` in the run. trust: as in `load`.
    """
    opened = load(run, trust=trust)
    source = opened.source(data)
    rows = analogies.analogies(opened, source)
    paths = written(opened, rows, out, "analogies")
    return [*paths, *told_analogies(opened.kind, whole(source), rows, paths[0].parent)]


def told_analogies(kind: Kind, asked: Rows, made: Rows, folder: Path) -> list[Path]:
    """Analogies of sentences and molecules as a table, beside what was asked; none of others."""
    if not isinstance(kind, Text | Molecules):
        return []
    lines = [*sayings.analogies(kind.native(asked), kind.native(made))]
    return [files.delimited(folder, "analogies.csv", sayings.ANALOGY, lines)]


# Jobs.


@in_range
def score(
    run: Run | str | Path,
    data: Where,
    *,
    rate: float = 0.01,
    threshold: str = "quantile",
    by: Sequence[str] = (),
    also: Sequence[Run | str | Path] = (),
    samples: Count = 50,
    labels: str = "",
    positive: Sequence[str] = (),
    hourly: Amount = 0.0,
    masks: str = "",
    part: str = "",
    follow: bool = False,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Scored:
    """Score how abnormal observations are, and where; the threshold never sees them.

    Args:
        run: the run. data: observations of the same form.
        rate: false alarms to expect among normal observations.
        threshold: `quantile` promises the rate, `pot` fits a tail for rates below 1 / (held-out
            rows), `f1` is the best for the abnormal rows among those held out.
        by: the terms of the score, such as `negative_log_likelihood` or `neighbours`; without any,
            the usual ones of the model.
        also: more runs on the same data, whose scores are averaged with the first one's.
        samples: draws of the code a row.
        labels: a column or field that says what each observation is, to judge the scores by.
        positive: its texts that are abnormal; without any, those never seen in training.
        hourly: observations an hour, to say how many alarms an hour there are.
        masks: a folder of pictures that are white where those of the data are abnormal.
        part: score only this part of the run's own split, such as `test`, of the run's own data.
        follow: then listen to the file, and print an alarm for each new row or window that is
            abnormal, until it is stopped (Ctrl-C).
        seed: of the draws.
        out: a folder; without it `scores` in the run, numbered when it is taken.
        trust: as in `load`.
    """
    opened = [load(one, trust=trust) for one in (run, *also)]
    asked = Asked(
        rate, samples, labels, tuple(positive), seed, tuple(by), threshold, hourly, masks, part
    )
    place = Path(out) if out else free(opened[0].path / "scores")
    if follow:
        return listened(opened, data, asked, place)
    return reported(opened, data, asked, place)


@in_range
def export(
    run: Run | str | Path,
    *,
    what: str = "scorer",
    rate: float = 0.01,
    threshold: str = "quantile",
    by: Sequence[str] = (),
    labels: str = "",
    positive: Sequence[str] = (),
    data: Where = "",
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> exporting.Exported:
    """Write a piece of a run as an ONNX graph, once that answers as the run does.

    Args:
        run: the run.
        what: the `scorer`, with its calibration and threshold; the `encoder`; the `decoder`.
        rate, threshold, by, labels, positive: of a scorer, as in `score`; its terms draw nothing.
        data: where the data is now, when it has moved or was an object in memory.
        seed: of what the scorer learns.
        out: the file, `.onnx`; without it `scorer.onnx` and so on in the run, numbered when it is
            taken. What the graph is stands beside it, as JSON, and in its metadata.
        trust: as in `load`.

    Raises:
        UserError: it cannot be a graph, or differs from the run; nothing is written then.
    """
    opened = load(run, trust=trust)
    asked = Asked(
        rate, labels=labels, positive=tuple(positive), seed=seed, by=tuple(by), threshold=threshold
    )
    path = Path(out) if out else free_name(opened.path, f"{what}.onnx")
    return exporting.export(opened, what, asked, data, path)


def reported(runs: Sequence[Run], data: Where, asked: Asked, place: Path) -> Scored:
    """Scores with their page."""
    found = scoring.score(runs, data, asked, place)
    alarms.write(place / "report.html", page_of(found))
    return found


def listened(runs: Sequence[Run], data: Where, asked: Asked, place: Path) -> Scored:
    """Scores of a file, and then of what is added to it, until it is stopped."""
    growing = following.growing(runs[0], data)
    there = growing.fresh()
    found = reported(runs, data, asked, place)
    print(harmless(str(found), but="\n"), flush=True)
    for kept in anomaly.kept(runs, asked.how):
        follower = following.Follower.of(kept, runs[0], growing, there, asked)
        break
    else:
        raise UserError(f"another process is training {runs[0].path}; wait for it, then follow")
    following.follow(follower, found, place, lambda text: print(harmless(text), flush=True))
    return found


def page_of(found: Scored) -> alarms.Alarms:
    """What a report shows of scores."""
    raw = {name: one.raw for name, one in found.scores.items()}
    return alarms.Alarms(
        tuple(found.words()), raw, found.threshold, found.normal, found.truth, found.figures,
        found.worst,
    )  # fmt: skip


@in_range
def impute(
    run: Run | str | Path,
    data: Where,
    *,
    fields: Sequence[str] = (),
    mask: str | Path = "",
    samples: Count = 100,
    rounds: Count = 20,
    interval: float = 0.0,
    draws: Extra = 0,
    telling: bool = False,
    check: bool = False,
    target: str = "",
    corrected: bool = False,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Imputed:
    """Fill what is missing, given what is there, and write the data completed.

    Args:
        run: the run. data: observations of the same form, with gaps.
        fields: treat these as missing too.
        mask: for images, a picture that is white where they are to be filled; else a `.npy`.
        samples: draws of the code a row. rounds: of a chain, where the encoder knows no gaps.
        interval: also write the ends of intervals that hold this share of the draws.
        draws: also write so many completed copies, each gap drawn.
        telling: which values are missing tells of the others.
        check: hide a tenth of the known values, fill them, and say how wrong that is.
        target: with a check, a column to tell from rows that were completed without it.
        corrected: widen or narrow the intervals until they hold as much of validation data.
        seed: of all chance.
        out: a folder; without it `imputed` in the run, numbered when it is taken.
        trust: as in `load`.
    """
    opened = load(run, trust=trust)
    filling = Filling(samples, rounds, interval, draws, telling, seed, corrected)
    folder = Path(out) if out else free(opened.path / "imputed")
    return imputation.impute(opened, data, fields, mask, filling, check, target, folder)


@in_range
def predict(
    run: Run | str | Path,
    data: Where,
    *,
    draws: Count = 100,
    interval: float = 0.9,
    check: bool = False,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Predicted | foretelling.Written:
    """How series go on after their end, or the properties that a head predicts from the code.

    As a CSV file of a row a series and step, or of a row an observation and property.

    Args:
        run: of a model that is given the steps before a window, `data.past`, or that predicts what
            is given, `model.properties`; of these, intervals are corrected by validation data.
        data: series, or observations, of the same form.
        draws: of each, whose median is the prediction.
        interval: the share between its ends.
        check: predict held-out data too, and say how far that is from what came.
        seed: of the draws.
        out: the file, or a folder for `predicted.csv`; without it in the run, numbered when it is
            taken.
        trust: as in `load`.

    Raises:
        UserError: the run is given nothing before a window, or the series are too short.
    """
    opened = load(run, trust=trust)
    path = file_in(Path(out), "predicted.csv") if out else free_name(opened.path, "predicted.csv")
    asking = Asking(draws, interval, seed)
    if not foretelling.foretells(opened):
        return predicting.predict(opened, data, asking, check, path)
    asked, own = Other.of(opened, data), materials(opened, "")
    source, rows = asked.open(), asked.rows()
    found = foretelling.foretell(opened, source, asking, own, check)
    found = replace(found, said=(*asked.passed(), *found.said))
    head: dict[str, Sequence[object]] = {"row": rows} if rows else {}
    head["of"] = asked.names(len(source))
    lines = found.lines(list(zip(*head.values(), strict=True)))
    table = files.delimited(path.parent, path.name, [*head, *foretelling.COLUMNS], [*lines])
    return foretelling.Written(table, len(source), found)


def file_in(out: Path, name: str) -> Path:
    """A file of this name, or one in a folder of this name, which has no suffix."""
    return out if out.suffix else made_folder(out) / name


@in_range
def augment(
    run: Run | str | Path,
    *,
    by: str,
    more: Extra = 0,
    seed: Seed = 0,
    temperature: float = 1.0,
    out: str | Path = "",
    weights: Weights = "average",
    prior: From = "auto",
    trust: Sequence[str | Path] = (),
) -> augmentation.Augmented:
    """Draw the rows that rare classes lack, and compare them with a simple way and with none.

    Of a table the simple way is SMOTE, of texts simple edits; of texts, a draw that some training
    sentence says word for word is left out.

    Args:
        run: a run on a table or on texts. by: the column whose classes are to be equally frequent.
        more: so many more than the commonest class has. seed: of all chance.
        temperature: of a token of a text.
        out: a folder; without it `augmented` in the run, numbered when it is taken.
        weights, prior, trust: as in `load`.
    """
    opened = load(run, trust=trust, weights=weights, prior=prior)
    folder = Path(out) if out else free(opened.path / "augmented")
    if opened.kind.name == "text":
        return wording.augment(opened, by, more, seed, Choice(temperature), folder)
    if temperature != 1:
        raise UserError("--temperature is for texts; leave it out")
    return augmentation.augment(opened, by, more, seed, folder)


@in_range
def classify(
    run: Run | str | Path,
    data: Where = (),
    *,
    out: str | Path = "",
    weights: Weights = "average",
    trust: Sequence[str | Path] = (),
) -> Made:
    """The label of observations, with its probability, as a CSV file of a row each.

    Args:
        run: the run. data: observations of the same form; without any, the run's test split.
        out: the file, or a folder for `classes.csv`; without it in the run, numbered when it is
            taken.
        weights, trust: as in `load`.

    Returns:
        What was written, and the accuracy where labels come with the observations; those that were
        trained on are left out of it if there are others.

    Raises:
        UserError: the run's family does not classify, or the file exists.
    """
    opened = load(run, trust=trust, weights=weights)
    opened.role(Classifies, "classify")
    given = not (isinstance(data, tuple) and not data)
    source = opened.source(data) if given else material_of(opened, "").test
    names = opened.kind.names(fitting(data, opened.kind).where) if given else []
    done = classification.classify(opened, source, trained_on(opened))
    path = file_in(Path(out), "classes.csv") if out else free_name(opened.path, "classes.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    scoring.write_table(path, done.columns(names))
    return Made([path], [*done.figures(opened.seed)], said=[*done.said()])


def trained_on(run: Run) -> list[Source]:
    """What a run was trained on, if its data is where it was."""
    try:
        return [material_of(run, "").train]
    except UserError:
        return []


@in_range
def prior(
    run: Run | str | Path,
    *,
    fit: str | Mapping[str, Any] = "gmm",
    data: Where = "",
    seed: Seed = 0,
    weights: Weights = "average",
    again: bool = False,
    trust: Sequence[str | Path] = (),
) -> list[Figure]:
    """Fit a better density to the codes of a run's training data, and keep it with the run.

    From then on `sample`, `interpolate` and `measure` draw codes from it.

    Args:
        run: the run.
        fit: `gmm`, `flow`, `vamp` or `two-stage`, or a table with the name and its options.
        data: where the data is now, when it has moved or was an object in memory.
        seed: of the fit and of every draw.
        weights: whose codes, as in `load`.
        again: replace one that is kept already; a stale one is replaced unasked.
        trust: as in `load`.

    Returns:
        The log-likelihood of validation codes, and the distance of draws to validation data; each
        with that of the model's own prior as its baseline.

    Raises:
        UserError: the model has no codes to fit to, or the run keeps such a density already.
    """
    opened = load(run, trust=trust, weights=weights, prior="own")
    for density in opened.kept:
        if not again and not density.stale(opened.sha256):
            raise UserError(
                f"{opened.path} keeps a fitted prior already ({density.name}); "
                "say --again to replace it"
            )
    part = build_part(ExPost, fit, "fit")
    material = material_of(opened, data)
    with alone(opened.path):
        return refit(opened, material.train, material.validation, part, seed)


@in_range
def traverse(
    run: Run | str | Path,
    data: Where = (),
    *,
    dims: Count = 10,
    steps: Ends = 8,
    range: str | float = "2",
    given: Mapping[str, Any] | Sequence[str] = (),
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> list[Path]:
    """Move one dimension of the code at a time, the most informative first.

    Args:
        run: the run.
        data: an observation to start from, the first of these; without any, the prior's mean, or
            a draw where the model has no encoder.
        dims: dimensions to show, ordered by their KL on held-out data. steps: along each.
        range: standard deviations of the prior to each side, or `quantiles` of held-out codes.
        given: conditions that hold on the way. seed: of the draws.
        out: a folder; without it `traversals` in the run. trust: as in `load`.
    """
    opened = load(run, trust=trust)
    start = [] if isinstance(data, tuple) and not data else [opened.source(data)]
    held = held_out(opened) or start
    made = traversing.traverse(
        opened, held, start, dims, steps, str(range), conditions(given), seed
    )
    folder = Path(out) if out else free(opened.path / "traversals")
    kept = opened.kind.write(made.rows, folder)
    table = files.delimited(folder, "traverse.csv", *traversing.listed(opened, made))
    if not opened.space.axes:
        return [
            files.delimited(folder, "changes.csv", *traversing.changes(opened, made)),
            table,
            *kept,
        ]
    drawn = moved.picture(opened.kind, made.names, made.rows, made.heads)
    return [files.pictured(folder, "traverse.png", drawn), table, *kept]


@dataclass(frozen=True)
class Made:
    """What a job wrote, the overview first, what it measured, what it did not and why.

    `said` are sentences that its reader should know.
    """

    paths: list[Path]
    figures: Sequence[Figure] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    said: Sequence[str] = ()


@dataclass(frozen=True)
class Near(Made):
    """What `neighbours` wrote, and the rows of its table, by column."""

    rows: Sequence[Mapping[str, str]] = ()


@in_range
def edit(
    run: Run | str | Path,
    data: Where = (),
    *,
    to: Mapping[str, Any] | Sequence[str] = (),
    direction: Sequence[str] = (),
    how: editing.How = "auto",
    strength: float = 1.0,
    keep: Sequence[str] = (),
    check: bool = False,
    n: Count = 64,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Made:
    """Change an attribute of observations and leave the rest, or move them along directions.

    Args:
        run: the run. data: observations of the same form; for a direction, a file of codes too, or
            none for fresh draws.
        to: what to change, {"smile": "yes"} or ["smile=yes"]: a label, an attribute, a column.
        direction: instead, directions that `directions` learnt, NAME or NAME:STRENGTH.
        how: decode the same code under another `condition`, or move it along a `direction` learnt
            from the training data; `auto` tries both on validation data where both can be.
        strength: 1 goes as far as observations of the new value lie; along a direction it is in
            standard deviations of codes.
        keep: attributes to hold still along a direction, or `all` others; with `direction`, other
            directions.
        check: measure how many edits a classifier of its own sees as meant, and what else changed.
        n: observations, the first of these. seed: of what checks, and of draws.
        out: a folder; without it `edits` in the run. trust: as in `load`.
    """
    opened = load(run, trust=trust)
    if direction:
        if to:
            raise UserError("edit changes an attribute or moves along directions; give one alone")
        return steered(opened, data, direction, strength, keep, check, n, seed, out)
    if isinstance(data, tuple) and not data:
        raise UserError("edit needs observations to change; without any, move draws: --direction")
    wanted = editing.edits(opened, conditions(to, "--to"))
    source = opened.source(data)
    rows, names = whole(source, n), titles(opened, data, source)[:n]
    material = cache(lambda: material_of(opened, ""))
    chosen = (
        editing.choose(opened, wanted, material, strength, keep, seed)
        if how == "auto"
        else editing.Choice(how)
    )
    made = editing.edit(opened, rows, wanted, lambda: material().train, chosen.how, strength, keep)
    figures = editing.checked(opened, made, wanted, material(), seed) if check else []
    words = ", ".join(one.words for one in wanted)
    return edited(opened, made, words, names, figures, chosen.why, out)


def steered(
    run: Run,
    data: Where,
    direction: Sequence[str],
    strength: float,
    keep: Sequence[str],
    check: bool,
    n: int,
    seed: int,
    out: str | Path,
) -> Made:
    """Observations, codes or draws moved along directions that were learnt."""
    found = learnt.kept(run)
    pushes = steering.pushes(run, found, direction, strength)
    still = steering.held_still(found, keep, pushes)
    given, said = coded.read(run, data), list[str]()
    if isinstance(data, tuple) and not data:
        given = (steering.draws(run, n, pushes, seed),)
    if given:
        codes = given[0][:n]
        rows, names = coded.decoded(run, codes), [*codes.names]
    else:
        source = run.source(data)
        rows, names = whole(source, n), titles(run, data, source)[:n]
        codes, said = steering.codes_for(run, rows, pushes, seed)
    made = steering.steer(run, rows, codes, pushes, still)
    figures = editing.checked(run, made, [], material_of(run, ""), seed) if check else []
    return edited(run, made, ", ".join(one.words for one in pushes), names, figures, said, out)


def edited(
    run: Run,
    made: editing.Edited,
    words: str,
    names: Sequence[str],
    figures: Sequence[Figure],
    said: Sequence[str],
    out: str | Path,
) -> Made:
    """What was edited, as native files, with an overview and its figures."""
    folder = Path(out) if out else free(run.path / "edits")
    kept = run.kind.rewrite(made.after, folder, names)
    if figures:
        measuring.keep(free_name(folder, "figures.json"), figures, {})
    every = {"original": made.seen, "decoded": made.before, words: made.after}
    if not run.space.axes:
        table = editing.listed(run, every, names)
        return Made([files.delimited(folder, "edits.csv", *table), *kept], figures, said=said)
    sides, heads = [files.first(side) for side in every.values()], stems(names)
    drawn = moved.picture(run.kind, [*every], files.joined(sides), heads)
    return Made([files.pictured(folder, "edits.png", drawn), *kept], figures, said=said)


def stems(names: Sequence[str]) -> list[str]:
    """Names of files above the columns of an overview, as short as can be."""
    return [Path(name).stem for name in names[: files.ACROSS]]


@in_range
def directions(
    run: Run | str | Path,
    *,
    how: learnt.HowLearnt | Literal["kept"] = "kept",
    space: Literal["auto", "z", "w"] = "auto",
    k: Count = 5,
    layers: str = "",
    attribute: Sequence[str] = (),
    rename: str = "",
    again: bool = False,
    data: Where = "",
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Made:
    """Learn directions of a run's codes, keep them with the run, and measure what each does.

    `edit --direction` moves along them.

    Args:
        run: the run.
        how: from `labels`, from the `weights` of the decoder or from its `activations`; without
            any, say what is kept.
        space: `z`, or `w` of a style-based model, which is taken where there is one.
        k: how many, where nothing is labelled.
        layers: of a style-based model, those to act on: coarse, middle, fine, or such as 0-3.
        attribute: attributes to learn from labels; all when empty.
        rename: `OLD:NEW`, gives a direction that is kept another name.
        again: replace those of the same names.
        data: where the data is now, when it has moved or was an object in memory.
        seed: of draws and fits.
        out: a folder for sheets of them; without it `directions` in the run. trust: as in `load`.

    Returns:
        A sheet of each at strengths from -3 to 3, and its figures.

    Raises:
        UserError: there is nothing to learn them from, or they are kept already.
    """
    opened = load(run, trust=trust)
    if rename:
        learnt.rename(opened, *parted(rename))
    if rename or how == "kept":
        found = learnt.kept(opened)
        return Made([opened.path / "directions.json"][: len(found)], told_of(found))
    styled = issubclass(opened.plan.make, Styles)
    place: Literal["z", "w"] = ("w" if styled else "z") if space == "auto" else space
    search = discovering.Search(how, place, k, layers, tuple(attribute), seed)
    material = materials(opened, data)
    found = discovering.discover(opened, material, search)
    learnt.add(opened, found, again)
    folder = Path(out) if out else free(opened.path / "directions")
    codes = steering.draws(opened, steering.SHOWN, [], seed)
    paths = [path for one in found for path in sheet(opened, codes, one, folder)]
    said = discovering.left_out(opened, search, found)
    return Made([*paths, opened.path / "directions.json"], told_of(found), said=said)


def sheet(run: Run, codes: coded.Codes, one: learnt.Learnt, folder: Path) -> list[Path]:
    """A direction at several strengths, drawn, or as a table where nothing can be."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, names = steering.sheet(run, codes.blind if one.blind else codes, one)
    if not run.space.axes:
        table = steering.steps(run, rows, names)
        return [files.delimited(folder, f"{slug(one.name)}.csv", *table)]
    heads = [f"{strength:g}" for strength in steering.STRENGTHS]
    drawn = moved.picture(run.kind, names, rows, heads)
    return [files.pictured(folder, f"{slug(one.name)}.png", drawn)]


def told_of(found: Sequence[learnt.Learnt]) -> list[Figure]:
    """The figures of directions."""
    return [figure for one in found for figure in one.figures]


def parted(pair: str) -> tuple[str, str]:
    """Two names with a colon between."""
    old, colon, new = pair.partition(":")
    if not colon:
        raise UserError(f"--rename {pair} should be OLD:NEW")
    return old, new


def materials(run: Run, data: Where) -> list[Material]:
    """A run's data, if it is where it was; where it is said to be, it must be there."""
    if not isinstance(data, str) or data:
        return [material_of(run, data)]
    try:
        return [material_of(run, "")]
    except UserError:
        return []


@in_range
def project(
    run: Run | str | Path,
    data: Where = (),
    *,
    space: LatentName = "z",
    steps: Extra = 300,
    features: Amount = 0.01,
    n: Count = 16,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Made:
    """Find the codes whose decodings are nearest to observations, and say how near.

    Args:
        run: the run.
        data: observations of the same form; without any, the run's test split.
        space: `z`, or `w` or `w+` of a style-based model.
        steps: of the search; at 0 codes are where it starts. features: the weight of the features
            of pictures beside the pixels.
        n: observations, the first of these. seed: of draws and noise.
        out: a folder; without it `projections` in the run. trust: as in `load`.

    Returns:
        A picture of pairs, the codes (`codes.npz`, which `edit`, `interpolate` and
        `sample --codes` take), the residual of each row (`residuals.csv`), what the codes decode
        to, as native files; and the residual beside simple ways.

    Raises:
        UserError: the model decodes no code that can be moved.
    """
    opened = load(run, trust=trust)
    material = materials(opened, "")
    named = isinstance(data, tuple) and not data
    if named and not material:
        raise UserError("project needs observations: the run's own data is not where it was")
    source = material[0].test if named else opened.source(data)
    rows = whole(source, n)
    asked = projecting.Asked(space, steps, features, seed)
    made = projecting.project(opened, rows, asked)
    simple = projecting.simple_ways(opened, made, [m.train for m in material], seed)
    figures = projecting.figures(made, simple, asked)
    folder = Path(out) if out else free(opened.path / "projections")
    where = data_of(opened) if named else data
    names = titles(opened, where, source)[: len(rows)]
    kept = opened.kind.rewrite(made.again, folder, names)
    measuring.keep(free_name(folder, "figures.json"), figures, {})
    table = files.delimited(folder, "residuals.csv", *projecting.listed(made, simple, names))
    held = free_name(folder, "codes.npz")
    with new(held) as file:
        found = {**made.codes.arrays(), **coded.called(names), "residual": made.residual.numpy()}
        coded.write(opened, found, file)
    paths = [held, table, *kept]
    if not opened.space.axes:
        return Made(paths, figures)
    sides = [files.first(side) for side in (made.seen, made.again)]
    heads = stems(names)
    drawn = moved.picture(opened.kind, ("original", f"in {space}"), files.joined(sides), heads)
    return Made([files.pictured(folder, "projected.png", drawn), *paths], figures)


@in_range
def optimize(
    run: Run | str | Path,
    *,
    maximize: Sequence[str] = (),
    minimize: Sequence[str] = (),
    where: Sequence[str] = (),
    similar_to: Sequence[str] = (),
    by: Sequence[str] = ("bayes",),
    beside: Sequence[str] = ("genetic", "screening", "draws"),
    oracle: Count = 1000,
    data: Where = "",
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Made:
    """Search a run of molecules for better ones, with simple searches beside it.

    Args:
        run: the run, of a model that encodes and decodes.
        maximize, minimize: what to raise and to lower: a property that RDKit computes, a numeric
            column of the data, `module:function`, or a command that reads SMILES and writes
            numbers.
        where: bounds to keep, such as `logp<5`.
        similar_to: `SMILES:0.4`, a molecule and how similar to it they must be.
        by: searches in the latent: bayes, cma, gradient.
        beside: simple searches with as many calls each: genetic, screening, draws.
        oracle: calls, the distinct molecules that each search may have judged.
        data: where the data is now, when it has moved or was an object in memory.
        seed: of every choice.
        out: a folder; without it `optimized` in the run. trust: as in `load`.

    Returns:
        A page, a CSV and an SDF of each search, and its figures.
    """
    opened = load(run, trust=trust)
    asked = optimising.Asked(
        tuple(maximize), tuple(minimize), tuple(where), tuple(similar_to), tuple(by),
        tuple(beside), oracle, seed,
    )  # fmt: skip
    made = optimising.optimise(opened, asked, data)
    folder = Path(out) if out else free(opened.path / "optimized")
    paths = optimising.write(made, folder)
    sides = [side_of(made, one) for one in made.found]
    said = told_of_calls(made)
    top = found_page.write(folder / "found.html", f"{made.task.words}.", said, sides)
    figures = [figure for one in made.found for figure in one.figures]
    measuring.keep(free_name(folder, "figures.json"), figures, {})
    return Made([top, *paths], figures, said=said)


def side_of(made: optimising.Optimised, found: optimising.Found) -> found_page.Side:
    """A search as its page shows it."""
    columns = optimising.columns_of(made.task)
    first = found.proposals[: found_page.SHOWN]
    shown = [{name: of(one) for name, of in columns.items()} for one in first]
    drawn = optimising.drawings([one.smiles for one in first])
    return found_page.Side(
        found.way, found.calls, found.distinct, found.figures, found.curve, shown, drawn
    )


def told_of_calls(made: optimising.Optimised) -> list[str]:
    """How calls were counted, and who did best."""
    each = ", ".join(f"{one.way} {one.calls:,}" for one in made.found)
    return [
        f"A call is one distinct molecule, asked again for nothing; calls made: {each}; "
        f"{made.judged:,} distinct molecules were judged in all.",
        *optimising.verdict(made),
    ]


@in_range
def denoise(
    run: Run | str | Path,
    data: Where = (),
    *,
    clean: Where = (),
    add_noise: bool = False,
    level: float | None = None,
    draws: Count = 16,
    deviation: bool = False,
    n: Count = 1_000_000,
    seed: Seed = 0,
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
) -> Made:
    """Expect the clean observations behind noisy ones, and say how near that is where it is known.

    Args:
        run: a run, trained with `model.noise`.
        data: noisy observations, copies of one scene being taken together; with `add_noise`, clean
            ones, and the test split when none.
        clean: the same observations without noise, in the same order, to measure by.
        add_noise: add the run's own noise first, and measure by what it was added to.
        level: of the noise: σ, photons or share; without, that which the run was trained with.
        draws: codes over which the posterior mean is taken.
        deviation: write the standard deviation of every value too.
        n: observations, at most. seed: of the noise and the draws.
        out: a folder; without it `denoised` in the run. trust: as in `load`.
    """
    opened = load(run, trust=trust)
    material = cache(lambda: material_of(opened, ""))
    given = not (isinstance(data, tuple) and not data)
    if not given and not add_noise:
        raise UserError("denoise needs noisy data, or --add-noise to try it on the test split")
    source = opened.source(data) if given else material().test
    noise = denoising.noise_at(opened, level)
    came, scenes = denoising.scenes_of(source, n)
    seen = denoising.noisy(opened, came, noise, seed) if add_noise else came
    truth = [came] if add_noise else beside(opened, clean, len(source.scenes().unique()), n)
    made = denoising.denoise(opened, seen, scenes, noise, draws, seed, deviation)
    folder = Path(out) if out else free(opened.path / "denoised")
    names = denoising.by_scene(titles(opened, data, source) if given else [], source)[:n]
    kept = opened.kind.rewrite(made.mean, folder, names)
    paths = [*files.spreads(folder, made.std if deviation else made.std[:0]), *kept]
    done = Made(paths, said=denoising.doubts(opened))
    for rows in truth:
        split = "given" if given else "test"
        found = denoising.figures(
            opened, rows, made, noise, lambda: material().validation, seed, split
        )
        measuring.keep(free_name(folder, "figures.json"), *found)
        done = Made(done.paths, *found, said=done.said)
    if not opened.space.axes:
        return done
    sides = {"clean": truth, "noisy": [made.seen], "denoised": [made.mean]}
    named = {name: files.first(rows) for name, every in sides.items() for rows in every}
    sheets, heads = files.joined(list(named.values())), stems(names)
    drawn = moved.picture(opened.kind, list(named), sheets, heads)
    return replace(done, paths=[files.pictured(folder, "denoised.png", drawn), *done.paths])


def beside(run: Run, clean: Where, many: int, n: int) -> list[Rows]:
    """The first n clean rows of as many as there are noisy ones, if they are given."""
    if isinstance(clean, tuple) and not clean:
        return []
    source = run.source(clean)
    if len(source) != many:
        raise UserError(
            f"--clean has {len(source)} observations for {many} noisy ones; give as many"
        )
    return [whole(source, n)]


def held_out(run: Run) -> list[Source]:
    """The run's own observations that did not train, if its data is where it was."""
    try:
        found = material_of(run, "")
    except UserError:
        return []
    return [part for part in (found.test, found.validation, found.train) if len(part)][:1]


# Measuring.


@in_range
def measure(
    run: Run | str | Path,
    *,
    against: Where = "",
    measures: Sequence[str] = (),
    n: Count = MEASURED,
    seed: Seed = 0,
    weights: Weights = "average",
    prior: From = "auto",
    out: str | Path = "",
    trust: Sequence[str | Path] = (),
    quiet: bool = False,
) -> Figures:
    """Measure a run on its held-out data, or one folder of files against another.

    Args:
        run: the run; or, with `against`, data that was drawn somewhere else.
        against: real data; for a run, instead of its own test split.
        measures: names of the measures; all that apply when empty.
        n: observations a side, at most.
        seed: of every draw.
        weights, prior, trust: as in `load`.
        out: a folder for `measures.json` and `report.html`; without it, the run's own.
        quiet: write no report.

    Returns:
        the figures, a list that is shown as a table, each also by its name: `.named("recall")`.
    """
    if not isinstance(run, Run) and not (Path(run) / "recipe.toml").is_file():
        return between_folders(run, against, measures, n, seed, out)
    opened = load(run, trust=trust, weights=weights, prior=prior)
    material = material_of(opened, "")
    real = opened.source(against) if against != "" else material.test
    split = "given" if against != "" else "test"
    evidence = measuring.evidence_of_run(opened, material.train, real, n, seed, split)
    found, refused = measuring.answered(evidence, measures)
    folder = Path(out) if out else opened.path
    folder.mkdir(parents=True, exist_ok=True)
    game = measuring.games(opened, found)
    measuring.keep(folder / "measures.json", found, refused, opened.said, game)
    if not quiet:
        run_page.write(opened, found, refused, material, folder)
        card.write(opened, found, folder)
    return Figures(found)


def between_folders(
    fake: Where, real: Where, measures: Sequence[str], n: int, seed: int, out: str | Path
) -> Figures:
    """Measure drawn files against real ones, without any model."""
    if real == "":
        existing(Path(fake))
        raise UserError(f"{fake} is not a run; to measure it as data, say --against REAL")
    examination = examine(real)
    evidence = measuring.evidence_of_folders(
        examination.kind, examination.kind.open(fake), examination.source, n, seed
    )
    found, refused = measuring.answered(evidence, measures)
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
        measuring.keep(Path(out) / "measures.json", found, refused)
    return Figures(found)


class Comparison(NamedTuple):
    """Runs side by side.

    Args:
        figures: of each run, by its path. page: the file. said: the verdict, a sentence each.
    """

    figures: dict[str, list[Figure]]
    page: Path
    said: tuple[str, ...]


@in_range
def compare(
    *runs: Run | str | Path,
    n: Count = MEASURED,
    seed: Seed = 0,
    out: str | Path = "",
    again: bool = False,
    trust: Sequence[str | Path] = (),
) -> Comparison:
    """Runs side by side: a figure a row, a run a column, a verdict, and one page.

    Args:
        runs: two or more.
        n, seed: of the measurement, where a run has not been measured.
        out: the page, a new file, or a folder for it where the name has no suffix; without it
            `comparison.html` beside the first run, numbered when it is taken.
        again: measure anew.
        trust: as in `load`.
    """
    if len(runs) < 2:
        raise UserError("compare needs at least two runs; name them one after the other")
    opened = [load(run, trust=trust) for run in runs]
    for run in opened:
        if sum(run.path.resolve() == other.path.resolve() for other in opened) > 1:
            raise UserError(f"{run.path} is named twice; compare it with another run")
    beside = opened[0].path.parent
    named = untaken(Path(out)) if Path(out).suffix else made_folder(Path(out) if out else beside)
    page = free_name(named, "comparison.html") if named.is_dir() else named
    found = {str(run.path): kept_or_measured(run, n, seed, again) for run in opened}
    figures = list(found.values())
    written = comparison_page.write(opened, figures, page)
    return Comparison(found, written, tuple(comparison_page.said(opened, figures)))


def kept_or_measured(run: Run, n: int, seed: int, again: bool) -> list[Figure]:
    """The figures that a run has, or new ones, and how far its seeds agree where that is known."""
    old = [] if again else measuring.kept(run.path / "measures.json")
    return [*(old or measure(run, n=n, seed=seed)), *measuring.alike(run.path)]


# Looking.


@offering()
def doctor(data: Where, *, write_schema: str | Path = "", **options: Any) -> Examination:
    """What a data set is, what is wrong with it, and which recipe suits it.

    Args:
        data: a path, a name, or an object in memory.
        write_schema: of a table, a new file for what its columns are, to be edited and given to
            `fit` as `data.schema`.
        options: of its kind, as under `data` in a recipe.
    """
    found = examine(data, **options)
    if not write_schema:
        return found
    if not isinstance(found.kind, Tables):
        raise UserError(f"a schema is of a table, and {found.title} is read as {found.kind.name}")
    columns = found.kind.outer or found.kind.columns
    schema.write(Path(write_schema), found.title, columns)
    return found


def models(*, matrix: bool = False, switches: bool = False) -> dict[str, dict[str, Any]]:
    """The families: what each is, what it can do, and its options with their defaults.

    Args:
        matrix: instead, try each on every kind of data, and say `trains` or why it does not.
        switches: instead, say of each switch of a game whether a family takes it, or why not.
    """
    if matrix:
        return trial.matrix()
    if switches:
        return {name: takes(family) for name, family in families().items()}
    roles = {
        "samples": Samples,
        "decodes": Decodes,
        "encodes": Encodes,
        "scores": Scores,
        "criticises": Criticises,
        "classifies": Classifies,
        "quantises": Quantises,
        "rescues": Rescues,
        "starts": Starts,
        "truncates": Truncates,
        "styles": Styles,
    }
    return {
        name: {
            "about": first_line(family),
            "can": [word for word, role in roles.items() if issubclass(family, role)],
            "options": complete(family, {}, SPACES),
        }
        for name, family in families().items()
    }


def data() -> dict[str, dict[str, Any]]:
    """The data sets that have a name: what each is, its licence, and whether it is here."""
    return {
        name: {
            "about": item.what,
            "licence": item.licence,
            "home": item.home,
            "here": sets.is_here(name),
        }
        for name, item in sets.NAMED.items()
    }


def recipes() -> dict[str, str]:
    """The recipes that come with Twofold, each with its first line."""
    return {
        name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        for name, path in packaged_recipes().items()
    }


def measures() -> dict[str, str]:
    """The measures by name, each with what it is."""
    return {
        name: first_line(type(measure)) for measure in every_measure() for name in measure.names
    }


def first_line(thing: object) -> str:
    """The first line of a docstring."""
    return (thing.__doc__ or "").strip().partition("\n")[0]


# Studies and the demonstration.


@in_range
def reproduce(
    name: str = "",
    *,
    budget: Literal["smoke", "cpu", "paper"] = "cpu",
    seeds: Count = 3,
    out: str | Path = "",
) -> Result | dict[str, str]:
    """Run a study: a published claim, ours beside the reported figures.

    Args:
        name: of the study; without it, the list of them.
        budget: `smoke` takes seconds, `cpu` at most half an hour, `paper` the publication's own.
        seeds: how many.
        out: a folder for the result; without it `runs/studies`.
    """
    if not name:
        return every_study()
    return study(name).run(budget, seeds, Path(out) if out else Path("runs") / "studies")


def demo(*, out: str | Path = "", show: bool = True) -> Path:
    """Train a VAE and a GAN on real digits, measure, compare, and write one page.

    Args:
        out: a folder for the runs; without it `runs/demo`, numbered when it is taken.
        show: open the page in a browser, where there is one.
    """
    root = Path(out) if out else free(Path("runs") / "demo")
    made = [fit("digits", recipe=f"demo-{model}", out=root / model) for model in ("vae", "gan")]
    for run in made:
        measure(run, n=720)
    page = compare(*made, out=root / "report.html")[1]
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return page
