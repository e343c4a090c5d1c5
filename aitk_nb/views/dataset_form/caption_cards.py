"""`CaptionCards`: the images of a dataset, page by page, each with an editable caption."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.datasets.local.captions import caption_path, decoded, write_caption
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Problem
from aitk_nb.errors import BadInput
from aitk_nb.views.plots.thumbnails import Thumbnails

PAGE = 12
"""Images per page: the browser gets only the thumbnails of one page."""
_EDGE = 144


class CaptionCards:
    """Images with captions; a caption is written when its field loses the focus."""

    def __init__(self, on_saved: Callable[[Path], None], say: Callable[[str], None]) -> None:
        """Call `on_saved` with an image whose caption was written, and `say` with what failed."""
        self._on_saved = on_saved
        self._say = say
        self._thumbnails = Thumbnails(_EDGE)
        self._images: Sequence[Path] = ()
        self._problems: Sequence[Problem] = ()
        self._captions: Mapping[str, str] = {}
        self._first = 0
        self._marked = ""
        self._is_filling = False
        card = widgets.Layout(width="14em", margin="0 .4em .6em 0")
        text = widgets.Layout(width="13em", height="5.2em")
        self._pictures = [widgets.HTML() for _ in range(PAGE)]
        self._texts = [
            widgets.Textarea(placeholder="no caption", continuous_update=False, layout=text)
            for _ in range(PAGE)
        ]
        self._cards = [
            widgets.VBox([picture, field], layout=card)
            for picture, field in zip(self._pictures, self._texts, strict=True)
        ]
        narrow = widgets.Layout(width="auto")
        self.previous = widgets.Button(description="◀ Previous", layout=narrow)
        self.next = widgets.Button(description="Next ▶", layout=narrow)
        self.page = widgets.BoundedIntText(
            1, min=1, max=1, description="Page", layout=widgets.Layout(width="11em")
        )
        self._of = widgets.HTML()
        grid = widgets.Layout(display="flex", flex_flow="row wrap", align_items="flex-end")
        self._grid = widgets.Box(layout=grid)
        bar = widgets.HBox([self.previous, self.page, self._of, self.next])
        self.widget = widgets.VBox([bar, self._grid])
        self.previous.on_click(lambda _button: self._turn(-1))
        self.next.on_click(lambda _button: self._turn(1))
        self.page.observe(self._to_page, names="value")
        for place, field in enumerate(self._texts):
            field.observe(lambda change, at=place: self._save(at, change), names="value")

    @property
    def pages(self) -> int:
        """The number of pages."""
        return max(1, -(-len(self._images) // PAGE))

    def show(self, dataset: LocalDataset) -> None:
        """Show a dataset, on the current page."""
        self._images = dataset.contents.trained
        self._problems, self._captions = dataset.problems, dataset.captions
        self._first = min(self._first, (self.pages - 1) * PAGE)
        self.draw()

    def jump(self, file: str) -> bool:
        """Go to the image of a problem's file, and mark it; False if there is none."""
        name = file.rpartition("/")[2]
        exact = [path for path in self._images if path.name == name]
        alike = [path for path in self._images if path.stem in (name, Path(name).stem)]
        for path in (*exact, *alike)[:1]:
            self._marked = path.name
            self._first = self._images.index(path)  # it is the first of the page, easy to find
            self.draw()
            return True
        return False

    def draw(self) -> None:
        """Draw the current page; only its thumbnails are made."""
        shown = self._images[self._first : self._first + PAGE]
        self._is_filling = True
        try:
            self.page.max, self.page.value = self.pages, self._first // PAGE + 1
            for place, path in enumerate(shown):
                self._pictures[place].value = str(self._picture(path))
                self._texts[place].value = self._caption(path)
            # A hidden card keeps no image: what a notebook stores stays small.
            for place in range(len(shown), PAGE):
                self._pictures[place].value, self._texts[place].value = "", ""
        finally:
            self._is_filling = False
        self._grid.children = self._cards[: len(shown)]
        self._of.value = str(_html.note(f"of {self.pages}"))
        self.previous.disabled = self._first == 0
        self.next.disabled = self._first + PAGE >= len(self._images)

    def close(self) -> None:
        """Free the cards that are not on the page; the others are freed with the form."""
        for card in self._cards:
            for part in (*card.children, card):
                part.close()

    # -- one card ------------------------------------------------------------------------------

    def _picture(self, path: Path) -> _html.Html:
        name = path.name
        about: list[object] = [_html.strong(f"▶ {name}") if name == self._marked else name]
        own = [problem for problem in self._problems if problem.file == name]
        about += [_html.badge(problem.name, problem.status.kind) for problem in own[:2]]
        small = self._thumbnails.get(path)
        caption = _html.join(about, " ")
        return _html.pictures([(small, caption)]) if small else _html.note(caption)

    def _caption(self, path: Path) -> str:
        if (known := self._captions.get(path.name)) is not None:
            return known
        try:
            # Text that is not UTF-8 is decoded as likely meant; an edit writes UTF-8.
            return decoded(caption_path(path).read_bytes()[:100_000]).strip()
        except OSError:
            return ""

    def _save(self, place: int, change: Mapping[str, Any]) -> None:
        if self._is_filling or self._first + place >= len(self._images):
            return
        image = self._images[self._first + place]
        try:
            write_caption(image, str(change["new"]))
        except BadInput as exc:
            self._say(str(exc))
            return
        self._on_saved(image)

    # -- pages -----------------------------------------------------------------------------------

    def _turn(self, by: int) -> None:
        self._first = min(max(0, self._first + by * PAGE), (self.pages - 1) * PAGE)
        self.draw()

    def _to_page(self, change: Mapping[str, Any]) -> None:
        if not self._is_filling:
            self._first = (int(change["new"]) - 1) * PAGE
            self.draw()
