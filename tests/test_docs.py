"""The documentation builds from the code, whole, and asks nothing of another host."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))  # as mkdocs does for its hook

import evidence  # noqa: E402

LOADED = re.compile(r"<(?:script|img|iframe|source|link|use)[^>]+(?:src|href)=\W?(?:https?:)?//")
STYLED = re.compile(r"""(?:@import|url\()\s*['"]?(?:https?:)?//""")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as `make docs` has just built them, or built once: other workers wait."""
    if there := os.environ.get("TWOFOLD_SITE"):
        return Path(there)
    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "site"
    built = out / "built"
    try:
        out.mkdir()
    except FileExistsError:
        wait_for(built)
        return out
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    built.write_text(done.stderr if done.returncode else "")
    assert done.returncode == 0, done.stderr
    return out


def wait_for(built: Path) -> None:
    """Until another worker has built the pages; what it has against them fails here too."""
    for _ in range(600):
        if built.exists():
            assert not built.read_text()
            return
        time.sleep(0.5)
    pytest.fail("the pages were not built in five minutes")


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


# The guide quotes what was measured.

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))


def test_a_quoted_figure_is_the_studys(site: Path) -> None:
    page = (site / "guides" / "which-vae" / "index.html").read_text("utf-8")
    kept = json.loads((ROOT / "docs" / "studies" / "iwae-order.cpu.json").read_text("utf-8"))
    rows = [row for row in kept["rows"] if row["measure"].startswith("NLL, K = ")]
    assert len(rows) == 3
    for row in rows:
        assert f"<td>{row['measure']}</td>" in page
        assert f"<td>{row['ours']:.4g}</td>" in page
    assert "{{" not in page


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_no_measured_figure_is_written_by_hand(guide: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`|\{\{.*?\}\}", "", guide.read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r"\d+\.\d+|\d+ ?%", text) == []


def test_a_study_without_a_result_leaves_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "STUDIES", tmp_path)
    wanted = "{{ study new-one: gap }} and {{ figure new-one: gap }}"
    assert evidence.quoted(wanted).count("`twofold reproduce new-one`") == 2
    row = {"measure": "gap, nats", "ours": 1.23456, "low": 1.0, "high": 2.0, "n": 3}
    row |= {"target": None, "floor": 0.5, "baseline": None, "reported": None, "holds": None}
    (tmp_path / "new-one.cpu.json").write_text(json.dumps({"rows": [row]}), "utf-8")
    filled = evidence.quoted(wanted)
    assert "| gap, nats | 1.235 | 1 … 2 | 3 | 0.5 |" in filled
    assert filled.endswith("and 1.235 (1 … 2)")
    bar = row | {"measure": "bar", "target": 1.0, "holds": False}
    (tmp_path / "new-one.cpu.json").write_text(json.dumps({"rows": [row, bar]}), "utf-8")
    filled = evidence.quoted("{{ study new-one: all }}")
    assert "| bar | 1.235 | 1 … 2 | 3 | 1 | **does not** | 0.5 |" in filled
    with pytest.raises(PluginError, match="no row that begins with 'gaps'"):
        evidence.quoted("{{ study new-one: gap | gaps }}")


def test_a_table_of_a_job_is_quoted_or_missed_aloud() -> None:
    assert "iterated ridge regression" in evidence.quoted("{{ job impute: Measured 2 }}")
    with pytest.raises(PluginError, match="no table 9 under 'Measured'"):
        evidence.quoted("{{ job impute: Measured 9 }}")
