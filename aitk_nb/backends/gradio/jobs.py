"""Jobs of a Gradio app: begun once, followed in its queue, and found again when the line was lost.

The server lists no jobs and reports on a training only to the line that began it. So what was
begun is noted here, and the rest is read from the job's folder.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import replace
from typing import Any, Final

from filelock import FileLock, Timeout

from aitk_nb.backends.gradio.app import TRAIN, GradioApp
from aitk_nb.backends.gradio.datasets import GradioDatasets
from aitk_nb.backends.gradio.job_outputs import Results
from aitk_nb.backends.gradio.journal import Journal
from aitk_nb.backends.gradio.journal_records import JobNote, Notes
from aitk_nb.backends.gradio.outcome import Outcomes, Verdict
from aitk_nb.backends.gradio.queue import CallState, Phase, QueuedCall, withdraw
from aitk_nb.backends.gradio.training_form import FilledForm, fill
from aitk_nb.errors import AitkError, ConnectionFailed, JobConflict, NotFound, NotSupported
from aitk_nb.models.job import JobDraft, JobState, JobStatus
from aitk_nb.models.names import check_name

__all__ = ["GradioJobs", "dataset_of"]

_log = logging.getLogger(__name__)

_STARTING: Final = 5.0
"""Seconds after its start within which a training may show nothing yet."""

_MAY_WAIT: Final = (
    "Its line was lost while it waited. Others wait there too, so that it cannot be told whether "
    "the server has dropped it; it is not started again until that is known."
)
_MAY_START: Final = (
    "Its line was lost while it waited. It waits no more, and whether it has begun is known in a "
    "few seconds."
)


def dataset_of(draft_or_note: JobDraft | JobNote) -> str:
    """Return the name of the dataset that a job trains on."""
    return str(draft_or_note.config["config"]["process"][0]["datasets"][0]["folder_path"])


class GradioJobs:
    """The job half of the Gradio backend."""

    def __init__(
        self,
        app: GradioApp,
        datasets: GradioDatasets,
        results: Results,
        journal: Journal,
        *,
        served: bool,
    ) -> None:
        """Write jobs below the folder that the server shows, if `served`."""
        self._app = app
        self._datasets = datasets
        self._results = results
        self._journal = journal
        self._served = served
        self._outcomes = Outcomes(app, results)
        self._calls: dict[str, QueuedCall] = {}
        self._watching: dict[str, FileLock] = {}

    # -- made and begun -----------------------------------------------------------------------

    def note(self, name: str) -> JobNote:
        """Return what is noted of a job.

        Raises:
            NotFound: none of that name was begun from here.
        """
        jobs = self._journal.read().jobs
        if name not in jobs:
            raise NotFound("job", name, list(jobs))
        return jobs[name]

    def create(self, draft: JobDraft) -> JobNote:
        """Note a job without starting it; everything is checked that can be."""
        check_name("job", draft.name)
        wanted = self._checked(draft)
        note = JobNote(
            draft.name,
            wanted.slug,
            "" if self._served else f"output/{wanted.slug}",
            draft.config,
            draft.gpu_ids,
            wanted.steps,
            created=time.time(),
        )
        with self._journal.change() as notes:
            self._check_free(note, notes)
            notes.jobs[draft.name] = note
        if wanted.ignored:
            _log.warning(
                "A Gradio server has settings of its own for datasets, and does not hear: %s.",
                "; ".join(wanted.ignored),
            )
        return note

    def _check_free(self, note: JobNote, notes: Notes) -> None:
        if note.name in notes.jobs:
            raise JobConflict(note.name, ["it was begun from here already"])
        for other in notes.jobs.values():
            if note.folder and other.folder == note.folder:
                raise JobConflict(
                    note.name, [f"the server would write it into the folder of {other.name!r}"]
                )

    def update(self, name: str, draft: JobDraft) -> JobNote:
        """Give a job that does not run another config."""
        wanted = self._checked(draft)
        with self._journal.change() as notes:
            note = replace(
                notes.jobs.get(name) or self.note(name),
                config=draft.config,
                gpu_ids=draft.gpu_ids,
                steps=wanted.steps,
            )
            notes.jobs[name] = note
        return note

    def _checked(self, draft: JobDraft) -> FilledForm:
        wanted = fill(draft, self._app.function(TRAIN))
        self._datasets.note(dataset_of(draft))
        return wanted

    def start(self, name: str) -> None:
        """Put the job into the server's queue, unless somebody has done so already.

        Raises:
            NotSupported: another training goes on that the queue has lost sight of.
        """
        note = self.note(name)
        wanted = fill(JobDraft(name, note.gpu_ids, note.config), self._app.function(TRAIN))
        lock = self._journal.watcher(name)
        try:
            lock.acquire()
        except Timeout:
            return  # another kernel does it, or another handle in this one
        try:
            begun = self._begin(note, wanted)
        except BaseException:
            lock.release()
            raise
        if not begun:
            lock.release()
            return
        self._watching[name] = lock

    def _begin(self, note: JobNote, wanted: FilledForm) -> bool:
        now = self.note(note.name)
        if now.started is not None and not now.outcome:
            return False
        self._check_alone(note.name)
        dataset = dataset_of(note)
        session = self._datasets.session_for_training(dataset)
        training_folder = self._place(now, dataset)
        folder = f"{training_folder}/{wanted.slug}"
        old_lora, old_config = self._results.before(folder, wanted.slug)
        note = replace(
            now,
            folder=folder,
            started=time.time(),
            app_id=self._app.app_id(),
            ended=self._app.ended(),
            old_lora=old_lora,
            old_config=old_config,
            session=session,
            event="",
            unqueued=None,
            outcome="",
            info="",
        )
        call = self._call(note, wanted, session, training_folder if self._served else "")
        self._keep(note)
        try:
            call.start()
        except BaseException:
            self._keep(now)
            raise
        self._calls[note.name] = call
        with self._journal.change() as notes:
            # It may have ended meanwhile.
            notes.jobs[note.name] = replace(notes.jobs[note.name], event=call.event)
        return True

    def _place(self, note: JobNote, dataset: str) -> str:
        """Return the folder to train in: that of an earlier start, if anything is left of it."""
        old = note.folder.rpartition("/")[0]
        if not self._served or (old and self._results.is_accepted(note)):
            return old
        return f"{self._datasets.root(dataset)}/aitk-{secrets.token_hex(6)}"

    def _call(self, note: JobNote, wanted: FilledForm, session: str, folder: str) -> QueuedCall:
        function = self._app.function(TRAIN)
        data = function.data(wanted.filled(folder))
        return QueuedCall(
            self._app,
            function.api_name,
            data,
            session,
            at_end=lambda state: self._ended(note, state),
        )

    def _ended(self, note: JobNote, state: CallState) -> None:
        """Note how a call has ended; after a broken line that is not known."""
        outcome = {Phase.DONE: JobStatus.COMPLETED, Phase.FAILED: JobStatus.ERROR}.get(state.phase)
        try:
            if outcome is not None:
                self._record(note, outcome, state.text)
        finally:
            if lock := self._watching.pop(note.name, None):
                lock.release()

    def _record(self, note: JobNote, outcome: JobStatus, info: str) -> JobNote:
        return self._amend(note, outcome=outcome.value, info=info)

    def _keep(self, note: JobNote) -> None:
        with self._journal.change() as notes:
            notes.jobs[note.name] = note

    def _check_alone(self, name: str) -> None:
        """Refuse to train beside a training that the server's queue does not know of any more.

        The queue forgets a call when its line is lost, and the training goes on all the same.
        """
        for other in self._journal.read().jobs.values():
            if other.name == name or other.started is None or other.outcome:
                continue
            if self._is_followed(other.name):
                continue  # it waits or runs in the queue, which keeps the order
            if self.state(other.name).status is JobStatus.RUNNING:
                raise NotSupported(
                    "queue a training behind one whose line was lost",
                    "Gradio",
                    f"{other.name!r} still trains there, and this one would train beside it. Wait "
                    f"for it by client.jobs.get({other.name!r}).watch(); to train beside it all "
                    f"the same, call client.jobs.get({other.name!r}).repair(confirmed=True) first.",
                )

    def _is_followed(self, name: str) -> bool:
        call = self._calls.get(name)
        if call is not None and not call.state.phase.is_over:
            return True
        return self._journal.is_watched(name)

    # -- as it stands -------------------------------------------------------------------------

    def states(self) -> tuple[JobState, ...]:
        """Return the jobs that were made from here, newest first."""
        notes = sorted(self._journal.read().jobs.values(), key=lambda note: -note.created)
        return tuple(
            self._state(note) for note in notes if not (note.outcome and self._is_gone(note))
        )

    def state(self, name: str) -> JobState:
        """Return the job as it stands now; whose line was lost is judged by what can be seen.

        Raises:
            NotFound: none of that name was begun from here, or the server has lost it.
        """
        note = self.note(name)
        if note.outcome and self._is_gone(note):
            self._forget(note)
            raise NotFound("job", name, list(self._journal.read().jobs))
        return self._state(note)

    def _is_gone(self, note: JobNote) -> bool:
        """Return whether another server process answers, and nothing is left of the job."""
        if not self._served or self._results.is_accepted(note):
            return False
        return self._app.app_id() != note.app_id

    def _forget(self, note: JobNote) -> None:
        with self._journal.change() as notes:
            if notes.jobs.get(note.name) == note:
                del notes.jobs[note.name]

    def _state(self, note: JobNote) -> JobState:
        if note.started is None:
            return _state(note, JobStatus.STOPPED, 0, "It was not started yet.")
        if note.outcome:
            return self._final(note)
        call = self._calls.get(note.name)
        if call is not None and not call.state.phase.is_over:
            return self._followed(note, call.state)
        if call is None and self._journal.is_watched(note.name):
            return self._followed(note, None)
        if call is not None:
            call.wait(5.0)  # its end is being noted
            if (now := self.note(note.name)).outcome:
                return self._final(now)
        return self._judged(note)

    def _final(self, note: JobNote) -> JobState:
        status = JobStatus(note.outcome)
        step = note.steps if status is JobStatus.COMPLETED else self._step(note)
        return _state(note, status, step, note.info)

    def _step(self, note: JobNote) -> int:
        try:
            return self._results.step(note)
        except AitkError:
            return 0

    def _followed(self, note: JobNote, call: CallState | None) -> JobState:
        """Return a job that this process, or another one (no `call`), follows in the queue."""
        waits = call.phase is Phase.WAITING if call else not self._results.is_accepted(note)
        if waits:
            rank = call.rank if call else 0
            words = f"waits, {rank} before it" if rank else "waits for its turn"
            return _state(note, JobStatus.QUEUED, 0, words, place=rank)
        step = self._results.step(note)
        words = "Training" if step else "Loading the model"
        return _state(note, JobStatus.RUNNING, step, words)

    def _judged(self, note: JobNote) -> JobState:
        verdict, why, seen, step = self._outcomes.verdict(note)
        if not seen.answers:
            raise ConnectionFailed(self._app.http.url, f"{verdict.value} how {note.name} stands")
        if verdict is Verdict.FINISHED:
            note = self._record(note, JobStatus.COMPLETED, why)
            return _state(note, JobStatus.COMPLETED, note.steps, why, word=verdict.value)
        if verdict is Verdict.RESTARTED:
            note = self._record(note, JobStatus.STOPPED, why)
            return _state(note, JobStatus.STOPPED, step, why, word=verdict.value)
        if verdict is Verdict.TRAINING:
            return _state(note, JobStatus.RUNNING, step, f"Training. {why}", word=verdict.value)
        visible = self._served and seen.answers and seen.same_server
        if visible and not seen.accepted and time.time() - (note.started or 0) > _STARTING:
            return self._withdrawn(note)
        return _state(note, JobStatus.UNKNOWN, step, why, word=verdict.value)

    def _withdrawn(self, note: JobNote) -> JobState:
        """Take a job out of the queue whose line was lost while it waited.

        The server drops such a job by itself, mostly. That it has not begun is known only when it
        waits no more, and has not written its config within the time that a start takes.
        """
        if note.unqueued is None:
            if not withdraw(
                self._app, self._app.function(TRAIN).api_name, note.session, note.event
            ):
                return _state(note, JobStatus.UNKNOWN, 0, _MAY_WAIT, word=Verdict.UNKNOWN.value)
            note = self._amend(note, unqueued=time.time())
        waited = time.time() - (note.unqueued or 0.0)
        if self._results.is_accepted(note):
            return _state(note, JobStatus.RUNNING, 0, "Loading the model")
        if waited < _STARTING:
            return _state(note, JobStatus.UNKNOWN, 0, _MAY_START, word=Verdict.UNKNOWN.value)
        note = self._amend(note, started=None, event="", unqueued=None)
        return _state(note, JobStatus.STOPPED, 0, "Its line was lost before it had begun.")

    def _amend(self, note: JobNote, **fields: Any) -> JobNote:
        """Note more of a start, unless another kernel has started the job again meanwhile."""
        with self._journal.change() as notes:
            now = notes.jobs.get(note.name, note)
            if now.started == note.started:
                now = notes.jobs[note.name] = replace(now, **fields)
        return now

    def verdict(self, name: str) -> tuple[Verdict, str]:
        """Return what holds of a job whose line was lost, and what that is known from.

        It is told within 5 s, and never raises for a server that does not answer.
        """
        return self._outcomes.verdict(self.note(name))[:2]

    # -- ended --------------------------------------------------------------------------------

    def stop(self, name: str) -> None:
        """Take a job out of the queue that waits in it.

        Raises:
            NotSupported: it trains already.
        """
        call = self._calls.get(name)
        if call is not None and call.cancel():
            self._record(self.note(name), JobStatus.STOPPED, "It was taken out of the queue.")
            return
        raise NotSupported(
            "stop a job",
            "Gradio",
            "What has begun there trains to its end, and cancelling would only stop the watching, "
            "while the next start would train beside it; Gradio 4 trains what waits, too. To end "
            "it, restart the app on the server.",
        )

    def mark_stopped(self, name: str) -> None:
        """Note a job as stopped, whatever it does."""
        self._record(self.note(name), JobStatus.STOPPED, "It was marked as stopped from here.")

    def adopt(self, note: JobNote) -> JobState:
        """Note a job that was begun elsewhere, unless it is noted already, and return it."""
        with self._journal.change() as notes:
            for known in notes.jobs.values():
                if known.folder == note.folder:
                    note = known
                    break
            else:
                if note.name in notes.jobs:
                    raise JobConflict(note.name, ["another job of that name was begun from here"])
                notes.jobs[note.name] = note
        return self._state(note)


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
        never_started=note.started is None,
        config=note.config,
    )
