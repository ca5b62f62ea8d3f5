"""What was measured, in the pages: a page a study's result, and figures that other pages quote.

A page quotes by a line or a phrase in double braces, and never writes a study's figure itself:

    {{ study iwae-order: NLL, K = }}       a table of the rows whose measure begins so; with a bar
                                           between, of several beginnings; `all` for every row
    {{ figure iwae-order: NLL, K = 50 }}   one row, in a sentence: 22.93 (22.9 … 22.97)
    {{ job prior: Measured }}              the first table under that heading of jobs/prior.md
    {{ job prior: Measured 2 }}            the second

A study that has no result here yet leaves a sentence in the table's place that says how to make it.
A quotation that finds nothing stops the build.
"""

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

DOCS = Path(__file__).resolve().parent
STUDIES = DOCS / "studies"
QUOTED = re.compile(r"\{\{ (study|figure|job) ([\w-]+): (.+?) \}\}")
COLUMNS = ("target", "holds", "floor", "baseline", "reported")
VERDICT = {True: "holds", False: "**does not**", None: "–"}


def results_of_studies() -> list[Path]:
    """The last result of each study and budget."""
    return sorted(STUDIES.glob("*.json"))


def study_page(file: Path) -> str:
    """A result as a page: the claim, the protocol, the rows, the pictures beside it."""
    found = json.loads(file.read_text("utf-8"))
    pictures = [
        f"![{path.stem}]({path.name})" for path in sorted(STUDIES.glob(f"{file.stem}*.png"))
    ]
    blocks = [
        f"# {found['name']}",
        f"**{found['claim']}**",
        f"{found['paper']}.",
        f"Protocol: {found['protocol']}",
        study_table(found["rows"]),
        *pictures,
        *study_end(found),
    ]
    return "\n\n".join(blocks)


def study_end(found: dict[str, Any]) -> list[str]:
    """When and with what it was computed, and how to repeat it."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    how = f"{found['date']}, {found['seeds']} seeds, {found['seconds']:.0f} s, {found['machine']}"
    words = f"--budget {found['budget']} --seeds {found['seeds']}"
    return [
        f"{how}; {versions}. To repeat it:",
        f"```sh\ntwofold reproduce {found['name']} {words}\n```",
    ]


def study_table(rows: list[dict[str, Any]]) -> str:
    """Rows of a study as a table, with those columns that any of them fills."""
    kept = [key for key in COLUMNS if any(row[key] is not None for row in rows)]
    head = ["measure", "ours", "95 % interval", "n", *kept]
    lines = [head, ["---"] * len(head), *(study_row(row, kept) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def study_row(row: dict[str, Any], kept: list[str]) -> list[str]:
    """One figure of a study."""
    span = f"{number(row['low'])} … {number(row['high'])}"
    rest = [VERDICT[row[key]] if key == "holds" else number(row[key]) for key in kept]
    return [row["measure"], number(row["ours"]), span, str(row["n"]), *rest]


def number(value: float | None) -> str:
    """Four digits; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


# Quotations.


def quoted(text: str) -> str:
    """A page with its quotations filled in."""
    return QUOTED.sub(lambda found: QUOTE[found[1]](found[2], found[3]), text)


def rows_of(study: str, measure: str) -> list[dict[str, Any]]:
    """The rows of a study's result whose measures begin so; none where there is no result yet.

    Raises:
        PluginError: the study has a result, and no such row.
    """
    file = STUDIES / f"{study}.cpu.json"
    if not file.is_file():
        return []
    rows: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["rows"]
    starts = [""] if measure == "all" else measure.split(" | ")
    for start in starts:
        if not any(row["measure"].startswith(start) for row in rows):
            raise PluginError(f"{file.name} has no row that begins with {start!r}")
    return [row for row in rows if row["measure"].startswith(tuple(starts))]


def table_of_study(study: str, measure: str) -> str:
    """The rows as a table, and where they come from."""
    rows = rows_of(study, measure)
    how = f"`twofold reproduce {study}`"
    if not rows:
        return f"*No result of the study `{study}` is kept here yet; {how} makes one.*"
    return f"{study_table(rows)}\n\nFrom [`{study}`](../studies/{study}.cpu.md); {how} repeats it."


def figure_of_study(study: str, measure: str) -> str:
    """The first such row as a number with its interval."""
    rows = rows_of(study, measure)
    if not rows:
        return f"(not kept here yet: `twofold reproduce {study}`)"
    row = rows[0]
    return f"{number(row['ours'])} ({number(row['low'])} … {number(row['high'])})"


def table_of_job(page: str, heading: str) -> str:
    """A table under a heading of the page of a job, and where it stands.

    Raises:
        PluginError: there is no such table.
    """
    text = (DOCS / "jobs" / f"{page}.md").read_text("utf-8")
    name, which = re.fullmatch(r"(.+?)(?: (\d+))?", heading).groups("1")  # type: ignore[union-attr]
    below = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    tables = [block for block in below.split("\n\n") if block.lstrip().startswith("|")]
    if len(tables) < int(which):
        raise PluginError(f"jobs/{page}.md has no table {which} under {name!r}")
    title = text.partition("\n")[0].removeprefix("# ")
    where = f"From [{title}](../jobs/{page}.md), where the protocol is."
    return f"{tables[int(which) - 1].strip()}\n\n{where}"


QUOTE = {"study": table_of_study, "figure": figure_of_study, "job": table_of_job}
