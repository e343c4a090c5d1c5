"""`JobStart`: creates, attaches to, or resumes one job, so that there is never a second one.

Why it is so: docs/behavior.md#jobs
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aitk_nb.backends.base import Backend
from aitk_nb.errors import AitkError, BadInput, JobConflict, NotFound, NotSupported
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.preflight_report import note, ok, problem
from aitk_nb.jobs.queue import GpuRelease, freest_gpu
from aitk_nb.jobs.resume_point import MORE, resume_point, steps_after
from aitk_nb.jobs.validation_set import validation_items
from aitk_nb.jobs.warm_start import WORD, WarmStart
from aitk_nb.models.checklist import Check
from aitk_nb.models.job import JobDraft, JobState, JobStatus, StartResult
from aitk_nb.training.config_diff import FOUND, differences
from aitk_nb.training.config_paths import MISSING, put, value_at
from aitk_nb.training.extra import process_of

IfExists = Literal["attach", "resume", "new"]
"""What to do about a job of the same name."""

PROCESS = "config.process.0"

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
    sends: bool = True
    """Whether a local file may be sent, which a dry run does not."""

    def check(self) -> None:
        """Find what would prevent the start, and change nothing.

        Raises:
            JobConflict: A job of that name has another config.
            NotFound: The server does not have one of the datasets.
        """
        self._check_datasets()
        have = None if self.if_exists == "new" else self._find()
        if have is not None and self._goes_on(have):
            steps_after(self.backend, have, self.draft)
        elif have is not None and (self.if_exists == "attach" or have.status.is_active):
            self._check_same(have)
        elif have is None:
            self._found(send=False)

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
        goes_on = self.if_exists == "resume" or self._goes_on(have)
        return self._resume(have) if goes_on else self._attach(have)

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

    def _goes_on(self, have: JobState) -> bool:
        """Return whether `more_steps` is all that is asked of a job that does not run."""
        changes = self._changes(have) if value_at(self.draft.config, MORE) is not MISSING else ()
        steps = [one.startswith("train.steps is ") for one in changes]
        return bool(steps) and all(steps) and not have.status.is_active

    def _found(self, have: JobState | None = None, *, send: bool = True) -> JobDraft:
        """Return the draft with what the server has for its words; once found, it stays."""
        config = copy.deepcopy(dict(self.draft.config))
        process, before = process_of(config), have.config if have else {}
        if value_at(config, MORE) is not MISSING:
            put(process, "train.steps", steps_after(self.backend, have, self.draft))
        find: dict[str, Callable[[], object]] = {
            "init_lora": lambda: WarmStart(self.backend, config).path(send=send and self.sends),
            "dataset": lambda: validation_items(self.backend, config),
        }
        for path, (word, found) in FOUND.items():
            said, old = (value_at(one, f"{PROCESS}.{path}.{word}") for one in (config, before))
            kept = value_at(before, f"{PROCESS}.{path}.{found}")
            if said is not MISSING:
                same = said == old and kept is not MISSING
                put(process, f"{path}.{found}", kept if same else find[word]())
        return replace(self.draft, config=config)

    def _create(self) -> Job:
        draft = self._found()
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
        draft = self._found(have)
        point = resume_point(self.backend, have, draft.config).said(draft.config)
        gpu_ids = have.gpu_ids if draft.any_gpu else draft.gpu_ids
        if changes or have.gpu_ids != gpu_ids:
            have = self.backend.update_job(have, replace(draft, gpu_ids=gpu_ids))
        self.backend.start_job(have)
        job = self._job(self.backend.get_job(have.name), "resumed")
        job.resumed_from = point
        return job


def found_checks(backend: Backend, draft: JobDraft, have: JobState | None) -> Iterator[Check]:
    """Check what a start would find on the server for the words of a draft; read-only."""
    config, held_out = draft.config, f"{PROCESS}.train.validation_config.dataset"
    begin = WarmStart(backend, config)
    rows: dict[str, Callable[[], str]] = {
        MORE: lambda: f"To step {steps_after(backend, have, draft)}.",
        WORD: lambda: f"Training begins with {begin.path(send=False)}.",
        held_out: lambda: (
            f"{len(validation_items(backend, config))} images, a batch each, each time."
        ),
    }
    for path, find in rows.items():
        name = "validation" if path == held_out else path.rpartition(".")[2]
        if value_at(config, path) is MISSING:
            continue
        if path == WORD and have and resume_point(backend, have, config).checkpoint:
            yield note(name, "It is ignored: the job goes on from its own checkpoint.")
            continue
        try:
            yield ok(name, find())
        except (BadInput, NotFound, NotSupported) as exc:
            yield problem(name, str(exc))
