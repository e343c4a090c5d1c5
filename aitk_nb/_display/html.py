"""Safe HTML for `_repr_html_`: its tags are in `parts.html.in` alone, which escapes all text.

`Html` is a string that is known to be safe. Everything else is escaped when it is put in, so a
fragment can be nested without being escaped twice. Adding or formatting an `Html` gives a plain
string again, which will be escaped: forgetting something shows tags on the page, it never runs.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal
from urllib.parse import quote

RESULT = "application/vnd.aitk.{}+json"
"""The type of what an object shows for machines, by a word for its kind."""

Kind = Literal["ok", "info", "warning", "error"]
"""What a badge says by its color and its sign."""

_WORD = 24
_NUMBER = re.compile(r"[-+\u2212]?\d[\d,.]*(e[-+]?\d+)?( ?(%|[kMG]?B|s|min|h))?|[\u2013?]")


class Html(str):
    """A fragment of HTML that is safe to put into a page."""

    __slots__ = ()

    def __html__(self) -> Html:
        """Return it as it is, to templates."""
        return self


def bundle(plain: str, page: Html, **results: object) -> dict[str, Any]:
    """Return what Jupyter shows of an object, as text, on a page and, by kind, for machines."""
    machine = {RESULT.format(kind): result for kind, result in results.items()}
    return {"text/plain": plain, "text/html": page, **machine}


def escape(text: object) -> Html:
    """Return `text` as safe HTML; what is that already is returned as it is."""
    if hasattr(text, "__html__"):
        return text if isinstance(text, Html) else Html(text.__html__())
    # Half a surrogate pair (a file name that is no UTF-8) cannot be sent to a browser.
    clean = str(text).encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(clean.replace("\x00", "\N{REPLACEMENT CHARACTER}"), quote=True))


def join(parts: Iterable[object], separator: object = "") -> Html:
    """Return the escaped parts one after the other."""
    return Html(escape(separator).join(escape(part) for part in parts))


@cache
def _parts() -> Any:
    from aitk_nb import _templates  # late: not everybody shows a page

    pages = _templates.ENVIRONMENT.overlay(autoescape=True, finalize=escape)
    return pages.from_string(_templates.source("aitk_nb._display", "parts.html.in")).module


def _part(name: str, *gaps: object) -> Html:
    return Html(getattr(_parts(), name)(*gaps))


def strong(text: object) -> Html:
    """Return `text` in bold."""
    return _part("strong", text)


def breakable(text: object) -> Html:
    """Return `text` line by line, in which a word as long as an address is broken."""
    return _part("breakable", text)


def note(text: object) -> Html:
    """Return `text` as a quiet line of its own."""
    return _part("note", text)


def line(text: object) -> Html:
    """Return `text` as a line of its own, in the letters of code."""
    return _part("line", text)


def download(text: object, path: str) -> Html:
    """Return `text` as a line of its own that downloads the file at a relative path."""
    return _part("download", text, quote(path))


def code(text: object) -> Html:
    """Return `text` as it is, line by line, in a box that scrolls."""
    return _part("code", text)


def message(text: object, kind: Kind = "info") -> Html:
    """Return `text` as a line of its own with a colored sign before it."""
    return _part("message", text, kind)


def section(title: object, parts: Iterable[object]) -> Html:
    """Return parts under a heading."""
    return _part("section", title, join(parts))


def details(title: object, parts: Iterable[object]) -> Html:
    """Return parts that are opened by a click on their title."""
    return _part("details", title, join(parts))


def card(parts: Iterable[object]) -> Html:
    """Return parts in a box that stands out, and is read out at once."""
    return _part("card", join(parts))


def page(title: object, parts: Iterable[object]) -> Html:
    """Return a whole page that needs nothing else, light or dark as its reader likes it."""
    return _part("page", title, join(parts))


def form_style() -> Html:
    """Return what a page needs to know of the class `aitk-form`."""
    return _part("form_style")


def status(lines: Iterable[object]) -> Html:
    """Return lines that a screen reader reads out when they change."""
    return _part("status", join(lines))


def pictures(items: Iterable[tuple[bytes, object]], columns: int = 12) -> Html:
    """Return small JPEG pictures, at most so many side by side, each over its caption."""
    shown = [(_url("jpeg", data), caption) for data, caption in items]
    return _part("pictures", shown, f"{9.8 * columns:g}")


def picture(kind: str, data: bytes, alt: str, attributes: str = "") -> Html:
    """Return a picture with its bytes in it; `kind` is `png` or `jpeg`."""
    return _part("picture", _url(kind, data), alt, Html(attributes))


def framed(
    picture: bytes, alt: str, height: str, width: str = "100%", *, is_faint: bool = False
) -> Html:
    """Return a JPEG in the middle of a frame of fixed size; a word if there is none."""
    return _part("framed", _url("jpeg", picture), alt, height, width, is_faint)


def _url(kind: str, data: bytes) -> Html:
    """Return an address that holds a picture itself; empty for one without bytes."""
    coded = base64.b64encode(data).decode()
    return Html(f"data:image/{kind};base64,{coded}" if data else "")


def proportions(width: float, height: float) -> Html:
    """Return a small box of these proportions, in a column of such boxes."""
    scale = 2.4 / max(width, height)
    return _part("proportions", f"{width * scale:.2f}", f"{max(height * scale, 0.1):.2f}")


def progress(label: str, share: float, text: object) -> Html:
    """Return a line with a bar that is filled by a share from 0 to 1."""
    return _part("progress", label, f"{share:.3f}", text)


def badge(text: object, kind: Kind = "info") -> Html:
    """Return a short text with a sign and a colored border, legible without colors too."""
    return _part("badge", text, kind)


def table(
    headers: Sequence[object], rows: Iterable[Sequence[object]], caption: object = ""
) -> Html:
    """Return a table with one row of headers; `caption` stands above it."""
    rows = [tuple(row) for row in rows]
    numbers = {i for i, column in enumerate(zip(*rows, strict=True)) if is_numeric(column)}
    head = [(text, i in numbers) for i, text in enumerate(headers)]
    body = [[(cell, i in numbers, _is_whole(cell)) for i, cell in enumerate(row)] for row in rows]
    return _part("table", head, body, caption)


def is_numeric(column: Iterable[object]) -> bool:
    """Return whether each cell of a column is a number, maybe with a unit, or empty."""
    cells = [str(cell) for cell in column if cell not in (None, "")]
    return bool(cells) and all(map(_NUMBER.fullmatch, cells))


def definition(pairs: Iterable[tuple[object, object]], caption: object = "") -> Html:
    """Return a table of names and their values, one pair a row."""
    return _part("definition", pairs, caption)


def _is_whole(content: object) -> bool:
    """Return whether a cell holds a short word, or a number with its unit, not to be broken."""
    text = str(content)
    most = _WORD if " " not in text else _WORD // 2 * text[:1].isdigit()
    return len(text) <= most and not isinstance(content, Html)
