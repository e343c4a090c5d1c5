"""`Activity`: the log, the GPUs and the newest samples of a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from aitk_nb.errors import AitkError
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.samples import Samples, prompts_of
from aitk_nb.models.server import Ability, Gpu

_LINES = 6


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
        self.log = ""
        """The last lines of the log."""
        self.gpus: tuple[Gpu, ...] = ()
        """The GPUs of the job."""
        self.samples = Samples(())
        """The samples, of which the newest can be shown."""

    @property
    def has_log(self) -> bool:
        """True if the server shows the log."""
        return self._job.can(Ability.LOG)

    @property
    def makes_samples(self) -> bool:
        """True if the job makes samples that the server shows."""
        return self._job.can(Ability.SAMPLES) and bool(prompts_of(self._job.state.config))

    def refresh(self, *, at_once: bool = False) -> None:
        """Read what may have changed, or all; never fails for what the server says."""
        for ability, (every, read) in self._reads.items():
            now = self._clock()
            due = at_once or now >= self._due.get(ability, now)
            if self._job.can(ability) and due:
                self._due[ability] = now + every
                # The job's health reports what is wrong with it or its server.
                with suppress(AitkError):
                    read()

    def _read_log(self) -> None:
        self.log = self._job.log(tail=_LINES)

    def _read_gpus(self) -> None:
        self.gpus = self._job.gpus()

    def _read_samples(self) -> None:
        self.samples = self._job.samples()


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
