"""A page of HTML that stands alone: no network, no script, pictures and charts inside it.

Everything is written by one function. `tag` escapes its children and its attributes, and what it
returns is `Html`, which is not escaped again; so text from data, such as a label `<script>`, can
never become markup.

>>> tag("p", "a < b", tag("b", "!"), class_="lead")
'<p class="lead">a &lt; b<b>!</b></p>'
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twofold.report.style import STYLE

VOID = frozenset({"br", "img", "meta"})
"""Elements that have no end tag."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


NOTHING = Html("")


def tag(name: str, /, *children: str, **attributes: str | float) -> Html:
    """An element: its children, escaped unless they are `Html`, and its attributes.

    Args:
        name: of the element. children: text or `Html`.
        attributes: an underscore is written as a hyphen, one at the end is dropped.

    >>> tag("path", d="M0 0", stroke_width=1.50001)
    '<path d="M0 0" stroke-width="1.5"></path>'
    """
    head = "".join(f' {spelled(k)}="{html.escape(written(v))}"' for k, v in attributes.items())
    if name in VOID:
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Html:
    """Text and `Html`, one after the other.

    >>> join(["<", tag("br")])
    '&lt;<br>'
    """
    return Html("".join(c if isinstance(c, Html) else html.escape(c) for c in children))


def spelled(name: str) -> str:
    """An attribute's name as HTML spells it."""
    return name.removesuffix("_").replace("_", "-")


def written(value: str | float) -> str:
    """An attribute's value; a coordinate has two decimals at most."""
    return value if isinstance(value, str) else f"{round(value, 2):g}"


@dataclass(frozen=True)
class Section:
    """A part of a page: a title, which also is its place in the contents, and what it shows."""

    title: str
    body: Html

    @property
    def anchor(self) -> str:
        """The name it is linked by.

        >>> Section("What it can't do", NOTHING).anchor
        'what-it-can-t-do'
        """
        words = "".join(c if c.isalnum() else " " for c in self.title.lower()).split()
        return "-".join(words)


def page(title: str, sections: Sequence[Section], head: Html = NOTHING, foot: str = "") -> str:
    """A whole page.

    Args:
        title: of the window and of the page.
        sections: in their order. head: under the title. foot: the small print.
    """
    links = [tag("a", s.title, href=f"#{s.anchor}") for s in sections]
    body = tag(
        "main",
        tag("header", tag("h1", title), head, tag("nav", *links, aria_label="Contents")),
        *(shown(section) for section in sections),
        tag("footer", foot),
    )
    top = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        Html(f"<style>{STYLE}</style>"),
    )
    return "<!doctype html>\n" + tag("html", top, tag("body", body), lang="en") + "\n"


def shown(section: Section) -> Html:
    """A section with its heading."""
    head = tag("h2", section.title)
    return tag("section", head, section.body, id=section.anchor)


def figure(body: Html, caption: str | Html) -> Html:
    """Something to look at, and what it is."""
    return tag("figure", body, tag("figcaption", caption))


def paragraph(*text: str) -> Html:
    return tag("p", *text)


def listed(items: Iterable[str], class_: str = "plain") -> Html:
    """A list of sentences."""
    return tag("ul", *(tag("li", item) for item in items), class_=class_)


def folded(summary: str, body: Html) -> Html:
    """Something that opens when it is asked for; it is open on paper."""
    return tag("details", tag("summary", summary), body)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names with their values."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs]
    return tag("dl", *rows)


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], class_: str = "numbers"
) -> Html:
    """A table whose first cell of every row names the row."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head)))
    body = tag("tbody", *(row(cells) for cells in rows))
    whole = tag("table", tag("caption", caption), top, body, class_=class_)
    return tag("div", whole, class_="wide", role="region", aria_label=caption, tabindex="0")


def row(cells: Sequence[str]) -> Html:
    """A row of a table."""
    first, *rest = cells
    return tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest))
