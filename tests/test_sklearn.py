"""The estimators keep scikit-learn's own laws, and do their jobs in its company."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from twofold.core.errors import UserError
from twofold.sklearn import AnomalyDetector, Imputer, Synthesizer, Trained, VAEEncoder

SMALL = {
    "steps": 2,
    "latent": 2,
    "settings": ("model.encoder.width=8", "model.decoder.width=8", "model.encoder.depth=1"),
}
EVERY = (VAEEncoder, AnomalyDetector, Imputer, Synthesizer)


@parametrize_with_checks([make(**SMALL) for make in EVERY])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:.*cannot promise the rate")
def test_it_keeps_the_laws_of_scikit_learn(estimator: Trained, check: Callable[..., None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """Rows of mixed types; the city goes with the height."""
    chance = np.random.default_rng(0)
    city = chance.choice(["Bergen", "Oslo"], 300)
    height = np.where(city == "Oslo", 180.0, 160.0) + chance.normal(size=300)
    return pd.DataFrame({"height": height.round(1), "city": city}, index=range(1000, 1300))


def test_a_grid_is_searched_in_a_pipeline() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    line = make_pipeline(VAEEncoder(steps=150, batch=64), StandardScaler(), LogisticRegression())
    search = GridSearchCV(line, {"vaeencoder__latent": [1, 4]}, cv=2).fit(X, y)
    assert search.best_params_ == {"vaeencoder__latent": 4}
    assert search.best_score_ > 0.8


def test_codes_come_back_as_a_frame() -> None:
    X = load_wine(as_frame=True).data
    codes = VAEEncoder(**SMALL).set_output(transform="pandas").fit_transform(X)
    assert list(codes.columns) == ["vaeencoder0", "vaeencoder1"]
    assert codes.index.equals(X.index)


def test_abnormal_rows_are_told_at_the_rate_asked_for() -> None:
    X, benign = load_breast_cancer(return_X_y=True)
    normal = X[benign == 1]
    found = AnomalyDetector(rate=0.1, steps=300, batch=64).fit(normal[:250])
    assert (found.predict(normal[250:]) < 0).mean() < 0.25
    assert (found.predict(X[benign == 0]) < 0).mean() > 0.7
    p = found.p_values(X)
    assert ((p <= 0.1) == (found.predict(X) < 0)).all()


def test_gaps_are_filled_and_what_is_known_stays(people: pd.DataFrame) -> None:
    holed = people.copy()
    holed.loc[1000:1049, "height"] = np.nan
    holed.loc[1050:1099, "city"] = None
    filled = Imputer(steps=400, latent=2, batch=64).fit(holed).transform(holed)
    known = holed.notna()
    assert filled.where(known).equals(holed.where(known))
    assert filled.index.equals(people.index)
    assert not filled.isna().any().any()
    assert (filled.height - people.height)[:50].abs().mean() < 4
    assert (filled.city == people.city)[50:100].mean() > 0.8


def test_rows_are_drawn_in_their_own_types(people: pd.DataFrame) -> None:
    drawn = Synthesizer(steps=400, batch=64, latent=2).fit(people).sample(200, seed=1)
    assert list(drawn.dtypes) == list(people.dtypes)
    tall = drawn.groupby("city").height.mean()
    assert tall["Oslo"] > tall["Bergen"] + 5


def test_it_travels_without_its_folder(tmp_path: Path) -> None:
    X = load_wine().data
    made = AnomalyDetector(**SMALL).fit(X)
    home, before = made.run_.path, made.score_samples(X)
    twin = copy.deepcopy(made)
    del made
    assert not home.exists()  # a temporary folder goes with its estimator
    assert np.array_equal(twin.score_samples(X), before)


def test_a_run_is_kept_where_it_was_asked_for(tmp_path: Path) -> None:
    made = VAEEncoder(**SMALL, out=tmp_path / "mine").fit(load_wine().data)
    assert made.run_.path == tmp_path / "mine"
    assert (tmp_path / "mine" / "recipe.toml").exists()
    assert not hasattr(clone(made), "run_")


@pytest.fixture(scope="module")
def numbers() -> pd.DataFrame:
    """Rows of numbers alone: money, which has two decimals, and visits, which are whole."""
    chance = np.random.default_rng(0)
    money, visits = chance.exponential(5, 200).round(2), chance.poisson(20, 200)
    return pd.DataFrame({"money": money, "visits": visits})


def test_a_frame_of_numbers_alone_is_a_table(numbers: pd.DataFrame) -> None:
    made = Synthesizer(**SMALL).fit(numbers)
    drawn = made.sample(300)
    assert list(drawn.columns) == list(numbers.columns)
    assert list(drawn.dtypes) == list(numbers.dtypes)
    assert (drawn.money >= numbers.money.min()).all()
    assert (drawn.money == drawn.money.round(2)).all()
    assert isinstance(Synthesizer(**SMALL).fit(numbers.to_numpy()).sample(5), np.ndarray)


@pytest.mark.parametrize("make", EVERY)
def test_a_frame_of_numbers_may_have_gaps(
    make: Callable[..., Trained], numbers: pd.DataFrame
) -> None:
    holed = numbers.mask(np.random.default_rng(1).random(numbers.shape) < 0.1)
    found = make(**SMALL).fit(holed)
    for verb in ("transform", "score_samples"):
        if hasattr(found, verb):
            assert np.isfinite(getattr(found, verb)(holed)).all(axis=None)


def test_what_was_fitted_to_a_frame_takes_its_rows_as_an_array(numbers: pd.DataFrame) -> None:
    made = VAEEncoder(**SMALL).fit(numbers)
    with pytest.warns(UserWarning, match="valid feature names"):
        codes = made.transform(numbers.to_numpy())
    assert np.array_equal(codes, made.transform(numbers))


def test_a_category_never_seen_is_unknown_and_abnormal(people: pd.DataFrame) -> None:
    strange = people.head(20).copy()
    strange.loc[strange.index[3], "city"] = "Atlantis"
    codes = VAEEncoder(**SMALL).fit(people)
    with pytest.warns(UserWarning, match="'Atlantis' was never seen"):
        told = codes.transform(strange)
    assert np.isfinite(told).all()
    others = np.arange(20) != 3
    assert np.array_equal(told[others], codes.transform(people.head(20))[others])
    found = AnomalyDetector(**SMALL).fit(people)
    with pytest.warns(UserWarning, match="'Atlantis' was never seen"):
        score = found.decision_function(strange)
    assert score[3] < 0
    assert score.argmin() == 3
    assert np.isfinite(score).all()


def test_a_count_below_one_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="n = -1 is no count"):
        Synthesizer(**SMALL).fit(people).sample(-1)


def test_a_rate_that_cannot_be_kept_is_told(people: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="rate = 2 is no rate"):
        AnomalyDetector(**SMALL, rate=2).fit(people)
    with pytest.warns(UserWarning, match=r"75 held-out rows cannot promise the rate of 0.01%"):
        AnomalyDetector(**SMALL, rate=1e-4).fit(people)


def test_a_frame_of_other_columns_is_told_and_one_of_other_texts_is_warned_of(
    people: pd.DataFrame,
) -> None:
    """The columns by scikit-learn's own words; what cannot be read stays, and tells nothing."""
    imputer = Imputer(**SMALL).fit(people)
    for other in (people[["city"]], people.assign(more=1), people.rename(columns={"city": "town"})):
        with pytest.raises(ValueError, match="feature names should match"):
            imputer.transform(other)
    for name, text in (("height", "tall"), ("city", "Paris")):
        other = people.astype({name: object})
        other.loc[1003, name] = text
        other.loc[1004, name] = None
        with pytest.warns(UserWarning, match=f"row 4, column '{name}': '{text}' was never seen"):
            filled = imputer.transform(other)
        assert filled.loc[1003, name] == text
        assert not filled.isna().any(axis=None)
