"""Tables: there and back, what is left out, what is refused, and real files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from twofold.core.errors import UserError
from twofold.core.space import Category, Space
from twofold.data.columns import Column, Identifier, Label
from twofold.data.frames import read_frame
from twofold.data.guess import Look
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows, Source, whole

Named = Callable[[str], Path]


def through(kind: Tables, source: Source) -> Rows:
    """Rows after the whole way: values, x in float32, values."""
    rows = whole(source)
    values = kind.space.decode(kind.space.encode(rows.values))
    return Rows(values, kind.given.decode(kind.given.encode(rows.given)))


def is_exact(column: Column) -> bool:
    return not isinstance(column, Identifier) and not (isinstance(column, Label) and column.others)


def check(where: Path, **options: object) -> tuple[Tables, Source]:
    """What a file says comes back text by text; the schema is plain data."""
    kind, _ = Tables.inspect(where, **options)  # type: ignore[arg-type]
    source = kind.open(where)
    frame = read_frame(where)
    for column, _, texts in kind.written(through(kind, source)):
        if is_exact(column) and column.fields:
            cells = frame[column.name]
            differ = [i for i, text in enumerate(texts) if text != cells.texts[cells.codes[i]]]
            assert [texts[i] for i in differ] == [], f"{column.name} rows {differ[:3]}"
    assert Tables.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind
    assert Space.from_dict(json.loads(json.dumps(kind.space.to_dict()))) == kind.space
    assert kind.space.encode(whole(source).values).isfinite().all()
    return kind, source


def test_adult_comes_back_text_by_text(named: Named) -> None:
    folder = named("adult")
    kind, source = check(folder / "adult.data.gz", given=("column_15",))
    assert len(source) == 32_561
    assert [f.name for f in kind.given.fields] == ["column_15"]
    assert kind.space["column_2"].missing
    assert not kind.space["column_1"].missing
    with pytest.raises(UserError, match=r"row 1, column 'column_15': .* was never seen"):
        Tables.inspect(folder / "adult.data.gz")[0].open(folder / "adult.test.gz")


def test_unknown_cells_become_missing_where_that_is_possible(named: Named) -> None:
    folder = named("adult")
    kind, _ = Tables.inspect(folder / "adult.data.gz", given=("column_15",))
    source, found = kind.read(folder / "adult.test.gz")
    assert source.given.isnan().all()
    assert any("16281 cells of the column taken as missing" in one.text for one in found)


def test_credit_default_comes_back_text_by_text(named: Named) -> None:
    kind, source = check(named("credit-default") / "data.csv.gz")
    assert len(source) == 30_000
    assert isinstance(kind.space["column_24"].domain, Category)


def test_heart_cleveland_keeps_its_gaps(named: Named) -> None:
    kind, source = check(named("heart-cleveland") / "processed.cleveland.data")
    assert kind.space["ca"].missing
    assert kind.native(whole(source))["ca"].isna().sum() == 4


def test_wine_quality_is_read_without_a_header(named: Named) -> None:
    kind, source = Tables.inspect(named("wine-quality") / "winequality-white.csv.gz")
    source = kind.open(named("wine-quality") / "winequality-white.csv.gz")
    table = kind.native(through(kind, source))
    original = pd.read_csv(named("wine-quality") / "winequality-white.csv.gz", header=None)
    assert np.array_equal(table.to_numpy(), original.to_numpy())


def test_esol_leaves_identifiers_out(named: Named) -> None:
    kind, _ = check(named("esol") / "delaney-processed.csv")
    names = [field.name for field in kind.space.fields]
    assert "Compound ID" not in names
    assert "smiles" not in names
    assert "Molecular Weight" in names


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_frames_of_scikit_learn_come_back_equal(load: Callable[..., object]) -> None:
    frame = load(as_frame=True).frame  # type: ignore[attr-defined]
    kind, _ = Tables.inspect(frame, given=("target",))
    pd.testing.assert_frame_equal(kind.native(through(kind, kind.open(frame))), frame)


def mixed() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    n = 40
    return pd.DataFrame({
        "when": pd.date_range("2024-01-01", periods=n, freq="D")[chance.permutation(n)],
        "zone": pd.date_range("2024-01-01", periods=n, freq="h", tz="Europe/Paris"),
        "size": chance.integers(0, 10**6, n).astype("int32"),
        "weight": chance.normal(size=n).round(2).astype("float32"),
        "gaps": pd.array([None if i % 5 == 0 else i * i for i in range(n)], dtype="Int64"),
        "kind": pd.Categorical([["low", "high"][i % 2] for i in range(n)]),
        "flag": chance.random(n) < 0.5,
        "wait": pd.to_timedelta(chance.integers(0, 10**5, n), unit="s"),
        "none": [None] * n,
        "same": ["x"] * n,
    })  # fmt: skip


def test_every_type_of_a_frame_comes_back() -> None:
    frame = mixed()
    kind, _ = Tables.inspect(frame)
    back = kind.native(through(kind, kind.open(frame)))
    assert list(back.columns) == list(frame.columns)
    for name in frame.columns.drop("none"):
        pd.testing.assert_series_equal(back[name], frame[name], check_freq=False)
    assert back["none"].isna().all()


def test_parquet_comes_back_as_parquet(tmp_path: Path) -> None:
    mixed().to_parquet(tmp_path / "t.parquet")
    kind, _ = Tables.inspect(tmp_path / "t.parquet")
    rows = through(kind, kind.open(tmp_path / "t.parquet"))
    [path] = kind.write(rows, tmp_path / "out")
    pd.testing.assert_frame_equal(
        pd.read_parquet(path).drop(columns="none"),
        pd.read_parquet(tmp_path / "t.parquet").drop(columns="none"),
    )
    with pytest.raises(UserError, match="already there"):
        kind.write(rows, tmp_path / "out")


def test_a_table_of_another_place_is_written_as_it_was(tmp_path: Path) -> None:
    rows = [f"{i},5;{'ja' if i % 3 else 'nein'};{i % 28 + 1:02}.03.2024" for i in range(30)]
    text = "Größe;Frage;Tag\n" + "\n".join(rows) + "\n"
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    kind, found = Tables.inspect(tmp_path / "t.csv")
    assert any("Windows-1252" in one.text for one in found)
    [path] = kind.write(through(kind, kind.open(tmp_path / "t.csv")), tmp_path / "out")
    assert path.read_text("utf-8") == text


def test_identifiers_are_written_afresh_and_constants_as_they_were(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "id": range(100, 150), "unit": "mm", "size": np.arange(50) ** 2, "gone": np.nan,
    })  # fmt: skip
    kind, found = Tables.inspect(frame)
    assert [field.name for field in kind.space.fields] == ["size"]
    back = kind.native(whole(kind.open(frame)))
    assert back["id"].tolist() == list(range(150, 200))
    assert (back["unit"] == "mm").all()
    assert back["gone"].isna().all()
    assert {"'id'", "'unit'", "'gone'"} <= {one.text.split()[1] for one in found}


def test_options_are_obeyed() -> None:
    frame = mixed()
    kind, _ = Tables.inspect(
        frame, drop=("none", "same"), given=("kind",), types={"size": "category", "flag": "text"}
    )
    assert [field.name for field in kind.given.fields] == ["kind"]
    assert "kind" not in [field.name for field in kind.space.fields]
    assert isinstance(kind.space["size"].domain, Category)
    assert "flag" not in [field.name for field in kind.space.fields]
    kept, _ = Tables.inspect(frame, keep=("size", "weight"))
    assert [column.name for column in kept.columns] == ["size", "weight"]
    missing, _ = Tables.inspect(frame, missing_values=("low",), keep=("kind", "flag"))
    assert missing.space["kind"].missing


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"given": ("knd",)}, "no column 'knd'; did you mean 'kind'"),
        ({"drop": ("sise",)}, "did you mean 'size'"),
        ({"given": ("same",)}, "constant, no condition"),
        ({"types": {"size": "numbre"}}, "did you mean 'number'"),
        ({"keep": ("same", "none")}, "no column to learn from"),
        ({"types": {"kind": "number"}}, "row 1, column 'kind' is no number: 'low'"),
        ({"types": {"kind": "date"}}, "row 1, column 'kind' is no date"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Tables.inspect(mixed(), **options)  # type: ignore[arg-type]


def test_other_data_must_fit() -> None:
    frame = pd.DataFrame({"size": np.arange(50.0) ** 2, "kind": ["a", "b"] * 25})
    kind, _ = Tables.inspect(frame)
    with pytest.raises(UserError, match="no column 'kind'; did you mean 'kinds'"):
        kind.open(frame.rename(columns={"kind": "kinds"}))
    with pytest.raises(UserError, match="row 3, column 'kind': 'c' was never seen"):
        kind.open(frame.assign(kind=["a", "b", "c", *"ab" * 23, "a"]))
    with pytest.raises(UserError, match="row 2, column 'size' is infinite"):
        kind.open(frame.assign(size=[1.0, np.inf, *range(48)]))
    with pytest.raises(UserError, match="row 1, column 'size': '' was never seen"):
        kind.open(frame.assign(size=[np.nan, *range(49)]))


def test_settled_rows_are_those_that_would_be_read_again(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    gains = np.where(chance.random(200) < 0.8, 0, chance.integers(1, 99, 200))
    gaps = [None if i % 7 == 0 else f"k{i % 3}" for i in range(200)]
    frame = pd.DataFrame({"gain": gains, "kind": gaps})
    kind, _ = Tables.inspect(frame)
    values = torch.cat([torch.randn(50, 1), torch.randint(3, (50, 1)).float()], 1)
    values[:5, 1] = torch.nan
    drawn = Rows(values, torch.zeros(50, 0))
    [path] = kind.write(drawn, tmp_path)
    settled = kind.settled(drawn)
    assert torch.equal(settled.values.nan_to_num(-1), whole(kind.open(path)).values.nan_to_num(-1))
    assert (settled.values[:, 0] == kind.open(frame).values[:, 0].min()).float().mean() > 0.6
    assert torch.equal(kind.settled(settled).values.nan_to_num(-1), settled.values.nan_to_num(-1))


def test_drawings_show_every_row() -> None:
    frame = mixed()
    kind, _ = Tables.inspect(frame)
    pictures = kind.draw(whole(kind.open(frame)))
    assert pictures.shape[:3] == (len(frame), 3, 32)
    assert pictures.dtype == torch.uint8
    assert len({tuple(picture.flatten().tolist()) for picture in pictures}) > 30


cell = st.sampled_from(
    ["1", "2.5", "-3", "1e400", "", "?", "x", "y z", "2024-01-01", "1/2/2024", "007", "1,5", "inf"]
)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), max_size=25)
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_table_is_learnt_or_refused_in_one_sentence(
    tmp_path: Path, rows: list[list[str]]
) -> None:
    path = tmp_path / "any.csv"
    path.write_text("\n".join(";".join(row) for row in rows), "utf-8")
    try:
        kind, _ = Tables.inspect(path)
        source = kind.open(path)
    except UserError:
        return
    rows_ = through(kind, source)
    assert rows_.values.shape == (len(source), kind.space.size)
    assert len(kind.native(rows_)) == len(source)
    assert Tables.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind


def holed() -> pd.DataFrame:
    """Types that pandas keeps in its own way where a cell is missing; rows 0 and 5 have a gap."""
    chance = np.random.default_rng(0)
    frame = pd.DataFrame({
        "flag": (chance.random(60) < 0.5).astype(object),
        "grade": pd.Categorical(chance.integers(1, 4, 60)),
        "size": chance.normal(size=60).round(2),
        "when": pd.date_range("2020-03-18 14:54:20", periods=60, freq="7h", tz="Europe/Paris"),
        "wait": pd.to_timedelta(chance.integers(1, 10**6, 60), unit="s"),
    })  # fmt: skip
    frame.iloc[[0, 5]] = None
    return frame


def test_truth_values_and_categories_of_numbers_may_have_gaps() -> None:
    frame = holed()
    kind, _ = Tables.inspect(frame)
    back = kind.native(through(kind, kind.open(frame)))
    assert back.flag.dtype == "boolean"
    assert back.flag.dropna().tolist() == frame.flag.dropna().tolist()
    pd.testing.assert_series_equal(back.grade, frame.grade)


def filled_in(kind: Tables, where: object, out: Path) -> Path:
    """The table with each gap of row 0 and 5 taken from row 1, in a file."""
    rows = whole(kind.open(where))
    gaps = rows.values.isnan()
    assert gaps.sum() == 2 * len(kind.space.fields)
    values = torch.where(gaps, rows.values[1], rows.values)
    [path] = kind.complete(where, Rows(values, rows.given), gaps, out)
    return path


def test_what_was_observed_is_written_as_it_was(tmp_path: Path) -> None:
    frame = holed()
    kind, _ = Tables.inspect(frame)
    told = frame.copy()
    told.iloc[[0, 5]] = told.iloc[[1, 1]].to_numpy()
    made = pd.read_csv(filled_in(kind, frame, tmp_path), dtype=str)
    assert made.when.tolist() == frame.when.fillna(frame.when[1]).astype(str).tolist()
    assert made.wait.tolist() == frame.wait.fillna(frame.wait[1]).astype(str).tolist()
    assert made.flag.tolist() == told.flag.astype(str).tolist()
    frame.to_parquet(tmp_path / "t.parquet")
    kind, _ = Tables.inspect(tmp_path / "t.parquet")
    made = pd.read_parquet(filled_in(kind, tmp_path / "t.parquet", tmp_path / "parquet"))
    assert made.flag.tolist() == told.flag.tolist()


def test_parquet_is_completed_by_what_was_learnt_of_text(tmp_path: Path) -> None:
    frame = holed()[["flag", "size"]].assign(city="Oslo")
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    kind, _ = Tables.inspect(tmp_path / "t.csv")
    made = pd.read_parquet(filled_in(kind, tmp_path / "t.parquet", tmp_path / "out"))
    assert made["size"].tolist()[1:5] == frame["size"].tolist()[1:5]
    assert made.flag[0] is made.flag[1]


def test_a_file_is_read_by_its_own_delimiter(tmp_path: Path) -> None:
    frame = holed()[["size", "flag"]].dropna()
    frame.to_csv(tmp_path / "a.csv", sep=";", index=False)
    frame.to_csv(tmp_path / "b.csv", index=False)
    kind, _ = Tables.inspect(tmp_path / "a.csv")
    ours, theirs = (whole(kind.open(tmp_path / name)) for name in ("a.csv", "b.csv"))
    assert torch.equal(ours.values, theirs.values)


def test_a_table_with_decimal_commas_is_not_called_ragged(tmp_path: Path) -> None:
    """A spreadsheet saved in German, for a run on one in English: its commas cut no cells."""
    cells = [(f"{i / 8 + 0.125:.3f}", f"{i * i / 4:.2f}") for i in range(60)]
    lines = "".join(f"{a};{b}\n" for a, b in cells)
    texts = {
        "en": ("size;load\n" + lines).replace(";", ","),
        "de": "size;load\n" + lines.replace(".", ","),
        "other": "a;b\n" + lines.replace(".", ","),
        "ragged": "size,load\n1,2\n3,4,5\n6,7\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    english, german = (Tables.inspect(tmp_path / f"{name}.csv")[0] for name in ("en", "de"))
    wanted = {
        "de": "writes numbers with a decimal comma, .* save it with points",
        "other": "no column 'size'; valid: a, b",
        "ragged": "row 3 has 3 cells where the others have 2",
    }
    for name, why in wanted.items():
        with pytest.raises(UserError, match=why):
            english.open(tmp_path / f"{name}.csv")
    ours, theirs = (whole(kind.open(tmp_path / "en.csv")) for kind in (english, german))
    assert torch.allclose(ours.values, theirs.values)


def test_words_among_numbers_that_say_there_is_none_are_gaps(tmp_path: Path) -> None:
    """One cell in four says why there is no number: it is a number, and those are filled."""
    path = tmp_path / "weights.csv"
    cells = ["k. A." if i % 4 == 3 else f"{50 + i / 8:.3f}" for i in range(80)]
    lines = "".join(f"{i % 7 / 3:.2f},{cell}\n" for i, cell in enumerate(cells))
    path.write_text(f"height,weight\n{lines}", encoding="utf-8")
    kind, found = Tables.inspect(path)
    assert any("'k. A.'; 20 cells of the column taken as missing" in one.text for one in found)
    check = Tables.from_dict(json.loads(json.dumps(kind.to_dict())))
    assert check == kind
    rows, said = kind.read(path)
    gaps = rows.values.isnan()
    assert gaps.sum(0).tolist() == [0, 20]
    assert not said  # it was seen in training
    values = rows.values.nan_to_num(0.0)
    [out] = kind.complete(path, Rows(values, rows.given), gaps, tmp_path / "out")
    done = pd.read_csv(out)["weight"]
    assert done.dtype == float
    assert (done[done.index % 4 != 3] == [float(c) for c in cells if c != "k. A."]).all()


def test_other_words_among_numbers_are_no_gaps(tmp_path: Path) -> None:
    """Codes of which some are numbers stay categories; a slip among numbers stays as it is."""
    codes = [f"V{i % 10}" if i % 3 == 2 else str(100 + i % 40) for i in range(300)]
    assert Look.of(codes).guess() == "category"
    path = tmp_path / "slips.csv"
    cells = [f"slip {i}" if i % 25 == 0 else f"{i / 8:.3f}" for i in range(100)]
    path.write_text("a,b\n" + "".join(f"{i % 9 / 2},{c}\n" for i, c in enumerate(cells)))
    kind = Tables.inspect(path)[0]
    rows = whole(kind.open(path))
    filled = Rows(rows.values.nan_to_num(0.0), rows.given)
    [out] = kind.complete(path, filled, rows.values.isnan(), tmp_path / "out")
    assert out.read_text().count("slip") == 4


def test_a_frame_of_few_rows_keeps_every_category() -> None:
    """As pandas itself does: without those that no row has, frames put together lose the type."""
    frame = pd.DataFrame({"a": np.arange(40) / 7, "kind": pd.Categorical(["low", "high"] * 20)})
    kind, _ = Tables.inspect(frame)
    few = kind.native(kind.open(frame).read(torch.tensor([0, 2])))
    assert few["kind"].tolist() == ["low", "low"]
    assert few["kind"].dtype == frame["kind"].dtype
    assert pd.concat([frame, few])["kind"].dtype == frame["kind"].dtype
