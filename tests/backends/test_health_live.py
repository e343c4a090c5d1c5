"""Health of jobs whose processes and servers really are killed, stopped, starved and spoilt.

A monitor watches each of them beside, and has to say the same.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.models.job import JobStatus
from aitk_nb.views import JobMonitor
from tests.cli.command import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals"),
]

FRAIL = Path(__file__).with_name("frail.py")
PATIENCE = 120.0
"""Seconds that something may take on a busy machine."""


class Frail(demo.DemoServer):
    """An embedded server with the frail trainer, whose worker can die alone."""

    worker: Any = None

    def __init__(self, data: Path, port: int = 0) -> None:
        super().__init__(data, port=port, command=(sys.executable, str(FRAIL)))

    def _serve(self, store: Any, worker: Any, listener: Any, undo: Any) -> None:
        self.worker = worker
        super()._serve(store, worker, listener, undo)

    def lose_worker(self) -> None:
        """End the thread that looks after queues and trainers, and nothing else."""
        self.worker._stopping.set()
        self.worker._thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Frail]:
    """A running one."""
    with Frail(tmp_path).start() as server:
        yield server


@pytest.fixture
def client(server: Frail) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client; its jobs are gone afterwards."""
    with aitk_nb.connect(server.url) as client:
        yield client
        for job in client.jobs.list():
            job.delete()


class Listener:
    """A monitor that watches a job in a thread, and all that it says is wrong."""

    def __init__(self, url: str, name: str) -> None:
        self.said = ""
        self._where = (url, name)
        self._begun = threading.Event()
        """Set once the monitor has looked at the job."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()))

    async def _watch(self) -> None:
        url, name = self._where
        with aitk_nb.connect(url) as client:
            monitor = JobMonitor(client.jobs.get(name))
            watching = asyncio.ensure_future(monitor.watch(every=0.5))
            while not watching.done():
                if monitor.panel is not None:
                    self._begun.set()
                if (panel := monitor.panel) is not None:
                    text = panel._health.value
                    self.said += text if text not in self.said else ""
                await asyncio.sleep(0.05)
            self.said += (await watching)._repr_html_()

    def __enter__(self) -> Listener:
        self._thread.start()
        assert self._begun.wait(PATIENCE)
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.join(PATIENCE)

    def until_says(self, words: str, seconds: float = PATIENCE) -> None:
        """Wait until it has said `words`."""
        end = time.monotonic() + seconds
        while words not in self.said:
            assert time.monotonic() < end, self.said
            time.sleep(0.05)


def started(client: aitk_nb.AIToolkitClient, photos: Path, act: str) -> aitk_nb.Job:
    """Return a job that trains."""
    dataset = client.datasets.upload(photos, "cats").name
    params = {"name": f"frail_{act}", "dataset": dataset, "steps": 10**6, "extra": f"act: {act}"}
    job = client.jobs.start(aitk_nb.TrainingParams.model_validate(params))
    until(job, HealthState.TRAINING)
    while job.refresh().step < 5:
        time.sleep(0.05)
    return job


def until(job: aitk_nb.Job, state: HealthState, seconds: float = PATIENCE) -> Health:
    """Return the health as soon as it has that state, and fail if it does not in time."""
    end = time.monotonic() + seconds
    while (health := job.health()).state is not state:
        assert time.monotonic() < end, health
        time.sleep(0.3)
    return health


def test_a_trainer_that_is_killed_has_failed(client: aitk_nb.AIToolkitClient, photos: Path) -> None:
    """The worker sees it end; the likely reason is given, and what the server says."""
    job = started(client, photos, "steady")
    assert job.state.pid is not None
    with Listener(client.url, job.name) as monitor:
        os.kill(job.state.pid, signal.SIGKILL)
        health = until(job, HealthState.FAILED)
        monitor.until_says("killed from outside")
    assert "killed from outside" in health.text
    assert "SIGKILL" in health.text


def test_a_trainer_that_stands_still_is_stalled_and_no_more_is_claimed(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """Within the time learned from its 50 steps a second; it trains again when it goes on."""
    job = started(client, photos, "steady")
    assert job.state.pid is not None
    with Listener(client.url, job.name) as monitor:
        os.kill(job.state.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            health = until(job, HealthState.STALLED)
            assert time.monotonic() - began >= 9.0
            assert "The process hangs or has died" in health.text
            monitor.until_says("The process hangs or has died")
        finally:
            os.kill(job.state.pid, signal.SIGCONT)
        until(job, HealthState.TRAINING)
        job.stop()


def test_a_trainer_that_is_killed_while_the_worker_is_dead_is_stalled_and_can_be_repaired(
    client: aitk_nb.AIToolkitClient, server: Frail, photos: Path
) -> None:
    """Its row says running for ever; nothing tells that from a process that hangs."""
    job = started(client, photos, "steady")
    assert job.state.pid is not None
    server.lose_worker()
    with Listener(client.url, job.name) as monitor:
        os.kill(job.state.pid, signal.SIGKILL)
        health = until(job, HealthState.STALLED)
        assert JobStatus.RUNNING is job.state.status
        assert health.can_be_repaired
        monitor.until_says("The process hangs or has died")
        assert job.repair(confirmed=True).status is JobStatus.STOPPED
    assert job.health().state is HealthState.STOPPED


def test_a_loss_that_is_no_number_has_diverged(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """As soon as three in a row are none."""
    job = started(client, photos, "nan")
    with Listener(client.url, job.name) as monitor:
        health = until(job, HealthState.DIVERGED)
        assert "NaN or infinite" in health.text
        monitor.until_says("NaN or infinite")
        job.stop()


def test_a_full_disk_is_named(client: aitk_nb.AIToolkitClient, photos: Path) -> None:
    """By a write that really found no space."""
    dataset = client.datasets.upload(photos, "cats").name
    params = aitk_nb.TrainingParams.model_validate(
        {"name": "frail_full", "dataset": dataset, "steps": 10**6, "extra": "act: full"}
    )
    job = client.jobs.start(params)
    with Listener(client.url, job.name) as monitor:
        health = until(job, HealthState.FAILED)
    assert "disk is full" in monitor.said
    assert "Delete old checkpoints" in monitor.said
    assert "disk is full" in health.text
    assert "Delete old checkpoints" in health.remedy


def test_a_server_that_is_away_is_unreachable_and_nothing_is_said_of_the_job(
    tmp_path: Path, photos: Path
) -> None:
    """And when it is back, the time of its absence counts for nothing."""
    server = Frail(tmp_path).start()
    port = int(server.url.rpartition(":")[2])
    with aitk_nb.connect(server.url) as client:
        job = started(client, photos, "steady")
        with Listener(server.url, job.name) as monitor:
            server.stop()
            health = until(job, HealthState.UNREACHABLE)
            assert "may still be running" in health.text
            monitor.until_says("may still be running")
            with Frail(tmp_path, port).start():
                assert until(job, HealthState.STOPPED).remedy
                monitor._thread.join(PATIENCE)
                assert "stopped" in monitor.said


def test_a_server_that_takes_requests_and_never_answers_is_unreachable_in_time(
    tmp_path: Path, photos: Path
) -> None:
    """The process is stopped and its port is open, as with a network that swallows packets."""
    with served(tmp_path) as (url, process), aitk_nb.connect(url) as client:
        dataset = client.datasets.upload(photos, "cats").name
        given = {"name": "long", "dataset": dataset, "steps": 10**6, "resolution": 64}
        job = client.jobs.start(aitk_nb.TrainingParams.model_validate(given))
        until(job, HealthState.TRAINING)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            health = until(job, HealthState.UNREACHABLE)
            assert "did not answer in time" in health.text
        finally:
            os.kill(process.pid, signal.SIGCONT)
        # Its trainer went on all the time.
        until(job, HealthState.TRAINING)
        job.delete()
