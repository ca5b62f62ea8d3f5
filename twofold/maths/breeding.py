r"""Molecules bred from molecules: crossover and mutation of graphs.

A *crossover* cuts each of two parents in two, either at one bond outside rings or at two bonds of
one ring, and joins a half of the one with a half of the other. A *mutation* changes one thing: it
appends, inserts, exchanges or deletes an atom, changes the order of a bond, or opens or closes a
ring. What comes out is sanitised by RDKit; what is no molecule, falls apart, or has a ring or a
size that is never seen in drugs is tried again.

These are the operators of the graph-based genetic algorithm of Jensen 2019 (Chemical Science 10,
3567), with its shares of mutations; stereochemistry is not kept.

>>> from random import Random
>>> child = bred("CCOc1ccccc1", "CC(=O)NC1CCCC1", Random(0))
>>> child == chemistry.written(child)
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twofold.maths import chemistry
from twofold.maths.chemistry import rdkit

TRIES = 20
"""Attempts at a child, and at a change."""
MUTATED = 0.5
"""The share of children that are mutated."""
HEAVY = 50
"""Heavy atoms beyond which a child is given up."""
RINGS = range(3, 8)
"""Sizes of rings that may be closed or kept."""
ELEMENTS = (6, 7, 8, 9, 16, 17, 35)
LINKS = (6, 7, 8, 16)
"""Elements that can stand between two atoms."""
ORDERS = (1, 2, 3)


def bred(one: str, other: str, rng: Random) -> str:
    """A child of two parents as canonical SMILES; empty where none came out.

    Args:
        one, other: SMILES. rng: every choice.
    """
    for _ in range(TRIES):
        child = crossed(opened(one), opened(other), rng)
        if child and rng.random() < MUTATED:
            child = mutated(child, rng)
        if child:
            return child
    return mutated(one, rng)


def mutated(smiles: str, rng: Random) -> str:
    """A molecule with one thing changed; empty where nothing could be."""
    for _ in range(TRIES):
        change = rng.choices([change for change, _ in MUTATIONS], [share for _, share in MUTATIONS])
        molecule = rdkit().RWMol(opened(smiles))
        if change[0](molecule, rng) and (child := settled(molecule)) not in ("", smiles):
            return child
    return ""


def opened(smiles: str) -> Any:
    """A molecule with single and double bonds in its rings, without stereo, hydrogens implied."""
    made = rdkit().MolFromSmiles(smiles)
    rdkit().RemoveStereochemistry(made)
    rdkit().Kekulize(made, clearAromaticFlags=True)
    for atom in made.GetAtoms():
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    return made


def settled(molecule: Any) -> str:
    """The canonical SMILES; empty for what is no molecule that one would want."""
    try:
        rdkit().SanitizeMol(molecule)
    except ValueError:
        return ""
    smiles = chemistry.written(rdkit().MolToSmiles(molecule))
    return smiles if smiles and seemly(rdkit().MolFromSmiles(smiles)) else ""


def seemly(molecule: Any) -> bool:
    """Whether it is in one piece, without radicals, of a size and with rings that drugs have."""
    atoms = list(molecule.GetAtoms())
    rings = [len(ring) for ring in molecule.GetRingInfo().AtomRings()]
    strained = any(
        bond.IsInRing() and bond.GetBondTypeAsDouble() == 3 for bond in molecule.GetBonds()
    )
    return (
        1 < len(atoms) <= HEAVY
        and len(rdkit().GetMolFrags(molecule)) == 1
        and all(size in RINGS for size in rings)
        and not any(atom.GetNumRadicalElectrons() for atom in atoms)
        and not strained
        and not molecule.HasSubstructMatch(cumulated())
    )


def cumulated() -> Any:
    """Two double bonds at one atom of a ring."""
    return rdkit().MolFromSmarts("[R]=[R]=[R]")


# Crossover.


def crossed(one: Any, other: Any, rng: Random) -> str:
    """A half of each, joined; empty where they cannot be cut alike or do not fit."""
    cut = rng.choice((cut_at_a_bond, cut_in_a_ring))
    halves = [cut(parent, rng) for parent in (one, other)]
    if not all(halves):
        return ""
    return settled(joined(rng.choice(halves[0]), rng.choice(halves[1]), rng))


def cut_at_a_bond(molecule: Any, rng: Random) -> Sequence[Any]:
    """Two halves, each with a dummy where a single bond outside rings was; none without one."""
    bonds = [b.GetIdx() for b in molecule.GetBonds() if not b.IsInRing() and single(b)]
    return broken(molecule, [rng.choice(bonds)]) if bonds else ()


def cut_in_a_ring(molecule: Any, rng: Random) -> Sequence[Any]:
    """Two halves, each with two dummies where bonds of one ring were; none without a ring."""
    rings = [ring for ring in molecule.GetRingInfo().BondRings() if len(ring) > 3]
    bonds = [i for i in rng.choice(rings) if single(molecule.GetBondWithIdx(i))] if rings else []
    return broken(molecule, rng.sample(bonds, 2)) if len(bonds) > 1 else ()


def single(bond: Any) -> bool:
    """Whether a bond is single."""
    return bool(bond.GetBondTypeAsDouble() == 1)


def broken(molecule: Any, bonds: Sequence[int]) -> Sequence[Any]:
    """The two parts of a molecule without some bonds; none where they are not two."""
    labels = [(0, 0)] * len(bonds)
    parts = rdkit().GetMolFrags(
        rdkit().FragmentOnBonds(molecule, list(bonds), dummyLabels=labels),
        asMols=True,
        sanitizeFrags=False,
    )
    return parts if len(parts) == 2 and len({len(dummies(part)) for part in parts}) == 1 else ()


def dummies(molecule: Any) -> list[Any]:
    """Atoms that stand where a bond was cut."""
    return [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]


def joined(one: Any, other: Any, rng: Random) -> Any:
    """Two halves with as many cuts, joined by single bonds where these were."""
    whole = rdkit().RWMol(rdkit().CombineMols(one, other))
    ends = [atom.GetIdx() for atom in dummies(whole)]
    left, right = ends[: len(ends) // 2], rng.sample(ends[len(ends) // 2 :], len(ends) // 2)
    for a, b in zip(left, right, strict=True):
        ((i,), (j,)) = (neighbours(whole, end) for end in (a, b))
        if i != j and whole.GetBondBetweenAtoms(i, j) is None:
            whole.AddBond(i, j, order(1))
    for end in sorted(ends, reverse=True):
        whole.RemoveAtom(end)
    return whole


def neighbours(molecule: Any, atom: int) -> list[int]:
    """The atoms that an atom is bound to."""
    return [a.GetIdx() for a in molecule.GetAtomWithIdx(atom).GetNeighbors()]


def order(number: int) -> Any:
    """A single, double or triple bond."""
    return rdkit().BondType.values[number]


# Mutations: each changes a molecule in place, and says whether it could.


def append_atom(molecule: Any, rng: Random) -> bool:
    at, new = rng.randrange(molecule.GetNumAtoms()), element(molecule, ELEMENTS, rng)
    molecule.AddBond(at, new, order(rng.choices(ORDERS, (0.6, 0.35, 0.05))[0]))
    return True


def insert_atom(molecule: Any, rng: Random) -> bool:
    if not molecule.GetNumBonds():
        return False
    a, b = ends_of(molecule, rng)
    molecule.RemoveBond(a, b)
    new = element(molecule, LINKS, rng)
    molecule.AddBond(a, new, order(1))
    molecule.AddBond(new, b, order(1))
    return True


def change_bond(molecule: Any, rng: Random) -> bool:
    if not molecule.GetNumBonds():
        return False
    bond = molecule.GetBondBetweenAtoms(*ends_of(molecule, rng))
    bond.SetBondType(order(rng.choice(ORDERS)))
    return True


def open_ring(molecule: Any, rng: Random) -> bool:
    inside = [bond for bond in molecule.GetBonds() if bond.IsInRing()]
    if not inside:
        return False
    bond = rng.choice(inside)
    molecule.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    return True


def close_ring(molecule: Any, rng: Random) -> bool:
    apart = rdkit().GetDistanceMatrix(molecule)
    n = molecule.GetNumAtoms()
    pairs = [(i, j) for i in range(n) for j in range(i) if 2 <= apart[i][j] <= 5]
    if not pairs:
        return False
    molecule.AddBond(*rng.choice(pairs), order(1))
    return True


def delete_atom(molecule: Any, rng: Random) -> bool:
    """An atom at an end goes; of one between two, these are bound."""
    thin = [a.GetIdx() for a in molecule.GetAtoms() if a.GetDegree() <= 2]
    if not thin or molecule.GetNumAtoms() < 3:
        return False
    at = rng.choice(thin)
    beside = neighbours(molecule, at)
    if len(beside) == 2 and molecule.GetBondBetweenAtoms(*beside) is None:
        molecule.AddBond(*beside, order(1))
    molecule.RemoveAtom(at)
    return True


def change_atom(molecule: Any, rng: Random) -> bool:
    atom = molecule.GetAtomWithIdx(rng.randrange(molecule.GetNumAtoms()))
    atom.SetFormalCharge(0)
    atom.SetAtomicNum(rng.choice(ELEMENTS))
    return True


def ends_of(molecule: Any, rng: Random) -> tuple[int, int]:
    """The atoms of some bond."""
    bond = molecule.GetBondWithIdx(rng.randrange(molecule.GetNumBonds()))
    return bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()


def element(molecule: Any, among: Sequence[int], rng: Random) -> int:
    """The place of a new atom."""
    return int(molecule.AddAtom(rdkit().Atom(rng.choice(among))))


Change = Callable[[Any, Random], bool]
MUTATIONS: tuple[tuple[Change, float], ...] = (
    (insert_atom, 0.15), (change_bond, 0.14), (open_ring, 0.14), (close_ring, 0.14),
    (delete_atom, 0.14), (change_atom, 0.14), (append_atom, 0.15),
)  # fmt: skip
