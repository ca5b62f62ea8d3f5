"""Noisy copies of scenes: how they are paired, and that a model learns the clean from them."""

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.space import Field, Real, Space
from twofold.data.sources import Copies, Memory, Source, Subset
from twofold.maths.divergences import KL
from twofold.maths.noise import Clean, Gaussian, Noise
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.train.chance import seed_all
from twofold.train.feed import Feed, Partner
from twofold.train.loop import Loop
from twofold.train.options import Training

CPU = torch.device("cpu")
SPACE = Space((Field("v", Real(), 8),))


def memory(values: Tensor) -> Memory:
    return Memory(values, values.new_zeros(len(values), 0))


def feed(source: Source, batch: int = 64) -> Feed:
    return Feed(source, SPACE, Space(), batch, 0, CPU)


def test_a_partner_is_another_copy_and_each_as_often() -> None:
    scenes = torch.tensor([4, 9, 4, 4, 9, 2, 2])
    partner, chance = Partner.of(scenes), torch.Generator().manual_seed(0)
    rows = torch.arange(7).repeat(3000)
    found = partner(rows, chance)
    assert not (found == rows).any()
    assert scenes[found].equal(scenes[rows])
    assert (found[rows == 0] == 2).double().mean().item() == pytest.approx(0.5, abs=0.04)


def test_a_batch_has_both_copies_whatever_its_parts_and_without_copies_x_itself() -> None:
    scenes = torch.arange(20) // 2
    values = torch.arange(20.0)[:, None].expand(-1, 8)
    fed = feed(Subset(Copies(memory(values), scenes), torch.arange(20)), 10)
    whole = fed(30, slice(0, 10))
    assert ((whole.x - whole.seen).abs() == 1).all()
    assert (whole.x // 2).equal(whole.seen // 2)
    parts = [fed(30, slice(0, 6)), fed(30, slice(6, 10))]
    assert torch.cat([part.seen for part in parts]).equal(whole.seen)
    assert torch.cat([part.seen for part in whole.parts(3)]).equal(whole.seen)
    plain = feed(memory(values), 10)(30, slice(0, 10))
    assert plain.seen is plain.x


def test_what_changes_a_batch_changes_both_copies_alike() -> None:
    def flipped(values: Tensor) -> Tensor:
        return torch.where(torch.rand(len(values), 1) < 0.5, -values, values)

    values = (torch.arange(20.0) // 2 + 1)[:, None].expand(-1, 8)
    source = Copies(memory(values), torch.arange(20) // 2)
    batch = Feed(source, SPACE, Space(), 20, 0, CPU, augment=(flipped,))(0, slice(0, 20))
    assert batch.x.equal(batch.seen)
    assert 0 < (batch.x < 0).double().mean() < 1


def test_a_scene_of_one_copy_among_pairs_is_refused() -> None:
    with pytest.raises(UserError, match="1 scenes have a single noisy copy"):
        feed(Copies(memory(torch.zeros(5, 8)), torch.tensor([0, 0, 1, 1, 2])))


def error(source: Source, noise: Noise, seen: Tensor, clean: Tensor) -> float:
    """The squared error of a trained model's estimate."""
    seed_all(CPU, 0)
    parts = {"noise": noise, "divergence": KL(0.05)}
    vae = VAE(SPACE, Space(), 8, Dense(64, 1), Dense(64, 1), **parts)
    loop = Loop(vae, feed(source), Training(300, 64, lr=3e-3))
    while not loop.done:
        loop.advance()
    with torch.no_grad():
        given = Given.none(len(seen), Space())
        found = vae.decode(vae.encode(seen, given).mean, given).mean
    return (found - clean).square().mean().item()


def test_noisy_copies_teach_what_clean_targets_do() -> None:
    """Noise2noise: seen one copy and scored on another, a model comes near to one that was scored
    on clean targets; scored on what it sees, it learns the noise."""
    chance = torch.Generator().manual_seed(0)
    A = torch.randn(2, 8, generator=chance)
    clean = torch.randn(3000, 2, generator=chance) @ A
    first, second, new = (
        clean + 0.7 * torch.randn(clean.shape, generator=chance) for _ in range(3)
    )
    pairs = Copies(memory(torch.cat([first, second])), torch.arange(3000).repeat(2))
    taught = error(memory(clean), Gaussian(0.7), new, clean)
    by_copies = error(pairs, Clean(), new, clean)
    by_itself = error(memory(first), Clean(), new, clean)
    assert by_copies == pytest.approx(taught, rel=0.15)
    assert by_itself > 2 * by_copies
