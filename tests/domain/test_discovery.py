"""`discover` finds what a server has, holds claims against it, and changes nothing on it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from aitk_nb import connect, discover
from aitk_nb.backends.webui_catalogue import CATALOGUE
from aitk_nb.models import Flavour
from tests.conftest import TOKEN
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer


def test_every_endpoint_of_a_current_server_is_present(demo_server: DemoServer) -> None:
    """The embedded server is as young as the newest endpoint that is known."""
    report = discover(demo_server.url)

    assert Flavour.WEBUI is report.flavour
    assert {"present"} == {endpoint.state for endpoint in report.endpoints}
    assert max(entry.since for entry in CATALOGUE) == report.newest


def test_an_endpoint_that_the_server_lacks_is_absent(demo_server: DemoServer) -> None:
    """A server from before December 2025 answers the loss endpoint with its page."""
    with FaultProxy(demo_server.url) as proxy:
        proxy.answer("PUT", r"/api/jobs/0/loss", 404, {"Content-Type": "text/html"}, b"<html>")
        report = discover(proxy.url)

    absent = [endpoint.name for endpoint in report.endpoints if endpoint.state == "absent"]
    assert ["job_loss"] == absent


def test_without_the_token_endpoints_are_locked(token_server: DemoServer) -> None:
    """What cannot be seen is not called absent."""
    states = {e.name: e.state for e in discover(token_server.url).endpoints}

    assert "locked" == states["list_jobs"]
    assert {"present"} == {e.state for e in discover(token_server.url, TOKEN).endpoints}


def test_the_operations_name_known_endpoints(demo_server: DemoServer) -> None:
    """Each call behind an operation is in the table of endpoints."""
    report = discover(demo_server.url)
    names = {endpoint.name for endpoint in report.endpoints}

    assert {"create dataset", "start training", "job status", "download LoRA"} == set(
        report.operations
    )
    assert {call for each in report.operations.values() for call in each.calls} <= names


def test_false_claims_come_with_evidence_and_what_holds(demo_server: DemoServer) -> None:
    """Nothing of what guides say holds for the web UI; each line says what does."""
    claims = discover(demo_server.url).claims
    true = [claim.claim for claim in claims if claim.verdict == "true"]

    assert ["A LoRA can be downloaded through the API"] == true
    assert {"true", "false", "no password"} == {claim.verdict for claim in claims}
    assert all(claim.evidence for claim in claims)
    assert all(bool(claim.instead) is (claim.verdict != "true") for claim in claims)


def test_a_password_is_seen_to_protect_the_api(token_server: DemoServer) -> None:
    """The claim that it protects only the page is false."""
    claims = {claim.claim: claim for claim in discover(token_server.url, TOKEN).claims}
    claim = claims["A password protects only the page, not the API"]

    assert "false" == claim.verdict
    assert "401" in claim.evidence


def test_it_changes_nothing(demo_server: DemoServer) -> None:
    """Database and files are the same afterwards, and only PUT asks after actions."""
    with connect(demo_server.url) as client:
        client.datasets.list()
    before = _snapshot(demo_server.data)
    with FaultProxy(demo_server.url) as proxy:
        discover(proxy.url)

    assert before == _snapshot(demo_server.data)
    acting = {(entry.method, entry.probe_path) for entry in CATALOGUE if entry.acts}
    asked = {(entry.method, entry.path.split("?")[0]) for entry in proxy.log}
    assert not acting & asked
    assert {"GET", "PUT"} == {method for method, _ in asked}


def _snapshot(data: Path) -> tuple[list[str], list[tuple[str, str]]]:
    with closing(sqlite3.connect(data / "aitk_db.db")) as database:
        dump = list(database.iterdump())
    files = [
        (str(path.relative_to(data)), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(data.rglob("*"))
        if path.is_file() and "aitk_db" not in path.name
    ]
    return dump, files
