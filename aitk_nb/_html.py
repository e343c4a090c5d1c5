"""Safe HTML for `_repr_html_`: the one place that writes tags, and it escapes all text.

`Html` is a string that is known to be safe. Everything else is escaped when it is put in, so a
fragment can be nested without being escaped twice. Adding or formatting an `Html` gives a plain
string again, which will be escaped: forgetting something shows tags on the page, it never runs.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any, Literal

RESULT = "application/vnd.aitk.{}+json"
"""The type of what an object shows for machines, by a word for its kind."""

Kind = Literal["ok", "info", "warning", "error"]
"""What a badge says by its color and its sign."""

_SIGNS: dict[str, tuple[str, str]] = {
    "ok": ("✓", "var(--jp-success-color1,#2e7d32)"),
    "info": ("i", "var(--jp-info-color1,#0277bd)"),
    "warning": ("!", "var(--jp-warn-color1,#ef6c00)"),
    "error": ("✕", "var(--jp-error-color1,#c62828)"),
}
_LINE = "1px solid var(--jp-border-color2,rgba(127,127,127,.4))"
# JupyterLab right-aligns cells and colors every second row; the text color is always the page's.
_CELL = f"text-align:left;vertical-align:top;padding:.2em .8em;border-bottom:{_LINE}"
# Inside a widget lines would be as high as a button.
_TABLE = "border-collapse:collapse;margin:.3em 0;line-height:1.4"
_QUIET = "color:var(--jp-ui-font-color2,inherit);line-height:1.4"
# A narrow table would fold its title to its own width.
_TITLE = "width:max-content;max-width:36em"
_WORD = 24


class Html(str):
    """A fragment of HTML that is safe to put into a page."""

    __slots__ = ()


def bundle(plain: str, page: Html, **results: object) -> dict[str, Any]:
    """Return what Jupyter shows of an object, as text, on a page and, by kind, for machines."""
    machine = {RESULT.format(kind): result for kind, result in results.items()}
    return {"text/plain": plain, "text/html": page, **machine}


def escape(text: object) -> Html:
    """Return `text` as safe HTML; an `Html` is returned as it is."""
    if isinstance(text, Html):
        return text
    # Half a surrogate pair (a file name that is no UTF-8) cannot be sent to a browser.
    clean = str(text).encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(clean.replace("\x00", "\N{REPLACEMENT CHARACTER}"), quote=True))


def join(parts: Iterable[object], separator: object = "") -> Html:
    """Return the escaped parts one after the other."""
    return Html(escape(separator).join(escape(part) for part in parts))


def strong(text: object) -> Html:
    """Return `text` in bold."""
    return Html(f"<strong>{escape(text)}</strong>")


def breakable(text: object) -> Html:
    """Return `text` so that a word as long as an address is broken where the line ends."""
    return Html(f'<span style="overflow-wrap:anywhere">{escape(text)}</span>')


def note(text: object) -> Html:
    """Return `text` as a quiet line of its own."""
    return Html(f'<div style="{_QUIET}">{escape(text)}</div>')


def line(text: object) -> Html:
    """Return `text` as a line of its own, in the letters of code."""
    return Html(f'<div><code style="white-space:nowrap">{escape(text)}</code></div>')


def code(text: object) -> Html:
    """Return `text` as it is, line by line, in a box that scrolls."""
    style = "overflow:auto;max-height:24em;margin:.3em 0;line-height:1.4"
    return Html(f'<pre tabindex="0" style="{style}">{escape(text)}</pre>')


def message(text: object, kind: Kind = "info") -> Html:
    """Return `text` as a line of its own with a colored sign before it."""
    sign, color = _SIGNS[kind]
    mark = f'<span aria-hidden="true" style="color:{color};font-weight:bold">{sign}</span>'
    return Html(f'<div style="white-space:pre-wrap;line-height:1.4">{mark} {escape(text)}</div>')


def section(title: object, parts: Iterable[object]) -> Html:
    """Return parts under a heading."""
    return Html(f"<section><h2>{escape(title)}</h2>{join(parts)}</section>")


def details(title: object, parts: Iterable[object]) -> Html:
    """Return parts that are opened by a click on their title."""
    return Html(f"<details><summary>{escape(title)}</summary>{join(parts)}</details>")


def page(title: object, parts: Iterable[object]) -> Html:
    """Return a whole page that needs nothing else, light or dark as its reader likes it."""
    return Html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title><style>{_SHEET}</style></head>"
        f"<body><h1>{escape(title)}</h1>{join(parts)}</body></html>\n"
    )


_SHEET = """
:root{color-scheme:light dark;--jp-ui-font-color2:#555;--jp-border-color2:#ccc}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;padding:0 1.5rem;max-width:84rem;
color:#1b1b1b;background:#fff;overflow-wrap:break-word}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
section{overflow-x:auto}th{font-weight:600}td{min-width:3.5em}
pre{background:#f5f5f5;padding:.7em .9em;border-radius:.4em;font-size:.87em}
code{font-size:.87em}summary{cursor:pointer;padding:.2em 0}
@media (prefers-color-scheme:dark){
:root{--jp-ui-font-color2:#aaa;--jp-border-color2:#444;--jp-success-color1:#81c784;
--jp-info-color1:#4fc3f7;--jp-warn-color1:#ffb74d;--jp-error-color1:#e57373}
body{color:#e3e3e3;background:#181818}pre{background:#242424}}
"""


def status(lines: Iterable[object]) -> Html:
    """Return lines that a screen reader reads out when they change."""
    return Html(
        f'<div role="status" aria-live="polite" style="line-height:1.4">{join(lines)}</div>'
    )


def pictures(items: Iterable[tuple[bytes, object]]) -> Html:
    """Return small JPEG pictures side by side, each over its caption."""
    row = "display:flex;flex-wrap:wrap;gap:.6em;margin:.3em 0"
    figure = "margin:0;width:9em;font-size:.9em;line-height:1.3;overflow-wrap:anywhere"
    shown = "".join(
        f'<figure style="{figure}"><img alt="" style="max-width:100%" '
        f'src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        f'<figcaption style="{_QUIET}">{escape(caption)}</figcaption></figure>'
        for data, caption in items
    )
    return Html(f'<div style="{row}">{shown}</div>')


def picture(kind: str, data: bytes, alt: str, attributes: str = "") -> Html:
    """Return a picture with its bytes in it; `kind` is `png` or `jpeg`."""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Html(f'<img alt="{escape(alt)}" src="{source}" {attributes}>')


def gallery(rows: Iterable[tuple[object, Iterable[tuple[object, object]]]]) -> Html:
    """Return rows of small things, each over its label; a click on one makes it large.

    Args:
        rows: Each row's caption, and its things with their labels.
    """
    shown = "".join(
        f"<section>{strong(caption)}<div>"
        + "".join(
            f"<details><summary>{escape(thing)}<br>{escape(label)}</summary></details>"
            for thing, label in things
        )
        + "</div></section>"
        for caption, things in rows
    )
    return Html(f'<style>{_GALLERY}</style><div class="aitk-gallery">{shown}</div>')


_GALLERY = """
.aitk-gallery{line-height:1.4;overflow-wrap:anywhere}
.aitk-gallery section>div{display:flex;gap:.6em;margin:.2em 0;overflow-x:auto}
.aitk-gallery details{flex:none;width:9.5em;margin:0}
.aitk-gallery summary{cursor:zoom-in;list-style:none;font-size:.9em}
.aitk-gallery summary::-webkit-details-marker{display:none}
.aitk-gallery img{width:100%;height:auto;margin:0;vertical-align:bottom}
.aitk-gallery details[open]{width:min(100%,32em)}
.aitk-gallery details[open] summary{cursor:zoom-out}
.aitk-gallery pre{margin:0;white-space:pre-wrap;max-height:9em;overflow:hidden}
.aitk-gallery details[open] pre{max-height:none}
"""


def progress(label: str, share: float, text: object) -> Html:
    """Return a line with a bar that is filled by a share from 0 to 1."""
    bar = f'<progress aria-label="{escape(label)}" max="1" value="{share:.3f}"></progress>'
    return note(Html(f"{escape(label)} {bar} {escape(text)}"))


def badge(text: object, kind: Kind = "info") -> Html:
    """Return a short text with a sign and a colored border, legible without colors too."""
    sign, color = _SIGNS[kind]
    style = f"border:1px solid {color};border-radius:.6em;padding:0 .5em;white-space:nowrap"
    mark = f'<span aria-hidden="true" style="color:{color};font-weight:bold">{sign}</span>'
    return Html(f'<span style="{style}">{mark} {escape(text)}</span>')


def table(
    headers: Sequence[object], rows: Iterable[Sequence[object]], caption: object = ""
) -> Html:
    """Return a table with one row of headers; `caption` stands above it."""
    head = "".join(f'<th scope="col" {_style(_CELL)}>{escape(cell)}</th>' for cell in headers)
    body = "".join(
        "<tr>" + "".join(f"<td {_style(_cell(cell))}>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>"
    return Html(f"<table {_style(_TABLE)}>{_title(caption)}{head}<tbody>{body}</tbody></table>")


def definition(pairs: Iterable[tuple[object, object]], caption: object = "") -> Html:
    """Return a table of names and their values, one pair a row."""
    rows = "".join(
        f'<tr><th scope="row" {_style(_CELL)}>{escape(name)}</th>'
        f"<td {_style(_CELL)}>{escape(value)}</td></tr>"
        for name, value in pairs
    )
    return Html(f"<table {_style(_TABLE)}>{_title(caption)}<tbody>{rows}</tbody></table>")


def _title(caption: object) -> str:
    if not caption:
        return ""
    line = f"<div {_style(_TITLE)}>{strong(caption)}</div>"
    return f"<caption {_style(_CELL)}>{line}</caption>"


def _cell(content: object) -> str:
    """Return the style of a cell, in which a short word such as a date is not broken."""
    text = str(content)
    is_word = len(text) <= _WORD and not isinstance(content, Html) and " " not in text
    return f"{_CELL};white-space:nowrap" if is_word else _CELL


def _style(declarations: str) -> str:
    return f'style="{declarations}"'
