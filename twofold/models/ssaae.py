r"""The adversarial autoencoder that learns to classify from few labels.

The code is a label y and a style z. The encoder gives both, $q(y, z \mid x) = q(y \mid x)\,
q(z \mid x)$, and two critics see to it that, all observations taken together, labels follow a
categorical distribution, $\text{Cat}(y)$ with all K alike, and styles p(z). So z need not say what
y says, and where a label is known, y is taught it. Each step has three phases,

1. *reconstruction*: encoder and decoder lower $-\mathbb E \log p(x \mid y, z)$, y being q(y | x);
2. *regularisation*: the critics learn to tell draws of the two distributions from the encoder's
   labels and styles, and then the encoder learns to deceive both;
3. *semi-supervised classification*: over rows whose label is known, the encoder lowers the
   cross-entropy $-\mathbb E \log q(y \mid x)$.

So the encoder, weighing the phases by α (`pressure`) and λ (`supervised`), lowers in turn

$$ -\mathbb E \log p(x \mid y, z), \qquad
   -\alpha\, \mathbb E\big[\log D_y(q(y \mid x)) + \log D_z(z)\big], \qquad
   -\lambda\, \mathbb E \log q(y \mid x). $$

Source: Makhzani, Shlens, Jaitly, Goodfellow & Frey 2016, Adversarial Autoencoders,
arXiv:1511.05644, §5.

In the paper the critic of styles sees z alone. Here it sees by projection the label that the
encoder gave as well, so that styles follow p(z) whatever the label: else a style may say another
digit than y does, and what is decoded is the style's. The label that is known is shown to no
network; what else is given conditions encoder, decoder and the critic of styles. With a label
given, draws have it: y is in the code.

Notation: x (B, C, *A); y (B, K), one-hot where it is drawn; z (B, D); D(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Classifies, Decodes, Encodes, Model, Progress, Starts, Turn
from twofold.core.label import Label
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating, Objective
from twofold.maths.distributions import Beside, Categories
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.penalties import R1, Penalty
from twofold.nets.bodies import Architecture, Dense, Suited
from twofold.nets.coding import CodeCritic
from twofold.nets.decoders import decoding
from twofold.nets.imposed import Gaussian, Imposed
from twofold.nets.inference import Drawn, Inference, Point
from twofold.nets.steadying import Steadied


class SSAAE(Model, Decodes, Encodes, Classifies, Starts, Steadied):
    """The semi-supervised adversarial autoencoder of a Space.

    Args:
        style: D, the dimensions of z; the code has K more, for the label.
        encoder: the architecture of q(y | x) and of q(z | x, given).
        decoder: the architecture of p(x | y, z, given).
        critic: the layers of both critics, of labels and of styles.
        label: which category of what is given is learnt; the first where it is not named.
        inference: how q(z | x) is drawn from.
        prior: p(z).
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        objective: what critics and encoder minimise, of logits.
        penalties: what each critic pays besides, summed.
        pressure: the weight of the encoder's part in the critics' game.
        supervised: the weight of the labels that are known.

    Raises:
        UserError: nothing that is given is a label, or the prior needs more dimensions.

    >>> from twofold.core.space import Category, Field, Real
    >>> label = Space((Field("label", Category(("x", "y")), missing=True),))
    >>> ssaae = SSAAE(Space((Field("a", Real()), Field("b", Real()))), label, style=2)
    >>> ssaae.classify(torch.zeros(3, 2), Given.none(3, label)).mean.shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        style: PositiveInt = 10,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        critic: Dense = Dense(),
        label: str = "",
        inference: Inference = Point(),
        prior: Imposed = Gaussian(),
        likelihood: tuple[Likelihood, ...] = (),
        objective: Objective = NonSaturating(),
        penalties: tuple[Penalty, ...] = (R1(),),
        pressure: PositiveFloat = 10.0,
        supervised: NonNegativeFloat = 100.0,
    ) -> None:
        super().__init__(space, given)
        prior.check(style)
        self.label = Label.of(given, label)
        rest, K = self.label.rest, len(self.label.names)
        self.latent, self.style, self.imposed = K + style, style, prior
        self.pressure, self.supervised = pressure, supervised
        self.q_y = encoder.down(space, rest, K)
        self.q_z = inference.build(encoder, space, rest, style)
        self.p = decoding(decoder, self.latent, rest, ObservationSpec(space, likelihood))
        self.D_y = CodeCritic(critic, K, Space(), objective, penalties)
        beside = Space((*rest.fields, replace(self.label.field, missing=False)))
        self.D_z = CodeCritic(critic, style, beside, objective, penalties)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.q_y, self.q_z, self.p], "critic": [self.D_y, self.D_z]}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given, told = batch.x, batch.given, self.label(batch.given)
        c, nothing = told.rest.c, told.rest.c[:, :0]
        distortion = -self.decode(self.encode(x, given).rsample(), given).log_prob(x).mean()
        yield Turn({"distortion": distortion}, autoencoder=distortion)
        with torch.no_grad():
            y_hat, z_hat = self.classify(x, given).mean, self.styled(x, given).rsample()
        p = self.any(given)
        of_labels, seen = self.D_y.told(p.first.sample(), y_hat, nothing, progress)
        of_styles, noted = self.D_z.told(
            p.second.sample(), z_hat, torch.cat([c, y_hat], 1), progress
        )
        notes = {f"label_{k}": v for k, v in seen.items()}
        yield Turn(
            notes | {f"style_{k}": v for k, v in noted.items()}, critic=of_labels + of_styles
        )
        y_hat, z_hat = self.classify(x, given).mean, self.styled(x, given).rsample()
        deceived_y = self.D_y.deceived(p.first.sample(), y_hat, nothing)
        beside = torch.cat([c, y_hat.detach()], 1)
        deceived_z = self.D_z.deceived(p.second.sample(), z_hat, beside)
        yield Turn(autoencoder=self.pressure * (deceived_y + deceived_z))
        mistaken = -(told.known * self.classify(x, given).log_prob(told.y)).mean()
        yield Turn({"mistaken": mistaken}, autoencoder=self.supervised * mistaken)

    def encode(self, x: Tensor, given: Given) -> Beside:
        """q(y, z | x, given)."""
        return Beside(self.classify(x, given), self.styled(x, given))

    def classify(self, x: Tensor, given: Given) -> Categories:
        """q(y | x)."""
        return Categories(self.q_y(x, self.label(given).rest.c))

    def styled(self, x: Tensor, given: Given) -> Drawn:
        """q(z | x, given)."""
        q: Drawn = self.q_z(x, self.label(given).rest.c)
        return q

    def prior(self, given: Given) -> Beside:
        """Cat(y) p(z); where the label is known, that label and p(z)."""
        told = self.label(given)
        sure = (1 - told.y) * told.known.unsqueeze(1)
        return Beside(Categories(-SURE * sure), self.any(given).second)

    def any(self, given: Given) -> Beside:
        """Cat(y) p(z), whatever is given."""
        like = given.c
        alike = like.new_zeros(len(given), len(self.label.names))
        return Beside(Categories(alike), self.imposed(len(given), self.style, like))

    def decode(self, z: Tensor, given: Given) -> Observation:
        """p(x | y, z, given) of codes (B, K + D), y before z."""
        return self.p(z, self.label(given).rest.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """A label and a style, then x; of a picture, the mean of p(x | y, z), as is the custom."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()


SURE = 1e4
"""A logit so far below another that its label is never drawn."""
