"""`ConfirmedAction`: a button whose action runs once a second one has confirmed it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb.views.action import Action


class ConfirmedAction:
    """A button that asks, and two more that answer; its parts are placed by their owner."""

    def __init__(
        self,
        label: str,
        question: str,
        answer: tuple[str, str],
        act: Callable[[], object],
        say: Callable[[str, html.Kind], None],
    ) -> None:
        """Ask `question` when `label` is pressed.

        Args:
            label: On the button that asks.
            question: What has to be known before.
            answer: On the button that confirms, and there while the action runs.
            act: Runs in a thread once it is confirmed.
            say: Tells why it failed.
        """
        narrow = widgets.Layout(width="auto", align_self="flex-start")
        self.ask = widgets.Button(description=label, layout=narrow)
        self.yes = Action(*answer, lambda: self._run(act), say, lambda _result: "")
        self.yes.button.button_style = "danger"
        self.no = widgets.Button(description="Cancel", layout=widgets.Layout(width="auto"))
        self.question = widgets.VBox(
            [
                widgets.HTML(str(html.message(question, "warning"))),
                widgets.HBox([self.yes.button, self.no]),
            ],
        )
        self.ask.on_click(lambda _button: self._show(asking=True))
        self.no.on_click(lambda _button: self._show(asking=False))
        self._show(asking=False)

    def offer(self, is_usable: bool) -> None:
        """Show the button, or remove it and its question."""
        self.ask.layout.display = "" if is_usable else "none"
        if not is_usable:
            self._show(asking=False)

    def _run(self, act: Callable[[], object]) -> object:
        try:
            return act()
        finally:
            self._show(asking=False)

    def _show(self, *, asking: bool) -> None:
        self.question.layout.display = "" if asking else "none"
        self.ask.disabled = asking
