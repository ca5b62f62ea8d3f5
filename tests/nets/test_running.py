"""A running mean against its recurrence, and agreed on by parts."""

import torch

from twofold.nets.running import Running


def test_it_is_the_plain_mean_at_first_and_then_forgets() -> None:
    running, values = Running((2,), decay=0.75), torch.randn(9, 5, 2)
    expected = torch.zeros(2)
    for step, v in enumerate(values):
        running.advance(step)
        torch.testing.assert_close(running.mean, expected)
        running.observe(v)
        expected = torch.lerp(expected, v.mean(0), max(0.25, 1 / (step + 1)))


def test_parts_of_a_batch_see_one_mean_and_count_once() -> None:
    whole, cut, v = Running((), 0.5), Running((), 0.5), torch.tensor([1.0, 2.0, 6.0])
    for step in range(3):
        whole.advance(step)
        whole.observe(v)
        for part in v.split([2, 1]):
            cut.advance(step)
            seen = cut.mean.clone()
            cut.observe(part)
            assert cut.mean.equal(seen)
        assert cut.mean.equal(whole.mean)


def test_a_step_that_shows_nothing_moves_nothing() -> None:
    running = Running((), 0.5)
    running.advance(0)
    running.observe(torch.ones(2))
    for step in (1, 2, 3):
        running.advance(step)
        assert running.mean.item() == 1
