"""Where a job waits: which GPU it gets, which jobs come before it, and until a GPU is free.

Why it is so: docs/behavior.md#jobs
"""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aitk_nb.backends.base import Backend
from aitk_nb.errors import NotSupported, Rejected, UnexpectedReply
from aitk_nb.models import Ability, Gpu, JobState, JobStatus

FIRST = "0"
"""The GPU of a server that does not list any; the web UI's form starts with it too."""

NO_GPU = (
    "The server reports no GPU: nvidia-smi lists none, or is missing. A training job there may "
    "fail at once; whether it works is unknown."
)


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """The position of a job in its queue, from `Job.queue_position()`.

    Example:
        >>> from aitk_nb.jobs.queue import QueuePosition
        >>> str(QueuePosition("0", running=("dog",)))
        "number 1 in the queue of GPU 0, where 'dog' is running"
    """

    gpu_ids: str
    """The GPUs of the queue."""
    running: tuple[str, ...] = ()
    """Names of the jobs of any type running on these GPUs."""
    before: tuple[str, ...] = ()
    """Names of the jobs waiting before this one, the next one first."""
    queue_runs: bool = True
    """False while the queue is stopped, so that nothing in it starts."""
    occupants: tuple[JobState, ...] = field(default=(), repr=False)
    """The states of the running jobs."""

    @property
    def number(self) -> int:
        """Position among the waiting jobs, counted from 1."""
        return len(self.before) + 1

    def __str__(self) -> str:
        text = f"number {self.number} in the queue of GPU {self.gpu_ids}"
        if self.running:
            verb = "is" if len(self.running) == 1 else "are"
            labels = tuple(one.label for one in self.occupants) or tuple(map(repr, self.running))
            text += f", where {_listed(labels)} {verb} running"
        if self.before:
            text += f"; before it: {_listed(tuple(map(repr, self.before)))}"
        return text if self.queue_runs else f"{text}; the queue is stopped"


def queue_position(backend: Backend, state: JobState) -> QueuePosition | None:
    """Return the position of a queued job; None if it is not queued or the server lists no jobs."""
    if state.status is not JobStatus.QUEUED or Ability.LIST_JOBS not in backend.abilities:
        return None
    others = [other for other in backend.all_jobs() if other.name != state.name]
    queued = [other for other in others if other.status is JobStatus.QUEUED]
    before = [
        other
        for other in sorted(queued, key=lambda other: other.queue_rank)
        if other.gpu_ids == state.gpu_ids and other.queue_rank < state.queue_rank
    ]
    occupants = tuple(one for one in jobs_on(state.gpu_ids, others) if one not in queued)
    return QueuePosition(
        gpu_ids=state.gpu_ids,
        running=tuple(other.name for other in occupants),
        before=tuple(other.name for other in before),
        queue_runs=backend.queue_runs(state),
        occupants=occupants,
    )


def end_remedy(state: JobState) -> str:
    """Return how to end a job that is in the way of a training job; empty for one that trains."""
    if state.has_died:
        return f"The process of {state.name!r} has ended: {repair_calls(state.name)} frees the GPU."
    if state.job_type == "train":
        return ""
    calls = f"client.jobs.get({state.name!r}).stop() or `aitk-nb stop {shlex.quote(state.name)}`"
    until = " It keeps the GPU until then." if state.never_ends else ""
    return f"To end {state.label}: {calls}.{until}"


def repair_calls(name: str) -> str:
    """Return the calls that mark a job without a process as stopped."""
    return own_repair(name).replace("job", f"client.jobs.get({name!r})", 1)


def own_repair(name: str) -> str:
    """Return the same calls for whoever holds the job."""
    return f"job.repair(confirmed=True) or `aitk-nb stop {shlex.quote(name)} --force`"


def jobs_on(gpu_ids: str, jobs: Iterable[JobState]) -> tuple[JobState, ...]:
    """Return the active jobs that use one of these GPUs.

    A queue is keyed by the whole text, so that `0` and `0,1` run at once and share a GPU.
    """
    wanted = set(gpu_ids.split(","))
    return tuple(
        state for state in jobs if state.status.is_active and wanted & set(state.gpu_ids.split(","))
    )


def gpus_of(backend: Backend) -> tuple[Gpu, ...] | None:
    """Return the server's GPUs; empty when it reports none, None when it does not report them."""
    if Ability.GPUS not in backend.abilities:
        return None
    try:
        return backend.gpus()
    except (NotSupported, Rejected, UnexpectedReply):
        # Only a better choice depends on it, which must not keep a job from starting.
        return None


def freest_gpu(backend: Backend) -> str:
    """Return the GPU with the fewest active jobs, and of these the one with the most free memory.

    A job that waits or loads its model uses no memory yet: its GPU only looks free.
    """
    gpus = gpus_of(backend)
    if not gpus:
        return FIRST
    jobs = backend.all_jobs() if Ability.LIST_JOBS in backend.abilities else ()

    def load(gpu: Gpu) -> tuple[int, int, int]:
        return len(jobs_on(str(gpu.index), jobs)), gpu.memory_used - gpu.memory_total, gpu.index

    return str(min(gpus, key=load).index)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


# -- when a GPU is free ---------------------------------------------------------------------------


LIVES_ON = 5.0
"""Seconds that a process lives on at most after its last words; nothing tells its end."""


IDLE = 0.1
"""Share of its memory below which no model is loaded on a GPU."""


class GpuRelease:
    """Notes how much memory the GPUs of a job use, and waits until it has fallen.

    Where no memory is shown, and where others use most of it, the time is waited that a process
    takes at most.
    """

    def __init__(self, backend: Backend, gpu_ids: str) -> None:
        """Note the memory; the job still runs, or has ended."""
        self._backend = backend
        self._gpu_ids = gpu_ids.split(",")
        self._before = self._used()

    def wait(self, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        """Wait until less than half of that memory is used, but no longer than it can take."""
        until = clock() + LIVES_ON
        while clock() < until:
            if self._used() < max(self._before / 2, IDLE):
                return
            sleep(0.5)

    def _used(self) -> float:
        """Return the share of the memory that is used; all of it where none is shown."""
        gpus = [gpu for gpu in gpus_of(self._backend) or () if str(gpu.index) in self._gpu_ids]
        total = sum(gpu.memory_total for gpu in gpus)
        return sum(gpu.memory_used for gpu in gpus) / total if total else 1.0
