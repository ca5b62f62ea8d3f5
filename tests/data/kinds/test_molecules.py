"""Molecules and sentences: what people have in such files is read exactly, or said by its row."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from twofold.core.errors import UserError
from twofold.data.doctor import examine, recall, remember
from twofold.data.kinds.molecules import Molecules, drawn, grouped
from twofold.data.sources import Rows, whole
from twofold.maths.chemistry import FORMS, exact, meant, tokens, written

pytest.importorskip("rdkit")

ODD = (
    "[13CH3]C",  # an isotope
    "[CH2]C",  # a radical
    "C[N+](C)(C)C",  # a charge
    "O=[N+]([O-])c1ccccc1",
    "F/C=C/F",
    "C[C@H](O)Cl",
    "c1ccc2[nH]ccc2c1",
    "CC(C)(C)c1ccc(Br)cc1.Cl",  # a salt
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("smiles", ODD)
def test_tokens_give_the_very_molecule_back(form: str, smiles: str) -> None:
    canonical = written(smiles)
    if "." in canonical and form == "selfies":
        canonical = written(canonical.split(".")[0])
    assert meant(form, exact(form, canonical)) == canonical


def file_of(folder: Path, text: str | bytes, name: str = "molecules.smi") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def said(path: Path, **options: object) -> list[str]:
    return [finding.text for finding in Molecules.inspect(path, **options)[1]]


def test_everything_odd_in_one_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, "\n".join([*ODD, "", "C(", "c1cccc1", "C[N+](C)(C)C", "C" * 300]))
    kind, _ = Molecules.inspect(path)
    texts = " / ".join(said(path))
    assert "8 of 12 molecules are kept" in texts
    assert "row 10: it is not written as SMILES" in texts
    assert "row 11: Can't kekulize" in texts
    assert "row 12: it came before" in texts
    assert "row 13: it is longer than 120 tokens (data.longest)" in texts
    assert len(kind.open(path)) == 8
    longer, _ = Molecules.inspect(path, longest=400)
    assert "C" * 300 in longer.native(whole(longer.open(path)))


def test_a_line_of_ten_megabytes_is_dropped_by_its_number(tmp_path: Path) -> None:
    path = file_of(tmp_path, "CCO\n" + "C" * 10_000_000 + "\nCCC\n")
    assert any("row 2: it has 10,000,000 letters" in text for text in said(path))


def test_a_letter_that_is_no_utf8_is_said(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"CCO alcohol\nCCC caf\xe9\n")
    assert any("not UTF-8 (line 2)" in text for text in said(path))


def test_nothing_left_is_one_sentence_with_the_row(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing is left: 1, the first at .*row 1: .*kekulize"):
        Molecules.inspect(file_of(tmp_path, "c1cccc1\n"))


def test_a_table_gives_properties_and_takes_them_back(tmp_path: Path) -> None:
    rows = "\n".join(f"{'C' * n}O,{n / 3:.2f},x{n % 3}" for n in range(1, 20))
    path = file_of(tmp_path, f"SMILES,solubility,lot\n{rows}\n", "mine.csv")
    found = examine(path, given=("solubility",))
    assert found.kind.name == "molecules"
    assert [field.name for field in found.kind.given.fields] == ["solubility"]
    assert found.suggestion.recipe == "vae-molecules"
    again = recall(remember(found.kind))
    assert again == found.kind
    read = whole(found.source)
    (out,) = again.write(read, tmp_path / "out")
    assert out.read_text().splitlines()[:3] == ["SMILES,solubility", "CO,0.33", "CCO,0.67"]
    assert torch.equal(whole(again.open(out)).values, read.values)


def test_an_sdf_brings_its_properties(tmp_path: Path) -> None:
    from rdkit import Chem

    path = tmp_path / "mine.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for n in range(1, 15):
            made = Chem.MolFromSmiles("C" * n + "O")
            made.SetProp("activity", f"{n / 7:.3f}")
            writer.write(made)
    kind, _ = Molecules.inspect(path, given=("activity",))
    assert kind.native(whole(kind.open(path)))[:2] == ["CO", "CCO"]
    assert kind.given.fields[0].name == "activity"


def test_what_is_wrong_in_an_sdf_is_told_by_its_record(tmp_path: Path) -> None:
    from rdkit import Chem

    path = tmp_path / "mine.sdf"
    with Chem.SDWriter(str(path)) as writer:
        writer.SetKekulize(False)
        for smiles in ["CCO", "C[CH2]", "[13CH3]O", "[Na+].CC(=O)[O-]", "C(C)(C)(C)(C)C", "OCC"]:
            made = Chem.MolFromSmiles(smiles, sanitize=False)
            made.UpdatePropertyCache(strict=False)
            writer.write(made)
    blocks = path.read_text().split("$$$$\n")
    blocks.insert(1, "no block\n\n\n 99 garbage\nM  END\n")
    path.write_text("$$$$\n".join(blocks))
    kind, found = Molecules.inspect(path)
    texts = " / ".join(finding.text for finding in found)
    assert "dropped 1 records that are no mol blocks, the first is record 2" in texts
    assert "row 6: Explicit valence" in texts
    assert "row 7: it came before" in texts
    assert kind.native(whole(kind.open(path))) == ["CCO", "[CH2]C", "[13CH3]O", "CC(=O)[O-]"]


def test_scaffolds_stay_together(tmp_path: Path) -> None:
    smiles = [f"{'C' * n}c1ccccc1" for n in range(1, 5)] + [f"{'C' * n}C1CC1" for n in range(1, 5)]
    path = file_of(tmp_path, "\n".join(smiles))
    kind, _ = Molecules.inspect(path, scaffolds=True)
    assert kind.open(path).groups().tolist() == [0] * 4 + [1] * 4
    assert grouped(("C", "CC")).tolist() == [0, 1]


def test_enumeration_shows_other_writings_of_the_same(tmp_path: Path) -> None:
    path = file_of(tmp_path, "\n".join(ODD[:-1]))
    kind, _ = Molecules.inspect(path, form="smiles", enumerate=True)
    rows = whole(kind.open(path))
    torch.manual_seed(0)
    (change,) = kind.augments
    shown = change(rows.values)
    assert not torch.equal(shown, rows.values)
    assert kind.native(Rows(shown, rows.given)) == kind.native(rows)
    with pytest.raises(UserError, match="is for SMILES"):
        Molecules.inspect(path, form="selfies", enumerate=True)


def test_few_smiles_are_advised_to_be_shown_in_many_writings(tmp_path: Path) -> None:
    path = tmp_path / "few.smi"
    path.write_text("CCO\nCCN\nCCC\n", encoding="utf-8")
    options: list[dict[str, Any]] = [{}, {"enumerate": True}, {"form": "selfies"}]
    found = [Molecules.inspect(path, **one)[1] for one in options]
    told = [any("enumerate=true" in one.text for one in each) for each in found]
    assert told == [True, False, False]


def test_draws_are_settled_as_they_would_be_read_again(tmp_path: Path) -> None:
    path = file_of(tmp_path, "CCO\nCCCO\nOCCCO\n")
    kind, _ = Molecules.inspect(path, form="smiles")
    values = kind.words.values([["O", "C", "C"], ["C", "O", "O", "C", "O"][:3]], kind.length)
    settled = kind.settled(Rows(values, torch.zeros(2, 0)))
    assert kind.words.sequences(settled.values)[0] == ["C", "C", "O"]
    assert kind.draw(settled).shape == (2, 3, 160, 160)


@pytest.mark.parametrize(
    ("form", "spelt"), [("selfies", [["[C]"], []]), ("smiles", [["C"], ["C", "("]])]
)
def test_what_is_no_molecule_is_broken(tmp_path: Path, form: str, spelt: list[list[str]]) -> None:
    kind, _ = Molecules.inspect(file_of(tmp_path, "CCO\nCC(C)CO\n"), form=form)
    rows = Rows(kind.words.values(spelt, kind.length), torch.zeros(2, 0))
    assert kind.broken(rows).tolist() == [False, True]


def test_other_data_that_does_not_fit_is_refused_by_its_row(tmp_path: Path) -> None:
    kind, _ = Molecules.inspect(file_of(tmp_path, "CCO\nCCCO\n"))
    with pytest.raises(UserError, match=r"row 2: 'N' was in no training molecule"):
        kind.open(file_of(tmp_path, "CO\nCN\n", "other.smi"))


def test_smiles_tokens_are_atoms_and_bonds() -> None:
    assert tokens("smiles", "C[C@@H](Cl)c1cc%12Br") == [
        "C", "[C@@H]", "(", "Cl", ")", "c", "1", "c", "c", "%12", "Br",
    ]  # fmt: skip
    assert np.all([meant("smiles", [t]) == "" for t in ("(", "1", "=")])


@pytest.mark.parametrize("name", ["smiles", "Ligand SMILES", "isosmiles", "SMILES_canonical"])
def test_columns_of_smiles_are_known_and_those_of_numbers_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    rows = ["CCO,7.5,plate 1", "CCN,,plate 2", "CCC,6.5,"]
    path.write_text("\n".join([f"{name},activity,note", *rows]), encoding="utf-8")
    _, found = Molecules.inspect(path)
    assert [one.text.partition("for: ")[2] for one in found if "data.given" in one.text] == [
        "'activity'"
    ]
    assert not any("data.given" in one.text for one in Molecules.inspect(path, given=("act*",))[1])
    assert Molecules.accepts(path)


def test_bonds_of_small_molecules_are_no_longer_than_those_of_large_ones() -> None:
    """Ethanol covers a part of its sheet that a steroid fills."""
    ink = [int((drawn(one).min(0).values < 200).any(0).sum()) for one in ("CCO", "C" * 12)]
    assert ink[0] < 80 < ink[1]
