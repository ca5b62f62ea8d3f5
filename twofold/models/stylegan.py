r"""The style-based generative adversarial network.

A mapping f turns a code z into a style w; a synthesis g starts from a constant and lets the style
of each layer act on its convolutions, so that coarse layers hold what is coarse (Karras et al.
2019, arXiv:1812.04948). Convolutions are modulated and demodulated, the picture is the sum of what
is painted at each size, and there is no growing (Karras et al. 2020, arXiv:1912.04958). The nets
are in `nets/style.py`; three things are asked of them in training:

* *Mixing* (2019, §3.1). For a share of the draws two codes are mapped, and the layers from a
  random one on take the second's style: neighbouring layers may not rely on each other.
* *Path length* (2020, Eq. 4). A step in W should change the picture by a fixed amount, whichever
  way it goes. The generator pays for what is below, with $J_w = \partial g(w) / \partial w$, y
  normal, and a the running mean of the lengths, every few steps, and then so many times as much.
  Here y is over the root of the number of places, so that a length does not depend on the size.
* *Truncation* (2019, App. B). With $\bar w$ the running mean of the styles,
  $w' = \bar w + \psi (w - \bar w)$ is the more typical and the less varied the smaller ψ.

$$ \mathbb E_{w, y} \big( \lVert J_w^\top y \rVert_2 - a \big)^2 ,
   \qquad J_w^\top y = \nabla_w \, g(w) \cdot y $$

Objective and penalties are those of `gan`, and so is the critic, which sees what is given by
projection; the mapping sees it beside z. `map` and `synthesise` are open to whoever wants to work
in W, (B, D), or W+, (B, L, D): inversion, edits, mixing by hand.

Notation: x real, x̂ drawn, (B, C, *A); z, w (B, D); L layers; D(·) are logits (B,).

Source: Karras et al. 2019, arXiv:1812.04948; Karras et al. 2020, arXiv:1912.04958.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field as Limits
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.build import Part
from twofold.core.game import Criticises, Model, Progress, Regards, Styles, Truncates, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.augmentations import Augmentation, Unchanged
from twofold.maths.contests import contest, critic_loss, generator_loss, sureness
from twofold.maths.distributions import Normal
from twofold.maths.penalties import R1, R2, Penalty
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.company import Alone, Company
from twofold.nets.critics import Critic, Eye
from twofold.nets.running import Running
from twofold.nets.scales import Scales, Widths, check_grid
from twofold.nets.steadying import Steadied
from twofold.nets.style import MappingNet, Styled, Synthesis

Share = Annotated[float, Limits(ge=0, le=1)]


@dataclass(frozen=True)
class PathLength(Part):
    r"""How much the generator pays for steps of W that are not of one length.

    $$ \lambda \, \mathbb E_{w, y} \big( \lVert J_w^\top y \rVert_2 - a \big)^2 $$

    Args:
        weight: λ.
        every: how many steps lie between two; each then counts as many times.
        decay: of a, the running mean of the lengths.

    Source: Karras et al. 2020, arXiv:1912.04958, Eq. 4.
    """

    weight: NonNegativeFloat = 2.0
    every: PositiveInt = 4
    decay: Share = 0.99


class StyleGAN(Model, Styles, Criticises, Truncates, Regards, Steadied):
    """The style-based GAN of a Space with axes.

    Args:
        latent: D, the dimensions of z and of w.
        depth: layers of the mapping; the paper has 8.
        widths: channels of the synthesis at each size.
        critic: the architecture of D.
        features: the width of the critic's last features, which meet what is given.
        objective: what the two minimise.
        penalties: what the critic pays besides, summed.
        path: path length regularisation.
        mixing: the share of draws in training that mix two styles.
        company: what the critic sees of the rest of the batch beside each.
        augment: what real and drawn go through before the critic sees them.
        tau: the temperature of relaxed categories.

    Raises:
        UserError: the data have no axes.

    >>> from twofold.core.space import Bounded, Field
    >>> space = Space((Field("pixel", Bounded(0, 255, 256)),), (9, 7))
    >>> gan = StyleGAN(space, Space(), latent=8, widths=Widths(4, 2))
    >>> gan.sample(Given.none(3, Space())).shape
    torch.Size([3, 1, 9, 7])
    >>> w = gan.map(torch.randn(3, 8), Given.none(3, Space()))
    >>> gan.synthesise(gan.truncate(w, 0.5)).mean.shape
    torch.Size([3, 1, 9, 7])
    """

    lacks: ClassVar[Mapping[str, str]] = {
        "orthogonal": "its filters are scaled by the style, and have no fixed overlap",
        "pac": "company shows its critic the rest of the batch",
    }

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 64,
        depth: PositiveInt = 4,
        widths: Widths = Widths(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        path: PathLength = PathLength(),
        mixing: Share = 0.9,
        company: Company = Alone(),
        augment: Augmentation = Unchanged(),
        tau: PositiveFloat = 0.5,
    ) -> None:
        super().__init__(space, given)
        check_grid(space.axes, "stylegan")
        self.latent = latent
        self.mapping = MappingNet(latent, given, depth)
        self.synthesis = Synthesis(Scales(space.axes), latent, widths, space.width)
        self.critic = Critic(critic, space, given, features, False, company=company)
        self.augmenter = augment.build(len(space.axes))
        self.middle = Running((latent,), decay=0.995)  # of w
        self.length = Running((), path.decay)  # a
        self.objective, self.penalties, self.path = objective, penalties, path
        self.mixing, self.tau = mixing, tau

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.mapping, self.synthesis]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        notes = self.begin(progress)
        look = Eye(self.critic, self.augmenter, 0.0, given.c)
        judge = lambda x: look(x).logits  # noqa: E731
        with torch.no_grad():
            drawn = self.draw(given)
        judged = contest(judge, x, drawn, self.penalties)
        loss, seen = critic_loss(judged, self.objective, self.penalties, progress)
        self.augmenter.observe(sureness(self.objective, judged.real_logits, judged.fake_logits))
        yield Turn(notes | seen, critic=loss)
        loss = generator_loss(judge, x, self.draw(given), self.objective)
        if self.path.weight and progress.step % self.path.every == 0:
            uneven = self.unevenness(given)
            loss = loss + self.path.every * self.path.weight * uneven
        yield Turn({"path_length": self.length.mean}, generator=loss)

    def begin(self, progress: Progress) -> dict[str, Tensor]:
        """Make ready, once a step, what remembers earlier ones; what the log keeps of it."""
        self.middle.advance(progress.step)
        self.length.advance(progress.step)
        return self.augmenter.advance(progress)

    def draw(self, given: Given) -> Tensor:
        """x̂ = g(w), w = f(z), with gradient; a share of the rows mixes two styles."""
        w, other = (self.map(self.prior(given).sample(), given) for _ in range(2))
        self.middle.observe(w.detach())
        return self.synthesise(self.mixed(w, other)).rsample()

    def mixed(self, w: Tensor, other: Tensor) -> Tensor:
        """Styles (B, L, D): w up to a random layer and the other from there on, or w throughout."""
        layers = self.synthesis.layers
        chosen, where = (torch.rand_like(w[:, :1]) for _ in range(2))
        crossing = 1 + (where * (layers - 1)).floor()  # (B, 1)
        crossing = crossing.masked_fill(chosen >= self.mixing, layers)
        late = torch.arange(layers, device=w.device) >= crossing  # (B, L)
        return torch.where(late.unsqueeze(2), other.unsqueeze(1), w.unsqueeze(1))

    def unevenness(self, given: Given) -> Tensor:
        """E (‖Jᵀy‖ − a)², a scalar."""
        w = self.map(self.prior(given).sample(), given)
        x = self.synthesise(w).rsample()
        y = torch.randn_like(x) / x[0, 0].numel() ** 0.5
        (slope,) = torch.autograd.grad((x * y).sum(), w, create_graph=True)  # Jᵀy, (B, D)
        length = slope.square().sum(1).add(1e-12).sqrt()
        self.length.observe(length.detach())
        return (length - self.length.mean).square().mean()

    # The two latent spaces.

    @property
    def layer_sizes(self) -> tuple[tuple[int, ...], ...]:
        return self.synthesis.layer_sizes

    def map(self, z: Tensor, given: Given) -> Tensor:
        w: Tensor = self.mapping(z, given.c)
        return w

    def truncate(self, w: Tensor, psi: float) -> Tensor:
        return torch.lerp(self.middle.mean.to(w).expand_as(w), w, psi)

    def synthesise(self, w: Tensor) -> Styled:
        layered = w if w.dim() == 3 else w.unsqueeze(1).expand(-1, self.synthesis.layers, -1)
        return Styled(self.synthesis, layered, self.space, self.tau)

    # Roles.

    def judge(self, x: Tensor, given: Given) -> Tensor:
        return self.critic.rows(x, given.c)

    def regard(self, x: Tensor, z: Tensor, given: Given) -> Tensor:
        """φ of the observations alone: this critic sees no code."""
        return self.critic.features(x, given.c)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Styled:
        return self.synthesise(self.map(z, given))

    def typical(self, given: Given, psi: float) -> Styled:
        w = self.map(self.prior(given).sample(), given)
        return self.synthesise(self.truncate(w, psi))

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
