"""What calls a code of sentences into use: the bag of words, and an encoder that learns ahead."""

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space, Token
from twofold.maths.bounds import IWAE
from twofold.maths.leads import Aggressive
from twofold.models.vae import VAE
from twofold.nets.bags import BagOfWords
from twofold.nets.sequences import Gru

WORDS = Space((Field("word", Token(("", "a", "b", "c"))),), (6,))
NETS = {"encoder": Gru(8, embed=4, guide=4), "decoder": Gru(8, embed=4, guide=4), "latent": 3}
ROWS = torch.tensor([[1.0, 2, 3, 0, 0, 0], [3, 3, 1, 2, 0, 0], [2, 0, 0, 0, 0, 0]]).unsqueeze(1)
BATCH = Batch.of(WORDS.encode(ROWS), Given.none(3, Space()))


def test_the_bag_counts_every_word_to_the_end_in_any_order() -> None:
    torch.manual_seed(0)
    bag, z, c = BagOfWords(weight=2.0).build(3, WORDS, Space()), torch.randn(3, 3), BATCH.given.c
    lost = bag(z, c, BATCH.x)
    other = ROWS.clone()
    other[0, 0, :3] = torch.tensor([3.0, 1, 2])
    torch.testing.assert_close(bag(z, c, WORDS.encode(other)), lost)
    other[0, 0, 5] = 3  # behind the end
    torch.testing.assert_close(bag(z, c, WORDS.encode(other)), lost)
    log_p = bag.net(z).log_softmax(1)
    torch.testing.assert_close(lost[2], -2 * (log_p[2, 2] + log_p[2, 0]))


def test_the_bag_is_paid_for_and_no_part_of_the_bound() -> None:
    torch.manual_seed(0)
    vae = VAE(WORDS, Space(), auxiliary=BagOfWords(), **NETS)
    torch.manual_seed(1)
    (turn,) = vae.play(BATCH, Progress(size=3))
    torch.manual_seed(1)
    one = vae.one(BATCH, Progress(size=3))
    paid = turn.losses["autoencoder"] - turn.notes["distortion"] - turn.notes["rate"]
    torch.testing.assert_close(paid, one.aid)
    torch.manual_seed(1)
    bound = vae.log_likelihood(BATCH.x, BATCH.given, 1)
    z, q = one.z, vae.encode(BATCH.x, BATCH.given)
    ratio = vae.prior(BATCH.given).log_prob(z) - q.log_prob(z)
    torch.testing.assert_close(bound.mean(), ratio.mean() - one.distortion)


def test_the_encoder_leads_and_then_both_learn() -> None:
    vae = VAE(WORDS, Space(), lead=Aggressive(k=2, steps=5), **NETS)
    assert set(vae.players()) == {"encoder", "decoder"}
    early = [sorted(turn.losses) for turn in vae.play(BATCH, Progress(step=4, size=3))]
    assert early == [["encoder"], ["encoder"], ["decoder"]]
    late = [sorted(turn.losses) for turn in vae.play(BATCH, Progress(step=5, size=3))]
    assert late == [["decoder", "encoder"]]


def test_an_encoder_that_leads_is_a_plain_vae_once_it_no_longer_does() -> None:
    def moved(vae: VAE) -> list[torch.Tensor | None]:
        torch.manual_seed(1)
        (turn,) = vae.play(BATCH, Progress(step=9, size=3))
        every = [p for nets in vae.players().values() for net in nets for p in net.parameters()]
        loss = next(iter(turn.losses.values()))
        return list(torch.autograd.grad(loss, every, allow_unused=True))

    torch.manual_seed(0)
    plain = VAE(WORDS, Space(), **NETS)
    torch.manual_seed(0)
    led = VAE(WORDS, Space(), lead=Aggressive(steps=5), **NETS)
    for a, b in zip(moved(plain), moved(led), strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


def test_what_makes_no_sense_together_is_refused() -> None:
    with pytest.raises(UserError, match="iwae does not go with bag-of-words"):
        VAE(WORDS, Space(), bound=IWAE(), auxiliary=BagOfWords(), **NETS)
    with pytest.raises(UserError, match="iwae does not go with aggressive"):
        VAE(WORDS, Space(), bound=IWAE(), lead=Aggressive(), **NETS)
    with pytest.raises(UserError, match="bag-of-words is for tokens"):
        VAE(Space((Field("a", Real()),)), Space(), auxiliary=BagOfWords())
