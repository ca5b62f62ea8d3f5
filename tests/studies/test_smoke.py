"""Every study runs: in seconds, with the data it names, and says what the design asks of it."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from twofold.studies.digits_vae_vs_gan import steadiness
from twofold.studies.study import Result, every_study

NEEDS = {
    "aae": ("mnist",),
    "adam": ("mnist",),
    "attention-vae": ("fashion-mnist",),
    "biggan": ("fashion-mnist",),
    "dcgan-features": ("fashion-mnist",),
    "default-recipes": ("fashion-mnist",),
    "few-images": ("fashion-mnist",),
    "lapgan": ("fashion-mnist",),
    "progressive": ("fashion-mnist",),
    "style-based": ("fashion-mnist",),
    "vaegan-sharpness": ("fashion-mnist",),
    "beta-tradeoff": ("mnist",),
    "conditional-vae": ("mnist",),
    "better-prior": ("fashion-mnist",),
    "coverage": ("fashion-mnist", "wine-quality"),
    "ecg5000": ("ecg5000",),
    "ett-series": ("ett",),
    "icu-outcome": ("physionet2012",),
    "lesions": ("pneumoniamnist",),
    "mitdb-100": ("wfdb",),
    "missing-mechanisms": ("wine-quality",),
    "mnist-leave-one-out": ("mnist",),
    "mnist-nll": ("mnist",),
    "mnist-one-class": ("mnist",),
    "pneumonia": ("pneumoniamnist",),
    "stacked-mnist": ("mnist",),
    "sentence-control": ("multi30k",),
    "sentence-vae": ("multi30k",),
    "small-set": ("zinc",),
    "surface-defects": ("magnetic-tile",),
    "text-augment": ("multi30k",),
    "infogan-mnist": ("mnist",),
    "adult-tstr": ("adult",),
    "credit-tstr": ("credit-default",),
    "ssl-adult": ("adult",),
    "ssl-mnist": ("mnist",),
    "uci-imputation": ("wine-quality", "heart-cleveland", "credit-default"),
    "zinc-vae": ("zinc",),
    "qed-search": ("zinc",),
    "plogp-search": ("zinc",),
    "property-latent": ("zinc",),
    "esol-search": ("esol", "zinc"),
}

KEYS = {
    "name", "claim", "paper", "protocol", "budget", "date", "seconds", "seeds", "versions",
    "machine", "rows",
}  # fmt: skip
ROW = {
    "measure", "kind", "ours", "low", "high", "n", "split", "target", "reported", "source", "floor",
    "baseline", "better", "holds",
}  # fmt: skip


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No peer, whatever the environment names."""
    monkeypatch.delenv("TWOFOLD_PEER_PYTHON", raising=False)


@pytest.mark.parametrize("name", sorted(every_study()))
def test_a_study_runs(name: str, tmp_path: Path, named: Callable[[str], Path]) -> None:
    for data in NEEDS.get(name, ()):
        named(data)
    result = every_study()[name].run("smoke", 1, tmp_path)
    kept = json.loads((tmp_path / f"{name}.smoke.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(result.to_dict()))
    assert set(kept) == KEYS
    assert all(set(row) == ROW for row in kept["rows"])
    sound(result)


def sound(result: Result) -> None:
    """Figures are numbers, bars have targets, no two rows have one name."""
    assert len({row.measure for row in result.rows}) == len(result.rows) > 0
    for row in result.rows:
        assert math.isfinite(row.ours) == (row.n > 0), row
        assert math.isfinite(row.target) == (row.kind == "bar"), row
        assert (row.holds is None) == (row.kind == "finding"), row
        assert row.source != "" or math.isnan(row.reported), row


def test_every_study_has_a_test() -> None:
    assert set(NEEDS) <= set(every_study())


def test_steadiness_is_the_spread_as_a_share_of_the_mean() -> None:
    row = steadiness("vae", [9.0, 10.0, 11.0])
    assert row.ours == pytest.approx(0.1)
    # √(2 / χ²) at the quantiles of two degrees of freedom, 7.378 and 0.0506
    assert (row.low, row.high) == pytest.approx((0.0521, 0.6285), rel=1e-3)
