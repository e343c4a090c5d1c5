"""`CaptionCards`: the images of a dataset, page by page, each with an editable caption."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from aitk_nb._display.images import Thumbnails, thumbnail
from aitk_nb.datasets.local.captions import caption_path, decoded, write_caption
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Problem, by_image
from aitk_nb.errors import BadInput
from aitk_nb.views.dataset_form.caption_card import CaptionCard, CardLayouts
from aitk_nb.views.widgets import close_all

PAGE = 12
"""Images per page: the browser gets only the pictures of one page."""
_EDGE, _LARGE_EDGE = 208, 1120


class CaptionCards:
    """Images with captions; a caption is written when its field loses the focus."""

    def __init__(
        self,
        on_saved: Callable[[Path], None],
        say: Callable[[str], None],
        on_left_out: Callable[[Path], None],
    ) -> None:
        """Make the cards.

        Args:
            on_saved: Called with an image whose caption was written.
            say: Called with what failed.
            on_left_out: Called with an image that is to be left out, or put back.
        """
        self._on_saved = on_saved
        self._say = say
        self._on_left_out = on_left_out
        self.thumbnails = Thumbnails(_EDGE)
        self._all: tuple[Path, ...] = ()
        self._captions: Mapping[str, str] = {}
        self._problems: Mapping[Path, list[Problem]] = {}
        self._left_out: Collection[str] = ()
        self._images: tuple[Path, ...] = ()
        self._first = 0
        self._marked: Path | None = None
        self._large: Path | None = None
        self._is_filling = False
        # JupyterLab has the kernel handle messages of widgets in several threads.
        self._lock = threading.RLock()
        self._shared = CardLayouts()
        self.cards = self._new_cards()
        self._spare: list[CaptionCard] = []
        narrow = widgets.Layout(width="auto")
        self.previous = widgets.Button(description="◀ Previous", layout=narrow)
        self.next = widgets.Button(description="Next ▶", layout=narrow)
        self.page = widgets.BoundedIntText(
            1,
            min=1,
            max=1,
            description="Page",
            layout=widgets.Layout(width="7em"),
            style={"description_width": "auto"},
        )
        self._of = widgets.Label()
        self.only_problems = widgets.Checkbox(indent=False, layout=narrow)
        self._grid = widgets.Box(
            layout=widgets.Layout(
                display="grid",
                grid_template_columns="repeat(auto-fill, minmax(min(240px, 100%), 1fr))",
                grid_gap="12px 8px",
                grid_auto_flow="row dense",
                align_items="flex-start",
            )
        )
        bar = widgets.HBox(
            [self.previous, self.page, self._of, self.next, self.only_problems],
            layout=widgets.Layout(flex_flow="row wrap", align_items="center"),
        )
        self.widget = widgets.VBox([bar, self._grid])
        self.previous.on_click(lambda _button: self._turn(-1))
        self.next.on_click(lambda _button: self._turn(1))
        self.page.observe(self._to_page, names="value")
        self.only_problems.observe(lambda _change: self._filter(), names="value")

    def _new_cards(self) -> list[CaptionCard]:
        cards = [CaptionCard(self._shared) for _ in range(PAGE)]
        for card in cards:
            card.text.observe(partial(self._save, card), names="value")
            card.enlarge.on_click(partial(self._enlarge, card))
            card.leave_out.on_click(partial(self._leave_out, card))
        return cards

    @property
    def pages(self) -> int:
        """The number of pages."""
        return max(1, -(-len(self._images) // PAGE))

    def show(self, dataset: LocalDataset, left_out: Collection[str] = ()) -> None:
        """Show a dataset with the images that are left out of it, on the current page."""
        before, self._all = self._all, dataset.contents.trained
        self._captions, self._left_out = dataset.captions, left_out
        self._problems = by_image(dataset.problems, self._all)
        self.only_problems.description = f"Only problems ({len(self._problems)})"
        # A card that was just mended stays until its page is left: others would move to its place.
        if self._all != before:
            self._images = self._wanted
        self._first = min(self._first, (self.pages - 1) * PAGE)
        self.draw()

    def look(self) -> None:
        """Show only the images with problems, those with errors first."""
        self.only_problems.value = True
        self._filter()

    def jump(self, problem: Problem) -> bool:
        """Go to the image of a problem, and mark it; False if there is none."""
        path = next(iter(by_image([problem], self._all)), None)
        if path is None:
            return False
        self._marked = path
        if path not in self._images:
            self.only_problems.value = False
        self._first = self._images.index(path)  # it is the first of the page, easy to find
        self.draw()
        return True

    def draw(self) -> None:
        """Draw the current page; only its pictures are made."""
        with self._lock:
            shown = self._images[self._first : self._first + PAGE]
            pairs = zip(self.cards, shown, strict=False)
            if any(card.image not in (None, path) for card, path in pairs):
                # The message of an edit may come after that of the click that turns the page:
                # the card of the edit still has its image then.
                self.cards, self._spare = self._spare or self._new_cards(), self.cards
            self._is_filling = True
            self.page.max, self.page.value = self.pages, self._first // PAGE + 1
            self._is_filling = False
            for card, path in zip(self.cards, shown, strict=False):
                self._show(card, path)
            for card in (*self.cards[len(shown) :], *self._spare):
                card.clear()
            self._grid.children = [card.box for card in self.cards[: len(shown)]]
            self._of.value = f"of {self.pages}"
            self.previous.disabled = self._first == 0
            self.next.disabled = self._first + PAGE >= len(self._images)

    def close(self) -> None:
        """Free the cards that are not on the page; the others are freed with the form."""
        for card in (*self.cards, *self._spare):
            close_all(card.box)

    # -- one card ------------------------------------------------------------------------------

    def _show(self, card: CaptionCard, path: Path) -> None:
        is_large = path == self._large
        card.show(
            path,
            self._caption(path),
            thumbnail(path, _LARGE_EDGE) if is_large else self.thumbnails.get(path),
            self._problems.get(path, ()),
            is_large=is_large,
            is_marked=path == self._marked,
            is_left_out=path.name in self._left_out,
        )

    def _caption(self, path: Path) -> str:
        if (known := self._captions.get(path.name)) is not None:
            return known
        try:
            # Text that is not UTF-8 is decoded as likely meant; an edit writes UTF-8.
            return decoded(caption_path(path).read_bytes()[:100_000]).strip()
        except OSError:
            return ""

    def _save(self, card: CaptionCard, change: Mapping[str, Any]) -> None:
        text = str(change["new"])
        with self._lock:
            if card.image is None or text == card.caption:
                return  # the card was filled, by nobody
            try:
                write_caption(card.image, text)
            except BadInput as exc:
                self._say(str(exc))
                return
            self._on_saved(card.image)

    def _enlarge(self, card: CaptionCard, _button: object) -> None:
        self._large = None if card.image == self._large else card.image
        self.draw()

    def _leave_out(self, card: CaptionCard, _button: object) -> None:
        if card.image is not None:
            self._on_left_out(card.image)

    # -- which cards ---------------------------------------------------------------------------

    @property
    def _wanted(self) -> tuple[Path, ...]:
        # Errors are the first problems, so their images come first.
        return tuple(self._problems) if self.only_problems.value else self._all

    def _filter(self) -> None:
        self._images, self._first = self._wanted, 0
        self.draw()

    def _turn(self, by: int) -> None:
        self._first = min(max(0, self._first + by * PAGE), (self.pages - 1) * PAGE)
        self.draw()

    def _to_page(self, change: Mapping[str, Any]) -> None:
        with self._lock:
            if not self._is_filling:
                self._first = (int(change["new"]) - 1) * PAGE
                self.draw()
