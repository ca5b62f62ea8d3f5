"""What is shown: every row once an epoch, in an order of the seed alone, balanced when asked."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.data.sources import Memory, Streamed
from twofold.train.feed import Feed

FeedOf = Callable[..., Feed]
WHOLE = slice(0, 5)


def rows(feed: Feed, batches: int, start: int = 0) -> list[int]:
    return torch.cat([feed(5 * (start + i), WHOLE).rows for i in range(batches)]).tolist()


def test_every_row_is_shown_once_an_epoch(feed: FeedOf) -> None:
    line = rows(feed(), 11)  # five epochs of eleven rows
    epochs = [line[i : i + 11] for i in range(0, 55, 11)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_a_batch_larger_than_the_data_wraps_as_often_as_it_must(feed: FeedOf) -> None:
    line = feed(batch=30)(0, slice(0, 30)).rows.tolist()
    assert len(line) == 30
    assert sorted(line[:11]) == sorted(line[11:22]) == list(range(11))


def test_the_order_depends_on_the_seed_alone(feed: FeedOf) -> None:
    assert rows(feed(), 7) == rows(feed(), 7)
    assert rows(feed(seed=4), 7) != rows(feed(seed=3), 7)
    torch.manual_seed(123)
    late = feed()
    assert rows(late, 2, start=5) == rows(feed(), 7)[25:]  # a resumed run begins in the middle


def test_parts_are_slices_of_the_batch(feed: FeedOf) -> None:
    one = feed()
    whole, first, last = one(20, WHOLE), one(20, slice(0, 3)), one(20, slice(3, 5))
    assert torch.cat([first.rows, last.rows]).equal(whole.rows)
    assert torch.cat([first.x, last.x]).equal(whole.x)
    assert torch.cat([first.given.c, last.given.c]).equal(whole.given.c)


def test_memory_and_stream_show_the_same(feed: FeedOf, source: Memory) -> None:
    stream = Streamed(lambda row: source.values[row], source.given)
    a, b = feed()(10, WHOLE), feed(source=stream)(10, WHOLE)
    assert not feed(source=stream).encoded
    assert feed().encoded
    assert a.x.equal(b.x)
    assert a.given.c.equal(b.given.c)
    assert a.rows.equal(b.rows)


def test_balance_shows_every_label_equally_often(feed: FeedOf) -> None:
    """Eight, two and one unlabelled row: three groups, a third each."""
    even = feed(balance=True)
    line = rows(even, 1200)
    groups = torch.bucketize(torch.tensor(line), torch.tensor([8, 10]), right=True)
    shares = groups.bincount(minlength=3) / len(line)
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    assert rows(feed(balance=True), 5) == line[:25]
    assert rows(feed(balance=True, seed=9), 5) != line[:25]


def test_balance_without_labels_is_refused(feed: FeedOf, source: Memory) -> None:
    bare = Memory(source.values, source.values[:, :0])
    with pytest.raises(UserError, match=r"train\.balance"):
        feed(source=bare, given=Space(), balance=True)


@pytest.mark.parametrize("balance", [False, True])
def test_a_share_of_each_batch_has_a_label(feed: FeedOf, balance: bool) -> None:
    """Of eleven rows ten have a label: a quarter of what is shown, and within it balance holds."""
    line = torch.tensor(rows(feed(labelled=0.25, balance=balance), 1200))
    known = line < 10
    torch.testing.assert_close(known.double().mean().item(), 0.25, atol=0.02, rtol=0)
    second = (line[known] >= 8).double().mean().item()
    torch.testing.assert_close(second, 0.5 if balance else 0.2, atol=0.04, rtol=0)


def test_rows_count_for_what_they_are_in_the_data(feed: FeedOf, source: Memory) -> None:
    """However often rows with a label are drawn, a mean by counts is a mean over the data."""
    few = feed(labelled=0.4)
    batches = [few(5 * i, WHOLE) for i in range(800)]
    for batch in batches:
        assert (batch.rows < 10).sum() == 2  # exactly, not on average
        torch.testing.assert_close(batch.weight.mean(), torch.tensor(1.0))
    rows = torch.cat([batch.rows for batch in batches])
    weight = torch.cat([batch.weight for batch in batches])
    shares = torch.zeros(11).index_add(0, rows, weight) / len(rows)
    torch.testing.assert_close(shares, torch.full((11,), 1 / 11), atol=0.02, rtol=0)
    assert feed()(0, WHOLE).weight.equal(torch.ones(5))
    assert few(0, slice(2, 4)).weight.equal(batches[0].weight[2:4])


def test_a_share_of_labels_needs_rows_with_and_without(feed: FeedOf, source: Memory) -> None:
    bare = Memory(source.values, source.given * torch.nan)
    full = Memory(source.values, source.given.nan_to_num(0))
    for one in (bare, full):
        with pytest.raises(UserError, match=r"train\.labelled = 0\.5"):
            feed(source=one, labelled=0.5)


def test_augmentation_is_a_function_of_seed_step_and_part(feed: FeedOf) -> None:
    def jitter(values: Tensor) -> Tensor:
        return values + torch.rand_like(values)

    one, two = feed(augment=(jitter,)), feed(augment=(jitter,))
    assert not one.encoded
    torch.manual_seed(5)
    first = one(5, slice(0, 3)).x
    torch.manual_seed(6)
    assert two(5, slice(0, 3)).x.equal(first)
    assert not one(60, slice(0, 3)).x.equal(first)
    plain = feed()(5, slice(0, 3)).x
    noise = first - plain
    assert (noise >= 0).all()
    assert not noise.sub(one(5, slice(3, 5)).x[:1] - feed()(5, slice(3, 5)).x[:1]).eq(0).any()


def test_only_the_latest_orders_are_kept(feed: FeedOf) -> None:
    one = feed()
    rows(one, 30)
    assert len(one.epochs) <= 2


def test_no_data_are_refused(feed: FeedOf, source: Memory) -> None:
    empty = Memory(source.values[:0], source.given[:0])
    with pytest.raises(UserError, match="no rows"):
        feed(source=empty)
