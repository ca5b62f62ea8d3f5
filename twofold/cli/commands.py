"""The commands, each a verb with its arguments; see `twofold.verbs` for what they do."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, Token, convert

import twofold
from twofold.cli import show


def read(sort: Any, tokens: Sequence[Token]) -> Any:
    """Words as a type; a number that counts is not rounded."""
    for word in (token.value for token in tokens if sort is int):
        if "." in word and not float(word).is_integer():
            raise ValueError(f"{word} is no whole number; leave out what follows its point")
    return convert(sort, tokens)


app = App(
    name="twofold",
    version=twofold.__version__,
    help="VAEs and GANs on images, series and tables: train, sample, measure, compare.",
    help_format="plaintext",
    default_parameter=Parameter(converter=read),
)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Out = Annotated[str, Parameter(help="Where the result goes.")]
Given = Annotated[
    list[str],
    Parameter(name="--given", negative="", help="A condition, such as label=3, or a file of rows."),
]
Trusted = Annotated[
    list[str],
    Parameter(name="--trust", negative="", help="A Python file of your own that may run."),
]
Settings = Annotated[
    list[str], Parameter(name="--set", negative="", help="A setting, such as train.steps=500.")
]
Spelt = Annotated[
    list[str],
    Parameter(name="--of", negative="", help="An observation written out, such as a SMILES."),
]
SkipBad = Annotated[
    bool, Parameter(name="--skip-bad", negative="", help="Leave out pictures that cannot be read.")
]
Weights = Literal["average", "last", "best"]
From = Literal["auto", "fitted", "own"]


def verbs() -> Any:
    """The verbs, and torch with them, when one is needed."""
    from twofold import verbs as module

    return module


@app.command
def doctor(
    data: str,
    *,
    write_schema: str = "",
    set: Settings = [],
    skip_bad: SkipBad = False,
    json: Json = False,
) -> None:
    """Say what data is, what is wrong with it, and which recipe suits it.

    Args:
        data: A path, or the name of a data set.
        write_schema: Of a table, a new file for what its columns are, for data.schema.
    """
    more = {**options(set), **skipping(skip_bad)}
    found = verbs().doctor(data, write_schema=write_schema, **more)
    show.as_json(found.to_dict()) if json else show.say(found)


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings of the data alone, with or without their table's name."""
    from twofold.runs.recipe import settings

    full = [pair if pair.startswith("data.") else f"data.{pair}" for pair in pairs]
    table: dict[str, Any] = settings(full).get("data", {})
    return table


def skipping(wanted: bool) -> dict[str, bool]:
    """The option of the data that `--skip-bad` is short for; kinds without pictures have none."""
    return {"skip_bad": True} if wanted else {}


@app.command
def fit(
    what: str,
    *,
    model: str = "",
    recipe: str = "",
    set: Settings = [],
    from_: Annotated[str, Parameter(name="--from", help="A run to start from.")] = "",
    seeds: int = 1,
    rescue: Annotated[bool, Parameter(negative="")] = False,
    out: Out = "",
    trust: Trusted = [],
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(negative="")] = False,
    skip_bad: SkipBad = False,
    json: Json = False,
) -> int:
    """Train a model into a new run.

    Args:
        what: A path, the name of a recipe, or the name of a data set.
        model: The family (see twofold models), or a Python file that defines one.
        recipe: A recipe by name or path, for the data named first.
        seeds: How many seeds to train.
        rescue: Answer a latent that falls out of use, or a game of critic and generator that goes
            wrong, by what the family knows against it.
        dry_run: Print the resolved recipe, and train nothing.
        quiet: Nothing on the screen.
    """
    arguments = {"model": model, "recipe": recipe, "set": set, "from_": from_, "seeds": seeds}
    more = {"out": out, "trust": trust, "dry_run": dry_run, "quiet": quiet, "rescue": rescue}
    try:
        run = verbs().fit(what, **arguments, **more, **skipping(skip_bad))
    except verbs().DryRun as dry:
        from twofold.core.toml import dumps

        show.as_json(dry.recipe) if json else show.say(dumps(dry.recipe))
        return 0
    return told(run, json)


@app.command
def resume(
    run: str,
    *,
    steps: int = 0,
    minutes: float = 0.0,
    data: str = "",
    trust: Trusted = [],
    quiet: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Go on with a run, exactly as if it had never stopped.

    Args:
        run: The run's folder.
        steps: To take in all, where it should be more than the recipe says.
        minutes: Of wall clock in all, likewise.
        data: Where the data is now, if it has moved.
        quiet: Nothing on the screen.
    """
    arguments = {"steps": steps, "minutes": minutes, "data": data, "trust": trust, "quiet": quiet}
    return told(verbs().resume(run, **arguments), json)


def told(run: Any, json: bool) -> int:
    """Say where a run is and how it ended; 130 when it was asked to stop."""
    story = run.record["session"]
    if json:
        show.as_json({"run": run.path, "step": run.record["step"], **story})
    else:
        show.say(run.path)
        if story["ended"] != "done":
            where = f"{story['ended']} at step {run.record['step']}"
            show.say(f"{where}; go on with: twofold resume {run.path}")
    return 130 if story["ended"] == "stopped" else 0


@app.command
def sample(
    run: str,
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 16,
    *,
    given: Given = [],
    guidance: float = 1.0,
    seed: int = 0,
    truncation: float = math.inf,
    mix: str = "",
    codes: str = "",
    temperature: float = 1.0,
    top_p: float = 1.0,
    containing: str = "",
    begin: str = "",
    out: Out = "",
    weights: Weights = "average",
    prior: From = "auto",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Draw observations as native files.

    Args:
        run: The run's folder.
        n: How many.
        guidance: How many times the condition counts; 1 is plain, 2 is twice, 0 does without.
        seed: Of the draw.
        truncation: The most that a value of a normal code may be: the smaller, the less varied.
        mix: Layers of a style-based model that take a second draw's style: coarse, fine, 2-4.
        codes: A file of codes to decode instead of drawing.
        temperature: Of tokens: below 1 they are likelier and less varied, at 0 the likeliest.
        top_p: Tokens come from the likeliest whose probabilities sum to this share.
        containing: Only molecules that have this fragment, as SMILES or SMARTS.
        begin: A fragment, as SMILES, that all molecules begin with.
        weights: Averaged, last, or best on held-out data.
        prior: Where codes come from: the fitted prior that is kept, or the model's own.
    """
    opening = {"weights": weights, "prior": prior, "trust": trust}
    asked = {"given": given, "guidance": guidance, "truncation": truncation, "seed": seed,
             "temperature": temperature, "top_p": top_p}  # fmt: skip
    more = {"mix": mix, "codes": codes, "containing": containing, "begin": begin}
    drawn = verbs().sample(run, n, out=out, **asked, **more, **opening)
    paths(drawn, json)
    notes(drawn)
    tell(run, **opening)


def notes(written: Sequence[Path]) -> None:
    """Say what was noted beside files."""
    for note in [path for path in written if path.name == "drawn.txt"]:
        show.say(note.read_text(encoding="utf-8").rstrip(), file=sys.stderr)


def tell(run: str, **opening: Any) -> None:
    """Say where codes came from, where there is a choice."""
    if (Path(run) / "recipe.toml").is_file():
        for text in verbs().load(run, **opening).said:
            show.say(text, file=sys.stderr)


@app.command
def encode(
    run: str,
    data: str,
    *,
    how: Literal["mean", "sample", "distribution"] = "mean",
    map: Annotated[bool, Parameter(negative="")] = False,
    by: str = "",
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Write the codes of observations as an NPZ file.

    Args:
        run: The run's folder.
        data: Observations of the same form.
        how: The mean of q(z | x), a draw from it, or its mean and standard deviation.
        map: Draw them on their principal plane as well, coloured by label, as a PNG beside.
        by: Colour the map by a number: a column, what is given, or of molecules such as qed.
        seed: Of the draw.
    """
    arguments = {"how": how, "map": map, "by": by, "seed": seed}
    for said in verbs().passed_over(run, data, trust=trust):
        show.say(said, file=sys.stderr)
    codes = verbs().encode(run, data, **arguments, out=out, trust=trust)
    written = [codes, codes.with_suffix(".png")][: 1 + map]
    if json:
        show.as_json(written)
        return
    for path in written:
        show.say(path)


@app.command
def reconstruct(
    run: str,
    data: str,
    *,
    attention: Annotated[bool, Parameter(negative="")] = False,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Encode observations and decode them again, as native files.

    Args:
        run: The run's folder.
        data: Observations of the same form.
        attention: Lay what the networks look at over the first 64 of them, in attention/.
    """
    for said in verbs().passed_over(run, data, trust=trust):
        show.say(said, file=sys.stderr)
    written = verbs().reconstruct(run, data, attention=attention, out=out, trust=trust)
    paths(written, json)
    notes(written)


@app.command
def interpolate(
    run: str,
    data: str = "",
    *,
    of: Spelt = [],
    steps: int = 8,
    pairs: int = 4,
    path: Literal["linear", "spherical", "geodesic"] = "spherical",
    given: Given = [],
    seed: int = 0,
    out: Out = "",
    prior: From = "auto",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Draw the way between pairs of observations, or of draws of the prior.

    Args:
        run: The run's folder.
        data: Observations to go between, or a file of codes; without any, draws of the prior.
        steps: Observations a pair, both ends included.
        pairs: At most so many pairs.
        path: Along the sphere, straight, or along the decoder's geodesic.
        seed: Of the draws.
        prior: Where codes come from: the fitted prior that is kept, or the model's own.
    """
    arguments = {"steps": steps, "pairs": pairs, "path": path, "given": given, "seed": seed}
    opening = {"prior": prior, "trust": trust}
    drawn = verbs().interpolate(run, data or (), of=of, **arguments, out=out, **opening)
    paths(drawn, json)
    notes(drawn)
    if not data and not of:
        tell(run, **opening)


@app.command
def analogy(run: str, data: str, *, out: Out = "", trust: Trusted = [], json: Json = False) -> None:
    """Decode a - b + c of each three observations: what is to c as a is to b.

    Args:
        run: The run's folder.
        data: Observations of the same form, in threes.
    """
    paths(verbs().analogy(run, data, out=out, trust=trust), json)


@app.command
def neighbours(
    run: str,
    data: str = "",
    *,
    of: Spelt = [],
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 8,
    among: str = "",
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 8,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Find the observations whose codes are nearest to those of others.

    Args:
        run: The run's folder.
        data: Observations of the same form.
        k: Neighbours of each.
        among: Where they are looked for; without it, the run's own data.
        n: Observations, the first of these.
        seed: Of what is drawn to compare with.
    """
    arguments = {"of": of, "k": k, "among": among, "n": n, "seed": seed}
    for where in dict.fromkeys(one for one in (data, among) if one):
        for said in verbs().passed_over(run, where, trust=trust):
            show.say(said, file=sys.stderr)
    done = verbs().neighbours(run, data or (), **arguments, out=out, trust=trust)
    made(done, json)
    if not json:
        nearest(done)


def nearest(done: Any) -> None:
    """Show neighbours that can be read: sentences, rows."""
    from twofold.apps.neighbours import shown

    rows = [shown(row) for row in getattr(done, "rows", ())]
    if rows:
        show.table(("of", "rank", "near", "distance"), rows)


@app.command
def prior(
    run: str,
    *,
    fit: str = "gmm",
    data: str = "",
    seed: int = 0,
    weights: Weights = "average",
    again: Annotated[bool, Parameter(negative="")] = False,
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Fit a better density to the codes of a run's training data, and keep it with the run.

    Args:
        run: The run's folder.
        fit: gmm, flow, vamp or two-stage; or a table, such as {name = "gmm", most = 8}.
        data: Where the data is now, if it has moved.
        seed: Of the fit and of every draw.
        weights: Averaged, last, or best on held-out data.
        again: Replace one that is kept already.
    """
    from twofold.core.toml import value_of

    wanted = value_of(fit) if fit.startswith("{") else fit
    arguments = {"data": data, "seed": seed, "weights": weights, "again": again, "trust": trust}
    found = verbs().prior(run, fit=wanted, **arguments)
    show.as_json(found) if json else show.figures(found)
    tell(run, weights=weights, trust=trust)


@app.command
def traverse(
    run: str,
    data: str = "",
    *,
    dims: int = 10,
    steps: int = 8,
    range: str = "2",
    given: Given = [],
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Move one dimension of the code at a time, the most informative first.

    Args:
        run: The run's folder.
        data: An observation to start from, the first of these; without any, the prior's mean, or a
            draw where the model has no encoder.
        dims: Dimensions to show, ordered by their KL on held-out data.
        steps: Observations along each.
        range: Standard deviations of the prior to each side, or quantiles of held-out codes.
        seed: Of the draws.
    """
    arguments = {"dims": dims, "steps": steps, "range": range, "given": given, "seed": seed}
    paths(verbs().traverse(run, data or (), **arguments, out=out, trust=trust), json)


@app.command
def edit(
    run: str,
    data: str = "",
    *,
    to: Annotated[
        list[str], Parameter(name="--to", negative="", help="What to change, such as smile=yes.")
    ] = [],
    direction: Annotated[
        list[str],
        Parameter(name="--direction", negative="", help="A learnt direction, NAME[:STRENGTH]."),
    ] = [],
    how: Literal["auto", "condition", "direction"] = "auto",
    strength: float = 1.0,
    keep: Annotated[list[str], Parameter(name="--keep", negative="")] = [],
    check: Annotated[bool, Parameter(negative="")] = False,
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 64,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Change an attribute of observations and leave the rest, or move them along directions.

    Args:
        run: The run's folder.
        data: Observations; with --direction, a file of codes too, or none for fresh draws.
        how: Another condition for the same code, or a direction learnt from the training data.
        strength: 1 goes as far as observations of the new value lie; standard deviations of codes
            with --direction.
        keep: An attribute to hold still along a direction, or all; a direction with --direction.
        check: Measure how many edits a classifier sees as meant, and what else changed.
        n: Observations, the first of these.
        seed: Of what checks, and of draws.
    """
    arguments = {"to": to, "how": how, "strength": strength, "keep": keep, "check": check, "n": n}
    more = {"direction": direction, "seed": seed, "out": out, "trust": trust}
    made(verbs().edit(run, data or (), **arguments, **more), json)


@app.command
def directions(
    run: str,
    *,
    how: Literal["kept", "labels", "weights", "activations"] = "kept",
    space: Literal["auto", "z", "w"] = "auto",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 5,
    layers: str = "",
    attribute: Annotated[list[str], Parameter(name="--attribute", negative="")] = [],
    rename: str = "",
    again: Annotated[bool, Parameter(negative="")] = False,
    data: str = "",
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Learn directions of a run's codes to edit along, or say which are kept.

    Args:
        run: The run's folder.
        how: From labels, from the decoder's weights (SeFa) or its activations (GANSpace).
        space: Of codes z, or of styles w, which are taken where there are some.
        k: How many, where nothing is labelled.
        layers: Of a style-based model: coarse, middle, fine, or such as 0-3.
        attribute: An attribute to learn from labels; without any, all.
        rename: OLD:NEW, gives a direction another name.
        again: Replace those of the same names.
        data: Where the data is now, if it has moved.
        seed: Of draws and fits.
    """
    arguments = {"how": how, "space": space, "k": k, "layers": layers, "attribute": attribute}
    more = {"rename": rename, "again": again, "data": data, "seed": seed}
    found = verbs().directions(run, **arguments, **more, out=out, trust=trust)
    if found.paths or json:
        made(found, json)
    else:
        show.say("no directions are kept; learn some with --how labels, weights or activations")


@app.command
def project(
    run: str,
    data: str = "",
    *,
    space: Literal["z", "w", "w+"] = "z",
    steps: int = 300,
    features: float = 0.01,
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 16,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Find the codes that decode nearest to observations, and say how near.

    Args:
        run: The run's folder.
        data: Observations of the same form; without any, the run's test split.
        space: Of codes z, of styles w, or of a style a layer.
        steps: Of the search; at 0 codes are where it starts.
        features: The weight of the features of pictures beside their pixels.
        n: Observations, the first of these.
        seed: Of draws and noise.
    """
    arguments = {"space": space, "steps": steps, "features": features, "n": n, "seed": seed}
    made(verbs().project(run, data or (), **arguments, out=out, trust=trust), json)


@app.command
def denoise(
    run: str,
    data: str = "",
    *,
    clean: str = "",
    add_noise: Annotated[bool, Parameter(negative="")] = False,
    level: float | None = None,
    draws: int = 16,
    deviation: Annotated[bool, Parameter(negative="")] = False,
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 1_000_000,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Expect the clean observations behind noisy ones, as native files.

    Args:
        run: The folder of a run, trained with model.noise.
        data: Noisy observations; with --add-noise, clean ones, and the test split when none.
        clean: The same observations without noise, in the same order, to measure by.
        add_noise: Add the run's own noise first, and measure by what it was added to.
        level: Of the noise: sigma, photons or share; without, that which the run was trained with.
        draws: Codes over which the posterior mean is taken.
        deviation: Write the standard deviation of every value too.
        n: Observations, at most.
        seed: Of the noise and the draws.
    """
    arguments = {"clean": clean or (), "add_noise": add_noise, "draws": draws, "n": n}
    more = {"level": level, "deviation": deviation, "seed": seed, "out": out, "trust": trust}
    made(verbs().denoise(run, data or (), **arguments, **more), json)


@app.command
def optimize(
    run: str,
    *,
    maximize: Annotated[
        list[str],
        Parameter(
            name="--maximize", negative="", help="A property, column, module:function or command."
        ),
    ] = [],
    minimize: Annotated[
        list[str], Parameter(name="--minimize", negative="", help="The same, to be lowered.")
    ] = [],
    where: Annotated[
        list[str], Parameter(name="--where", negative="", help="A bound, such as logp<5.")
    ] = [],
    similar_to: Annotated[
        list[str],
        Parameter(name="--similar-to", negative="", help="A molecule to be like, SMILES:0.4."),
    ] = [],
    by: Annotated[
        tuple[Literal["bayes", "cma", "gradient"], ...], Parameter(name="--by", negative="")
    ] = ("bayes",),
    beside: Annotated[
        tuple[Literal["genetic", "screening", "draws"], ...], Parameter(name="--beside")
    ] = ("genetic", "screening", "draws"),
    oracle: int = 1000,
    data: str = "",
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Search a run of molecules for better ones, with simple searches beside it.

    Args:
        run: The run's folder.
        by: A search in the latent; cma needs the package cma, gradient a property head.
        beside: A simple search that has as many calls; --empty-beside for none.
        oracle: Calls: the distinct molecules that each search may have judged.
        data: Where the data is now, when it has moved.
        seed: Of every choice.
    """
    arguments = {"maximize": maximize, "minimize": minimize, "where": where, "by": by}
    more = {"similar_to": similar_to, "beside": beside, "oracle": oracle, "data": data}
    made(verbs().optimize(run, **arguments, **more, seed=seed, out=out, trust=trust), json)


def made(done: Any, json: bool) -> None:
    """Name what a job wrote, and show what it measured."""
    if json:
        show.as_json(done)
        return
    for text in done.said:
        show.say(text, file=sys.stderr)
    paths(done.paths, json)
    if done.figures:
        show.figures(done.figures, done.refused)


def paths(written: Sequence[Path], json: bool) -> None:
    """Name what was written: the overview, and how many there are."""
    if json:
        show.as_json(written)
    else:
        more = f" and {len(written) - 1} more beside it" if len(written) > 1 else ""
        show.say(f"{written[0]}{more}")


@app.command
def score(
    run: str,
    data: str,
    *,
    rate: float = 0.01,
    threshold: Literal["quantile", "pot", "f1"] = "quantile",
    by: Annotated[list[str], Parameter(name="--by", negative="")] = [],
    also: Annotated[list[str], Parameter(name="--also", negative="")] = [],
    samples: int = 50,
    labels: str = "",
    positive: Annotated[list[str], Parameter(name="--positive", negative="")] = [],
    hourly: float = 0.0,
    masks: str = "",
    part: Literal["", "train", "validation", "test"] = "",
    follow: bool = False,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Score how abnormal observations are, and where; the threshold never sees them.

    Args:
        run: The run's folder.
        data: Observations of the same form.
        rate: False alarms to expect among normal observations.
        threshold: The quantile keeps the rate, pot fits a tail, f1 needs abnormal held-out rows.
        by: A term of the score, such as neighbours; without any, the usual ones of the model.
        also: Another run on the same data, whose scores are averaged with those of the first.
        samples: Draws of the code a row.
        labels: A column or field that says what each observation is, to judge the scores by.
        positive: A text of it that is abnormal; without any, those never seen in training.
        hourly: Observations an hour, to say how many alarms an hour there are.
        masks: A folder of pictures that are white where those of the data are abnormal.
        part: Score only this part of the run's own split, of the run's own data.
        follow: Then listen to the file, and print each alarm as it grows, until Ctrl-C.
        seed: Of the draws.
    """
    arguments = {
        "rate": rate, "threshold": threshold, "by": by, "also": also, "samples": samples,
        "labels": labels, "positive": positive, "hourly": hourly, "masks": masks,
        "part": part, "follow": follow,
    }  # fmt: skip
    found = verbs().score(run, data, **arguments, seed=seed, out=out, trust=trust)
    if json:
        show.as_json(found.to_dict())
        return
    if found.figures:
        show.figures(found.figures)
    if not follow:
        show.say(found)


@app.command
def export(
    run: str,
    *,
    what: Literal["scorer", "encoder", "decoder"] = "scorer",
    rate: float = 0.01,
    threshold: Literal["quantile", "pot", "f1"] = "quantile",
    by: Annotated[list[str], Parameter(name="--by", negative="")] = [],
    labels: str = "",
    positive: Annotated[list[str], Parameter(name="--positive", negative="")] = [],
    data: str = "",
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Write a piece of a run as an ONNX graph, once that answers as the run does.

    Args:
        run: The run's folder.
        what: The scorer, with its calibration and threshold, the encoder or the decoder.
        rate: Of a scorer: false alarms to expect among normal observations.
        threshold: Of a scorer, as in score.
        by: A term of the score that draws nothing, such as mean_reconstruction or svdd.
        labels: A column or field that says what each observation is.
        positive: A text of it that is abnormal, left out of the calibration.
        data: Where the data is now, when it has moved.
        seed: Of what the scorer learns.
    """
    arguments = {"what": what, "rate": rate, "threshold": threshold, "by": by, "labels": labels}
    more = {"positive": positive, "data": data, "seed": seed, "out": out, "trust": trust}
    done = verbs().export(run, **arguments, **more)
    if json:
        show.as_json(done.to_dict())
    else:
        show.say(done)


@app.command
def classify(
    run: str,
    data: str = "",
    *,
    out: Out = "",
    weights: Weights = "average",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Write the label of each observation and its probability, as a CSV file.

    Args:
        run: The run's folder, of a family that classifies (see twofold models).
        data: Observations of the same form; without any, the run's test split.
        weights: Averaged, last, or best on held-out data.
    """
    made(verbs().classify(run, data or (), out=out, weights=weights, trust=trust), json)


@app.command
def predict(
    run: str,
    data: str,
    *,
    draws: int = 100,
    interval: float = 0.9,
    check: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """How series go on after their end, or properties predicted from the code, with intervals.

    Args:
        run: The run's folder; of a model that is given the steps before a window, data.past, or
            that predicts what is given, model.properties.
        data: Series, or observations, of the same form.
        draws: Of each, whose median is the prediction.
        interval: The share between its ends.
        check: Predict held-out data too, and say how far that is from what came.
        seed: Of the draws.
    """
    arguments = {"draws": draws, "interval": interval, "check": check, "seed": seed}
    found = verbs().predict(run, data, **arguments, out=out, trust=trust)
    show.as_json(found) if json else show.say(found)


@app.command
def impute(
    run: str,
    data: str,
    *,
    fields: Annotated[list[str], Parameter(name="--fields", negative="")] = [],
    mask: str = "",
    samples: int = 100,
    rounds: int = 20,
    interval: float = 0.0,
    draws: int = 0,
    telling: Annotated[bool, Parameter(negative="")] = False,
    check: Annotated[bool, Parameter(negative="")] = False,
    target: str = "",
    corrected: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    out: Out = "",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Fill what is missing, given what is there, and write the data completed.

    Args:
        run: The run's folder.
        data: Observations of the same form, with gaps.
        fields: Treat these as missing too, such as age,income.
        mask: For images, a picture that is white where they are to be filled.
        samples: Draws of the code a row.
        rounds: Of a chain, where the encoder knows no gaps.
        interval: Also write the ends of intervals, such as 0.9.
        draws: Also write so many completed copies, each gap drawn.
        telling: Which values are missing tells of the others.
        check: Hide a tenth of the known values, fill them, and say how wrong that is.
        target: With --check, a column to tell from rows that were completed without it.
        corrected: Widen or narrow the intervals until they hold as much of validation data.
        seed: Of all chance.
    """
    arguments = {"fields": fields, "mask": mask, "samples": samples, "rounds": rounds}
    more = {"interval": interval, "draws": draws, "telling": telling, "check": check}
    more["corrected"] = corrected
    where = {"out": out, "trust": trust}
    found = verbs().impute(run, data, **arguments, **more, target=target, seed=seed, **where)
    show.as_json(found) if json else show.say(found)


@app.command
def augment(
    run: str,
    *,
    by: str,
    more: int = 0,
    seed: int = 0,
    temperature: float = 1.0,
    out: Out = "",
    weights: Weights = "average",
    prior: From = "auto",
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Draw the rows that rare classes lack, beside SMOTE or simple edits, and nothing added.

    Args:
        run: The run's folder, of a table or of texts.
        by: The column whose classes are to be equally frequent.
        more: So many more than the commonest class has.
        seed: Of all chance.
        temperature: Of a token of a text; less is likelier and less varied.
        weights: Averaged, last, or best on held-out data.
        prior: Where codes come from: the fitted prior that is kept, or the model's own.
    """
    opening = {"weights": weights, "prior": prior, "trust": trust}
    found = verbs().augment(
        run, by=by, more=more, seed=seed, temperature=temperature, out=out, **opening
    )
    show.as_json(found) if json else show.say(found)


@app.command
def measure(
    run: str,
    *,
    against: str = "",
    measures: Annotated[
        list[str], Parameter(name="--measures", negative="", consume_multiple=True)
    ] = [],
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 2048,
    seed: int = 0,
    weights: Weights = "average",
    prior: From = "auto",
    out: Out = "",
    trust: Trusted = [],
    quiet: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> None:
    """Measure a run on held-out data, or one folder of files against another.

    Args:
        run: The run's folder; or, with --against, files that were drawn somewhere else.
        against: Real data; for a run, instead of its own test split.
        measures: Only these (see twofold measures).
        n: Observations a side, at most.
        seed: Of every draw.
        weights: Averaged, last, or best on held-out data.
        prior: Where codes come from: the fitted prior that is kept, or the model's own.
        quiet: Write no report.
    """
    arguments = {"against": against, "measures": measures, "n": n, "seed": seed}
    opening = {"weights": weights, "prior": prior, "trust": trust}
    found = verbs().measure(run, **arguments, **opening, out=out, quiet=quiet)
    show.as_json(found) if json else show.figures(found)
    if (Path(run) / "recipe.toml").is_file():
        show.games(Path(out or run) / "measures.json")
        show.absent(Path(out or run) / "measures.json", measures)
    tell(run, **opening)


@app.command
def compare(
    *runs: str,
    n: Annotated[int, Parameter(name=["-n", "--n"])] = 2048,
    seed: int = 0,
    out: Out = "",
    again: Annotated[bool, Parameter(negative="")] = False,
    trust: Trusted = [],
    json: Json = False,
) -> None:
    """Set runs side by side: one table and one page.

    Args:
        runs: Two or more run folders.
        n: Observations a side, where a run has not been measured.
        seed: Of every draw.
        again: Measure anew.
    """
    made = verbs().compare(*runs, n=n, seed=seed, out=out, again=again, trust=trust)
    found, page = made.figures, made.page
    if json:
        show.as_json({"page": page, "figures": found, "said": made.said})
        return
    named = {run: {f.name: f for f in figures} for run, figures in found.items()}
    names = list(dict.fromkeys(name for figures in named.values() for name in figures))
    cells = [[spread(figures.get(name)) for figures in named.values()] for name in names]
    show.table(("measure", *named), [(name, *row) for name, row in zip(names, cells, strict=True)])
    for sentence in made.said:
        show.say(sentence, file=sys.stderr)
    show.say(page)


def spread(figure: Any) -> str:
    """A figure with its interval in one cell; a dash for none."""
    from twofold.measures.figures import NONE, number

    if figure is None:
        return NONE
    return f"{number(figure.value)} ({number(figure.low)} … {number(figure.high)})"


@app.command
def models(
    *,
    matrix: Annotated[
        bool, Parameter(negative="", help="Try every family on every kind of data.")
    ] = False,
    switches: Annotated[
        bool, Parameter(negative="", help="Say which family takes which switch of a game.")
    ] = False,
    json: Json = False,
) -> None:
    """List the families, what each can do, and its options."""
    found = verbs().models(matrix=matrix, switches=switches)
    if json:
        show.as_json(found)
        return
    if switches:
        turned(found)
        return
    if matrix:
        kinds = next(iter(found.values()))
        show.table(("model", *kinds), [(name, *row.values()) for name, row in found.items()])
        return
    show.table(
        ("model", "about", "can"), [(k, v["about"], ", ".join(v["can"])) for k, v in found.items()]
    )
    for name, entry in found.items():
        show.say(f"{name}: " + ", ".join(f"{k}={v}" for k, v in brief(entry["options"]).items()))


def turned(found: dict[str, dict[str, str]]) -> None:
    """Which family takes which switch, how it is turned, and why the others do not."""
    from twofold.core.switches import SWITCHES

    taken = {
        title: [name for name, row in found.items() if row[title] == "yes"] for title in SWITCHES
    }
    rows = [
        (title, s.setting, "all" if taken[title] == [*found] else ", ".join(taken[title]))
        for title, s in SWITCHES.items()
    ]
    show.table(("switch", "--set", "taken by"), rows)
    for row in found.values():
        reasons = [reason for reason in row.values() if reason != "yes"]
        for reason in dict.fromkeys(reasons):
            of = [title for title, why in row.items() if why == reason]
            show.say(f"{reason}: {'; '.join(of)}")


def brief(table: dict[str, Any]) -> dict[str, Any]:
    """Options with parts by their names."""
    return {k: v["name"] if isinstance(v, dict) and "name" in v else v for k, v in table.items()}


@app.command
def data(*, json: Json = False) -> None:
    """List the data sets that have a name."""
    found = verbs().data()
    rows = [
        (k, v["about"], "yes" if v["here"] else "download", v["licence"]) for k, v in found.items()
    ]
    show.as_json(found) if json else show.table(("data", "about", "here", "licence"), rows)


@app.command
def recipes(*, json: Json = False) -> None:
    """List the recipes that come with Twofold."""
    listed(verbs().recipes(), "recipe", json)


@app.command
def measures(*, json: Json = False) -> None:
    """List the measures."""
    listed(verbs().measures(), "measure", json)


def listed(found: dict[str, str], what: str, json: bool) -> None:
    """Names, each with a line."""
    show.as_json(found) if json else show.table((what, "about"), list(found.items()))


@app.command
def reproduce(
    name: str = "",
    *,
    budget: Literal["smoke", "cpu", "paper"] = "cpu",
    seeds: int = 3,
    out: Out = "",
    json: Json = False,
) -> None:
    """Run a study: a published claim, ours beside the reported figures.

    Args:
        name: Of the study; without it, the list of them.
        budget: Seconds, half an hour, or as published.
        seeds: How many.
    """
    found = verbs().reproduce(name, budget=budget, seeds=seeds, out=out)
    if not name:
        listed(found, "study", json)
    elif json:
        show.as_json(found.to_dict())
    else:
        show.say(found)


@app.command
def demo(*, out: Out = "", show: bool = True) -> None:
    """Train a VAE and a GAN on real digits, measure and compare them, and open one page.

    Args:
        show: Open the page in a browser.
    """
    print(verbs().demo(out=out, show=show))
