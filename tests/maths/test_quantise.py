"""Quantisation against brute force, its averages against the paper, its entries against k-means."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from torch import Tensor

from twofold.maths.quantise import (
    Codebook,
    CodebookNet,
    Quantised,
    entries,
    moments,
    nearest,
    of_moments,
    perplexity,
    revived,
    shares,
    tally,
)

pytestmark = pytest.mark.usefixtures("float64")


def filled(size: int = 4, width: int = 3, decay: float = 0.9, least: float = 1e-9) -> CodebookNet:
    """A codebook of which every entry is in use."""
    book = Codebook(size, width, decay=decay, least=least).build()
    e = torch.randn(size, width)
    book.average.copy_(of_moments(torch.full((size,), 1 / size), e, torch.ones(size, width)))
    return book


def test_the_nearest_entry_is_the_nearest() -> None:
    z, e = torch.randn(5, 7, 3), torch.randn(6, 3)
    far = (z.unsqueeze(2) - e).square().sum(3)
    assert nearest(z, e).equal(far.argmin(2))


def test_the_gradient_passes_as_if_nothing_were_quantised() -> None:
    book, z = filled(), torch.randn(2, 5, 3, requires_grad=True)
    code = book(z)
    weight = torch.randn(2, 5, 3)
    torch.testing.assert_close(code.straight_through, book.entries[code.k])
    (slope,) = torch.autograd.grad((weight * code.straight_through).sum(), z)
    torch.testing.assert_close(slope, weight)
    (pull,) = torch.autograd.grad(code.commitment.sum(), z)
    torch.testing.assert_close(pull, 2 * (z - code.nearest))
    assert code.commitment.shape == (2,)


def test_the_averages_are_those_of_the_paper() -> None:
    """N and m of App. A.1 written out, entry by entry and vector by vector."""
    book = filled()
    N, m = (t.clone() for t in moments(book.average)[:2])
    for step, batch in enumerate(torch.randn(6, 2, 5, 3)):
        code = book(batch)
        book.observe(code)
        book.advance(step)
        for k in range(4):
            mine = [z for z, i in zip(batch.flatten(0, 1), code.k.flatten(), strict=True) if i == k]
            N[k] = 0.9 * N[k] + 0.1 * len(mine) / 10
            m[k] = 0.9 * m[k] + 0.1 * sum(mine, torch.zeros(3)) / 10
        torch.testing.assert_close(book.entries, m / N.unsqueeze(1), rtol=1e-4, atol=1e-5)


def test_a_step_is_taken_in_once() -> None:
    book = filled()
    book.observe(book(torch.randn(2, 5, 3)))
    before = book.average.clone()
    book.advance(7)
    after = book.average.clone()
    assert not after.equal(before)
    assert not book.seen.any()
    book.observe(book(torch.randn(2, 5, 3)))
    book.advance(7)  # another part of the same batch begins its game
    assert book.average.equal(after)
    assert book.seen.any()


def learnt(parts: list[Tensor], ranks: int) -> CodebookNet:
    """A codebook after a step whose parts were seen by several processes in turn."""
    torch.manual_seed(3)
    books = [filled() for _ in range(ranks)]
    for book in books:
        book.average.copy_(books[0].average)
    for number, part in enumerate(parts):
        book = books[number % ranks]
        book.observe(book(part))
    books[0].seen.copy_(sum((b.seen for b in books), torch.zeros(())) / ranks)  # as the loop does
    books[0].advance(0)
    return books[0]


def test_parts_in_any_order_and_in_several_processes_teach_what_the_batch_does() -> None:
    batch = torch.randn(7, 5, 3)
    whole = learnt([batch], 1)
    for order in itertools.permutations(batch.split([4, 1, 2])):
        torch.testing.assert_close(learnt(list(order), 1).average, whole.average)
    halves = list(batch.split([4, 3]))
    assert learnt(halves, 2).average.equal(learnt(halves, 1).average)  # bit for bit
    torch.testing.assert_close(learnt(halves, 2).average, whole.average)


@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0.01, 0.9))
def test_reviving_keeps_all_moments_and_kills_no_entry(seed: int, size: int, least: float) -> None:
    stream = torch.Generator().manual_seed(seed)
    number = torch.rand(size, generator=stream) ** 6
    mean, spread = (torch.randn(size, 3, generator=stream) for _ in range(2))
    before = of_moments(number, mean, spread.square())
    after = revived(before, least)
    torch.testing.assert_close(after.sum(0), kept(before, after), rtol=1e-9, atol=1e-12)
    alive = [(shares(t) >= least / size).sum() for t in (before, after)]
    assert alive[1] >= alive[0]
    heavy = (shares(before) >= 2 * least / size).sum()
    assert alive[1] - alive[0] >= min(heavy, size - alive[0]) - 1e-9


def kept(before: Tensor, after: Tensor) -> Tensor:
    """What the moments should sum to: those of dead entries that were replaced are forgotten."""
    changed = (before != after).any(1)
    grown = after[:, 0] > before[:, 0]
    return before[~(changed & grown)].sum(0)


def test_an_empty_codebook_at_least_doubles_until_it_is_full() -> None:
    book = Codebook(16, 2).build()
    z = torch.randn(40, 25, 2)
    used = []
    for step in range(6):
        book.advance(step)
        used.append(int(book.used))
        book.observe(book(z))
    assert used[:2] == [0, 2]
    assert all(b >= min(2 * a, 16) for a, b in itertools.pairwise(used))
    assert used[-1] == 16
    assert perplexity(book.shares) > 8


def test_an_entry_whose_vectors_are_gone_finds_others() -> None:
    book = Codebook(4, 1, decay=0.5).build()
    apart = torch.tensor([-9.0, -3.0, 3.0, 9.0]).reshape(1, 4, 1) + 0.1 * torch.randn(32, 4, 1)
    for step in range(40):
        book.advance(step)
        book.observe(book(apart if step < 20 else apart[:, :3]))
        if step == 19:
            assert book.entries.max() == pytest.approx(9, abs=0.1)
    assert book.used == 4
    assert book.entries.max() < 4


def test_it_is_as_good_a_codebook_as_k_means() -> None:
    x = torch.as_tensor(load_digits().data[:600] / 16.0)
    book = Codebook(10, 64).build()
    rows = torch.Generator().manual_seed(0)
    for step in range(300):
        book.advance(step)
        batch = x[torch.randint(600, (1, 100), generator=rows)]
        book.observe(book(batch))
    code = book(x.unsqueeze(0))
    best = KMeans(10, n_init=4, random_state=0).fit(x.numpy()).inertia_
    assert float(code.commitment) < 1.1 * best


def test_what_has_seen_nothing_is_finite() -> None:
    book = Codebook(3, 2).build()
    book.advance(0)
    assert book.entries.equal(torch.zeros(3, 2))
    assert book.used == 0
    assert isinstance(book(torch.randn(1, 2, 2)), Quantised)
    assert entries(torch.zeros(3, 5)).isfinite().all()


def test_a_tally_is_what_counting_gives() -> None:
    z, k = torch.randn(20, 2), torch.randint(3, (20,))
    N, m, square = moments(tally(z, k, 3))
    for i in range(3):
        own = z[k == i]
        assert N[i] == len(own)
        torch.testing.assert_close(m[i], own.sum(0))
        torch.testing.assert_close(square[i], own.square().sum(0))
