r"""A critic: x, with what is given, to a logit.

The body sees x alone; what is given enters by projection (Miyato & Koyama 2018, arXiv:1802.05637):
$D(x, c) = w^\top \phi(x) + (V c)^\top \phi(x)$, which is plain when nothing is given. Instead the
critic may be asked which condition it sees, by a `Classifier` on the same features (Odena et al.
2017, AC-GAN, arXiv:1610.09585).

*Packing* (Lin et al. 2018, PacGAN, arXiv:1712.04086) shows the critic `pac` observations at once,
side by side in the channels, all real or all drawn: a pack of draws that are too alike gives itself
away. What is given of each goes beside that of the others. With m in a pack, B rows are B / m
logits.

`spectral` divides each weight by its largest singular value, tracked by power iteration (Miyato et
al. 2018, arXiv:1802.05957). The iteration advances once a *turn*, not once a forward, so that a
batch cut into parts sees the same weights as the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from twofold.core.errors import UserError
from twofold.core.game import Model
from twofold.core.space import Space
from twofold.maths.augmentations import Augmenter
from twofold.maths.likelihoods import ObservationSpec
from twofold.nets.blocks import Condition
from twofold.nets.bodies import Architecture
from twofold.nets.company import Alone, Company


@dataclass(frozen=True)
class Look:
    """What a critic makes of B packs: features `phi` (B, F) and `logits` (B,)."""

    phi: Tensor
    logits: Tensor


class Judge(nn.Module):
    """A network that tells one sort of thing from another; who trains one is a critic."""


class Critic(Judge):
    """D(x, given), a logit a pack of `pac` rows: high for what looks real.

    Args:
        architecture: of the body. features: the width of φ. spectral: normalise every weight.
        pac: how many rows it looks at together.
        company: what each pack sees of the others.
        projects: whether what is given enters by projection.

    >>> from twofold.core.space import Field, Real
    >>> from twofold.nets.bodies import Dense
    >>> critic = Critic(Dense(), Space((Field("v", Real(), 3),)), Space(), 8, False, pac=2)
    >>> critic(torch.randn(6, 3), torch.zeros(6, 0)).shape
    torch.Size([3])
    """

    def __init__(
        self,
        architecture: Architecture,
        space: Space,
        given: Space,
        features: int,
        spectral: bool,
        pac: int = 1,
        company: Company = Alone(),
        projects: bool = True,
    ) -> None:
        super().__init__()
        self.pac = pac
        self.body = architecture.down(side_by_side(space, pac), Space(), features)
        self.company = company.build(features)
        self.read = nn.Linear(features, 1)
        self.condition = Condition(pac * given.width * projects, features)
        if spectral:
            normalise(self)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.look(x, c).logits

    def look(self, x: Tensor, c: Tensor) -> Look:
        """Features and logits of x (B, C, *A), with what is given of it."""
        x, c = packed(x, self.pac), packed(c, self.pac)
        phi = self.company(F.leaky_relu(self.body(x, c[:, :0]), 0.2))
        logits: Tensor = self.read(phi).squeeze(1)
        if self.condition.weight.shape[1]:
            logits = logits + (phi * self.condition(c)).sum(1)
        return Look(phi, logits)

    def rows(self, x: Tensor, c: Tensor) -> Tensor:
        """The logit of the pack that each row is in, (B,); the first rows fill up the last pack."""
        packs = -(-len(x) // self.pac)
        rows = torch.arange(packs * self.pac, device=x.device) % len(x)
        return self(x[rows], c[rows]).repeat_interleave(self.pac)[: len(x)]

    def features(self, x: Tensor, c: Tensor) -> Tensor:
        """φ of each row, (B, F), as of a pack of its copies."""
        return self.look(*(t.repeat_interleave(self.pac, 0) for t in (x, c))).phi


class Classifier(nn.Module):
    """Features to log p(given | x), by the likelihood of each field that is given."""

    def __init__(self, given: Space, features: int) -> None:
        super().__init__()
        self.spec = ObservationSpec(given)
        self.read = nn.Linear(features, self.spec.predicted)
        self.shared = nn.Parameter(torch.zeros(self.spec.shared))

    def log_prob(self, phi: Tensor, c: Tensor) -> Tensor:
        """log p of what is given c (B, G) of each row and not unknown, (B,)."""
        known = ~self.spec.space.decode(c).isnan()  # (B, F)
        return self.spec(self.read(phi), self.shared).log_prob_of(c, known)


class Eye(nn.Module):
    """A critic at work in one step: what it makes of observations as training shows them.

    Args:
        critic: D. augmenter: T, what they go through first. sigma: of the noise on top (*instance
            noise*, Sønderby et al. 2017, arXiv:1610.04490). c: what is given of each.
    """

    def __init__(self, critic: Critic, augmenter: Augmenter, sigma: float, c: Tensor) -> None:
        super().__init__()
        self.critic, self.augmenter = critic, augmenter
        self.sigma, self.c = sigma, c

    def forward(self, x: Tensor) -> Look:
        shown = self.augmenter(x)
        if self.sigma:
            shown = shown + self.sigma * torch.randn_like(shown)
        return self.critic.look(shown, self.c)


def side_by_side(space: Space, pac: int) -> Space:
    """The Space of packs: every field `pac` times.

    >>> from twofold.core.space import Field, Real
    >>> side_by_side(Space((Field("v", Real(), 3),)), 2).shape
    (6,)
    """
    return Space(space.fields * pac, space.axes)


def packed(x: Tensor, pac: int) -> Tensor:
    """Rows side by side: (B, C, *A) to (B / pac, pac · C, *A).

    >>> packed(torch.arange(4).reshape(4, 1), 2).tolist()
    [[0, 1], [2, 3]]
    """
    if pac == 1:
        return x
    if len(x) % pac:
        raise UserError(
            f"pac = {pac} does not divide the {len(x)} rows that the critic sees at a time; make "
            f"train.batch / train.split a multiple of {pac}"
        )
    return x.unflatten(0, (-1, pac)).flatten(1, 2)


class SpectralNorm(nn.Module):
    """W / σ(W), σ by power iteration from the last turn's singular vectors."""

    u: Tensor
    v: Tensor
    turn: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("u", F.normalize(torch.ones(len(matrix)).to(matrix), dim=0))
        self.register_buffer("v", F.normalize(matrix.T @ self.u, dim=0))
        self.register_buffer("turn", torch.tensor(-1))

    @torch.no_grad()
    def advance(self, weight: Tensor, turn: int) -> None:
        """One power iteration, unless this turn has had it."""
        if turn != int(self.turn):
            matrix = weight.flatten(1)
            self.u.copy_(F.normalize(matrix @ self.v, dim=0))
            self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))
            self.turn.fill_(turn)

    def forward(self, weight: Tensor) -> Tensor:
        return weight / (self.u @ weight.flatten(1) @ self.v)


def normalise(module: nn.Module) -> None:
    """Give every layer with a matrix the spectral norm."""
    for layer in list(module.modules()):
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if not layer.weight.any():  # a zero-initialised branch has no spectrum to divide by
                nn.init.orthogonal_(layer.weight)
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))


def advance(module: nn.Module, turn: int) -> None:
    """Advance every power iteration of a module to a turn."""
    for layer in module.modules():
        if isinstance(layer, parametrize.ParametrizationList):
            for norm in layer:
                assert isinstance(norm, SpectralNorm)
                norm.advance(layer.original, turn)


def critics(model: object) -> list[str]:
    """The players of a model that are critics."""
    players = model.players() if isinstance(model, Model) else {}
    return [
        name
        for name, modules in players.items()
        if any(isinstance(part, Judge) for module in modules for part in module.modules())
    ]
