"""`StartButton`: starts a form's job once, by a press or for the cell that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aitk_nb._display.html import Kind
from aitk_nb.errors import BadInput
from aitk_nb.training.params import TrainingParams
from aitk_nb.views.action import Action


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
