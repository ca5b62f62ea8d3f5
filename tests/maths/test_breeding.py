"""Children of molecules are molecules, new, and made of their parents."""

from random import Random

import pytest

pytest.importorskip("rdkit")

from twofold.maths import breeding
from twofold.maths.chemistry import rdkit, written

PARENTS = (
    "CCN(Cc1ccc(OC)c(OC)c1)C(=O)c1ccsc1", "O=C(Nc1ccc(F)cc1)C1CC1", "C[NH+]1CCC(O)CC1",
    "c1ccc2[nH]ccc2c1", "CC(C)(C)OC(=O)N1CCNCC1",
)  # fmt: skip


def test_children_are_canonical_molecules_that_one_would_want() -> None:
    rng = Random(0)
    children = [breeding.bred(*rng.sample(PARENTS, 2), rng) for _ in range(60)]
    assert all(written(child) == child for child in children)
    assert all(breeding.seemly(rdkit().MolFromSmiles(child)) for child in children)
    assert len(set(children) - set(PARENTS)) > 40
    again = Random(0)
    assert children == [breeding.bred(*again.sample(PARENTS, 2), again) for _ in range(60)]


def test_a_crossover_alone_has_no_atom_that_its_parents_have_not() -> None:
    rng = Random(0)
    one, other = (breeding.opened(smiles) for smiles in ("FC1CCCCC1", "ClCCOCC"))
    children = {breeding.crossed(one, other, rng) for _ in range(60)} - {""}
    assert "F" not in "".join(c for c in children if "Cl" in c and c.count("O") > 1)
    assert any("F" in c and "O" in c for c in children)
    assert not any("N" in c or "S" in c for c in children)


@pytest.mark.parametrize("change", [change for change, _ in breeding.MUTATIONS])
def test_each_mutation_does_one_thing(change: breeding.Change) -> None:
    atoms = {"append_atom": 1, "insert_atom": 1, "delete_atom": -1}.get(change.__name__, 0)
    rings = {"open_ring": -1, "close_ring": 1}.get(change.__name__, 0)
    before = breeding.opened("CCOC1CCCCC1")
    made = []
    for seed in range(30):
        after = rdkit().RWMol(before)
        if change(after, Random(seed)) and (child := breeding.settled(after)):
            made.append(rdkit().MolFromSmiles(child))
    assert made
    for molecule in made:
        assert molecule.GetNumAtoms() - before.GetNumAtoms() == atoms
        assert molecule.GetNumBonds() - molecule.GetNumAtoms() == rings  # cycles, less one


def test_what_nobody_wants_is_not_bred() -> None:
    strange = ("C1CCCCCCCC1", "CC.CC", "C[CH2]", "C" * 60, "C1CC=C=CC1")
    assert not any(breeding.seemly(rdkit().MolFromSmiles(one)) for one in strange)
