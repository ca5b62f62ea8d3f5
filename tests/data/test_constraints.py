"""What must hold in every row: parsed, kept by a transform that comes back, or refused in words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.constraints import (
    Constraint,
    describe,
    forward,
    frame_of,
    inverse,
    learnt,
    parse,
    recall,
    texts_of,
)
from twofold.data.kinds.tables import Tables
from twofold.data.moments import moment
from twofold.data.sources import Rows, whole

NONE = frozenset({""})
cents = st.integers(0, 10**6).map(lambda n: f"{n / 100:.2f}")
words = st.sampled_from(["a", "b", "a | b", "?", ""])


@settings(max_examples=40)
@given(st.lists(st.tuples(cents, cents, words, words), min_size=1, max_size=12))
def test_transforms_come_back_text_by_text(rows: list[tuple[str, str, str, str]]) -> None:
    low, more, left, right = (list(column) for column in zip(*rows, strict=True))
    high = [f"{float(a) + float(b):.2f}" for a, b in zip(low, more, strict=True)]
    both = [f"{float(a) + float(b):.2f}" for a, b in zip(low, high, strict=True)]
    texts = {"low": low, "high": high, "both": both, "left": left, "right": right}
    frame = frame_of(texts)
    told = ["low <= high", "both = low + high", "left with right", "low >= 0"]
    kept = learnt(told, frame, NONE)
    assert [one.told for one in kept if one.transforms and one.replaces][:2] == [
        "both = low + high",
        "low <= high",
    ]
    made = forward(kept, frame)
    assert set(made.names) >= {"low", "high - low"}
    assert inverse(kept, texts_of(made, made.names)) == texts
    again = [recall(json.loads(json.dumps(describe(one)))) for one in kept]
    assert again == list(kept)


TABLE = frame_of({
    "age": ["20", "41", ""], "from": ["2024-01-03", "2024-02-01", "2024-01-01"],
    "till": ["2024-01-03", "2024-02-11", ""], "plan": ["a", "b", "b"], "a": ["1", "2", "3"],
    "b": ["2", "2", "4"], "sum": ["3", "4", "7"],
})  # fmt: skip


DATES = {"from": ["2024-03-01", "2024-03-01"], "till": ["2024-02-28", "2024-03-01"]}


@pytest.mark.parametrize(
    ("told", "texts", "holds"),
    [
        ("18 <= age < 65", {"age": ["18", "65", "", "17"]}, [True, False, True, False]),
        ("age > 18", {"age": ["18", "18.5"]}, [False, True]),
        ("65 > age", {"age": ["65", "64"]}, [False, True]),
        ("from <= till", DATES, [False, True]),
        ("b >= a", {"a": ["3", "1"], "b": ["2", "1"]}, [False, True]),
        ("sum = a + b", {"sum": ["3", "4"], "a": ["1", "1"], "b": ["2", "2"]}, [True, False]),
        ("plan with a", {"plan": ["a", "a"], "a": ["1", "2"]}, [True, False]),
    ],
)  # fmt: skip
def test_what_holds(told: str, texts: dict[str, list[str]], holds: list[bool]) -> None:
    one: Constraint = parse(told, TABLE)
    assert one.holds(texts).tolist() == holds


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("age is big", "is not understood"),
        ("agee <= 30", "names 'agee', which is no column; did you mean 'age'?"),
        ("age <= 30", "row 2 breaks the constraint 'age <= 30': age '41'"),
        ("b <= a", "row 1 breaks the constraint"),
        ("sum = a + age", "row 1 breaks the constraint"),
    ],
)
def test_what_cannot_hold_is_said(told: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        learnt([told], TABLE, NONE)
    assert words in str(error.value)


def people(n: int = 120) -> pd.DataFrame:
    chance = np.random.default_rng(0)
    low = chance.integers(0, 50, n)
    high = low + chance.integers(0, 9, n)
    plan = chance.choice(["free", "full"], n)
    zone = np.where(plan == "full", "south", chance.choice(["north", "south"], n))
    frame = pd.DataFrame({"low": low, "high": high, "plan": plan, "zone": zone, "sum": low + high})
    return frame.assign(till=[f"2024-01-{10 + int(k) % 9:02}" for k in low], on="2024-01-10")


TOLD = ("low <= high", "sum = low + high", "plan with zone", "low < 50")


def test_a_table_keeps_its_constraints_whatever_is_drawn(tmp_path: Path) -> None:
    frame = people()
    kind, said = Tables.inspect(frame, constraints=TOLD)
    assert {"high - low", "plan with zone"} <= {field.name for field in kind.space.fields}
    assert sum("kept by a transform" in one.text for one in said) == 3
    rows = whole(kind.open(frame))
    pd.testing.assert_frame_equal(kind.native(rows), frame)
    assert Tables.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind
    x = 3 * torch.randn(500, kind.space.width, generator=torch.Generator().manual_seed(0))
    drawn = Rows(kind.space.decode(x), torch.zeros(500, 0))
    table = kind.native(drawn)
    assert list(table.columns) == list(frame.columns)
    assert (table["low"] <= table["high"]).all()
    assert (table["sum"] == table["low"] + table["high"]).all()
    assert not ((table["plan"] == "full") & (table["zone"] == "north")).any()
    assert not kind.broken(drawn).any()


def test_what_no_transform_keeps_is_found_broken() -> None:
    frame = people()
    frame.loc[0, "high"] = np.nan
    kind, said = Tables.inspect(frame.drop(columns="sum"), constraints=("low <= high",))
    assert any("drawing again" in one.text for one in said)
    x = torch.randn(300, kind.space.width, generator=torch.Generator().manual_seed(0))
    drawn = Rows(kind.space.decode(x), torch.zeros(300, 0))
    table = kind.native(drawn)
    assert (kind.broken(drawn).numpy() == (table["low"] > table["high"]).to_numpy()).all()
    assert 0 < kind.broken(drawn).sum() < 300


days = st.integers(0, 20000).map(lambda n: n * 86_400_000_000)
FORMS = ("%Y-%m-%d", "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S.%f")


@settings(max_examples=40)
@given(
    st.lists(st.tuples(days, st.integers(0, 900)), min_size=1, max_size=9), st.sampled_from(FORMS)
)
def test_dates_in_order_come_back_and_stay_in_order(rows: list[tuple[int, int]], form: str) -> None:
    step = 86_400_000_000 if form == FORMS[0] else 60_000_000 if form == FORMS[1] else 250_000
    texts = {
        "from": [moment(low, form) for low, _ in rows],
        "till": [moment(low + more * step, form) for low, more in rows],
    }
    frame = frame_of(texts)
    [kept] = learnt(["from <= till"], frame, NONE)
    assert recall(json.loads(json.dumps(describe(kept)))) == kept
    if not kept.transforms:  # a few dates may be of several formats
        return
    made = kept.forward(frame)
    assert inverse([kept], texts_of(made, made.names)) == texts
    turned = {name: list(reversed(column)) for name, column in texts_of(made, ["from"]).items()}
    other = kept.inverse({**turned, "till - from": texts_of(made, made.names)["till - from"]})
    assert kept.holds(other).all()
    assert "" not in other["till"]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"])
def test_dates_are_kept_in_order_by_a_transform(form: str) -> None:
    """Days and months that may be either are left to the filter."""
    chance = np.random.default_rng(0)
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(chance.integers(0, 600, 200), "D")
    end = start + pd.to_timedelta(chance.integers(1, 30, 200), "D")
    frame = pd.DataFrame({"till": end.strftime(form), "from": start.strftime(form)})
    frame["x"] = chance.normal(size=200).round(2)
    kind, said = Tables.inspect(frame, constraints=("till > from",))
    assert any("kept by a transform" in one.text for one in said)
    pd.testing.assert_frame_equal(kind.native(whole(kind.open(frame))), frame)
    x = 3 * torch.randn(300, kind.space.width, generator=torch.Generator().manual_seed(0))
    drawn = Rows(kind.space.decode(x), torch.zeros(300, 0))
    assert not kind.broken(drawn).any()
    till, since = (
        pd.to_datetime(kind.native(drawn)[name], format=form) for name in ("till", "from")
    )
    assert (till > since).all()
    early = frame[(end.day <= 12) & (start.day <= 12)].reset_index(drop=True)
    _, said = Tables.inspect(early, constraints=("till > from",))
    assert any("drawing again" in one.text for one in said) == (form == "%m/%d/%Y")


def test_the_last_date_stays_the_last() -> None:
    texts = {"from": ["1990-01-01", "2024-01-01"], "till": ["9999-12-31", "2024-01-02"]}
    [kept] = learnt(["from <= till"], frame_of(texts), NONE)
    far = {"from": ["2024-01-01"], "till - from": ["9000000"]}
    assert kept.inverse(far)["till"] == ["9999-12-31"]


def test_a_condition_is_not_replaced() -> None:
    with pytest.raises(UserError, match="'zone', which a constraint replaces"):
        Tables.inspect(people(), constraints=TOLD, given=("zone",))
