"""`Table`: a few rows that show whole, where pandas would cut long texts short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aitk_nb import _html

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers, which a notebook shows as a table; `frame()` returns a pandas table."""

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
        cells = [self.headers, *(tuple(map(str, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )
        return "\n".join(lines)

    def _repr_html_(self) -> _html.Html:
        return _html.table(self.headers, self.rows, caption=self.caption)
