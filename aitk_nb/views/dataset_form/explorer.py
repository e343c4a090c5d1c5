"""`Explorer`: a dataset's problems, images with captions, changes to all, and buckets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Problem
from aitk_nb.views.dataset_form.bucket_preview import BucketPreview
from aitk_nb.views.dataset_form.bulk_edit import BulkEdit
from aitk_nb.views.dataset_form.caption_cards import CaptionCards
from aitk_nb.views.dataset_form.problem_list import ProblemList

_TABS = ("Images and captions", "Change all captions", "Buckets")


class Explorer:
    """Shows a dataset, and writes captions."""

    def __init__(self, on_changed: Callable[[], None]) -> None:
        """Call `on_changed` when captions were written."""
        self._on_changed = on_changed
        saved = "Caption of {} saved."
        self.cards = CaptionCards(lambda path: self._changed(saved.format(path.name)), self._fail)
        self.bulk = BulkEdit(self._changed, self._fail)
        self.problems = ProblemList(self._jump)
        self.buckets = BucketPreview()
        self._said = widgets.HTML()
        self.tabs = widgets.Tab(
            [self.cards.widget, self.bulk.widget, self.buckets.widget], titles=_TABS
        )
        self.tabs.observe(self._opened, names="selected_index")
        self.widget = widgets.VBox([self.problems.widget, self._said, self.tabs])

    def show(self, dataset: LocalDataset | None) -> None:
        """Show a dataset, or nothing."""
        self.widget.layout.display = "none" if dataset is None else ""
        if dataset is None:
            return
        self.tabs.layout.display = "" if dataset.contents.trained else "none"
        self.problems.show(dataset.problems)
        self.cards.show(dataset)
        self.bulk.show(dataset)
        self.buckets.show(dataset)

    def close(self) -> None:
        """Free what is not on the page."""
        self.cards.close()

    def _changed(self, text: str) -> None:
        self._say(text, "ok")
        self._on_changed()

    def _fail(self, text: str) -> None:
        self._say(text, "error")

    def _say(self, text: str, kind: _html.Kind) -> None:
        self._said.value = str(_html.status([_html.message(text, kind)]))

    def _jump(self, problem: Problem) -> None:
        if problem.file and self.cards.jump(problem.file):
            self.tabs.selected_index = 0

    def _opened(self, change: Any) -> None:
        self.buckets.open(is_open=change["new"] == len(_TABS) - 1)
