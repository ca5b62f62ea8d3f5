"""Decoders that spell see no token to come, and what they keep of the past changes nothing."""

import dataclasses

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Space, Token
from twofold.maths.choosing import Choice
from twofold.maths.guidance import guided
from twofold.maths.likelihoods import ObservationSpec
from twofold.models import families
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.priors import Autoregressive as Chain
from twofold.nets.priors import Standard
from twofold.nets.sequences import (
    Grams,
    Gru,
    Places,
    PlacesDown,
    SequenceDecoder,
    Sequential,
    Spelling,
    Transformer,
    beginning,
    choosing,
    up_to_the_end,
)

K, T, D = 5, 8, 3
WORDS = Space((Field("word", Token(("", "a", "b", "c", "d"))),), (T,))
DOSE = Space((Field("dose", Bounded(0, 1), missing=True),))
PARTS = [Gru(12, depth=2, embed=4, guide=3), Gru(12, embed=4, guide=0), Transformer(12, 2, 2, 4, 3)]


@pytest.fixture(params=PARTS, ids=["gru", "unguided", "transformer"])
def part(request: pytest.FixtureRequest) -> Sequential:
    return request.param


@pytest.fixture
def decoder(part: Sequential) -> SequenceDecoder:
    torch.manual_seed(0)
    made = SequenceDecoder(part, D, DOSE, ObservationSpec(WORDS))
    for parameter in made.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return made.double()


def ways(rows: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(rows, D).double(), torch.rand(rows, DOSE.width).double()


def spelling(decoder: SequenceDecoder, rows: int) -> Spelling:
    found = decoder(*ways(rows)).fields[0].values
    assert isinstance(found, Spelling)
    return found


@pytest.mark.parametrize("t", range(T))
def test_a_place_sees_no_token_to_come(decoder: SequenceDecoder, t: int) -> None:
    k = torch.randint(K, (6, T))
    other = torch.cat([k[:, :t], torch.randint(K, (6, T - t))], 1)
    p = spelling(decoder, 6)
    assert torch.equal(p.logits(k)[:, : t + 1], p.logits(other)[:, : t + 1])


def test_a_place_sees_the_tokens_before_it(decoder: SequenceDecoder) -> None:
    k = torch.ones(2, T, dtype=torch.long)
    k[1, 0] = 2
    z, c = (way.expand(2, -1) for way in ways(1))
    logits = decoder(z, c).fields[0].values.logits(k)
    assert not torch.allclose(logits[0, -1], logits[1, -1])


def test_spelling_with_a_kept_past_is_the_likeliest_of_the_whole(decoder: SequenceDecoder) -> None:
    """Greedy tokens, one by one, are the arg max of the logits that see them all at once."""
    p = spelling(decoder, 9)
    k = p.spell(Choice(0.0))
    shown = up_to_the_end(k)
    assert torch.equal(p.logits(k).argmax(2)[shown], k[shown])
    assert not k[~shown].any()


def test_probabilities_of_all_sequences_sum_to_one(part: Sequential) -> None:
    """Over three places and two tokens besides the end."""
    torch.manual_seed(0)
    space = Space((Field("word", Token(("", "a", "b"))),), (3,))
    decoder = SequenceDecoder(part, D, Space(), ObservationSpec(space)).double()
    every = torch.cartesian_prod(*[torch.arange(3)] * 3)  # what stands behind an end is ignored
    first = (every * up_to_the_end(every)).unique(dim=0)
    p = decoder(torch.ones(len(first), D).double(), torch.zeros(len(first), 0).double())
    x = space.encode(first.unsqueeze(1).double())
    open_ended = (first != 0).all(1)
    assert float(p.log_prob(x).detach().exp().sum()) == pytest.approx(1.0)
    assert open_ended.any()


def test_draws_are_as_probable_as_they_are_said(decoder: SequenceDecoder) -> None:
    torch.manual_seed(3)
    z, c = (way.expand(4000, -1) for way in ways(1))
    p = decoder(z, c)
    x = p.sample()
    first = p.fields[0].values.logits(torch.ones(4000, T, dtype=torch.long))[0, 0].softmax(0)
    seen = x[:, :, 0].mean(0)
    assert torch.allclose(seen, first, atol=0.03)


def test_draws_begin_as_they_are_told_and_go_on_as_the_model_would(
    decoder: SequenceDecoder,
) -> None:
    p = spelling(decoder, 50)
    with beginning(decoder, (2, 3)):
        k = p.spell(Choice(0.0))
    assert torch.equal(k[:, :2], torch.tensor([2, 3]).expand(50, 2))
    shown = up_to_the_end(k)
    shown[:, :2] = False
    assert torch.equal(p.logits(k).argmax(2)[shown], k[shown])
    assert not torch.equal(p.spell(Choice(0.0))[:, :2], k[:, :2])  # and no longer than that


def test_rows_do_not_see_each_other(part: Sequential) -> None:
    torch.manual_seed(0)
    body = part.down(WORDS, DOSE, 4).double()
    k = torch.tensor([[1, 2, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 1, 2, 3, 4]])
    x, c = WORDS.encode(k.unsqueeze(1).double()), ways(2)[1]
    both = body(x, c)
    alone = torch.cat([body(x[i : i + 1], c[i : i + 1]) for i in range(2)])
    assert torch.allclose(both, alone, atol=1e-12)


def test_what_stands_behind_the_end_is_not_read(decoder: SequenceDecoder) -> None:
    k = torch.tensor([[1, 2, 0, 3, 0, 4, 1, 1], [1, 2, 0, 0, 0, 0, 0, 0]])
    z, c = (way[:1].expand(2, -1) for way in ways(1))
    x = WORDS.encode(k.unsqueeze(1).double())
    said = decoder(z, c).log_prob(x)
    assert torch.allclose(said[0], said[1], atol=1e-12)


def test_grams_read_what_stands_together_wherever_it_does() -> None:
    grams = Grams(6, 7, 5)
    word, other = torch.randn(1, 3, 6), torch.randn(1, 3, 6)
    rest = torch.randn(1, 1, 6)

    def read(word: Tensor, at: int, shown: int = 40) -> Tensor:
        e = torch.cat([rest.expand(1, at, 6), word, rest.expand(1, 37 - at, 6)], 1)
        return grams(e, (torch.arange(40) < shown).float().unsqueeze(0))

    torch.testing.assert_close(read(word, 10), read(word, 20), rtol=0, atol=1e-5)
    assert not torch.allclose(read(word, 10), read(other, 10), atol=1e-3)
    cut = read(word, 30, shown=20)
    torch.testing.assert_close(cut, read(other, 30, shown=20), rtol=0, atol=0)


def test_places_add_what_grams_read() -> None:
    space = Space((Field("t", Token(("", "a", "b"))),), (9,))
    torch.manual_seed(0)
    plain = Places(8, embed=4).down(space, Space(), 3)
    torch.manual_seed(0)
    both = Places(8, embed=4, grams=5).down(space, Space(), 3)
    x, c = space.encode(torch.tensor([[[1.0, 2, 1, 0, 0, 0, 0, 0, 0]]])), torch.zeros(1, 0)
    assert isinstance(both, PlacesDown)
    assert both.grams is not None
    e = both.embed[x.argmax(1)]
    shown = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0, 0]])
    torch.testing.assert_close(both(x, c) - plain(x, c), both.grams(e, shown))


def test_guidance_at_its_ends_is_one_of_the_two(decoder: SequenceDecoder) -> None:
    z, c = ways(3)
    full, null = decoder(z, c), decoder(z, torch.zeros_like(c))
    assert torch.equal(guided(full, null, 1.0).mode, full.mode)
    assert torch.equal(guided(full, null, 0.0).mode, null.mode)
    between = guided(full, null, 2.0).fields[0].values
    k = torch.randint(K, (3, T))
    one, other = (p.fields[0].values.logits(k) for p in (full, null))
    assert torch.allclose(between.logits(k), 2 * one - other)
    assert between.sample().sum(1).eq(1).all()


def test_word_dropout_hides_tokens_in_training_alone(part: Sequential) -> None:
    torch.manual_seed(0)
    hiding = dataclasses.replace(part, dropout=0.9)
    net = SequenceDecoder(hiding, D, Space(), ObservationSpec(WORDS)).net
    k, z, c = torch.randint(K, (4, T)), torch.randn(4, D), torch.zeros(4, 0)
    assert not torch.equal(net(k, z, c), net(k, z, c))
    net.eval()
    assert torch.equal(net(k, z, c), net(k, z, c))


def test_start_is_how_often_tokens_come(decoder: SequenceDecoder) -> None:
    x = WORDS.encode(torch.tensor([[[1, 1, 2, 0, 0, 0, 0, 0]]]).double())
    before = decoder.net.read.bias.clone()
    decoder.start(x)
    gained = decoder.net.read.bias - before
    assert torch.allclose(gained[:3].exp(), torch.tensor([0.25, 0.5, 0.25]).double())


def test_a_vae_learns_to_give_sequences_back(part: Sequential) -> None:
    torch.manual_seed(0)
    x = WORDS.encode(torch.randint(K, (16, 1, T)).float())
    vae = VAE(WORDS, Space(), 8, part, part)
    batch = Batch.of(x)
    first = next(vae.play(batch, Progress())).losses["autoencoder"]
    optimiser = torch.optim.Adam(vae.parameters(), 1e-2)
    for _ in range(60):
        loss = next(vae.play(batch, Progress())).losses["autoencoder"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.7 * first


def test_choices_are_for_what_spells() -> None:
    torch.manual_seed(0)
    none = Given.none(4, Space())
    vae = VAE(WORDS, Space(), 2, Dense(8, 1), PARTS[0])
    with choosing(vae, Choice(0.0)):
        z = torch.zeros(4, 2)
        drawn = vae.decode(z, none).sample()
    assert torch.equal(drawn, vae.decode(z, none).mode)
    plain = VAE(WORDS, Space(), 2, Dense(8, 1), Dense(8, 1))
    with pytest.raises(UserError, match="spell"), choosing(plain, Choice(0.5)):
        pass


WHOLE = (
    *(
        ("vae", {"decoder": part, "prior": prior})
        for part in PARTS
        for prior in (Standard(), Chain())
    ),
    ("aae", {"decoder": PARTS[0]}),
    ("latentgan", {"decoder": PARTS[2]}),
    ("autoregressive", {"decoder": PARTS[0]}),
    ("autoregressive", {"decoder": PARTS[2]}),
)


@pytest.mark.parametrize(("family", "parts"), WHOLE)
def test_no_family_tells_its_decoder_of_tokens_to_come(
    family: str, parts: dict[str, object]
) -> None:
    """In the likelihood of a whole model, tokens from place t on change none before it."""
    torch.manual_seed(0)
    model = families()[family](WORDS, DOSE, **parts).double().eval()
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    decoders = [one for one in model.modules() if isinstance(one, SequenceDecoder)]
    assert len(decoders) == 1
    width = decoders[0].net.guide.weight.shape[1] - DOSE.width
    c = torch.rand(6, DOSE.width).double()
    p = decoders[0](torch.randn(6, width).double(), c)
    k = torch.randint(1, K, (6, T))
    for t in range(1, T):
        other = torch.cat([k[:, :t], torch.randint(1, K, (6, T - t))], 1)
        one, two = (
            p.fields[0].values.log_prob(WORDS.encode(x.unsqueeze(1).double())) for x in (k, other)
        )
        assert torch.equal(one[:, :, :t], two[:, :, :t])
