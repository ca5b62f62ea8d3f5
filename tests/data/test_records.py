"""WFDB records: read as others read them, and what is damaged told; beats where they are."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.beats import r_peaks
from twofold.data.monitors import Cutting, at_rate, monitored
from twofold.data.records import FORMATS, NONE, Record, noted, read

OFFSET = 100  # steps before the R-peak in the beats that another reader cut out


@pytest.fixture(scope="module")
def hundred(named_once: Path) -> Record:
    return read(named_once / "100.hea")


@pytest.fixture(scope="module")
def named_once() -> Path:
    from twofold.data.named import is_here, local

    if not is_here("wfdb"):
        pytest.skip("wfdb is nowhere")
    return local("wfdb", "100.hea")[0].parent


def test_a_record_has_the_published_samples_and_annotations(hundred: Record) -> None:
    assert (hundred.hertz, hundred.channels, hundred.units) == (360, ("MLII", "V5"), ("mV", "mV"))
    published = [[-0.145, -0.065], [-0.145, -0.065], [-0.12, -0.08], [-0.135, -0.08]]
    assert np.allclose(hundred.samples[[0, 1, 8, 9]], published)
    assert Counter(hundred.symbols) == {"N": 2239, "A": 33, "V": 1, "+": 1}


def test_beats_are_those_that_another_reader_cut_out(hundred: Record, named_once: Path) -> None:
    path = named_once / "mitdb100_beats.npz"
    if not path.is_file():
        pytest.skip("the beats that another reader cut are not here")
    theirs = np.load(path)
    at, symbols = hundred.beats
    assert len(at) == 2273
    kept = [i for i, p in enumerate(at) if p >= OFFSET and p - OFFSET + 256 <= len(hundred.samples)]
    assert [symbols[i] for i in kept][: len(theirs["y"])] == theirs["y"].tolist()
    for row in (0, 1000, 2000):
        begin = at[kept[row]] - OFFSET
        assert np.allclose(hundred.samples[begin : begin + 256], theirs["x"][row], atol=2e-3)


def test_r_peaks_are_where_cardiologists_put_them(hundred: Record) -> None:
    half = len(hundred.samples) // 4
    found = r_peaks(hundred.samples[:half, 0], hundred.hertz)
    at = hundred.beats[0][hundred.beats[0] < half]
    near = np.abs(at[:, None] - found[None]) <= 0.05 * hundred.hertz
    assert near.any(1).mean() > 0.995
    assert near.any(0).mean() > 0.995


def stored(form: str, samples: np.ndarray) -> bytes:
    """Samples in a format, written independently of the reader."""
    if form != "212":
        offset = 128 if form == "80" else 0
        return (samples + offset).astype({"16": "<i2", "61": ">i2", "80": "u1"}[form]).tobytes()
    found = bytearray()
    for a, b in samples.reshape(-1, 2) & 0xFFF:
        found += bytes([a & 0xFF, (a >> 8) | ((b >> 8) << 4), b & 0xFF])
    return bytes(found)


@given(st.sampled_from(sorted(FORMATS)), st.lists(st.integers(-127, 127), min_size=2, max_size=40))
def test_every_format_gives_back_what_was_stored(form: str, values: list[int]) -> None:
    samples = np.array([v * (1 if form == "80" else 16) for v in values[: len(values) // 2 * 2]])
    assert FORMATS[form](stored(form, samples)).tolist() == samples.tolist()


def test_the_lowest_sample_says_that_there_is_none() -> None:
    assert FORMATS["212"](stored("212", np.array([-2048, 3]))).tolist() == [NONE, 3]
    assert FORMATS["16"](stored("16", np.array([-32768, 3]))).tolist() == [NONE, 3]


def test_annotations_skip_and_carry_text() -> None:
    far = [59 << 10, 1, 4464]  # 65536 + 4464
    aux = [(63 << 10) | 3, 0x4241, 0x0043]
    words = [(28 << 10) | 18, *aux, *far, (1 << 10) | 2, (8 << 10) | 300, 0, 77]
    assert list(noted(words)) == [(18, "+"), (70020, "N"), (70320, "A")]


def made(folder: Path, name: str = "r", form: str = "16", hertz: int = 100, flip: int = 0) -> Path:
    """A record of two leads with a beat a second, the second one upside down."""
    n = 20 * hertz
    lead = np.zeros(n)
    at = np.arange(hertz // 2, n, hertz)
    for k, height in ((-1, 300), (0, 900), (1, 300)):
        lead[at + k] = height
    both = np.stack([lead, -lead], 1).astype(int)
    data = bytearray(stored(form, both.ravel()))
    sums = [int(column.sum()) & 0xFFFF for column in both.T]
    if flip:
        data[flip] ^= 0x11
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.dat").write_bytes(bytes(data))
    lines = [
        f"{name}.dat {form} 200(0)/mV 12 0 0 {s} 0 {lead}"
        for s, lead in zip(sums, "IV", strict=True)
    ]
    header = folder / f"{name}.hea"
    header.write_text("\n".join([f"{name} 2 {hertz} {n}", *lines, "# made"]) + "\n")
    words = [v for p in np.diff([0, *at]) for v in [(1 << 10) | int(p)]] + [0]
    (folder / f"{name}.atr").write_bytes(np.array(words, "<u2").tobytes())
    return header


@pytest.mark.parametrize("form", ["16", "61", "212"])
def test_a_record_that_was_written_is_read(tmp_path: Path, form: str) -> None:
    record = read(made(tmp_path, form=form))
    assert record.samples.max(0).tolist() == [4.5, 0.0]
    assert record.samples[50].tolist() == [4.5, -4.5]
    assert record.at[:3].tolist() == [50, 150, 250]


def test_what_is_damaged_cut_short_or_unknown_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="do not sum to what the header says"):
        read(made(tmp_path / "flip", flip=500))
    header = made(tmp_path / "short")
    data = header.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:-8])
    with pytest.raises(UserError, match="cut short"):
        read(header)
    text = header.read_text()
    header.write_text(text.replace(" 16 200", " 310 200"))
    with pytest.raises(UserError, match=r"short.r\.hea: signals of format 310 are not read here"):
        read(header)
    header.write_text(text.replace("r 2", "r/3 2"))
    with pytest.raises(UserError, match="several segments"):
        read(header)
    header.write_text("nonsense")
    with pytest.raises(UserError, match="no header"):
        read(header)
    header.write_text(text.replace("r.dat", "gone.dat"))
    with pytest.raises(UserError, match=r"gone\.dat, which a header names, cannot be read"):
        read(header)


def test_records_of_another_rate_are_resampled(tmp_path: Path) -> None:
    made(tmp_path, "a", hertz=100)
    made(tmp_path, "b", hertz=200)
    found, notes = monitored(tmp_path, Cutting.of(tmp_path, "annotated", 0))
    assert set(found.lengths) == {140}  # 1.4 intervals of a second
    assert Counter(found.of) == {"a": 18, "b": 18}  # the first and the last are not whole
    assert "2 records at 100 samples a second: I in mV, V in mV" in notes[0].text
    again = at_rate(read(tmp_path / "b.hea"), 100.0)
    assert again.at.tolist() == read(tmp_path / "a.hea").at.tolist()


def test_beats_that_are_asked_for_and_not_annotated_are_told(tmp_path: Path) -> None:
    header = made(tmp_path)
    header.with_suffix(".atr").unlink()
    assert Cutting.of(header, "auto", 0).beats == "none"
    with pytest.raises(UserError, match="record r has no annotated beats"):
        Cutting.of(header, "annotated", 0)
    found, _ = monitored(header, Cutting.of(header, "found", 0))
    assert [begin % 100 for begin in found.begins[:3]] == [50, 50, 50]
