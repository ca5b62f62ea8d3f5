r"""Sentences and molecules that were made of others, beside these, as tables.

What comes back of a sentence, what lies between two and what is to a third as a first to a second
can only be judged beside what was asked. So each row names that; of what comes back it says whether
it is the same, and of molecules how similar (Tanimoto, Morgan fingerprints of radius 2), or none.

>>> Back(["a cat", "a dog"], ["a cat", "a hat"]).words
'1 of 2 come back exactly'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twofold.apps.ways import similarity
from twofold.core.words import plural
from twofold.data.kinds.molecules import Molecules
from twofold.data.kinds.text import Text
from twofold.data.sources import Rows
from twofold.runs.run import Run

BACK = ("row", "of", "comes back as", "what")
BETWEEN = ("pair", "step", "text", "what")
ANALOGY = ("as", "is to", "so is", "to")


@dataclass(frozen=True)
class Back:
    """What came back.

    Args:
        asked: sentences or canonical SMILES. made: of each, what its code is decoded to.
        molecules: whether these are. similar: of those that came back as one, by place, how much.
    """

    asked: Sequence[str]
    made: Sequence[str]
    molecules: bool = False
    similar: Mapping[int, float] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """All in a sentence."""
        same = sum(one == other for one, other in zip(self.asked, self.made, strict=True))
        told = f"{same:,} of {len(self.asked):,} come back exactly"
        none = len(self.asked) - len(self.similar)
        return f"{told}, {none:,} as what is no molecule" if self.molecules else told

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what `lines` gives."""
        return (*BACK, "similarity") if self.molecules else BACK

    def lines(self, rows: Sequence[int]) -> Iterator[list[str]]:
        """A row an observation: its number in the file, itself, what came back, what that is.

        >>> [line[3:] for line in Back(["CC", "CC"], ["CC", "C("], True, {0: 1.0}).lines([2, 5])]
        [['same', '1.000'], ['none', '']]
        """
        for i, (row, one, other) in enumerate(zip(rows, self.asked, self.made, strict=True)):
            none = self.molecules and i not in self.similar
            what = "none" if none else "same" if one == other else "other"
            alike = f"{self.similar[i]:.3f}" if i in self.similar else ""
            yield [str(row), one, other, what, alike][: len(self.columns)]


def back(run: Run, asked: Rows, made: Rows) -> list[Back]:
    """What came back, of sentences and molecules; nothing of others."""
    if isinstance(run.kind, Text):
        return [Back(run.kind.sentences(asked), run.kind.sentences(made))]
    if not isinstance(run.kind, Molecules):
        return []
    before, after = run.kind.strings(asked), run.kind.molecules(made.values)
    pairs = enumerate(zip(before, after, strict=True))
    similar = {i: similarity(one, other) for i, (one, other) in pairs if other}
    return [Back(before, run.kind.strings(made), True, similar)]


def between(sentences: Sequence[str], ends: Sequence[str], steps: int) -> Iterator[list[str]]:
    """A row a step, of BETWEEN, between the ends that were given.

    >>> for line in between(["a cat", "a cat", "a dog"], ["the cat", "the dog"], 3):
    ...     print(*line, sep=" | ")
    1 |  | the cat | given
    1 | 1 | a cat | new
    1 | 2 | a cat | as step 1
    1 | 3 | a dog | new
    1 |  | the dog | given
    """
    for pair in range(len(sentences) // steps):
        way, here = sentences[pair * steps : (pair + 1) * steps], ends[2 * pair : 2 * pair + 2]
        number = str(pair + 1)
        yield from ([number, "", end, "given"] for end in here[:1])
        for at, one in enumerate(way):
            first = way.index(one)
            yield [number, str(at + 1), one, "new" if first == at else f"as step {first + 1}"]
        yield from ([number, "", end, "given"] for end in here[1:])


def in_words(sentences: Sequence[str], steps: int) -> list[str]:
    """How many different sentences each way has.

    >>> in_words(["a cat", "a cat", "a dog"], 3)
    ['pair 1, 3 steps: 2 different sentences']
    """
    ways = [sentences[at : at + steps] for at in range(0, len(sentences), steps)]
    return [
        f"pair {pair}, {len(way)} steps: {plural(len(set(way)), 'different sentence')}"
        for pair, way in enumerate(ways, 1)
    ]


def analogies(asked: Sequence[str], made: Sequence[str]) -> Iterator[list[str]]:
    """A row an analogy, of ANALOGY: as b is to a, so is c to what was made.

    >>> [*analogies(["a man sleeps", "a man runs", "a dog runs"], ["a dog sleeps"])]
    [['a man runs', 'a man sleeps', 'a dog runs', 'a dog sleeps']]
    """
    for at, fourth in enumerate(made):
        a, b, c = asked[3 * at : 3 * at + 3]
        yield [b, a, c, fourth]
