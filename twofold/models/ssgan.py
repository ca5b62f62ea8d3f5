r"""The GAN that learns to classify from few labels.

The critic tells real observations from drawn ones and, of real ones, which of K labels they carry.
It is one classifier of K + 1 classes, "drawn" being the last; as only differences of logits count,
$l_{K+1} = 0$, and with $Z(x) = \sum_{k \le K} \exp l_k(x)$

$$ D(x) = \frac{Z(x)}{Z(x) + 1}, \qquad p(y \mid x, y \le K) = \frac{\exp l_y(x)}{Z(x)}. $$

It minimises $L = \lambda L_\text{supervised} + L_\text{unsupervised}$,

$$ L_\text{supervised} = -\mathbb E_{x,y} \log p(y \mid x, y \le K), \qquad
   L_\text{unsupervised} = -\mathbb E_x \log D(x) - \mathbb E_z \log\big(1 - D(G(z))\big), $$

the first over rows whose label is known, the second over all. Where training shows rows with a
label more often than the data have them (`train.labelled`), each counts in the second for what it
is in the data: else the critic would take the few for the whole. The generator matches the mean of
the critic's features φ, which the authors found to be what makes the classifier good (*feature
matching*), and may be asked to deceive it as well:

$$ L_G = \|\mathbb E_x\, \varphi(x) - \mathbb E_z\, \varphi(G(z))\|^2
   - \alpha\, \mathbb E_z \log D(G(z)). $$

The penalties bound the slope of log Z, without which a critic of few labels runs away from its
generator. What the critic is shown may be changed at random, T (`augment`, `instance_noise`, noise
in its layers); it may then be asked to say the same of an observation however it is changed
(*consistency*, Laine & Aila 2017, arXiv:1610.02242; in this game Wei et al. 2018,
arXiv:1803.01541),

$$ \mu\, \mathbb E_x \|p(y \mid T(x)) - p(y \mid T'(x))\|^2, $$

and to be sure of it, whatever it says, so that its borders run where there are few observations
(*entropy*, Grandvalet & Bengio 2005; in this game Dai et al. 2017, arXiv:1705.09783),

$$ \nu\, \mathbb E_x H\big(p(y \mid T(x))\big). $$

The label is never shown to a network. The noise of a wanted label is chosen
among draws of p(z) with the chance p(y | G(z)) (*sampling importance resampling*); what else is
given conditions both players.

Source: Salimans et al. 2016, Improved Techniques for Training GANs, arXiv:1606.03498, §5 and §3.1.

Notation: x real, x̂ drawn, (B, C, *A); z (B, D); l (B, K); y (B, K) one-hot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import softplus

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Classifies, Criticises, Decodes, Distribution, Model, Progress, Turn
from twofold.core.label import Label
from twofold.core.space import Space
from twofold.maths.augmentations import Augmentation, Unchanged
from twofold.maths.distributions import Categories, Normal, Resampled
from twofold.maths.penalties import R1, Contest, Penalty, steepness
from twofold.maths.varying import Number, value
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.classifiers import LabelCritic, Seen
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.steadying import Steadied


class SSGAN(Model, Decodes, Criticises, Classifies, Steadied):
    """The semi-supervised GAN of a Space.

    Args:
        latent: D, the dimensions of the noise.
        generator: the architecture of G.
        critic: the architecture of D.
        features: the width of φ.
        label: which category of what is given is learnt; the first where it is not named.
        supervised: λ, the weight of the labels that are known.
        matching: the weight of feature matching.
        deceiving: α, the weight of the generator's part in the critic's game.
        penalties: what the critic pays besides, for the slope of log Z, summed.
        consistency: μ, the weight of saying the same of an observation twice changed.
        entropy: ν, the weight of being sure of an observation's label, in nats.
        augment: what real and drawn go through before the critic sees them.
        instance_noise: the standard deviation of noise on what the critic sees, in units of x.
        candidates: draws among which one of a wanted label is chosen.
        tau: the temperature of relaxed categories.

    Raises:
        UserError: nothing that is given is a label, or the generator would learn nothing.

    >>> from twofold.core.space import Category, Field, Real
    >>> label = Space((Field("label", Category(("x", "y")), missing=True),))
    >>> ssgan = SSGAN(Space((Field("a", Real()), Field("b", Real()))), label, latent=2)
    >>> ssgan.classify(torch.zeros(3, 2), Given.none(3, label)).mean.shape
    torch.Size([3, 2])
    """

    coupled = {"matching": 0.0, "deceiving": 1.0}  # noqa: RUF012

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 64,
        generator: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        label: str = "",
        supervised: PositiveFloat = 1.0,
        matching: NonNegativeFloat = 1.0,
        deceiving: NonNegativeFloat = 0.0,
        penalties: tuple[Penalty, ...] = (R1(0.1),),
        consistency: Number = 0.0,
        entropy: Number = 0.0,
        augment: Augmentation = Unchanged(),
        instance_noise: Number = 0.0,
        candidates: PositiveInt = 16,
        tau: PositiveFloat = 0.5,
    ) -> None:
        super().__init__(space, given)
        if not matching + deceiving:
            raise UserError(
                "model.matching and model.deceiving are both 0, and the generator has nothing to "
                "learn from; raise one of them"
            )
        self.latent, self.label = latent, Label.of(given, label)
        rest = self.label.rest
        self.generator = Generator(generator, latent, rest, space, tau)
        self.critic = LabelCritic(critic, space, rest, features, len(self.label.names))
        self.supervised, self.matching, self.deceiving = supervised, matching, deceiving
        self.penalties, self.consistency, self.entropy = penalties, consistency, entropy
        self.augmenter = augment.build(len(space.axes))
        self.instance_noise, self.candidates = instance_noise, candidates

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given, told, w = batch.x, batch.given, self.label(batch.given), batch.weight
        notes = self.augmenter.advance(progress)
        sigma, mu, nu = (
            value(n, progress.step) for n in (self.instance_noise, self.consistency, self.entropy)
        )
        with torch.no_grad():
            drawn = self.draw(given)
        real, fake = (
            self.shown(t, sigma).detach().requires_grad_(bool(self.penalties)) for t in (x, drawn)
        )
        at_real, at_fake = self.look(real, given), self.look(fake, given)
        log_p = at_real.p.log_prob(told.y)
        L_supervised = -(told.known * log_p).mean()
        L_unsupervised = (w * softplus(-at_real.log_Z)).mean() + softplus(at_fake.log_Z).mean()
        L = self.supervised * L_supervised + L_unsupervised
        contest = Contest(lambda x: self.judge(x, given), real, fake, at_real.log_Z, at_fake.log_Z)
        paid = steepness(self.penalties, contest, progress)
        unsteady = (
            mu * self.unsteady(at_real, self.shown(x, sigma), given, w) if mu else L.new_zeros(())
        )
        unsure = (w * at_real.p.entropy()).mean()
        self.augmenter.observe(at_real.log_Z)
        notes |= {"real": at_real.log_Z.mean(), "fake": at_fake.log_Z.mean()}
        notes |= {"mistaken": L_supervised, "steepness": paid, "unsteady": unsteady}
        yield Turn(notes | {"unsure": unsure}, critic=L + paid + unsteady + nu * unsure)
        with torch.no_grad():
            at_real = self.look(self.shown(x, sigma), given)
        at_fake = self.look(self.shown(self.draw(given), sigma), given)
        unmatched = ((w @ at_real.phi) / len(x) - at_fake.phi.mean(0)).square().sum()
        unmatched = self.matching * unmatched
        L_G = unmatched + self.deceiving * softplus(-at_fake.log_Z).mean()
        yield Turn({"unmatched": unmatched}, generator=L_G)

    def shown(self, x: Tensor, sigma: float) -> Tensor:
        """What the critic sees of x: T(x), with noise on top."""
        x = self.augmenter(x)
        return x + sigma * torch.randn_like(x) if sigma else x

    def unsteady(self, seen: Seen, again: Tensor, given: Given, w: Tensor) -> Tensor:
        """‖p(y | T(x)) − p(y | T′(x))‖², a mean over the data."""
        other = self.look(again, given).p.mean
        return (w * (seen.p.mean - other).square().sum(1)).mean()

    def look(self, x: Tensor, given: Given) -> Seen:
        """What the critic makes of observations, their label not shown."""
        seen: Seen = self.critic(x, self.label(given).rest.c)
        return seen

    def draw(self, given: Given) -> Tensor:
        """x̂ = G(z), z ~ p(z), with gradient."""
        return self.decode(self.noise(given).sample(), given).rsample()

    def judge(self, x: Tensor, given: Given) -> Tensor:
        return self.look(x, given).log_Z

    def classify(self, x: Tensor, given: Given) -> Categories:
        return self.look(x, given).p

    def prior(self, given: Given) -> Distribution:
        """p(z); where a label y is known, p(z | y) ∝ p(z) p(y | G(z)), by `candidates` draws."""
        p, told = self.noise(given), self.label(given)
        if not told.known.any():
            return p

        def fitting(z: Tensor) -> Tensor:
            return self.classify(self.decode(z, given).sample(), given).log_prob(told.y)

        return Resampled(p, fitting, self.candidates)

    def noise(self, given: Given) -> Normal:
        """p(z), a row for each row given."""
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.generator(z, self.label(given).rest.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
