"""`Explorer`: a dataset's problems, images with captions, changes to all, and buckets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._units import plural
from aitk_nb.datasets.local.buckets import BucketPlan
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Problem, by_image
from aitk_nb.datasets.local.requirements import resolutions
from aitk_nb.errors import BadInput
from aitk_nb.training import presets
from aitk_nb.views.dataset_form.bulk_edit import BulkEdit
from aitk_nb.views.dataset_form.caption_cards import CaptionCards

_BUCKETS = 24


class BucketPreview:
    """Resolutions and a batch size to try, and what they mean for the dataset."""

    def __init__(self) -> None:
        style = {"description_width": "8em"}
        layout = widgets.Layout(width="20em")
        self.resolution = widgets.Text(
            "512, 768, 1024", description="Resolutions", style=style, layout=layout
        )
        self.batch_size = widgets.BoundedIntText(
            1, min=1, max=1024, description="Batch size", style=style, layout=layout
        )
        self._table = widgets.HTML()
        inputs = widgets.HBox(
            [self.resolution, self.batch_size], layout=widgets.Layout(flex_flow="row wrap")
        )
        self.widget = widgets.VBox([inputs, self._table])
        self._dataset: LocalDataset | None = None
        self._is_open = False
        for field in (self.resolution, self.batch_size):
            field.observe(lambda _change: self._draw(), names="value")

    def show(self, dataset: LocalDataset) -> None:
        """Show a dataset, if the preview is open."""
        if self._dataset is None and dataset.requirements.resolution:
            self.resolution.value = ", ".join(map(str, dataset.requirements.resolution))
        self._dataset = dataset
        self._draw()

    def open(self, *, is_open: bool) -> None:
        """Open or close the preview; a closed one computes nothing."""
        self._is_open = is_open
        self._draw()

    def _draw(self) -> None:
        if not self._is_open or self._dataset is None:
            self._table.value = ""
            return
        try:
            plan = self._dataset.buckets(
                resolutions(self.resolution.value), batch_size=int(self.batch_size.value)
            )
            if not plan.buckets:
                raise BadInput("There is no image for a bucket.")
        except BadInput as exc:
            self._table.value = str(html.message(str(exc), "error"))
        else:
            arch = self._dataset.requirements.arch or presets.DEFAULT_ARCH
            self._table.value = str(_page(plan, arch))


def _page(plan: BucketPlan, arch: str) -> html.Html:
    table = plan.table()
    shapes = [html.proportions(bucket.width, bucket.height) for bucket in plan.buckets[:_BUCKETS]]
    rows = [(shape, *row) for shape, row in zip(shapes, table.rows, strict=False)]
    more = len(table.rows) - len(rows)
    rest = html.note(f"and {plural(more, 'more bucket')}") if more else ""
    note = html.note(f"Sides are multiples of {plan.divisibility} pixels, as for {arch}.")
    page = html.table(("shape", *table.headers), rows, table.caption)
    return html.join([page, rest, note])


_SHOWN = 200
_ROWS = 8


class ProblemList:
    """Buttons to fix or leave out what is wrong, and a list for the keyboard."""

    def __init__(self, on_choice: Callable[[Problem], None]) -> None:
        """Call `on_choice` with the chosen problem."""
        self._on_choice = on_choice
        self._problems: Sequence[Problem] = ()
        self._is_filling = False
        self.fix, self.leave_out, self.look = buttons = [
            widgets.Button(layout=widgets.Layout(width="auto")) for _ in range(3)
        ]
        self.fix.button_style = "primary"
        self._verdict = widgets.HTML()
        self.choice = widgets.Select(
            description="Problems",
            style={"description_width": "fit-content"},
            layout=widgets.Layout(
                width="auto", max_width="60em", flex_flow="column", align_items="stretch"
            ),
        )
        self._remedy = widgets.HTML()
        row = widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap"))
        self.widget = widgets.VBox([self._verdict, row, self.choice, self._remedy])
        self.choice.observe(self._chosen, names="index")

    def show(self, problems: Sequence[Problem], broken: int) -> None:
        """Show problems; a choice that is still among them is kept.

        Args:
            problems: What is wrong with the images that are not left out.
            broken: Number of images that an error is about.
        """
        files = {problem.file for problem in problems if problem.code.fixed}
        _offer(self.fix, f"Fix {plural(len(files), 'file')}", bool(files))
        _offer(self.leave_out, f"Leave out {broken}", broken > 0)
        _offer(self.look, "Look at them", bool(problems))
        text = f"{plural(broken, 'image')} can't be used, and will be left out unless fixed."
        self._verdict.value = str(html.message(text, "error")) if broken else ""
        if problems == self._problems and self.choice.options:
            return
        before = self._problems[self.choice.index] if self.choice.index is not None else None
        self._problems = tuple(problems[:_SHOWN])
        self._is_filling = True
        try:
            labels = [_label(problem) for problem in self._problems]
            self.choice.options = [(label, number) for number, label in enumerate(labels)]
            self.choice.rows = max(2, min(_ROWS, len(labels)))
            stays = before in self._problems
            self.choice.index = self._problems.index(before) if stays and before else None
        finally:
            self._is_filling = False
        self.widget.layout.display = "" if problems else "none"
        more = len(problems) - len(self._problems)
        hint = "Choose one to see its image and what to do."
        self._remedy.value = str(html.note(f"and {more} more. {hint}" if more else hint))

    def _chosen(self, change: Mapping[str, Any]) -> None:
        if self._is_filling or change["new"] is None:
            return
        problem = self._problems[change["new"]]
        self._remedy.value = str(html.status([html.message(f"{problem}.", problem.status.kind)]))
        self._on_choice(problem)


def _offer(button: widgets.Button, label: str, is_offered: bool) -> None:
    button.description, button.layout.display = label, "" if is_offered else "none"


def _label(problem: Problem) -> str:
    text = f"{problem.status.sign} {problem.message}".replace("\n", " ")
    return text if len(text) <= 160 else f"{text[:160]}…"


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
