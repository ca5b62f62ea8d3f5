"""What every test may rely on: one thread, fixed seeds, no clock, and data only where it lies."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)  # two workers share two cores: more threads are twenty times slower

# The same examples in every run, and no deadline: a busy machine is not a fault.
settings.register_profile("twofold", deadline=None, derandomize=True)
settings.load_profile("twofold")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The three global generators start every test from 0."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def float64() -> Iterator[None]:
    """Double precision by default, for laws that are exact."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def named() -> Callable[[str], Path]:
    """``named("mnist")`` is that set's folder under TWOFOLD_DATA; the test skips without it."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("TWOFOLD_DATA", os.devnull), name)
        if not folder.is_dir():
            pytest.skip(f"the data set {name} is not under TWOFOLD_DATA")
        return folder

    return find


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; the folder `runs` that training will number its runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"
