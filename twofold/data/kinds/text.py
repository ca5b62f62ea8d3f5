"""Text: one sentence a line, or a table with a column of texts and perhaps one of labels.

A tokenizer is learnt from the data and kept with the run (`data/tokenizers.py`): words, or byte
pairs. It gives every sentence back exactly. Blank lines and sentences that came before are passed
over, longer ones dropped, and it is said how many and where the first was.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     path = Path(folder) / "lines.txt"
...     _ = path.write_text("a cat sat\\n\\na cat ran\\na cat sat\\n", encoding="utf-8")
...     kind, found = Text.inspect(path)
...     rows = kind.open(path).read(torch.tensor([0, 1]))
>>> kind.native(rows)
['a cat sat', 'a cat ran']
>>> found[-1].text.partition(" row ")[2]
'4: it came before'
"""

from __future__ import annotations

import gzip
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, final

import numpy as np
import torch
from PIL import Image, ImageDraw
from pydantic import PositiveInt
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Field, Space, Token
from twofold.data.columns import Column, beyond, describe, recall, valued
from twofold.data.delimited import content, decoded, write_text
from twofold.data.frames import (
    Cells,
    Frame,
    Style,
    is_table,
    library,
    may_be_table,
    read_frame,
    suffix,
)
from twofold.data.guess import MISSING, Look, blanks, learn
from twofold.data.kind import Finding, Kind, Where, matching
from twofold.data.letters import drawable, font_of
from twofold.data.sources import Memory, Rows
from twofold.data.tokenizers import TOKENIZERS, Tokenizer
from twofold.data.tokenizers import recall as tokenizer_of
from twofold.data.vocabulary import Vocabulary

COLUMN = re.compile(r"texts?|sentences?|captions?|comments?|reviews?|utterances?", re.I)
LABEL = re.compile(r"labels?|class|category|topic|intent|sentiment|target", re.I)
MOST = 20_000  # letters of a line that is still a sentence
HEIGHT, BROAD, LETTERS, SIZE = 80, 240, 38, 10  # of a drawing
TokenizerName = Literal["words", "pieces"]


@dataclass(frozen=True)
class Lines:
    """The sentences of a file that are learnt from, which rows they are, and what was dropped."""

    frame: Frame
    kept: tuple[int, ...]
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]


@final
@dataclass(frozen=True)
class Text(Kind):
    """The codec of one set of sentences.

    Args:
        tokenizer: cuts them. labels: the tokens that occur, the end first.
        length: places, the end's among them. longest: tokens of a sentence that is learnt from.
        column: of the texts. conditions: columns that are given. style: how it was written.
    """

    name = "text"
    example = Space((Field("word", Token(("", "a", " cat", " sat", "."))),), (12,))
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    length: int
    longest: int
    column: str
    conditions: tuple[Column, ...] = ()
    style: Style = field(default_factory=Style)
    space: Space = field(init=False)
    given: Space = field(init=False)

    def __post_init__(self) -> None:
        known = (Field(f.name, f.domain, missing=True) for c in self.conditions for f in c.fields)
        tokens = Field(self.tokenizer.token, Token(self.labels))
        object.__setattr__(self, "space", Space((tokens,), (self.length,)))
        object.__setattr__(self, "given", Space(tuple(known)))

    @cached_property
    def words(self) -> Vocabulary:
        return Vocabulary(self.labels)

    @classmethod
    def accepts(cls, where: Where) -> bool:
        """A .txt; or a table of two columns at most, of which one is called text or the like."""
        if library(where):
            names = [str(name) for name in where.columns]
        elif not isinstance(where, str | Path):
            return False
        elif suffix(Path(where)) == ".txt":
            return True
        else:
            names = first_row(Path(where))
        return len(names) <= 2 and any(COLUMN.fullmatch(name) for name in names)

    @classmethod
    def reads(cls, where: Where) -> bool:
        return may_be_table(where)

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        tokenizer: TokenizerName = "words",
        vocabulary: PositiveInt = 4000,
        longest: PositiveInt = 60,
        text: str = "",
        given: tuple[str, ...] = (),
    ) -> tuple[Self, list[Finding]]:
        """Learn a tokenizer.

        Args:
            where: a file of lines, or a table with a column of texts.
            tokenizer: `words`, or `pieces`, which are byte pairs.
            vocabulary: tokens to learn, about.
            longest: tokens of a sentence at most; longer ones are dropped.
            text: the column of texts; found by its name where empty.
            given: columns that are conditions, by name or pattern; one that is called label or the
                like where none is named.
        """
        frame = read_lines(where)
        cells = column_of(frame, text)
        others = [name for name in frame.names if name != cells.name]
        names = matching(given, frame.names) or tuple(filter(LABEL.fullmatch, others))
        cutter = TOKENIZERS[tokenizer].fit(texts_in(cells), vocabulary)
        read = lines(frame, cells, cutter, longest)
        cuts = [cutter.cut(sentence) for sentence in read.sentences]
        words = Vocabulary.of(cuts)
        learnt = [learn(Look(frame, frame[name], blanks(MISSING)), "") for name in names]
        kind = cls(
            cutter, words.labels, max(map(len, cuts)) + 1, longest, cells.name,
            tuple(column for column, _ in learnt), frame.style,
        )  # fmt: skip
        return kind, [*frame.findings, *(f for _, said in learnt for f in said), *read.findings]

    def open(self, where: Where) -> Memory:
        read = self.lines(where)
        cuts = [self.tokenizer.cut(sentence) for sentence in read.sentences]
        for row, cut in zip(read.kept, cuts, strict=True):
            self.fits(f"{read.frame.title} row {read.frame.rows[row]}", cut)
        return Memory(self.words.values(cuts, self.length), self.known(read))

    def lines(self, where: Where) -> Lines:
        """The sentences of another file of this form."""
        frame = read_lines(where)
        asked = self.column if self.column in frame.names else ""
        return lines(frame, column_of(frame, asked), self.tokenizer, self.longest)

    def spelt(self, texts: Sequence[str]) -> Memory:
        """Sentences; of what is given, nothing is known."""
        cuts = [self.tokenizer.cut(text) for text in texts]
        for text, cut in zip(texts, cuts, strict=True):
            self.fits(repr(text), cut)
        values = self.words.values(cuts, self.length)
        return Memory(values, torch.full((len(texts), len(self.conditions)), torch.nan))

    def fits(self, place: str, cut: Sequence[str]) -> None:
        """Refuse what no sentence of the training data was like."""
        if len(cut) >= self.length:
            raise UserError(
                f"{place}: {len(cut)} tokens, and the run has at most {self.length - 1}; leave it "
                "out or fit anew"
            )
        strange = [token for token in cut if token not in self.words.place]
        if strange:
            raise UserError(
                f"{place}: {strange[0]!r} was in no training sentence; leave it out or fit anew"
            )

    def known(self, read: Lines) -> Tensor:
        """What is given of each sentence, (N, G); NaN where the file does not say."""
        known = np.full((len(read.kept), len(self.conditions)), np.nan)
        missing = blanks(MISSING)
        for at, column in enumerate(self.conditions):
            if column.name in read.frame.names:
                cells = read.frame[column.name]
                each = [
                    np.nan if text.casefold() in missing else column.numbers([text])[0, 0]
                    for text in cells.texts
                ]
                known[:, at] = np.array(each)[cells.codes[list(read.kept)]]
        return torch.from_numpy(known).float()

    def sentences(self, rows: Rows) -> list[str]:
        return [self.tokenizer.join(cut) for cut in self.words.sequences(rows.values)]

    def number(self, name: str, words: str) -> float:
        return valued(self.conditions, name, words)

    def beyond(self, name: str, words: str) -> str:
        return beyond(self.conditions, name, words)

    def native(self, rows: Rows) -> Any:
        """A list of sentences."""
        return self.sentences(rows)

    def rows(self, where: Where) -> list[int]:
        read = self.lines(where)
        return [int(read.frame.rows[row]) for row in read.kept]

    def names(self, where: Where) -> list[str]:
        return [str(row) for row in self.rows(where)]

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`samples.txt`, or `samples.csv` where something is given; never over another file."""
        out.mkdir(parents=True, exist_ok=True)
        if self.conditions:
            given = rows.given.double().numpy()
            columns = [texts_of(c, given[:, i]) for i, c in enumerate(self.conditions)]
            names = [self.column, *(c.name for c in self.conditions)]
            write_text(out / "samples.csv", names, [self.sentences(rows), *columns], Style("csv"))
            return [out / "samples.csv"]
        try:
            with open(out / "samples.txt", "x", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{sentence}\n" for sentence in self.sentences(rows))
        except FileExistsError:
            raise UserError(f"{out / 'samples.txt'} is already there; name another --out") from None
        return [out / "samples.txt"]

    def draw(self, rows: Rows) -> Tensor:
        """Each sentence on a small sheet."""
        return torch.stack([drawn(sentence) for sentence in self.sentences(rows)])

    def to_dict(self) -> dict[str, Any]:
        return {
            "tokenizer": self.tokenizer.to_dict(),
            "labels": list(self.labels),
            "length": self.length,
            "longest": self.longest,
            "column": self.column,
            "conditions": [describe(column) for column in self.conditions],
            "style": asdict(self.style),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        made = {
            "tokenizer": tokenizer_of(data["tokenizer"]),
            "labels": tuple(data["labels"]),
            "conditions": tuple(recall(column) for column in data["conditions"]),
            "style": Style(**data["style"]),
        }
        return cls(**{**data, **made})


def first_row(path: Path) -> list[str]:
    """The cells of the first row of a table in text; none of what is no such table."""
    if not (is_table(path) and path.is_file()) or suffix(path) in (".parquet", ".pq"):
        return [""] * 3
    with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
        first = file.read(1 << 16).split(b"\n")[0].decode("utf-8", "replace")
    return [cell.strip(' \t\r"\ufeff') for cell in re.split(r"[,;\t|]", first)]


def read_lines(where: Where) -> Frame:
    """A file of lines as a table of one column, or a table.

    Raises:
        UserError: what is wrong with it.
    """
    if library(where) or is_table(where):
        return read_frame(where, header="auto" if library(where) else "yes")
    path = Path(where)
    text, found = decoded(path, content(path))
    every = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbered = [(number, line.strip()) for number, line in enumerate(every, 1) if line.strip()]
    cells = Cells.of("text", [line for _, line in numbered])
    rows = np.array([number for number, _ in numbered], np.int64)
    return Frame(str(path), (cells,), rows, Style("csv", "\t", False), tuple(found))


def column_of(frame: Frame, asked: str) -> Cells:
    """The column of texts: the one that is asked for, or the first of such a name."""
    if asked:
        return frame[asked]
    for cells in frame.columns:
        if COLUMN.fullmatch(cells.name):
            return cells
    raise UserError(f"{frame.title} has no column called text; name it with data.text")


def texts_in(cells: Cells) -> list[str]:
    """The texts to learn tokens from."""
    return [text for text in cells.texts if len(text) <= MOST]


def lines(frame: Frame, cells: Cells, cutter: Tokenizer, longest: int) -> Lines:
    """The sentences that are learnt from, and for each reason how many are not.

    Args:
        frame: the file. cells: its column of texts. cutter: the tokenizer.
        longest: tokens of a sentence at most.
    """
    reasons = [unwanted(text, cutter, longest) for text in cells.texts]
    seen, kept, dropped = set[int](), list[int](), list[tuple[int, str]]()
    for row, code in enumerate(cells.codes.tolist()):
        why = reasons[code] or ("it came before" if code in seen else "")
        (dropped.append((row, why)) if why else kept.append(row))
        seen.add(code)
    counts, first = Counter(why for _, why in dropped), {w: r for r, w in reversed(dropped)}
    said = [
        Finding("warning", f"dropped {count:,}, the first at {frame.title} row "
                f"{frame.rows[first[why]]}: {why}")
        for why, count in counts.most_common()
    ]  # fmt: skip
    if not kept:
        raise UserError(said[0].text.replace("dropped", "nothing is left:", 1))
    return Lines(
        frame, tuple(kept), tuple(cells.texts[c] for c in cells.codes[kept].tolist()), tuple(said)
    )


def unwanted(text: str, cutter: Tokenizer, longest: int) -> str:
    """Why a sentence is dropped; empty where it is kept."""
    if not text:
        return "it is empty"
    if len(text) > MOST:
        return f"it has more than {MOST:,} letters"
    if len(cutter.cut(text)) > longest:
        return f"it is longer than {longest} tokens (data.longest)"
    return ""


def texts_of(column: Column, values: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    """Values (B,) as texts, empty where unknown."""
    known = ~np.isnan(values)
    texts = iter(column.texts(values[known, None]))
    return [next(texts) if one else "" for one in known.tolist()]


def drawn(sentence: str) -> Tensor:
    """A sentence on a small sheet, (3, HEIGHT, BROAD) uint8."""
    sheet = Image.new("RGB", (BROAD, HEIGHT), (250, 250, 250))
    shown = "\n".join(textwrap.wrap(drawable(sentence), LETTERS)[: HEIGHT // 13])
    ImageDraw.Draw(sheet).multiline_text((6, 6), shown, (40, 40, 40), font_of(shown, SIZE))
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1)
