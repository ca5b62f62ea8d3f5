"""What is imported early is paid for by every ``--help``: torch must come late."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import twofold

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"numpy", "pandas", "sklearn", "torch"}


def loaded_by(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter holds after the statement."""
    program = f"{statement}; import sys; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.split())


def test_importing_twofold_loads_nothing_heavy() -> None:
    assert loaded_by("import twofold; dir(twofold); twofold.__version__") == set()


def test_the_check_sees_a_heavy_import() -> None:
    assert loaded_by("import twofold, numpy") == {"numpy"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = twofold.fitt


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the verbs, so that only the handing on is seen."""
    module = ModuleType("twofold.verbs")
    vars(module).update(fit=lambda data: f"fitted {data}", models=lambda: "the families")
    monkeypatch.setitem(sys.modules, "twofold.verbs", module)
    return module


def test_a_verb_is_found_when_it_is_asked_for(verbs: ModuleType) -> None:
    assert twofold.fit("digits") == "fitted digits"
    assert twofold.fit is vars(verbs)["fit"]


@pytest.mark.usefixtures("verbs")
def test_a_folder_that_is_a_verb_is_both() -> None:
    import twofold.models as folder

    assert folder is twofold.models is sys.modules["twofold.models"]
    assert folder.__path__
    assert folder() == twofold.models() == "the families"
