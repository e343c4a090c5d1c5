"""`Sharpness`: how much detail the pictures of a grid's columns have, as a hint."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from aitk_nb._display import html

if TYPE_CHECKING:
    from aitk_nb.pictures.drawing import Tile

_FEWEST = 3
"""Rows from which on a difference can be told from their spread."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """How much detail the pictures of each column have: the variance of their Laplacian.

    It knows nothing of what a picture shows: noise is sharp, and so is a burnt LoRA. The spread is
    that over the rows, which are prompts and seeds.

    Example:
        >>> job.samples().grid.sharpness().verdict
        'Too few pictures to compare.'
    """

    columns: tuple[str, ...]
    """The columns that have pictures."""
    means: tuple[float, ...]
    """The mean of each over the rows that all of them have."""
    spreads: tuple[float, ...]
    """The standard deviation of each over these rows; 0 for one row."""
    leader: str = ""
    """The column that is sharper than every other in nearly every row; empty if none is."""

    @property
    def verdict(self) -> str:
        """What the figures say, in a sentence."""
        if self.leader:
            most = f"{self.leader} has the most detail, beyond the spread."
            return f"{most} Whether it is better, only you see."
        if len(self.columns) < 2 or not any(self.spreads):
            return "Too few pictures to compare."
        return "No column has more detail than all others beyond the spread."

    def __repr__(self) -> str:
        lines = [
            f"{name}: {mean:.0f} ± {spread:.0f}"
            for name, mean, spread in zip(self.columns, self.means, self.spreads, strict=True)
        ]
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> html.Html:
        rows = [
            (name, f"{mean:.0f}", f"{spread:.0f}")
            for name, mean, spread in zip(self.columns, self.means, self.spreads, strict=True)
        ]
        heads = ("column", "sharpness", "spread over rows")
        return html.join([html.table(heads, rows), html.note(self.verdict)])


def sharpness(
    columns: Sequence[str], rows: int, tiles: Mapping[tuple[int, int], Tile]
) -> Sharpness:
    """Return the sharpness of the columns of a grid, by the rows that all of them have."""
    shown = [at for at in range(len(columns)) if any((row, at) in tiles for row in range(rows))]
    whole = [
        row
        for row in range(rows)
        if all((tile := tiles.get((row, at))) and tile.picture for at in shown)
    ]
    values = [[_detail(tiles[row, at].picture) for row in whole] for at in shown]
    if not whole:
        return Sharpness((), (), ())
    means = [fmean(column) for column in values]
    leader = max(range(len(shown)), key=means.__getitem__)
    leads = len(shown) > 1 and all(
        _stands_out([a - b for a, b in zip(values[leader], other, strict=True)])
        for at, other in enumerate(values)
        if at != leader
    )
    return Sharpness(
        tuple(columns[at] for at in shown),
        tuple(means),
        tuple(_spread(column) for column in values),
        columns[shown[leader]] if leads else "",
    )


def _stands_out(differences: Sequence[float]) -> bool:
    """Return whether the mean of the rows' differences is more than twice its standard error."""
    many = len(differences)
    error = _spread(differences) / math.sqrt(many)
    return many >= _FEWEST and fmean(differences) > 2 * error


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _detail(picture: bytes) -> float:
    """Return the variance of the Laplacian of a small JPEG, in squared levels of gray."""
    import numpy as np
    from PIL import Image

    gray = np.asarray(Image.open(io.BytesIO(picture), formats=["JPEG"]).convert("L"), float)
    middle = gray[1:-1, 1:-1]
    around = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]
    return float((4 * middle - around).var()) if middle.size else 0.0
