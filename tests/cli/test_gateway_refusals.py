"""A gateway that begins to refuse in the middle is told as that, with exit 4, by every command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb.errors import Unauthorized
from aitk_nb.jobs.watcher import Watcher
from aitk_nb.views import JobMonitor
from tests.cli.command import run
from tests.proxy import FaultProxy

HTML = {"Content-Type": "text/html; charset=utf-8"}
Refusal = tuple[int, dict[str, str], bytes]
"""Status, headers and body of a gateway's answer."""

LOGIN = (302, {"Location": "https://sso.example/login?rd=secret-state"}, b"")
FORMS: dict[str, Refusal] = {
    "a redirect to a login": LOGIN,
    "a redirect on the host": (307, {"Location": "/oauth2/sign_in?rd=%2Fapi"}, b""),
    "another host": (302, {"Location": "https://idp.example/?app=7"}, b""),
    "a page": (403, HTML, b"<title>403 Forbidden</title>"),
    "words": (403, {"Content-Type": "text/plain"}, b"RBAC: access denied"),
    "JSON": (403, {"Content-Type": "application/json"}, b'{"message": "Forbidden"}'),
    "nothing": (403, {}, b""),
    "a login page": (200, HTML, b"<form><input name=p type='password'></form>"),
    "a challenge": (401, {"WWW-Authenticate": "Basic realm=x"}, b""),
    "a captive portal": (511, HTML, b"<html>Welcome to the hotel</html>"),
}
TRAIN = ("train", "--name", "refused", "--dataset", "plain", "--resolution", "64", "--steps", "3")
ROW = {
    "id": "1", "name": "refused", "status": "running", "step": 2, "info": "Training", "pid": 7,
    "job_config": "{}", "gpu_ids": "0",
}  # fmt: skip


@pytest.fixture
def proxy(url: str) -> Iterator[FaultProxy]:
    """A gateway in front of the server of the tests."""
    with FaultProxy(url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def job(url: str, dataset: str) -> str:
    """The name of a job that has completed."""
    return str(run(*TRAIN, "--wait", "--every", "0.2", "--url", url).out.strip())


def told(err: str, seen: str) -> None:
    """Check that the refusal is told as the gateway's, and nothing else is claimed."""
    assert f"answers {seen}" in err
    assert "A gateway in front of a server refuses like this" in err
    assert "ended as" not in err
    assert "does not answer" not in err
    assert "older" not in err
    assert "secret-state" not in err


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_refusal(proxy: FaultProxy, form: str, after: int) -> None:
    """At first contact, and once the server has been seen."""
    status, headers, body = FORMS[form]
    proxy.answer(".*", ".*", status, headers, body, after=after)
    ran = run("jobs", "--url", proxy.url, code=4)

    told(ran.err, "with ")
    assert 1 == len(ran.err.splitlines())


@pytest.mark.parametrize("after", [2, 4, 5, 12])
@pytest.mark.parametrize("form", ["a redirect to a login", "a login page"])
@pytest.mark.parametrize("command", ["download", "losses"])
def test_a_command_is_refused_at_any_of_its_requests(
    proxy: FaultProxy, job: str, command: str, form: str, after: int, tmp_path: Path
) -> None:
    """Or has all that it needs before that."""
    proxy.answer(".*", ".*", *FORMS[form], after=after)
    more = ("--out", tmp_path) if command == "download" else ()
    refused = after < (12 if command == "download" else 5)
    ran = run(command, job, *more, "--url", proxy.url, code=4 if refused else 0)

    if refused:
        told(ran.err, "with ")
        assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["a redirect to a login", "a page"])
def test_an_upload_is_refused(proxy: FaultProxy, photos: Path, form: str) -> None:
    """At once, and not as so many files that did not arrive."""
    proxy.answer("POST", "/api/datasets/upload", *FORMS[form])
    ran = run("dataset", "upload", photos, "--name", "half", "--url", proxy.url, code=4)

    told(ran.err, "with ")
    assert "did not arrive" not in ran.err


def test_a_dataset_is_refused_while_it_comes(
    proxy: FaultProxy, dataset: str, tmp_path: Path
) -> None:
    """The same for many files at a time."""
    proxy.answer("GET", "/api/(img|files)/.*", *LOGIN, after=2)
    got = ("dataset", "download", dataset, "--out", tmp_path, "--url", proxy.url)
    told(run(*got, code=4).err, "with a redirect to https://sso.example/login")


def trains(proxy: FaultProxy, form: Refusal) -> None:
    """Let a job train for three requests, and refuse from then on."""
    listed = json.dumps({"jobs": [ROW]}).encode()
    kind = {"Content-Type": "application/json"}
    proxy.answer("GET", r"/api/jobs(\?job_type=train)?", 200, kind, listed, times=1)
    proxy.answer("GET", r"/api/jobs\?id=.*", 200, kind, json.dumps(ROW).encode(), times=3)
    points = b'{"key": "loss/loss", "keys": [], "points": []}'
    proxy.answer("GET", "/api/jobs/1/loss.*", 200, kind, points, times=6)
    proxy.answer("GET", "/api/jobs.*", *form)


@pytest.mark.parametrize("form", ["a redirect to a login", "a page", "nothing"])
def test_watching_ends_with_the_refusal(proxy: FaultProxy, form: str) -> None:
    """It is not waited for as a server that is away, and the job is not called failed."""
    trains(proxy, FORMS[form])
    ran = run("watch", "refused", "--every", "0.1", "--url", proxy.url, code=4)

    told(ran.err, "with ")
    assert "Trying again" not in ran.err


@pytest.mark.parametrize("form", ["a redirect to a login", "a page"])
def test_waiting_for_a_start_ends_with_the_refusal(proxy: FaultProxy, job: str, form: str) -> None:
    """`train --wait` of a job that exists: it attaches, waits, and is refused."""
    kind = {"Content-Type": "application/json"}
    with aitk_nb.connect(proxy.url) as client:
        state = client.jobs.get(job).state
    row = {**ROW, "id": state.id, "job_config": json.dumps(state.config)}
    body = json.dumps({"jobs": [row]}).encode()
    proxy.answer("GET", r"/api/jobs(\?job_type=train)?", 200, kind, body)
    proxy.answer("GET", r"/api/jobs\?id=.*", 200, kind, json.dumps(row).encode(), times=3)
    proxy.answer("GET", r"/api/jobs\?id=.*", *FORMS[form])

    told(run(*TRAIN, "--wait", "--every", "0.1", "--url", proxy.url, code=4).err, "with ")


@pytest.mark.parametrize("form", ["a redirect to a login", "a page", "a login page"])
def test_the_monitor_ends_with_the_refusal(proxy: FaultProxy, form: str) -> None:
    """In a notebook as on the command line."""
    trains(proxy, FORMS[form])
    with aitk_nb.connect(proxy.url) as client:
        job = client.jobs.get("refused")
        with pytest.raises(Unauthorized, match="gateway") as caught:
            asyncio.run(JobMonitor(job).watch(every=0.1))

    assert caught.value.gateway.startswith("with ")


def test_a_refused_file_of_the_server_is_no_gateways(proxy: FaultProxy, job: str) -> None:
    """The server's own 403, of a file outside its folders, in each of its forms."""
    for headers in ({}, {"Content-Type": "text/plain;charset=UTF-8"}):
        proxy.clear()
        proxy.answer("GET", "/api/files/.*", 403, headers, b"Access denied")
        ran = run("download", job, "--url", proxy.url, code=1)
        assert "Access denied" in ran.err
        assert "gateway" not in ran.err


def test_a_server_that_is_away_is_still_waited_for(proxy: FaultProxy) -> None:
    """502 is no refusal: the watcher goes on, and sees the job again."""
    trains(proxy, (502, HTML, b"<html>Bad gateway</html>"))
    with aitk_nb.connect(proxy.url) as client:
        watcher = Watcher(client.jobs.get("refused"), 0.1)
        states = [watcher.update().health.state.value for _ in range(4)]

    assert "unreachable" == states[-1]
