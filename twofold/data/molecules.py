"""Files of molecules: CSV with a column of SMILES, `.smi`, `.sdf`; and cleaning what they hold.

Whatever the file, what is read is a `Frame` with one column of SMILES and the row or line numbers
that a user would give. `prepared` cleans its distinct texts, and says of each that is dropped why;
that takes a millisecond or two each, so that of many it is kept in the user's cache, by what they
are and which versions of RDKit and selfies cleaned them.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from twofold.core.errors import UserError
from twofold.data.delimited import content, decoded
from twofold.data.frames import Cells, Frame, Style, is_table, library, read_frame, suffix
from twofold.data.kind import Finding, Where
from twofold.data.named import folders
from twofold.maths.chemistry import Unreadable, canonical, cleaned, exact, rdkit, selfies

COLUMN = re.compile(
    r"((canonical|isomeric|iso|absolute|ligand|compound|molecule|structure|drug|std|standard|rdkit)"
    r"[_ -]?)?smiles([_ -]?(canonical|isomeric|string))?",
    re.I,
)
WORTH_KEEPING = 2000
"""Distinct texts beyond which what they were cleaned to is kept on disk."""
HEAD = 1 << 16


def is_molecules(where: Where) -> bool:
    """Whether a path is a .smi or .sdf, or its table has a column of SMILES."""
    if library(where):
        return any(COLUMN.fullmatch(str(name)) for name in where.columns)
    if not isinstance(where, str | Path):
        return False
    path = Path(where)
    if suffix(path) in READERS:
        return True
    if not (is_table(path) and path.is_file()) or suffix(path) in (".parquet", ".pq"):
        return False
    with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
        first = file.read(HEAD).split(b"\n")[0].decode("utf-8", "replace")
    return any(COLUMN.fullmatch(cell.strip(' \t\r"\ufeff')) for cell in re.split(r"[,;\t|]", first))


def read_molecules(where: Where) -> Frame:
    """A file of molecules as a table.

    Raises:
        UserError: what is wrong with it.
    """
    if isinstance(where, str | Path) and suffix(Path(where)) in READERS:
        return READERS[suffix(Path(where))](Path(where))
    return read_frame(where, header="yes" if not library(where) else "auto")


def column_of(frame: Frame, asked: str) -> Cells:
    """The column of SMILES: the one that is asked for, or the first of that name."""
    if asked:
        return frame[asked]
    for cells in frame.columns:
        if COLUMN.fullmatch(cells.name):
            return cells
    raise UserError(f"{frame.title} has no column called smiles; name it with data.smiles")


def smi(path: Path) -> Frame:
    """A .smi: a SMILES a line, and perhaps a name after it."""
    text, found = decoded(path, content(path))
    lines = [
        (number, line.split(None, 1))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    lines = lines[bool(COLUMN.fullmatch(lines[0][1][0])) :]
    if not lines:
        raise UserError(f"{path} has a header and no molecule; give one with rows")
    cells = Cells.of("smiles", [parts[0] for _, parts in lines])
    rows = np.array([number for number, _ in lines], np.int64)
    return Frame(str(path), (cells,), rows, Style("csv", "\t", False), tuple(found))


def sdf(path: Path) -> Frame:
    """An .sdf: its molecules as SMILES, and their properties as columns."""
    text, found = decoded(path, content(path))
    every = dict(enumerate(records(text), 1))
    properties = {number: one for number, one in every.items() if one}
    if not properties:
        raise UserError(f"{path} holds no molecule; is it an SDF?")
    names = dict.fromkeys(name for one in properties.values() for name in one) | {"smiles": ()}
    columns = tuple(
        Cells.of(str(name), [str(one.get(name, "")) for one in properties.values()])
        for name in names
    )
    if unread := [number for number in every if number not in properties]:
        told = f"{path}: dropped {len(unread):,} records that are no mol blocks, the first is "
        found = [*found, Finding("warning", f"{told}record {unread[0]}")]
    rows = np.array([*properties], np.int64)
    return Frame(str(path), columns, rows, Style("csv"), tuple(found))


def records(text: str) -> Iterator[dict[str, str]]:
    """The SMILES and the properties of each record of an SDF; nothing of what is no mol block.

    A molecule that RDKit refuses is written as it stands, so that cleaning says what is wrong.
    """
    supplier = rdkit().SDMolSupplier()
    supplier.SetData(text)
    for at, made in enumerate(supplier):
        shown = made or rdkit().MolFromMolBlock(supplier.GetItemText(at), sanitize=False)
        known = shown.GetPropsAsDict() if shown else {}
        yield {"smiles": canonical(shown), **known} if shown else {}


READERS = {".smi": smi, ".smiles": smi, ".sdf": sdf, ".sd": sdf}


# Cleaning.


@dataclass(frozen=True)
class Prepared:
    """What became of a text: a canonical SMILES and its tokens, or why it is dropped."""

    smiles: str = ""
    tokens: tuple[str, ...] = ()
    why: str = ""


def prepare(text: str, form: str) -> Prepared:
    """One text, cleaned."""
    try:
        smiles = cleaned(text)
        return Prepared(smiles, tuple(exact(form, smiles)))
    except Unreadable as error:
        return Prepared(why=str(error))


@cache
def prepared(texts: tuple[str, ...], form: str) -> tuple[Prepared, ...]:
    """Texts, cleaned; those of a large file are looked for in the cache first."""
    if len(texts) < WORTH_KEEPING:
        return tuple(prepare(text, form) for text in texts)
    path = kept_at(texts, form)
    if path.is_file():
        return recalled(path)
    made = tuple(prepare(text, form) for text in texts)
    keep(path, made)
    return made


def kept_at(texts: Sequence[str], form: str) -> Path:
    """Where the cache keeps what these texts were cleaned to."""
    import rdkit as versioned

    what = [form, versioned.__version__, selfies().__name__, *texts]
    digest = blake2b("\n".join(what).encode(), digest_size=12).hexdigest()
    return folders()[-1] / "molecules" / f"{digest}.json.gz"


def keep(path: Path, made: Sequence[Prepared]) -> None:
    """Write to the cache, all or nothing; where it cannot be written, it is done without."""
    rows = [[one.smiles, " ".join(one.tokens), one.why] for one in made]
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(gzip.compress(json.dumps(rows).encode(), 3))
        part.replace(path)
    except OSError:
        return


def recalled(path: Path) -> tuple[Prepared, ...]:
    """The inverse of `keep`."""
    rows = json.loads(gzip.decompress(path.read_bytes()))
    return tuple(Prepared(smiles, tuple(cut.split()), why) for smiles, cut, why in rows)


@dataclass(frozen=True)
class Sheet:
    """The molecules of a file that are learnt from.

    Args:
        frame: the file. kept: which of its rows. smiles, tokens: of each that is kept.
        findings: what was dropped, and why.
    """

    frame: Frame
    kept: tuple[int, ...]
    smiles: tuple[str, ...]
    tokens: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]


Unfit = Callable[[Prepared], str]
"""Why a molecule is dropped; empty where it is kept."""


def sheet(frame: Frame, cells: Cells, form: str, unfit: Unfit) -> Sheet:
    """Clean the molecules of a file.

    Args:
        frame: the file. cells: its column of SMILES. form: of the tokens.
        unfit: what is dropped of those that are molecules.
    """
    ready = prepared(cells.texts, form)
    kept, dropped = list[int](), list[tuple[int, str]]()
    for row, code in enumerate(cells.codes.tolist()):
        why = ready[code].why or unfit(ready[code])
        (dropped.append((row, why)) if why else kept.append(row))
    chosen = [ready[code] for code in cells.codes[kept].tolist()] if kept else []
    said = report(frame, len(kept), dropped)
    if not kept:
        raise UserError(said[1].text.replace("dropped", "nothing is left:", 1))
    smiles, cut = tuple(one.smiles for one in chosen), tuple(one.tokens for one in chosen)
    return Sheet(frame, tuple(kept), smiles, cut, tuple(said))


def distinct(longest: int) -> Unfit:
    """What is not learnt from: molecules of more tokens, and all but the first of each."""
    seen = set[str]()

    def unfit(one: Prepared) -> str:
        if len(one.tokens) > longest:
            return f"it is longer than {longest} tokens (data.longest)"
        again = one.smiles in seen
        seen.add(one.smiles)
        return "it came before" if again else ""

    return unfit


def report(frame: Frame, kept: int, dropped: Sequence[tuple[int, str]]) -> list[Finding]:
    """How many molecules are kept, and for each reason how many are not, and the first of them."""
    total = Counter(sort_of(why) for _, why in dropped)
    first = {sort_of(why): (row, why) for row, why in reversed(dropped)}
    note = f"{kept:,} of {kept + len(dropped):,} molecules are kept, salts and solvents taken off"
    return [
        Finding("note", note),
        *(
            Finding("warning", f"dropped {count:,}, the first at {frame.title} row "
                    f"{frame.rows[first[sort][0]]}: {first[sort][1]}")
            for sort, count in total.most_common()
        ),
    ]  # fmt: skip


def sort_of(why: str) -> str:
    """A reason without what is particular to one molecule.

    >>> sort_of("Explicit valence for atom # 3 C, 5, is greater than permitted")
    'Explicit valence for atom '
    """
    return re.split(r"[#:(\d]", why)[0]
