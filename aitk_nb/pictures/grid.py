"""`PictureGrid`: pictures by row and column, shown and saved with their captions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from aitk_nb._display import html, session
from aitk_nb._display.html import Html
from aitk_nb._files import write
from aitk_nb._units import plural
from aitk_nb.errors import BadInput
from aitk_nb.pictures.drawing import FINE, Drawing, Tile
from aitk_nb.pictures.gallery import gallery
from aitk_nb.pictures.sharpness import Sharpness, sharpness

MOST = 2_000_000
"""Bytes of a saved picture at most."""
_SHOWN = 600_000
"""Bytes of a picture in a notebook at most."""


class PictureGrid:
    """Pictures by row and column, each with its captions; they need no server anymore.

    On a page a slider chooses a column, whose rows are side by side then, and a click enlarges a
    picture. Where a program runs the notebook, one picture holds them all.

    Example:
        >>> grid = job.samples().grid
        >>> grid.rows, grid.columns
        ((), ())
    """

    def __init__(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        tiles: Mapping[tuple[int, int], Tile],
        note: str = "",
    ) -> None:
        """Show these pictures.

        Args:
            rows: Caption of each row, such as a prompt.
            columns: Caption of each column, such as a step.
            tiles: What to show, by the numbers of its row and column.
            note: A sentence below them.
        """
        self.rows = tuple(rows)
        """Caption of each row."""
        self.columns = tuple(columns)
        """Caption of each column."""
        self.tiles = dict(tiles)
        """What is shown, by the numbers of its row and column."""
        self.note = note
        """A sentence below them."""

    def __repr__(self) -> str:
        of = f"{plural(len(self.rows), 'row')} and {plural(len(self.columns), 'column')}"
        return f"<{plural(len(self.tiles), 'picture')} in {of}>"

    @property
    def _drawing(self) -> Drawing:
        return Drawing(self.rows, self.columns, self.tiles)

    def png(self, theme: Literal["light", "dark"] = "light", most: int = MOST) -> bytes:
        """Return the whole grid as one PNG with its captions.

        Args:
            theme: Its ground.
            most: Bytes that it may have; its pictures are as large as that allows.

        Raises:
            BadInput: There are too many pictures for that.
        """
        return self._drawing.png(theme, most)

    def save(
        self, path: str | Path, *, row: int = 0, theme: Literal["light", "dark"] = "light"
    ) -> Path:
        """Write the grid to one file that needs nothing else.

        Args:
            path: A `.png` of at most 2 MB, an `.html` with a slider, or a `.gif` or `.webp` of one
                row, its columns one after the other.
            row: The row of a `.gif` or `.webp`, counted from 0.
            theme: The ground of a `.png`.

        Returns:
            The path of the file.

        Raises:
            BadInput: The suffix is another one, there is no such row, or the file can't be written.

        Example:
            >>> aitk_nb.views.sample_grid(job).save("grid.png").name
            'grid.png'
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind == ".png":
            return write(target, self.png(theme))
        if kind == ".html":
            page = html.page(repr(self).strip("<>"), [self.html()])
            return write(target, page.encode())
        if kind not in (".gif", ".webp"):
            raise BadInput(f"Grids are saved as .png, .html, .gif or .webp; got {target.name!r}.")
        if not 0 <= row < len(self.rows):
            raise BadInput(f"There is no row {row}; the grid has {plural(len(self.rows), 'row')}.")
        return write(target, self._drawing.film(row, kind[1:].upper()))

    def sharpness(self) -> Sharpness:
        """Return how much detail the pictures of each column have: a hint, and no more.

        Returns:
            Mean and spread of each column over the rows, and whether one stands out.

        Example:
            >>> job.samples().grid.sharpness().columns
            ()
        """
        return sharpness(self.columns, len(self.rows), self.tiles)

    def html(self) -> Html:
        """Return the grid as HTML with a slider over its columns, which needs nothing else."""
        rows = [
            (
                caption,
                {
                    column: _shown(self.tiles[row, column], f"{caption}, {label}")
                    for column, label in enumerate(self.columns)
                    if (row, column) in self.tiles
                },
            )
            for row, caption in enumerate(self.rows)
        ]
        return html.join([gallery(self.columns, rows), html.note(self.note) if self.note else ""])

    def _repr_html_(self) -> Html:
        if session.is_attended() or session.is_voila() or not any(self._pictures):
            return self.html()
        data, width = self._drawing.webp(_SHOWN)
        look = f'style="width:{width / FINE:.0f}px;max-width:100%;height:auto"'
        whole = html.picture("webp", data, repr(self).strip("<>"), look)
        return html.join([whole, html.note(self.note) if self.note else ""])

    @property
    def _pictures(self) -> list[bytes]:
        return [tile.picture for tile in self.tiles.values()]


def _shown(tile: Tile, label: str) -> Html:
    if tile.picture:
        return html.picture("jpeg", tile.picture, label)
    return html.code(tile.words)
