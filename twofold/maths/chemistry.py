r"""Molecules as strings: SMILES, SELFIES, and what RDKit says of them.

A molecule is written as SMILES (Weininger 1988), of which it has many and one *canonical* one, or
as SELFIES (Krenn et al. 2020, arXiv:1905.13741), any string of which is a molecule. A string is
*cleaned* before it is learnt from: parsed, its largest fragment kept (salts and solvents go), and
written canonically. The tokens of SMILES are atoms, bonds, branches and ring closures (Schwaller et
al. 2018, arXiv:1711.04810), those of SELFIES its symbols.

Everything that depends on RDKit and selfies passes through here.

>>> cleaned("OC(=O)c1ccccc1.[Na]"), tokens("smiles", "CCl")
('O=C(O)c1ccccc1', ['C', 'Cl'])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from twofold.core.errors import UserError

KEPT = 1 << 16
"""Strings whose canonical form is remembered: what is looked at is mostly written next."""
LONGEST = 4000
"""Letters of a string beyond which it is no molecule that a drug may be."""
SMILES_TOKEN = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|[BCNOPSFIbcnops]|[()=#.+\-\\/:~@?>*$\d]")
FORMS = ("selfies", "smiles")


class Unreadable(ValueError):
    """A string that is no molecule, and why."""


@cache
def rdkit() -> Any:
    """RDKit's `Chem`, silent.

    Raises:
        UserError: it is not installed.
    """
    try:
        from rdkit import Chem, RDLogger
    except ImportError:
        raise UserError('molecules need rdkit; pip install "twofold[molecules]"') from None
    RDLogger.DisableLog("rdApp.*")
    return Chem


@cache
def selfies() -> Any:
    """The package selfies.

    Raises:
        UserError: it is not installed.
    """
    try:
        import selfies
    except ImportError:
        raise UserError('SELFIES need selfies; pip install "twofold[molecules]"') from None
    return selfies


def parsed(smiles: str) -> Any:
    """A molecule from SMILES.

    Raises:
        Unreadable: it is none.
    """
    if not smiles.strip():
        raise Unreadable("it is empty")
    if len(smiles) > LONGEST:
        raise Unreadable(f"it has {len(smiles):,} letters, more than {LONGEST:,}")
    made = rdkit().MolFromSmiles(smiles)
    if made is None:
        raise Unreadable(reason(smiles))
    if not made.GetNumAtoms():
        raise Unreadable("it has no atom")
    return made


def reason(smiles: str) -> str:
    """Why a string is no molecule, as RDKit says it.

    >>> reason("c1cccc1"), reason("C1CC")
    ("Can't kekulize mol. Unkekulized atoms: 0 1 2 3 4", 'it is not written as SMILES')
    """
    made = rdkit().MolFromSmiles(smiles, sanitize=False)
    if made is None:
        return "it is not written as SMILES"
    try:
        rdkit().SanitizeMol(made)
    except ValueError as error:
        return " ".join(str(error).split())
    return "RDKit refuses it"


def cleaned(smiles: str) -> str:
    """The canonical SMILES of the largest fragment.

    Raises:
        Unreadable: the string is no molecule.
    """
    made = parsed(smiles)
    return canonical(largest(made) if "." in smiles else made)


def largest(molecule: Any) -> Any:
    """The fragment with the most heavy atoms; of equals the heaviest, then the first by name."""
    fragments = rdkit().GetMolFrags(molecule, asMols=True)
    return max(fragments, key=lambda m: (m.GetNumHeavyAtoms(), weight(m), rdkit().MolToSmiles(m)))


def weight(molecule: Any) -> float:
    """The molecular weight."""
    from rdkit.Chem import Descriptors

    return float(Descriptors.MolWt(molecule))


def canonical(molecule: Any) -> str:
    """The canonical SMILES of a molecule."""
    return str(rdkit().MolToSmiles(molecule))


@lru_cache(KEPT)
def written(smiles: str) -> str:
    """A molecule's canonical SMILES from any of its SMILES; empty where it is no molecule."""
    try:
        return canonical(parsed(smiles))
    except Unreadable:
        return ""


def scaffold(smiles: str) -> str:
    """The Bemis–Murcko scaffold: rings and what links them; empty for a molecule without a ring.

    >>> scaffold("CCc1ccccc1")
    'c1ccccc1'
    """
    from rdkit.Chem.Scaffolds import MurckoScaffold

    return str(MurckoScaffold.MurckoScaffoldSmiles(smiles))


# Forms of writing.


@dataclass(frozen=True)
class Form:
    """A way to write a molecule as tokens.

    Args:
        cut: a canonical SMILES to tokens. join: tokens to a SMILES, perhaps of no molecule.
    """

    cut: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]


def from_smiles(smiles: str) -> list[str]:
    """A SMILES as tokens.

    Raises:
        Unreadable: a letter that SMILES do not have.
    """
    found = SMILES_TOKEN.findall(smiles)
    if "".join(found) != smiles:
        raise Unreadable("it has a letter that SMILES do not have")
    return found


def from_selfies(smiles: str) -> list[str]:
    """A SMILES as the symbols of its SELFIES.

    Raises:
        Unreadable: selfies cannot write it.
    """
    try:
        return list(selfies().split_selfies(selfies().encoder(smiles, strict=False)))
    except (selfies().EncoderError, ValueError, KeyError, AttributeError) as error:
        first = str(error).strip().splitlines()
        raise Unreadable(
            f"SELFIES cannot write it ({first[0] if first else 'no reason'})"
        ) from None


def to_smiles(symbols: Sequence[str]) -> str:
    """The SMILES that symbols of SELFIES mean; empty for symbols that mean nothing."""
    try:
        return str(selfies().decoder("".join(symbols)))
    except selfies().DecoderError:
        return ""


WAYS: dict[str, Form] = {
    "selfies": Form(from_selfies, to_smiles),
    "smiles": Form(from_smiles, "".join),
}


def tokens(form: str, smiles: str) -> list[str]:
    """A canonical SMILES as tokens of a form, `selfies` or `smiles`."""
    return WAYS[form].cut(smiles)


def exact(form: str, smiles: str) -> list[str]:
    """Tokens that give the very molecule back.

    Raises:
        Unreadable: they would give another.
    """
    found = tokens(form, smiles)
    back = WAYS[form].join(found)
    if back != smiles and written(back) != smiles:
        raise Unreadable(f"its {form.upper()} would give another molecule back")
    return found


def meant(form: str, found: Sequence[str]) -> str:
    """The canonical SMILES that tokens mean; empty where they are no molecule.

    >>> meant("selfies", ["[C]", "[=C]"]), meant("smiles", ["C", "("])
    ('C=C', '')
    """
    return written(WAYS[form].join(found))


def again(smiles: str, seed: int) -> str:
    """Another SMILES of the same molecule, its atoms in a random order.

    >>> written(again("Cc1ccccc1O", seed=1))
    'Cc1ccccc1O'
    """
    made = rdkit().MolFromSmiles(smiles)
    return str(rdkit().MolToRandomSmilesVect(made, 1, seed)[0])
