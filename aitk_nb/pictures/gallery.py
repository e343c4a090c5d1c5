"""`gallery`: a grid as HTML, in which one column can be looked at."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

from aitk_nb._html import Html, escape, strong


def gallery(columns: Sequence[object], rows: Iterable[tuple[object, Mapping[int, object]]]) -> Html:
    """Return rows of small things, each over its column's label; a click on one makes it large.

    Above them is a slider over the columns, for the arrow keys and the pointer: of the one that is
    chosen there, all rows are side by side. It works without a script and without a kernel.

    Args:
        columns: The labels.
        rows: Each row's caption, and its things by the number of their column.
    """
    name = f"aitk{uuid.uuid4().hex[:8]}"
    chosen = "".join(
        f"#{name}-{at}:checked~section details:not(.c{at}){{display:none}}"
        for at in range(len(columns))
    )
    slider = "".join(
        f'<input type="radio" name="{name}" id="{name}-{at}"{" checked" if at == "all" else ""}>'
        f'<label for="{name}-{at}">{escape(label)}</label>'
        for at, label in (("all", "all"), *enumerate(columns))
    )
    shown = "".join(
        f"<section>{strong(caption)}<div>"
        + "".join(
            f'<details class="c{at}"><summary>{escape(thing)}<br>{escape(columns[at])}</summary>'
            "</details>"
            for at, thing in things.items()
        )
        + "</div></section>"
        for caption, things in rows
    )
    style = f"<style>{_STYLE}{chosen}</style>"
    above = slider if len(columns) > 1 else ""
    return Html(f'{style}<div class="aitk-gallery">{above}{shown}</div>')


_STYLE = """
.aitk-gallery{line-height:1.4;overflow-wrap:anywhere;position:relative}
.aitk-gallery>input{position:absolute;opacity:0}
.aitk-gallery>label{display:inline-block;padding:0 .5em;margin:0;cursor:pointer;font-size:.9em;
border-bottom:3px solid rgba(127,127,127,.35)}
.aitk-gallery>input:checked+label{border-color:currentColor;font-weight:bold}
.aitk-gallery>input:focus-visible+label{outline:2px solid}
.aitk-gallery section{margin:.5em 0}
.aitk-gallery section>div{display:flex;gap:.6em;margin:.2em 0;overflow-x:auto}
.aitk-gallery details{flex:none;width:9.5em;margin:0}
.aitk-gallery summary{cursor:zoom-in;list-style:none;font-size:.9em}
.aitk-gallery summary::-webkit-details-marker{display:none}
.aitk-gallery img{width:100%;height:auto;margin:0;vertical-align:bottom}
.aitk-gallery details[open]{width:min(100%,32em)}
.aitk-gallery details[open] summary{cursor:zoom-out}
.aitk-gallery pre{margin:0;white-space:pre-wrap;max-height:9em;overflow:hidden}
.aitk-gallery details[open] pre{max-height:none}
.aitk-gallery>input:checked:not([id$=all])~section{display:inline-block;vertical-align:top;
width:min(100%,15em);margin-right:.6em}
.aitk-gallery>input:checked:not([id$=all])~section details{width:100%}
"""
