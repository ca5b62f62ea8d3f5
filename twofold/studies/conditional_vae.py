r"""Conditions that are obeyed: class-conditional draws, and edits that change what was meant alone.

A conditional VAE is told c beside the observation, in the encoder and in the decoder:

$$ \log p(x \mid c) \;\ge\; \mathbb E_{q(z|x,c)} \log p(x \mid z, c)
   - \mathrm{KL}\big(q(z \mid x, c) \,\|\, p(z)\big) $$

(Kingma et al. 2014, arXiv:1406.5298; Sohn, Lee & Yan 2015). What c says need not be in z, which is
then the rest: so a draw of z with a chosen c is a member of the class, and an observation's own z
with another c is that observation *edited*. Where a run was never told an attribute, its code can
be moved along the difference of class means instead (Larsen et al. 2016, arXiv:1512.09300).

Three questions, each answered by a judge that never saw the model: a classifier fitted on real
training rows, whose accuracy on real test rows stands beside its verdicts.

* Digits: are draws of a class of that class? And does guidance (Ho & Salimans 2022,
  arXiv:2207.12598) make them more so, and at what cost in variety?
* Shapes: does an edit of colour, size or orientation *flip* it, and do the others *drift*?
* Faces: do neutral faces smile when they are asked to?
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.apps import editing
from twofold.data.doctor import examine
from twofold.data.named import local
from twofold.data.pictures import grid, png
from twofold.data.shapes2d import ENDS, number
from twofold.data.sources import Rows, Source, whole
from twofold.measures.classifier import Classifier
from twofold.nets.evaluators import ImageClassifier
from twofold.nets.fit import fit
from twofold.runs.run import Run
from twofold.runs.training import Material, go_on, start
from twofold.studies.binary import runs_of
from twofold.studies.seeds import finding, over_seeds
from twofold.studies.study import Budget, Row, Study

SPLIT = {"validation": 0.1, "test": 0.1, "seed": 0}
WEIGHTS = (0.0, 1.0, 1.5, 2.0, 3.0)
"""Those of guidance."""
STRENGTHS = (1.0, 1.25, 1.5, 1.75, 2.0)
"""Those that an edit of a face may have."""
ENOUGH = 0.85
"""The share of validation edits that are seen as meant, at which a strength is strong enough."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of training, of digits, shapes and faces. width: of the dense networks.
        judged: real rows that judges are fitted on, at most. judge: steps of the shapes' judge.
        draws: of each digit. edits: rows that are edited, at most.
    """

    steps: tuple[int, int, int]
    width: int
    judged: int
    judge: int
    draws: int
    edits: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting((2, 2, 2), 16, 200, 2, 2, 20),
    "cpu": Setting((1500, 1200, 800), 256, 8000, 400, 100, 600),
    "paper": Setting((20_000, 20_000, 10_000), 512, 20_000, 3000, 1000, 4000),
}


class ConditionalVae(Study):
    """Conditional draws and edits, as independent judges see them."""

    claim = (
        "Draws of a class are of that class, and edits change their attribute and leave the others."
    )
    paper = (
        "Sohn, Lee & Yan 2015; Kingma et al. 2014, arXiv:1406.5298; Larsen et al. 2016, "
        "arXiv:1512.09300; Ho & Salimans 2022, arXiv:2207.12598"
    )
    protocol = ""

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting, folder = SETTINGS[budget], runs_of(out, self.name, budget)
        return [
            *digits(setting, seeds, folder),
            *shapes(setting, seeds, folder),
            *faces(setting, seeds, folder),
        ]


# Runs.


def opened(data: Mapping[str, Any]) -> Material:
    """A set by name or path with its options, divided as `SPLIT` says."""
    options = {k: v for k, v in data.items() if k not in ("name", "path")}
    examination = examine(data.get("name") or data["path"], **options)
    return Material.of(examination.kind, examination.source, (), {**data, "split": SPLIT})


def trained(
    material: Material, data: Mapping[str, Any], recipe: Mapping[str, Any], folder: Path
) -> Run:
    """A run trained to its end, or from where an earlier call left it."""
    if (folder / "recipe.toml").is_file():
        run = Run.open(folder)
        done = run.record["step"] >= run.plan.training.steps
        return run if done else go_on(run, material, {}, quiet=True)
    return start(recipe, {**data, "split": SPLIT}, material, folder, quiet=True)


def recipe(setting: Setting, steps: int, seed: int, **changes: Any) -> dict[str, Any]:
    """Dense networks, Adam with a cosine, averaged weights."""
    net = {"name": "dense", "width": setting.width, "depth": 2}
    model = {"name": "vae", "encoder": net, "decoder": net, **changes.pop("model", {})}
    train = {
        "steps": steps, "batch": 128, "lr": 2e-3, "seed": seed, "best": "none", "evaluate": steps,
        "checkpoint": min(steps, 2000), "schedule": {"name": "cosine", "warmup": 0.02}, **changes,
    }  # fmt: skip
    return {"model": model, "train": train}


def some(source: Source, most: int) -> Rows:
    """At most so many rows, always the same ones."""
    return editing.some(source, most, 0)


# Digits.

LATENT = 8


def digits(setting: Setting, seeds: int, folder: Path) -> list[Row]:
    """The accuracy of class-conditional draws, and what guidance does to it and to their variety."""
    data = {"name": "mnist"}
    material = opened(data)
    real, held = some(material.train, setting.judged), some(material.test, setting.judged)
    space = material.kind.space
    judge = Classifier.fit(space.encode(real.values), real.given[:, 0].long(), 0)
    floor = right(judge(space.encode(held.values)), held.given[:, 0])
    runs = [
        trained(
            material, data,
            recipe(setting, setting.steps[0], seed, model={"latent": LATENT}),
            folder / f"digits-{seed}",
        )
        for seed in range(seeds)
    ]  # fmt: skip
    by_seed = [[drawn(run, judge, setting.draws, w, seed) for w in WEIGHTS]
               for seed, run in enumerate(runs)]  # fmt: skip
    spread = variety(space.encode(real.values), real.given[:, 0].long())
    pictures(folder / "digits.png", runs[0])
    return [
        row
        for i, w in enumerate(WEIGHTS)
        for row in of_weight(w, [seed[i] for seed in by_seed], floor, spread)
    ]


def right(seen: Tensor, true: Tensor) -> float:
    return float((seen == true).double().mean())


def drawn(run: Run, judge: Classifier, count: int, weight: float, seed: int) -> tuple[float, float]:
    """The share of draws that are seen as the digit asked for, and the draws' variety."""
    parts = [run.draw(count, {"label": str(k)}, seed, weight).values for k in range(10)]
    x, asked = run.space.encode(torch.cat(parts)), torch.arange(10).repeat_interleave(count)
    return right(judge(x), asked), variety(x, asked)


def variety(x: Tensor, label: Tensor) -> float:
    """The variance of a pixel within a class, a mean over pixels and classes."""
    within = [x[label == k].var(0).mean() for k in label.unique()]
    return float(torch.stack(within).mean())


def of_weight(
    weight: float, found: Sequence[tuple[float, float]], floor: float, spread: float
) -> list[Row]:
    """Accuracy and variety under a guidance; the plain draws are those of the bar."""
    accuracy, varied = zip(*found, strict=True)
    name = f"digits: class accuracy of draws, guidance {weight:g}"
    row = finding(name, accuracy, "drawn", "higher")
    if weight == 1:
        row = replace(row, measure="digits: class accuracy of draws", kind="bar", target=0.95)
    other = finding(f"digits: variance within a class, guidance {weight:g}", varied, "drawn",
                    "higher")  # fmt: skip
    return [replace(row, floor=floor), replace(other, floor=spread)]


def pictures(path: Path, run: Run) -> None:
    """A row of draws a guidance, each digit twice."""
    parts = [
        run.kind.draw(run.draw(20, {"label": [str(k // 2) for k in range(20)]}, 0, w))
        for w in WEIGHTS
    ]
    path.write_bytes(png(grid(torch.cat(parts), 20)))


# Shapes.

QUARTER = 10
"""Steps of the orientation, of 40, that are a quarter turn."""
SHAPES = {
    "name": "shapes2d", "size": 32, "shapes": ("ellipse", "heart"),
    "colours": ("red", "green", "blue"), "every": {"scale": 5, "orientation": QUARTER, "x": 2,
    "y": 2}, "given": ("colour", "scale", "orientation"),
}  # fmt: skip
ATTRIBUTES = ("colour", "scale", "orientation", "shape")
CHOICES = (3, 2, 2, 2)
"""How many values each has."""
TURN = number("orientation", QUARTER)
TARGETS: Mapping[str, Sequence[str]] = {
    "colour": SHAPES["colours"],
    "scale": tuple(f"{end}" for end in ENDS["scale"]),
    "orientation": ("0", f"{TURN}"),
}


def shapes(setting: Setting, seeds: int, folder: Path) -> list[Row]:
    """How many edits flip their attribute, and how many rows change in another."""
    material = opened(SHAPES)
    judge = judge_of_shapes(material, setting)
    held = some(material.test, setting.edits)
    factors = material.test.factors()[order_of(material.test, setting.edits)]
    true = attributes(held.given, factors)
    every = whole(material.test)
    skill = seen_right(judge(every), attributes(every.given, material.test.factors()))
    model = {"latent": 6}
    runs = [
        trained(material, SHAPES, recipe(setting, setting.steps[1], seed, model=model),
                folder / f"shapes-{seed}")
        for seed in range(seeds)
    ]  # fmt: skip
    rows = []
    for at, name in enumerate(TARGETS):
        found = [edited(run, name, at, held, true, judge) for run in runs]
        rows += of_attribute(name, found, float(skill[at]))
    return rows


def order_of(source: Source, most: int) -> Tensor:
    """The rows that `some` takes."""
    return torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[:most]


def attributes(given: Tensor, factors: Tensor) -> Tensor:
    """Colour, size, orientation and shape of rows as indices, (B, 4).

    An ellipse looks the same after half a turn, so that an orientation is only lying or standing.
    """
    colour, scale, turn = given.unbind(1)
    large = (scale > 0.75).float()
    return torch.stack([colour, large, (turn / TURN).round() % 2, factors[:, 0]], 1).long()


def judge_of_shapes(material: Material, setting: Setting) -> Callable[[Rows], Tensor]:
    """One convolutional network that sees all attributes, fitted on training rows: (B, 4)."""
    space = material.kind.space
    rows = some(material.train, setting.judged)
    at = order_of(material.train, setting.judged)
    true = attributes(rows.given, material.train.factors()[at])
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = ImageClassifier(space.width, (32, 32), sum(CHOICES), width=12)
    fit(net, space.encode(rows.values), true, by_attribute, steps=setting.judge, batch=64, lr=3e-3)

    @torch.no_grad()
    def judge(rows: Rows) -> Tensor:
        parts = [net(space.encode(v)).split(CHOICES, 1) for v in rows.values.split(500)]
        return torch.cat([torch.stack([one.argmax(1) for one in logits], 1) for logits in parts])

    return judge


def by_attribute(logits: Tensor, true: Tensor) -> Tensor:
    """The cross-entropy of each attribute, summed."""
    pairs = zip(logits.split(CHOICES, 1), true.unbind(1), strict=True)
    return torch.stack([F.cross_entropy(one, index) for one, index in pairs]).sum()


def seen_right(seen: Tensor, true: Tensor) -> Tensor:
    """The share that is right, of each attribute."""
    return (seen == true).double().mean(0)


def edited(
    run: Run, name: str, at: int, held: Rows, true: Tensor, judge: Callable[[Rows], Tensor]
) -> tuple[float, float]:
    """The share of edits seen as meant, and the share of rows in which the worst other changed.

    Every row is edited to each value that it does not have. What an attribute has changed from is
    what is true of the row, not what is seen of it, so that faults of reconstruction count too.
    """
    flips, drifts = [], []
    for value, target in enumerate(TARGETS[name]):
        rows = true[:, at] != value
        some_ = Rows(held.values[rows], held.given[rows])
        wanted = editing.edits(run, {name: target})
        made = editing.edit(run, some_, wanted, nothing, "condition")
        seen = judge(made.after)
        flips.append(seen[:, at] == value)
        drifts.append(seen != true[rows])
    others = [i for i in range(len(ATTRIBUTES)) if i != at]
    worst = torch.cat(drifts)[:, others].double().mean(0).max()
    return float(torch.cat(flips).double().mean()), float(worst)


def nothing() -> Source:
    """An edit by condition looks at no training data."""
    raise AssertionError


def of_attribute(name: str, found: Sequence[tuple[float, float]], skill: float) -> list[Row]:
    """The bars of an attribute."""
    flips, drifts = zip(*found, strict=True)
    return [
        bar(f"shapes: edits of {name} seen as meant", flips, 0.9, "higher", skill),
        bar(f"shapes: drift of the worst other, {name} edited", drifts, 0.15, "lower"),
    ]


def bar(name: str, values: Sequence[float], target: float, better: Any, floor: float = math.nan
        ) -> Row:  # fmt: skip
    """A bar on the mean over seeds."""
    found = over_seeds(values)
    return Row(name, "bar", *found, len(values), "test", better, target=target, floor=floor)


# Faces.

NEUTRAL, SMILE = "neutral", "smile"
EDIT = f"label={SMILE}"


def faces(setting: Setting, seeds: int, folder: Path) -> list[Row]:
    """How many neutral faces smile when they are asked to; nothing where the set is not here."""
    names = ("faces: edits seen as smiles", "faces: edits at strength 1", "faces: strength chosen")
    places = local("smiles", "smiles_64.zip")
    if not places:
        name = f"{names[0]}: left out, smiles/smiles_64.zip is not in $TWOFOLD_DATA"
        return [Row(name, "finding", math.nan, math.nan, math.nan, 0, "test", "higher")]
    data = {"path": str(places[0]), "size": 32, "levels": 256}
    material = opened(data)
    found = [
        of_faces(
            trained(material, data, recipe(setting, setting.steps[2], seed, null=1.0,
                    model={"latent": 32}), folder / f"faces-{seed}"),
            material, setting,
        )
        for seed in range(seeds)
    ]  # fmt: skip
    chosen, plain, strength, skill, before = zip(*found, strict=True)
    row = bar(names[0], chosen, 0.8, "higher", floor=skill[0])
    return [
        replace(row, baseline=sum(before) / len(before)),
        finding(names[1], plain, "test", "higher"),
        finding(names[2], strength, "validation", "lower"),
    ]


def of_faces(run: Run, material: Material, setting: Setting) -> tuple[float, ...]:
    """Edits seen as meant: at the strength that validation rows chose, and at 1; and so on."""
    smile = editing.attributes(run)["label"]
    judge = editing.Judge.of(run, smile, material.train, material.test, 0)
    wanted = editing.edits(run, {"label": SMILE})
    sides = [neutral(run, part, setting.edits) for part in (material.validation, material.test)]
    shares = [
        [meant(run, rows, wanted, material, judge, strength) for strength in STRENGTHS]
        for rows in sides
    ]
    chosen = next((i for i, share in enumerate(shares[0]) if share >= ENOUGH), len(STRENGTHS) - 1)
    before = right(judge(Rows(sides[1].values, sides[1].given)), torch.tensor(wanted[0].target))
    return shares[1][chosen], shares[1][0], STRENGTHS[chosen], judge.skill, before


def neutral(run: Run, source: Source, most: int) -> Rows:
    """Faces that do not smile."""
    rows = some(source, most)
    label = run.given["label"].domain
    asked = list(label.labels).index(NEUTRAL)  # type: ignore[attr-defined]
    here = rows.given[:, 0] == asked
    return Rows(rows.values[here], rows.given[here])


def meant(
    run: Run,
    rows: Rows,
    wanted: Sequence[editing.Edit],
    material: Material,
    judge: editing.Judge,
    strength: float,
) -> float:
    """The share of edits that the judge sees as meant."""
    made = editing.edit(run, rows, wanted, lambda: material.train, "direction", strength)
    return right(judge(made.after), torch.tensor(wanted[0].target))
