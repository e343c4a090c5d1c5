"""Stopping on the embedded server: slow saves, processes that live on, and lost exit handlers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.demo.trainer.files import safetensors_read
from aitk_nb.errors import AitkError
from aitk_nb.jobs.health import HealthState
from aitk_nb.models.job import JobStatus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


def training(client: aitk_nb.AIToolkitClient, photos: Path, name: str) -> aitk_nb.Job:
    """Return a job that trains, and does so for long."""
    client.datasets.upload(photos, "cats")
    params = aitk_nb.TrainingParams(
        name=name, dataset="cats", steps=10**6, save_every=10**6, resolution=64, rank=2, prompts=()
    )
    job = client.jobs.start(params)
    while job.refresh().step < 3:
        time.sleep(0.05)
    return job


def is_alive(pid: int | None) -> bool:
    """Return whether a process is there, and is more than its number."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and " Z " not in state.read_text("ascii", "replace")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[demo.DemoServer]:
    """One as it is by default."""
    with demo.start(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    "seconds", [1.0, pytest.param(5.0, marks=pytest.mark.slow)], ids=["1 s", "5 s"]
)
def test_a_slow_save_is_complete_before_the_job_is_stopped(
    tmp_path: Path, photos: Path, seconds: float
) -> None:
    """A stop when the flag falls would leave half of a file; and the process lives on."""
    with (
        demo.start(tmp_path, save_seconds=seconds) as server,
        aitk_nb.connect(server.url) as client,
    ):
        job = training(client, photos, "slow")
        asked_at, pid = job.refresh().step, job.state.pid
        assert is_alive(pid)
        assert client.gpus()[0].memory_used > 4096

        state = job.stop(save=True)

        assert not is_alive(pid)
        assert client.gpus()[0].memory_used < 4096
        assert JobStatus.STOPPED is state.status
        assert state.step >= asked_at
        assert (f"slow_{state.step:09d}.safetensors",) == job.saved
        content = (server.data / "output" / "slow" / job.saved[0]).read_bytes()
        assert f'"step": {state.step}' in safetensors_read(content)[1]["training_info"]


@pytest.mark.slow
def test_a_stop_when_the_save_begins_leaves_half_of_a_file_or_nothing(
    tmp_path: Path, photos: Path
) -> None:
    """The embedded server is as awkward as the real one."""
    with demo.start(tmp_path, save_seconds=1.0) as server, aitk_nb.connect(server.url) as client:
        job = training(client, photos, "lost")
        job.save_now()
        while job.refresh().save_requested:
            time.sleep(0.01)
        job.stop()

        assert () == tuple(file for file in job.files() if file.name == "optimizer.pt")


@pytest.mark.slow
def test_a_trainer_that_dies_after_its_worker_was_restarted(
    server: demo.DemoServer, photos: Path
) -> None:
    """Stop, health and the queue name the remedy, which then frees the queue."""
    with aitk_nb.connect(server.url) as client:
        job = training(client, photos, "dead")
        params = job.params(name="waiting", steps=5, save_every=1)
        waiting = client.jobs.start(params)
        server.lose_exit_handlers()
        assert job.state.pid is not None
        os.kill(job.state.pid, signal.SIGKILL)
        while is_alive(job.state.pid):
            time.sleep(0.05)
        time.sleep(0.2)
        assert JobStatus.RUNNING is job.refresh().status

        with pytest.raises(AitkError, match=r"found no process.*`aitk-nb stop dead --force`"):
            job.stop()
        health = job.health()
        assert HealthState.DEAD is health.state
        assert "aitk-nb stop dead --force" in health.remedy
        blocked = waiting.health()
        assert HealthState.QUEUED is blocked.state
        assert "client.jobs.get('dead').repair(confirmed=True)" in blocked.remedy

        job.repair(confirmed=True)
        assert JobStatus.COMPLETED is waiting.wait(timeout=60, every=0.2).status
