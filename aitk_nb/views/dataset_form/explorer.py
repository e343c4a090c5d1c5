"""`Explorer`: a dataset's problems, images with captions, changes to all, and buckets."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Problem, by_image
from aitk_nb.views.dataset_form.bucket_preview import BucketPreview
from aitk_nb.views.dataset_form.bulk_edit import BulkEdit
from aitk_nb.views.dataset_form.caption_cards import CaptionCards
from aitk_nb.views.dataset_form.problem_list import ProblemList

_TABS = ("Images and captions", "Change all captions", "Buckets")


class Explorer:
    """Shows a dataset, writes captions, and says which images are to be left out."""

    def __init__(
        self,
        on_changed: Callable[[], None],
        on_left_out: Callable[[Collection[str]], None],
        on_fix: Callable[[], None],
    ) -> None:
        """Make the parts.

        Args:
            on_changed: Called when captions were written.
            on_left_out: Called with the names of all images that are to be left out.
            on_fix: Called when a corrected copy is wanted.
        """
        self._on_changed = on_changed
        self._on_left_out = on_left_out
        self._left_out: Collection[str] = ()
        self._broken: Collection[str] = ()
        saved = "Caption of {} saved."
        self.cards = CaptionCards(
            lambda path: self._changed(saved.format(path.name)),
            lambda text: self.say(text, "error"),
            lambda path: self._on_left_out({*self._left_out} ^ {path.name}),
        )
        self.bulk = BulkEdit(
            self._changed, lambda text: self.say(text, "error"), self.cards.thumbnails
        )
        self.problems = ProblemList(self._jump)
        self.problems.fix.on_click(lambda _button: on_fix())
        self.problems.leave_out.on_click(
            lambda _button: self._on_left_out({*self._left_out, *self._broken})
        )
        self.problems.look.on_click(lambda _button: self._look())
        self.buckets = BucketPreview()
        self._said = widgets.HTML()
        self.tabs = widgets.Tab(
            [self.cards.widget, self.bulk.widget, self.buckets.widget], titles=_TABS
        )
        self.tabs.observe(self._opened, names="selected_index")
        self.widget = widgets.VBox([self.problems.widget, self._said, self.tabs])

    def show(
        self, whole: LocalDataset | None, chosen: LocalDataset | None, left_out: Collection[str]
    ) -> None:
        """Show a dataset, or nothing.

        Args:
            whole: All that is in the folder.
            chosen: The same without the images that are left out.
            left_out: Their names.
        """
        self.widget.layout.display = "none" if chosen is None else ""
        if whole is None or chosen is None:
            return
        self._left_out = left_out
        broken = by_image(chosen.errors, chosen.contents.trained)
        self._broken = [path.name for path in broken]
        self.tabs.layout.display = "" if whole.contents.trained else "none"
        self.problems.show(chosen.problems, len(broken))
        self.cards.show(whole, left_out)
        self.bulk.show(chosen)
        self.buckets.show(chosen)

    def say(self, text: str, kind: html.Kind) -> None:
        """Say what was done, or what failed."""
        self._said.value = str(html.status([html.message(text, kind)]))

    def close(self) -> None:
        """Free what is not on the page."""
        self.cards.close()

    def _changed(self, text: str) -> None:
        self.say(text, "ok")
        self._on_changed()

    def _jump(self, problem: Problem) -> None:
        if self.cards.jump(problem):
            self.tabs.selected_index = 0

    def _look(self) -> None:
        self.tabs.selected_index = 0
        self.cards.look()

    def _opened(self, change: Any) -> None:
        self.buckets.open(is_open=change["new"] == len(_TABS) - 1)
