"""Bars of disentangle-shapes, and that a run of it goes on where it stopped."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Space
from twofold.data.sources import Memory
from twofold.maths.distributions import Normal
from twofold.maths.divergences import Code
from twofold.maths.likelihoods import BernoulliValues, CrossEntropy
from twofold.studies.disentangle_shapes import (
    GAP,
    PLAIN,
    SCORES,
    SETTINGS,
    SHOWN,
    World,
    compared,
    counts,
    judged,
    learnt,
    reached,
    scored,
    separate,
)

TC = "β-TCVAE"


def figures(level: float, spread: float = 0.01) -> list[dict[str, float]]:
    """Three seeds with every figure about a level."""
    return [dict.fromkeys(SHOWN, level + spread * d) for d in (-1.0, 0.0, 1.0)]


def test_a_gain_in_every_seed_holds_and_a_mixed_one_does_not() -> None:
    bar, worst = compared("MIG", [0.3, 0.31, 0.32], [0.1, 0.1, 0.1])
    assert bar.holds is True
    assert 0 < bar.ours < 0.2 == pytest.approx(worst.ours)
    assert worst.holds is None
    bar, worst = compared("MIG", [0.3, 0.31, 0.09], [0.1, 0.1, 0.1])
    assert bar.holds is False
    assert worst.ours == pytest.approx(-0.01)


def test_intervals_that_touch_are_not_apart() -> None:
    assert separate("MIG", [0.5, 0.51, 0.52], [0.1, 0.11, 0.12]).holds is True
    wide = [0.2, 0.5, 0.8]  # its mean is far above, its interval is not
    assert separate("MIG", wide, [0.1, 0.11, 0.12]).holds is False


def test_rows_of_both_budgets() -> None:
    found = {PLAIN: figures(0.1), TC: figures(0.4), "β-VAE": figures(0.05)}
    short, long = judged(found, apart=False), judged(found, apart=True)
    bars = {row.measure: row.holds for row in short if row.kind == "bar"}
    assert len(bars) == 2 * len(SCORES)
    assert all(holds == (TC in name) for name, holds in bars.items())
    assert len(long) == len(short) + 2 * len(SCORES) + 1
    assert [row.holds for row in long if GAP in row.measure and row.kind == "bar"] == [True]
    assert reached([0.2, 0.3, 0.29]).holds is False


def test_training_and_reported_rows_are_apart_and_no_model_is_given_a_factor() -> None:
    world = World.of(SETTINGS["smoke"])
    assert world.train.labels().shape[1] == 0
    assert [field.name for field in world.factors.fields] == ["shape", "scale", "x", "y"]
    train, test = (
        {tuple(row) for row in part.factors().tolist()} for part in (world.train, world.test)
    )
    assert not train & test
    evidence = world.evidence((), 40)
    assert len(evidence.real) == len(evidence.factors) == 40
    values = torch.stack([world.test.read(torch.tensor([i])).values[0] for i in range(3)])
    assert torch.equal(evidence.space.decode(evidence.real.x[:3]), values)


def test_blocks_have_the_likelihood_of_their_pixels() -> None:
    """Of a picture that is painted in blocks: pixel by pixel, and by the share of each block."""
    x = torch.bernoulli(torch.full((3, 1, 8, 8), 0.4), generator=torch.Generator().manual_seed(0))
    raw = torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    painted = raw.repeat_interleave(4, 2).repeat_interleave(4, 3)
    pixels = -F.binary_cross_entropy_with_logits(painted, x, reduction="sum")
    found = counts(Memory(x.byte(), x.new_zeros(3, 0)), torch.arange(3), 4)
    space = Space((Field("pixels", Bounded(0, 16, 17)),), (2, 2))
    p = CrossEntropy()(raw, raw[:0], space.fields[0].domain)
    assert isinstance(p, BernoulliValues)
    assert found.max() <= 16
    by_block = 16 * p.log_prob(space.encode(found)).sum()
    torch.testing.assert_close(by_block, pixels)


def test_weights_are_in_units_of_a_nat() -> None:
    """Divided by b², all of a rate is: a code costs a sixteenth at b = 4."""
    torch.manual_seed(0)
    q = Normal(torch.randn(6, 3), 0.3 * torch.randn(6, 3))
    code = Code(q, q.rsample(), Normal.standard(6, 3, q.mu), size=100)
    for rate in SETTINGS["paper"].models.values():
        torch.manual_seed(1)
        whole = rate(1.0).build(3)
        torch.manual_seed(1)
        part = rate(1 / 16).build(3)
        torch.testing.assert_close(part(code, Progress()) * 16, whole(code, Progress()))


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    setting = SETTINGS["smoke"]
    world = World.of(setting)
    rate = setting.models[TC]
    once = scored(world, setting, learnt(world, setting, rate, 0, tmp_path / "0"))
    assert set(once) == set(SHOWN)
    kept = sorted(path.stat().st_mtime_ns for path in (tmp_path / "0").iterdir())
    again = scored(world, setting, learnt(world, setting, rate, 0, tmp_path / "0"))
    assert again == once
    assert kept == sorted(path.stat().st_mtime_ns for path in (tmp_path / "0").iterdir())
