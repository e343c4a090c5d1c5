"""`GpuRelease`: waits until a process that has said its last words has left its GPU.

Why it is so: docs/behavior.md#jobs
"""

from collections.abc import Callable

from aitk_nb.backends.base import Backend
from aitk_nb.jobs.queue import gpus_of

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
