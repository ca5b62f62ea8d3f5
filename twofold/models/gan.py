r"""The generative adversarial network.

A generator G maps noise z to an observation; a critic D tells real observations from drawn ones;
each learns against the other (Algorithm 1 of the paper):

$$ \min_D\; \ell_D\big(D(x), D(\hat x)\big) + \textstyle\sum \mathbb E\, \text{penalty}, \qquad
 \min_G\; \ell_G\big(D(x), D(\hat x)\big), \qquad \hat x = G(z),\; z \sim \mathcal N(0, I). $$

The *objective* is the pair of losses, the *penalties* keep the critic smooth. The default is the
modern baseline of Huang et al. 2024: the paired relativistic objective with R1 and R2 at every
step. Given conditions enter the generator beside z and the critic by projection, or the critic is
asked for them (`auxiliary`).

Around this game stand *switches*, each off by default, each with its equation and paper where it is
written: what the critic looks at (`pac`, `company`, `augment`, `instance_noise`), what the
generator is told (`top_k`, `matching`, `unrolled`), and what weights pay (`historical`,
`orthogonal`, `weight_clip`). Feature matching is written here (Salimans et al. 2016,
arXiv:1606.03498, §3.1): with φ the critic's features, the generator pays for
$\|\mathbb E\,\varphi(x) - \mathbb E\,\varphi(\hat x)\|^2$.

Source: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661; Huang et al. 2024,
arXiv:2501.05441.

Notation: x real, x̂ drawn, both (B, C, *A); z (B, D); D(·) are logits (B,), or (B / pac,).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Criticises, Decodes, Model, Progress, Regards, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic, strongest
from twofold.maths.augmentations import Augmentation, Unchanged
from twofold.maths.contests import sureness
from twofold.maths.distributions import Normal
from twofold.maths.penalties import R1, R2, Contest, Penalty, steepness
from twofold.maths.varying import Number, value
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.company import Alone, Company
from twofold.nets.critics import Classifier, Critic, Eye, Look, advance
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.steadying import Steadied
from twofold.nets.weights import History, Net, Unrolling, clip, overlap, unrolled


class GAN(Model, Decodes, Criticises, Regards, Steadied):
    """The generative adversarial network of a Space.

    Args:
        latent: D, the dimensions of the noise.
        generator: the architecture of G.
        critic: the architecture of D.
        features: the width of the critic's last features, which meet what is given.
        objective: what the two minimise.
        penalties: what the critic pays besides, summed.
        critic_turns: turns of the critic for one of the generator.
        spectral: spectral normalisation of the critic.
        tau: the temperature of relaxed categories.
        pac: observations that the critic sees together.
        company: what the critic sees of the rest of the batch beside each.
        augment: what real and drawn go through before the critic sees them.
        instance_noise: the standard deviation of noise on what the critic sees, in units of x.
        top_k: the share of its draws, the critic's favourites, that the generator learns from.
        matching: the weight of feature matching in the generator's loss.
        auxiliary: the weight of telling what is given from x, in place of the projection.
        unrolled: steps of the critic that the generator looks ahead.
        historical: the weight of both players' distance from their own past.
        orthogonal: the weight of the overlap of the generator's filters.
        weight_clip: the bound of the critic's weights.

    Raises:
        UserError: switches that make no sense together, or with what is given.

    >>> from twofold.core.space import Field, Real
    >>> gan = GAN(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> gan.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 64,
        generator: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        critic_turns: PositiveInt = 1,
        spectral: bool = False,
        tau: PositiveFloat = 0.5,
        pac: PositiveInt = 1,
        company: Company = Alone(),
        augment: Augmentation = Unchanged(),
        instance_noise: Number = 0.0,
        top_k: Number = 1.0,
        matching: NonNegativeFloat = 0.0,
        auxiliary: NonNegativeFloat = 0.0,
        unrolled: Unrolling = Unrolling(),
        historical: NonNegativeFloat = 0.0,
        orthogonal: NonNegativeFloat = 0.0,
        weight_clip: PositiveFloat = math.inf,
    ) -> None:
        super().__init__(space, given)
        refuse(given, pac, auxiliary, spectral, weight_clip)
        self.latent = latent
        self.generator = Generator(generator, latent, given, space, tau)
        self.critic = Critic(
            critic, space, given, features, spectral, pac, company, projects=not auxiliary
        )
        self.classifiers = nn.ModuleList([Classifier(given, features)] if auxiliary else [])
        self.augmenter = augment.build(len(space.axes))
        nets = {"critic": self.critic, "generator": self.generator}
        self.pasts = nn.ModuleDict({k: History(v) for k, v in nets.items()} if historical else {})
        self.objective, self.penalties, self.critic_turns = objective, penalties, critic_turns
        self.instance_noise, self.top_k, self.unrolled = instance_noise, top_k, unrolled
        self.matching, self.auxiliary, self.historical = matching, auxiliary, historical
        self.orthogonal, self.weight_clip = orthogonal, weight_clip

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic, self.classifiers], "generator": [self.generator]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        notes = self.begin(progress)
        look = self.eye(given, progress)
        for turn in range(self.critic_turns):
            advance(self.critic, progress.step * self.critic_turns + turn)
            with torch.no_grad():
                drawn = self.draw(given)
            real, fake = (t.detach().requires_grad_(bool(self.penalties)) for t in (x, drawn))
            at_real, at_fake = look(real), look(fake)
            contest = Contest(lambda x: look(x).logits, real, fake, at_real.logits, at_fake.logits)
            loss = self.objective.critic(at_real.logits, at_fake.logits)
            paid = self.critic_pays(contest, at_real, at_fake, given, progress)
            self.augmenter.observe(sureness(self.objective, at_real.logits, at_fake.logits))
            yield Turn({**notes, **paid, **logits(contest)}, critic=total(loss, paid))
            clip(self.critic, self.weight_clip)
        fake = self.draw(given)
        ahead = unrolled(look, lambda net: self.told_apart(net, x, fake), self.unrolled)
        at_fake = ahead(fake)
        at_real = self.beside(ahead, x, at_fake)
        best = strongest(at_real.logits, at_fake.logits, value(self.top_k, progress.step))
        paid = self.generator_pays(at_real, at_fake, given)
        yield Turn(paid, generator=total(self.objective.generator(*best), paid))

    def begin(self, progress: Progress) -> dict[str, Tensor]:
        """Make ready, once a step, what remembers earlier ones; what the log keeps of it."""
        for name, past in self.pasts.items():
            past.advance(getattr(self, name), progress.step)  # type: ignore[operator]
        return self.augmenter.advance(progress)

    def eye(self, given: Given, progress: Progress) -> Eye:
        """The critic as training shows it observations, at this step."""
        sigma = value(self.instance_noise, progress.step)
        return Eye(self.critic, self.augmenter, sigma, given.c)

    def told_apart(self, look: Net, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss, without what it pays besides."""
        loss: Tensor = self.objective.critic(look(real).logits, look(fake).logits)
        return loss

    def beside(self, look: Net, x: Tensor, at_fake: Look) -> Look:
        """What the generator is to know of real observations; zeros where that is nothing."""
        with torch.no_grad():
            if self.objective.relative or self.matching:
                seen: Look = look(x)
                return seen
            return Look(at_fake.phi, torch.zeros_like(at_fake.logits))

    def critic_pays(
        self, contest: Contest, at_real: Look, at_fake: Look, given: Given, progress: Progress
    ) -> dict[str, Tensor]:
        """What the critic pays besides its objective, by name."""
        paid = {"steepness": steepness(self.penalties, contest, progress)}
        if self.auxiliary:
            paid["confused"] = self.confused(at_real, given) + self.confused(at_fake, given)
        return paid | self.past("critic")

    def generator_pays(self, at_real: Look, at_fake: Look, given: Given) -> dict[str, Tensor]:
        """What the generator pays besides its objective, by name."""
        paid = {}
        if self.matching:
            gap = at_real.phi.mean(0) - at_fake.phi.mean(0)
            paid["unmatched"] = self.matching * gap.square().sum()
        if self.auxiliary:
            paid["mistaken"] = self.confused(at_fake, given)
        if self.orthogonal:
            paid["overlap"] = self.orthogonal * overlap(self.generator)
        return paid | self.past("generator")

    def confused(self, look: Look, given: Given) -> Tensor:
        """−log p(given | x), weighted: how badly the critic tells what is given."""
        log_p = [net.log_prob(look.phi, given.c) for net in self.classifiers]  # type: ignore[operator]
        return -self.auxiliary * torch.stack(log_p).sum(0).mean()

    def past(self, player: str) -> dict[str, Tensor]:
        """What a player pays for its distance from its past."""
        if player not in self.pasts:
            return {}
        return {f"{player}_past": self.historical * self.pasts[player](getattr(self, player))}

    def draw(self, given: Given) -> Tensor:
        """x̂ = G(z), z ~ p(z), with gradient."""
        return self.decode(self.prior(given).sample(), given).rsample()

    def judge(self, x: Tensor, given: Given) -> Tensor:
        return self.critic.rows(x, given.c)

    def regard(self, x: Tensor, z: Tensor, given: Given) -> Tensor:
        """φ of the observations alone: this critic sees no code."""
        return self.critic.features(x, given.c)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.generator(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()


def logits(contest: Contest) -> dict[str, Tensor]:
    """What the log keeps of a judgement."""
    return {"real": contest.real_logits.mean(), "fake": contest.fake_logits.mean()}


def total(loss: Tensor, paid: Mapping[str, Tensor]) -> Tensor:
    """A loss with what is paid besides."""
    return sum(paid.values(), loss)


def refuse(given: Space, pac: int, auxiliary: float, spectral: bool, weight_clip: float) -> None:
    """Switches that make no sense together, each with its reason."""
    rules = (
        (auxiliary and not given.width, "auxiliary asks the critic what is given, and nothing is "
         "given of these data; leave it at 0"),
        (auxiliary and pac > 1, "auxiliary does not go with pac: a pack of several observations "
         "has no one condition to tell; choose one of them"),
        (spectral and weight_clip < math.inf, "weight_clip does not go with spectral: weights that "
         "are divided by their size are not bounded by clipping; choose one of them"),
    )  # fmt: skip
    for wrong, reason in rules:
        if wrong:
            raise UserError(f"model.{reason}")
