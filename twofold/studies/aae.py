r"""Codes made to follow p(z): the adversarial autoencoder beside the VAE, and its labels.

A VAE pays, observation by observation, for q(z | x) being far from p(z); an adversarial autoencoder
(Makhzani et al. 2016, arXiv:1511.05644) has a critic compare all codes together,
$q(z) = \mathbb E_x\, q(z \mid x)$, with p(z). Which comes nearer is a question of two samples,
codes of test digits and draws of p(z), and is answered by a classifier that is trained to tell them
apart (a *classifier two-sample test*, Lopez-Paz & Oquab 2017, arXiv:1610.06545): its accuracy on
codes that it has not seen is ½ where they are alike. The floor is two samples of p(z).

With a label in its code (`ssaae`) the same game learns to classify from few labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.game import Encodes, Model
from twofold.core.space import Space
from twofold.maths.distributions import Normal
from twofold.maths.likelihoods import SquaredError
from twofold.maths.schedules import Cosine
from twofold.measures.estimate import steady
from twofold.models.aae import AAE
from twofold.models.ssaae import SSAAE
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.studies.binary import CPU, Pictures, loop_of, pictures, trained
from twofold.studies.few_labels import Told, judged
from twofold.studies.few_labels import loop_of as labelled_loop
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import finding, gain
from twofold.studies.ssl_mnist import GIVEN, SPACE, told
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all
from twofold.train.options import Training

LABELS = 100


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of the autoencoders. few: of the one with labels. width: of the networks.
        latent: dimensions of the code. codes: that are compared, of each side.
    """

    steps: int
    few: int
    width: int
    latent: int
    codes: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 2, 16, 4, 100),
    "cpu": Setting(2000, 3000, 256, 8, 4000),
    "paper": Setting(50_000, 100_000, 1000, 8, 10_000),
}


class Aae(Study):
    """Prior matching against the VAE, and few labels."""

    claim = "Codes of an adversarial autoencoder follow the prior more closely than a VAE's."
    paper = "Makhzani et al. 2016, arXiv:1511.05644; Lopez-Paz & Oquab 2017, arXiv:1610.06545"
    protocol = (
        "Prior: dynamically binarised MNIST, dense encoder and decoder 2 × 256 (paper 1000), a "
        "latent of 8, the same for both families; 2,000 steps of 100 (paper 50,000), Adam at 1e-3 "
        "with a cosine, averaged weights, otherwise each family's defaults. 4,000 (paper 10,000) "
        "test digits, one draw of q(z | x) each, against as many draws of p(z); boosted trees of "
        "scikit-learn learn on half of both and are judged on the other half. The gain is the "
        "VAE's accuracy minus the adversarial one's, seed by seed. Labels: MNIST with 100 labels, "
        "as many of each digit, others for each seed, all but a tenth of the training digits; "
        "ssaae with the same networks and its defaults, squared error, a quarter of each batch of "
        "100 labelled, 3,000 steps (paper 100,000); error on the 10,000 test digits. Nothing was "
        "searched for. paper can be interrupted, and goes on with its runs."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        digits, few = pictures("mnist"), told("test")
        found = {
            name: [apart(digits, setting, name, seed, out) for seed in range(seeds)]
            for name in FAMILIES
        }
        floor = told_apart(noise(setting, 1), noise(setting, 2), 0)
        errors = [of_labels(few, setting, seed, out) for seed in range(seeds)]
        return [
            *(
                replace(finding(f"prior: accuracy of the test, {name}", values, "test", "lower"),
                        floor=floor)
                for name, values in found.items()
            ),
            gain("prior: accuracy of the test, vae minus aae",
                 differences(found["vae"], found["aae"]), "test"),
            finding(f"ssaae: error, {LABELS} labels", errors, "test", "lower"),
        ]  # fmt: skip


FAMILIES: Mapping[str, type[AAE] | type[VAE]] = {"aae": AAE, "vae": VAE}


def schedule(steps: int, seed: int, labelled: float = 0.0) -> Training:
    """How all are trained."""
    betas, cosine = (0.5, 0.99), Cosine(warmup=0.02)
    return Training(steps, 100, seed=seed, lr=1e-3, betas=betas, schedule=cosine, labelled=labelled)


# The prior.


def apart(digits: Pictures, setting: Setting, name: str, seed: int, folder: Path) -> float:
    """How well codes of test digits can be told from draws of p(z)."""
    seed_all(CPU, seed)
    net = Dense(setting.width, 2)
    model = FAMILIES[name](digits.space, Space(), setting.latent, net, net)
    made = trained(
        loop_of(model, digits.train, schedule(setting.steps, seed)), folder / f"{name}-{seed}"
    )
    codes = coded(made, digits.test[: setting.codes], seed)
    return told_apart(codes, noise(setting, seed), seed)


def coded(model: Model, x: Tensor, seed: int) -> Tensor:
    """A draw of q(z | x) for each picture, (N, D)."""
    assert isinstance(model, Encodes)
    with steady(model, seed):
        return model.encode(x, Given.none(len(x), Space())).sample().clone()


def noise(setting: Setting, seed: int) -> Tensor:
    """Draws of p(z)."""
    with torch.random.fork_rng([]):
        torch.manual_seed(1000 + seed)
        like = torch.zeros(setting.codes, 0)
        return Normal.standard(setting.codes, setting.latent, like).sample()


def told_apart(a: Tensor, b: Tensor, seed: int) -> float:
    """The held-out accuracy of boosted trees that tell the rows of a from those of b.

    >>> z = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    >>> told_apart(z, z + 9, 0)
    1.0
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    sides = [a[::2], b[::2]], [a[1::2], b[1::2]]
    (x, y), (held, true) = [
        (torch.cat(two).numpy(), torch.arange(2).repeat_interleave(len(two[0])).numpy())
        for two in sides
    ]
    trees = HistGradientBoostingClassifier(max_iter=100, random_state=seed).fit(x, y)
    return float(trees.score(held, true))


# Labels.


def of_labels(data: Told, setting: Setting, seed: int, folder: Path) -> float:
    """The error after the game with few labels."""
    seed_all(CPU, seed)
    net = Dense(setting.width, 2)
    model = SSAAE(SPACE, GIVEN, encoder=net, decoder=net, likelihood=(SquaredError(),))
    loop = labelled_loop(model, data, LABELS, schedule(setting.few, seed, labelled=0.25))
    return judged(trained(loop, folder / f"ssaae-{seed}"), data)
