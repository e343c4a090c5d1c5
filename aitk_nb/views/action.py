"""Buttons: `Action` runs something in a thread, `ConfirmedAction` once it is confirmed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._display.html import Kind
from aitk_nb.errors import AitkError, BadInput
from aitk_nb.training.params import TrainingParams

_log = logging.getLogger(__name__)


class Action:
    """A button for one action; while that runs, the button cannot be pressed again."""

    def __init__(
        self,
        label: str,
        busy: str,
        action: Callable[[], object],
        say: Callable[[str, Kind], None],
        done: Callable[[object], str] = str,
        layout: widgets.Layout | None = None,
    ) -> None:
        """Show `label`, and `busy` while the action runs; tell by `say` how it ended."""
        layout = layout or widgets.Layout(width="auto", align_self="flex-start")
        self.button = widgets.Button(description=label, layout=layout)
        self.failed = False
        """True when the last run ended by an error."""
        self.runs = 0
        """How often the action has run to its end."""
        self._label = label
        self._busy = busy
        self._action = action
        self._say = say
        self._done = done
        self._thread: threading.Thread | None = None
        self.button.on_click(lambda _button: self.press())

    @property
    def is_running(self) -> bool:
        """True while the action runs."""
        return self._thread is not None and self._thread.is_alive()

    def press(self) -> None:
        """Start the action, unless it runs already."""
        if self.is_running:
            return
        self.button.disabled, self.button.description = True, self._busy
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> None:
        """Return when the action has ended, or after `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            result = self._action()
        except AitkError as exc:
            self._fail(str(exc))
        except Exception as exc:  # noqa: BLE001 - whatever somebody's own action raises has to be seen
            _log.exception("the action %r failed", self._label)
            self._fail(f"{type(exc).__name__}: {exc}")
        else:
            self.failed = False
            if text := self._done(result):
                # The action ran; whether its answer is good news only the answer says.
                self._say(text, "info")
        finally:
            self.button.disabled, self.button.description = False, self._label
            self.runs += 1

    def _fail(self, text: str) -> None:
        self.failed = True
        self._say(text, "error")


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


class StartButton(Action):
    """The button, and what it has started."""

    def __init__(
        self,
        on_start: Callable[[TrainingParams], object],
        read: Callable[[], TrainingParams],
        say: Callable[[str, Kind], None],
    ) -> None:
        """Start what `read` returns by `on_start`; tell by `say` how it ended."""
        super().__init__("Start training", "Starting …", self._start, say, _in_words)
        self.button.button_style = "primary"
        self.started: TrainingParams | None = None
        """What was started last, by this form or by the one that its cell made before."""
        self._on_start = on_start
        self._read = read
        self._job: Any = None

    @property
    def is_done(self) -> bool:
        """True while the form holds what was started."""
        try:
            return self.started is not None and self.started == self._read()
        except BadInput:
            return False

    def job(self) -> Any:
        """Return the job of what the form holds; start it if that was not done."""
        return self._job if self._job is not None and self.is_done else self._start()

    def _start(self) -> Any:
        params = self._read()
        job = self._on_start(params)
        self._job, self.started = job, params
        return job


def _in_words(job: object) -> str:
    return f"Started: {job!r}. The next cells follow it."
