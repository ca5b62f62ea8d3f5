"""The documentation builds from the code, whole, and asks nothing of another host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOADED = re.compile(r"<(?:script|img|iframe|source|link|use)[^>]+(?:src|href)=\W?(?:https?:)?//")
STYLED = re.compile(r"""(?:@import|url\()\s*['"]?(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--quiet",
        "--strict",
        "--site-dir",
        str(out),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = {page: page.read_text("utf-8") for page in site.rglob("*.html")}
    sheets = {sheet: sheet.read_text("utf-8") for sheet in site.rglob("*.css")}
    assert len(pages) > 5
    assert [page for page, text in pages.items() if LOADED.search(text)] == []
    assert [sheet for sheet, text in (pages | sheets).items() if STYLED.search(text)] == []


def test_the_check_sees_what_is_loaded() -> None:
    assert LOADED.search('<script async src="https://cdn.example/x.js">')
    assert LOADED.search("<link rel=stylesheet href=//fonts.example/css>")
    assert STYLED.search("@import 'https://fonts.example/css'")
    assert not LOADED.search('<a href="https://semver.org/">')


@pytest.mark.parametrize("folder", ["core", "maths", "nets", "models", "data.kinds"])
def test_every_module_has_its_section(site: Path, folder: str) -> None:
    page = (site / "reference" / folder / "index.html").read_text("utf-8")
    modules = (ROOT / "twofold" / folder.replace(".", "/")).glob("[!_]*.py")
    assert [file.stem for file in modules if f'<h2 id="{file.stem}' not in page] == []


def test_formulas_are_drawn(site: Path) -> None:
    page = (site / "architecture" / "index.html").read_text("utf-8")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in page
    assert "arithmatex" not in page
