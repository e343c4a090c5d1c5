"""Losses of long and of restarted jobs, out of a real database by way of a real server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.demo.trainer.loss_log import LossLog
from tests.proxy import FaultProxy

NAME = "long losses"
POINTS = 250_000
RESTARTS = (60_000, 120_000, 180_000)


@pytest.fixture
def proxy(demo_server: demo.DemoServer) -> Iterator[FaultProxy]:
    """A line to the embedded server that counts bytes."""
    with FaultProxy(demo_server.url) as proxy:
        yield proxy


@pytest.fixture
def job(proxy: FaultProxy, demo_server: demo.DemoServer) -> Iterator[aitk_nb.Job]:
    """A job that was created and never started, with an empty folder."""
    config = {"job": "extension", "config": {"name": NAME, "process": [{"type": "x"}]}}
    body = {"id": None, "name": NAME, "gpu_ids": "0", "job_config": config}
    httpx.post(f"{demo_server.url}/api/jobs", json=body).raise_for_status()
    (demo_server.data / "output" / NAME).mkdir(parents=True)
    with aitk_nb.connect(proxy.url) as client:
        job = client.jobs.get(NAME)
        yield job
        job.delete()


@pytest.fixture
def database(demo_server: demo.DemoServer) -> Path:
    """The path of the job's database."""
    return demo_server.data / "output" / NAME / "loss_log.db"


def fill(path: Path, points: int = POINTS) -> None:
    """Write a database of four runs, each of which took the trained steps of the last again."""
    LossLog(path).close()
    noise = np.random.default_rng(0).normal(0, 0.1, points)
    walls = 1.7e9 + np.arange(points) * 0.5
    for step in RESTARTS:
        walls[step + 1 :] += 600.0
    with closing(sqlite3.connect(path)) as db, db:
        steps = range(points)
        db.executemany("INSERT INTO steps VALUES (?, ?)", zip(steps, walls.tolist(), strict=True))
        for key, values in (("learning_rate", [1e-4] * points), ("loss/loss", noise.tolist())):
            rows = ((step, key, value, None) for step, value in enumerate(values))
            db.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", rows)
            db.execute("INSERT INTO metric_keys VALUES (?, 0, ?)", (key, points - 1))


def add(path: Path, first: int, count: int, value: float) -> None:
    """Let a run of the trainer log `count` steps, as it does after each start."""
    log = LossLog(path)
    for step in range(first, first + count):
        log.commit(step, {"loss/loss": value, "learning_rate": 1e-4})
    log.close()


@pytest.mark.slow
def test_all_of_a_long_job_comes(job: aitk_nb.Job, database: Path) -> None:
    """The frame is the database, and has four segments."""
    fill(database)
    history = job.losses()
    frame = history.frame()
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute(
            "SELECT step, wall_time, value_real FROM steps JOIN metrics USING (step)"
            " WHERE key = 'loss/loss' ORDER BY step"
        ).fetchall()
    assert [tuple(row) for row in frame[["step", "wall_time", "loss/loss"]].to_numpy()] == rows
    assert (frame["learning_rate"] == 1e-4).all()
    assert len(frame) == POINTS
    assert frame["segment"].nunique() == 4
    assert history.restarts == RESTARTS


def test_the_next_look_brings_only_what_is_new(
    job: aitk_nb.Job, proxy: FaultProxy, database: Path
) -> None:
    """Besides the last known point of each metric, which shows that nothing was rewritten."""
    fill(database, 30_000)
    history = job.losses()
    before = len(proxy.log)
    assert job.losses(history) == history
    assert sum(exchange.bytes_out for exchange in proxy.log[before:]) < 1000
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO steps VALUES (30000, 1.8e9)")
        db.execute("INSERT INTO metrics VALUES (30000, 'loss/loss', 0.5, NULL)")
    before = len(proxy.log)
    after = job.losses(history)
    assert len(after) == 30_001
    assert sum(exchange.bytes_out for exchange in proxy.log[before:]) < 1100


@pytest.mark.parametrize("count", [5, 60, 300])
def test_a_restart_is_noticed_wherever_the_new_run_stands(
    job: aitk_nb.Job, database: Path, count: int
) -> None:
    """Before, at and behind the last known step; the result is what a fresh look gives."""
    add(database, 1, 200, 1.0)
    history = job.losses()
    add(database, 151, count, 2.0)
    followed, fresh = job.losses(history), job.losses()
    assert followed.restarts == (150,)
    assert followed.frame().drop(columns="segment").equals(fresh.frame().drop(columns="segment"))
    spans = followed.frame().groupby("segment")["step"].agg(["min", "max"])
    assert [tuple(span) for span in spans.to_numpy()] == [(1, 150), (151, 150 + count)]
    assert followed.frame()["segment"].sum() == count
    assert job.losses(followed) == followed


def test_a_job_made_anew_under_its_name_starts_anew(job: aitk_nb.Job, database: Path) -> None:
    """Nothing of the old one stays."""
    add(database, 1, 50, 1.0)
    history = job.losses()
    for file in database.parent.glob("loss_log.db*"):
        file.unlink()
    add(database, 1, 20, 2.0)
    again = job.losses(history)
    assert (len(again), again.last, again.restarts) == (20, 2.0, ())
