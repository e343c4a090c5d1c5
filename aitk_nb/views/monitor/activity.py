"""`Activity`: the log, the GPUs and the newest samples of a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from aitk_nb.errors import AitkError
from aitk_nb.jobs.job import Job
from aitk_nb.models.job import Sample
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.views.plots.thumbnails import thumbnail

_LINES = 6
_SHOWN = 6  # samples
_EDGE = 200  # pixels of a thumbnail
_IMAGES = (".jpg", ".jpeg", ".png", ".webp")


class Thumbnail(NamedTuple):
    """A small image of a sample."""

    jpeg: bytes
    caption: str


class Activity:
    """What a job does besides training; what cannot be read stays as it was."""

    def __init__(self, job: Job, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        # Seconds between requests; the server itself polls its GPUs every 5 s.
        self._reads: dict[Ability, tuple[float, Callable[[], None]]] = {
            Ability.LOG: (0.0, self._read_log),
            Ability.GPUS: (5.0, self._read_gpus),
            Ability.SAMPLES: (8.0, self._read_samples),
        }
        self._due: dict[Ability, float] = {}
        self._newest: tuple[Sample, ...] = ()
        self.log = ""
        """The last lines of the log."""
        self.gpus: tuple[Gpu, ...] = ()
        """The GPUs of the job."""
        self.samples: tuple[Thumbnail, ...] = ()
        """The newest samples."""

    def refresh(self) -> None:
        """Read what may have changed; never fails for what the server says."""
        for ability, (every, read) in self._reads.items():
            now = self._clock()
            if self._job.can(ability) and now >= self._due.get(ability, now):
                self._due[ability] = now + every
                # The job's health reports what is wrong with it or its server.
                with suppress(AitkError):
                    read()

    def _read_log(self) -> None:
        self.log = self._job.log(tail=_LINES)

    def _read_gpus(self) -> None:
        self.gpus = self._job.gpus()

    def _read_samples(self) -> None:
        images = [one for one in self._job.samples() if one.name.lower().endswith(_IMAGES)]
        last = max((one.step for one in images), default=-1)
        newest = tuple(one for one in images if one.step == last)[:_SHOWN]
        if newest == self._newest:
            return
        jpegs = [thumbnail(self._job.sample_image(one), _EDGE) for one in newest]
        self.samples = tuple(
            Thumbnail(jpeg, f"step {one.step}, prompt {one.index + 1}")
            for one, jpeg in zip(newest, jpegs, strict=True)
            if jpeg
        )
        self._newest = newest


def gpu_line(gpus: Iterable[Gpu]) -> str:
    """Return memory, load and temperature of each GPU on a line, as far as they are known."""
    lines = []
    for gpu in gpus:
        parts = [f"GPU {gpu.index} {gpu.name}"]
        if gpu.memory_total:
            parts.append(f"{gpu.memory_used / 1024:.1f} of {gpu.memory_total / 1024:.0f} GiB")
        if gpu.utilization is not None:
            parts.append(f"{gpu.utilization} % busy")
        if gpu.temperature is not None:
            parts.append(f"{gpu.temperature} °C")
        lines.append(" · ".join(parts))
    return "\n".join(lines)
