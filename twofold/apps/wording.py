r"""Rare labels of texts made as frequent as the common one: by drawn sentences, or by simple edits.

A model that is told the label draws sentences of each label that lacks some (`fresh`). Refused is
what some training sentence says word for word, what was drawn before, and what a classifier of the
real training sentences takes for another label (Anaby-Tavor et al. 2020). How many were is told: a
model that recites teaches nothing, and one that mistakes its labels teaches what is false. `edited`
is the simple rival: leave a word out, swap two, or put one in, at a share α of the places of a real
sentence of that label.

`compared` says whether either helps: a logistic regression on TF-IDF of words and pairs of words
learns the label from the real training sentences as they are, from them and edited ones, and from
them and drawn ones, and is judged on real sentences that nothing learnt from.

Source: the sieve by label, Anaby-Tavor et al. 2020, Do Not Have Enough Data?, arXiv:1911.03118; the
edits, and α = .1, Wei & Zou 2019, EDA, arXiv:1901.11196. What is put in there is a synonym from a
thesaurus; here it is a word of the sentence again, since no thesaurus is at hand.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from twofold.apps.augmentation import Augmented, Way, area, lacking
from twofold.core.errors import UserError, nearest
from twofold.core.space import Category
from twofold.data.kinds.text import Text
from twofold.data.sources import Rows, Source, whole
from twofold.maths.choosing import Choice
from twofold.measures.tables import Trial, bootstrapped, macro_f1
from twofold.runs.run import Run
from twofold.runs.training import Material, material_of

ALPHA = 0.1
ROUNDS = 10
"""How many times as many sentences as are wanted are drawn at most."""
HELD = 20


# Edits.


def edited(sentence: str, chance: random.Random) -> str:
    """A sentence after one sort of edit, at a tenth of its words and at one at least.

    >>> edited("two dogs run on the beach", random.Random(3))
    'two dogs run on beach'
    """
    words = sentence.split()
    edit = chance.choice(EDITS)
    for _ in range(max(1, round(ALPHA * len(words)))):
        edit(words, chance)
    return " ".join(words)


def leave_out(words: list[str], chance: random.Random) -> None:
    """A word goes, unless it is the last."""
    if len(words) > 1:
        del words[chance.randrange(len(words))]


def swap(words: list[str], chance: random.Random) -> None:
    """Two words change places."""
    i, j = (chance.randrange(len(words)) for _ in range(2))
    words[i], words[j] = words[j], words[i]


def put_in(words: list[str], chance: random.Random) -> None:
    """A word comes a second time, anywhere."""
    words.insert(chance.randint(0, len(words)), chance.choice(words))


EDITS: Sequence[Callable[[list[str], random.Random], None]] = (leave_out, swap, put_in)


# Texts with labels.


@dataclass(frozen=True)
class Labelled:
    """N sentences, each with the number of its label."""

    sentences: tuple[str, ...]
    label: tuple[int, ...]

    @classmethod
    def of(cls, kind: Text, rows: Rows, at: int) -> Self:
        """Those rows whose label, the condition of that number, is known."""
        label = rows.given[:, at]
        known = [(s, int(k)) for s, k in zip(kind.sentences(rows), label, strict=True) if k == k]
        return cls(tuple(s for s, _ in known), tuple(k for _, k in known))

    def __add__(self, other: Labelled) -> Labelled:
        return Labelled(self.sentences + other.sentences, self.label + other.label)

    def of_label(self, k: int) -> list[str]:
        return [s for s, label in zip(self.sentences, self.label, strict=True) if label == k]


def learner(learnt: Labelled, classes: int) -> Callable[[Sequence[str]], Tensor]:
    """Sentences to p of each label, (N, K): a logistic regression on TF-IDF of words and pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    seen = sorted(set(learnt.label))
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    made = make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000))
    if len(seen) > 1:
        made.fit(learnt.sentences, learnt.label)

    def foretell(sentences: Sequence[str]) -> Tensor:
        p = torch.zeros(len(sentences), classes).double()
        if sentences:
            known = len(seen) > 1
            p[:, seen] = torch.from_numpy(made.predict_proba(sentences)) if known else 1.0
        return p

    return foretell


def trial(learnt: Labelled, judged: Labelled, classes: int) -> Trial:
    """What such a regression learns of the one, asked of the other."""
    return Trial(learner(learnt, classes)(judged.sentences), torch.tensor(judged.label))


def edits(real: Labelled, lacks: Mapping[int, int], seed: int) -> Labelled:
    """As many edited sentences of each label as it lacks."""
    chance = random.Random(seed)
    made = [
        (edited(chance.choice(real.of_label(k)), chance), k) for k, n in lacks.items()
        for _ in range(n)
    ]  # fmt: skip
    return Labelled(tuple(s for s, _ in made), tuple(k for _, k in made))


# Draws.


@dataclass(frozen=True)
class Sifted:
    """Sentences that were drawn: those that are new, and how many of all were not.

    Args:
        rows: the new ones. drawn: of how many. copies: word for word a training sentence.
        again: drawn before, or empty. strays: of another label, as a classifier says.
    """

    rows: Rows
    drawn: int
    copies: int
    again: int
    strays: int

    def __add__(self, other: Sifted) -> Sifted:
        rows = Rows(
            torch.cat([self.rows.values, other.rows.values]),
            torch.cat([self.rows.given, other.rows.given]),
        )
        return Sifted(
            rows,
            self.drawn + other.drawn,
            self.copies + other.copies,
            self.again + other.again,
            self.strays + other.strays,
        )

    def __str__(self) -> str:
        return (
            f"{self.drawn:,} drawn: {self.copies:,} ({self.copies / max(1, self.drawn):.1%}) were "
            f"training sentences word for word, {self.again:,} had come before or were empty and "
            f"{self.strays:,} a classifier takes for another label than they were asked for; "
            f"{len(self.rows.values):,} are kept"
        )


def bare(sentence: str) -> str:
    """What two sentences share that say the same word for word.

    >>> bare("A  dog, asleep.")
    'a dog asleep'
    """
    return " ".join(re.findall(r"\w+", sentence.casefold()))


def sifted(
    kind: Text, rows: Rows, copied: set[str], before: set[str], belongs: Sequence[bool]
) -> Sifted:
    """Leave out what training sentences say, what came before, and what does not belong to its
    label; `before` grows by the rest."""
    kept, copies, again, strays = list[int](), 0, 0, 0
    for at, (sentence, own) in enumerate(
        zip(map(bare, kind.sentences(rows)), belongs, strict=True)
    ):
        if sentence in copied:
            copies += 1
        elif not sentence or sentence in before:
            again += 1
        elif not own:
            strays += 1
        else:
            before.add(sentence)
            kept.append(at)
    new = Rows(rows.values[kept], rows.given[kept])
    return Sifted(new, len(rows.values), copies, again, strays)


def fresh(
    run: Run, by: str, lacks: Mapping[int, int], real: Labelled, known: Sequence[str], seed: int,
    choice: Choice,
) -> Sifted:  # fmt: skip
    """New sentences, as many of each label as it lacks, or as many as ten times the draws give.

    Args:
        run: of texts. by: what is given. lacks: how many of each label, of one at least.
        real: sentences whose label is known, which teach what belongs to a label.
        known: all training sentences. seed: of the draws. choice: of a token.
    """
    field = run.given.fields[class_of(run, by)]
    labels: Sequence[str] = field.domain.labels  # type: ignore[attr-defined]
    copied, before = set(map(bare, known)), set[str]()
    foretell = learner(real, len(labels))

    def of_label(k: int, n: int) -> Sifted:
        turns = list[Sifted]()
        while n and len(turns) < ROUNDS:
            at = seed + ROUNDS * k + len(turns)
            rows = run.draw(n, {by: labels[k]}, at, choice=choice)
            p = foretell(text(run).sentences(rows))
            belongs = p[:, k] == p.max(1).values if k in real.label else torch.ones(n).bool()
            turns.append(sifted(text(run), rows, copied, before, belongs.tolist()))
            n -= len(turns[-1].rows.values)
        return reduce(add, turns)

    return reduce(add, [of_label(k, n) for k, n in lacks.items()])


def text(run: Run) -> Text:
    """The kind of a run on texts."""
    assert isinstance(run.kind, Text)
    return run.kind


def class_of(run: Run, by: str) -> int:
    """The number of what is given under that name.

    Raises:
        UserError: nothing is, or it is no category.
    """
    names = [field.name for field in run.given.fields]
    if by not in names:
        raise UserError(
            f"--by {by}: the run was given no such label; {nearest(by, names)}"
            if names
            else f"--by {by}: the run was given no label; fit a table with a column of them"
        )
    if not isinstance(run.given.fields[names.index(by)].domain, Category):
        raise UserError(f"--by {by} is a number; name a column of categories")
    return names.index(by)


# The job.


def compared(
    real: Labelled, held: Labelled, ours: Labelled, lacks: Mapping[int, int], classes: int,
    seed: int,
) -> list[Way]:  # fmt: skip
    """Nothing added, edited sentences, and drawn ones, judged on held-out real ones."""
    none = Labelled((), ())
    ways = {"nothing added": none, "simple edits": edits(real, lacks, seed), "ours": ours}
    return [judge(name, real, added, held, classes, seed) for name, added in ways.items()]


def judge(
    name: str, real: Labelled, added: Labelled, held: Labelled, classes: int, seed: int
) -> Way:
    """What is learnt of real and added sentences, on held-out ones."""
    one = trial(real + added, held, classes)
    f1, auc = (bootstrapped([one], score, score(one), seed) for score in (macro_f1, area))
    return Way(name, len(added.label), f1, auc)


def augment(run: Run, by: str, more: int, seed: int, choice: Choice, out: Path) -> Augmented:
    """Draw what the rarer labels lack, write it, and say what it is worth; see `verbs.augment`."""
    at, kind, material = class_of(run, by), text(run), material_of(run, "")
    field = run.given.fields[at]
    real, held = (part_of(kind, part, at) for part in (material.train, judges(material)))
    lacks = lacking(torch.tensor(real.label).double(), more)
    if not lacks:
        raise UserError(f"every {by} is as frequent as any other; ask for --more of each")
    known = kind.sentences(whole(material.train))
    made = fresh(run, by, lacks, real, known, seed, choice)
    ours = Labelled.of(kind, made.rows, at)
    ways = compared(real, held, ours, lacks, field.domain.width, seed)
    paths = kind.write(made.rows, out)
    return Augmented(tuple(paths), by, tuple(ways), (str(made),))


def part_of(kind: Text, source: Source, at: int) -> Labelled:
    """The sentences of a part of the data whose label is known."""
    return Labelled.of(kind, whole(source), at)


def judges(material: Material) -> Source:
    """The rows that were held out.

    Raises:
        UserError: they are too few.
    """
    held = material.test if len(material.test) else material.validation
    if len(held) < HELD:
        raise UserError("augment judges on rows that were held out; train with data.split.test=0.1")
    return held
