"""Molecules as sequences of tokens: SMILES or SELFIES, with the properties that a file has.

Each molecule is cleaned (`data/molecules.py`): the largest fragment, canonical, once. Its tokens
give the very molecule back, or it is dropped, and what is dropped is said with its first row. Any
column of the file may be given to the model. What is drawn is written as canonical SMILES.

SMILES (the default) may spell no molecule, which is to their advantage: a slip of the model mostly
spells none and is drawn again, where in SELFIES, any sequence of which is a molecule, it stays as
one that is unlike the data (Skinnider 2024, Nature Machine Intelligence 6:437). Of a small set,
`enumerate` shows each molecule with its atoms in another order every time, which stands for several
times as many molecules.

>>> import pandas
>>> frame = pandas.DataFrame({"smiles": ["CCO", "OCC", "c1ccccc1.[Na+].[Cl-]", "C("]})
>>> kind, found = Molecules.inspect(frame)
>>> kind.native(kind.open(frame).read(torch.tensor([0, 1])))
['CCO', 'c1ccccc1']
>>> found[0].text
'2 of 4 molecules are kept, salts and solvents taken off'
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, final

import numpy as np
import torch
from PIL import Image
from pydantic import PositiveInt
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Field, Space, Token
from twofold.data.augment import Augment
from twofold.data.columns import Column, beyond, describe, recall, valued
from twofold.data.delimited import write_text
from twofold.data.frames import Cells, Frame, Style, may_be_table
from twofold.data.guess import MISSING, Look, blanks, learn
from twofold.data.kind import Finding, Kind, Where, matching
from twofold.data.molecules import (
    Prepared,
    Sheet,
    column_of,
    distinct,
    is_molecules,
    prepare,
    read_molecules,
    sheet,
)
from twofold.data.sources import Copies, Memory, Rows, Source
from twofold.data.vocabulary import Vocabulary
from twofold.maths.chemistry import again, meant, rdkit, scaffold, tokens

FormName = Literal["smiles", "selfies"]
SIDE = 160  # of a drawing, in pixels
BOND = 22.0  # of its bonds at most, so that ethanol is not drawn as large as a steroid
FEW = 5000  # molecules, of which those that are shown in many writings teach more
MOSTLY = 0.9
"""The share of numbers from which on a column is one of numbers."""


@dataclass(frozen=True)
class Enumerate(Augment):
    """Each molecule as another SMILES of itself, where that is no longer and has known tokens."""

    words: Vocabulary

    def __call__(self, values: Tensor) -> Tensor:
        seeds = torch.randint(1, 2**31 - 1, (len(values),)).tolist()
        strings = ["".join(cut) for cut in self.words.sequences(values)]
        others = [tokens("smiles", again(s, seed)) for s, seed in zip(strings, seeds, strict=True)]
        length = values.shape[2]
        fits = [len(o) < length and self.words.place.keys() >= set(o) for o in others]
        chosen = [o if fit else [] for o, fit in zip(others, fits, strict=True)]
        fresh = self.words.values(chosen, length).to(values)
        return torch.where(torch.tensor(fits).reshape(-1, 1, 1), fresh, values)


@final
@dataclass(frozen=True)
class Molecules(Kind):
    """The codec of one set of molecules.

    Args:
        form: of the tokens. labels: the tokens, the end first. length: places, the end's among
            them.
        longest: tokens of a molecule that is learnt from, at most.
        column: of the SMILES. conditions: columns that are given.
        scaffolds: whether molecules of one scaffold stay together when the data are divided.
        enumerated: whether training shows each in another order of its atoms.
        style: how the file was written.
        asked: whether the run is asked of what is read: copies stay, and what it cannot take goes.
    """

    name = "molecules"
    fault = "were no molecule"
    example = Space((Field("smiles", Token(("", "C", "=", "N", "O"))),), (12,))
    form: FormName
    labels: tuple[str, ...]
    length: int
    longest: int
    column: str
    conditions: tuple[Column, ...] = ()
    scaffolds: bool = False
    enumerated: bool = False
    style: Style = field(default_factory=Style)
    asked: bool = False
    space: Space = field(init=False)
    given: Space = field(init=False)
    augments: tuple[Augment, ...] = field(init=False)

    def __post_init__(self) -> None:
        known = (Field(f.name, f.domain, missing=True) for c in self.conditions for f in c.fields)
        space = Space((Field(self.form, Token(self.labels)),), (self.length,))
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "given", Space(tuple(known)))
        changes = (Enumerate(self.words),) if self.enumerated else ()
        object.__setattr__(self, "augments", changes)

    @cached_property
    def words(self) -> Vocabulary:
        return Vocabulary(self.labels)

    @classmethod
    def accepts(cls, where: Where) -> bool:
        return is_molecules(where)

    @classmethod
    def reads(cls, where: Where) -> bool:
        return may_be_table(where)

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        form: FormName = "smiles",
        smiles: str = "",
        given: tuple[str, ...] = (),
        longest: PositiveInt = 120,
        scaffolds: bool = False,
        enumerate: bool = False,
    ) -> tuple[Self, list[Finding]]:
        """Learn the tokens.

        Args:
            where: a .smi or .sdf, a table with a column of SMILES, or a data frame.
            form: `smiles`, or `selfies`, any sequence of which is a molecule.
            smiles: the column of SMILES; found by its name where empty.
            given: columns that are conditions, by name or pattern.
            longest: tokens of a molecule at most; longer ones are dropped.
            scaffolds: keep molecules of one scaffold together when the data are divided.
            enumerate: show each molecule with its atoms in another order every time; of SMILES.
        """
        if enumerate and form != "smiles":
            raise UserError("data.enumerate is for SMILES; set data.form=smiles, or leave it out")
        frame = read_molecules(where)
        cells = column_of(frame, smiles)
        read = sheet(frame, cells, form, distinct(longest))
        names = matching(given, frame.names)
        columns, said = zip(*(condition(frame, name) for name in names), strict=True) if names \
            else ((), ())  # fmt: skip
        words = Vocabulary.of((*read.tokens, *spelt_anew(read, enumerate)))
        length = max(map(len, read.tokens)) * 5 // (4 if enumerate else 5) + 1
        kind = cls(
            form, words.labels, length, longest, cells.name, tuple(columns), scaffolds, enumerate,
            frame.style,
        )  # fmt: skip
        told = [f for several in said for f in several] if names else offered(frame)
        return kind, [*frame.findings, *read.findings, *told, *kind.advised(len(read.tokens))]

    def advised(self, count: int) -> list[Finding]:
        """What would help so many molecules."""
        if self.form != "smiles" or self.enumerated or count > FEW:
            return []
        text = (
            f"{count:,} molecules are few: data.enumerate=true shows each in another order of its "
            "atoms every time; of a model without a latent more draws are molecules then, after "
            "some thousand steps"
        )
        return [Finding("note", text)]

    def open(self, where: Where) -> Source:
        read = self.sheet(where)
        self.fits(read)
        values = self.words.values(read.tokens, self.length)
        source = Memory(values, self.known(read))
        return Copies(source, grouped(read.smiles)) if self.scaffolds else source

    def sheet(self, where: Where) -> Sheet:
        """Another file of this form."""
        frame = read_molecules(where)
        column = self.column if self.column in frame.names else ""
        unfit = self.unfit if self.asked else distinct(self.longest)
        return sheet(frame, column_of(frame, column), self.form, unfit)

    def spelt(self, texts: Sequence[str]) -> Source:
        """SMILES, cleaned; of what is given, nothing is known."""
        ready = [prepare(text, self.form) for text in texts]
        for text, one in zip(texts, ready, strict=True):
            if one.why:
                raise UserError(f"{text!r} is no molecule: {one.why}")
            self.fits_one(repr(text), one.tokens)
        values = self.words.values([one.tokens for one in ready], self.length)
        return Memory(values, torch.full((len(texts), len(self.conditions)), torch.nan))

    def fits(self, read: Sheet) -> None:
        """Refuse what no molecule of the training data was like."""
        for row, cut in zip(read.kept, read.tokens, strict=True):
            self.fits_one(f"{read.frame.title} row {read.frame.rows[row]}", cut)

    def fits_one(self, place: str, cut: Sequence[str]) -> None:
        """Refuse the tokens of one."""
        if why := self.strange(cut):
            raise UserError(f"{place}: {why}; leave it out or fit anew")

    def unfit(self, one: Prepared) -> str:
        """Why the run cannot take a molecule; empty where it can."""
        return self.strange(one.tokens)

    def strange(self, cut: Sequence[str]) -> str:
        """Why the run cannot take the tokens of a molecule; empty where it can."""
        if len(cut) >= self.length:
            return f"{len(cut)} tokens, and the run has at most {self.length - 1}"
        new = [token for token in cut if token not in self.words.place]
        return f"{new[0]!r} was in no training molecule" if new else ""

    def lenient(self) -> Self:
        return replace(self, asked=True)

    def rows(self, where: Where) -> list[int]:
        read = self.sheet(where)
        return [int(read.frame.rows[row]) for row in read.kept]

    def passed(self, where: Where) -> list[Finding]:
        return [found for found in self.sheet(where).findings if found.level == "warning"]

    def known(self, read: Sheet) -> Tensor:
        """What is given of each molecule, (N, G); NaN where the file does not say."""
        known = np.full((len(read.kept), len(self.conditions)), np.nan)
        for at, column in enumerate(self.conditions):
            if column.name in read.frame.names:
                cells = read.frame[column.name]
                missing = blanks(MISSING)
                texts = [t if t.casefold() not in missing else "" for t in cells.texts]
                each = [column.numbers([t])[0, 0] if t else np.nan for t in texts]
                known[:, at] = np.array(each)[cells.codes[list(read.kept)]]
        return torch.from_numpy(known).float()

    def strings(self, rows: Rows) -> list[str]:
        """Canonical SMILES; of tokens that are no molecule, what they spell."""
        cuts = self.words.sequences(rows.values)
        return [meant(self.form, cut) or "".join(cut) for cut in cuts]

    def molecules(self, values: Tensor) -> list[str]:
        """Canonical SMILES of values (B, 1, T); empty where tokens are no molecule."""
        return [meant(self.form, cut) for cut in self.words.sequences(values)]

    def settled(self, rows: Rows) -> Rows:
        """Each molecule in its canonical tokens, where those are known."""
        cuts = self.words.sequences(rows.values)
        again = [self.resettled(cut) for cut in cuts]
        return Rows(self.words.values(again, self.length).to(rows.values), rows.given)

    def broken(self, rows: Rows) -> Tensor:
        """Which are no molecule, (B,), among them those of not a single atom."""
        return torch.tensor([not one for one in self.molecules(rows.values)])

    def resettled(self, cut: list[str]) -> list[str]:
        smiles = meant(self.form, cut)
        fresh = tokens(self.form, smiles) if smiles else cut
        return fresh if len(fresh) < self.length and self.words.place.keys() >= set(fresh) else cut

    def number(self, name: str, words: str) -> float:
        return valued(self.conditions, name, words)

    def beyond(self, name: str, words: str) -> str:
        return beyond(self.conditions, name, words)

    def native(self, rows: Rows) -> Any:
        """A list of SMILES."""
        return self.strings(rows)

    def names(self, where: Where) -> list[str]:
        return list(self.sheet(where).smiles)

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`samples.smi`, or `samples.csv` where something is given; never over another file."""
        out.mkdir(parents=True, exist_ok=True)
        given = rows.given.double().numpy()
        columns = [texts_of(c, given[:, i]) for i, c in enumerate(self.conditions)]
        names = [self.column, *(c.name for c in self.conditions)]
        form = "csv" if columns else "smi"
        path = out / f"samples.{form}"
        style = Style("csv", ",", True) if columns else Style("csv", "\t", False)
        write_text(path, names, [self.strings(rows), *columns], style)
        return [path]

    def draw(self, rows: Rows) -> Tensor:
        """Structures; an empty sheet for what is no molecule."""
        cuts = self.words.sequences(rows.values)
        return torch.stack([drawn(meant(self.form, cut)) for cut in cuts])

    def to_dict(self) -> dict[str, Any]:
        plain = ("form", "length", "longest", "column", "scaffolds", "enumerated")
        return {
            **{name: getattr(self, name) for name in plain},
            "labels": list(self.labels),
            "conditions": [describe(column) for column in self.conditions],
            "style": asdict(self.style),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        made = {
            "labels": tuple(data["labels"]),
            "conditions": tuple(recall(column) for column in data["conditions"]),
            "style": Style(**data["style"]),
        }
        return cls(**{**data, **made})


NAMED = 8
"""Columns that a finding names, at most."""


def offered(frame: Frame) -> list[Finding]:
    """Which columns are numbers, and so can be given, where none is."""
    names = [repr(cells.name) for cells in frame.columns if numeric(frame, cells)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    told = f"columns that may be given (data.given) or searched for: {', '.join(names[:NAMED])}"
    return [Finding("note", told + more)] if names else []


def numeric(frame: Frame, cells: Cells) -> bool:
    """Whether nearly all distinct cells of a column are numbers, and there are several."""
    look = Look(frame, cells, blanks(MISSING))
    return len(look.texts) > 1 and float(np.isfinite(look.numbers).mean()) >= MOSTLY


def condition(frame: Frame, name: str) -> tuple[Column, list[Finding]]:
    """The codec of a column that is given."""
    return learn(Look(frame, frame[name], blanks(MISSING)), "")


def spelt_anew(read: Sheet, enumerate: bool) -> list[list[str]]:
    """Other writings of each molecule, for the tokens that they may need."""
    if not enumerate:
        return []
    return [tokens("smiles", again(s, seed)) for s in read.smiles for seed in (1, 2)]


def grouped(smiles: tuple[str, ...]) -> Tensor:
    """A number for each molecule's scaffold, (N,); one without a ring is a scaffold of its own."""
    numbers: dict[str, int] = {}
    cores = [scaffold(one) or one for one in smiles]
    return torch.tensor([numbers.setdefault(core, len(numbers)) for core in cores])


def texts_of(column: Column, values: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    """Values (B,) as texts, empty where unknown."""
    known = ~np.isnan(values)
    texts = iter(column.texts(values[known, None]))
    return [next(texts) if one else "" for one in known.tolist()]


def drawn(smiles: str) -> Tensor:
    """A structure, (3, SIDE, SIDE) uint8."""
    from rdkit.Chem.Draw import rdMolDraw2D

    if not smiles:
        return torch.full((3, SIDE, SIDE), 235, dtype=torch.uint8)
    canvas = rdMolDraw2D.MolDraw2DCairo(SIDE, SIDE)
    canvas.drawOptions().fixedBondLength = BOND
    canvas.DrawMolecule(rdkit().MolFromSmiles(smiles))
    canvas.FinishDrawing()
    picture = Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
