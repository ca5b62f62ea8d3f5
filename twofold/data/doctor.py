"""What a data set is, what is wrong with it, and which recipe fits it.

`examine` finds the kind, lets it learn its codec, opens the data, and says in words what it saw.
Every kind is a file of `data/kinds/`; of several that accept the same data the first in `ORDER`
wins, and `data.kind` overrules that.

>>> examination = examine("digits")
>>> examination.suggestion.recipe, len(examination.source)
('vae-images', 1797)
>>> print(examination.space_in_words)
an image of 8 × 8 with 1 channel: pixel, 17 levels from 0 to 16
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from twofold.core.build import arguments, classes_in, options
from twofold.core.errors import UserError, nearest
from twofold.core.space import Bounded, Category, Count, Domain, Field, Modal, Real, Space, Token
from twofold.core.words import harmless, plural
from twofold.data.download import Progress, silent
from twofold.data.kind import Finding, Kind, Where
from twofold.data.named import NAMED, Found, find
from twofold.data.sources import Memory, Source, Streamed, Together

ORDER = ("images", "molecules", "text", "series", "arrays", "tables")
"""Which kind is asked first; kinds that are not named come last, by name."""


@dataclass(frozen=True)
class Suggestion:
    """A recipe, another worth trying, and why the first."""

    recipe: str
    other: str
    why: str


@dataclass(frozen=True)
class Examination:
    """What is known of a data set.

    Args:
        title: what the user called it.
        kind: its codec; source: its rows.
        findings: what is worth knowing.
        suggestion: what to fit.
    """

    title: str
    kind: Kind
    source: Source
    findings: tuple[Finding, ...]
    suggestion: Suggestion

    @property
    def space_in_words(self) -> str:
        """What one observation is."""
        return in_words(self.kind.space)

    def __str__(self) -> str:
        given = fields_in_words(self.kind.had) or "nothing"
        lines = [
            f"{self.title}: {self.kind.name}, {plural(len(self.source), 'observation')}",
            f"  one observation  {self.space_in_words}",
            f"  given            {given}",
            *(f"  {finding.level:<16} {finding.text}" for finding in self.findings),
            f"  suggested        {self.suggestion.recipe}: {self.suggestion.why}",
        ]
        return "\n".join(map(harmless, lines))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return {
            "data": self.title,
            "kind": self.kind.name,
            "observations": len(self.source),
            "space": self.kind.space.to_dict(),
            "given": self.kind.given.to_dict(),
            "official": {part: len(rows) for part, rows in self.source.official.items()},
            "findings": [{"level": f.level, "text": f.text} for f in self.findings],
            "suggestion": vars(self.suggestion),
        }


def examine(where: Where, kind: str = "", progress: Progress = silent, **asked: Any) -> Examination:
    """Find out what data are.

    Args:
        where: a path, a name, or an object in memory.
        kind: the name of the kind, where the rule would choose another.
        progress: shown while a named set is downloaded.
        asked: options of the kind's `inspect`, the keys under `data`.

    Raises:
        UserError: what is not there, cannot be read, or is of no known kind.
    """
    found = locate(where, kind, progress)
    make = every_kind()[found.kind]
    check_options(make, asked)
    given = dict(found.options) | arguments(make.inspect, asked, "data", skip=("where",))
    codec, findings = make.inspect(found.where, **given)
    source = with_official(codec.open(found.where), found)
    title = str(where) if isinstance(where, str | Path) else type(where).__name__
    return Examination(title, codec, source, tuple(findings), suggest(codec, len(source)))


def locate(where: Where, kind: str, progress: Progress = silent) -> Found:
    """The data and its kind: a path wins over a name, a kind that is asked for over the rule.

    Raises:
        UserError: there is no such data, or the kind that is asked for cannot read them.
    """
    found = placed(where, kind, progress)
    if not every_kind()[found.kind].reads(found.where):
        raise UserError(
            f"{what_is(where)}, and cannot be read as {found.kind}; leave out data.kind"
        )
    return found


def fitting(where: Where, kind: Kind) -> Found:
    """Data that a run is asked of, to be read by the codec that it keeps.

    Raises:
        UserError: there is no such data, or they are of another form by their type alone.
    """
    found = placed(where, kind.name)
    if not kind.reads(found.where):
        raise UserError(
            f"{what_is(where)}, and the run was trained on {kind.name}: {in_words(kind.space)}; "
            "give it data of that form"
        )
    return found


def placed(where: Where, kind: str, progress: Progress = silent) -> Found:
    """As `locate`, whether or not the kind can read them."""
    if kind and kind not in every_kind():
        raise UserError(f"data.kind = {kind!r} is not known; {nearest(kind, every_kind())}")
    if isinstance(where, Found):  # by name, and not by a path that happens to be called so
        return replace(where, kind=kind or where.kind)
    if isinstance(where, str | Path) and not Path(where).exists():
        if str(where) not in NAMED:
            hint = nearest(str(where), NAMED)
            raise UserError(f"{where} is neither a path that is there nor a data set; {hint}")
        found = find(str(where), progress)
        return replace(found, kind=kind or found.kind)
    if isinstance(where, str | Path):
        check_path(Path(where))
        where = Path(where)
    return Found(where, kind or kind_of(where))


def what_is(where: Where) -> str:
    """What the user gave, in words: a data set, a path or an object in memory.

    >>> what_is("digits")
    'digits is 1,797 handwritten digits, 8 × 8, 17 grey levels'
    """
    if isinstance(where, Found):
        return f"the data set is {where.kind}"
    if not isinstance(where, str | Path):
        return f"what is given is of type {type(where).__name__}"
    if not Path(where).exists():
        return f"{where} is {NAMED[str(where)].what}"
    return f"{where} is read as {kind_of(Path(where))}"


def check_path(path: Path) -> None:
    """Refuse what cannot be read, or is empty."""
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} may not be read; check its permissions")
    if path.is_file() and not path.stat().st_size:
        raise UserError(f"{path} is empty; give a file with data in it")
    if path.is_dir() and not any(path.iterdir()):
        raise UserError(f"{path} is an empty folder; give one with images in it")


def within(folder: Path) -> str:
    """Where to look in a folder that is of no kind itself: the first of its files that are."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file()) if folder.is_dir() else ()
    known = (p.name for p in files if any(make.accepts(p) for make in every_kind().values()))
    names = " or ".join(islice(known, 3))
    return f"; or name a file in it, such as {names}" if names else ""


def kind_of(where: Where) -> str:
    """The first kind that accepts these data."""
    for name, make in every_kind().items():
        if make.accepts(where):
            return name
    if isinstance(where, Path) and is_dicom(where):
        raise UserError(
            f"{where} is DICOM, which is not read here; write its pixels as PNG of 16 bits, a file "
            "a picture, without what names the patient (pydicom, dcmtk)"
        )
    if isinstance(where, Path):
        raise UserError(
            f"{where} is of no known kind; give a folder or zip of images, a table (.csv, "
            f".parquet), molecules (.smi, .sdf), text (.txt), arrays (.npy, .npz), or WFDB (.hea)"
            f"{within(where)}"
        )
    raise UserError(
        f"{type(where).__module__}.{type(where).__name__} is of no known kind; give a path, an "
        f"array or a data frame"
    )


def is_dicom(where: Path) -> bool:
    """Whether a file, or one of a folder, is called DICOM."""
    files = [where] if where.is_file() else where.glob("*")
    return any(file.suffix.lower() in (".dcm", ".dicom") for file in files)


def every_kind() -> dict[str, type[Kind]]:
    """Every kind of this package by name, in the order in which they are asked."""
    found = {make.name: make for make in classes_in("twofold.data.kinds", Kind)}
    place = {name: index for index, name in enumerate(ORDER)}
    return {name: found[name] for name in sorted(found, key=lambda n: (place.get(n, 99), n))}


def recall(data: Mapping[str, Any]) -> Kind:
    """The codec from what `remember` made of it."""
    values = dict(data)
    name = values.pop("kind")
    if name not in every_kind():
        raise UserError(f"the run's data are of kind {name!r}, which is not known here; update")
    return every_kind()[name].from_dict(values)


def remember(kind: Kind) -> dict[str, Any]:
    """A codec as plain data that says which kind it is."""
    return {"kind": kind.name, **kind.to_dict()}


def check_options(make: type[Kind], asked: Mapping[str, Any]) -> None:
    """Name an option that the kind does not have, and the nearest it has, or who has it."""
    valid = options(make.inspect, skip=("where",))
    for key in asked:
        if key not in valid:
            hint = of_others(key) or nearest(key, valid)
            raise UserError(f"data.{key} is not an option of {make.name}; {hint}")


def of_others(key: str) -> str:
    """Which kinds have an option; empty where none has."""
    kinds = every_kind().items()
    having = [name for name, make in kinds if key in options(make.inspect, skip=("where",))]
    return f"it is one of {', '.join(having)}: leave it out" if having else ""


def with_official(source: Source, found: Found) -> Source:
    """The source with the split of a named set."""
    if isinstance(source, Together):
        return replace(source, source=with_official(source.source, found))
    if not found.official or not isinstance(source, Memory | Streamed):
        return source
    official = {part: torch.from_numpy(rows) for part, rows in found.official.items()}
    return replace(source, official=official)


# Which recipe.

WHY = {
    "images": "a convolutional VAE trains steadily at any size; a GAN draws sharper",
    "series": "a convolutional VAE over time trains steadily; a GAN is often more varied",
    "table": "a VAE has a likelihood a column and copes with missing values; a GAN has neither",
    "vector": "a dense VAE gives a latent and a likelihood; a GAN only draws",
    "molecules": "a VAE gives a latent that can be searched; a model without one only draws",
    "text": "a VAE gives a latent of whole sentences; a model without one only draws",
}
OTHERS = {"molecules": "autoregressive", "text": "autoregressive"}
"""The family to try beside a VAE, where it is not a GAN."""


def suggest(kind: Kind, rows: int) -> Suggestion:
    """The recipe for data of this layout."""
    layout = layout_of(kind)
    small = f"; with {plural(rows, 'row')} expect copies, and look at the held-out figures"
    why = WHY[layout] + (small if rows < 500 else "")
    return Suggestion(f"vae-{layout}", f"{OTHERS.get(layout, 'gan')}-{layout}", why)


def layout_of(kind: Kind) -> str:
    """The layout by which recipes are named."""
    if kind.space.layout == "tokens":
        return kind.name
    by_axes = {1: "series", 2: "images"}
    axes = len(kind.space.axes)
    if axes > 2:
        raise UserError(f"there is no recipe for data of {axes} axes; name one")
    return by_axes.get(axes, "table" if kind.name == "tables" else "vector")


# In words.


def in_words(space: Space) -> str:
    """A space as a sentence for people."""
    shape = " × ".join(map(str, space.axes))
    if space.layout == "tokens":
        return f"up to {plural(space.axes[0] - 1, 'token')}: {fields_in_words(space)}"
    head = {
        0: "a row",
        1: f"a series of {shape} step{'s' * (shape != '1')}",
        2: f"an image of {shape}",
        3: f"a video of {shape}",
    }[len(space.axes)]
    unit = "value" if not space.axes else "channel"
    count = plural(space.size, unit)
    return f"{head} with {count}: {fields_in_words(space)}"


def fields_in_words(space: Space) -> str:
    """The fields of a space, the first eight at length."""
    more = [f"and {len(space.fields) - 8} more"] if len(space.fields) > 8 else []
    return "; ".join([*map(field_in_words, space.fields[:8]), *more])


def field_in_words(field: Field) -> str:
    """A field as a phrase."""
    may = ", may be missing" if field.missing else ""
    return f"{field.name}, {domain_in_words(field.domain)}{may}"


def domain_in_words(domain: Domain) -> str:
    """A domain as a phrase."""
    return PHRASES[type(domain)](domain)


def real_in_words(domain: Any) -> str:
    if domain == Real():  # a normal score: mean and deviation say nothing of the column
        return "real"
    return f"real, about {domain.mean:.4g} ± {domain.std:.3g}"


def labels_in_words(domain: Any) -> str:
    more = ", …" if len(domain.labels) > 6 else ""
    return f"one of {len(domain.labels)}: {', '.join(domain.labels[:6])}{more}"


def tokens_in_words(domain: Any) -> str:
    """The words of a vocabulary, without the empty one that ends a sequence."""
    return labels_in_words(Category(tuple(label for label in domain.labels if label)))


def bounds_in_words(domain: Any) -> str:
    between = f"from {domain.low:g} to {domain.high:g}"
    return f"{plural(domain.levels, 'level')} {between}" if domain.levels else between


PHRASES: Mapping[type[Domain], Callable[[Any], str]] = {
    Real: real_in_words,
    Modal: lambda domain: f"real, in {domain.modes} modes",
    Bounded: bounds_in_words,
    Count: lambda domain: "a count",
    Category: labels_in_words,
    Token: tokens_in_words,
}
