"""Imports go down only.

    core < maths < nets < {models, data, measures} < train < runs < {apps, report, trust}
         < studies < verbs < {cli, serve, sklearn}

No module of a brace imports another of the same brace; imports inside functions and under
TYPE_CHECKING count. The package's own ``__init__`` stands beside ``verbs``, which it hands on.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "twofold"
LAYERS = (
    {"core"},
    {"maths"},
    {"nets"},
    {"models", "data", "measures"},
    {"train"},
    {"runs"},
    {"apps", "report", "trust"},
    {"studies"},
    {"verbs"},
    {"cli", "serve", "sklearn"},
    {"__main__"},
)
HEIGHT = {unit: height for height, layer in enumerate(LAYERS) for unit in layer}


def unit_of(dotted: list[str]) -> str:
    """``twofold.maths.bounds`` is of the unit maths; the bare package stands for its verbs."""
    return dotted[1] if len(dotted) > 1 else "verbs"


def absolute(node: ast.ImportFrom, module: list[str]) -> list[str]:
    """The dotted name that ``from … import`` in a module of the given dotted name starts from."""
    base = module[: len(module) - node.level] if node.level else []
    return base + (node.module.split(".") if node.module else [])


def imported(tree: ast.AST, module: list[str]) -> Iterator[tuple[int, str]]:
    """Line and unit of every import of this package, wherever it stands in the file."""
    for node in ast.walk(tree):
        names: list[list[str]] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, module)
            names = [base] if len(base) > 1 else [[*base, alias.name] for alias in node.names]
        for dotted in names:
            if dotted[0] == "twofold" and dotted != ["twofold", "__version__"]:
                unit = unit_of(dotted)  # `from twofold import fit`: what is no unit is a verb
                yield node.lineno, unit if unit in HEIGHT else "verbs"


def offences(package: Path) -> list[str]:
    """Every unknown unit and every import that does not go down, as ``file:line: what``."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package.parent)
        inner = file.with_suffix("").parts
        here = unit_of([part for part in inner if part != "__init__"])
        if here not in HEIGHT:
            found.append(f"{file}: {here} is in no layer")
            continue
        for line, there in imported(ast.parse(path.read_text("utf-8")), list(inner)):
            if here != there and HEIGHT[there] >= HEIGHT[here]:
                found.append(f"{file}:{line}: {here} imports {there}")
    return found


def test_imports_go_down_only() -> None:
    assert offences(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line", "offence"),
    [
        ("core/x.py", "import twofold.maths", "core imports maths"),
        ("maths/x.py", "from twofold.nets.dense import Dense", "maths imports nets"),
        ("nets/x.py", "from twofold import train", "nets imports train"),
        ("models/x.py", "from ..data import split", "models imports data"),
        ("data/kinds/x.py", "from ...measures import tables", "data imports measures"),
        ("measures/__init__.py", "from ..models import vae", "measures imports models"),
        ("train/x.py", "def f():\n    from twofold.runs import load", "train imports runs"),
        ("runs.py", "if TYPE_CHECKING:\n    import twofold.apps.anomaly", "runs imports apps"),
        ("report.py", "from . import trust", "report imports trust"),
        ("trust/x.py", "from twofold.apps import anomaly", "trust imports apps"),
        ("studies/x.py", "from twofold import fit", "studies imports verbs"),
        ("verbs.py", "from twofold.cli import main", "verbs imports cli"),
        ("cli/x.py", "from ..serve import routes", "cli imports serve"),
        ("helpers.py", "import numpy", "helpers is in no layer"),
    ],
)
def test_an_import_that_goes_up_or_across_is_found(
    file: str, line: str, offence: str, tmp_path: Path
) -> None:
    guilty = tmp_path / "twofold" / file
    guilty.parent.mkdir(parents=True)
    guilty.write_text(line + "\n", "utf-8")
    found = offences(tmp_path / "twofold")
    assert [one.partition(": ")[2] for one in found] == [offence]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/x.py", "from . import space"),
        ("models/x.py", "from twofold.models.vae import Model"),
        ("runs.py", "from twofold import __version__\nfrom twofold.core.errors import UserError"),
        ("verbs.py", "from . import report, runs"),
        ("serve/x.py", "import twofold"),
    ],
)
def test_an_import_that_goes_down_is_allowed(file: str, line: str, tmp_path: Path) -> None:
    allowed = tmp_path / "twofold" / file
    allowed.parent.mkdir(parents=True)
    allowed.write_text(line + "\n", "utf-8")
    assert offences(tmp_path / "twofold") == []
