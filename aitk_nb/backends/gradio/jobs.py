"""Jobs of a Gradio app: started once, followed in its queue, found again after a lost connection.

The server lists no jobs, and reports on one only to the connection that started it. So what was
started is noted here, and the rest is read from the job's folder.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import replace

from filelock import FileLock, Timeout

from aitk_nb.backends.gradio.app import TRAIN, GradioApp
from aitk_nb.backends.gradio.datasets import GradioDatasets
from aitk_nb.backends.gradio.job_outputs import Results
from aitk_nb.backends.gradio.job_states import JobStates
from aitk_nb.backends.gradio.journal import JobNote, Journal, Notes
from aitk_nb.backends.gradio.queue import CallState, Phase, QueuedCall
from aitk_nb.backends.gradio.training_form import FilledForm, fill
from aitk_nb.errors import JobConflict, NotSupported
from aitk_nb.models.job import JobDraft, JobState, JobStatus
from aitk_nb.models.names import check_name

_log = logging.getLogger(__name__)


def dataset_of(draft_or_note: JobDraft | JobNote) -> str:
    """Return the name of the dataset that a job trains on."""
    return str(draft_or_note.config["config"]["process"][0]["datasets"][0]["folder_path"])


class GradioJobs(JobStates):
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
        super().__init__(app, results, journal, served=served)
        self._datasets = datasets
        self._watching: dict[str, FileLock] = {}

    # -- made and started ---------------------------------------------------------------------

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
                "A Gradio server has its own settings for datasets and ignores: %s.",
                "; ".join(wanted.ignored),
            )
        return note

    def _check_free(self, note: JobNote, notes: Notes) -> None:
        if note.name in notes.jobs:
            raise JobConflict(note.name, ["it was already started from here"])
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
        """Note how a call has ended; after a broken connection that is not known."""
        outcome = {Phase.DONE: JobStatus.COMPLETED, Phase.FAILED: JobStatus.ERROR}.get(state.phase)
        try:
            if outcome is not None:
                self._record(note, outcome, state.text)
        finally:
            if lock := self._watching.pop(note.name, None):
                lock.release()

    def _keep(self, note: JobNote) -> None:
        with self._journal.change() as notes:
            notes.jobs[note.name] = note

    def _check_alone(self, name: str) -> None:
        """Refuse to train beside a training job that the server's queue does not know of anymore.

        The queue forgets a call when its connection is lost, and the job keeps running.
        """
        for other in self._journal.read().jobs.values():
            if other.name == name or other.started is None or other.outcome:
                continue
            if self._is_followed(other.name):
                continue  # it waits or runs in the queue, which keeps the order
            if self.state(other.name).status is JobStatus.RUNNING:
                raise NotSupported(
                    "queue a job behind one whose connection was lost",
                    "Gradio",
                    f"{other.name!r} is still training, and this job would train at the same "
                    f"time. Wait for it with client.jobs.get({other.name!r}).watch(); to train "
                    f"both anyway, first call client.jobs.get({other.name!r}).repair"
                    "(confirmed=True).",
                )

    def _is_followed(self, name: str) -> bool:
        call = self._calls.get(name)
        if call is not None and not call.state.phase.is_over:
            return True
        return self._journal.is_watched(name)

    # -- ended --------------------------------------------------------------------------------

    def stop(self, name: str) -> None:
        """Take a job out of the queue that waits in it.

        Raises:
            NotSupported: it trains already.
        """
        call = self._calls.get(name)
        if call is not None and call.cancel():
            self._record(self.note(name), JobStatus.STOPPED, "Removed from the queue.")
            return
        raise NotSupported(
            "stop a job",
            "Gradio",
            "A job that has started trains to its end: canceling would only stop watching it, and "
            "the next job would train at the same time. Gradio 4 doesn't drop waiting jobs either. "
            "To end it, restart the app on the server.",
        )

    def mark_stopped(self, name: str) -> None:
        """Note a job as stopped, whatever it does."""
        self._record(self.note(name), JobStatus.STOPPED, "Marked as stopped from here.")

    def adopt(self, note: JobNote) -> JobState:
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
