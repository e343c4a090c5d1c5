"""Jobs of a Gradio app: started once, followed in its queue, found again after a lost connection.

The server lists no jobs, and reports on one only to the connection that started it. So what was
started is noted here, and the rest is read from the job's folder.
"""

import logging
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

from filelock import Timeout

from aitk_nb.backends.gradio.app import TRAIN, raw_data
from aitk_nb.backends.gradio.followed_job import FollowedJob
from aitk_nb.backends.gradio.job_outputs import attached, is_folder
from aitk_nb.backends.gradio.job_states import JobStates
from aitk_nb.backends.gradio.journal import JobNote, Notes
from aitk_nb.backends.gradio.queue import CallState, Phase, QueuedCall, withdraw
from aitk_nb.backends.gradio.training_form import FilledForm, fill
from aitk_nb.errors import JobConflict, NotFound, NotSupported
from aitk_nb.models import JobDraft, JobState, JobStatus, check_name

_log = logging.getLogger(__name__)


_REMOVED: Final = "Removed from the queue."
_MOMENT: Final = 0.2
"""Seconds for a process that only looks whether a job is followed."""

_LETS_GO: Final = 20.0
"""Seconds for the process that follows a job to let go of it: the queue speaks every 15 s."""


def dataset_of(draft_or_note: JobDraft | JobNote) -> str:
    """Return the name of the dataset that a job trains on."""
    return str(draft_or_note.config["config"]["process"][0]["datasets"][0]["folder_path"])


class GradioJobs(JobStates):
    """The job half of the Gradio backend."""

    # -- made and started ---------------------------------------------------------------------

    def get_job(self, name: str, job_id: str | None = None) -> JobState:  # noqa: ARG002
        """Return the job as it stands now.

        The server's folder of a job is a name too: so a job is taken up that was started elsewhere.
        """
        if is_folder(name):
            return self._adopted(attached(name, self._app, self._route))
        return self._now(name)

    def create_job(self, draft: JobDraft) -> JobState:
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
                "A Gradio server has its own settings for datasets and ignores: %s.",
                "; ".join(wanted.ignored),
            )
        return self._now(note.name)

    def _check_free(self, note: JobNote, notes: Notes) -> None:
        if note.name in notes.jobs:
            raise JobConflict(note.name, ["it was already started from here"])
        for other in notes.jobs.values():
            if note.folder and other.folder == note.folder:
                raise JobConflict(
                    note.name, [f"the server would write it into the folder of {other.name!r}"]
                )

    def update_job(self, state: JobState, draft: JobDraft) -> JobState:
        """Give a job that does not run another config."""
        steps, name = self._checked(draft).steps, state.name
        with self._journal.change() as notes:
            note = notes.jobs.get(name) or self._note(name)
            note = replace(note, config=draft.config, gpu_ids=draft.gpu_ids, steps=steps)
            notes.jobs[name] = note
        return self._now(name)

    def _checked(self, draft: JobDraft) -> FilledForm:
        wanted = fill(draft, self._app.function(TRAIN))
        self._datasets.note(dataset_of(draft))
        return wanted

    def start_job(self, state: JobState) -> None:
        """Put the job into the server's queue after those before it, unless somebody has done so.

        Raises:
            AitkError: the server does not take it.
        """
        name = state.name
        self._form(self._note(name))
        lock = self._journal.watcher(name)
        try:
            lock.acquire(timeout=_MOMENT)
        except Timeout:
            return  # another kernel does it, or another handle in this one
        before = self._note(name)
        try:
            if before.started is not None and not before.outcome:
                lock.release()
                return
            self._keep(replace(before, asked=time.time(), started=None, outcome="", info=""))
            self._watching[name] = lock
            followed = self._calls[name] = FollowedJob(
                name,
                ahead=lambda: self._ahead(name),
                join=lambda again: self._join(name, again=again),
                was_dropped=lambda: self._was_dropped(name),
                is_unwanted=lambda: bool(self._note(name).outcome),
                at_end=lambda state, begun: self._ended(name, state, has_begun=begun),
            )
            followed.start()
        except BaseException:
            self._keep(before)
            self._calls.pop(name, None)
            self._watching.pop(name, None)
            lock.release()
            raise

    def _form(self, note: JobNote) -> FilledForm:
        draft = JobDraft(note.name, note.gpu_ids, note.config)
        return fill(draft, self._app.function(TRAIN))

    def _ahead(self, name: str) -> int:
        """Return how many jobs were started from this computer before, and have not ended."""
        notes = self._journal.read().jobs
        before = [
            other
            for other in notes.values()
            if (other.asked, other.name) < (notes[name].asked, name)
            and (other.asked or other.started is not None)
            and not other.outcome
        ]
        return sum(
            self._journal.is_watched(other.name)
            or (other.started is not None and self._now(other.name).status.is_active)
            for other in before
        )

    def _join(self, name: str, *, again: bool) -> QueuedCall | None:
        """Put the job into the server's queue; None if it was taken out of ours meanwhile."""
        now = self._note(name)
        wanted = self._form(now)
        dataset, app_id = dataset_of(now), self._app.app_id()
        # The same session serves again: another would have a copy of the dataset.
        session = now.session if again and now.app_id == app_id else ""
        session = session or self._datasets.session_for_training(dataset)
        training_folder = self._place(now, dataset)
        folder = f"{training_folder}/{wanted.slug}"
        old_lora, old_config = self._results.before(folder, wanted.slug)
        values = wanted.filled(training_folder if self._served else "")
        function = self._app.function(TRAIN)
        call = QueuedCall(self._app, function.name, raw_data(function, values), session)
        note = replace(
            now,
            folder=folder,
            started=time.time(),
            app_id=app_id,
            ended=self._app.ended(),
            old_lora=old_lora,
            old_config=old_config,
            session=session,
            event="",
            unqueued=None,
            info="",
        )
        with self._journal.change() as notes:
            if notes.jobs[name].outcome:
                return None
            notes.jobs[name] = note
        try:
            call.start()
        except BaseException:
            self._keep(now)
            raise
        self._amend(note, event=call.event)
        return call

    def _place(self, note: JobNote, dataset: str) -> str:
        """Return the folder to train in: that of an earlier start, if anything is left of it."""
        old = note.folder.rpartition("/")[0]
        if not self._served or (old and self._results.is_accepted(note)):
            return old
        return f"{self._datasets.root(dataset)}/aitk-{secrets.token_hex(6)}"

    def _was_dropped(self, name: str) -> bool | None:
        """Return whether a job never began whose connection was lost; None if that is not known."""
        state = self._judged(self._note(name))
        if state.status is JobStatus.UNKNOWN:
            return None if self._served else False
        return state.never_started

    def _ended(self, name: str, state: CallState, *, has_begun: bool) -> None:
        """Note how a call has ended; after a broken connection that is not known."""
        outcome = {Phase.DONE: JobStatus.COMPLETED, Phase.FAILED: JobStatus.ERROR}.get(state.phase)
        try:
            note = self._note(name)
            if outcome is not None:
                self._record(note, outcome, state.text)
            elif note.info == _REMOVED and has_begun:
                self._amend(note, outcome="", info="")
            elif note.info == _REMOVED and note.event:
                # Of one that has begun, this would give the GPU to the next one at once.
                withdraw(self._app, note.session, note.event)
            elif note.started is None and not note.outcome:
                self._amend(note, info=f"Not started. {state.text}")
        finally:
            if lock := self._watching.pop(name, None):
                lock.release()

    def _keep(self, note: JobNote) -> None:
        with self._journal.change() as notes:
            notes.jobs[note.name] = note

    def close(self) -> None:
        """Close connections; a training job goes on, and one that still waits is lost."""
        for followed in self._calls.values():
            followed.leave()
        self._http.close()

    # -- ended --------------------------------------------------------------------------------

    def stop_job(self, state: JobState) -> None:
        """Take a job out of the queue that waits in it, whichever process has started it.

        Raises:
            NotSupported: it trains already.
        """
        with suppress(NotFound):
            if self._taken_out(state.name):
                return
        raise NotSupported(
            "stop a job",
            "Gradio",
            "A job that has started trains to its end: canceling would only stop watching it, and "
            "the next job would train at the same time. To end it, restart the app on the server.",
        )

    def _taken_out(self, name: str) -> bool:
        """Return whether a job has left the queue before it began."""
        note, followed = self._note(name), self._calls.get(name)
        if self._now(name).status is not JobStatus.QUEUED:
            return False
        # Whoever follows it sees this with the queue's next message, within 15 s.
        note = self._record(note, JobStatus.STOPPED, _REMOVED)
        if not note.outcome:
            return self._taken_out(name)  # it was put into the server's queue just now
        if followed is not None:
            followed.cut()
        until = time.monotonic() + _LETS_GO
        while self._journal.is_watched(name) and time.monotonic() < until:
            time.sleep(0.1)
        note = self._note(name)
        if note.outcome and not (note.started is not None and self._results.is_accepted(note)):
            return True
        self._amend(note, outcome="", info="")
        return False

    def mark_stopped(self, state: JobState) -> None:
        """Note a job as stopped, whatever it does on the server."""
        self._record(self._note(state.name), JobStatus.STOPPED, "Marked as stopped from here.")

    def _adopted(self, note: JobNote) -> JobState:
        """Note a job that was started elsewhere, unless it is noted already, and return it."""
        with self._journal.change() as notes:
            for known in notes.jobs.values():
                if known.folder == note.folder:
                    note = known
                    break
            else:
                if note.name in notes.jobs:
                    raise JobConflict(note.name, ["another job of that name was started from here"])
                notes.jobs[note.name] = note
        return self._state(note)
