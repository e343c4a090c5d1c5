"""`EstimateReport`: how long a job takes and what it costs, judging by earlier jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pydantic import computed_field

from aitk_nb._units import duration
from aitk_nb.backends.base import Backend
from aitk_nb.jobs.progress import seconds_per_step
from aitk_nb.models import Ability, JobDraft, JobState
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.effective import effective_of, resolutions

_SAME_WORK = (
    "model.arch",
    "train.batch_size",
    "train.gradient_accumulation",
    "train.train_unet",
    "train.train_text_encoder",
)

_SAME_SIZE = ("model.arch", "network", "save.dtype")

_LOOKED_AT = 20
"""Jobs whose files are listed; each is a request."""


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """Time, cost and size of a job, judging by earlier jobs of the same kind; None if unknown.

    Example:
        >>> from aitk_nb.jobs.estimate import EstimateReport
        >>> EstimateReport(seconds=7200, per_step=2.0, price_per_hour=0.5).money
        1.0
    """

    seconds: float | None = None
    """Seconds of training alone."""
    per_step: float | None = None
    """Seconds per step: the median of what the server last measured in these jobs."""
    jobs: tuple[str, ...] = ()
    """Names of the jobs measured."""
    price_per_hour: float | None = None
    """Price of the server, as given."""
    checkpoint_size: int | None = None
    """Bytes of a checkpoint of an earlier job with the same network."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def money(self) -> float | None:
        """Cost of the job, in the currency of the price."""
        if self.seconds is None or self.price_per_hour is None:
            return None
        return self.seconds / 3600 * self.price_per_hour

    def __str__(self) -> str:
        if self.seconds is None or self.per_step is None:
            return "unknown: no earlier job on this server has the same architecture and resolution"
        count = f"{len(self.jobs)} earlier job{'s' * (len(self.jobs) != 1)}"
        text = f"about {duration(self.seconds)} ({self.per_step:.3g} s per step in {count})"
        if self.money is not None:
            text += f", costing {self.money:.2f} at {self.price_per_hour:.2f} per hour"
        return f"{text}; excludes model loading, sampling and saving"


def estimate(
    backend: Backend, draft: JobDraft, price_per_hour: float | None = None
) -> EstimateReport:
    """Return what a job takes, as far as earlier jobs on the server tell."""
    if Ability.LIST_JOBS not in backend.abilities:
        return EstimateReport(price_per_hour=price_per_hour)
    want = effective_of(draft.config)
    jobs = [(state, effective_of(state.config)) for state in backend.list_jobs()]
    measured = {
        state.name: seconds
        for state, have in jobs
        if (seconds := seconds_per_step(state.speed)) and have and _work(have) == _work(want)
    }
    per_step = median(measured.values()) if measured else None
    steps = value_at(want, "train.steps")
    return EstimateReport(
        seconds=None if per_step is None else per_step * steps,
        per_step=per_step,
        jobs=tuple(measured),
        price_per_hour=price_per_hour,
        checkpoint_size=_size(
            backend, [state for state, have in jobs if have and _kind(have) == _kind(want)]
        ),
    )


def _work(read: Mapping[str, Any]) -> object:
    """Return what two jobs must share for their steps to take equally long."""
    # In whichever order, and however often: a step is of one dataset at one resolution.
    loads = {
        str((resolution, entry["batch_size"], entry["num_frames"]))
        for entry in read["datasets"]
        for resolution in resolutions(entry)
    }
    return [value_at(read, path) for path in _SAME_WORK], loads


def _kind(read: Mapping[str, Any]) -> object:
    """Return what two jobs must share for their checkpoints to have the same size."""
    return [value_at(read, path) for path in _SAME_SIZE]


def _size(backend: Backend, states: Sequence[JobState]) -> int | None:
    """Return the bytes of a checkpoint of the newest of these jobs that has one."""
    for state in states[:_LOOKED_AT] if Ability.FILES in backend.abilities else ():
        files = backend.list_files(state)
        if sizes := [file.size for file in files if file.name.endswith(".safetensors")]:
            return max(sizes)
    return None
