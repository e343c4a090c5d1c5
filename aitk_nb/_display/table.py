"""`Table`: a few rows that show whole, where pandas would cut long texts short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aitk_nb._display import html

if TYPE_CHECKING:
    import pandas as pd

_MANY = 4
"""Rows in which a column that says the same is said once."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers, which a notebook shows as a table; `frame()` returns a pandas table.

    A column that says the same in every one of many rows is shown once, above the others.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    caption: str = ""

    def frame(self) -> pd.DataFrame:
        """Return the rows as a pandas table."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(self.headers))

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        headers, rows, same = self._without_repetition()
        return "\n".join(filter(None, (same, aligned(headers, rows))))

    def _repr_html_(self) -> html.Html:
        headers, rows, same = self._without_repetition()
        table = html.table(headers, rows, caption=self.caption)
        return html.join([html.note(same), table]) if same else table

    def _without_repetition(self) -> tuple[Sequence[object], Sequence[Sequence[object]], str]:
        """Return the table without columns that say the same in many rows, and what they say."""
        columns = list(zip(self.headers, *self.rows, strict=True))
        if len(self.rows) < _MANY:
            return self.headers, self.rows, ""
        same = [column for column in columns[1:] if len(set(map(str, column[1:]))) == 1]
        told = " · ".join(f"{name} {value}" for name, value, *_ in same if value != "")
        headers, *rows = zip(*(one for one in columns if one not in same), strict=True)
        return headers, rows, f"In all {len(self.rows)} rows: {told}" if told else ""


def aligned(headers: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under headers as text: numbers to the right, words to the left."""
    cells = [tuple(map(str, row)) for row in (headers, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [html.is_numeric(column[1:]) for column in columns]
    lines = (
        "  ".join(
            cell.rjust(width) if is_numeric else cell.ljust(width)
            for cell, width, is_numeric in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)
