"""`BucketPreview`: the sizes that the trainer gives the images, shown when the tab is open."""

from __future__ import annotations

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._units import plural
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
    shapes = [html.proportions(bucket.width, bucket.height) for bucket in plan.buckets[:_ROWS]]
    rows = [(shape, *row) for shape, row in zip(shapes, table.rows, strict=False)]
    more = len(table.rows) - len(rows)
    rest = html.note(f"and {plural(more, 'more bucket')}") if more else ""
    note = html.note(f"Sides are multiples of {plan.divisibility} pixels, as for {arch}.")
    page = html.table(("shape", *table.headers), rows, table.caption)
    return html.join([page, rest, note])
