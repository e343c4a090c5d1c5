"""`Repair`: marks a job as stopped, after asking for confirmation."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.views.action import Action

_QUESTION = (
    "Mark it as stopped? Only do this for a job whose process is gone: no signal is sent, so a "
    "process that still exists goes on and holds the GPU."
)


class Repair:
    """A button that appears when it may help, and two more that confirm."""

    def __init__(self, act: Callable[[], object], say: Callable[[str, _html.Kind], None]) -> None:
        """Run `act` once it is confirmed; report the result with `say`."""
        narrow = widgets.Layout(width="auto", align_self="flex-start")
        self.ask = widgets.Button(description="Mark as stopped …", layout=narrow)
        self.yes = Action(
            "Yes, mark it", "Marking …", act, say, lambda _result: "Marked as stopped."
        )
        self.no = widgets.Button(description="Cancel", layout=narrow)
        self._question = widgets.VBox(
            [
                widgets.HTML(str(_html.message(_QUESTION, "warning"))),
                widgets.HBox([self.yes.button, self.no]),
            ],
            layout=widgets.Layout(display="none"),
        )
        self.ask.on_click(lambda _button: self._show(asking=True))
        self.no.on_click(lambda _button: self._show(asking=False))
        self.yes.button.on_click(lambda _button: self._show(asking=False))
        self.widget = widgets.VBox([self.ask, self._question])
        self.offer(False)

    def offer(self, may_help: bool) -> None:
        """Show the button, or remove it and its question."""
        self.widget.layout.display = "" if may_help else "none"
        if not may_help:
            self._show(asking=False)

    def _show(self, *, asking: bool) -> None:
        self._question.layout.display = "" if asking else "none"
        self.ask.layout.display = "none" if asking else ""
