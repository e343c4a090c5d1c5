"""How the jobs of a Gradio app stand: by the queue, by their folders, or by what was noted."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from filelock import FileLock

from aitk_nb.backends.gradio.app import TEXTS, GradioApp
from aitk_nb.backends.gradio.datasets import GradioDatasets
from aitk_nb.backends.gradio.files import FileRoute
from aitk_nb.backends.gradio.followed_job import FollowedJob
from aitk_nb.backends.gradio.job_outputs import Outcomes, Results, Verdict
from aitk_nb.backends.gradio.journal import JobNote, Journal
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.gradio.queue import CallState, Phase, withdraw
from aitk_nb.errors import AitkError, ConnectionFailed, NotFound, Unauthorized
from aitk_nb.models.job import JobState, JobStatus

Place = Literal["served", "server"]
"""Where jobs are written: below the folder that the server shows, or where the server does."""

_STARTING: Final = 5.0
"""Seconds after its start within which a training job may show nothing yet."""

_SAID: Final = TEXTS["states"]


class JobStates:
    """Tells how jobs stand that were started from this computer."""

    def __init__(
        self,
        http: GradioHttp,
        *,
        api_names: Mapping[str, str] | None = None,
        results: Place = "served",
        journal: Journal | None = None,
    ) -> None:
        """Use `api_names`, by operation, for a fork; nothing is sent before the first call."""
        self._http = http
        self._app = GradioApp(http, api_names)
        self._route = FileRoute(self._app)
        self._results = Results(self._route)
        self._journal = journal or Journal(http.url)
        self._served = results == "served"
        self._outcomes = Outcomes(self._app, self._results)
        self._datasets = GradioDatasets(self._app, self._route, self._journal)
        self._calls: dict[str, FollowedJob] = {}
        self._watching: dict[str, FileLock] = {}

    def _note(self, name: str) -> JobNote:
        """Return what is noted of a job.

        Raises:
            NotFound: none of that name was started from here.
        """
        jobs = self._journal.read().jobs
        if name not in jobs:
            raise NotFound("job", name, list(jobs))
        return jobs[name]

    def list_jobs(self) -> tuple[JobState, ...]:
        """Return the jobs that were started from here, newest first."""
        self._app.log_in()
        notes = sorted(self._journal.read().jobs.values(), key=lambda note: -note.created)
        return tuple(
            self._state(note) for note in notes if not (note.outcome and self._is_gone(note))
        )

    all_jobs = list_jobs  # all of them train

    def _now(self, name: str) -> JobState:
        """Return the job as it stands now; whose connection was lost is judged by what can be seen.

        Raises:
            NotFound: none of that name was started from here, or the server has lost it.
        """
        note = self._note(name)
        if note.outcome and self._is_gone(note):
            with self._journal.change() as notes:
                if notes.jobs.get(name) == note:
                    del notes.jobs[name]
            raise NotFound("job", name, list(self._journal.read().jobs))
        return self._state(note)

    def _is_gone(self, note: JobNote) -> bool:
        """Return whether another server process answers, and nothing is left of the job."""
        if not self._served or not note.app_id or self._results.is_accepted(note):
            return False
        return self._app.app_id() != note.app_id

    def _state(self, note: JobNote) -> JobState:
        if note.outcome:
            return self._final(note)
        call = self._calls.get(note.name)
        if call is not None and not call.state.phase.is_over:
            return self._followed(note, call.state)
        if call is None and self._journal.is_watched(note.name):
            return self._followed(note, None)
        if call is not None:
            call.wait(5.0)  # its end is being noted
            note = self._note(note.name)
            if note.outcome:
                return self._final(note)
        if note.started is None:
            return _state(note, JobStatus.STOPPED, 0, note.info or "Not started yet.")
        return self._judged(note)

    def _final(self, note: JobNote) -> JobState:
        status = JobStatus(note.outcome)
        step = note.steps if status is JobStatus.COMPLETED else self._step(note)
        return _state(note, status, step, note.info)

    def _step(self, note: JobNote) -> int:
        try:
            return self._results.step(note)
        except Unauthorized:
            raise
        except AitkError:
            return 0

    def _followed(self, note: JobNote, call: CallState | None) -> JobState:
        """Return a job that this process, or another one (no `call`), follows in the queue."""
        accepted = note.started is not None and self._results.is_accepted(note)
        if call is None and note.started is not None and not accepted and not self._served:
            return _unknown(note, "hidden")
        if call.phase is Phase.WAITING if call else not accepted:
            rank = call.rank if call else 0
            words = f"waiting, {rank} before it" if rank else "waiting in the queue"
            lost = f"{call.text} It will be queued again. " if call and call.text else ""
            words = f"{lost}{words}; it is lost if the process that started it ends first"
            return _state(note, JobStatus.QUEUED, 0, words, place=rank)
        step = self._results.step(note)
        loads = not step and (accepted or self._served)
        return _state(note, JobStatus.RUNNING, step, "Loading the model" if loads else "Training")

    def _judged(self, note: JobNote) -> JobState:
        verdict, why, seen = self._outcomes.verdict(note)
        step = seen.step
        if not seen.answers:
            raise ConnectionFailed(self._app.http.url, f"the state of {note.name} is unknown")
        if verdict is Verdict.FINISHED:
            note = self._record(note, JobStatus.COMPLETED, why)
            return _state(note, JobStatus.COMPLETED, note.steps, why, word=verdict.value)
        if verdict is Verdict.RESTARTED and not seen.accepted and self._served:
            return self._never_began(note, _SAID["not_begun"])
        if verdict is Verdict.RESTARTED:
            why = why if seen.accepted else f"The server was restarted. {_SAID['hidden']}"
            note = self._record(note, JobStatus.STOPPED, why)
            return _state(note, JobStatus.STOPPED, step, why, word=verdict.value)
        if verdict is Verdict.TRAINING:
            return _state(note, JobStatus.RUNNING, step, f"Training. {why}", word=verdict.value)
        visible = self._served and seen.answers and seen.same_server
        if visible and not seen.accepted and time.time() - (note.started or 0) > _STARTING:
            return self._withdrawn(note)
        why = (
            why if seen.accepted or self._served else f"The connection was lost. {_SAID['hidden']}"
        )
        return _state(note, JobStatus.UNKNOWN, step, why, word=verdict.value)

    def _withdrawn(self, note: JobNote) -> JobState:
        """Take a job out of the queue whose connection was lost while it waited.

        The server drops such a job by itself, mostly. That it has not started is known only when it
        waits no more, and has not written its config within the time that a start takes.
        """
        if note.unqueued is None:
            if not withdraw(self._app, note.session, note.event):
                return _unknown(note, "may_wait")
            note = self._amend(note, unqueued=time.time())
        waited = time.time() - (note.unqueued or 0.0)
        if self._results.is_accepted(note):
            return _state(note, JobStatus.RUNNING, 0, "Loading the model")
        if waited < _STARTING:
            return _unknown(note, "may_start")
        return self._never_began(note, "The connection was lost before it had started.")

    def _never_began(self, note: JobNote, why: str) -> JobState:
        note = self._amend(note, started=None, event="", unqueued=None, info=why)
        return _state(note, JobStatus.STOPPED, 0, why)

    def _record(self, note: JobNote, outcome: JobStatus, info: str) -> JobNote:
        return self._amend(note, outcome=outcome.value, info=info)

    def _amend(self, note: JobNote, **fields: Any) -> JobNote:
        """Note more of a start, unless another kernel has started the job again meanwhile."""
        with self._journal.change() as notes:
            now = notes.jobs.get(note.name, note)
            if now.started == note.started:
                now = notes.jobs[note.name] = replace(now, **fields)
        return now


def _state(
    note: JobNote, status: JobStatus, step: int, info: str, *, place: int = 0, word: str = ""
) -> JobState:
    return JobState(
        name=note.name,
        status=status,
        step=step,
        total_steps=note.steps or None,
        info=info,
        gpu_ids=note.gpu_ids,
        raw_status=word or status.value,
        id=note.folder or None,
        queue_rank=place,
        never_started=note.started is None and status is JobStatus.STOPPED,
        created=note.created or None,
        config=note.config,
    )


def _unknown(note: JobNote, why: str) -> JobState:
    return _state(note, JobStatus.UNKNOWN, 0, _SAID[why], word=Verdict.UNKNOWN.value)
