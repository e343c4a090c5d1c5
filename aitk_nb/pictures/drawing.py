"""Draws a grid as one picture, with its captions in it, and a row of it as a film."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aitk_nb.errors import BadInput

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

GROUNDS = {
    "light": ("#ffffff", "#1f2328"),
    "dark": ("#1b1f24", "#e6edf3"),
    "page": (None, "#757575"),
}
"""Of each theme the ground, which `page` leaves to the page, and the ink."""

_EDGES = (300, 240, 192, 160, 128, 104, 84, 64, 48)
"""Pixels of a picture's longer side, of which the first is taken that fits."""
_FAST = 2
"""Pillow's octree, which chooses the colors of a palette thirty times as fast as its default."""
_GAP = 6
FINE = 1.5
"""Pixels of a drawing for each of the page's, so that it is sharp on a fine screen."""
_LINES = 2
"""Lines of a caption."""
_STEP, _LAST = 700, 2500
"""Milliseconds for which a picture of a film, and its last, stands."""


class Tile(NamedTuple):
    """One place of a grid: a small picture, or words in its stead.

    Example:
        >>> from aitk_nb.pictures import Tile
        >>> Tile(words="a.mp4 (a video)").picture
        b''
    """

    picture: bytes = b""
    """A small JPEG."""
    words: str = ""
    """A text that was generated, or what can't be shown."""
    file: str = ""
    """Where the original lies on this machine; empty if it was not fetched."""


class Drawing(NamedTuple):
    """What is drawn: captions, and tiles by row and column."""

    rows: Sequence[str]
    columns: Sequence[str]
    tiles: Mapping[tuple[int, int], Tile]

    def png(self, theme: str, most: int) -> bytes:
        """Return it as PNG of at most so many bytes, as large as that allows."""
        # A byte holds three pixels of a photograph at most.
        for image in self._fitting(theme, most, 3):
            small = image.width * image.height < most
            for kept in (*([image] if small else []), image.quantize(256, method=_FAST)):
                if len(data := _saved(kept, "PNG")) <= most:
                    return data
        raise BadInput(f"{len(self.tiles)} pictures are too many for one.")

    def webp(self, most: int) -> tuple[bytes, int]:
        """Return it as WebP of at most so many bytes, through which the page is seen; its width."""
        for image in self._fitting("page", most, 6):
            if len(data := _saved(image, "WEBP", quality=75, method=1)) <= most:
                return data, image.width
        raise BadInput(f"{len(self.tiles)} pictures are too many for one.")

    def film(self, row: int, kind: str) -> bytes:
        """Return a row as a film, its columns one after the other, as GIF or WEBP."""
        frames = [
            Drawing(self.rows[row : row + 1], [label], {(0, 0): tile}).image(_EDGES[0], "light")
            for at, label in enumerate(self.columns)
            if (tile := self.tiles.get((row, at))) and tile.picture
        ]
        if not frames:
            raise BadInput(f"Row {row} has no pictures.")
        size = (max(one.width for one in frames), max(one.height for one in frames))
        first, *rest = (_padded(one, size) for one in frames)
        times = [_STEP] * len(rest) + [_LAST]
        return _saved(first, kind, save_all=True, append_images=rest, duration=times, loop=0)

    def _fitting(self, theme: str, most: int, density: int) -> Iterator[Image.Image]:
        count = max(1, len(self.rows) * len(self.columns))
        for edge in _EDGES:
            if edge * edge * count < density * most and edge * len(self.columns) < 12_000:
                yield self.image(edge, theme)

    def image(self, edge: int, theme: str) -> Image.Image:
        """Return it with pictures of a longer side of so many pixels."""
        from PIL import Image, ImageDraw

        ground, ink = GROUNDS[theme]
        small = {at: _opened(tile, edge) for at, tile in self.tiles.items()}
        side = max((one.width for one in small.values() if one), default=edge)
        high = max((one.height for one in small.values() if one), default=edge)
        width = max(len(self.columns) * (side + _GAP) + _GAP, 240)
        # A page shows it smaller than it is.
        letters = max(round(13 * FINE), width // 50)
        labels = [_lines(label, side, min(letters, side // 4)) for label in self.columns]
        captions = [_lines(caption, width - 2 * _GAP, letters) for caption in self.rows]
        head = max((label.height for label in labels), default=0) + _GAP
        tops = [caption.height + _GAP for caption in captions]
        size = (width, _GAP + head + sum(top + high + 2 * _GAP for top in tops))
        image = Image.new("RGB", size, ground) if ground else Image.new("RGBA", size)
        pen = ImageDraw.Draw(image)
        lefts = [_GAP + at * (side + _GAP) for at in range(len(self.columns))]
        for left, label in zip(lefts, labels, strict=True):
            label.draw(pen, left, _GAP, ink)
        y = _GAP + head
        for row, caption in enumerate(captions):
            caption.draw(pen, _GAP, y, ink)
            y += tops[row]
            for column, left in enumerate(lefts):
                if one := small.get((row, column)):
                    image.paste(one, (left, y))
                elif tile := self.tiles.get((row, column)):
                    words = _lines(tile.words, side, max(11, side // 16), high // 12)
                    words.draw(pen, left, y, ink)
            y += high + 2 * _GAP
        return image


class _Lines(NamedTuple):
    """A text on its lines."""

    text: str
    font: ImageFont.FreeTypeFont
    height: int

    def draw(self, pen: ImageDraw.ImageDraw, left: int, top: int, ink: str) -> None:
        """Write it."""
        pen.multiline_text((left, top), self.text, ink, self.font, spacing=2)


def _lines(text: str, width: int, size: int, most: int = _LINES) -> _Lines:
    """Return a text in lines of a width; what has no room ends in a dot dot dot."""
    words = " ".join(text.split())[:400].split(" ")
    longest = max(words, key=len)
    while size > 9 and _font(size).getlength(longest) > width:
        size -= 1
    font = _font(size)
    lines = [""]
    for word in words:
        line = f"{lines[-1]} {word}".strip()
        if font.getlength(line) <= width or not lines[-1]:
            lines[-1] = line
        elif len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} …"
            break
    for at, line in enumerate(lines):
        while font.getlength(line) > width and len(line) > 2:
            line = f"{line.rstrip('… ')[:-1]}…"
        lines[at] = line
    return _Lines("\n".join(lines), font, round(len(lines) * size * 1.3))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    # matplotlib's has the letters of most scripts; it is located, not imported.
    spec = find_spec("matplotlib")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels have FreeType
    return font


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _opened(tile: Tile, edge: int) -> Image.Image | None:
    """Return a tile's picture with a longer side of at most so many pixels."""
    from PIL import Image

    if not tile.picture:
        return None
    image = Image.open(io.BytesIO(tile.picture), formats=["JPEG"])
    image.thumbnail((edge, edge), reducing_gap=1.0)
    return image.convert("RGB")


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL import Image

    whole = Image.new("RGB", size, GROUNDS["light"][0] or "")
    whole.paste(image)
    return whole
