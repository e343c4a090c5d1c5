"""Health of jobs whose processes and servers really are killed, stopped, starved and spoilt."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.health import Health, HealthState
from aitk_nb.models import JobStatus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

FRAIL = Path(__file__).with_name("frail.py")
SOON = 10.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """An embedded server whose trainer is the frail one."""
    data = tmp_path_factory.mktemp("frail")
    with demo.DemoServer(data, command=(sys.executable, str(FRAIL))).start() as server:
        yield server


@pytest.fixture
def client(server: demo.DemoServer) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client; its jobs are gone afterwards."""
    with aitk_nb.connect(server.url) as client:
        yield client
        for job in client.jobs.list():
            job.delete()


def started(client: aitk_nb.AIToolkitClient, photos: Path, act: str) -> aitk_nb.Job:
    """Return a job that trains."""
    dataset = client.datasets.upload(photos, "cats").name
    params = {"name": f"frail_{act}", "dataset": dataset, "steps": 10**6, "extra": f"act: {act}"}
    job = client.jobs.start(aitk_nb.TrainingParams.model_validate(params))
    until(job, HealthState.TRAINING, 20.0)
    while job.refresh().step < 5:
        time.sleep(0.05)
    return job


def until(job: aitk_nb.Job, state: HealthState, seconds: float = SOON) -> Health:
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
    os.kill(job.state.pid, signal.SIGKILL)
    health = until(job, HealthState.FAILED)
    assert "killed from outside" in health.text
    assert "SIGKILL" in health.text


def test_a_trainer_that_stands_still_is_stalled_and_no_more_is_claimed(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """Within the time learned from its 50 steps a second; it trains again when it goes on."""
    job = started(client, photos, "steady")
    assert job.state.pid is not None
    os.kill(job.state.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        health = until(job, HealthState.STALLED, 25.0)
        assert 9.0 <= time.monotonic() - began <= 20.0
        assert "hangs or is dead; the server does not say" in health.text
    finally:
        os.kill(job.state.pid, signal.SIGCONT)
    until(job, HealthState.TRAINING)


def test_a_job_whose_trainer_and_worker_both_died_is_stalled_and_can_be_repaired(
    client: aitk_nb.AIToolkitClient, server: demo.DemoServer, photos: Path
) -> None:
    """Its row says running for ever; nothing tells that from a process that hangs."""
    job = started(client, photos, "steady")
    job.stop()
    path = next(server.data.glob("*.db"))
    with closing(sqlite3.connect(path, timeout=30)) as db, db:
        row = "status = 'running', info = 'Training', stop = 0"
        db.execute(f"UPDATE Job SET {row} WHERE name = ?", [job.name])
    began = time.monotonic()
    until(job, HealthState.STALLED, 25.0)
    assert time.monotonic() - began >= 9.0
    assert job.repair(confirmed=True).status is JobStatus.STOPPED
    assert job.health().state is HealthState.STOPPED


def test_a_loss_that_is_no_number_has_diverged(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """As soon as three in a row are none."""
    job = started(client, photos, "nan")
    health = until(job, HealthState.DIVERGED)
    assert "no number any more" in health.text


def test_a_full_disk_is_named(client: aitk_nb.AIToolkitClient, photos: Path) -> None:
    """By a write that really found no space."""
    dataset = client.datasets.upload(photos, "cats").name
    params = aitk_nb.TrainingParams.model_validate(
        {"name": "frail_full", "dataset": dataset, "steps": 10**6, "extra": "act: full"}
    )
    health = until(client.jobs.start(params), HealthState.FAILED, 20.0)
    assert "disk is full" in health.text
    assert "Delete old checkpoints" in health.remedy


def test_a_server_that_is_away_is_unreachable_and_nothing_is_said_of_the_job(
    tmp_path: Path, photos: Path
) -> None:
    """And when it is back, the time of its absence counts for nothing."""
    command = (sys.executable, str(FRAIL))
    server = demo.DemoServer(tmp_path, command=command).start()
    port = int(server.url.rpartition(":")[2])
    with aitk_nb.connect(server.url) as client:
        job = started(client, photos, "steady")
        server.stop()
        health = until(job, HealthState.UNREACHABLE)
        assert "may go on all the same" in health.text
        time.sleep(1.0)
        with demo.DemoServer(tmp_path, port=port, command=command).start():
            assert until(job, HealthState.STOPPED).remedy
