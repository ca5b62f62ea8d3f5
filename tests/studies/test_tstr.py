"""What the studies of drawn tables judge with, against tables whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from twofold.studies.credit_tstr import SETTINGS, TARGET, clients
from twofold.studies.tstr import Judge, shuffled


def people(n: int, seed: int) -> pd.DataFrame:
    """Yes where age and zone say so, but for one row in ten."""
    chance = np.random.default_rng(seed)
    age, zone = chance.integers(18, 80, n), chance.choice(["north", "south"], n)
    yes = ((age > 50) & (zone == "south")) ^ (chance.random(n) < 0.1)
    return pd.DataFrame({"age": age, "zone": zone, "yes": np.where(yes, "y", "n")})


def test_real_rows_teach_and_shuffled_ones_do_not() -> None:
    train, test = people(1500, 0), people(1500, 1)
    judge = Judge.of(train, "yes", "y")
    real, simple = judge(train, test), judge(shuffled(train, 0), test)
    assert real.f1["gradient boosting"] > 0.7
    assert real.mean_f1 > simple.mean_f1 + 0.2
    assert simple.mean_auc == pytest.approx(0.5, abs=0.15)
    assert set(real.f1) == {"tree", "boosting", "logistic", "gradient boosting"}
    assert real.mean_f1 == pytest.approx(
        (real.f1["tree"] + real.f1["boosting"] + real.f1["logistic"]) / 3
    )


def test_rows_of_one_class_teach_that_class() -> None:
    train, test = people(200, 0), people(200, 1)
    judge = Judge.of(train, "yes", "y")
    found = judge(train[train["yes"] == "n"], test)
    assert found.mean_f1 == 0
    assert found.mean_auc == 0.5


def test_a_level_or_a_gap_that_is_new_is_coped_with() -> None:
    train, test = people(200, 0), people(200, 1)
    test.loc[0, "zone"], test["age"] = "east", test["age"].astype(float)
    test.loc[1, "age"] = np.nan
    judge = Judge.of(train, "yes", "y")
    assert np.isfinite(judge.x(test)).all()
    assert judge.x(test)[0, 1:].tolist() == [0, 0]


def test_defaults_are_thinned_to_their_share(named) -> None:  # type: ignore[no-untyped-def]
    named("credit-default")
    rare = (clients(SETTINGS["cpu"], 0.01)[TARGET].astype(str) == "1").mean()
    assert rare == pytest.approx(0.01, abs=1e-4)
