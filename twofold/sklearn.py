"""Estimators for people who live in scikit-learn.

`VAEEncoder` turns rows into codes, `AnomalyDetector` says which rows are abnormal, `Imputer` fills
gaps, and `Synthesizer` draws new rows. They go into a pipeline and a grid search, and take arrays
of numbers or data frames: a frame is a table (`data/kinds/tables.py`), whose columns keep their
types and bounds and may have gaps; all else is vectors (`data/kinds/arrays.py`).

Fitting makes a run like any other, `run_`, in a temporary folder or in `out`; an estimator that is
pickled or copied carries the files of its run along. Codes depend on their row alone; fills and
scores are means over draws, the same for the same X, and within their noise for a row among others.

>>> import numpy as np
>>> X = np.random.default_rng(0).normal(size=(200, 3))
>>> VAEEncoder(latent=2, steps=5).fit_transform(X).shape
(200, 2)
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
import weakref
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    OneToOneFeatureMixin,
    OutlierMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from twofold import verbs
from twofold.apps import anomaly, imputation
from twofold.apps.anomaly import Detector, How
from twofold.apps.imputation import Filling
from twofold.core.errors import UserError
from twofold.core.game import Encodes
from twofold.data.frames import library, pandas, to_pandas
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows, Source, Subset
from twofold.runs.run import Run
from twofold.runs.training import material_of

Array = NDArray[Any]
KEPT = ("*.toml", "space.json", "state.json", "*.safetensors", "log.jsonl")
"""The files of a run that an estimator carries along."""


@dataclass(eq=False, repr=False, kw_only=True)
class Trained(BaseEstimator, ABC):  # type: ignore[misc]
    """What the estimators share: a run that is fitted to X.

    Args:
        latent: dimensions of a code.
        steps, batch: of training.
        settings: of the recipe besides, such as "model.divergence.beta=0.5".
        random_state: of all chance.
        out: where the run goes; a temporary folder without it.
    """

    latent: int = 8
    steps: int = 1000
    batch: int = 128
    settings: Sequence[str] = ()
    random_state: Any = 0
    out: str | Path = ""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows.

        Args:
            X: an array of numbers (N, D), or a data frame.
            y: not used.
        """
        X = self._taken(X, fitting=True)
        if len(X) < 2:
            raise ValueError("found n_samples = 1, a single sample; a model needs at least two")
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        training = {"steps": self.steps, "batch": min(self.batch, len(X)), "seed": seed}
        settings = [f"train.{key}={value}" for key, value in training.items()]
        self.run_ = verbs.fit(
            X,
            model="vae",
            set=[*settings, f"model.latent={self.latent}", *self._settings(), *self.settings],
            out=self._folder(),
            quiet=True,
        )
        self._learn(X)
        return self

    def _settings(self) -> Sequence[str]:
        """What else the recipe needs for the job."""
        return ()

    def _learn(self, X: Any) -> None:
        """What is learnt of X when the run is there."""

    def _folder(self) -> Path:
        """Where the run goes: as asked, or into a folder that goes with the estimator."""
        if self.out:
            return Path(self.out)
        return home(self) / "run"

    def _taken(self, X: Any, fitting: bool) -> Any:
        """X as the product takes it: a frame as a table, or numbers in double precision."""
        if fitting:
            self._types = types_of(X)
        if len(self._types):
            validate_data(self, X, reset=fitting, skip_check_array=True)
            return X if library(X) else framed(X, self._types)
        gaps = "allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True
        return validate_data(self, X, reset=fitting, dtype=np.float64, ensure_all_finite=gaps)

    def _checked(self, X: Any) -> Any:
        """X at use, of the columns that were fitted."""
        check_is_fitted(self, "run_")
        return self._taken(X, fitting=False)

    def _opened(self, X: Any) -> Source:
        """Rows at use, as the run keeps them."""
        X = self._checked(X)
        kind = self.run_.kind
        if not isinstance(kind, Tables):
            return self.run_.source(X)
        rows, found = kind.with_strangers().read(X)
        for one in found:
            warnings.warn(one.text, UserWarning, stacklevel=3)
        return rows

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return {**state, "run_": packed(state["run_"].path)} if "run_" in state else state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__({key: value for key, value in state.items() if key != "run_"})
        if "run_" in state:
            self.run_ = unpacked(state["run_"], home(self))


@final
@dataclass(eq=False, repr=False, kw_only=True)
class VAEEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Trained):  # type: ignore[misc]
    """Rows as the means of their codes under a VAE.

    >>> VAEEncoder(latent=3).get_params()["latent"]
    3
    """

    def transform(self, X: Any) -> Array:
        """The codes of rows, (N, latent)."""
        source = self._opened(X)
        model = self.run_.role(Encodes, "transform")
        rows = torch.arange(len(source)).split(1)  # a product of matrices is rounded by their size
        with torch.inference_mode():
            batches = [self.run_.batch(source, row) for row in rows]
            return torch.cat([model.encode(b.x, b.given).mean for b in batches]).double().numpy()

    @property
    def _n_features_out(self) -> int:
        return self.latent


@final
@dataclass(eq=False, repr=False, kw_only=True)
class Imputer(OneToOneFeatureMixin, TransformerMixin, Trained):  # type: ignore[misc]
    """Gaps filled by what a VAE says of them, given what is there; what is known stays as it is.

    Args:
        samples: weighted draws a row, whose mean fills a number.
        likelihood: of the numbers of an array; a table has its own.
    """

    samples: int = 100
    likelihood: str = "student-t"

    def _settings(self) -> Sequence[str]:
        return [] if len(self._types) else [f'model.likelihood=["{self.likelihood}"]']

    def transform(self, X: Any) -> Any:
        """The rows without a gap, as an array, or as the frame that came in.

        Raises:
            ValueError: a frame has other columns than the one that was fitted, or other ones first.
        """
        X = self._checked(X)
        kind = self.run_.kind.gappy()
        for found in kind.passed(X):  # stays as it is, and tells nothing of the gaps
            warnings.warn(found.text, UserWarning, stacklevel=3)
        rows = imputation.opened(kind.open(X))
        filled = imputation.filled(self.run_, rows, Filling(samples=self.samples)).fill
        found = kind.native(Rows(filled, rows.given))
        return patched(X, found) if len(self._types) else np.where(np.isnan(X), found, X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = True  # a row's draws depend on the rows before it
        return tags


@final
@dataclass(eq=False, repr=False, kw_only=True)
class AnomalyDetector(OutlierMixin, Trained):  # type: ignore[misc]
    """How abnormal rows are, calibrated on rows that were held out of training.

    Args:
        rate: false alarms to expect among rows like those that were fitted.
        samples: draws of the code a row.
    """

    rate: float = 0.05
    samples: int = 20

    def _settings(self) -> Sequence[str]:
        if not 0 < self.rate < 1:
            raise UserError(f"rate = {self.rate} is no rate; say 0.01 for one false alarm in 100")
        return ["data.split.validation=0.25", "data.split.test=0"]

    def _learn(self, X: Any) -> None:
        made = material_of(self.run_, X)
        none = Subset(made.validation, torch.arange(0))
        how = How(draws=self.samples)
        found = anomaly.detector([self.run_], made.train, made.validation, none, how)
        anomaly.keep(found)
        line = found.threshold("quantile", self.rate)
        self.offset_ = -line.value
        if line.promised > self.rate:
            text = (
                f"{len(made.validation)} held-out rows cannot promise the rate of {self.rate:.2%} "
                f"asked for, but one of {line.promised:.2%}; fit more rows"
            )
            warnings.warn(text, UserWarning, stacklevel=3)

    @property
    def detector_(self) -> Detector:
        """What scores, as it is kept with the run."""
        check_is_fitted(self, "run_")
        return anomaly.kept([self.run_], How(draws=self.samples))[0]

    def score_samples(self, X: Any) -> Array:
        """How normal rows are, (N,): the ensemble's score with its sign turned."""
        X = self._checked(X)
        found = self.detector_
        raw = found.raw(self._opened(X))["score"]
        kind = self.run_.kind
        if isinstance(kind, Tables):
            raw = anomaly.alarmed(raw, kind.unseen(X).any(1), found.normal["score"])
        return -raw.numpy()

    def decision_function(self, X: Any) -> Array:
        """The same above the threshold, (N,): negative is abnormal."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Array:
        """1 for normal rows and −1 for abnormal ones, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> Array:
        """The chance that a normal row scores as high, (N,)."""
        raw = {"score": torch.from_numpy(-self.score_samples(X))}
        return self.detector_.calibrated(raw, "quantile", self.rate)["score"].p.numpy()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True  # a row's draws depend on the rows before it
        return tags


@final
@dataclass(eq=False, repr=False, kw_only=True)
class Synthesizer(Trained):
    """New rows like those that were fitted, in their own columns, units and types."""

    def sample(self, n: int = 100, seed: int = 0, **given: Any) -> Any:
        """Draw rows, as an array, or as a frame where one was fitted.

        Args:
            n: how many. seed: of the draw.
            given: conditions by the name of a column that is one, as `settings` say.
        """
        check_is_fitted(self, "run_")
        return self.run_.sample(n, given, seed)


# Rows.


def types_of(X: Any) -> Mapping[Any, Any]:
    """The types of the columns of a frame by their names; none of what is no frame."""
    return dict(to_pandas(X).dtypes) if library(X) else {}


def framed(X: Any, types: Mapping[Any, Any]) -> Any:
    """An array as a frame of the columns that were fitted."""
    frame = pandas().DataFrame(np.asarray(X), columns=list(types))
    whole = {name: dtype for name, dtype in types.items() if not frame[name].isna().any()}
    return frame.astype(whole)


def patched(X: Any, found: Any) -> Any:
    """A pandas frame with the gaps taken from another."""
    return X.where(X.notna(), found.set_axis(X.index, axis=0))


# Runs that travel.


def home(owner: object) -> Path:
    """A folder of its own, which goes with its owner."""
    folder = tempfile.mkdtemp(prefix="twofold-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def packed(folder: Path) -> dict[str, bytes]:
    """The files of a run."""
    return {path.name: path.read_bytes() for name in KEPT for path in folder.glob(name)}


def unpacked(files: Mapping[str, bytes], folder: Path) -> Run:
    """A run from its files, put into a folder."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return Run.open(folder)
