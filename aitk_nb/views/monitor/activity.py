"""`News`: what a job's server tells besides its state: log, GPUs and samples, kept small."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from aitk_nb.errors import AitkError
from aitk_nb.models.job import Sample
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.views.plots.thumbnails import thumbnail

if TYPE_CHECKING:
    from aitk_nb.jobs.job import Job

__all__ = ["News", "Thumbnail", "gpu_line"]

_LINES = 6
_SHOWN = 6  # samples
_EDGE = 200  # pixels of a thumbnail
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")
_GPUS_EVERY, _SAMPLES_EVERY = 5.0, 8.0  # the server itself looks at its GPUs each 5 s


class Thumbnail(NamedTuple):
    """A small picture of a sample."""

    jpeg: bytes
    caption: str


class News:
    """Looks at one job's surroundings; what cannot be had is left as it was."""

    def __init__(self, job: Job, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._due = {"gpus": 0.0, "samples": 0.0}
        self._newest: tuple[Sample, ...] = ()
        self.lines: tuple[str, ...] = ()
        """The last lines of its log."""
        self.gpus: tuple[Gpu, ...] = ()
        """The GPUs that it runs on."""
        self.samples: tuple[Thumbnail, ...] = ()
        """Its newest samples."""

    def look(self) -> None:
        """Ask for what may have changed; never fails for what the server says."""
        if self._job.can(Ability.LOG):
            with _quietly():
                self.lines = self._job.last_lines(_LINES)
        if self._job.can(Ability.GPUS) and self._is_due("gpus", _GPUS_EVERY):
            with _quietly():
                self.gpus = self._job.gpus()
        if self._job.can(Ability.SAMPLES) and self._is_due("samples", _SAMPLES_EVERY):
            with _quietly():
                self._look_at_samples()

    def _is_due(self, what: str, every: float) -> bool:
        if self._clock() < self._due[what]:
            return False
        self._due[what] = self._clock() + every
        return True

    def _look_at_samples(self) -> None:
        some = [one for one in self._job.samples() if one.name.lower().endswith(_PICTURES)]
        last = max((one.step for one in some), default=-1)
        newest = tuple(one for one in some if one.step == last)[:_SHOWN]
        if newest == self._newest:
            return
        found = [(one, thumbnail(self._job.picture(one), _EDGE)) for one in newest]
        self.samples = tuple(
            Thumbnail(jpeg, f"step {one.step}, prompt {one.index + 1}")
            for one, jpeg in found
            if jpeg
        )
        self._newest = newest


@contextmanager
def _quietly() -> Iterator[None]:
    # Health says what is wrong with the server or the job; this is only what stands beside it.
    try:
        yield
    except AitkError:
        return


def gpu_line(gpus: Iterable[Gpu]) -> str:
    """Return memory, load and temperature of GPUs in a line, as far as they are known."""
    lines = []
    for gpu in gpus:
        parts = [f"GPU {gpu.index} {gpu.name}"]
        if gpu.memory_total:
            used, total = gpu.memory_used / 1024, gpu.memory_total / 1024
            parts.append(f"{used:.1f} of {total:.0f} GiB")
        if gpu.utilization is not None:
            parts.append(f"{gpu.utilization} % busy")
        if gpu.temperature is not None:
            parts.append(f"{gpu.temperature} °C")
        lines.append(" · ".join(parts))
    return "\n".join(lines)
