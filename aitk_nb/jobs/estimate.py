"""`Estimate`: how long a training takes and what it costs, by what the server measured before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from aitk_nb.jobs.progress import seconds_per_step
from aitk_nb.models.job import JobState
from aitk_nb.models.server import Ability
from aitk_nb.training.config_paths import MISSING, value_at
from aitk_nb.training.job_config import draft

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.training.params import TrainingParams

__all__ = ["Estimate", "estimate"]

_SAME_WORK = (
    "model.arch",
    "datasets.0.resolution",
    "train.batch_size",
    "train.gradient_accumulation",
)
"""What two jobs must share for a step of one to take as long as a step of the other."""

_SAME_SIZE = ("model.arch", "network", "save.dtype")
"""What two jobs must share for their checkpoints to be of one size."""

SUFFIX = ".safetensors"

_LOOKED_AT = 20
"""Jobs whose files are looked at; each is a request."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training takes by earlier jobs of the same kind; what is not known is None."""

    seconds: float | None = None
    """Seconds of training alone."""
    per_step: float | None = None
    """Seconds for a step: the median of what the server last measured in these jobs."""
    jobs: tuple[str, ...] = ()
    """The names of the jobs that were measured."""
    price_per_hour: float | None = None
    """Money for an hour, as it was given."""
    checkpoint_size: int | None = None
    """Bytes of a checkpoint of an earlier job with the same network."""

    @property
    def money(self) -> float | None:
        """What the training costs, in the currency of the price."""
        if self.seconds is None or self.price_per_hour is None:
            return None
        return self.seconds / 3600 * self.price_per_hour

    def __str__(self) -> str:
        if self.seconds is None or self.per_step is None:
            return "unknown: no earlier job here has the same architecture and resolution"
        count = f"{len(self.jobs)} earlier job{'s' * (len(self.jobs) != 1)}"
        text = f"about {_duration(self.seconds)} ({self.per_step:.3g} s a step, by {count})"
        if self.money is not None:
            text += f", which costs {self.money:.2f} at {self.price_per_hour:.2f} an hour"
        return f"{text}; loading the model, samples and saving come on top"


def estimate(
    backend: Backend, params: TrainingParams, price_per_hour: float | None = None
) -> Estimate:
    """Return what the training takes, as far as earlier jobs on the server tell.

    A job counts for the time if it has the same architecture, resolutions, batch size and
    accumulation, and for the size if it has the same architecture and network.
    """
    if Ability.LIST_JOBS not in backend.abilities:
        return Estimate(price_per_hour=price_per_hour)
    process = _process(draft(params).config)
    jobs = backend.list_jobs()
    paces = {
        state.name: pace
        for state in jobs
        if (pace := seconds_per_step(state.speed)) and _shares(state, process, _SAME_WORK)
    }
    per_step = median(paces.values()) if paces else None
    return Estimate(
        seconds=None if per_step is None else per_step * params.steps,
        per_step=per_step,
        jobs=tuple(paces),
        price_per_hour=price_per_hour,
        checkpoint_size=_size(
            backend, [state for state in jobs if _shares(state, process, _SAME_SIZE)]
        ),
    )


def _process(config: Mapping[str, Any]) -> Any:
    return value_at(config, "config.process.0")


def _shares(state: JobState, process: Any, paths: Sequence[str]) -> bool:
    theirs = _process(state.config)
    return all(_plain(value_at(theirs, path)) == _plain(value_at(process, path)) for path in paths)


def _plain(value: Any) -> Any:
    # One number where a list is meant, and a list in another order, is the same to the trainer.
    if value is MISSING or isinstance(value, dict):
        return value
    return sorted(map(str, value)) if isinstance(value, list) else [str(value)]


def _size(backend: Backend, states: Sequence[JobState]) -> int | None:
    """Return the bytes of a checkpoint of the newest of these jobs that has one."""
    if Ability.FILES not in backend.abilities:
        return None

    for state in states[:_LOOKED_AT]:
        if sizes := [file.size for file in backend.list_files(state) if file.name.endswith(SUFFIX)]:
            return max(sizes)
    return None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
