"""`Action`: a button that runs what it is given in a thread, and hides no failure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import ipywidgets as widgets

from aitk_nb._display.html import Kind
from aitk_nb.errors import AitkError

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
