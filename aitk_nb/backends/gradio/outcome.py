"""`Outcomes`: how a training job stands that nobody of us follows in the queue.

Why it is so: docs/behavior.md#gradio
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aitk_nb.backends.gradio.app import GradioApp
from aitk_nb.backends.gradio.job_outputs import Look, Results
from aitk_nb.backends.gradio.journal import JobNote
from aitk_nb.errors import ConnectionFailed

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


class Verdict(enum.Enum):
    """What holds of a training job that nobody reports on."""

    FINISHED = "finished"
    TRAINING = "still training"
    RESTARTED = "server restarted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of the server and of the job's folder."""

    answers: bool = True
    """Whether the server answers at all."""
    same_server: bool = True
    """Whether it is the process that the training was given to."""
    accepted: bool = False
    """Whether the job's `config.yaml` is there: the trainer has started."""
    has_lora: bool = False
    """Whether the final LoRA is there, and not from an earlier training."""
    folded: bool = False
    """Whether the loss log was closed in order."""
    has_log: bool = False
    """Whether there is a loss log at all."""
    ended: int | None = None
    """Training jobs of anybody that have ended since; None where the server does not say."""
    moved: bool = False
    """Whether the loss log has grown between two looks, or a moment ago."""


def judge(seen: Evidence) -> tuple[Verdict, str]:
    """Return what holds, and what that is known from."""
    if not seen.answers:
        return Verdict.UNKNOWN, (
            "The server does not answer: it, or the network, is down. The job may still be running."
        )
    if seen.has_lora and (seen.folded or not seen.has_log):
        return Verdict.FINISHED, "The LoRA is there, and the loss log is closed."
    if not seen.same_server:
        return Verdict.RESTARTED, (
            "The server was restarted, which ended the job before its LoRA was written. Start it "
            "with if_exists='resume' to continue from its last checkpoint."
        )
    if seen.moved:
        return Verdict.TRAINING, "The connection was lost; the server keeps training."
    if seen.ended == 0 and seen.accepted:
        return Verdict.TRAINING, (
            "The connection was lost; the server started this job and has finished none since."
        )
    if not seen.accepted:
        return Verdict.UNKNOWN, "The server shows no trace of the job."
    return Verdict.UNKNOWN, (
        "The connection was lost, the loss log has stopped growing, and there is no LoRA: the job "
        "may have failed, or a step may take long."
    )
