"""`JobList`: jobs as a table, with nothing in it that a page or a terminal would obey."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb.demo import DemoServer
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.job_list import JobList
from aitk_nb.models.job import JobState, JobStatus


def jobs(*states: JobState) -> JobList:
    """Return the jobs of these states."""
    return JobList(Job(None, state) for state in states)  # type: ignore[arg-type]


def test_each_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, state, progress, age, GPU and type, as far as they are known."""
    monkeypatch.setattr(time, "time", lambda: 10_000.0)
    running = JobState("cat", JobStatus.RUNNING, 5, 20, gpu_ids="0,1", created=10_000 - 3720)
    caption = JobState("texts", JobStatus.QUEUED, job_type="caption")
    lines = repr(jobs(running, caption)).splitlines()
    assert [
        "name   state    progress       age         GPU  type",
        "cat    running  5 of 20 (25%)  1 h 02 min  0,1  train",
        "texts  queued   0                               caption",
    ] == lines
    page = jobs(running)._repr_html_()
    assert "5 of 20 (25%)" in page
    assert "1 h 02 min" in page


def test_names_of_a_server_are_only_text() -> None:
    """Escaped, on one line and bounded; of hundreds the first are shown."""
    evil = "<script>\n\x1b[31m\u202e" + "x" * 1000
    found = jobs(*[JobState(evil, JobStatus.RUNNING)] * 200)
    assert 200 == len(found)
    assert "<script" not in found._repr_html_()
    assert "and 150 more" in found._repr_html_()
    assert "\x1b" not in repr(found)
    assert "\u202e" not in repr(found)
    assert 52 == len(repr(found).splitlines())
    assert max(map(len, repr(found).splitlines())) < 150


def test_no_jobs() -> None:
    """Is said, and it is empty like any sequence."""
    assert "no jobs" == repr(jobs())
    assert "no jobs" in jobs()._repr_html_()
    assert not jobs()


def test_of_a_real_server(demo_server: DemoServer, photos: Path) -> None:
    """It is the sequence of jobs that it always was, and knows when each was made."""
    given = {"name": "listed", "dataset": "listing", "steps": 5, "resolution": 64}
    with aitk_nb.connect(demo_server.url) as client:
        client.datasets.upload(photos, "listing")
        job = client.jobs.start(aitk_nb.TrainingParams.model_validate(given))
        job.wait(every=0.1)
        found = client.jobs.list()
        assert "listed" == found[0].name
        assert isinstance(found, tuple)
        assert found[0].state.created is not None
        assert abs(found[0].state.created - time.time()) < 120
        assert re.search(r"(?m)^listed +completed +5 of 5 \(100%\) +\d", repr(found))
        job.delete()
