"""The page writer: nothing from data becomes markup, everything that opens is closed."""

from hypothesis import given
from hypothesis import strategies as st

from tests.report.reading import balanced, outside
from twofold.report.page import Html, Section, facts, figure, folded, listed, page, table, tag

EVIL = "<script>alert('1')</script>\"'&"


def test_text_and_attributes_are_escaped() -> None:
    shown = tag("p", EVIL, title=EVIL)
    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 2
    assert 'title="&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&quot;&#x27;&amp;"' in shown


def test_markup_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "a & b")) == "<p><b>a &amp; b</b></p>"


@given(st.text())
def test_any_text_stays_text(words: str) -> None:
    shown = tag("p", words, title=words)
    assert shown.count("<") == 2
    assert shown.count('"') == 2
    assert isinstance(shown, Html)


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_page_of_anything_is_balanced(words: list[str]) -> None:
    body = [
        figure(tag("p", words[0]), words[-1]),
        listed(words),
        folded(words[0], tag("pre", *words)),
        facts((word, word) for word in words),
        table(words[0], words, [words, words]),
    ]
    shown = page(words[0], [Section(word, part) for word in words for part in body], foot=words[0])
    assert balanced(shown) == []


def test_a_page_needs_no_network_and_no_script() -> None:
    shown = page(EVIL, [Section(EVIL, tag("p", "https://example.org is text"))])
    assert outside(shown) == []
    assert "<script" not in shown
    assert "javascript:" not in shown


def test_a_page_says_its_language_its_title_and_its_colour_schemes() -> None:
    shown = page("A run", [Section("Verdict", tag("p", "Good."))])
    assert '<html lang="en">' in shown
    assert "<title>A run</title>" in shown
    assert "prefers-color-scheme:dark" in shown
    assert 'href="#verdict"' in shown
    assert 'id="verdict"' in shown


def test_the_checks_of_these_tests_can_fail() -> None:
    assert balanced("<p><b>x</p>") == ["</p> closes <b>"]
    assert balanced("<p>") == ["<p> stays open"]
    assert outside('<img src="http://a.b/c.png">') == ["http://a.b/c.png"]
    assert outside("<style>a{background:url(//a.b/c)}</style>") == ["url(//a.b/c)"]
