"""`JobStart`: creates, attaches to, or resumes one job, so that there is never a second one.

Why it is so: docs/behavior.md#jobs
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aitk_nb.backends.base import Backend
from aitk_nb.errors import AitkError, JobConflict, NotFound
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.queue import GpuRelease, freest_gpu
from aitk_nb.jobs.resume_point import resume_point
from aitk_nb.models.job import JobDraft, JobState, JobStatus, StartResult
from aitk_nb.training.config_diff import differences

IfExists = Literal["attach", "resume", "new"]
"""What to do about a job of the same name."""

ELECTION = 10.0
"""Seconds that a job may stay created and not started before somebody else starts it."""


def describe(job: Job) -> str:
    """Return what starting `job` did and where it waits, as a phrase."""
    done = {
        "attached": f"already exists ({job.state.status.value}, step {job.state.step})",
        "resumed": f"resumed {job.resumed_from}",
    }.get(job.start_result or "", "created and started")
    try:
        position = job.queue_position()
    except AitkError:
        position = None  # what was done is done, also when the rest cannot be told
    if position is not None:
        return f"{done}; {position}"
    return done if job.start_result == "attached" else f"{done} on GPU {job.state.gpu_ids}"


@dataclass(frozen=True)
class JobStart:
    """The start of one drafted job on one server."""

    backend: Backend
    draft: JobDraft
    if_exists: IfExists
    sleep: Callable[[float], None]
    clock: Callable[[], float]

    def check(self) -> None:
        """Find what would prevent the start, and change nothing.

        Raises:
            JobConflict: A job of that name has another config.
            NotFound: The server does not have one of the datasets.
        """
        self._check_datasets()
        have = None if self.if_exists == "new" else self._find()
        if have is not None and (self.if_exists == "attach" or have.status.is_active):
            self._check_same(have)

    def run(self) -> Job:
        """Start the job, or attach to or resume the one that exists.

        Raises:
            JobConflict: A job of that name has another config.
            NotFound: The server does not have one of the datasets.
        """
        self._check_datasets()
        have = self._find()
        if have is None:
            try:
                return self._create()
            except JobConflict:
                # Somebody created it between our look and our request: the server elected them.
                have = self._find()
                if have is None:
                    raise
        return self._resume(have) if self.if_exists == "resume" else self._attach(have)

    def _job(self, state: JobState, result: StartResult) -> Job:
        job = Job(self.backend, state, sleep=self.sleep, clock=self.clock)
        job.start_result = result
        return job

    def _find(self) -> JobState | None:
        try:
            have = self.backend.get_job(self.draft.name)
        except NotFound:
            return None
        if have.job_type != "train":
            raise JobConflict(have.name, [f"it is {have.label}"])
        return have

    def _check_datasets(self) -> None:
        """Find a missing dataset here: the server would find it minutes later, in the trainer."""
        known = self.backend.list_datasets()
        for name in self.draft.datasets:
            if name not in known:
                self.backend.get_dataset(name)  # its error may tell why
                raise NotFound("dataset", name, known)

    def _changes(self, have: JobState) -> Sequence[str]:
        if not have.config:
            return ("its config can't be read",)
        return differences(have.config, self.draft.config)

    def _check_same(self, have: JobState) -> None:
        if changes := self._changes(have):
            raise JobConflict(have.name, changes, active=have.status.is_active)

    def _create(self) -> Job:
        draft = self.draft
        if draft.any_gpu:
            draft = replace(draft, gpu_ids=freest_gpu(self.backend))
        self.backend.start_job(self.backend.create_job(draft))
        return self._job(self.backend.get_job(draft.name), "created")

    def _attach(self, have: JobState) -> Job:
        self._check_same(have)
        if have.status is JobStatus.QUEUED:
            # It may wait in a queue that does not run: whoever started it died in between, or
            # pressed the web UI's play button, which starts jobs and not queues.
            self.backend.start_job(have)
        return self._job(self._elected(have), "attached")

    def _elected(self, have: JobState) -> JobState:
        """Start a job that was created and never started, unless its creator still does."""
        until = self.clock() + ELECTION
        while have.never_started and self.clock() < until:
            self.sleep(0.5)
            have = self.backend.get_job(have.name)
        if have.never_started:
            self.backend.start_job(have)
            have = self.backend.get_job(have.name)
        return have

    def _resume(self, have: JobState) -> Job:
        """Continue a job from its last checkpoint, with the config of the draft."""
        have = self._elected(have)
        if have.status.is_active:
            self._check_same(have)
            return self._job(have, "attached")
        changes = self._changes(have)
        if have.status is JobStatus.COMPLETED and not changes:
            return self._job(have, "attached")
        # Two processes would train at once if the old one has not ended yet, and nothing tells
        # whether it has.
        have = self._job(have, "resumed").stop()
        if have.pid is not None:
            GpuRelease(self.backend, have.gpu_ids).wait(self.sleep, self.clock)
        point = resume_point(self.backend, have, self.draft.config)
        gpu_ids = have.gpu_ids if self.draft.any_gpu else self.draft.gpu_ids
        if changes or have.gpu_ids != gpu_ids:
            have = self.backend.update_job(have, replace(self.draft, gpu_ids=gpu_ids))
        self.backend.start_job(have)
        job = self._job(self.backend.get_job(have.name), "resumed")
        job.resumed_from = point
        return job
