"""`BucketPreview`: the sizes that the trainer gives the images, drawn when the tab is open."""

from __future__ import annotations

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.datasets.local.buckets import BucketPlan
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.requirements import resolutions
from aitk_nb.errors import BadInput
from aitk_nb.training import presets

_ROWS = 24


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
        self._picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        inputs = widgets.HBox(
            [self.resolution, self.batch_size], layout=widgets.Layout(flex_flow="row wrap")
        )
        self.widget = widgets.VBox([inputs, self._picture, self._table])
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
        """Open or close the preview; a closed one keeps no image."""
        self._is_open = is_open
        self._draw()

    def _draw(self) -> None:
        if not self._is_open or self._dataset is None:
            self._table.value, self._picture.value = "", b""
            return
        try:
            plan = self._dataset.buckets(
                resolutions(self.resolution.value), batch_size=int(self.batch_size.value)
            )
            if not plan.buckets:
                raise BadInput("There is no image for a bucket.")
        except BadInput as exc:
            self._table.value, self._picture.value = str(_html.message(str(exc), "error")), b""
            self._picture.layout.display = "none"
        else:
            self._show(plan)

    def _show(self, plan: BucketPlan) -> None:
        from aitk_nb.views.plots.bucket_plot import plot_buckets

        figure = plot_buckets(plan)
        self._picture.value, self._picture.layout.display = figure.png(), ""
        self._picture.width = str(round(figure.figure.get_size_inches()[0] * 90))
        table = plan.table()
        rows = table.rows[:_ROWS]
        more = len(table.rows) - len(rows)
        rest = _html.note(f"and {more} more") if more else ""
        sides = plan.divisibility
        arch = (self._dataset and self._dataset.requirements.arch) or presets.DEFAULT_ARCH
        note = _html.note(f"Sides are multiples of {sides} pixels, as for {arch}.")
        page = _html.table(table.headers, rows, table.caption)
        self._table.value = str(_html.join([page, rest, note]))
