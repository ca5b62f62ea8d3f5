r"""Drawn molecules against real ones: the measures of MOSES and of GuacaMol.

Of n draws, n held-out and n training molecules:

* **validity, uniqueness, novelty**: the share of draws that are molecules; of these, the share of
  distinct ones; of the distinct ones, the share that is not among the training molecules looked at.
  SELFIES are always molecules, and a string of two atoms is one: read the *size* beside it;
* **snn**: the mean similarity of a draw to the nearest held-out molecule (Tanimoto, Morgan 2, 1,024
  bits); **frag** and **scaf**: the cosine between how often BRICS fragments, and Bemis–Murcko
  scaffolds, come on both sides; **diversity**: one minus the mean similarity between draws;
  **clean**: the share without an alert (PAINS, Brenk);
* **w1_\***: the Wasserstein distance of heavy atoms, logP, synthetic accessibility, QED and weight;
* **kl_score**: $\frac1{10} \sum_i e^{-\mathrm{KL}(P_i \| Q_i)}$ over nine descriptors and the
  similarity to the nearest other molecule of the set, P held-out and Q drawn;
* **fcd**: the Fréchet ChemNet distance (Preuer et al. 2018, arXiv:1803.09518), with `fcd_torch`.

Most of these depend on n and on the reference: the floor is the same figure with training molecules
in the place of the draws, at the same n. No figure here can be compared with one of another n or
reference, a published one among them, but through its floor.

Source: Polykovskiy et al. 2020, Molecular Sets (MOSES), arXiv:1811.12823; Brown et al. 2019,
GuacaMol, arXiv:1811.09621.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from twofold.core.game import Decodes, Encodes
from twofold.core.space import Space, Token
from twofold.maths.chemistry import FORMS, meant
from twofold.maths.descriptors import (
    CONTINUOUS,
    DISCRETE,
    PROPERTIES,
    SEPARATOR,
    Described,
    describe,
    diversity,
    nearest,
    nearest_other,
)
from twofold.maths.statistics import frechet_from_moments, wasserstein_1d
from twofold.measures.estimate import AMOUNTS, SHARES, Estimate, jackknifed, mean, some
from twofold.measures.measure import Better, Evidence, Figure, Measure
from twofold.measures.sequences import likeliest
from twofold.nets import chemnet

FEWEST = 20
SMALL = 1e-10
GRID = 1000


def not_molecules(space: Space) -> str:
    """Why observations are no molecules; empty where they are."""
    field = space.fields[0] if space.fields else ()
    spelt = space.layout == "tokens" and field and field.name in FORMS
    return "" if spelt else "it is for molecules"


def strings(space: Space, x: Tensor) -> list[str]:
    """Canonical SMILES of x (B, K, T), empty for what is no molecule."""
    (field,) = space.fields
    assert isinstance(field.domain, Token)
    labels, rows = field.domain.labels, x.argmax(1).tolist()
    return [meant(field.name, [labels[i] for i in takewhile(bool, row)]) for row in rows]


@dataclass(frozen=True)
class Sides:
    """Molecules of each side, as canonical SMILES.

    Args:
        drawn: all draws, empty where one is none. real: held-out. other: training molecules.
    """

    drawn: list[str]
    real: list[str]
    other: list[str]

    @property
    def valid(self) -> list[str]:
        return [one for one in self.drawn if one]


def sides(evidence: Evidence, n: int) -> Sides:
    """At most n molecules a side, as many each."""
    n = min(n, len(evidence.fake), len(evidence.real), len(evidence.train))
    parts = (
        some(batch, n, evidence.seed) for batch in (evidence.fake, evidence.real, evidence.train)
    )
    drawn, real, other = (strings(evidence.space, batch.x) for batch in parts)
    return Sides(drawn, [one for one in real if one], [one for one in other if one])


@dataclass(frozen=True)
class MoleculeSets(Measure):
    """Validity, uniqueness, novelty, and the statistics of sets.

    Args:
        n: at most so many a side.
    """

    n: int = 10000
    names = (
        "mol_valid", "mol_unique", "mol_novel", "mol_size", "mol_snn", "mol_frag", "mol_scaf",
        "mol_diversity", "mol_clean", "mol_w1_atoms", *(f"mol_w1_{p}" for p in PROPERTIES),
        "mol_kl_score", "fcd",
    )  # fmt: skip
    within = dict.fromkeys(names[:3] + names[4:9] + ("mol_kl_score",), SHARES) | dict.fromkeys(
        ("mol_size", *names[9:-2]), AMOUNTS
    )

    def refuses(self, evidence: Evidence) -> str:
        if why := not_molecules(evidence.space):
            return why
        n = min(len(evidence.fake), len(evidence.real), len(evidence.train))
        return "" if n >= FEWEST else f"it needs {FEWEST} molecules a side; there are {n}"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        found = sides(evidence, self.n)
        first = shares(evidence, found)
        if len(found.valid) < FEWEST:
            return first
        fake, real, other = (describe(s) for s in (found.valid, found.real, found.other))
        each = Compared(evidence, fake, real, other)
        return [*first, *each.figures(), *fcd(evidence, found)]

    def lacks(self, made: Sequence[Figure]) -> str:
        valid = max((figure.n for figure in made if figure.name == "mol_unique"), default=0)
        few = f"it needs {FEWEST} draws that are molecules; there are {valid}: train for longer"
        return few if valid < FEWEST else "ChemNet, which it needs, is not there"


def shares(evidence: Evidence, found: Sides) -> list[Figure]:
    """Validity, uniqueness and novelty."""
    known, distinct = set(found.other), [*dict.fromkeys(found.valid)]
    looked = f"{len(known):,} training molecules"
    return [
        share(evidence, "mol_valid", [bool(one) for one in found.drawn], 1.0,
              "share of draws that are molecules: read the size beside it"),
        share(evidence, "mol_unique", fresh(found.valid), unique(found.real),
              "share of the molecules drawn that did not come before"),
        share(evidence, "mol_novel", [one not in known for one in distinct],
              float(np.mean([one not in known for one in found.real])),
              f"share of the distinct molecules that are not among the {looked} looked at"),
    ]  # fmt: skip


def fresh(smiles: Sequence[str]) -> list[bool]:
    """Whether each is seen for the first time.

    >>> fresh(["C", "CC", "C"])
    [True, True, False]
    """
    first = {one: row for row, one in reversed([*enumerate(smiles)])}
    return [first[one] == row for row, one in enumerate(smiles)]


def unique(smiles: Sequence[str]) -> float:
    return len(set(smiles)) / max(1, len(smiles))


def share(evidence: Evidence, name: str, yes: Sequence[bool], floor: float, note: str) -> Figure:
    """A share of some molecules."""
    nothing = Estimate(math.nan, math.nan, math.nan)
    terms = torch.tensor([*yes], dtype=torch.float64)
    estimate = mean(terms, evidence.seed) if len(yes) else nothing
    return evidence.figure(name, estimate, len(yes), "higher", floor=floor, note=note)


@dataclass(frozen=True)
class Compared:
    """Described sets: drawn, held-out, and training ones in the place of the draws."""

    evidence: Evidence
    fake: Described
    real: Described
    other: Described

    def figures(self) -> list[Figure]:
        """All figures of sets."""
        return [
            self.size(),
            self.mean("mol_snn", lambda s: nearest(s.bits, self.real.bits), "higher"),
            self.cosine("mol_frag", lambda s: [f.split(SEPARATOR) for f in s.fragments]),
            self.cosine("mol_scaf", lambda s: [[core] if core else [] for core in s.scaffolds]),
            self.mean("mol_diversity", lambda s: diversity(s.bits), "higher"),
            self.mean("mol_clean", lambda s: s.clean.double(), "higher"),
            *(self.w1(name) for name in ("atoms", *PROPERTIES)),
            self.kl(),
        ]

    def figure(
        self,
        name: str,
        estimate: tuple[float, float, float],
        better: Better,
        floor: float,
        **rest: str,
    ) -> Figure:
        return self.evidence.figure(name, estimate, len(self.fake), better, floor=floor, **rest)

    def mean(self, name: str, of: Callable[[Described], Tensor], better: Better) -> Figure:
        """The mean over molecules."""
        estimate = mean(of(self.fake), self.evidence.seed)
        return self.figure(name, estimate, better, float(of(self.other).mean()), note=NOTES[name])

    def size(self) -> Figure:
        """Heavy atoms."""
        at = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
        ours, theirs = (s.column("atoms").quantile(at).tolist() for s in (self.fake, self.real))
        note = "heavy atoms of a draw; 5 %, 50 %, 95 %: {:.0f}, {:.0f}, {:.0f}".format(*ours)
        note += "; held-out: {:.0f}, {:.0f}, {:.0f}".format(*theirs)
        estimate = mean(self.fake.column("atoms"), self.evidence.seed)
        floor = float(self.other.column("atoms").mean())
        return self.figure("mol_size", estimate, "neither", floor, unit="atoms", note=note)

    def w1(self, name: str) -> Figure:
        """The Wasserstein distance of a number."""
        real = self.real.column(name)
        estimate = jackknifed(wasserstein_1d, self.fake.column(name), real)
        floor = float(wasserstein_1d(self.other.column(name), real))
        return self.figure(f"mol_w1_{name}", estimate, "lower", floor, note=f"Wasserstein, {name}")

    def cosine(self, name: str, of: Callable[[Described], list[list[str]]]) -> Figure:
        """The cosine between how often parts come."""
        ours, theirs, other = (of(side) for side in (self.fake, self.real, self.other))

        def between(a: Tensor, b: Tensor) -> Tensor:
            left, right = (
                [side[i] for i in rows.tolist()] for side, rows in ((ours, a), (theirs, b))
            )
            return torch.tensor(cosine(left, right))

        rows = torch.arange(len(ours)), torch.arange(len(theirs))
        estimate = jackknifed(between, *rows)
        return self.figure(name, estimate, "higher", cosine(other, theirs), note=NOTES[name])

    def kl(self) -> Figure:
        """GuacaMol's score of descriptors."""
        value, floor = kl_score(self.real, self.fake), kl_score(self.real, self.other)
        estimate = (value, math.nan, math.nan)
        return self.figure("mol_kl_score", estimate, "higher", floor, note=NOTES["mol_kl_score"])


NOTES = {
    "mol_snn": "mean similarity to the nearest held-out molecule; it grows with the reference",
    "mol_frag": "cosine of how often BRICS fragments come",
    "mol_scaf": "cosine of how often Bemis–Murcko scaffolds come",
    "mol_diversity": "one minus the mean similarity between draws",
    "mol_clean": "share without an alert (PAINS, Brenk)",
    "mol_kl_score": "mean of exp(−KL) over ten descriptors",
    "fcd": "Fréchet ChemNet distance; read it as a multiple of its floor at this n",
}


def cosine(a: Sequence[Sequence[str]], b: Sequence[Sequence[str]]) -> float:
    """The cosine between the counts of parts; 0 where either side has none.

    >>> round(cosine([["x"], ["y"]], [["x"]]), 3)
    0.707
    """
    left, right = (Counter(part for parts in side for part in parts) for side in (a, b))
    dot = sum(n * right[part] for part, n in left.items())
    length = math.prod(math.sqrt(sum(n * n for n in side.values())) for side in (left, right))
    return dot / length if length else 0.0


def kl_score(real: Described, fake: Described) -> float:
    """The mean over ten descriptors of exp(−KL)."""
    smooth = [smooth_kl(real.column(name), fake.column(name)) for name in CONTINUOUS]
    smooth += [smooth_kl(nearest_other(real.bits).double(), nearest_other(fake.bits).double())]
    counted = [counted_kl(real.column(name), fake.column(name)) for name in DISCRETE]
    return float(np.mean(np.exp(-np.array(smooth + counted))))


def smooth_kl(real: Tensor, fake: Tensor) -> float:
    """KL(P ‖ Q) of a number by kernel density estimates on a grid."""
    from scipy.stats import entropy, gaussian_kde

    a, b = real.numpy(), fake.numpy()
    if min(a.std(), b.std()) < SMALL:  # a number that is always the same has no density
        return 0.0 if np.ptp(np.concatenate([a, b])) < SMALL else math.inf
    at = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), GRID)
    return float(entropy(gaussian_kde(a)(at) + SMALL, gaussian_kde(b)(at) + SMALL))


def counted_kl(real: Tensor, fake: Tensor) -> float:
    """KL(P ‖ Q) of a count."""
    from scipy.stats import entropy

    most = int(max(real.max(), fake.max())) + 1
    p, q = (torch.bincount(side.long(), minlength=most).numpy() + SMALL for side in (real, fake))
    return float(entropy(p, q))


def fcd(evidence: Evidence, found: Sides) -> list[Figure]:
    """The Fréchet ChemNet distance, where ChemNet is."""
    if chemnet.absent():
        return []
    drawn, real, other = (chemnet.moments(s) for s in (found.valid, found.real, found.other))

    def to_real(side: chemnet.Moments) -> float:
        between = (side.mean, side.covariance, real.mean, real.covariance)
        return float(frechet_from_moments(*between))

    estimate = (to_real(drawn), math.nan, math.nan)
    n, floor = len(found.valid), to_real(other)
    return [evidence.figure("fcd", estimate, n, "lower", floor=floor, note=NOTES["fcd"])]


@dataclass(frozen=True)
class MoleculeReconstruction(Measure):
    """The share of held-out molecules that come back from the mean of their code.

    Args:
        n: at most so many.
    """

    n: int = 1000
    names = ("mol_reconstruction",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if why := not_molecules(evidence.space):
            return why
        codes = isinstance(evidence.model, Encodes) and isinstance(evidence.model, Decodes)
        return "" if codes and len(evidence.real) else "the model has no encoder"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real = some(evidence.real, self.n, evidence.seed)
        back = strings(evidence.space, likeliest(evidence.model, real, evidence.seed))
        same = [
            a == b and a != "" for a, b in zip(strings(evidence.space, real.x), back, strict=True)
        ]
        note = "share of held-out molecules that come back exactly, spelt greedily"
        return [share(evidence, "mol_reconstruction", same, math.nan, note)]
