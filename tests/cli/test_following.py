"""`watch` and `stop`, on a job that would take very long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.command import run, start

LONG = ("--steps", "1000000", "--resolution", "64", "--rank", "2", "--save-every", "1000000")


@pytest.fixture
def job(url: str, dataset: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a long job; it is stopped at the end."""
    name = request.node.name
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
