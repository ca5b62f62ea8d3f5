r"""Ways between molecules, step by step: what each step is, and how similar to both ends.

A code on the way from one molecule to another spells some molecule, often the one before it again,
and of SMILES sometimes none. So every step is named for what it is: *none* where its tokens are no
molecule, *as step k* where it came before on the same way, and beside it its similarity to the
first and to the last (Tanimoto, Morgan fingerprints of radius 2). Where the ends were given and do
not come back from their codes, that is said: the way then goes between what they are taken for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twofold.apps.objectives import bits
from twofold.maths.descriptors import tanimoto

COLUMNS = ("pair", "step", "smiles", "what", "similarity to first", "similarity to last")


@dataclass(frozen=True)
class Step:
    """One step of a way.

    Args:
        smiles: canonical, empty where it is no molecule. what: it is: new, as another, none.
        first, last: how similar to the ends; 0 for what is none.
    """

    smiles: str
    what: str
    first: float
    last: float

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands below its picture."""
        return (self.what, f"{self.first:.2f} | {self.last:.2f}" if self.smiles else "")


@dataclass(frozen=True)
class Between:
    """A way.

    Args:
        ends: two molecules. given: whether these were given, or are the first and the last step.
        steps: from the first to the last.
    """

    ends: tuple[str, str]
    given: bool
    steps: tuple[Step, ...]

    @property
    def words(self) -> str:
        """The way in a sentence."""
        made = [one.smiles for one in self.steps if one.smiles]
        none = len(self.steps) - len(made)
        told = f"{len(self.steps)} steps: {len(set(made))} molecules, {len(made) - len(set(made))} "
        told += f"as one before, {none} none"
        strange = [
            end
            for end, step in zip(self.ends, (self.steps[0], self.steps[-1]), strict=True)
            if self.given and step.smiles != end
        ]
        if not strange:
            return told
        do = "do" if len(strange) > 1 else "does"
        return f"{told}; {' and '.join(strange)} {do} not come back exactly"


def between(smiles: Sequence[str], given: Sequence[str], steps: int) -> list[Between]:
    """Ways of `steps` molecules each, one after the other; empty for what is none.

    Args:
        given: the ends, two a way; none where the ends were drawn.
    """
    ways = [smiles[at : at + steps] for at in range(0, len(smiles), steps)]
    ends = [
        (given[2 * i], given[2 * i + 1]) if given else (w[0], w[-1]) for i, w in enumerate(ways)
    ]
    return [
        Between(pair, bool(given), tuple(named(way, pair)))
        for way, pair in zip(ways, ends, strict=True)
    ]


def named(way: Sequence[str], ends: tuple[str, str]) -> Iterator[Step]:
    """Each step for what it is.

    >>> [step.what for step in named(["CC", "CC", "", "CO"], ("CC", "CO"))]
    ['new', 'as step 1', 'none', 'new']
    """
    for at, one in enumerate(way):
        earlier = way.index(one)
        what = "none" if not one else "new" if earlier == at else f"as step {earlier + 1}"
        first, last = (similarity(one, end) for end in ends)
        yield Step(one, what, first, last)


def similarity(one: str, other: str) -> float:
    """Of two molecules; 0 where either is none."""
    return float(tanimoto(bits([one]), bits([other]))) if one and other else 0.0


def lines(made: Sequence[Between]) -> Iterator[list[str]]:
    """A row a step, of COLUMNS."""
    for pair, way in enumerate(made, 1):
        for step, one in enumerate(way.steps, 1):
            told = [one.smiles, one.what, f"{one.first:.3f}", f"{one.last:.3f}"]
            yield [str(pair), str(step), *told]
