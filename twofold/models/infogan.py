r"""The GAN whose code can be read: InfoGAN.

The latent vector is noise z and a *code* c, categories and numbers of a known distribution. A
generator that ignores c is prevented by a lower bound of the mutual information of c and what is
drawn,

$$ I(c; G(z, c)) \;\ge\; L_I(G, Q) = \mathbb E_{c,\,z}\, \log Q(c \mid G(z, c)) + H(c), $$

where Q reads the code off the critic's features φ. All of them play

$$ \min_{G,Q} \max_D \; V(D, G) - \lambda L_I(G, Q) $$

(Chen et al. 2016, InfoGAN, arXiv:1606.03657, eq. 6), with a λ for categories and one for numbers,
whose densities are not on one scale. What the code comes to mean nobody says beforehand: on digits,
the class, the slant and the width.

A category is content with whatever is easy to draw and to read, the weight of a stroke as well as
the digit. What is known of classes without knowing any is that small *changes* T leave an
observation in its own: turned a little, a digit stays what it is. Where they are named, Q reads
categories off T(x̂), and the critic's player is asked to say the same of an observation changed
twice, and of all observations everything that can be said,

$$ I_Q = \beta\, H\big(\mathbb E_x\, Q(\cdot \mid T x)\big)
   - \mathbb E_x \mathrm{CE}\big(Q(\cdot \mid T x),\, Q(\cdot \mid T' x)\big), $$

with a weight μ, the *agreement* (Hu et al. 2017, IMSAT, arXiv:1702.08720; changes that leave the
identity in an InfoGAN: Ojha et al. 2020, arXiv:1910.01112). With a *balance* β of 1 it is at most
I(c; T x). A pair of classes that shares a category, while another class has two, loses only as much
entropy as makes the first category twice as likely: a β above 1 makes that dear (IMSAT has 4). A
large μ keeps what Q found before there was anything to read.

Source: Chen et al. 2016, InfoGAN, arXiv:1606.03657.

Notation: x real, x̂ drawn, both (B, C, *A); the latent vector z ⊕ c is (B, D), a category one-hot
in it, a number uniform on [−1, 1]; φ (B, F); D(·) are logits (B,). CE(p, q) = −Σ p log q.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Criticises, Decodes, Distribution, Encodes, Model, Progress, Turn
from twofold.core.space import Category, Field, Real, Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.augmentations import Always, Transformation, checked
from twofold.maths.distributions import Normal
from twofold.maths.likelihoods import Observation
from twofold.maths.penalties import R1, R2, Contest, Penalty, steepness
from twofold.maths.varying import Number, value
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import Classifier, Critic, Look
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.steadying import Steadied


class InfoGAN(Model, Decodes, Encodes, Criticises, Steadied):
    """The GAN of a Space with a code that can be read off what it draws.

    Args:
        noise: dimensions of what the code does not say.
        categories: how many labels each category of the code has, one number a category.
        numbers: how many numbers the code has.
        generator: the architecture of G.
        critic: the architecture of D, whose features Q reads.
        features: F, their width.
        objective: what generator and critic minimise.
        penalties: what the critic pays besides, summed.
        weight: λ of the categories.
        number_weight: λ of the numbers.
        changes: T, what leaves an observation in its category, one after the other.
        agreement: μ, the weight of saying the same of an observation twice changed.
        balance: β, the weight of categories being alike in number, in the agreement.
        tau: the temperature of relaxed categories in x.

    Raises:
        UserError: a code of nothing; changes that the axes do not have; an agreement on nothing.

    >>> from twofold.core.space import Field, Real
    >>> space = Space((Field("a", Real()), Field("b", Real())))
    >>> gan = InfoGAN(space, Space(), noise=3, categories=(4,), numbers=1)
    >>> gan.encode(torch.zeros(5, 2), Given.none(5, Space())).mean.shape
    torch.Size([5, 8])
    """

    loudness: Tensor

    def __init__(
        self,
        space: Space,
        given: Space,
        noise: PositiveInt = 62,
        categories: tuple[PositiveInt, ...] = (10,),
        numbers: NonNegativeInt = 2,
        generator: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        weight: NonNegativeFloat = 1.0,
        number_weight: NonNegativeFloat = 0.1,
        changes: tuple[Transformation, ...] = (),
        agreement: Number = 0.0,
        balance: NonNegativeFloat = 1.0,
        tau: float = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.noise, self.code = noise, code_of(categories, numbers)
        self.latent = noise + self.code.width
        self.generator = Generator(generator, self.latent, given, space, tau)
        self.critic = Critic(critic, space, given, features, spectral=False)
        self.readers = Classifier(self.code, features)
        self.objective, self.penalties = objective, penalties
        self.weights = {
            f.name: number_weight if f.name == NUMBERS else weight for f in self.code.fields
        }
        if agreement != 0 and not categories:
            raise UserError("model.agreement is on categories, and model.categories names none")
        self.changes = Always(checked(changes, len(space.axes)))
        self.agreement, self.balance = agreement, balance
        # a category has length 1 and the noise √noise, beside which it would say little
        self.register_buffer("loudness", loudness(noise, self.code))

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic, self.readers], "generator": [self.generator]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        z = self.prior(given).sample()
        with torch.no_grad():
            drawn = self.decode(z, given).rsample()
        real, fake = (t.detach().requires_grad_(bool(self.penalties)) for t in (x, drawn))
        at_real, at_fake = self.look(real, given), self.look(fake, given)
        contest = Contest(
            lambda x: self.judge(x, given), real, fake, at_real.logits, at_fake.logits
        )
        loss = self.objective.critic(at_real.logits, at_fake.logits)
        paid = steepness(self.penalties, contest, progress)
        unread = self.unread(fake, at_fake, z, given)
        mu = value(self.agreement, progress.step)
        agreed = self.agreed(x, given) if mu else x.new_zeros(())
        yield Turn({"steepness": paid, **self.information(unread)},
                   critic=loss + paid + self.weighed(unread) - mu * agreed)  # fmt: skip
        drawn = self.decode(z, given).rsample()
        at_fake = self.look(drawn, given)
        with torch.no_grad():
            at_real = self.look(x, given)
        loss = self.objective.generator(at_real.logits, at_fake.logits)
        yield Turn(generator=loss + self.weighed(self.unread(drawn, at_fake, z, given)))

    def unread(self, drawn: Tensor, at: Look, z: Tensor, given: Given) -> dict[str, Tensor]:
        """−log Q(c | x̂) of each part, a mean over rows; of categories −log Q(c | T x̂)."""
        code = z[:, self.noise :]
        plain = self.read(at.phi).by_field(code)
        changed = self.said(drawn, given).by_field(code) if self.changes.policy else plain
        return {f.name: -(plain if f.name == NUMBERS else changed)[f.name].mean()
                for f in self.code.fields}  # fmt: skip

    def said(self, x: Tensor, given: Given) -> Observation:
        """Q(c | T x), with changes of its own every time."""
        return self.read(self.look(self.changes(x), given).phi)

    def agreed(self, x: Tensor, given: Given) -> Tensor:
        """I_Q in nats, a sum over categories; what comes of either change is asked of the other."""
        first, second = self.said(x, given), self.said(x, given)
        p, q = first.mean, second.mean  # (B, width of the code)
        cross = [second.by_field(p), first.by_field(q)]  # −CE of each part, (B,)
        whole = ((p + q) / 2).mean(0, keepdim=True).clamp(min=torch.finfo(p.dtype).tiny)
        return torch.stack([
            self.balance * torch.special.entr(part).sum()
            + torch.cat([of[f.name] for of in cross]).mean()
            for f, part in self.code.parts(whole) if f.name != NUMBERS
        ]).sum()  # fmt: skip

    def weighed(self, unread: Mapping[str, Tensor]) -> Tensor:
        """−λ L_I, without the entropy, which is constant."""
        return torch.stack([self.weights[name] * loss for name, loss in unread.items()]).sum()

    def information(self, unread: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """L_I of each part of the code, in nats."""
        return {f"information_{f.name}": entropy(f) - unread[f.name] for f in self.code.fields}

    def look(self, x: Tensor, given: Given) -> Look:
        return self.critic.look(x, given.c)

    def read(self, phi: Tensor) -> Observation:
        """Q(c | x), from the features of x."""
        return self.readers.spec(self.readers.read(phi), self.readers.shared)

    def judge(self, x: Tensor, given: Given) -> Tensor:
        return self.look(x, given).logits

    def prior(self, given: Given) -> Coded:
        return Coded(Normal.standard(len(given), self.noise, given.c), Codes(self.code, given.c))

    def encode(self, x: Tensor, given: Given) -> Coded:
        """Q(c | x) for the code, and the prior for the noise, which nothing infers."""
        noise = Normal.standard(x.shape[0], self.noise, x)
        return Coded(noise, self.read(self.look(x, given).phi))

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.generator(z * self.loudness, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()


NUMBERS = "numbers"


def code_of(categories: Sequence[int], numbers: int) -> Space:
    """The Space of codes.

    >>> code_of((10, 2), 3).width
    15
    """
    if not categories and not numbers:
        raise UserError("model.categories and model.numbers say nothing; infogan needs a code")
    chosen = [
        Field(f"category{i}", Category(tuple(map(str, range(k))))) for i, k in enumerate(categories)
    ]
    return Space((*chosen, *[Field(NUMBERS, Real(), numbers)] * (numbers > 0)))


def loudness(noise: int, code: Space) -> Tensor:
    """What each number of a latent vector is multiplied by where the generator takes it in, (D,).

    >>> loudness(4, code_of((2,), 1))
    tensor([1., 1., 1., 1., 2., 2., 1.])
    """
    of_field = [1.0 if f.name == NUMBERS else math.sqrt(noise) for f in code.fields]
    widths = torch.tensor([noise, *(f.width for f in code.fields)])
    return torch.tensor([1.0, *of_field]).repeat_interleave(widths)


def entropy(field: Field) -> float:
    """H of a part of the code, in nats: of one of K labels, or of numbers uniform on [−1, 1]."""
    if isinstance(field.domain, Category):
        return math.log(field.domain.width)
    return field.size * math.log(2)


@dataclass(frozen=True)
class Coded(Distribution):
    """Noise and a code side by side, independent, (B, D)."""

    noise: Normal
    code: Distribution

    def sample(self) -> Tensor:
        return torch.cat([self.noise.sample(), self.code.sample()], 1)

    @property
    def mean(self) -> Tensor:
        return torch.cat([self.noise.mean, self.code.mean], 1)

    @property
    def mode(self) -> Tensor:
        return torch.cat([self.noise.mode, self.code.mode], 1)


@dataclass(frozen=True)
class Codes(Distribution):
    """Codes before anything is seen: every label alike, every number of [−1, 1] alike.

    Args:
        code: their Space. like: a row for each code, (B, …), with their type and device.
    """

    code: Space
    like: Tensor

    def sample(self) -> Tensor:
        return self.code.encode(torch.cat([self.draw(field) for field in self.code.fields], 1))

    def draw(self, field: Field) -> Tensor:
        u = torch.rand_like(self.like.new_empty(len(self.like), field.size))
        return (u * field.domain.width).floor() if isinstance(field.domain, Category) else 2 * u - 1

    @property
    def mean(self) -> Tensor:
        middle = [
            self.like.new_full((len(self.like), field.width), self.middle(field))
            for field in self.code.fields
        ]
        return torch.cat(middle, 1)

    @property
    def mode(self) -> Tensor:
        """All are as probable; the mean is as good as any."""
        return self.mean

    @staticmethod
    def middle(field: Field) -> float:
        return 1 / field.domain.width if isinstance(field.domain, Category) else 0.0
