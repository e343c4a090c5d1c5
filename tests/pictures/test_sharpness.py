"""`PictureGrid.sharpness`: a hint that claims nothing within the spread."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from aitk_nb.pictures.drawing import Tile
from aitk_nb.pictures.grid import PictureGrid


def picture(seed: int, blur: float) -> bytes:
    """Return a JPEG of noise, as sharp as that."""
    noise = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)
    image, buffer = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur)), io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def grid(*blurs: list[float]) -> PictureGrid:
    """Return a grid with a column for each list, and a row for each of its numbers."""
    tiles = {
        (row, column): Tile(picture(100 * row + column, blur))
        for column, rows in enumerate(blurs)
        for row, blur in enumerate(rows)
    }
    return PictureGrid(
        [f"row {n}" for n in range(len(blurs[0]))], list("abcd")[: len(blurs)], tiles
    )


def test_the_sharper_column_is_found() -> None:
    """Where every row says so."""
    found = grid([2, 2.1, 2, 2.2], [1, 1, 1.1, 1], [3, 3, 3, 3]).sharpness()
    assert ("a", "b", "c") == found.columns
    assert found.means[1] > found.means[0] > found.means[2]
    assert "b" == found.leader
    assert "b has the most detail, beyond the spread" in repr(found)
    assert "only you see" in found._repr_html_()


@pytest.mark.parametrize(
    "columns",
    [
        [[1, 3, 1, 3], [3, 1, 3, 1]],  # now one, now the other
        [[1, 1], [3, 3]],  # two rows prove nothing
        [[2, 2, 2, 2], [2, 2, 2, 2]],
    ],
)
def test_nothing_is_claimed_within_the_spread(columns: list[list[float]]) -> None:
    """Nor from a single picture."""
    assert "" == grid(*columns).sharpness().leader


def test_what_is_no_picture_is_left_out() -> None:
    """A text, and a row that one column lacks."""
    some = grid([1, 1, 1], [3, 3, 3])
    some.tiles[1, 1] = Tile(words="a text")
    del some.tiles[2, 0]
    assert (0.0, 0.0) == some.sharpness().spreads
    assert "Too few pictures to compare." == some.sharpness().verdict
    assert () == PictureGrid(["a"], ["b"], {(0, 0): Tile(words="a text")}).sharpness().columns
