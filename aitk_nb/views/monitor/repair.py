"""`Repair`: marks a job as stopped, after asking whether that is meant."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.views.action import Action

__all__ = ["Repair"]

_QUESTION = (
    "Mark it as stopped? No signal is sent: a process that still lives goes on and holds the GPU. "
    "This is for a job whose process is gone."
)


class Repair:
    """A button that appears when it may help, and two more that it asks with."""

    def __init__(self, act: Callable[[], object], say: Callable[[str, _html.Kind], None]) -> None:
        """Run `act` once it is confirmed; tell by `say` how it ended."""
        self.ask = widgets.Button(description="Mark as stopped …", layout=_narrow())
        self.yes = Action("Yes, mark it", "Marking …", act, say, _done, _narrow())
        self.no = widgets.Button(description="Leave it", layout=_narrow())
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
        """Show the button, or take it and its question away."""
        self.widget.layout.display = "" if may_help else "none"
        if not may_help:
            self._show(asking=False)

    def _show(self, *, asking: bool) -> None:
        self._question.layout.display = "" if asking else "none"
        self.ask.layout.display = "none" if asking else ""


def _narrow() -> widgets.Layout:
    return widgets.Layout(width="auto", align_self="flex-start")


def _done(_result: object) -> str:
    return "It is marked as stopped."
