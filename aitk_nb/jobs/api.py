"""Jobs on the server: `client.jobs`."""

import itertools
import time
import warnings
from collections.abc import Callable, Iterable, Sequence

from aitk_nb.backends.base import Backend
from aitk_nb.backends.optional import SupportsDryRun, architectures
from aitk_nb.errors import BadInput, NotFound, NotSupported
from aitk_nb.jobs.estimate import EstimateReport, estimate
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.job_list import JobList
from aitk_nb.jobs.preflight import preflight
from aitk_nb.jobs.preflight_report import PreflightReport
from aitk_nb.jobs.start import IfExists, JobStart, describe
from aitk_nb.models import DryRunReport, JobState, JobStatus, check_name
from aitk_nb.training import presets
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams


class Jobs:
    """Start training jobs, and find those on the server.

    Example:
        >>> params = job.params(name="another_cat", rank=8)
        >>> another = client.jobs.start(params)
        >>> another.wait(every=0.2).status
        <JobStatus.COMPLETED: 'completed'>
        >>> client.jobs.get("another_cat").state.step
        20
    """

    def __init__(
        self,
        backend: Backend,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `backend`; nothing is sent until the first call.

        Args:
            backend: What sends the requests.
            sleep: Waits for a number of seconds.
            clock: Returns the time in seconds.
        """
        self._backend = backend
        self._sleep = sleep
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Jobs of {self._backend.url}>"

    def list(self) -> JobList:
        """Return the training jobs, newest first; of a Gradio app, those started locally.

        A notebook and a terminal show them as a table.
        """
        return JobList(map(self._job, self._backend.list_jobs()))

    def get(self, name: str) -> Job:
        """Return one job.

        Args:
            name: Its name, or its id on the server.

        Returns:
            The job, in its present state.

        Raises:
            NotFound: The server has no such job.
        """
        try:
            return self._job(self._backend.get_job(name))
        except NotFound:
            for state in self._backend.all_jobs():
                if state.id == name:
                    return self._job(state)
            raise

    def start(self, params: TrainingParams, *, if_exists: IfExists = "attach") -> Job:
        """Start a training job, once: calling it again returns the same job.

        Without `gpu_ids` the job goes to the GPU with the most free memory.

        Args:
            params: What to train.
            if_exists: What to do about a job of the same name. `"attach"` returns it if it has the
                same config, however it ended (with a warning if in an error); `"resume"` continues
                it from its last checkpoint, also with another config; `"new"` picks a free name.

        Returns:
            The job; its `start_result` says what was done.

        Raises:
            JobConflict: A job of that name has another config; the message says where they differ.
            NotFound: The server does not have one of the datasets.
        """
        (start,) = self._starts(self._backend, [params], if_exists)
        return _checked(start.run())

    def start_all(
        self, many: Iterable[TrainingParams], *, if_exists: IfExists = "attach"
    ) -> tuple[Job, ...]:
        """Start several training jobs in this order, each once.

        All are checked before the first is started, so that an invalid one starts nothing.

        Args:
            many: What to train, one for each job.
            if_exists: As for `start`.

        Returns:
            The jobs, in the same order.

        Raises:
            BadInput: Two of them have the same name.
            JobConflict: A job of such a name has another config.
            NotFound: The server does not have one of the datasets.
        """
        starts = self._starts(self._backend, many, if_exists)
        for start in starts:
            start.check()
        return tuple(_checked(start.run()) for start in starts)

    def plan(self, params: TrainingParams, *, if_exists: IfExists = "attach") -> DryRunReport:
        """Return the requests that `start` would send; the server is only read.

        Args:
            params: What to train.
            if_exists: As for `start`.

        Returns:
            The requests in their order, and what would happen to the job.

        Raises:
            JobConflict: As `start` would.
            NotFound: As `start` would.
            NotSupported: The requests of this kind of server cannot be listed.
        """
        return self.plan_all([params], if_exists=if_exists)[0]

    def plan_all(
        self, many: Iterable[TrainingParams], *, if_exists: IfExists = "attach"
    ) -> tuple[DryRunReport, ...]:
        """Return the requests that `start_all` would send, for each job; the server is only read.

        Args:
            many: What to train, one for each job.
            if_exists: As for `start`.

        Returns:
            A report for each job, in the same order.

        Raises:
            BadInput: Two of them have the same name.
            JobConflict: As `start_all` would.
            NotFound: As `start_all` would.
            NotSupported: The requests of this kind of server cannot be listed.
        """
        if not isinstance(self._backend, SupportsDryRun):
            raise NotSupported(
                "list the requests of a start without sending them",
                self._backend.flavour.name.capitalize(),
                "Use client.jobs.preflight(params), or --preflight on the command line, to check "
                "whether the job would start.",
            )
        backend, sent = self._backend.dry_run()
        found = []
        try:
            for start in self._starts(backend, many, if_exists, dry_run=True):
                before = len(sent)
                job = start.run()
                outcome = f"Dry run: {job.name!r} {describe(job)}."
                requests = tuple(sent[before:])
                found.append(
                    DryRunReport(job.name, backend.url, job.start_result, outcome, requests)
                )
        finally:
            backend.close()
        return tuple(found)

    def preflight(
        self, params: TrainingParams, *, price_per_hour: float | None = None
    ) -> PreflightReport:
        """Check a training job for known problems before it starts; read-only.

        Args:
            params: What to train.
            price_per_hour: Hourly price of the server in any currency, to estimate the cost.

        Returns:
            A report whose `ok` is false if a check found a problem.
        """
        params = _to_train(params)
        with presets.using(architectures(self._backend)):
            return preflight(self._backend, params, draft(params), price_per_hour)

    def estimate(
        self, params: TrainingParams, *, price_per_hour: float | None = None
    ) -> EstimateReport:
        """Estimate time, cost and size of a job from earlier jobs on this server.

        Args:
            params: What to train.
            price_per_hour: Hourly price of the server in any currency, to estimate the cost.

        Returns:
            Time in seconds, cost in that currency and size in bytes; None for what no earlier job
            shows.
        """
        with presets.using(architectures(self._backend)):
            return estimate(self._backend, draft(_to_train(params)), price_per_hour)

    def delete(self, name: str) -> None:
        """Stop a job if it runs, and delete it with all its files.

        Args:
            name: Its name, or its id on the server.

        Raises:
            NotFound: The server has no such job.
            NotSupported: The server can't delete jobs.
        """
        self.get(name).delete()

    def _job(self, state: JobState) -> Job:
        return Job(self._backend, state, sleep=self._sleep, clock=self._clock)

    def _starts(
        self,
        backend: Backend,
        many: Iterable[TrainingParams],
        if_exists: IfExists,
        *,
        dry_run: bool = False,
    ) -> Sequence[JobStart]:
        """Draft each job, with a name that is free where it is to be a new one."""
        sleep, clock = self._sleep, self._clock
        if dry_run:
            # Nobody acts during a dry run, so that waiting for somebody would be in vain.
            ticks = itertools.count()
            sleep, clock = (lambda _seconds: None), (lambda: float(next(ticks)))
        new = if_exists == "new"
        taken = {state.name for state in backend.list_jobs()} if new else set()
        starts = []
        for params in many:
            if new:
                params = params.model_copy(update={"name": _free(params.name, taken)})
            elif params.name in taken:
                raise BadInput(f"Two jobs are called {params.name!r}. Give each its own name.")
            taken.add(params.name)
            with presets.using(architectures(self._backend)):
                drafted = draft(params)
            starts.append(JobStart(backend, drafted, if_exists, sleep, clock, sends=not dry_run))
        return starts


def _to_train(params: TrainingParams) -> TrainingParams:
    """Return the parameters with the steps that are still to be trained."""
    return params.model_copy(update={"steps": params.more_steps or params.steps})


def _free(name: str, taken: set[str]) -> str:
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return check_name("job", next(one for one in names if one not in taken))


def _checked(job: Job) -> Job:
    """Warn about a job that failed before: an attached job is not started again."""
    state = job.state
    if job.start_result == "attached" and state.status is JobStatus.ERROR:
        said = f": {state.info.rstrip('. ')}" if state.info else ""
        warnings.warn(
            f"Job {job.name!r} already exists and failed at step {state.step}"
            f"{said}. It was not started again: use "
            "if_exists='resume' to continue it, or if_exists='new' for a new job.",
            stacklevel=3,
        )
    return job
