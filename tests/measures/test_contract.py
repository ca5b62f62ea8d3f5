"""The laws asked of every measure found by walking the package."""

import dataclasses
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.measures import worlds
from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes, Scores
from twofold.maths.distributions import Normal
from twofold.measures import measure as module
from twofold.measures.annealed import Annealed
from twofold.measures.interventions import BetaVAEScore, FactorVAEScore
from twofold.measures.measure import (
    Evidence,
    Figure,
    Measure,
    every_measure,
    figures,
    quick_figures,
)
from twofold.measures.series import Discriminative, Predictive

LAYOUTS = ["vector", "image", "series", "table"]


class Halves(Decodes, Encodes, Scores):
    """A model of any x: its code is the first half of x, which is all it decodes to."""

    def __init__(self, shape: torch.Size) -> None:
        self.shape = shape
        self.latent = shape.numel() // 2

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, torch.ones(()))

    def encode(self, x: Tensor, given: Given) -> Normal:
        mu = x.flatten(1)[:, : self.latent]
        return Normal(mu, torch.full_like(mu, -1))

    def decode(self, z: Tensor, given: Given) -> Normal:
        rest = torch.zeros(len(z), self.shape.numel() - self.latent)
        mu = torch.cat([z, rest], 1).reshape(-1, *self.shape)
        return Normal(mu, torch.full_like(mu, -1))

    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()

    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        q = self.encode(x, given).repeat(samples)
        z, seen = q.sample(), x.repeat_interleave(samples, 0)
        log_w = self.decode(z, given.repeat(samples)).log_prob(seen) - q.log_prob(z)
        log_w = log_w + Normal.standard(len(z), self.latent, z).log_prob(z)
        return log_w.unflatten(0, (-1, samples)).logsumexp(1) - math.log(samples)


def evidence_of(layout: str) -> Evidence:
    evidence = worlds.evidence_of(layout, 60)
    return replace(evidence, model=Halves(evidence.real.x.shape[1:]))


SHORT: dict[type[Measure], dict[str, int]] = {
    Annealed: {"steps": 4, "chains": 2, "leapfrog": 2, "n": 6},
    BetaVAEScore: {"train": 60, "test": 30},
    Discriminative: {"steps": 20, "repeats": 1},
    Predictive: {"steps": 20, "repeats": 1},
    FactorVAEScore: {"train": 60, "test": 30},
}
"""What would take minutes, made short."""
EVERY = [replace(measure, **SHORT.get(type(measure), {})) for measure in every_measure()]
PAIRS = [
    pytest.param(measure, layout, id=f"{type(measure).__name__}-{layout}")
    for measure in EVERY
    for layout in LAYOUTS
]  # fmt: skip


def test_names_are_unique_and_plain() -> None:
    names = [name for measure in every_measure() for name in measure.names]
    assert len(names) == len(set(names)) > 15
    assert all(name == name.lower() and " " not in name for name in names)


@pytest.mark.parametrize("measure", every_measure(), ids=lambda m: type(m).__name__)
def test_a_measure_is_a_frozen_configuration(measure: Measure) -> None:
    assert dataclasses.is_dataclass(measure)
    assert measure == type(measure)()
    assert type(measure).__subclasses__() == []
    with pytest.raises(dataclasses.FrozenInstanceError):
        measure.n = 1
    smaller = replace(measure, n=7)
    assert smaller.n == 7


@pytest.mark.parametrize(("measure", "layout"), PAIRS)
def test_figures_are_whole(measure: Measure, layout: str) -> None:
    evidence = replace(evidence_of(layout), seed=3, split="validation")
    if measure.refuses(evidence):
        return
    before = [evidence.real.x.clone(), evidence.train.x.clone(), evidence.fake.x.clone()]
    state = torch.get_rng_state()
    made = measure(evidence)
    assert made
    for figure in made:
        assert figure.name in measure.names
        assert isinstance(figure.value, float)
        assert math.isfinite(figure.value)
        assert figure.low <= figure.value <= figure.high
        assert math.isfinite(figure.high - figure.low)
        assert not math.isinf(figure.floor)
        assert math.isnan(figure.baseline) == (figure.baseline_name == "")
        assert 0 < figure.n <= 60
        assert (figure.seed, figure.split) == (3, "validation")
        assert figure.note
    after = [evidence.real.x, evidence.train.x, evidence.fake.x]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("measure", "layout"), PAIRS)
def test_a_seed_decides_everything(measure: Measure, layout: str) -> None:
    evidence = evidence_of(layout)
    if measure.refuses(evidence):
        return
    torch.manual_seed(1)
    first = [repr(figure) for figure in measure(evidence)]  # NaN equals NaN in text
    torch.manual_seed(2)
    assert first == [repr(figure) for figure in measure(evidence)]


@pytest.mark.parametrize(("measure", "layout"), PAIRS)
def test_without_draws_or_real_ones_or_a_model_it_refuses_or_does_without(
    measure: Measure, layout: str
) -> None:
    evidence = evidence_of(layout)
    empty = evidence.real[:0]
    for less in (
        replace(evidence, fake=empty),
        replace(evidence, train=empty),
        replace(evidence, real=empty),
        replace(evidence, model=()),
        replace(evidence, real=empty, train=empty, fake=empty),
    ):
        reason = measure.refuses(less)
        assert reason == reason.strip()
        assert reason or measure(less)


EXPECTED = {
    "vector": {"fd_identity-v1", "precision", "elbo", "nll_is100", "kl", "mig", "sap", "irs"},
    "image": {"fd_tiny-v1", "kd_tiny-v1", "recall", "sharpness_ratio", "modes_covered", "elbo"},
    "series": {"fd_rocket-v1", "kd_rocket-v1", "coverage", "copies_exact", "mutual_information"},
    "table": {"fd_identity-v1", "reconstruction_accuracy", "copies_closer", "active_units"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_has_its_figures_and_a_reason_for_every_other(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "every_measure", lambda: EVERY)
    found, refused = figures(evidence_of(layout))
    names = {figure.name for figure in found}
    costly = {name for m in EVERY if m.costly for name in m.names}
    assert costly <= set(refused)
    assert names >= EXPECTED[layout]
    assert names | set(refused) == {name for m in EVERY for name in m.names}
    assert not names & set(refused)
    assert all(refused.values())


def test_figures_can_be_chosen_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "every_measure", lambda: EVERY)
    evidence = evidence_of("vector")
    found, refused = figures(evidence, ("recall", "fd_identity-v1", "sharpness_ratio"))
    assert [figure.name for figure in found] == ["recall", "fd_identity-v1"]
    assert list(refused) == ["sharpness_ratio"]
    everything = figures(evidence)[0]
    fewer, _ = figures(evidence, skip=("kl",))
    assert [f.name for f in fewer] == [f.name for f in everything if f.name != "kl"]


def test_what_takes_minutes_is_computed_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Annealed(**SHORT[Annealed])
    monkeypatch.setattr(module, "every_measure", lambda: [short])
    evidence = evidence_of("vector")
    found, refused = figures(evidence)
    assert not found
    assert set(refused) == set(short.names)
    assert "when it is named" in refused["nll_ais4"]
    found, refused = figures(evidence, ["nll_ais4"])
    assert [figure.name for figure in found] == ["nll_ais4"]
    assert refused == {}


def test_a_wrong_name_is_the_users_to_mend() -> None:
    with pytest.raises(UserError, match="did you mean 'recall'"):
        figures(evidence_of("vector"), ("recal",))
    with pytest.raises(UserError, match="not a measure"):
        figures(evidence_of("vector"), skip=("nothing-like-it",))


def test_a_tick_looks_at_few_observations() -> None:
    made = quick_figures(worlds.evidence_of("image", 60), n=30)
    assert "fd_tiny-v1" in {figure.name for figure in made}
    assert all(figure.n == 30 for figure in made)
    assert quick_figures(worlds.evidence_of("image", 60), n=5) == []


def test_measures_see_no_gradient() -> None:
    model = worlds.LinearGaussian(torch.tensor([2.0, 1.0]), 6)
    evidence = replace(worlds.evidence_of("vector", 60), model=model)
    grown = Batch.of(evidence.fake.x.clone().requires_grad_())
    made: list[Figure] = figures(replace(evidence, fake=grown))[0]
    assert made
    assert model.W.grad is None
    assert model.training
