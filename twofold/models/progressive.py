r"""The progressively growing generative adversarial network.

Both players begin with pictures of a few places, and grow together to the full size (Karras et al.
2018, arXiv:1710.10196). `growth` says which *stage* training is at and how far that has faded in,
by its progress alone. At stage s with a fade α, G paints and D reads as `nets/growing.py` says, and
a real x is shown as the mean over the places of each block, faded alike:

$$ x_{s, \alpha} = (1 - \alpha) \, P_{s-1} x + \alpha \, P_s x , $$

with $P_s$ the projection on pictures of the s-th size (shrunk, and enlarged again). At a fade of 0
generator, critic and data are those of the stage before: the game does not jump. A layer of a later
stage sleeps: it is not run, has no gradient, and is not moved.

Objective and penalties are those of `gan`. The paper has `wasserstein` with `gradient-penalty`, and
its minibatch deviation, which is `company = {name = "deviation"}`. What is given enters the
generator beside z and the critic by projection.

Notation: x real, x̂ drawn, (B, C, *A) whatever the stage; z (B, D); D(·) are logits (B,).

Source: Karras et al. 2018, arXiv:1710.10196.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.augmentations import Augmentation, Unchanged
from twofold.maths.contests import contest, critic_loss, generator_loss, sureness
from twofold.maths.distributions import Normal
from twofold.maths.growth import Even, Grown, Growth
from twofold.maths.penalties import R1, R2, Penalty
from twofold.nets.company import Alone, Company
from twofold.nets.decoders import Relaxed
from twofold.nets.growing import GrowingCritic, GrowingGenerator
from twofold.nets.scales import Scales, Widths, check_grid
from twofold.nets.steadying import Steadied


class Progressive(Model, Decodes, Criticises, Steadied):
    """The progressively growing GAN of a Space with axes.

    Args:
        latent: D, the dimensions of the noise.
        widths: channels of both players at each size.
        growth: how training is divided among the stages.
        features: the width of the critic's last features, which meet what is given.
        objective: what the two minimise.
        penalties: what the critic pays besides, summed.
        critic_turns: turns of the critic for one of the generator.
        company: what the critic sees of the rest of the batch beside each.
        augment: what real and drawn go through before the critic sees them.
        tau: the temperature of relaxed categories.

    Raises:
        UserError: the data have no axes.

    >>> from twofold.core.space import Bounded, Field
    >>> space = Space((Field("pixel", Bounded(0, 255, 256)),), (9, 7))
    >>> gan = Progressive(space, Space(), latent=8, widths=Widths(4, 2))
    >>> gan.scales.sizes
    [(3, 4), (5, 4), (9, 7)]
    >>> gan.sample(Given.none(3, Space())).shape
    torch.Size([3, 1, 9, 7])
    """

    lacks: ClassVar[Mapping[str, str]] = {
        "spectral": "its layers are equalised: each divides its weights by a constant of its own",
        "weight_clip": "its weights are drawn at unit size, and clipping would undo that",
        "pac": "company shows its critic the rest of the batch",
    }
    reached: Tensor

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 64,
        widths: Widths = Widths(),
        growth: Growth = Even(),
        features: PositiveInt = 128,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        critic_turns: PositiveInt = 1,
        company: Company = Alone(),
        augment: Augmentation = Unchanged(),
        tau: PositiveFloat = 0.5,
    ) -> None:
        super().__init__(space, given)
        check_grid(space.axes, "progressive")
        self.latent = latent
        self.scales = Scales(space.axes)
        self.generator = GrowingGenerator(self.scales, latent, given, widths, space.width)
        self.critic = GrowingCritic(self.scales, space, given, widths, features, company)
        self.augmenter = augment.build(len(space.axes))
        self.growth, self.critic_turns = growth, critic_turns
        self.objective, self.penalties, self.tau = objective, penalties, tau
        self.register_buffer("reached", torch.tensor([0.0, 1.0]))

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        notes = self.begin(progress)
        x, given = self.faded(batch.x, self.grown), batch.given
        judge = lambda x: self.critic(self.augmenter(x), given.c, self.grown)  # noqa: E731
        for _ in range(self.critic_turns):
            with torch.no_grad():
                drawn = self.draw(given)
            judged = contest(judge, x, drawn, self.penalties)
            loss, seen = critic_loss(judged, self.objective, self.penalties, progress)
            self.augmenter.observe(sureness(self.objective, judged.real_logits, judged.fake_logits))
            yield Turn(notes | seen, critic=loss)
        yield Turn(generator=generator_loss(judge, x, self.draw(given), self.objective))

    def begin(self, progress: Progress) -> dict[str, Tensor]:
        """Grow to where training is; what the log keeps of it."""
        grown = self.growth(progress.fraction, len(self.scales))
        self.reached.copy_(torch.tensor([grown.stage, grown.fade]))
        stage, fade = self.reached.clone()
        return {"stage": stage, "fade": fade} | self.augmenter.advance(progress)

    @property
    def grown(self) -> Grown:
        """Where the networks are: where training was last."""
        stage, fade = self.reached.tolist()
        return Grown(int(stage), fade)

    def faded(self, x: Tensor, grown: Grown) -> Tensor:
        """x as a stage shows it, (1 − α) P_{s−1} x + α P_s x."""
        shown = self.projected(x, grown.stage)
        if grown.fade < 1:
            shown = torch.lerp(self.projected(x, grown.stage - 1), shown, grown.fade)
        return shown

    def projected(self, x: Tensor, stage: int) -> Tensor:
        """P_s x: the nearest to x that is as coarse as a stage."""
        return self.scales.enlarge(self.scales.reduce(x, stage), stage)

    def draw(self, given: Given) -> Tensor:
        """x̂ = G(z), z ~ p(z), with gradient."""
        return self.decode(self.prior(given).sample(), given).rsample()

    def judge(self, x: Tensor, given: Given) -> Tensor:
        logits: Tensor = self.critic(x, given.c, self.grown)
        return logits

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return Relaxed(self.generator(z, given.c, self.grown), self.space, self.tau)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
