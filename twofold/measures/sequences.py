r"""Sequences of tokens: their likelihood a token, what comes back of them, how varied draws are.

A sequence counts up to its end, the end included.

* **nats_a_token**: $-\frac{\sum_i \text{bound}_i}{\sum_i L_i}$, the negative ELBO, or the exact
  likelihood of a model without a latent, over the tokens of held-out sequences; its exponential is
  the perplexity. Beside it an interpolated trigram of the training sequences. What a latent costs
  is told by the same decoder without one: `compare` a `vae` with an `autoregressive` run;
* **sequence_exact**, **sequence_tokens**: of held-out sequences decoded from the mean of their
  code, the likeliest token each time, the share that comes back whole, and the share of their
  tokens that is right at its place;
* of text: **self_bleu**: the mean BLEU-4 (Papineni et al. 2002) of a draw against other draws (Zhu
  et al. 2018, Texygen, arXiv:1802.01886): the lower the more varied; **distinct_1** and
  **distinct_2**: the share of n-grams that are distinct (Li et al. 2016, arXiv:1510.03055);
  **copied_5**: the share of the draws' 5-grams that some training sentence has;
  **label_fidelity**: how often a classifier of words, fitted to training sentences, finds the
  label that a draw was given.

The floor is the same figure of held-out sentences.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Decodes, Encodes, Scores
from twofold.core.space import Category, Space
from twofold.measures.estimate import (
    SHARES,
    Estimate,
    chunks,
    mean,
    resampled,
    some,
    steady,
)
from twofold.measures.measure import Evidence, Figure, Measure

Words = list[int]
ROWS = 256
WEIGHTS = (0.05, 0.15, 0.3, 0.5)
"""Of nothing, one, two and three tokens, in the interpolated trigram."""
TEXT = ("word", "piece")
FEWEST = 20
BLEU = 4
REFERENCES = 200
COPIED = 5


def sequences(x: Tensor) -> list[Words]:
    """The tokens of x (B, K, T), each up to its end, the end not among them.

    >>> sequences(torch.eye(3)[torch.tensor([[2, 1, 0, 1]])].transpose(1, 2))
    [[2, 1]]
    """
    rows = x.argmax(1).tolist()
    return [row[: row.index(0)] if 0 in row else row for row in rows]


def lengths(x: Tensor) -> Tensor:
    """Tokens of each row of x (B, K, T), the end among them, (B,)."""
    ends = (x.argmax(1) == 0).long()
    return ((ends.cumsum(1) - ends) == 0).sum(1)


def not_tokens(space: Space) -> str:
    """Why observations are no sequences of tokens; empty where they are."""
    return "" if space.layout == "tokens" and space.size == 1 else "it is for sequences of tokens"


@dataclass(frozen=True)
class TokenLikelihood(Measure):
    """The cost of a token.

    Args:
        n: at most so many held-out sequences.
    """

    n: int = 1000
    names = ("nats_a_token",)

    def refuses(self, evidence: Evidence) -> str:
        if why := not_tokens(evidence.space):
            return why
        if not isinstance(evidence.model, Scores):
            return "there is no likelihood"
        return "" if len(evidence.real) else "there are no held-out observations"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real, model = some(evidence.real, self.n, evidence.seed), evidence.model
        assert isinstance(model, Scores)
        with steady(model, evidence.seed):
            parts = [model.log_likelihood(p.x, p.given, 1) for p in chunks(model, real, ROWS)]
            bound = torch.cat(parts).double().cpu().clone()
        counted = lengths(real.x).double()
        terms = torch.stack([-bound, counted], 1)
        estimate = resampled(terms, lambda means: means[0] / means[1], evidence.seed)
        simple = Trigram(sequences(evidence.train.x), evidence.space.width)
        held = sequences(real.x)
        cost = sum(simple.nats(one) for one in held) / float(counted.sum())
        note = f"perplexity {math.exp(min(estimate.value, 50)):.3g}"
        return [
            evidence.figure(
                "nats_a_token", estimate, len(real), "lower", baseline=cost,
                baseline_name="an interpolated trigram", unit="nats", note=note,
            )
        ]  # fmt: skip


class Trigram:
    """Each token from the two before it, from counts of one, two and three interpolated."""

    def __init__(self, training: Sequence[Words], size: int) -> None:
        self.size = size
        grams = self.gather(training)
        self.grams = grams
        self.behind = [self.totals(grams[n]) for n in range(3)]

    @staticmethod
    def gather(training: Sequence[Words]) -> list[Counter[tuple[int, ...]]]:
        """How often each token comes, each pair, each three."""
        return [Counter(chain.from_iterable(counted(one)[n] for one in training)) for n in range(3)]

    @staticmethod
    def totals(grams: Counter[tuple[int, ...]]) -> Counter[tuple[int, ...]]:
        """How often each beginning comes."""
        found: Counter[tuple[int, ...]] = Counter()
        for gram, n in grams.items():
            found[gram[:-1]] += n
        return found

    def nats(self, words: Words) -> float:
        """−log p of a sequence."""
        return -sum(math.log(self.p(gram)) for gram in counted(words)[2])

    def p(self, gram: tuple[int, ...]) -> float:
        """The probability of the last token of three behind the others."""
        shares = [1 / self.size]
        for n in range(3):
            part = gram[2 - n :]
            total = self.behind[n][part[:-1]]
            shares.append(self.grams[n][part] / total if total else shares[-1])
        return sum(w * share for w, share in zip(WEIGHTS, shares, strict=True))


def counted(words: Words) -> list[list[tuple[int, ...]]]:
    """The ones, twos and threes that end at each token, with two starts before and an end behind.

    >>> counted([5])[2]
    [(-1, -1, 5), (-1, 5, 0)]
    """
    line = [-1, -1, *words, 0]
    return [[tuple(line[i - n : i + 1]) for i in range(2, len(line))] for n in range(3)]


@dataclass(frozen=True)
class SequenceReconstruction(Measure):
    """What comes back of held-out sequences.

    Args:
        n: at most so many.
    """

    n: int = 1000
    names = ("sequence_exact", "sequence_tokens")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if why := not_tokens(evidence.space):
            return why
        if not (isinstance(evidence.model, Encodes) and isinstance(evidence.model, Decodes)):
            return "the model has no encoder"
        return "" if len(evidence.real) else "there are no held-out observations"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real = some(evidence.real, self.n, evidence.seed)
        back = likeliest(evidence.model, real, evidence.seed)
        shown = torch.arange(back.shape[2]) < lengths(real.x).unsqueeze(1)
        right = (back.argmax(1) == real.x.argmax(1).cpu()) & shown  # (B, T)
        exact = (right | ~shown).all(1).double()
        terms = torch.stack([right.sum(1), shown.sum(1)], 1)
        share = resampled(terms, lambda means: means[0] / means[1], evidence.seed)
        return [
            evidence.figure("sequence_exact", mean(exact, evidence.seed), len(real), "higher",
                            note="share of held-out sequences that come back whole"),
            evidence.figure("sequence_tokens", share, len(real), "higher",
                            note="share of their tokens that come back at their place"),
        ]  # fmt: skip


def likeliest(model: object, batch: Batch, seed: int) -> Tensor:
    """Every row decoded from the mean of its code, the likeliest token each time, (n, K, T)."""
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    with steady(model, seed):
        parts = [
            model.decode(model.encode(part.x, part.given).mean, part.given).mode.cpu()
            for part in chunks(model, batch, ROWS)
        ]
    return torch.cat(parts).clone()


@dataclass(frozen=True)
class TextVariety(Measure):
    """How varied drawn sentences are, and how much of them is copied.

    Args:
        n: at most so many sentences a side.
    """

    n: int = 1000
    names = ("self_bleu", "distinct_1", "distinct_2", f"copied_{COPIED}")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return not_text(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        n = min(self.n, len(evidence.fake), len(evidence.real))
        fake, real = (
            sequences(some(side, n, evidence.seed).x) for side in (evidence.fake, evidence.real)
        )
        known = {g for one in sequences(evidence.train.x) for g in grams(one, COPIED)}

        def copied(side: Sequence[Words]) -> Tensor:
            return torch.tensor([
                [sum(g in known for g in grams(one, COPIED)), len(grams(one, COPIED))]
                for one in side
            ])  # fmt: skip

        ours, theirs = self_bleu(fake), self_bleu(real)
        shares = [resampled(copied(s), ratio, evidence.seed) for s in (fake, real)]
        figure = evidence.figure
        return [
            figure("self_bleu", mean(ours, evidence.seed), len(ours), "lower",
                   floor=float(theirs.mean()), note="BLEU-4 of a draw against other draws"),
            *(
                figure(f"distinct_{k}", (distinct(fake, k), math.nan, math.nan), n, "higher",
                       floor=distinct(real, k), note=f"share of {k}-grams that are distinct")
                for k in (1, 2)
            ),
            figure(f"copied_{COPIED}", shares[0], n, "lower", floor=shares[1].value,
                   note=f"share of {COPIED}-grams that some training sentence has"),
        ]  # fmt: skip


def not_text(evidence: Evidence) -> str:
    """Why the evidence is not of drawn sentences; empty where it is."""
    if not_tokens(evidence.space) or evidence.space.fields[0].name not in TEXT:
        return "it is for text"
    n = min(len(evidence.fake), len(evidence.real), len(evidence.train))
    return "" if n >= FEWEST else f"it needs {FEWEST} sentences a side; there are {n}"


def ratio(means: Tensor) -> Tensor:
    """Of two means; 0 where there is nothing to divide by."""
    return means[0] / means[1].clamp(min=1e-12)


def grams(words: Words, n: int) -> list[tuple[int, ...]]:
    """The n-grams of a sequence.

    >>> grams([1, 2, 3], 2)
    [(1, 2), (2, 3)]
    """
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def distinct(side: Sequence[Words], n: int) -> float:
    """The share of n-grams that are distinct."""
    every = [gram for words in side for gram in grams(words, n)]
    return len(set(every)) / max(1, len(every))


def self_bleu(side: Sequence[Words]) -> Tensor:
    """BLEU-4 of each of the first sentences against the others of them, (n,)."""
    few = side[:REFERENCES]
    return torch.tensor([bleu(one, [*few[:i], *few[i + 1 :]]) for i, one in enumerate(few)])


def bleu(words: Words, references: Sequence[Words]) -> float:
    """BLEU-4 of a sentence, an n-gram that never matches counted as half a match.

    >>> bleu([1, 2, 3, 4, 5], [[1, 2, 3, 4, 5]])
    1.0
    """
    if not words:
        return 0.0
    logs = []
    for n in range(1, BLEU + 1):
        ours, most = Counter(grams(words, n)), Counter[tuple[int, ...]]()
        for reference in references:
            most |= Counter(grams(reference, n))
        right = sum((ours & most).values())
        logs.append(math.log(max(right, 0.5) / max(1, ours.total())))
    near = min((abs(len(r) - len(words)), len(r)) for r in references)[1] if references else 0
    brevity = min(0.0, 1 - near / len(words))
    return math.exp(brevity + sum(logs) / BLEU)


@dataclass(frozen=True)
class LabelFidelity(Measure):
    """Whether a classifier of words finds the label that a draw was given.

    Args:
        n: at most so many sentences a side.
    """

    n: int = 4000
    names = ("label_fidelity",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if not any(isinstance(f.domain, Category) for f in evidence.given.fields):
            return "no label is given"
        return not_text(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        from sklearn.linear_model import LogisticRegression

        train, real, fake = (
            labelled(evidence, side, self.n)
            for side in (evidence.train, evidence.real, evidence.fake)
        )
        if len(set(train.label.tolist())) < 2:
            return []
        made = LogisticRegression(max_iter=1000).fit(train.bag, train.label)
        right = torch.from_numpy(made.predict(fake.bag) == fake.label)
        floor = float(np.mean(made.predict(real.bag) == real.label))
        note = "how often a classifier of words finds the label that a draw was given"
        estimate: Estimate = mean(right.double(), evidence.seed)
        return [evidence.figure("label_fidelity", estimate, len(right), "higher", floor=floor,
                                note=note)]  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """Sentences with a label: which words they have (n, K), and the label (n,)."""

    x: Tensor
    label: np.ndarray[tuple[int], np.dtype[np.int64]]

    @cached_property
    def bag(self) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        bag: np.ndarray[tuple[int, int], np.dtype[np.float32]] = (
            self.x[:, 1:].amax(2).cpu().float().numpy()
        )
        return bag


def labelled(evidence: Evidence, batch: Batch, n: int) -> Labelled:
    """At most n rows whose first label is known."""
    rows = some(batch, n, evidence.seed)
    fields = list(evidence.given.parts(rows.given.c))
    field, c = next((f, c) for f, c in fields if isinstance(f.domain, Category))
    label = field.decode(c)[:, 0]
    there = ~label.isnan()
    return Labelled(rows.x[there], label[there].long().cpu().numpy())
