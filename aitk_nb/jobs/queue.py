"""Where a job waits: which GPU it gets, and what comes before it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aitk_nb.errors import NotSupported, Rejected, UnexpectedReply
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.server import Ability, Gpu

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend

__all__ = ["Standing", "freest_gpu", "gpus_of", "jobs_on", "standing"]

FIRST = "0"
"""The GPU of a server that does not say which it has; the web UI's form begins with it too."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a queued job stands in its queue."""

    gpu_ids: str
    running: tuple[str, ...] = ()
    """Names of the jobs that hold its GPUs."""
    before: tuple[str, ...] = ()
    """Names of the jobs that wait before it, the next one first."""
    queue_runs: bool = True
    """False when nothing in its queue begins."""

    @property
    def place(self) -> int:
        """Its place among those that wait, counted from 1."""
        return len(self.before) + 1

    def __str__(self) -> str:
        text = f"number {self.place} in the queue of GPU {self.gpu_ids}"
        if self.running:
            text += f", on which {_listed(self.running)} run{'s' * (len(self.running) == 1)}"
        if self.before:
            text += f"; before it: {_listed(self.before)}"
        return text if self.queue_runs else f"{text}; that queue is stopped"


def standing(backend: Backend, state: JobState) -> Standing | None:
    """Return where a job stands that waits in a queue; None when it does not, or none can tell."""
    if state.status is not JobStatus.QUEUED or Ability.LIST_JOBS not in backend.abilities:
        return None
    jobs = backend.list_jobs()
    waiting = sorted(
        (
            other
            for other in jobs
            if other.status is JobStatus.QUEUED
            and other.gpu_ids == state.gpu_ids
            and other.name != state.name
            and other.queue_position < state.queue_position
        ),
        key=lambda other: other.queue_position,
    )
    running = [
        other.name
        for other in jobs_on(state.gpu_ids, jobs)
        if other.status is not JobStatus.QUEUED and other.name != state.name
    ]
    return Standing(
        gpu_ids=state.gpu_ids,
        running=tuple(running),
        before=tuple(other.name for other in waiting),
        queue_runs=backend.queue_runs(state),
    )


def jobs_on(gpu_ids: str, jobs: tuple[JobState, ...]) -> tuple[JobState, ...]:
    """Return the active jobs that use one of these GPUs.

    A queue is keyed by the whole text, so that `0` and `0,1` run at once and share a GPU.
    """
    wanted = set(gpu_ids.split(","))
    return tuple(
        state for state in jobs if state.status.is_active and wanted & set(state.gpu_ids.split(","))
    )


def gpus_of(backend: Backend) -> tuple[Gpu, ...]:
    """Return the server's GPUs; empty when it has none or cannot tell."""
    if Ability.GPUS not in backend.abilities:
        return ()
    try:
        return backend.gpus()
    except (NotSupported, Rejected, UnexpectedReply):
        # What is only asked for a better choice must not keep a training from being started.
        return ()


def freest_gpu(backend: Backend) -> str:
    """Return the GPU with the most free memory, of those that no job of the server uses if any.

    A job that waits or loads its model holds no memory yet: its GPU only looks free.
    """
    gpus = gpus_of(backend)
    if not gpus:
        return FIRST
    jobs = backend.list_jobs() if Ability.LIST_JOBS in backend.abilities else ()

    def burden(gpu: Gpu) -> tuple[int, int, int]:
        return (
            len(jobs_on(str(gpu.index), jobs)),
            gpu.memory_used - gpu.memory_total,
            gpu.index,
        )

    return str(min(gpus, key=burden).index)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
