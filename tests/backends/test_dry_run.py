"""A dry run: what it lists is what a start sends, and it sends none of it itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.errors import JobConflict, NotFound
from aitk_nb.jobs.start import IfExists
from aitk_nb.models.dry_run import DryRunReport
from aitk_nb.models.job import JobStatus
from tests.backends.test_jobs_live import acts, params
from tests.conftest import TOKEN
from tests.proxy import FaultProxy


@pytest.fixture
def proxy(stand_in_server: demo.DemoServer) -> Iterator[FaultProxy]:
    """A line to the server that keeps a log; jobs are gone afterwards."""
    with FaultProxy(stand_in_server.url) as proxy:
        yield proxy
    with aitk_nb.connect(stand_in_server.url) as client:
        for job in client.jobs.list():
            job.delete()


@pytest.fixture
def client(proxy: FaultProxy, photos: Path) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client behind that line, with a dataset."""
    with aitk_nb.connect(proxy.url) as client:
        client.datasets.upload(photos, "cats")
        proxy.log.clear()
        yield client


def listed(run: DryRunReport, job_id: str) -> list[str]:
    """Return the requests with the id that the server gave."""
    return [f"{one.method} {one.path}".replace("NEW_ID", job_id) for one in run.requests]


def sent(proxy: FaultProxy) -> list[str]:
    """Return the requests that changed something, or might have."""
    changing = re.compile(r"/api/jobs|/api/(jobs|queue)/.+/(start|stop|delete|mark_stopped)")
    return [
        f"{one.method} {one.path}"
        for one in proxy.log
        if changing.fullmatch(one.path) and (one.method, one.path) != ("GET", "/api/jobs")
    ]


def test_what_is_listed_is_what_is_sent(client: aitk_nb.AIToolkitClient, proxy: FaultProxy) -> None:
    """Request by request, and the body key by key."""
    meant = params("planned", trigger_word="zwx")
    run = client.jobs.plan(meant)
    assert [] == sent(proxy)
    assert "planned" not in [job.name for job in client.jobs.list()]

    job = client.jobs.start(meant)

    assert job.state.id
    assert listed(run, job.state.id) == sent(proxy)
    body = run.requests[0].body
    assert body is not None
    assert ("planned", "0") == (body["name"], body["gpu_ids"])
    assert job.state.config == json.loads(json.dumps(body["job_config"]))
    assert "Dry run: 'planned' created and started; number 1" in str(run)
    assert "NEW_ID stands for" in str(run)


def test_what_is_there_needs_no_request(client: aitk_nb.AIToolkitClient, proxy: FaultProxy) -> None:
    """Attaching sends nothing; another config is refused as it would be."""
    for _ in client.jobs.start(params("there")).watch(every=0.05, timeout=30):
        pass
    proxy.log.clear()
    run = client.jobs.plan(params("there"))

    assert () == run.requests
    assert "already exists (completed" in run.outcome
    with pytest.raises(JobConflict):
        client.jobs.plan(params("there", steps=9))
    with pytest.raises(NotFound, match="dogs"):
        client.jobs.plan(params("other", dataset="dogs"))
    assert [] == sent(proxy)


@pytest.mark.parametrize("if_exists", ["resume", "new"])
def test_resuming_and_renaming_are_planned_too(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy, if_exists: IfExists
) -> None:
    """With the row's own id, and with the name that it would get."""
    first = client.jobs.start(params("again"))
    for _ in first.watch(every=0.05, timeout=30):
        pass
    more = params("again", steps=8)
    proxy.log.clear()
    run = client.jobs.plan(more, if_exists=if_exists)
    assert [] == sent(proxy)

    job = client.jobs.start(more, if_exists=if_exists)

    assert job.state.id
    assert listed(run, job.state.id) == sent(proxy)
    assert run.name == job.name == ("again" if if_exists == "resume" else "again_2")
    assert ("NEW_ID" in str(run)) == (if_exists == "new")
    # The stand-in's checkpoint is not a real one, and shows no step.
    done = "resumed from again.safetensors," if if_exists == "resume" else "created and started;"
    assert run.outcome.startswith(f"Dry run: {job.name!r} {done}")
    assert (
        run.start_result == job.start_result == {"new": "created", "resume": "resumed"}[if_exists]
    )


def test_several_are_planned_as_one(client: aitk_nb.AIToolkitClient, proxy: FaultProxy) -> None:
    """The second finds the first one's name taken, and its place in the queue."""
    runs = client.jobs.plan_all([params("a"), params("b")])
    twice = client.jobs.plan_all([params("a"), params("a")], if_exists="new")

    assert ["a", "b"] == [run.name for run in runs]
    assert "number 2 in the queue of GPU 0; before it: 'a'" in runs[1].outcome
    assert ["a", "a_2"] == [run.name for run in twice]
    assert [] == sent(proxy) == acts(proxy.log)
    assert [] == [job.name for job in client.jobs.list()]


def test_a_dry_run_says_no_token(token_server: demo.DemoServer, photos: Path) -> None:
    """It is in no request, whatever is shown of it."""
    with aitk_nb.connect(token_server.url, token=TOKEN) as client:
        client.datasets.upload(photos, "cats")
        run = client.jobs.plan(params("secret"))

    assert 3 == len(run.requests)
    for text in (str(run), repr(run), str(run.as_dict()), str(run._repr_html_())):
        assert TOKEN not in text


def test_the_gpu_with_the_most_free_memory_is_taken_on_the_wire(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy
) -> None:
    """Its queue is the one that is started; what the card does not tell counts as nothing."""
    cards = [
        {"index": 0, "name": "full", "memory": {"total": 24576, "free": 1024, "used": 23552}},
        {"index": 1, "name": "free", "memory": {"total": 16384, "free": 16000, "used": 384}},
        {"index": 2, "name": "mute", "memory": {"total": None, "free": None, "used": None}},
    ]
    body = json.dumps({"hasNvidiaSmi": True, "gpus": cards}).encode()
    proxy.answer("GET", r"/api/gpu", 200, headers={"Content-Type": "application/json"}, body=body)
    job = client.jobs.start(params("placed"))

    assert "1" == job.state.gpu_ids
    assert "GET /api/queue/1/start" in sent(proxy)
    *_, last = job.watch(every=0.05, timeout=30)
    assert JobStatus.COMPLETED is last.status
    beside = client.jobs.preflight(params("beside", gpu_ids="1,2"))
    assert any("GPU 1,2 (free, 15.6 GiB free; mute)" in check.message for check in beside.checks)
