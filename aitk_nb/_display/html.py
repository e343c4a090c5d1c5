"""Safe HTML for `_repr_html_`: the one place that writes tags, and it escapes all text.

`Html` is a string that is known to be safe. Everything else is escaped when it is put in, so a
fragment can be nested without being escaped twice. Adding or formatting an `Html` gives a plain
string again, which will be escaped: forgetting something shows tags on the page, it never runs.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from urllib.parse import quote

RESULT = "application/vnd.aitk.{}+json"
"""The type of what an object shows for machines, by a word for its kind."""

Kind = Literal["ok", "info", "warning", "error"]
"""What a badge says by its color and its sign."""

# Mixed with the ink of the page: JupyterLab's own orange has a contrast of 2.7 on white.
_INKED = "color-mix(in srgb,var(--jp-{}) 75%,var(--jp-ui-font-color0,currentcolor))"
_SIGNS: dict[str, tuple[str, str]] = {
    "ok": ("✓", _INKED.format("success-color1,#2e7d32")),
    "info": ("i", _INKED.format("info-color1,#0277bd")),
    "warning": ("!", _INKED.format("warn-color1,#ef6c00")),
    "error": ("✕", _INKED.format("error-color1,#c62828")),
}
_LINE = "1px solid var(--jp-border-color2,rgba(127,127,127,.4))"
# JupyterLab right-aligns cells and colors every second row; the text color is always the page's.
_CELL = f"text-align:left;vertical-align:top;padding:.2em .8em;border-bottom:{_LINE}"
# Inside a widget lines would be as high as a button.
_TABLE = "border-collapse:collapse;margin:.3em 0;line-height:1.4"
_QUIET = "color:var(--jp-ui-font-color2,inherit);line-height:1.4"
# A narrow table would fold its title to its own width.
_TITLE = "width:max-content;max-width:36em"
_EMPTY = ";background:rgba(127,127,127,.2)"
_WORD = 24
_WHOLE = ";white-space:nowrap"
_RIGHT = ";text-align:right;font-variant-numeric:tabular-nums"
_NUMBER = re.compile(r"[-+\u2212]?\d[\d,.]*(e[-+]?\d+)?( ?(%|[kMG]?B|s|min|h))?|[\u2013?]")


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
    """Return `text` line by line, in which a word as long as an address is broken."""
    style = "overflow-wrap:anywhere;white-space:pre-wrap"
    return Html(f'<span style="{style}">{escape(text)}</span>')


def note(text: object) -> Html:
    """Return `text` as a quiet line of its own."""
    return Html(f'<div style="{_QUIET}">{escape(text)}</div>')


def line(text: object) -> Html:
    """Return `text` as a line of its own, in the letters of code."""
    return Html(f'<div><code style="white-space:nowrap">{escape(text)}</code></div>')


def download(text: object, path: str) -> Html:
    """Return `text` as a line of its own that downloads the file at a relative path."""
    return Html(f'<div><a href="{escape(quote(path))}" download>{escape(text)}</a></div>')


def code(text: object) -> Html:
    """Return `text` as it is, line by line, in a box that scrolls."""
    # Voilà would show it in proportional letters.
    style = "white-space:pre;overflow:auto;max-height:24em;margin:.3em 0;line-height:1.4"
    font = "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:.95em"
    return Html(f'<pre tabindex="0" style="{style};{font}">{escape(text)}</pre>')


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


def card(parts: Iterable[object]) -> Html:
    """Return parts in a box that stands out, and is read out at once."""
    style = f"border:1px solid {_SIGNS['error'][1]};border-left-width:4px;border-radius:.3em"
    style = f"{style};padding:.5em .9em;margin:.3em 0;max-width:54em"
    return Html(f'<div role="alert" style="{style}">{join(parts)}</div>')


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


# The arrow of the widgets' own selects is black, and not seen on dark pages; their tabs are faint.
FORM = Html(
    '<style>.aitk-form{--jp-widgets-dropdown-arrow:url("data:image/svg+xml,%3Csvg xmlns='
    "'http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E%3Cpath fill='%23808080' d='M5.2 5.9 9 9.7l"
    "3.8-3.8 1.2 1.2-5 5-5-5z'/%3E%3C/svg%3E\")}"
    ".aitk-form .lm-TabBar-tabLabel{color:var(--jp-ui-font-color1,inherit)}</style>"
)
"""What a page needs to know of the class `aitk-form`."""


def status(lines: Iterable[object]) -> Html:
    """Return lines that a screen reader reads out when they change."""
    return Html(
        f'<div role="status" aria-live="polite" style="line-height:1.4">{join(lines)}</div>'
    )


def pictures(items: Iterable[tuple[bytes, object]], columns: int = 12) -> Html:
    """Return small JPEG pictures, at most so many side by side, each over its caption."""
    row = f"display:flex;flex-wrap:wrap;gap:.8em;margin:.3em 0;max-width:{9.8 * columns:g}em"
    figure = "margin:0;width:9em;line-height:1.3;overflow-wrap:anywhere"
    frame = "display:flex;align-items:flex-end;height:9em"
    image = 'style="max-width:9em;max-height:9em;margin:0"'
    shown = "".join(
        f'<figure style="{figure}"><div style="{frame}{"" if data else _EMPTY}">'
        f"{picture('jpeg', data, '', image) if data else ''}</div>"
        f'<figcaption style="font-size:.9em;{_QUIET}">{escape(caption)}</figcaption></figure>'
        for data, caption in items
    )
    return Html(f'<div style="{row}">{shown}</div>')


def picture(kind: str, data: bytes, alt: str, attributes: str = "") -> Html:
    """Return a picture with its bytes in it; `kind` is `png` or `jpeg`."""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Html(f'<img alt="{escape(alt)}" src="{source}" {attributes}>')


def framed(
    picture: bytes, alt: str, height: str, width: str = "100%", *, is_faint: bool = False
) -> Html:
    """Return a JPEG in the middle of a frame of fixed size; a word if there is none."""
    frame = f"display:flex;align-items:center;justify-content:center;height:{height};width:{width}"
    ground = "background:var(--jp-layout-color2,rgba(127,127,127,.12));border-radius:3px"
    faint = ";opacity:.35" if is_faint else ""
    data = base64.b64encode(picture).decode()
    image = (
        f'<img alt="{escape(alt)}" style="max-width:100%;max-height:100%;object-fit:contain{faint}"'
        f' src="data:image/jpeg;base64,{data}">'
    )
    return Html(f'<div style="{frame};{ground}">{image if picture else "no picture"}</div>')


def proportions(width: float, height: float) -> Html:
    """Return a small box of these proportions, in a column of such boxes."""
    scale = 2.4 / max(width, height)
    frame = "display:flex;align-items:center;justify-content:center;width:2.4em;height:2.4em"
    box = f"width:{width * scale:.2f}em;height:{max(height * scale, 0.1):.2f}em"
    return Html(
        f'<div aria-hidden="true" style="{frame}"><div style="{box};opacity:.45;'
        'background:currentColor;border-radius:2px"></div></div>'
    )


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
    rows = [tuple(row) for row in rows]
    right = {i for i, column in enumerate(zip(*rows, strict=True)) if is_numeric(column)}
    sides = [_RIGHT if i in right else "" for i in range(max(map(len, (headers, *rows))))]
    head = "".join(
        f'<th scope="col" {_style(_CELL + side)}>{escape(cell)}</th>'
        for cell, side in zip(headers, sides, strict=False)
    )
    body = join(
        Html(f"<tr>{join(_data(cell, side) for cell, side in zip(row, sides, strict=False))}</tr>")
        for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>"
    return Html(f"<table {_style(_TABLE)}>{_title(caption)}{head}<tbody>{body}</tbody></table>")


def is_numeric(column: Iterable[object]) -> bool:
    """Return whether each cell of a column is a number, maybe with a unit, or empty."""
    cells = [str(cell) for cell in column if cell not in (None, "")]
    return bool(cells) and all(map(_NUMBER.fullmatch, cells))


def definition(pairs: Iterable[tuple[object, object]], caption: object = "") -> Html:
    """Return a table of names and their values, one pair a row."""
    rows = "".join(
        f'<tr><th scope="row" {_style(_CELL + _WHOLE)}>{escape(name)}</th>'
        f"<td {_style(_CELL)}>{escape(value)}</td></tr>"
        for name, value in pairs
    )
    return Html(f"<table {_style(_TABLE)}>{_title(caption)}<tbody>{rows}</tbody></table>")


def _title(caption: object) -> str:
    if not caption:
        return ""
    line = f"<div {_style(_TITLE)}>{strong(caption)}</div>"
    return f"<caption {_style(_CELL)}>{line}</caption>"


def _data(content: object, side: str) -> Html:
    """Return a cell, in which a short word, or a number with its unit, is not broken."""
    text = str(content)
    most = _WORD if " " not in text else _WORD // 2 * text[:1].isdigit()
    whole = _WHOLE if len(text) <= most and not isinstance(content, Html) else ""
    return Html(f"<td {_style(_CELL + whole + side)}>{escape(content)}</td>")


def _style(declarations: str) -> str:
    return f'style="{declarations}"'
