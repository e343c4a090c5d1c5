"""How soon a job's health is right: `python tests/benchmarks/bench_watching.py`.

Processes are killed, stopped, starved and spoilt, and a server is silent for a minute; each figure
is the time from the fact to the first look that says so, with a look each half second. The
stall's is compared with the time that the job's own speed makes it wait.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import aitk_nb  # noqa: E402
from aitk_nb.jobs.health import HealthState  # noqa: E402
from tests.backends.test_health_live import Frail  # noqa: E402
from tests.cli.command import served  # noqa: E402

SOON = 10.0
STALL = 10.0  # what 50 steps a second make it wait
AWAY = 60.0


def main() -> int:
    """Print the figures, and return 1 if one of them is later than promised."""
    if hasattr(os, "getloadavg"):
        _print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    late = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Frail(Path(folder)).start() as server,
        aitk_nb.connect(server.url) as client,
    ):
        late += _faults(client)
        late += _without_worker(client, server)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (url, process),
        aitk_nb.connect(url) as client,
    ):
        late += _silence(client, process.pid)
    return int(late > 0)


def _faults(client: aitk_nb.AIToolkitClient) -> int:
    killed = _started(client, "killed")
    late = _timed("trainer killed", killed, HealthState.FAILED, _kill(killed, signal.SIGKILL))
    spoilt = _started(client, "nan")
    late += _timed("no number from step 31 on", spoilt, HealthState.DIVERGED, lambda: None)
    spoilt.stop()
    full = _started(client, "full", wait=False)
    late += _timed("disk full after ten steps", full, HealthState.FAILED, lambda: None)
    still = _started(client, "still")
    stop = _kill(still, signal.SIGSTOP)
    late += _timed("trainer stopped", still, HealthState.STALLED, stop, STALL + SOON)
    _kill(still, signal.SIGCONT)()
    late += _timed("trainer goes on", still, HealthState.TRAINING, lambda: None)
    still.stop()
    return late


def _without_worker(client: aitk_nb.AIToolkitClient, server: Frail) -> int:
    job = _started(client, "orphan")
    server.lose_worker()
    kill = _kill(job, signal.SIGKILL)
    late = _timed("trainer killed, worker dead", job, HealthState.STALLED, kill, STALL + SOON)
    job.repair(confirmed=True)
    return late


def _silence(client: aitk_nb.AIToolkitClient, pid: int) -> int:
    job = _started(client, "steady", resolution=64)
    late = _timed(
        "server silent", job, HealthState.UNREACHABLE, lambda: os.kill(pid, signal.SIGSTOP)
    )
    time.sleep(AWAY)
    back = lambda: os.kill(pid, signal.SIGCONT)  # noqa: E731
    late += _timed(f"server back after {AWAY:.0f} s", job, HealthState.TRAINING, back)
    job.stop()
    return late


def _started(
    client: aitk_nb.AIToolkitClient, act: str, *, wait: bool = True, resolution: int = 512
) -> aitk_nb.Job:
    dataset = client.datasets.upload(aitk_nb.example_photos(), "photos").name
    given = {
        "name": act,
        "dataset": dataset,
        "steps": 10**6,
        "extra": f"act: {act}",
        "resolution": resolution,
    }
    job = client.jobs.start(aitk_nb.TrainingParams.model_validate(given))
    while wait and job.refresh().step < 5:
        time.sleep(0.05)
    job.health()
    return job


def _kill(job: aitk_nb.Job, number: int) -> Callable[[], None]:
    def act() -> None:
        assert job.state.pid is not None
        os.kill(job.state.pid, number)

    return act


def _timed(
    what: str,
    job: aitk_nb.Job,
    state: HealthState,
    act: Callable[[], object],
    limit: float = SOON,
) -> int:
    act()
    began = time.monotonic()
    while job.health().state is not state and time.monotonic() - began < 3 * limit:
        time.sleep(0.5)
    seconds = time.monotonic() - began
    verdict = "" if seconds <= limit else "  MISSED"
    _print(f"{what}: {state.value} after {seconds:.1f} s, at most {limit:.0f}{verdict}")
    return int(seconds > limit)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
