"""`watch` and `stop`, on a job that would take very long."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cli.command import run, start

LONG = ("--steps", "1000000", "--resolution", "64", "--rank", "2", "--save-every", "1000000")


@pytest.fixture
def job(url: str, dataset: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a long job; it is stopped at the end."""
    name = "".join(sign for sign in request.node.name if sign.isalnum() or sign == "_")
    run("train", "--name", name, "--dataset", dataset, *LONG, "--url", url)
    yield name
    run("stop", name, "--url", url)


def _state(job: str, url: str) -> dict[str, Any]:
    states: list[dict[str, Any]] = run("jobs", "--url", url, "--json").json
    return next(state for state in states if state["name"] == job)


def test_watch_ends_when_somebody_stops_the_job(job: str, url: str) -> None:
    """It tells each phase once, and that the job did not complete."""
    with start("watch", job, "--every", "0.2", "--url", url, "--json") as watching:
        assert watching.stderr is not None
        told = [watching.stderr.readline() for _ in range(1)]
        while " running " not in told[-1]:
            told.append(watching.stderr.readline())
        stopped = run("stop", job, "--url", url, "--json").json
        out, err = watching.communicate(timeout=20)

    assert "stopped" == stopped["status"] == _state(job, url)["status"]
    assert 1 == watching.returncode
    assert f"{job} ended as stopped at step" in err
    assert '"status": "stopped"' in out
    assert len(set(told)) == len(told)


def test_stop_saves_first_when_asked(job: str, url: str) -> None:
    """The checkpoint of the last step is there, and can be downloaded."""
    while not _state(job, url)["step"]:
        pass
    ran = run("stop", job, "--save", "--url", url, "--json")
    summary = run("watch", job, "--url", url, "--json", code=1).json

    assert "stopping" in ran.err
    loras = [file["name"] for file in summary["files"] if file["name"].endswith(".safetensors")]
    assert [f"{job}_{ran.json['step']:09d}.safetensors"] == loras
    assert "stopped" == run("stop", job, "--url", url, "--json").json["status"]


@pytest.mark.skipif(os.name != "posix", reason="signals of a POSIX system")
@pytest.mark.parametrize("verb", ["watch", "train"])
def test_an_interrupt_says_how_the_job_is_stopped(
    job: str, url: str, dataset: str, verb: str
) -> None:
    """The job goes on; on stderr, with the exit code of an interrupt."""
    waiting = ("train", "--name", job, "--dataset", dataset, *LONG, "--wait")
    given = ("watch", job) if verb == "watch" else waiting
    with start(*given, "--every", "0.2", "--url", url) as process:
        assert process.stderr is not None
        while " step " not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert 130 == process.returncode
    assert f"aitk-nb: interrupted; the job keeps running; stop it with: aitk-nb stop {job}" in err
    assert _state(job, url)["status"] in {"queued", "running"}


@pytest.fixture
def zombie(url: str) -> Iterator[str]:
    """A job without anything to run: the server calls it running for ever, without a process."""
    body = {"id": None, "name": "zombie", "gpu_ids": "7", "job_config": {}}
    job_id = httpx.post(f"{url}/api/jobs", json=body).json()["id"]
    for path in (f"jobs/{job_id}/start", "queue/7/start"):
        httpx.get(f"{url}/api/{path}").raise_for_status()
    end = time.monotonic() + 20
    while httpx.get(f"{url}/api/jobs", params={"id": job_id}).json()["status"] != "running":
        assert time.monotonic() < end
        time.sleep(0.1)
    yield "zombie"
    httpx.get(f"{url}/api/jobs/{job_id}/mark_stopped")
    httpx.get(f"{url}/api/jobs/{job_id}/delete")


def test_a_zombie_is_marked_as_stopped_only_when_that_is_said(zombie: str, url: str) -> None:
    """Nobody can be asked in a script; its health is told first."""
    ran = run("stop", zombie, "--force", "--url", url, code=2)
    assert "pass --yes" in ran.err
    assert "running" == _state(zombie, url)["status"]
    ran = run("stop", zombie, "--force", "--yes", "--url", url, "--json")
    assert "stopped" == ran.json["status"]
    assert "loading: Loading at step 0: Starting job" in ran.err
    assert "stopped" == run("stop", zombie, "--force", "--url", url, "--json").json["status"]
    run("stop", zombie, "--force", "--save", "--url", url, code=2)
