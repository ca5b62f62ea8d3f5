"""better-prior and coverage: what their bars are made of, and the faults that they see."""

from pathlib import Path

import pytest
import scipy.stats
import torch

from tests.maths.test_missing import B, S, W, linear_gaussian
from twofold.core.batch import Batch
from twofold.core.space import Space
from twofold.maths.conformal import corrected
from twofold.measures.calibration import Predicted
from twofold.measures.measure import Evidence
from twofold.studies import better_prior, coverage, kept
from twofold.studies.better_prior import OWN, Seen
from twofold.studies.coverage import Asked, Found, Mask, at_level, block, share

# better-prior


def seen(own: float, gmm: float) -> Seen:
    return Seen({OWN: own, "gmm": gmm}, {"gmm": -10.0, OWN: -20.0}, 1.0)


def test_a_density_that_helps_in_two_seeds_of_three_does_not_pass() -> None:
    (steady,) = better_prior.bars([seen(90, 30), seen(95, 33), seen(99, 31)])
    (unsure,) = better_prior.bars([seen(90, 30), seen(95, 33), seen(30, 31)])
    assert steady.holds
    assert not unsure.holds
    assert steady.target == unsure.target == 0


def test_each_row_stands_beside_the_own_prior_and_the_floor() -> None:
    own, gmm, *_ = better_prior.of_family("vae", [seen(90, 30), seen(96, 33)])
    assert (own.ours, gmm.ours, gmm.baseline, gmm.floor) == (93, 31.5, 93, 1)


def test_an_interrupted_run_is_gone_on_with_and_a_finished_one_is_not_trained_again(
    tmp_path: Path, named: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    named("fashion-mnist")  # type: ignore[operator]
    setting = better_prior.SETTINGS["smoke"]
    data = better_prior.opened(100)
    made = better_prior.trained("vae", data, setting, 0, tmp_path / "run")
    monkeypatch.setattr(kept, "start", None)
    monkeypatch.setattr(kept, "go_on", None)
    again = better_prior.trained("vae", data, setting, 0, tmp_path / "run")
    assert again.sha256 == made.sha256
    assert again.record["step"] == setting.steps


# coverage


def predicted(stretch: float, draws: int = 40) -> Predicted:
    """One of four numbers hidden, in the linear-Gaussian world and by its own model."""
    torch.manual_seed(0)
    z, noise = torch.randn(600, 1), torch.randn(600, 4)
    x = (B + z * W + stretch * S * noise).float()
    vae = linear_gaussian(missing=False).float()
    evidence = Evidence(vae.space, Space(), Batch.of(x), Batch.of(x[:0]), Batch.of(x[:0]), vae)
    mask = torch.zeros_like(x, dtype=torch.bool)
    mask[:, 1] = True
    with torch.no_grad():
        return Predicted.of(evidence, Batch.of(x), mask, draws, 20)


def test_halves_of_the_draws_rank_alike() -> None:
    found = predicted(1.0)
    for part in (found, *found.halves()):
        u = part.rank()[found.hidden]
        assert scipy.stats.kstest(u.numpy(), "uniform").pvalue > 1e-3


def test_choosing_by_one_half_does_not_bend_the_ranks_of_the_other() -> None:
    """Two values, each as likely as the other says: doubt is where the first draws differ."""
    p = torch.rand(4000, 1)
    draws = torch.bernoulli(p.expand(21, -1, -1))
    made = Predicted(draws[0], torch.ones_like(p).bool(), draws[1:], torch.zeros(20, 4000))
    first, second = made.halves()
    unsure = first.sureness() < 0.95
    assert 0.2 < unsure.float().mean() < 0.95
    assert scipy.stats.kstest(second.rank()[unsure].numpy(), "uniform").pvalue > 0.01
    known = Predicted(p, p > 0, torch.zeros(8, 4000, 1), torch.zeros(8, 4000)).sureness()
    assert (known > 1 - 1e-9).all()


def ways(bar: bool = True) -> Asked:
    return Asked("x", None, {}, {}, coverage.WINES["smoke"], {"a": Mask(block, bar)}, False)  # type: ignore[arg-type]


def test_a_model_too_sure_of_itself_fails_its_bar_and_the_correction_mends_it() -> None:
    half = predicted(2.0).rank()[:, 1]
    held = Found({"a": half[:300]}, {"a": half[300:]})
    raw, bar, mended = at_level(ways(), "a", 80, [held])
    assert not bar.holds
    assert raw.ours < 75
    assert abs(mended.ours - 80) < 7
    right = predicted(1.0).rank()[:, 1]
    assert at_level(ways(), "a", 95, [Found({"a": right}, {"a": right})])[1].holds


def test_a_finding_has_no_bar() -> None:
    u = torch.rand(50)
    kinds = [row.kind for row in at_level(ways(bar=False), "a", 50, [Found({"a": u}, {"a": u})])]
    assert kinds == ["finding", "finding"]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_a_corrected_level_holds_its_share_on_average(level: float) -> None:
    """Over many splits the coverage of new values is at least the level, and less than 1/n more."""
    ranks = 0.5 + 0.3 * (torch.rand(4000, 50) - 0.5)
    held = [share(u[40:], corrected(u[:40], level)) for u in ranks]
    mean, bound = sum(held) / len(held) / 100, level
    assert bound - 0.01 < mean < bound + 1 / 41 + 0.01


def test_too_few_values_to_promise_a_level_ask_for_the_widest() -> None:
    u = torch.tensor([0.4, 0.9])
    assert corrected(u, 0.95) == pytest.approx(0.8)
