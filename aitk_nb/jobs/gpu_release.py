"""`GpuRelease`: waits until a process that has said its last words has left its GPU.

Why it is so: docs/behavior.md#jobs
"""

from __future__ import annotations

from collections.abc import Callable

from aitk_nb.backends.base import Backend
from aitk_nb.jobs.queue import gpus_of

LIVES_ON = 5.0
"""Seconds that a process lives on at most after its last words; nothing tells its end."""


class GpuRelease:
    """Notes how much memory the GPUs of a job use, and waits until it has fallen.

    Where no memory is shown, and where others use most of it, the time is waited that a process
    takes at most.
    """

    def __init__(self, backend: Backend, gpu_ids: str) -> None:
        """Note the memory; the job still runs, or has just been stopped."""
        self._backend = backend
        self._gpu_ids = gpu_ids.split(",")
        self._before = self._used()

    def wait(self, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        """Wait until less than half of the memory is used, but no longer than it can take."""
        until = clock() + LIVES_ON
        while clock() < until:
            if self._before and self._used() < self._before / 2:
                return
            sleep(min(0.5, until - clock()))

    def _used(self) -> int:
        gpus = gpus_of(self._backend)
        return sum(gpu.memory_used for gpu in gpus or () if str(gpu.index) in self._gpu_ids)
