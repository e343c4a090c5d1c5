"""`Outcomes`: how a training job stands that nobody of us follows in the queue.

Why it is so: docs/behavior.md#gradio
"""

from __future__ import annotations

import enum
import time
from dataclasses import replace
from typing import Final

from aitk_nb.backends.gradio.app import TEXTS, GradioApp
from aitk_nb.backends.gradio.job_outputs import Evidence, Results
from aitk_nb.backends.gradio.journal import JobNote
from aitk_nb.errors import ConnectionFailed

_LOOKS: Final = 2.0
"""Seconds between the first and the last look for something that moves."""

_MOVING: Final = 60.0
"""Seconds for which a log that has grown before our eyes counts as moving."""


class Outcomes:
    """Judges jobs by what the server still shows of them, within 5 s."""

    def __init__(self, app: GradioApp, results: Results) -> None:
        self._app = app
        self._results = results
        self._steps: dict[str, int] = {}
        self._moved: dict[str, float] = {}

    def verdict(self, note: JobNote) -> tuple[Verdict, str, Evidence]:
        """Return what holds of a job, why, and what was seen."""
        try:
            seen = self._look(note)
            until = time.monotonic() + _LOOKS
            # Looked at again for a short while, until something has changed.
            while judge(seen)[0] is Verdict.UNKNOWN and seen.accepted and seen.same_server:
                if time.monotonic() >= until:
                    break
                time.sleep(0.4)
                seen = self._look(note)
        except ConnectionFailed:
            seen = Evidence(answers=False, step=self._steps.get(note.name, 0))
        return *judge(seen), seen

    def _look(self, note: JobNote) -> Evidence:
        app_id, seen = self._app.app_id(), self._results.look(note)
        ended, now = self._app.ended(), time.monotonic()
        if self._steps.get(note.name, seen.step) != seen.step:
            self._moved[note.name] = now
        self._steps[note.name] = seen.step
        return replace(
            seen,
            same_server=app_id == note.app_id,
            ended=None if ended is None or note.ended is None else max(0, ended - note.ended),
            moved=now - self._moved.get(note.name, -_MOVING) < _MOVING and not seen.folded,
        )


class Verdict(enum.Enum):
    """What holds of a training job that nobody reports on."""

    FINISHED = "finished"
    TRAINING = "still training"
    RESTARTED = "server restarted"
    UNKNOWN = "unknown"


def judge(seen: Evidence) -> tuple[Verdict, str]:
    """Return what holds, and what that is known from."""
    rules = (
        (not seen.answers, Verdict.UNKNOWN, "silent"),
        (seen.has_lora and (seen.folded or not seen.has_log), Verdict.FINISHED, "finished"),
        (not seen.same_server, Verdict.RESTARTED, "restarted"),
        (seen.moved, Verdict.TRAINING, "moves"),
        (seen.ended == 0 and seen.accepted, Verdict.TRAINING, "none_ended"),
        (not seen.accepted, Verdict.UNKNOWN, "nothing"),
        (True, Verdict.UNKNOWN, "still"),
    )
    return next((verdict, TEXTS["seen"][why]) for holds, verdict, why in rules if holds)
