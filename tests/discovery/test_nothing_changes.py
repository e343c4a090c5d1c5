"""Discovery and the check of authentication change nothing, in the middle of a training."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aitk_nb import TrainingParams, check_auth, connect, demo, discover
from aitk_nb.backends.webui.catalog import CATALOG
from tests import gradio_servers
from tests.conftest import TOKEN
from tests.gradio_servers import LOGIN, Caller, Form
from tests.proxy import FaultProxy

DATABASE = "aitk_db.db"

READS = {
    "/", "/config", "/docs", "/api/", "/api/auth", "/api/jobs?job_type=train", "/api/files/x",
    "/api/img/x", "/api/settings",
}  # fmt: skip
"""Requests of the web UI that may be GET: they only read (contract of the web UI, section 6)."""

GRADIO_READS = (
    r"/|/docs|/api/|/api/auth|/config|/gradio_api/(info|login_check|queue/status|file=(x|output))"
)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be held there")
def test_the_web_ui_is_as_it_was(photos: Path, tmp_path: Path) -> None:
    """Database and files are the same, and the log holds reads, and PUTs, which do nothing."""
    with demo.start(tmp_path, token=TOKEN) as server, connect(server.url, token=TOKEN) as client:
        dataset = client.datasets.upload(photos)
        params = TrainingParams(name="held", dataset=dataset.name, steps=100_000)
        job = client.jobs.start(params)
        wait_until(lambda: job.refresh().step > 0)
        pid = job.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            before = snapshot(tmp_path)
            with FaultProxy(server.url) as proxy:
                for token in (TOKEN, None, "wrong"):
                    assert "webui" == discover(proxy.url, token=token).as_dict()["flavour"]
                    check_auth(proxy.url, token=token)
            after = snapshot(tmp_path)
        finally:
            os.kill(pid, signal.SIGCONT)
        job.stop()

    assert before == after
    probes = {entry.probe_path for entry in CATALOG} | {
        *("/api/predict", "/api/queue/status", "/api/aitk-nb-has-no-such-endpoint")
    }
    for asked in proxy.log:
        allowed = probes if asked.method == "PUT" else READS
        assert asked.method in {"GET", "PUT"}, asked
        assert asked.path in allowed, asked


@pytest.mark.slow
def test_a_gradio_app_is_as_it_was(tmp_path: Path) -> None:
    """Its files are the same; beside reads and PUTs there are logins only."""
    data = tmp_path / "data"
    # One step takes longer than the whole test, so that the training itself changes nothing.
    server = gradio_servers.server(data=data, login=LOGIN, step_seconds=600, flush_seconds=0)
    with server, Caller(server.url, LOGIN) as caller:
        files = {"a.txt": b"a", "b.txt": b"b"}
        caller.create_dataset(files)
        caller.join("start_training", Form("held").data())
        wait_until(lambda: any(data.rglob("config.yaml")))
        settled(data)
        before = snapshot(data)
        with FaultProxy(server.url) as proxy:
            for login in (LOGIN, None, (LOGIN[0], "wrong")):
                assert "gradio" == discover(proxy.url, credentials=login).as_dict()["flavour"]
                check_auth(proxy.url, credentials=login)
        after = snapshot(data)
        server.process.kill()

    assert before == after
    for asked in proxy.log:
        if asked.method == "POST":
            assert "/login" == asked.path
        elif asked.method == "GET":
            assert re.fullmatch(GRADIO_READS, asked.path), asked
        else:
            assert "PUT" == asked.method


def wait_until(done: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again; fail when it does not come."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def settled(folder: Path) -> None:
    """Wait until two looks at a folder are the same."""
    last: list[object] = []

    def same() -> bool:
        now: list[object] = [snapshot(folder)]
        found = now == last
        last[:] = now
        time.sleep(0.3)
        return found

    wait_until(same)


def snapshot(data: Path) -> tuple[list[str], list[tuple[str, int, str]]]:
    """Return the dump of the database, and each file with its size and hash."""
    dump: list[str] = []
    if (data / DATABASE).exists():
        with closing(sqlite3.connect(data / DATABASE)) as database:
            dump = list(database.iterdump())
    files = [
        (
            path.relative_to(data).as_posix(),
            path.stat().st_size,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(data.rglob("*"))
        # The database is compared as text; the terminal's log is the log of requests.
        if path.is_file() and DATABASE not in path.name and path.name != "terminal.log"
    ]
    return dump, files
