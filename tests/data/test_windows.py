"""Windows: every step once at stride T, and no step in two groups."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from twofold.data.sources import Subset
from twofold.data.windows import Windows

lengths = st.lists(st.integers(1, 200), min_size=1, max_size=30).filter(lambda long: max(long) >= 8)


def windows(lengths: list[int], length: int, stride: int) -> Windows:
    steps = torch.arange(float(sum(lengths)))[:, None]
    return Windows.of(steps.split(lengths), torch.zeros(len(steps), 0), length, stride)


@given(lengths, st.integers(1, 8), st.integers(1, 9))
def test_groups_share_no_step_and_windows_are_contiguous(
    lengths: list[int], length: int, stride: int
) -> None:
    source = windows(lengths, length, stride)
    values = source.read(torch.arange(len(source))).values[:, 0]  # (N, T)
    assert (values.diff(dim=1) == 1).all()
    owner: dict[int, int] = {}
    for row, group in zip(values.tolist(), source.groups().tolist(), strict=True):
        assert all(owner.setdefault(int(step), group) == group for step in row)


@given(st.integers(1, 10), st.integers(8, 50))
def test_a_window_of_a_whole_recording_is_that_recording(number: int, length: int) -> None:
    source = windows([length] * number, length, 1)
    assert len(source) == number
    read = source.read(torch.arange(number)).values
    assert torch.equal(read.flatten(), torch.arange(float(number * length)))
    assert source.groups().unique().numel() == number


def test_one_long_recording_has_twenty_groups() -> None:
    source = windows([2000], 24, 1)
    assert source.groups().unique().numel() == 20
    assert len(source) == 2000 - 20 * 23


def test_a_subset_keeps_groups() -> None:
    source = windows([2000], 24, 1)
    rows = torch.tensor([0, len(source) - 1])
    assert Subset(source, rows).groups().tolist() == [0, 19]


@given(lengths, st.integers(1, 4), st.integers(1, 4), st.integers(1, 9))
def test_what_is_given_of_a_window_are_the_steps_before_it_in_its_group(
    lengths: list[int], length: int, past: int, stride: int
) -> None:
    steps = torch.arange(float(sum(lengths)))[:, None]
    recordings = steps.split(lengths)
    source = Windows.of(recordings, torch.zeros(len(steps), 0), length, stride, past)
    rows = source.read(torch.arange(len(source)))
    both = torch.cat([rows.given, rows.values[:, 0]], 1)  # (N, P + T)
    assert (both.diff(dim=1) == 1).all()
    ends = torch.tensor(lengths).cumsum(0)
    assert torch.searchsorted(ends, both, right=True).unique(dim=1).shape[1] == 1
    owner: dict[int, int] = {}
    for row, group in zip(both.tolist(), source.groups().tolist(), strict=True):
        assert all(owner.setdefault(int(step), group) == group for step in row)


@given(lengths, st.integers(1, 8), st.integers(1, 9))
def test_windows_throughout_hold_every_step_of_recordings_that_are_long_enough(
    lengths: list[int], length: int, stride: int
) -> None:
    steps = torch.arange(float(sum(lengths)))[:, None]
    recordings = steps.split(lengths)
    source = Windows.throughout(recordings, torch.zeros(len(steps), 0), length, stride)
    values = source.read(torch.arange(len(source))).values[:, 0]  # (N, T)
    assert (values.diff(dim=1) == 1).all()
    long = torch.cat([one[:, 0] for one in recordings if len(one) >= length])
    assert torch.equal(values.unique(), long)
    ends = torch.tensor(lengths).cumsum(0)
    assert torch.searchsorted(ends, values, right=True).unique(dim=1).shape[1] == 1
