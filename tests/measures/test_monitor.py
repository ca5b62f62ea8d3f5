"""The reading of a code: exact on a linear-Gaussian model, and of every posterior and prior."""

import math
from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.core.batch import Batch
from twofold.core.build import parts_of
from twofold.core.space import Category, Field, Real, Space
from twofold.maths.distributions import FullNormal
from twofold.measures.latent import Latent, infer, information_terms, paired
from twofold.measures.monitor import read, readable, reconstruction
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.posteriors import Form
from twofold.nets.priors import Prior

SPACE = Space((Field("v", Real(), 3), Field("sort", Category(("a", "b")), missing=True)))


def linear(scales: tuple[float, ...], n: int = 400) -> tuple[worlds.LinearGaussian, Batch]:
    model = worlds.LinearGaussian(torch.tensor(scales), 5)
    return model, worlds.linear_evidence(model, n).real


def test_it_reads_the_exact_kl_and_reconstruction_of_a_linear_model() -> None:
    model, real = linear((1.0, 0.5, 1e-3), 8000)
    reading = read(model, real)
    exact = 0.5 * (1 + model.W.square().sum(0) / model.noise**2).log()
    torch.testing.assert_close(
        torch.tensor(reading.kl_by_dimension), exact.detach(), atol=0.03, rtol=0
    )
    assert reading.active_units == 2
    assert reading.mutual_information == pytest.approx(exact.sum().item(), abs=0.08)
    assert reading.used
    # of the true posterior, log p(x) = E log p(x | z) − KL in the mean
    bound = model.exact(real.x).mean().item()
    assert reading.reconstruction["x"] - sum(reading.kl_by_dimension) == pytest.approx(
        bound, abs=0.05
    )


def test_a_code_that_says_nothing_is_not_used() -> None:
    class Collapsed(worlds.LinearGaussian):
        def encode(self, x, given):
            return self.prior(given)

    reading = read(Collapsed(torch.ones(2), 5), linear((1.0, 1.0))[1])
    assert not reading.used
    assert reading.active_units == 0
    assert reading.numbers()["kl"] == pytest.approx(0, abs=1e-6)


def test_pairs_and_products_give_the_same_information() -> None:
    """The estimate for any posterior equals the one for diagonal Gaussians, on the same pairs."""
    model, real = linear((2.0, 0.7), 96)

    class Full(worlds.LinearGaussian):
        def encode(self, x, given):
            q = super().encode(x, given)
            return FullNormal(q.mu, torch.diag_embed(q.sigma))

    full = paired(Full(torch.tensor([2.0, 0.7]), 5), real, 0).mean()
    plain = information_terms(infer(model, real, 0), 30, 0).mean()
    assert full.item() == pytest.approx(plain.item(), abs=0.15)
    assert full <= math.log(96)
    evidence = replace(worlds.linear_evidence(model, 96), model=Full(torch.tensor([2.0, 0.7]), 5))
    kl, active, information = Latent()(evidence)
    assert (len(kl.parts), active.value) == (1, 2)
    assert information.value == pytest.approx(plain.item(), abs=0.2)


@pytest.mark.parametrize("form", parts_of(Form))
@pytest.mark.parametrize("prior", parts_of(Prior))
def test_every_posterior_under_every_prior_is_read(form: str, prior: str) -> None:
    if prior == "vamp" and form != "diagonal":
        pytest.skip("vamp mixes diagonal posteriors")
    small = Dense(8, 1)
    parts = {"posterior": parts_of(Form)[form](), "prior": parts_of(Prior)[prior]()}
    model = VAE(SPACE, Space(), 2, small, small, **parts)
    batch = Batch.of(SPACE.encode(torch.cat([torch.randn(40, 3), torch.ones(40, 1)], 1)))
    assert readable(model, batch)
    reading = read(model, batch)
    numbers = [*reading.kl_by_dimension, reading.mutual_information]
    assert all(math.isfinite(v) for v in (*numbers, *reading.reconstruction.values()))
    assert len(reading.kl_by_dimension) == (2 if form == "diagonal" and prior == "standard" else 1)
    assert set(reading.reconstruction) == {"v", "sort"}
    assert read(model, batch) == reading


def test_the_terms_of_a_reconstruction_sum_to_it() -> None:
    model = VAE(SPACE, Space(), 2, Dense(8, 1), Dense(8, 1))
    batch = Batch.of(SPACE.encode(torch.cat([torch.randn(40, 3), torch.ones(40, 1)], 1)))
    terms = reconstruction(model, batch, 3)
    torch.manual_seed(3)
    with torch.no_grad():
        z = model.encode(batch.x, batch.given).sample()
        whole = model.decode(z, batch.given).log_prob(batch.x).mean()
    assert sum(terms.values()) == pytest.approx(whole.item(), rel=1e-5)


def test_what_has_no_code_is_not_read() -> None:
    model, real = linear((1.0,))
    assert readable(model, real)
    assert not readable(model, real[:1])
    assert not readable(object(), real)
    assert not Latent().refuses(worlds.linear_evidence(model, 10))
