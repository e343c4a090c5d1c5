"""`contact_sheet`: many small images on one sheet, each above its caption."""

from __future__ import annotations

import io
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aitk_nb._files import write
from aitk_nb._images import thumbnail
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.errors import BadInput
from aitk_nb.views.plots.style import INKS, Theme, check_theme

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

_EDGE = 132
"""Pixels of an image's longer side; on the page it is a little smaller, so that it is sharp."""
_GAP = 14
_LETTER = 14
"""Pixels of a letter's height."""
_LINES = 3
_QUALITY = 66


class ContactSheet:
    """Images on one sheet, which a notebook shows as a JPEG; from `contact_sheet`.

    Example:
        >>> sheet = aitk_nb.views.contact_sheet(aitk_nb.LocalDataset(photos), most=3)
        >>> sheet, sheet.save("sheet.jpg").name
        (<contact sheet: 3 of 12 images>, 'sheet.jpg')
    """

    def __init__(
        self, items: Iterable[tuple[bytes, str]], more: int, columns: int, theme: Theme
    ) -> None:
        """Show small images with their captions.

        Args:
            items: Pairs of an image's bytes and its caption.
            more: Number of images that are not shown.
            columns: Images side by side.
            theme: Colors for a light or a dark page.
        """
        self.items: Sequence[tuple[bytes, str]] = tuple(items)
        """The images that are shown, each with its caption."""
        self.more = more
        """How many images are not shown."""
        self._columns = columns
        self._theme: Theme = theme

    def __repr__(self) -> str:
        rest = f" of {len(self.items) + self.more}" if self.more else ""
        return f"<contact sheet: {len(self.items)}{rest} images>"

    def jpeg(self) -> bytes:
        """Return the sheet as a JPEG; the same images give the same bytes."""
        buffer = io.BytesIO()
        self._sheet.save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the sheet to `path` as `.jpg`.

        Returns:
            The path of the file.

        Raises:
            BadInput: The suffix is another one, or the file can't be written.
        """
        target = Path(path)
        if target.suffix.lower() not in {".jpg", ".jpeg"}:
            raise BadInput(f"Contact sheets are saved as .jpg; got {target.name!r}.")
        return write(target, self.jpeg())

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        width = round(self._sheet.width / 1.2)
        alt = "; ".join(caption for _, caption in self.items[:12])
        about = {"width": width, "alt": f"{len(self.items)} images: {alt}"}
        return {"image/jpeg": self.jpeg(), "text/plain": repr(self)}, {"image/jpeg": about}

    @cached_property
    def _sheet(self) -> Image.Image:
        """The sheet as it is drawn."""
        from PIL import Image, ImageDraw

        inks, columns = INKS[self._theme], max(1, min(self._columns, len(self.items)))
        wide, high = _EDGE + _GAP, _EDGE + _GAP + _LINES * (_LETTER + 4)
        rows = -(-len(self.items) // columns) or 1
        below = 2 * _LETTER if self.more else 0
        size = (columns * wide + _GAP, rows * high + _GAP + below)
        sheet = Image.new("RGB", size, inks.paper)
        pen, font = ImageDraw.Draw(sheet), _font()
        for number, (content, caption) in enumerate(self.items):
            left = _GAP + number % columns * wide
            top = _GAP + number // columns * high
            _paste(sheet, content, left, top, inks.grid)
            for line, text in enumerate(_folded(pen, caption, font, _EDGE)):
                spot = (left, top + _EDGE + 4 + line * (_LETTER + 4))
                pen.text(spot, text, fill=inks.ink, font=font)
        if self.more:
            text = f"and {self.more} more"
            pen.text((_GAP, size[1] - 2 * _LETTER), text, fill=inks.ink, font=font)
        return sheet


def contact_sheet(
    source: LocalDataset | Iterable[tuple[bytes, str]],
    *,
    most: int = 24,
    columns: int = 6,
    theme: Theme = "light",
) -> ContactSheet:
    """Return the first images of a dataset on one sheet, each above its caption or its name.

    Args:
        source: A local dataset, or pairs of an image's bytes and its caption.
        most: Number of images to show.
        columns: Images side by side.
        theme: Colors for a light or a dark page.

    Returns:
        The sheet, which a notebook shows and which `save` writes as `.jpg`.

    Raises:
        BadInput: A number is below 1, or `theme` is invalid.

    Example:
        >>> aitk_nb.views.contact_sheet(client.datasets.thumbnails("example_photos"))
        <contact sheet: 12 images>
    """
    if most < 1 or columns < 1:
        raise BadInput("`most` and `columns` must be at least 1.")
    check_theme(theme)
    pairs = _pairs(source, most) if isinstance(source, LocalDataset) else iter(source)
    items = list(islice(pairs, most))
    return ContactSheet(items, sum(1 for _ in pairs), columns, theme)


def _pairs(dataset: LocalDataset, most: int) -> Iterator[tuple[bytes, str]]:
    """Yield the images of a dataset and their captions; thumbnails only of the first `most`."""
    images = [path for path in dataset.images if dataset.image_info[path].is_readable]
    for number, path in enumerate(images):
        small = thumbnail(path, _EDGE) if number < most else b""
        yield small, dataset.captions.get(path.name) or path.name


def _paste(sheet: Image.Image, content: bytes, left: int, top: int, empty: str) -> None:
    """Put one image in the middle of its place; a box if it can't be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as image:
            image.thumbnail((_EDGE, _EDGE))
            picture = image.convert("RGB")
    except Exception:  # noqa: BLE001 - bytes of a server can raise anything in a decoder
        sheet.paste(empty, (left, top, left + _EDGE, top + _EDGE))
        return
    sheet.paste(picture, (left + (_EDGE - picture.width) // 2, top + _EDGE - picture.height))


def _folded(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int
) -> list[str]:
    """Return the text in a few lines of at most `width` pixels."""
    lines: list[str] = []
    rest = " ".join(text[:300].split())

    def reach(end: int) -> int:
        return math.ceil(pen.textlength(rest[:end], font=font))

    while rest and len(lines) < _LINES:
        end = bisect_right(range(1, len(rest) + 1), width, key=reach) or 1
        if end < len(rest) and (space := rest.rfind(" ", 0, end + 1)) > 0:
            end = space
        lines.append(rest[:end])
        rest = rest[end:].lstrip()
    return [*lines[:-1], f"{lines[-1][:-2]}…"] if rest else lines


def _font() -> ImageFont.FreeTypeFont:
    """Return matplotlib's own font, which has the letters of most European languages."""
    import matplotlib as mpl
    from PIL import ImageFont

    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), _LETTER)
