"""`contact_sheet`: many small images side by side, each above its caption."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from aitk_nb._display import html
from aitk_nb._display.images import thumbnail
from aitk_nb._files import write
from aitk_nb._units import plural
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.errors import BadInput

_EDGE = 160
"""Pixels of an image's longer side; on the page it is a little smaller, so that it is sharp."""
_LETTERS = 60


class ContactSheet:
    """Small images with their captions, which a notebook shows; from `contact_sheet`.

    Example:
        >>> sheet = aitk_nb.views.contact_sheet(aitk_nb.LocalDataset(photos), most=3)
        >>> sheet, sheet.save("sheet.html").name
        (<contact sheet: 3 of 12 images>, 'sheet.html')
    """

    def __init__(self, items: Iterable[tuple[bytes, str]], more: int, columns: int) -> None:
        """Show small images with their captions.

        Args:
            items: Pairs of an image's bytes and its caption.
            more: Number of images that are not shown.
            columns: Images side by side, where the page is wide enough.
        """
        self.items: Sequence[tuple[bytes, str]] = tuple(items)
        """The images that are shown, each with its caption."""
        self.more = more
        """How many images are not shown."""
        self._columns = columns

    def __repr__(self) -> str:
        rest = f"{len(self.items)} of " if self.more else ""
        return f"<contact sheet: {rest}{plural(len(self.items) + self.more, 'image')}>"

    def save(self, path: str | Path) -> Path:
        """Write the sheet to `path` as a page that needs nothing else, `.html`.

        Returns:
            The path of the file.

        Raises:
            BadInput: The suffix is another one, or the file can't be written.
        """
        target = Path(path)
        if target.suffix.lower() != ".html":
            raise BadInput(f"Contact sheets are saved as .html; got {target.name!r}.")
        page = html.page(repr(self).strip("<>").capitalize(), [self._repr_html_()])
        return write(target, page.encode())

    def _repr_html_(self) -> html.Html:
        items = [
            (
                content,
                caption
                if len(caption) <= _LETTERS
                else f"{caption[:_LETTERS].rpartition(' ')[0]} …",
            )
            for content, caption in self.items
        ]
        more = [html.note(f"and {self.more} more")] if self.more else []
        return html.join([html.pictures(items, self._columns), *more])


def contact_sheet(
    source: LocalDataset | Iterable[tuple[bytes, str]],
    *,
    most: int = 24,
    columns: int = 6,
) -> ContactSheet:
    """Return the first images of a dataset side by side, each above its caption or its name.

    Args:
        source: A local dataset, or pairs of an image's bytes and its caption.
        most: Number of images to show.
        columns: Images side by side, where the page is wide enough.

    Returns:
        The sheet, which a notebook shows and which `save` writes as `.html`.

    Raises:
        BadInput: A number is below 1.

    Example:
        >>> aitk_nb.views.contact_sheet(client.datasets.thumbnails("example_photos"))
        <contact sheet: 12 images>
    """
    if most < 1 or columns < 1:
        raise BadInput("`most` and `columns` must be at least 1.")
    pairs = _pairs(source) if isinstance(source, LocalDataset) else iter(source)
    items = [(thumbnail(content, _EDGE), caption) for content, caption in islice(pairs, most)]
    return ContactSheet(items, sum(1 for _ in pairs), columns)


def _pairs(dataset: LocalDataset) -> Iterator[tuple[bytes | Path, str]]:
    """Yield the images of a dataset and their captions."""
    for path in dataset.images:
        if dataset.image_info[path].is_readable:
            yield path, dataset.captions.get(path.name) or path.name
