"""A divergence that eases from a step on: the same before, less of it after, and back from TOML."""

import pytest
import torch

from twofold.core.build import build_part, parts_of, resolved
from twofold.core.game import Progress
from twofold.maths.distributions import Normal
from twofold.maths.divergences import DIP, FREE_BITS, KL, PERIOD, Adversarial, Code, Divergence
from twofold.maths.varying import Linear, at

STEP = 300
NAMES = sorted(parts_of(Divergence))
CODE = Code(
    Normal(torch.linspace(-2, 2, 24).reshape(8, 3), torch.full((8, 3), -1.0)),
    torch.linspace(-2, 2, 24).reshape(8, 3),
    Normal.standard(8, 3, torch.ones(())),
    8,
)


def rate(part: Divergence, step: int) -> float:
    torch.manual_seed(0)
    return part.build(3)(CODE, Progress(step=step)).item()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_before_its_step_and_less_after(name: str) -> None:
    part = parts_of(Divergence)[name]()
    eased = part.eased(STEP)
    assert type(eased) is type(part)
    for step in (0, STEP - 1):
        assert rate(eased, step) == rate(part, step)
    pressing = eased != part
    assert pressing == (name not in ("mmd", "adversarial"))  # which hold no part of the KL
    if pressing and name != "kl":
        assert rate(eased, STEP) < rate(part, STEP)
        half = STEP + PERIOD // 2
        assert rate(eased, half) == pytest.approx(rate(part, half))
        assert rate(eased, STEP + PERIOD) == rate(eased, STEP)  # from zero again


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_back_from_plain_data(name: str) -> None:
    eased = parts_of(Divergence)[name]().eased(STEP)
    assert build_part(Divergence, resolved(eased), "model.divergence") == eased


def test_free_bits_free_a_code_that_lies_on_the_prior() -> None:
    prior = Normal.standard(8, 3, torch.ones(()))
    mu = torch.full((8, 3), 0.3, requires_grad=True)
    code = Code(Normal(mu, torch.zeros(8, 3)), mu, prior, 8)  # KL 0.045 a dimension
    part = KL(beta=50.0).eased(STEP)
    for step, pressed in ((STEP - 1, True), (STEP, False)):
        value = part.build(3)(code, Progress(step=step))
        (slope,) = torch.autograd.grad(value, mu)
        assert bool(slope.any()) == pressed
    assert at(part, Progress(step=STEP)) == KL(beta=50.0, free_bits=FREE_BITS)


def test_weights_that_vary_or_are_kept_go_in_cycles_up_to_what_they_were() -> None:
    eased = DIP(beta=Linear(0.0, 8.0, steps=2 * STEP)).eased(STEP)
    now = [at(eased, Progress(step=s)).beta for s in (STEP - 3, STEP, STEP + PERIOD // 2)]
    assert now == pytest.approx([8 * (STEP - 3) / (2 * STEP), 0.0, 4.0])
    assert Adversarial(kl=1.0).eased(STEP) != Adversarial(kl=1.0)
