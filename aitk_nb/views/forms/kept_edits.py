"""`KeptEdits`: says what a form took over from the one before it, and offers to drop that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from aitk_nb._display import html


class KeptEdits:
    """A line above a form whose cell has run again, with a button for each way on."""

    def __init__(
        self, edited: Sequence[str], changes: Sequence[str], drop: Callable[[], None]
    ) -> None:
        """Say which fields keep their edits, and what has changed of the form's start.

        Args:
            edited: The fields that were edited.
            changes: For each field that now starts with something else, what it was and is.
            drop: Sets all fields to their start.
        """
        said = [html.message(f"Your edits are kept: {', '.join(edited)}.")]
        if changes:
            said.append(html.message(f"The cell now starts with {'; '.join(changes)}.", "warning"))
        self._drop = drop
        keep = widgets.Button(description="Keep my edits")
        other = widgets.Button(description="Take the new start" if changes else "Drop my edits")
        text, buttons = widgets.HTML(html.status(said)), [keep, other] if changes else [other]
        row = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap=".3em 1em")
        self.widget = widgets.HBox([text, widgets.HBox(buttons)], layout=row)
        keep.on_click(self._on_keep)
        other.on_click(self._on_drop)

    def _on_keep(self, _button: object) -> None:
        self.widget.layout.display = "none"

    def _on_drop(self, button: object) -> None:
        self._drop()
        self._on_keep(button)
