"""`Outcomes`: how a training stands that nobody of us follows in the queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from aitk_nb.backends.gradio.app import GradioApp
from aitk_nb.backends.gradio.job_outputs import Look, Results
from aitk_nb.backends.gradio.journal_records import JobNote
from aitk_nb.backends.gradio_verdict import Evidence, Verdict, judge
from aitk_nb.errors import ConnectionFailed

__all__ = ["Outcomes"]

_LOOKS: Final = 2.0
"""Seconds between the first and the last look for something that moves."""

_MOVING: Final = 60.0
"""Seconds for which a log that has grown before our eyes counts as moving."""


class Outcomes:
    """Judges jobs by what the server still shows of them, within 5 s."""

    def __init__(
        self,
        app: GradioApp,
        results: Results,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._results = results
        self._sleep = sleep
        self._clock = clock
        self._steps: dict[str, int] = {}
        self._moved: dict[str, float] = {}

    def verdict(self, note: JobNote) -> tuple[Verdict, str, Evidence, int]:
        """Return what holds of a job, why, what was seen, and the completed steps."""
        try:
            app_id = self._app.app_id()
            look = self._results.look(note)
            seen = self._evidence(note, look, app_id, self._app.ended())
            if judge(seen)[0] is Verdict.UNKNOWN and look.accepted and seen.same_server:
                look, seen = self._wait(note, look, app_id)
        except ConnectionFailed:
            seen = Evidence(answers=False)
            return *judge(seen), seen, self._steps.get(note.name, 0)
        return *judge(seen), seen, look.step

    def _wait(self, note: JobNote, look: Look, app_id: str) -> tuple[Look, Evidence]:
        """Look again for a short while, until something has changed."""
        until = self._clock() + _LOOKS
        while True:
            self._sleep(0.4)
            look = self._results.look(note)
            seen = self._evidence(note, look, app_id, self._app.ended())
            if judge(seen)[0] is not Verdict.UNKNOWN or self._clock() >= until:
                return look, seen

    def _evidence(self, note: JobNote, look: Look, app_id: str, ended: int | None) -> Evidence:
        now = self._clock()
        if note.name in self._steps and self._steps[note.name] != look.step:
            self._moved[note.name] = now
        self._steps[note.name] = look.step
        return Evidence(
            same_server=app_id == note.app_id,
            accepted=look.accepted,
            has_lora=look.lora is not None,
            folded=look.folded,
            has_log=look.has_log,
            ended=None if ended is None or note.ended is None else max(0, ended - note.ended),
            moved=now - self._moved.get(note.name, -_MOVING) < _MOVING and not look.folded,
        )
