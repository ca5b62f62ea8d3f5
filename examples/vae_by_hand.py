r"""A variational autoencoder by hand, on the 1,797 digits that come with scikit-learn.

Below the training loop Twofold is an ordinary library: a `Space` says what one digit is, networks
and likelihoods ask it for shapes and levels, and a loss is a line. The rest is Kingma & Welling
2014, arXiv:1312.6114. With an encoder q(z | x), a decoder p(x | z) and the prior p(z) = N(0, I),

$$ \log p(x) \;\ge\; \mathbb E_{q(z|x)} \log p(x \mid z) - \mathrm{KL}(q(z \mid x) \,\|\, p(z)), $$

minus a *distortion* and a *rate*, in nats a digit. At the end the same networks are asked for the
importance-weighted bound of 100 draws, which lies closer to log p(x) (Burda et al. 2016).

    python examples/vae_by_hand.py --steps 2000 --out vae.png
"""

import argparse

import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import pad

from twofold.core.space import Bounded, Field, Space
from twofold.maths.bounds import importance_weighted
from twofold.maths.distributions import Normal
from twofold.maths.divergences import KL, Code
from twofold.maths.likelihoods import ObservationSpec
from twofold.nets.bodies import Dense
from twofold.nets.decoders import Decoder
from twofold.nets.encoders import Encoder

DIGIT = Space((Field("pixel", Bounded(0, 16, 17)),), axes=(8, 8))
NOTHING = Space()  # nothing is given: a condition of width 0
LATENT, BATCH = 8, 128


def main(steps: int, out: str) -> None:
    torch.manual_seed(0)
    values = torch.from_numpy(load_digits().images).float()
    x = DIGIT.encode(values.unsqueeze(1))  # (N, 1, 8, 8), in [0, 1]
    train, test = x[:1500], x[1500:]
    q = Encoder(Dense(), DIGIT, NOTHING, LATENT)
    p = Decoder(Dense(), LATENT, NOTHING, ObservationSpec(DIGIT))
    optimiser = torch.optim.Adam([*q.parameters(), *p.parameters()], lr=1e-3)
    for step in range(steps):
        rows = torch.randint(len(train), (BATCH,))
        distortion, rate = terms(q, p, train[rows])
        optimiser.zero_grad()
        (distortion + rate).backward()
        optimiser.step()
        if step % 500 == 0:
            print(f"step {step}  distortion {distortion:.2f}  rate {rate:.2f} nats")
    with torch.no_grad():
        print(f"held out: ELBO {bound(q, p, test, 1):.2f}, 100 draws {bound(q, p, test, 100):.2f}")
        draws = p(torch.randn(64, LATENT), x.new_zeros(64, 0)).mean
        save(torch.cat([test[:8], again(q, p, test[:8]), draws]), out)


def terms(q: Encoder, p: Decoder, x: Tensor) -> tuple[Tensor, Tensor]:
    """Distortion and rate: means over the rows."""
    c = x.new_zeros(len(x), 0)
    posterior, prior = q(x, c), Normal.standard(len(x), LATENT, x)
    z = posterior.rsample()
    return -p(z, c).log_prob(x).mean(), KL()(Code(posterior, z, prior))


def bound(q: Encoder, p: Decoder, x: Tensor, draws: int) -> Tensor:
    """The importance-weighted bound, log-weights (K, B): log p(x | z) + log p(z) - log q(z | x)."""
    c = x.new_zeros(len(x), 0)
    posterior, prior = q(x, c), Normal.standard(len(x), LATENT, x)
    z = [posterior.sample() for _ in range(draws)]
    log_w = [p(k, c).log_prob(x) + prior.log_prob(k) - posterior.log_prob(k) for k in z]
    return importance_weighted(torch.stack(log_w)).mean()


def again(q: Encoder, p: Decoder, x: Tensor) -> Tensor:
    """x decoded from the mean of its code."""
    c = x.new_zeros(len(x), 0)
    return p(q(x, c).mean, c).mean


def save(digits: Tensor, out: str) -> None:
    """Rows of eight digits: held-out ones, the same reconstructed, and draws from the prior."""
    framed = pad(digits, (1, 1, 1, 1)).reshape(-1, 8, 10, 10)  # (rows, digits a row, 10, 10)
    sheet = framed.transpose(1, 2).reshape(-1, 80)
    pixels = (255 * (1 - sheet)).round().byte().numpy()
    Image.fromarray(pixels).resize((480, 6 * len(pixels)), Image.Resampling.NEAREST).save(out)
    print(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", default="vae.png")
    main(**vars(parser.parse_args()))
