"""`PictureGrid`: one file that needs nothing else, whatever its captions are."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aitk_nb.errors import BadInput
from aitk_nb.pictures.drawing import Tile
from aitk_nb.pictures.grid import MOST, PictureGrid


def jpeg(width: int = 300, height: int = 200) -> bytes:
    """Return a picture that hardly becomes smaller."""
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def grid(rows: int, columns: int) -> PictureGrid:
    """Return a grid of pictures, with a text in its last place."""
    picture = jpeg()
    tiles = {(row, column): Tile(picture) for row in range(rows) for column in range(columns)}
    tiles[rows - 1, columns - 1] = Tile(words="<i> a text that was generated " * 20)
    labels = [f"step {250 * column}" for column in range(columns)]
    return PictureGrid([f"prompt {row} & <b>" for row in range(rows)], labels, tiles, "a note")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_large_grid_is_one_picture_of_two_megabytes(theme: str) -> None:
    """Also of pictures that are nothing but noise."""
    png = grid(12, 20).png(theme)  # type: ignore[arg-type]
    assert len(png) <= MOST
    with Image.open(io.BytesIO(png)) as image:
        assert image.width > 20 * 40


def test_headless_it_is_one_picture_and_else_a_page_with_a_slider() -> None:
    """Neither has scripts or addresses; all captions are escaped."""
    made = grid(3, 4)
    shown, page = made._repr_html_(), made.html()
    assert (shown.count("<img"), page.count("<img")) == (1, 11)
    assert page.count('type="radio"') == 5
    assert page.count("&lt;b&gt;") >= 3
    assert "&lt;i&gt; a text" in page
    for text in (shown, page):
        assert "a note" in text
        assert not any(word in text for word in ("<script", "<b>", "<i>", "http"))


def test_it_is_saved_by_its_suffix(tmp_path: Path) -> None:
    """A film has the pictures of one row."""
    made = grid(2, 3)
    for suffix in (".png", ".html", ".gif", ".webp"):
        assert made.save(tmp_path / f"grid{suffix}").stat().st_size > 1000
    for suffix in (".gif", ".webp"):
        with Image.open(made.save(tmp_path / f"row{suffix}", row=0)) as film:
            assert getattr(film, "n_frames", 1) == 3
    for wrong, row in (("grid.bmp", 0), ("grid.gif", 2), ("grid.gif", -1)):
        with pytest.raises(BadInput):
            made.save(tmp_path / wrong, row=row)
    text = PictureGrid(["x"], ["y"], {(0, 0): Tile(words="only text")})
    with pytest.raises(BadInput, match="no pictures"):
        text.save(tmp_path / "text.gif")
    assert "only text" in text._repr_html_()


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=2000))
def test_any_caption(row: str, column: str, words: str) -> None:
    """Nothing fails, and nothing is run."""
    made = PictureGrid([row], [column, "b"], {(0, 0): Tile(words=words), (0, 1): Tile(_SMALL)})
    assert made.png().startswith(b"\x89PNG")
    assert made._repr_html_().count("<img") == 1
    assert made.html().count("<") == PictureGrid(
        ["r"], ["a", "b"], {(0, 0): Tile(words="w"), (0, 1): Tile(_SMALL)}
    ).html().count("<")


_SMALL = jpeg(20, 30)
