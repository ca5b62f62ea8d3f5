r"""What is known of a set of molecules: sizes, properties, fragments, fingerprints, alerts.

A `Described` set holds, of each molecule, its heavy atoms; logP (Crippen), molecular weight, QED
(Bickerton et al. 2012) and synthetic accessibility (Ertl & Schuffenhauer 2009); the nine
descriptors of GuacaMol (Brown et al. 2019, arXiv:1811.09621); its Morgan fingerprint of radius 2 in
1,024 bits; its Bemis–Murcko scaffold and BRICS fragments; and whether it is free of alerts (PAINS
and Brenk, as RDKit has them). It takes some ten milliseconds a molecule, so that large sets are
described by as many processes as torch has threads, and are kept on disk, by what the molecules are
and which RDKit described them.

Two fingerprints a and b are as similar as Tanimoto says,

$$ T(a, b) = \frac{|a \wedge b|}{|a \vee b|}. $$

>>> two = describe(["CCO", "c1ccccc1O"])
>>> two.column("atoms").tolist(), two.scaffolds
([3.0, 7.0], ('', 'c1ccccc1'))
>>> float(tanimoto(two.bits[:1], two.bits[:1]))
1.0
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.maths.chemistry import rdkit, scaffold

BITS = 1024
BLOCK = 2048
SEPARATOR = "|"
WORTH_KEEPING = 500
WORTH_SHARING = 1000
"""Molecules for which a process is worth its start."""
PROPERTIES = ("logp", "sa", "qed", "weight")
CONTINUOUS = ("bertz", "logp", "weight", "tpsa")
DISCRETE = ("acceptors", "donors", "rotatable", "aliphatic_rings", "aromatic_rings")


@dataclass(frozen=True)
class Described:
    """What is known of N molecules.

    Args:
        columns: names of the numbers. numbers: (N, C). bits: fingerprints, (N, 1024) of 0 and 1.
        scaffolds: of each, empty without a ring. fragments: of each, joined by a bar.
        clean: whether each is free of alerts, (N,).
    """

    columns: tuple[str, ...]
    numbers: Tensor
    bits: Tensor
    scaffolds: tuple[str, ...]
    fragments: tuple[str, ...]
    clean: Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> Tensor:
        """One of the numbers, (N,)."""
        return self.numbers[:, self.columns.index(name)]


def describe(smiles: Sequence[str]) -> Described:
    """Describe molecules, given as valid SMILES; what is on disk already is read."""
    if len(smiles) < WORTH_KEEPING:
        return computed(smiles)
    path = kept_at(smiles)
    if path.is_file():
        return recalled(path)
    workers = min(torch.get_num_threads(), len(smiles) // WORTH_SHARING)
    made = shared(smiles, workers) if workers > 1 else computed(smiles)
    keep(path, made)
    return made


def shared(smiles: Sequence[str], workers: int) -> Described:
    """Describe molecules by several processes, each of which leaves its part on disk.

    They are started as commands, since a fork of a process with threads is not safe and a spawned
    one runs the user's own program again. What one of them did not do is done here.
    """
    size = -(-len(smiles) // workers)
    first, *rest = [smiles[at : at + size] for at in range(0, len(smiles), size)]
    helpers = [helped(part) for part in rest]
    parts = [computed(first)]
    for part, helper in zip(rest, helpers, strict=True):
        helper.wait()
        parts.append(taken(part))
    return together(parts)


HELP = (
    "import sys; from twofold.maths.descriptors import computed, keep, kept_at; "
    "part = sys.stdin.read().split(); keep(kept_at(part), computed(part))"
)


def helped(part: Sequence[str]) -> subprocess.Popen[str]:
    """A process that describes some molecules."""
    helper = subprocess.Popen(
        [sys.executable, "-c", HELP], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert helper.stdin
    with suppress(BrokenPipeError), helper.stdin as pipe:
        pipe.write("\n".join(part))
    return helper


def taken(part: Sequence[str]) -> Described:
    """What a process left on disk, which it is taken from; computed where there is nothing."""
    path = kept_at(part)
    if not path.is_file():
        return computed(part)
    made = recalled(path)
    path.unlink(missing_ok=True)
    return made


def together(parts: Sequence[Described]) -> Described:
    """Sets one after the other."""
    return Described(
        parts[0].columns,
        torch.cat([part.numbers for part in parts]),
        torch.cat([part.bits for part in parts]),
        tuple(core for part in parts for core in part.scaffolds),
        tuple(one for part in parts for one in part.fragments),
        torch.cat([part.clean for part in parts]),
    )


def computed(smiles: Sequence[str]) -> Described:
    """Describe each molecule."""
    molecules = [rdkit().MolFromSmiles(one) for one in smiles]
    formulas = measurements()
    numbers = [[float(of(m)) for of in formulas.values()] for m in molecules]
    catalogue, morgan = alerts(), fingerprints()
    bits = [morgan.GetFingerprintAsNumPy(m) for m in molecules]
    return Described(
        tuple(formulas),
        torch.tensor(numbers, dtype=torch.float64).reshape(len(smiles), len(formulas)),
        torch.from_numpy(np.array(bits, np.uint8).reshape(len(smiles), BITS)),
        tuple(scaffold(one) for one in smiles),
        tuple(SEPARATOR.join(fragments(m)) for m in molecules),
        torch.tensor([not catalogue.HasMatch(m) for m in molecules], dtype=torch.bool),
    )


@cache
def measurements() -> dict[str, Callable[[Any], float]]:
    """The numbers of a molecule, by name."""
    from rdkit.Chem import QED, Crippen, Descriptors, GraphDescriptors, Lipinski

    return {
        "atoms": Descriptors.HeavyAtomCount,
        "logp": Crippen.MolLogP,
        "sa": accessibility(),
        "qed": QED.qed,
        "weight": Descriptors.MolWt,
        "bertz": GraphDescriptors.BertzCT,
        "tpsa": Descriptors.TPSA,
        "acceptors": Lipinski.NumHAcceptors,
        "donors": Lipinski.NumHDonors,
        "rotatable": Lipinski.NumRotatableBonds,
        "aliphatic_rings": Lipinski.NumAliphaticRings,
        "aromatic_rings": Lipinski.NumAromaticRings,
    }


@cache
def accessibility() -> Callable[[Any], float]:
    """The synthetic accessibility score, from RDKit's contributions: 1 is easy, 10 is hard."""
    import importlib.util

    from rdkit.Chem import RDConfig

    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("twofold_sascorer", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score: Callable[[Any], float] = module.calculateScore
    return score


@cache
def alerts() -> Any:
    """The catalogue of what chemists would rather not see: PAINS and Brenk."""
    from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

    wanted = FilterCatalogParams()
    for name in ("PAINS", "BRENK"):
        wanted.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog(wanted)


@cache
def fingerprints() -> Any:
    """The maker of Morgan fingerprints."""
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)


def fragments(molecule: Any) -> list[str]:
    """The BRICS fragments (Degen et al. 2008), as SMILES."""
    from rdkit.Chem import BRICS

    broken = rdkit().GetMolFrags(BRICS.BreakBRICSBonds(molecule), asMols=True)
    return [str(rdkit().MolToSmiles(part)) for part in broken]


def tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """Similarities (N, M) of fingerprints (N, 1024) and (M, 1024)."""
    a, b = a.float(), b.float()
    both = a @ b.T
    either = a.sum(1, keepdim=True) + b.sum(1) - both
    return both / either.clamp(min=1)


def nearest(a: Tensor, b: Tensor) -> Tensor:
    """The similarity of each of a to the most similar of b, (N,)."""
    return torch.cat([tanimoto(part, b).amax(1) for part in a.split(BLOCK)])


def nearest_other(a: Tensor) -> Tensor:
    """The similarity of each to the most similar of the others, (N,)."""
    rows = torch.arange(len(a)).split(BLOCK)
    parts = []
    for part in rows:
        similar = tanimoto(a[part], a)
        similar[torch.arange(len(part)), part] = -1
        parts.append(similar.amax(1))
    return torch.cat(parts)


def diversity(a: Tensor) -> Tensor:
    """For each, one minus its mean similarity to all, itself included, (N,)."""
    return torch.cat([1 - tanimoto(part, a).mean(1) for part in a.split(BLOCK)])


# On disk.


def cache_folder() -> Path:
    """Where the user's cache is."""
    return Path(os.environ.get("TWOFOLD_CACHE") or Path.home() / ".cache" / "twofold")


def digest(smiles: Sequence[str]) -> str:
    """A name for a list of molecules under this RDKit."""
    import rdkit as versioned

    text = "\n".join([versioned.__version__, *smiles])
    return blake2b(text.encode(), digest_size=12).hexdigest()


def kept_at(smiles: Sequence[str]) -> Path:
    return cache_folder() / "molecules" / f"{digest(smiles)}.npz"


def keep(path: Path, made: Described) -> None:
    """Write what is known, all or nothing; where it cannot be written, it is done without."""
    part = path.with_suffix(f".{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            part,
            columns=np.array(made.columns),
            numbers=made.numbers.numpy(),
            bits=np.packbits(made.bits.numpy(), axis=1),
            scaffolds=np.array(made.scaffolds),
            fragments=np.array(made.fragments),
            clean=made.clean.numpy(),
        )
        part.replace(path)
    except OSError:
        return


def recalled(path: Path) -> Described:
    """The inverse of `keep`."""
    with np.load(path, allow_pickle=False) as arrays:
        return Described(
            tuple(arrays["columns"].tolist()),
            torch.from_numpy(arrays["numbers"]),
            torch.from_numpy(np.unpackbits(arrays["bits"], axis=1)),
            tuple(arrays["scaffolds"].tolist()),
            tuple(arrays["fragments"].tolist()),
            torch.from_numpy(arrays["clean"]),
        )
