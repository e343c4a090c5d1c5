"""`_display.html` writes safe fragments, whatever the text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from aitk_nb._display import html
from aitk_nb._display.table import Table

TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="<>\"'&=/ abconsript!-\x00\ud800"),
    st.sampled_from(["<script>alert(1)</script>", '" onmouseover="x', "</td><img src=x>", "&lt;"]),
)
UNBROKEN = ";white-space:nowrap"
AT_THE_RIGHT = ";text-align:right;font-variant-numeric:tabular-nums"
ALLOWED = {
    *("caption", "div", "span", "strong", "table", "tbody", "td", "th", "thead", "tr"),
}


class _Reader(HTMLParser):
    """Notes tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # What depends on the text: a short word is kept whole, a number stands at the right.
        self.tags.append((tag, tuple((k, _unmoved(v or "")) for k, v in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", ()))

    def handle_decl(self, decl: str) -> None:
        self.tags.append(("declaration", ()))


def _unmoved(style: str) -> str:
    return style.removesuffix(AT_THE_RIGHT).removesuffix(UNBROKEN)


def read(fragment: str) -> _Reader:
    """Return what a browser would see in `fragment`."""
    reader = _Reader()
    reader.feed(fragment)
    reader.close()
    return reader


def everything(text: str) -> str:
    """Return a fragment that has `text` in every place where text can go."""
    inner = html.join([html.badge(text, "error"), html.strong(text), html.note(text)], text)
    table = html.table((text,), [(text, inner)], caption=text)
    return html.join([table, html.definition([(text, inner)], caption=text)])


@given(TEXTS)
@example("0")
def test_hostile_text_yields_no_tag_and_no_attribute(text: str) -> None:
    """Tags and attributes are the same as those around harmless text."""
    found = read(everything(text)).tags
    assert found == read(everything("x")).tags or (text == "" and {t for t, _ in found} <= ALLOWED)


@given(TEXTS)
def test_text_is_shown_as_it_is(text: str) -> None:
    """A reader sees the text itself, but for what no page can hold."""
    shown = text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert read(html.escape(text)).text == shown.replace("\r\n", "\n") or "\r" in text


def test_a_fragment_is_not_escaped_twice() -> None:
    """What is safe stays as it is; what was put together by hand is text again."""
    fragment = html.strong("a < b")
    assert html.escape(fragment) is fragment
    assert "<strong>a &lt; b</strong>" in html.table(("x",), [(fragment,)])
    assert html.escape("" + fragment) == "&lt;strong&gt;a &amp;lt; b&lt;/strong&gt;"


def test_a_short_word_is_not_broken() -> None:
    """A date or a name stays in one line of a table; what is longer or has spaces may wrap."""
    for text, is_whole in (("2026-02-18", True), ("x" * 25, False), ("a b", False)):
        assert is_whole == (UNBROKEN in html.table(("h",), [(text,)])), text


def test_numbers_stand_at_the_right() -> None:
    """With their header, and only where the whole column is numbers."""
    numbers = [(1, "1,234", "0.5%", "12.3 MB", "4e-5", "1", "2026-02-18")]
    numbers += [(22, "5", "", "1 kB", "0.1", "a", "2026-02-19")]
    page = html.table(tuple("abcdefg"), numbers)
    for header, is_right in zip("abcdefg", (True,) * 5 + (False,) * 2, strict=True):
        cell = page.partition(f">{header}</th>")[0].rpartition("<th")[2]
        assert is_right == ("text-align:right" in cell), header
    assert page.count("text-align:right") == 5 * 3


def test_what_all_rows_say_is_said_once() -> None:
    """Above the table; an empty column is left out, and `frame()` has all."""
    rows = tuple((f"file {n}", "present", n, "") for n in range(5))
    table = Table(("name", "state", "size", "note"), rows)
    assert repr(table).splitlines()[:3] == [
        "In all 5 rows: state present",
        "name    size",
        "file 0     0",
    ]
    page = table._repr_html_()
    assert page.count("present") == 1
    assert "note" not in page
    assert list(table.frame().columns) == ["name", "state", "size", "note"]
    assert repr(Table(table.headers, rows[:3])).count("present") == 3


def test_colors_follow_the_theme() -> None:
    """Every color is one of JupyterLab with a fallback, mixed with its ink; a sign goes with it."""
    for kind, sign in (("ok", "✓"), ("info", "i"), ("warning", "!"), ("error", "✕")):
        fragment = html.badge("text", kind)  # type: ignore[arg-type]
        assert fragment.count("var(--jp-") == 4
        assert sign in read(fragment).text
