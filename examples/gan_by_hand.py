r"""A generative adversarial network by hand, on the 1,797 digits that come with scikit-learn.

A generator G turns noise into digits, a critic D tells real ones from drawn ones, and each learns
against the other (Goodfellow et al. 2014, arXiv:1406.2661, Algorithm 1). Both losses and both
penalties here are those of Huang et al. 2024, arXiv:2501.05441: with a real x beside a drawn x̂,

$$ L_D = \mathbb E\, s(D(\hat x) - D(x)) + \tfrac\gamma2 \mathbb E \|\nabla D(x)\|^2
        + \tfrac\gamma2 \mathbb E \|\nabla D(\hat x)\|^2, \qquad
   L_G = \mathbb E\, s(D(x) - D(\hat x)), $$

s the softplus. At the end the Fréchet distance of drawn and held-out pixels is printed beside its
floor, the distance of two halves of what is real: a distance alone says nothing.

    python examples/gan_by_hand.py --steps 3000 --out gan.png
"""

import argparse

import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import pad

from twofold.core.space import Bounded, Field, Space
from twofold.maths.adversarial import Relativistic
from twofold.maths.penalties import R1, R2, Contest
from twofold.maths.statistics import frechet
from twofold.nets.bodies import Dense
from twofold.nets.critics import Critic
from twofold.nets.decoders import Generator

DIGIT = Space((Field("pixel", Bounded(0, 16, 17)),), axes=(8, 8))
NOTHING = Space()  # nothing is given: a condition of width 0
LATENT, BATCH = 32, 64
OBJECTIVE, PENALTIES = Relativistic(), (R1(gamma=1.0), R2(gamma=1.0))


def main(steps: int, out: str) -> None:
    torch.manual_seed(0)
    values = torch.from_numpy(load_digits().images).float()
    x = DIGIT.encode(values.unsqueeze(1))[torch.randperm(1797)]  # (N, 1, 8, 8), in [0, 1]
    train, test = x[:1200], x[1200:]
    G = Generator(Dense(256, 3), LATENT, NOTHING, DIGIT, tau=0.5)
    D = Critic(Dense(256, 3), DIGIT, NOTHING, features=128, spectral=False)
    play = {net: torch.optim.Adam(net.parameters(), lr=5e-4, betas=(0.0, 0.99)) for net in (D, G)}
    for step in range(steps):
        real = train[torch.randint(len(train), (BATCH,))]
        L_D = critic_loss(D, real, draw(G, BATCH).detach())
        move(play[D], L_D)
        with torch.no_grad():
            logits = judge(D, real)
        L_G = OBJECTIVE.generator(logits, judge(D, draw(G, BATCH)))
        move(play[G], L_G)
        if step % 500 == 0:
            print(f"step {step}  critic {L_D:.3f}  generator {L_G:.3f}")
    with torch.no_grad():
        half = len(test) // 2
        drawn, one, two = draw(G, half), test[:half], test[half : 2 * half]
        ours, floor = (frechet(a.flatten(1), one.flatten(1)) for a in (drawn, two))
        print(f"Fréchet distance of pixels {ours:.2f}, floor {floor:.2f}, n {half} a side")
        save(draw(G, 64), out)


def draw(G: Generator, rows: int) -> Tensor:
    """x̂ = G(z), with gradient."""
    z = torch.randn(rows, LATENT)
    return G(z, z[:, :0]).rsample()


def judge(D: Critic, x: Tensor) -> Tensor:
    """Logits (B,)."""
    return D(x, x.new_zeros(len(x), 0))


def critic_loss(D: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """The objective, and the penalties of a critic that is steep at real or drawn digits."""
    real, fake = real.clone().requires_grad_(), fake.requires_grad_()
    contest = Contest(lambda x: judge(D, x), real, fake, judge(D, real), judge(D, fake))
    steepness = torch.stack([penalty(contest).mean() for penalty in PENALTIES]).sum()
    return OBJECTIVE.critic(contest.real_logits, contest.fake_logits) + steepness


def move(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One player's step; the gradients that its loss left in the other are cleared by its own."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def save(digits: Tensor, out: str) -> None:
    """Rows of eight digits."""
    framed = pad(digits, (1, 1, 1, 1)).reshape(-1, 8, 10, 10)  # (rows, digits a row, 10, 10)
    sheet = framed.transpose(1, 2).reshape(-1, 80)
    pixels = (255 * (1 - sheet)).round().byte().numpy()
    Image.fromarray(pixels).resize((480, 6 * len(pixels)), Image.Resampling.NEAREST).save(out)
    print(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", default="gan.png")
    main(**vars(parser.parse_args()))
