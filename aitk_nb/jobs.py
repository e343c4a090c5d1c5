"""Jobs on the server: `client.jobs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from aitk_nb import job_config
from aitk_nb.errors import JobConflict, NotFound
from aitk_nb.job import Job
from aitk_nb.models import JobDraft, JobState, JobStatus, check_name
from aitk_nb.training import TrainingParams

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend

__all__ = ["IfExists", "Jobs"]

IfExists = Literal["attach", "resume", "new"]
"""What to do about a job of the same name."""

ELECTION = 10.0
"""Seconds that a job may stay created and not started before somebody else starts it."""


class Jobs:
    """Start trainings, and find those that are there."""

    def __init__(
        self,
        backend: Backend,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._sleep = sleep
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Jobs of {self._backend.url}>"

    def list(self) -> tuple[Job, ...]:
        """Return the training jobs, newest first."""
        return tuple(self._job(state) for state in self._backend.list_jobs())

    def get(self, name: str) -> Job:
        """Return the job of that name, or of that id.

        Raises:
            NotFound: the server has none.
        """
        try:
            return self._job(self._backend.get_job(name))
        except NotFound:
            for state in self._backend.list_jobs():
                if state.id == name:
                    return self._job(state)
            raise

    def start(self, params: TrainingParams, *, if_exists: IfExists = "attach") -> Job:
        """Start the training that `params` mean, once, and return its job.

        A job of the same name with the same config is taken as this one and not started again,
        however it ended. With `if_exists="resume"` it goes on from its last checkpoint, also with
        another config; with `"new"` the job gets a fresh name.

        Raises:
            JobConflict: a job of that name has another config; the message says where.
            NotFound: the server has no such dataset.
        """
        self._check_datasets(params)
        if if_exists == "new":
            params = self._renamed(params)
        draft = job_config.draft(params)
        have = self._find(draft.name)
        if have is None:
            try:
                return self._created(draft)
            except JobConflict:
                # Somebody created it between our look and our request: the server elected them.
                have = self._find(draft.name)
                if have is None:
                    # The name belongs to a captioning job, which is none of ours.
                    raise
        if if_exists == "resume":
            return self._resumed(have, draft)
        return self._attached(have, draft)

    def delete(self, name: str) -> None:
        """Stop the job if it runs, and delete it with everything it made."""
        self.get(name).delete()

    def _job(self, state: JobState) -> Job:
        return Job(self._backend, state, sleep=self._sleep, clock=self._clock)

    def _find(self, name: str) -> JobState | None:
        try:
            return self._backend.get_job(name)
        except NotFound:
            return None

    def _check_datasets(self, params: TrainingParams) -> None:
        """Find a wrong dataset here: the server would find it minutes later, in the trainer."""
        known = self._backend.list_datasets()
        for name in (params.dataset, *params.extra_datasets):
            if name not in known:
                raise NotFound("dataset", name, known)

    def _renamed(self, params: TrainingParams) -> TrainingParams:
        taken = {state.name for state in self._backend.list_jobs()}
        name, number = params.name, 2
        while name in taken:
            name, number = f"{params.name}_{number}", number + 1
        return params.model_copy(update={"name": check_name("job", name)})

    def _created(self, draft: JobDraft) -> Job:
        state = self._backend.create_job(draft)
        self._backend.start_job(state)
        return self._job(self._backend.get_job(draft.name))

    def _attached(self, have: JobState, draft: JobDraft) -> Job:
        _check_same(have, draft)
        if have.status is JobStatus.QUEUED:
            # It may wait in a queue that does not run: whoever started it died in between, or
            # pressed the web UI's play button, which starts jobs and not queues.
            self._backend.start_job(have)
        return self._job(self._elected(have))

    def _elected(self, have: JobState) -> JobState:
        """Start a job that was created and never started, unless its creator still does."""
        until = self._clock() + ELECTION
        while have.never_started and self._clock() < until:
            self._sleep(0.5)
            have = self._backend.get_job(have.name)
        if have.never_started:
            self._backend.start_job(have)
            have = self._backend.get_job(have.name)
        return have

    def _resumed(self, have: JobState, draft: JobDraft) -> Job:
        """Go on with a job from its last checkpoint, with the config that is meant now."""
        have = self._elected(have)
        if have.status.is_active:
            _check_same(have, draft)
            return self._job(have)
        changes = _changes(have, draft)
        if have.status is JobStatus.COMPLETED and not changes:
            return self._job(have)
        # Two processes would train at once if the old one has not ended yet.
        have = self._job(have).stop()
        if changes or have.gpu_ids != draft.gpu_ids:
            have = self._backend.update_job(have, draft)
        self._backend.start_job(have)
        return self._job(self._backend.get_job(have.name))


def _changes(have: JobState, draft: JobDraft) -> Sequence[str]:
    changes = job_config.differences(have.config, draft.config)
    if not have.config:
        return ("its config cannot be read",)
    return changes


def _check_same(have: JobState, draft: JobDraft) -> None:
    if changes := _changes(have, draft):
        raise JobConflict(have.name, changes, active=have.status.is_active)
