"""Series: layouts, windows, units, what tells them from a table, and real files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from twofold.core.errors import UserError
from twofold.data.kinds.series import Series
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows, whole

Named = Callable[[str], Path]


def hourly(n: int = 120, **columns: object) -> pd.DataFrame:
    time = pd.date_range("2024-01-01", periods=n, freq="h")
    waves = {"a": np.sin(np.arange(n)).round(3), "b": np.arange(n) * 1.5}
    return pd.DataFrame({"time": time, **waves, **columns})


def check(kind: Series) -> None:
    assert Series.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind


def test_ett_is_a_series_of_itself(named: Named) -> None:
    path = named("ett") / "ETTh1.csv.gz"
    assert Series.accepts(path)
    kind, found = Series.inspect(path)
    check(kind)
    assert kind.space.shape == (7, 24)
    assert 'data.kind = "tables"' in found[0].text
    source = kind.open(path)
    x = kind.space.encode(whole(source).values)
    assert x.mean((0, 2)).abs().max() < 0.05
    assert len(source) == 17_420 - 20 * 23
    assert any('data.kind = "series"' in one.text for one in Tables.inspect(path)[1])


def test_ecg5000_has_its_classes_as_labels(named: Named) -> None:
    path = named("ecg5000") / "ECG5000_TRAIN.txt.gz"
    kind, _ = Series.inspect(path)
    check(kind)
    source = kind.open(path)
    assert kind.space.shape == (1, 140)
    assert torch.bincount(source.labels()[:, 0].long()).tolist() == [292, 177, 10, 19, 2]


def test_rows_are_written_as_rows(named: Named, tmp_path: Path) -> None:
    path = named("ecg5000") / "ECG5000_TRAIN.txt.gz"
    kind, _ = Series.inspect(path)
    source = kind.open(path)
    [out] = kind.write(source.read(torch.arange(5)), tmp_path)
    again = np.loadtxt(out)
    assert np.allclose(again, np.loadtxt(path)[:5], rtol=1e-6)
    assert len(Series.inspect(out, layout="rows")[0].channels) == 1


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"time": range(30), "kind": [f"k{i % 3}" for i in range(30)],
                      "other": [f"o{i % 7}" for i in range(30)], "x": range(30)}),
        pd.DataFrame({"when": pd.to_datetime(["2024-01-05", "2024-01-01"] * 20), "x": range(40)}),
        pd.DataFrame({"age": range(30), "x": range(30)}),
        hourly(10),
    ],
)  # fmt: skip
def test_a_table_stays_a_table(frame: pd.DataFrame) -> None:
    assert not Series.accepts(frame)


@pytest.mark.parametrize(
    "frame",
    [
        hourly(),
        hourly(a=[None if i % 9 == 0 else i / 2 for i in range(120)]),
        hourly().rename(columns={"time": "irgendwann"}),
        pd.concat([hourly(40).assign(patient=name) for name in "xyz"]),
        pd.concat([hourly(40).assign(id=name) for name in (1, 2, 3)]),
        hourly().set_index("time"),
    ],
)
def test_a_series_is_told_from_a_table(frame: pd.DataFrame) -> None:
    assert Series.accepts(frame)
    kind, _ = Series.inspect(frame)
    check(kind)
    assert [one.name for one in kind.channels] == ["a", "b"]


def test_windows_are_the_recording_in_its_own_units() -> None:
    frame = hourly()
    kind, _ = Series.inspect(frame, window=10, stride=10)
    source = kind.open(frame)
    back = kind.native(whole(source))
    assert np.allclose(back["b"], frame["b"])
    assert back["a"].tolist() == frame["a"].tolist()
    assert kind.space.encode(whole(source).values).std() == pytest.approx(1, abs=0.01)


def test_no_window_crosses_a_gap_or_a_series() -> None:
    first, second = hourly(40), hourly(40)
    second["time"] += pd.Timedelta(days=30)
    kind, _ = Series.inspect(pd.concat([first, second]), window=10)
    values = kind.open(pd.concat([first, second])).steps[:, 1]
    starts = kind.open(pd.concat([first, second])).starts
    assert all((values[s : s + 10].diff() == 1.5).all() for s in starts.tolist())
    panel = pd.concat([hourly(40).assign(id=name) for name in "xy"])
    source = Series.inspect(panel, window=10)[0].open(panel)
    assert (source.read(torch.arange(len(source))).values[:, 1].diff(dim=1) == 1.5).all()


def test_missing_steps_are_missing_and_written_empty(tmp_path: Path) -> None:
    frame = hourly(a=[None if i % 9 == 0 else i / 2 for i in range(120)])
    kind, _ = Series.inspect(frame, window=9)
    assert kind.space["a"].missing
    assert not kind.space["b"].missing
    rows = whole(kind.open(frame))
    x = kind.space.encode(rows.values)
    assert x.isfinite().all()
    [path] = kind.write(rows, tmp_path)
    assert pd.read_csv(path)["a"].isna().sum() == rows.values[:, 0].isnan().sum()
    with pytest.raises(UserError, match="already there"):
        kind.write(rows, tmp_path)


def test_long_is_the_same_as_wide() -> None:
    frame = hourly()
    long = frame.melt("time", ["a", "b"], "channel", "value").sample(frac=1, random_state=0)
    assert Series.accepts(long)
    kind, _ = Series.inspect(long)
    check(kind)
    assert kind.layout == "long"
    wide = whole(Series.inspect(frame)[0].open(frame))
    assert torch.equal(whole(kind.open(long)).values, wide.values)
    back = kind.native(wide)
    assert list(back.columns) == ["window", "time", "channel", "value"]
    assert len(back) == len(wide) * 24 * 2


@pytest.mark.parametrize("shape", [(30, 16, 2), (400, 3)])
def test_arrays_come_back(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype("float32")
    np.save(tmp_path / "a.npy", array)
    kind, _ = Series.inspect(tmp_path / "a.npy", stride=24)
    check(kind)
    rows = whole(kind.open(array))
    if len(shape) == 3:
        assert np.array_equal(kind.native(rows), array)
    [path] = kind.write(rows, tmp_path)
    assert np.array_equal(np.load(path)["x"], kind.native(rows))


def test_labels_of_an_npz_are_given(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 8, 1)) + np.arange(8)[:, None], y=list("abcabc"))
    kind, _ = Series.inspect(tmp_path / "a.npz")
    rows = whole(kind.open(tmp_path / "a.npz"))
    assert rows.given[:, 0].tolist() == [0, 1, 2, 0, 1, 2]
    [path] = kind.write(rows, tmp_path / "out")
    assert np.load(path)["y"].tolist() == list("abcabc")


def test_conditions_are_those_of_the_first_step() -> None:
    frame = hourly(place=["in"] * 60 + ["out"] * 60)
    kind, _ = Series.inspect(frame, given=("place",), window=60, stride=60)
    assert whole(kind.open(frame)).given.tolist() == [[0.0], [1.0]]
    assert kind.native(whole(kind.open(frame)))["place"].tolist() == frame["place"].tolist()


def test_a_column_of_labels_is_given() -> None:
    frame = pd.DataFrame({"time": [*range(30), *range(30)], "v": np.arange(60.0)})
    kind, _ = Series.inspect(frame.assign(label=["rest"] * 30 + ["walk"] * 30), window=10)
    assert [field.name for field in kind.given.fields] == ["label"]
    kind, _ = Series.inspect(frame.assign(patient=["p1"] * 30 + ["p2"] * 30), window=10)
    assert not kind.given.fields


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"window": 500}, "fewer than a window of 500"),
        ({"window": -1}, "must be at least 1"),
        ({"channels": ("aa",)}, "no column 'aa'"),
        ({"given": ("plce",)}, "no column 'plce'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Series.inspect(hourly(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.txt", b"1 2 3\n1 2\n", "row 2 has 2 numbers where the first has 3"),
        ("a.txt", b"1 2 3\n1 x 3\n", "row 2, column 2: 'x' is no number"),
        ("a.txt", b"1 2 3\n1 2 1e999\n", "row 2, column 3: '1e999' is infinite"),
        ("a.npy", b"not an array", "holds no array that can be read"),
        ("a.npz", b"PK\x03\x04 broken", "holds no array that can be read"),
        ("a.npy", b"", "holds no array that can be read"),
    ],
)
def test_what_cannot_be_read_is_named(
    name: str, data: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=sentence):
        Series.inspect(tmp_path / name)


def test_other_data_must_fit() -> None:
    kind, _ = Series.inspect(hourly())
    with pytest.raises(UserError, match="no column 'b'"):
        kind.open(hourly().rename(columns={"b": "c"}))
    with pytest.raises(UserError, match="channel 'a' is missing at step 0"):
        kind.open(hourly(a=[None] + [0.5] * 119))
    with pytest.raises(UserError, match="row 3, column 'b' is infinite"):
        kind.open(hourly(b=[1.0, 2.0, np.inf] + [0.5] * 117))
    with pytest.raises(UserError, match="infinite at series 0, step 5, channel 1"):
        Series.inspect(np.where(np.arange(200).reshape(100, 2) == 11, np.inf, 0.0))


def test_drawings_are_lines() -> None:
    kind, _ = Series.inspect(hourly())
    pictures = kind.draw(whole(kind.open(hourly())))
    assert pictures.shape[1:] == (3, 64, 96)
    inked = (pictures != 250).any(1)
    assert inked.any(1).float().mean() > 0.99, "every column of pixels is crossed"
    assert inked.float().mean() < 0.2


def test_what_is_not_divided_is_windowed_without_regard_to_blocks() -> None:
    frame = hourly(800)
    kind, _ = Series.inspect(frame, window=24, stride=24)
    assert len(kind.open(frame)) < 33
    assert kind.undivided().open(frame).starts.tolist() == [*range(0, 769, 24), 776]
    assert kind.gappy().open(frame).starts.tolist() == [*range(0, 769, 24), 776]
    assert Series.from_dict(kind.to_dict()) == kind


def test_series_that_are_mixed_are_not_read_as_one() -> None:
    one = hourly(60)
    kind, _ = Series.inspect(one, window=12)
    both = pd.concat([one.assign(patient=name) for name in ("x", "y")])
    with pytest.raises(UserError, match=r"several series are mixed, and column 'patient' looks"):
        kind.open(both)
    with pytest.raises(UserError, match="none says which"):
        kind.open(pd.concat([one, one]))


def test_gaps_that_training_had_not_can_be_filled_first() -> None:
    kind, _ = Series.inspect(hourly(60), window=12)
    with pytest.raises(UserError, match="fill it first with twofold impute"):
        kind.open(hourly(60, a=[None, *range(59)]))


def test_windows_are_traced_to_the_rows_times_and_series_of_the_file(tmp_path: Path) -> None:
    panel = pd.concat([hourly(40).assign(id=name) for name in ("x", "y")])
    panel.to_csv(tmp_path / "panel.csv", index=False)
    kind = Series.inspect(tmp_path / "panel.csv", window=24, stride=24)[0].undivided()
    told = kind.trace(tmp_path / "panel.csv").columns()
    assert told["row"] == ["2", "18", "42", "58"]  # as an editor counts: the header is row 1
    assert told["last_row"] == ["25", "41", "65", "81"]
    assert told["series"] == ["x", "x", "y", "y"]
    assert told["last_time"][1] == "2024-01-02 15:00:00"
    assert kind.names(tmp_path / "panel.csv")[3] == "y 2024-01-01 16:00:00 row 58"
    regular, _ = Series.inspect(tmp_path / "panel.csv", window=24, stride=24, every="2h")
    assert regular.trace(tmp_path / "panel.csv").columns()["time"][0] == "2024-01-01 00:00:00"


def test_cells_of_columns_that_are_not_modelled_are_counted() -> None:
    frame = pd.DataFrame({"x": [1.5, 2.0, None] * 20, "price": [None] * 60, "y": range(60)})
    kind, _ = Tables.inspect(frame)
    assert kind.left(frame, ()) == {"price": 60}


PRICES = {
    "dollars": ('time,price,load\n{0},"${1:,.2f}",{2:.1f}%\n', "1,234.50"),
    "accounts": ('time,price,load\n{0},"({1:,.2f})",{2:.1f}\n', "1,234.50"),
    "euros": ("time;price;load\n{0};{3} €;{4}\n", "1.234,50"),
}


def written_so(form: str, path: Path) -> Path:
    """Hourly prices around 1,234.50 and loads, as people write them."""
    head, line = form.split("\n")[:2]
    lines = [head]
    for i in range(60):
        price, load = f"{1234.5 + i % 7:,.2f}", f"{i % 5 + 0.5:.1f}"
        german = price.replace(",", " ").replace(".", ",").replace(" ", ".")
        time = f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00"
        cells = (time, 1234.5 + i % 7, i % 5 + 0.5, german, load.replace(".", ","))
        lines.append(line.format(*cells))
    lines[8] = lines[8].replace("(", "").replace(")", "")  # as books are: not all below zero
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PRICES)
def test_numbers_are_read_and_written_as_the_file_has_them(name: str, tmp_path: Path) -> None:
    form, first = PRICES[name]
    path = written_so(form, tmp_path / "prices.csv")
    assert Series.accepts(path)
    kind, _ = Series.inspect(path, window=60)
    check(kind)
    rows = whole(kind.open(path))
    assert rows.values[0, 0, :2].abs().tolist() == [1234.5, 1235.5]
    assert rows.values[0, 1, :2].tolist() == [0.5, 1.5]
    [out] = kind.write(rows, tmp_path / "out")
    lines, again = path.read_text().splitlines(), out.read_text().splitlines()
    cut = ";" if name == "euros" else ","
    assert [line.partition(cut)[2] for line in lines[1:8]] == [
        line.split(cut, 2)[2] for line in again[1:8]
    ]
    assert first in again[1]
    assert kind.native(rows)["price"].abs().tolist()[0] == 1234.5


def test_a_gap_is_filled_as_its_column_is_written(tmp_path: Path) -> None:
    path = written_so(PRICES["euros"][0], tmp_path / "prices.csv")
    kind = Series.inspect(path, window=12)[0].gappy()
    rows = whole(kind.open(path))
    holed = tmp_path / "holed.csv"
    holed.write_text(path.read_text().replace("1.235,50 €", "", 1), encoding="utf-8")
    gaps = whole(kind.open(holed)).values.isnan()
    assert gaps.sum() == 1
    [out] = kind.complete(holed, rows, gaps, tmp_path / "out")
    assert out.read_text() == path.read_text()
    comma = tmp_path / "comma.csv"
    comma.write_text("time;a\n" + "".join(f"{i},5;{i % 9},25\n" for i in range(40)))
    kind, _ = Series.inspect(comma)
    assert kind.ends(comma).times[0].texts(1) == ["40,5"]


def monitor(path: Path, signs: str, header: str = "Time,HR,SpO2\n") -> Path:
    """A step of five seconds a row; signs stand where a channel was off."""
    off = {"HR": range(20, 30), "SpO2": range(3, 60, 12)}
    lines = [
        f"{5 * i},{signs if i in off['HR'] else 70 + i % 4},{signs if i in off['SpO2'] else 97}\n"
        for i in range(60)
    ]
    path.write_text(header + "".join(lines), encoding="utf-8")
    return path


def test_signs_among_numbers_are_gaps(tmp_path: Path) -> None:
    """What a monitor writes where a channel is off: however few numbers there are."""
    path = monitor(tmp_path / "off.csv", "---")
    assert Series.accepts(path)
    kind, found = Series.inspect(path, window=12)
    told = [one.text for one in found if "'---'" in one.text]
    assert [text.rpartition("; ")[2].split()[0] for text in told] == ["10", "5"]
    assert [one.text for one in kind.passed(path)] == told
    rows, gappy = whole(kind.open(path)), kind.gappy()
    assert kind.channels[0].missing
    assert rows.values.isnan().any()
    rows = whole(gappy.open(path))
    full = Rows(rows.values.nan_to_num(1.0), rows.given)
    [out] = gappy.complete(path, full, rows.values.isnan(), tmp_path / "out")
    assert "---" not in out.read_text()


def test_a_word_in_a_channel_is_no_gap(tmp_path: Path) -> None:
    path = monitor(tmp_path / "words.csv", "off")
    with pytest.raises(UserError, match="'off' is no number"):
        Series.inspect(path, channels=("HR", "SpO2"))


def test_a_series_without_a_header_is_told_which_first_row_is_wanted(tmp_path: Path) -> None:
    kind, _ = Series.inspect(monitor(tmp_path / "named.csv", "---"), window=12)
    bare = monitor(tmp_path / "bare.csv", "---", header="")
    with pytest.raises(UserError, match=r"has no header.*a first row with Time, HR, SpO2"):
        kind.open(bare)
