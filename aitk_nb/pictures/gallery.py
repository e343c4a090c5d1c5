"""`gallery`: a grid as HTML, in which one column can be looked at."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from aitk_nb._display.html import Html, escape, strong


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


_STYLE = files("aitk_nb.pictures").joinpath("gallery.css").read_text(encoding="utf-8")
