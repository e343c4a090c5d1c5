"""`Starter`: creates, attaches to, or goes on with one job, so that there is never a second one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from aitk_nb.errors import AitkError, JobConflict, NotFound
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.queue import freest_gpu, standing
from aitk_nb.models.job import JobDraft, JobState, JobStatus
from aitk_nb.models.names import check_name
from aitk_nb.training.config_diff import differences
from aitk_nb.training.job_config import draft

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.training.params import TrainingParams

__all__ = ["ELECTION", "IfExists", "Starter"]

IfExists = Literal["attach", "resume", "new"]
"""What to do about a job of the same name."""

ELECTION = 10.0
"""Seconds that a job may stay created and not started before somebody else starts it."""


class Starter:
    """Starts trainings on one server, each once."""

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

    def start(self, params: TrainingParams, if_exists: IfExists) -> Job:
        """Start one training, or take or go on with the job that is there.

        Raises:
            JobConflict: a job of that name has another config.
            NotFound: the server has no such dataset.
        """
        self._check_datasets(params)
        if if_exists == "new":
            params = self._renamed(params)
        job = draft(params)
        have = self._find(job.name)
        if have is None:
            try:
                return self._created(params, job)
            except JobConflict:
                # Somebody created it between our look and our request: the server elected them.
                have = self._find(job.name)
                if have is None:
                    # The name belongs to a captioning job, which is none of ours.
                    raise
        if if_exists == "resume":
            return self._resumed(have, params, job)
        return self._attached(have, job)

    def check(self, params: TrainingParams, if_exists: IfExists) -> None:
        """Find what would keep a training from being started, and change nothing.

        Raises:
            JobConflict: a job of that name has another config.
            NotFound: the server has no such dataset.
        """
        self._check_datasets(params)
        have = None if if_exists == "new" else self._find(params.name)
        if have is not None and (if_exists == "attach" or have.status.is_active):
            _check_same(have, draft(params))

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
        for name in (params.dataset, *params.extra_datasets, *params.control_datasets):
            if name not in known:
                raise NotFound("dataset", name, known)

    def _renamed(self, params: TrainingParams) -> TrainingParams:
        taken = {state.name for state in self._backend.list_jobs()}
        name, number = params.name, 2
        while name in taken:
            name, number = f"{params.name}_{number}", number + 1
        return params.model_copy(update={"name": check_name("job", name)})

    def _created(self, params: TrainingParams, job_draft: JobDraft) -> Job:
        if not params.gpu_ids:
            job_draft = replace(job_draft, gpu_ids=freest_gpu(self._backend))
        state = self._backend.create_job(job_draft)
        self._backend.start_job(state)
        return self._begun(job_draft.name, "created and started")

    def _begun(self, name: str, what: str) -> Job:
        """Return the job as it stands now, with what was done and where it waits."""
        job = self._job(self._backend.get_job(name))
        place = self._place(job.state)
        job.begun = f"{what}; {place}" if place else f"{what} on GPU {job.state.gpu_ids}"
        return job

    def _place(self, state: JobState) -> str:
        """Return where it waits in words; what is only told must not undo what was done."""
        try:
            return str(standing(self._backend, state) or "")
        except AitkError:
            return ""

    def _attached(self, have: JobState, job_draft: JobDraft) -> Job:
        _check_same(have, job_draft)
        if have.status is JobStatus.QUEUED:
            # It may wait in a queue that does not run: whoever started it died in between, or
            # pressed the web UI's play button, which starts jobs and not queues.
            self._backend.start_job(have)
        job = self._job(self._elected(have))
        place = self._place(job.state)
        job.begun = "was there already" + (f"; {place}" if place else "")
        return job

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

    def _resumed(self, have: JobState, params: TrainingParams, job_draft: JobDraft) -> Job:
        """Go on with a job from its last checkpoint, with the config that is meant now."""
        have = self._elected(have)
        if not params.gpu_ids:
            job_draft = replace(job_draft, gpu_ids=have.gpu_ids)
        if have.status.is_active:
            _check_same(have, job_draft)
            return self._job(have)
        changes = _changes(have, job_draft)
        if have.status is JobStatus.COMPLETED and not changes:
            return self._job(have)
        # Two processes would train at once if the old one has not ended yet.
        have = self._job(have).stop()
        step = have.step
        if changes or have.gpu_ids != job_draft.gpu_ids:
            have = self._backend.update_job(have, job_draft)
        self._backend.start_job(have)
        return self._begun(have.name, f"goes on from step {step}")


def _changes(have: JobState, job_draft: JobDraft) -> Sequence[str]:
    changes = differences(have.config, job_draft.config)
    if not have.config:
        return ("its config cannot be read",)
    return changes


def _check_same(have: JobState, job_draft: JobDraft) -> None:
    if changes := _changes(have, job_draft):
        raise JobConflict(have.name, changes, active=have.status.is_active)
