"""What the demo server tells of its machine: the true processor, and one GPU that is pretended."""

import contextlib
import os
import platform
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

GPU_NAME = "Embedded demo (NumPy on CPU)"
TICK = 0.5
_HISTORY = int(120 / TICK)
_MIB = 1024 * 1024


def gpus(processes: int = 0) -> dict[str, object]:
    """Return one GPU in the shape of `nvidia-smi`; each trainer that lives uses some memory."""
    used = min(512 + 4096 * processes, 8192)
    gpu = {
        "index": 0,
        "name": GPU_NAME,
        "driverVersion": "0.0",
        "temperature": 41,
        "utilization": {"gpu": 0, "memory": 0},
        "memory": {"total": 8192, "free": 8192 - used, "used": used},
        "power": {"draw": 25.5, "limit": 100},
        "clocks": {"graphics": 300, "memory": 405},
        "fan": {"speed": 0},
    }
    return {"hasNvidiaSmi": True, "gpus": [gpu]}


class Cpu(TypedDict):
    """The processor and memory, as `/api/cpu` answers them; memory in MiB, load in percent."""

    name: str
    cores: int
    temperature: float
    totalMemory: float
    availableMemory: float
    freeMemory: float
    currentLoad: float


def cpu() -> Cpu:
    """Return the processor and memory of this machine, as far as they can be known."""
    cores = os.cpu_count() or 1
    load = 0.0
    with contextlib.suppress(OSError, AttributeError):
        load = min(100.0, 100.0 * os.getloadavg()[0] / cores)
    total, available, free = _memory()
    return {
        "name": platform.processor() or platform.machine() or "unknown",
        "cores": cores,
        "temperature": 0,
        "totalMemory": total / _MIB,
        "availableMemory": available / _MIB,
        "freeMemory": free / _MIB,
        "currentLoad": load,
    }


@dataclass
class Monitor:
    """Samples the machine at most once per tick, and remembers two minutes."""

    _latest: dict[str, object] = field(default_factory=dict)
    _taken: float = float("-inf")
    _history: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self) -> dict[str, object]:
        """Return the state now, or that of a moment ago."""
        with self._lock:
            if time.monotonic() - self._taken > TICK * 0.8:
                self._taken = time.monotonic()
                now, gpu = cpu(), {**gpus(), "isMac": False}
                stamp = time.time_ns() // 1_000_000
                self._latest = {"t": stamp, "cpu": now, "gpu": gpu}
                self._history.append(_point(stamp, now))
            return self._latest

    def history(self) -> list[dict[str, object]]:
        """Return load and memory of the last two minutes in which somebody looked."""
        with self._lock:
            return list(self._history)


def _point(stamp: int, now: Cpu) -> dict[str, object]:
    used = {"load": now["currentLoad"], "memUsedMb": now["totalMemory"] - now["availableMemory"]}
    return {"t": stamp, "cpu": used, "gpus": [{"load": 0, "memUsedMb": 512}]}


def _memory() -> tuple[float, float, float]:
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        found = {line.split(":")[0]: float(line.split()[1]) * 1024 for line in lines if ":" in line}
        return found["MemTotal"], found["MemAvailable"], found["MemFree"]
    with contextlib.suppress(OSError, ValueError, AttributeError):
        total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        return total, total, total
    return 0.0, 0.0, 0.0
