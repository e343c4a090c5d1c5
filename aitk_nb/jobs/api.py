"""Jobs on the server: `client.jobs`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, overload

from aitk_nb.backends.base import Rehearsable
from aitk_nb.errors import BadInput, NotFound, NotSupported
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.queue import standing
from aitk_nb.jobs.start import ELECTION, IfExists, Starter
from aitk_nb.models.dry_run import DryRun
from aitk_nb.models.job import JobState
from aitk_nb.training.params import TrainingParams

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.jobs.estimate import Estimate
    from aitk_nb.jobs.preflight_report import Preflight
    from aitk_nb.jobs.queue import Standing

__all__ = ["ELECTION", "IfExists", "Jobs"]


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
        self._starter = Starter(backend, sleep=sleep, clock=clock)

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

    @overload
    def start(
        self,
        params: TrainingParams,
        *,
        if_exists: IfExists = "attach",
        dry_run: Literal[False] = False,
    ) -> Job: ...
    @overload
    def start(
        self, params: TrainingParams, *, if_exists: IfExists = "attach", dry_run: Literal[True]
    ) -> DryRun: ...
    def start(
        self, params: TrainingParams, *, if_exists: IfExists = "attach", dry_run: bool = False
    ) -> Job | DryRun:
        """Start the training that `params` mean, once, and return its job.

        A job of the same name with the same config is taken as this one and not started again,
        however it ended. With `if_exists="resume"` it goes on from its last checkpoint, also with
        another config; with `"new"` the job gets a fresh name. Without `gpu_ids` it goes to the
        GPU with the most free memory. `Job.begun` says what came of it.

        With `dry_run` the server is only read, and the requests that would be sent are returned.

        Raises:
            JobConflict: a job of that name has another config; the message says where.
            NotFound: the server has no such dataset.
        """
        if dry_run:
            return self._rehearsed([params], if_exists)[0]
        return self._starter.start(params, if_exists)

    @overload
    def start_all(
        self,
        many: Iterable[TrainingParams],
        *,
        if_exists: IfExists = "attach",
        dry_run: Literal[False] = False,
    ) -> tuple[Job, ...]: ...
    @overload
    def start_all(
        self,
        many: Iterable[TrainingParams],
        *,
        if_exists: IfExists = "attach",
        dry_run: Literal[True],
    ) -> tuple[DryRun, ...]: ...
    def start_all(
        self,
        many: Iterable[TrainingParams],
        *,
        if_exists: IfExists = "attach",
        dry_run: bool = False,
    ) -> tuple[Job, ...] | tuple[DryRun, ...]:
        """Start several trainings in this order, each once, and return their jobs.

        All are looked at before the first is started, so that a name or a dataset that cannot be
        used starts nothing. Calling it again attaches to what is there.

        Raises:
            BadInput: two of them have one name.
            JobConflict: a job of such a name has another config.
            NotFound: the server has no such dataset.
        """
        wanted = list(many)
        names = [params.name for params in wanted]
        if if_exists != "new" and (twice := sorted({n for n in names if names.count(n) > 1})):
            raise BadInput(f"Two of the trainings are called {twice[0]!r}. Give each its own name.")
        if dry_run:
            return self._rehearsed(wanted, if_exists)
        for params in wanted:
            self._starter.check(params, if_exists)
        return tuple(self._starter.start(params, if_exists) for params in wanted)

    def preflight(
        self, params: TrainingParams, *, price_per_hour: float | None = None
    ) -> Preflight:
        """Look at everything that is known to go wrong with a training, and change nothing.

        `price_per_hour` of the server, if given, is turned into what the training costs.
        """
        from aitk_nb.jobs.preflight import preflight

        return preflight(self._backend, params, price_per_hour)

    def estimate(self, params: TrainingParams, *, price_per_hour: float | None = None) -> Estimate:
        """Return time, money and size by earlier jobs on this server; nothing is invented."""
        from aitk_nb.jobs.estimate import estimate

        return estimate(self._backend, params, price_per_hour)

    def standing(self, name: str) -> Standing | None:
        """Return where a job stands in its queue; None when it does not wait.

        Raises:
            NotFound: the server has no such job.
        """
        return standing(self._backend, self.get(name).state)

    def delete(self, name: str) -> None:
        """Stop the job if it runs, and delete it with everything it made."""
        self.get(name).delete()

    def _job(self, state: JobState) -> Job:
        return Job(self._backend, state, sleep=self._sleep, clock=self._clock)

    def _rehearsed(
        self, wanted: Sequence[TrainingParams], if_exists: IfExists
    ) -> tuple[DryRun, ...]:
        """Start them on a server that is only read, and return what would have been sent."""
        if not isinstance(self._backend, Rehearsable):
            raise NotSupported(
                "list the requests of a start without sending them",
                self._backend.flavour.name.capitalize(),
                "client.jobs.preflight(params) (on the command line --preflight) tells whether it "
                "would start, and starts nothing.",
            )
        backend, sent = self._backend.rehearsal()
        # Nobody acts while this looks, so that waiting for somebody would be waiting for nothing.
        ticks = itertools.count()
        stage = Starter(backend, sleep=lambda _seconds: None, clock=lambda: float(next(ticks)))
        found = []
        try:
            for params in wanted:
                before = len(sent)
                job = stage.start(params, if_exists)
                requests = tuple(sent[before:])
                found.append(DryRun(job.name, self._backend.url, _told(job, requests), requests))
        finally:
            backend.close()
        return tuple(found)


def _told(job: Job, requests: Sequence[object]) -> str:
    if requests:
        return f"Dry run: {job.name!r} {job.begun}."
    state = job.state
    return f"Dry run: {job.name!r} is there already ({state.status.value}, step {state.step})."
