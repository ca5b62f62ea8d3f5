"""`vaegan`, `latentgan` and `mdgan` against their losses by hand, and who learns of what."""

import pytest
import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space, Token
from twofold.maths.adversarial import NonSaturating
from twofold.models.latentgan import LatentGAN
from twofold.models.mdgan import MDGAN
from twofold.models.vaegan import VAEGAN
from twofold.nets.bodies import Dense, Suited
from twofold.nets.similarity import SimilarityCritic

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))
NONE = Given(torch.zeros(6, 0, dtype=torch.float64))
DENSE = Dense(8, 1)


def moved(loss: Tensor, net: nn.Module) -> bool:
    """Whether a loss has a gradient in a network."""
    found = torch.autograd.grad(loss, [*net.parameters()], retain_graph=True, allow_unused=True)
    return any(g is not None and bool(g.any()) for g in found)


def vaegan(**changes: object) -> VAEGAN:
    torch.manual_seed(0)
    return VAEGAN(SPACE, Space(), 2, DENSE, DENSE, DENSE, features=4, **changes)  # type: ignore[arg-type]


def latentgan(**changes: object) -> LatentGAN:
    torch.manual_seed(0)
    return LatentGAN(SPACE, Space(), 2, 3, DENSE, DENSE, DENSE, DENSE, **changes)  # type: ignore[arg-type]


def mdgan(**changes: object) -> MDGAN:
    torch.manual_seed(0)
    return MDGAN(SPACE, Space(), 2, DENSE, DENSE, DENSE, features=4, **changes)  # type: ignore[arg-type]


def test_vaegan_is_algorithm_1() -> None:
    model, x = vaegan(gamma=0.3, beta=2.0, penalties=()), torch.randn(6, 3)
    torch.manual_seed(1)
    (turn,) = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    q = model.q(x, NONE.c)
    z, z_p = q.mean + q.sigma * torch.randn(6, 2), torch.randn(6, 2)
    seen, back, drawn = (model.Dis(t, NONE.c) for t in (x, model.Dec(z, NONE.c).mean,
                                                      model.Dec(z_p, NONE.c).mean))  # fmt: skip
    prior = (q.mean**2 + q.sigma**2 - 1).sum(1) / 2 - q.sigma.log().sum(1)
    llike = ((seen.phi - back.phi) ** 2).sum(1) / 2
    D = [look.logits.sigmoid() for look in (seen, back, drawn)]
    gan = D[0].log() + (1 - D[1]).log() + (1 - D[2]).log()
    deceived = -D[1].log() - D[2].log()
    torch.testing.assert_close(turn.losses["encoder"], (2 * prior + llike).mean())
    torch.testing.assert_close(turn.losses["decoder"], (0.3 * llike + deceived).mean())
    torch.testing.assert_close(turn.losses["critic"], -gan.mean())


def test_a_vaegan_pays_for_the_slope_of_its_critic() -> None:
    x = torch.randn(6, 3)
    steep, flat = (vaegan(**kw) for kw in ({}, {"penalties": ()}))
    torch.manual_seed(1)
    (with_r1,) = steep.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    (without,) = flat.play(Batch.of(x), Progress())
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(steep.judge(leaf, NONE).sum(), leaf)
    paid = with_r1.losses["critic"] - without.losses["critic"]
    torch.testing.assert_close(paid, slope.square().sum(1).mean() / 2)


def test_layer_l_keeps_places_and_the_logit_is_made_of_it() -> None:
    image = Space((Field("pixel", Real(), 1),), (28, 28))
    critic = SimilarityCritic(Suited(), image, Space(), 5, places=64)
    x = torch.randn(2, 1, 28, 28)
    look = critic(x, x.new_zeros(2, 0))
    assert look.phi.shape == (2, 5, 7, 7)
    torch.testing.assert_close(look.logits, critic.upper(look.phi, x.new_zeros(2, 0)).squeeze(1))


def test_latentgan_is_a_vae_and_a_gan_of_its_codes() -> None:
    options = {"objective": NonSaturating(), "penalties": (), "beta": 0.4}
    model, x = latentgan(**options), torch.randn(6, 3)
    torch.manual_seed(1)
    vae, critic, generator = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    q = model.q(x, NONE.c)
    z = q.mean + q.sigma * torch.randn(6, 2)
    rate = ((q.mean**2 + q.sigma**2 - 1) / 2 - q.sigma.log()).sum(1)
    bound = model.p(z, NONE.c).log_prob(x) - 0.4 * rate
    torch.testing.assert_close(vae.losses["autoencoder"], -bound.mean())
    real, fake = (model.D(t, NONE.c).sigmoid() for t in (z, model.G(torch.randn(6, 3), NONE.c)))
    torch.testing.assert_close(critic.losses["critic"], -(real.log() + (1 - fake).log()).mean())
    fake = model.D(model.G(torch.randn(6, 3), NONE.c), NONE.c).sigmoid()
    torch.testing.assert_close(generator.losses["generator"], -fake.log().mean())
    assert not moved(critic.losses["critic"], model.q)
    assert not moved(generator.losses["generator"], model.q)


def test_a_latentgan_draws_tokens() -> None:
    words = Space((Field("word", Token(("", "a", "b", "c"))),), (5,))
    x = LatentGAN(words, Space(), 2).sample(Given(torch.zeros(7, 0)))
    assert x.shape == (7, 4, 5)
    assert x.sum(1).equal(torch.ones(7, 5))


def test_mdgan_is_a_manifold_and_a_diffusion_step() -> None:
    model, x = mdgan(penalties=(), distance=0.5, deceiving=2.0), torch.randn(6, 3)
    torch.manual_seed(1)
    manifold, regularised, diffusion, drawn = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)

    def D(net: nn.Module, seen: Tensor) -> Tensor:  # noqa: N802
        p: Tensor = net(seen, NONE.c).sigmoid()
        return p

    back = model.G(model.E(x, NONE.c), NONE.c).mean
    hand = -(D(model.D_1, x).log() + (1 - D(model.D_1, back)).log()).mean()
    torch.testing.assert_close(manifold.losses["manifold"], hand)
    d = ((x - back) ** 2).sum(1)
    hand = (0.5 * d - 2 * D(model.D_1, back).log()).mean()
    torch.testing.assert_close(regularised.losses["generator"], hand)
    fake = model.G(torch.randn(6, 2), NONE.c).mean
    hand = -(D(model.D_2[0], back).log() + (1 - D(model.D_2[0], fake)).log()).mean()
    torch.testing.assert_close(diffusion.losses["diffusion"], hand)
    fake = model.G(torch.randn(6, 2), NONE.c).mean
    torch.testing.assert_close(drawn.losses["generator"], -D(model.D_2[0], fake).log().mean())
    assert moved(regularised.losses["generator"], model.E)
    assert not moved(drawn.losses["generator"], model.E)


def test_one_critic_is_the_regularised_gan() -> None:
    model, x = mdgan(single=True, penalties=(), distance=0.5, deceiving=2.0), torch.randn(6, 3)
    torch.manual_seed(1)
    critic, generator = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    real, fake, back, again = (
        model.D_1(t, NONE.c).sigmoid()
        for t in (
            x,
            model.G(torch.randn(6, 2), NONE.c).mean,
            model.G(model.E(x, NONE.c), NONE.c).mean,
            model.G(torch.randn(6, 2), NONE.c).mean,
        )
    )
    hand = -(real.log() + (1 - fake).log()).mean()
    torch.testing.assert_close(critic.losses["manifold"], hand)
    d = ((x - model.G(model.E(x, NONE.c), NONE.c).mean) ** 2).sum(1)
    hand = (-again.log() + 0.5 * d - 2 * back.log()).mean()
    torch.testing.assert_close(generator.losses["generator"], hand)
    assert moved(generator.losses["generator"], model.E)
    assert set(model.players()) == {"manifold", "generator"}
