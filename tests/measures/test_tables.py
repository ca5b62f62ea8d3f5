"""Tables: each similarity against an independent reference, and the story of three samples."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from torch import Tensor

from tests.measures import worlds
from twofold.core.batch import Batch, Given
from twofold.core.space import Category, Field, Real, Space
from twofold.measures.measure import Evidence, Figure
from twofold.measures.tables import (
    Detection,
    Levels,
    RareLevels,
    Sides,
    Tabular,
    TrainOnSynthetic,
    Trial,
    accuracy,
    auc,
    correlations,
    macro_f1,
    shape,
    shuffled,
)

NUMBER = Field("size", Real())
LABEL = Field("label", Category(("a", "b", "c")))


def gappy(n: int, seed: int) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    table = torch.randn(n, 4, generator=stream, dtype=torch.float64)
    table[:, 1] += table[:, 0]
    table[torch.rand(n, 4, generator=stream) < 0.2] = torch.nan
    return table


def test_the_shape_of_numbers_is_kolmogorovs() -> None:
    a, b = gappy(300, 1)[:, 0], gappy(200, 2)[:, 1]
    full = [np.nan_to_num(column.numpy(), nan=-1e30) for column in (a, b)]
    assert float(shape(NUMBER, a, b)) == pytest.approx(1 - ks_2samp(*full).statistic)


def test_missing_cells_count_in_a_shape() -> None:
    a = torch.arange(100.0)
    b = a.clone()
    b[:25] = torch.nan
    assert float(shape(NUMBER, a, b)) == pytest.approx(0.75)
    labels = (a % 2).double()
    gone = labels.clone()
    gone[:20] = torch.nan
    assert float(shape(LABEL, labels, gone)) == pytest.approx(0.8)


def test_correlations_are_those_of_pandas_over_pairs_that_are_present() -> None:
    table = gappy(400, 3)
    expected = pd.DataFrame(table.numpy()).corr().to_numpy()
    assert np.allclose(correlations(table).numpy(), expected)


def test_every_pair_is_counted_as_if_it_were_counted_alone() -> None:
    stream = torch.Generator().manual_seed(0)
    fields = (NUMBER, LABEL, Field("other", Category(("x", "y"))))
    tables = [
        torch.stack(
            [
                torch.randn(500, generator=stream, dtype=torch.float64),
                torch.randint(3, (500,), generator=stream).double(),
                torch.randint(2, (500,), generator=stream).double(),
            ],
            1,
        )
        for _ in range(2)
    ]
    tables[1][:60, 1] = torch.nan
    levels = Levels.of(Sides(fields, tables[0], tables[0], tables[1], tables[1]))
    found = levels.trends(*tables)
    edges = [-np.inf, *levels.edges[0].tolist(), np.inf]
    shares = []
    for table in tables:
        frame = pd.DataFrame(table.numpy(), columns=["size", "label", "other"])
        frame["size"] = pd.cut(frame["size"], edges, right=False, labels=False)
        shares.append(frame.fillna(-1))
    for at, (a, b) in enumerate([("size", "label"), ("size", "other"), ("label", "other")]):
        counts = [share.groupby([a, b]).size() / len(share) for share in shares]
        expected = 1 - counts[0].sub(counts[1], fill_value=0).abs().sum() / 2
        assert float(found[at]) == pytest.approx(expected)


def test_scores_are_those_of_scikit_learn() -> None:
    stream = torch.Generator().manual_seed(0)
    p = torch.rand(300, 3, generator=stream, dtype=torch.float64).round(decimals=1) + 0.01
    p = p / p.sum(1, keepdim=True)
    truth = torch.randint(3, (300,), generator=stream)
    one, guess = Trial(p, truth), p.argmax(1)
    assert accuracy(one) == pytest.approx(accuracy_score(truth, guess))
    assert macro_f1(one) == pytest.approx(f1_score(truth, guess, average="macro"))
    assert auc(one) == pytest.approx(roc_auc_score(truth, p, multi_class="ovr"))


def test_shuffling_keeps_columns_and_breaks_pairs() -> None:
    table = gappy(1000, 4).nan_to_num(0)
    apart = shuffled(table, 0)
    assert torch.equal(apart.sort(0).values, table.sort(0).values)
    assert abs(float(correlations(apart)[0, 1])) < 0.1 < float(correlations(table)[0, 1])


SPACE = Space((Field("x", Real()), Field("y", Real(), missing=True)))
GIVEN = Space((Field("class", Category(("no", "yes")), missing=True),))


def circle(n: int, seed: int, kind: str) -> Batch:
    """Yes inside a circle, no outside; `apart` has the same columns and no dependence."""
    stream = torch.Generator().manual_seed(seed)
    xy = torch.randn(n, 2, generator=stream)
    label = (xy.square().sum(1) < 1.4).float()[:, None]
    xy[torch.rand(n, generator=stream) < 0.1, 1] = torch.nan
    table = torch.cat([xy, label], 1)
    table = shuffled(table, seed) if kind == "apart" else table
    table = table * torch.tensor([1.6, 1.6, 1.0]) if kind == "wide" else table
    return Batch.of(SPACE.encode(table[:, :2]), Given(GIVEN.encode(table[:, 2:])))


def figures(kind: str) -> dict[str, Figure]:
    sides = (circle(800, 1, "same"), circle(800, 2, "same"), circle(800, 3, kind))
    evidence = Evidence(SPACE, GIVEN, *sides)
    assert not TrainOnSynthetic().refuses(evidence)
    return {f.name: f for m in (Tabular(), TrainOnSynthetic(), Detection()) for f in m(evidence)}


def test_rows_of_the_same_law_reach_the_floor() -> None:
    found = figures("same")
    for name in ("column_shapes", "pair_trends", "tstr_f1", "tstr_accuracy", "tstr_auc"):
        assert found[name].value == pytest.approx(found[name].floor, abs=0.03)
        assert found[name].low <= found[name].value <= found[name].high
    assert found["tstr_accuracy"].value > 0.9
    assert found["tstr_auc"].baseline < 0.65
    assert found["detection"].low < 0.5 < found["detection"].high + 0.03


def test_rows_without_dependence_keep_shapes_and_lose_the_rest() -> None:
    found = figures("apart")
    assert found["column_shapes"].value > found["column_shapes"].floor - 0.03
    assert found["pair_trends"].high < found["pair_trends"].floor - 0.05
    assert found["tstr_accuracy"].high < found["tstr_accuracy"].floor - 0.2
    assert found["detection"].low > found["detection"].floor + 0.1


def test_columns_of_another_width_lose_their_shapes() -> None:
    found = figures("wide")
    assert found["column_shapes"].high < found["column_shapes"].floor - 0.03
    assert min(found["column_shapes"].parts) == found["column_shapes"].parts[0]


def test_draws_of_one_class_predict_that_class() -> None:
    evidence = worlds.evidence_of("table", 200)
    one = evidence.fake.x.clone()
    one[:, 3:5] = torch.tensor([1.0, 0.0])  # the channels of `sex`
    found = TrainOnSynthetic(target="sex")(
        Evidence(evidence.space, evidence.given, evidence.real, evidence.train, Batch.of(one))
    )
    assert [figure.name for figure in found] == ["tstr_f1", "tstr_accuracy", "tstr_auc"]
    assert found[2].value == 0.5


def test_what_is_no_table_is_refused() -> None:
    assert Tabular().refuses(worlds.evidence_of("series", 40)) == "it is for tables"
    assert "needs 20 rows" in Tabular().refuses(worlds.evidence_of("table", 8))
    assert "no column" in TrainOnSynthetic().refuses(worlds.evidence_of("vector", 40))


def test_rare_levels_that_are_never_drawn_are_missed() -> None:
    space = Space((Field("job", Category(tuple("abcd"))),))

    def rows(shares: list[float], seed: int) -> Batch:
        stream = torch.Generator().manual_seed(seed)
        drawn = torch.multinomial(torch.tensor(shares), 4000, True, generator=stream)
        return Batch.of(space.encode(drawn[:, None].float()))

    law = [0.91, 0.04, 0.03, 0.02]
    real, train, same = (rows(law, seed) for seed in range(3))
    [like] = RareLevels()(Evidence(space, Space(), real, train, same))
    [poor] = RareLevels()(Evidence(space, Space(), real, train, rows([0.94, 0.04, 0.02, 0], 3)))
    assert like.value == pytest.approx(like.floor, abs=0.1)
    assert poor.value == pytest.approx((1 + 2 / 3 + 0) / 3, abs=0.08)
    assert poor.high < like.value
    assert "of 3 levels" in poor.note
    assert "1 are never drawn" in poor.note
