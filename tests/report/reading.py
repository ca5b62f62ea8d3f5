"""What the tests of pages read: whether tags close, and what a page would fetch."""

import re
from html.parser import HTMLParser

VOID = {"br", "img", "meta", "link", "hr", "input", "source", "col", "area", "base", "wbr"}
FETCHING = {"src", "href", "srcset", "data", "poster", "action", "xlink:href"}


class Reader(HTMLParser):
    """Keeps the open tags, the faults, and everything that the page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.fetched: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in FETCHING and not (value or "").startswith(("data:", "#")):
                self.fetched.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop() if self.open else "nothing"
        if last != tag:
            self.faults.append(f"</{tag}> closes <{last}>")
            self.open.clear()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.fetched += re.findall(r"url\([^)]*\)|@import[^;]*", data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def balanced(page: str) -> list[str]:
    """What is wrong with the nesting of a page's tags."""
    reader = read(page)
    return reader.faults or [f"<{tag}> stays open" for tag in reader.open]


def outside(page: str) -> list[str]:
    """What a page would fetch from elsewhere."""
    return read(page).fetched


def elements(page: str, name: str) -> list[dict[str, str | None]]:
    """The attributes of every element of one name."""
    return [attributes for tag, attributes in read(page).seen if tag == name]
